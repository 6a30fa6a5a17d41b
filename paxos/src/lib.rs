//! The parts of a replicated state machine.

pub mod acceptor;
pub mod actor;
pub mod command;
pub mod configuration;
pub mod message;
pub mod quorum;
pub mod round;
pub mod slot;
pub mod state_machine;
pub mod storage;
pub mod transport;
pub mod wire;
