//! The parts of a replicated state machine.

pub mod actor;
pub mod slot;
pub mod state_machine;
pub mod storage;
pub mod transport;
pub mod wire;
