//! What a leader tells of members that it replaces by itself.

use std::collections::BTreeSet;

use paxos::actor::NodeId;
use paxos::wire::{Decode, Encode};

/// What a member was replaced as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub enum Part {
    /// It voted.
    Acceptor,
    /// It remembered the configurations of rounds.
    Matchmaker,
}

/// How far a leader is with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub enum HealingProgress {
    /// It has begun.
    Began,
    /// The spare is in use, and the member is not.
    Finished,
    /// It was given up, and may be begun again: the spare fell silent, or somebody else was faster.
    Failed,
}

/// Leader → the application of every process. It replaces a member that has not answered it for
/// `suspect_after_ms` by a spare that does. For the eye of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Healing {
    /// What the member was.
    pub part: Part,
    /// The member that is replaced.
    pub member: NodeId,
    /// The spare that takes its place.
    pub spare: NodeId,
    /// For how long the member was silent, at least.
    pub suspect_after_ms: u64,
    /// What happened.
    pub progress: HealingProgress,
}

/// What a leader knows of those that do not answer it. A part of [`StatusB`](super::StatusB).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct HealingStatus {
    /// Whether it replaces members by itself.
    pub is_on: bool,
    /// For how long a member must be silent to be suspected.
    pub suspect_after_ms: u64,
    /// Acceptors, matchmakers and archives in use that are silent, and all others in use of their
    /// processes.
    pub suspects: BTreeSet<NodeId>,
    /// Acceptors and matchmakers that are not in use, and answer.
    pub spares: BTreeSet<NodeId>,
    /// What it last did in this leadership.
    pub last: Option<Healing>,
    /// How long ago that began, to within a quarter of `suspect_after_ms`.
    pub last_ms_ago: u64,
}
