//! Judges of replicated state machines.
