//! The parts of a replicated state machine.

pub mod acceptor;
pub mod actor;
pub mod archive;
pub mod command;
pub mod configuration;
mod digest;
pub mod election;
pub mod frozen;
pub mod history;
#[cfg(feature = "log-format")]
pub mod log_format;
pub mod membership;
pub mod message;
pub mod mutant;
pub mod quorum;
pub mod replica;
pub mod round;
#[cfg(feature = "runtime")]
pub mod runtime;
pub mod session;
pub mod session_table;
pub mod slot;
mod slot_map;
pub mod snapshot;
pub mod state_machine;
pub mod storage;
pub mod synod;
pub mod transport;
pub mod wire;
