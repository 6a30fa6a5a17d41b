//! The parts of a replicated state machine.

pub mod actor;
#[cfg(feature = "runtime")]
pub mod runtime;
pub mod slot;
pub mod state_machine;
pub mod storage;
pub mod transport;
pub mod wire;
