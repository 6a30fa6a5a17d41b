//! Simple BPaxos, made reconfigurable.

pub mod conflict;
pub mod graph;
pub mod vertex;
