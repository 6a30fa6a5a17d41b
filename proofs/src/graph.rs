//! BPaxos in the models: who plays, what is replicated, and what is true of a run.

pub mod cast;
pub mod journal;
pub mod truth;
