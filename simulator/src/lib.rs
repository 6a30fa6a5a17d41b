//! Judges of replicated state machines.

pub mod checker;
