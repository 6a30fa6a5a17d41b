//! What operators ask of proposers and replicas, beside what the leaders of columns tell them.

use matchmaker::message::Generation;
use paxos::wire::{Decode, Encode};

use crate::vertex::Vertex;

/// Operator → proposer, replica. "How are you?"
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct StatusA {
    /// Names the question.
    pub token: u64,
}

/// Proposer → operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ProposerB {
    /// Echoes the question.
    pub token: u64,
    /// The dependency service that it asks.
    pub service: Generation,
    /// Commands that wait for a vertex.
    pub requests_count: u64,
    /// Vertices whose dependencies are awaited.
    pub collecting_count: u64,
}

/// Replica → operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ReplicaB {
    /// Echoes the question.
    pub token: u64,
    /// Commands that it has executed, repeats not counted.
    pub executed_count: u64,
    /// Vertices that are committed and wait for others.
    pub waiting_count: u64,
    /// Some of the vertices that others wait for and that are not committed here: the lowest ones.
    pub missing: Vec<Vertex>,
}
