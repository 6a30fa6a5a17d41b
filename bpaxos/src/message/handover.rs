//! How the dependency service goes from one epoch to the next.
//!
//! ```text
//!  operator    proposer       nodes of e       nodes of e + 1        other proposers
//!     │ ServiceA  │               │                  │                      │
//!     ├──────────►│ ReachA        │                  │                      │
//!     │           ├─────────────────────────────────►│ are you there?       │
//!     │           │◄────────────────────────── ReachB│ a majority           │
//!     │           │ FreezeA(e)    │                  │                      │
//!     │           ├──────────────►│ answers no more in e, durable           │
//!     │           │◄───── FreezeB │ all that it has received; a majority    │
//!     │           │ DecreeA(e)    │                  │                      │
//!     │           ├──────────────►│ Paxos on one value: the next nodes, and base, the union
//!     │           │◄───── DecreeB │                  │                      │
//!     │           │ BeginA(e + 1, base)              │                      │
//!     │           ├──────────────►├─────────────────►│ durable; everything in base conflicts
//!     │           │◄────────────────────────── BeginB│ a majority           │
//!     │ ServiceB  │ Succeeded(e + 1)                                        │
//!     │◄──────────┤────────────────────────────────────────────────────────►│ ask again in e + 1
//! ```
//!
//! *Why it is safe*: dependencies that were complete in e came from f + 1 nodes, of which one froze
//! later and has reported the vertex. So base has it, and whatever is computed in e + 1 depends on it. Two
//! vertices that are computed in the same epoch share a node of it. The state that moves is one number
//! for each column.
//!
//! The price is paid once: the first commands in e + 1 depend on everything before.

use std::collections::BTreeSet;

use matchmaker::message::{Epoch, Generation};
use paxos::actor::NodeId;
use paxos::message::{FromAcceptor, ToAcceptor};
use paxos::wire::{Decode, Encode, Frame};

use crate::vertex::VertexSet;

/// What a decree chooses: who serves in the next epoch, and what they begin with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Successor {
    /// The next epoch and its nodes.
    pub generation: Generation,
    /// The nodes of the epoch before.
    pub previous: BTreeSet<NodeId>,
    /// Every vertex whose dependencies were completed in earlier epochs, and others.
    pub base: VertexSet,
}

/// Operator → proposer. Let these nodes compute dependencies from now on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ServiceA {
    /// Names the request.
    pub token: u64,
    /// The next nodes: 2f + 1.
    pub members: BTreeSet<NodeId>,
}

/// Proposer → operator. A majority of these serves. They may be others than were asked for, if another
/// proposer was faster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ServiceB {
    /// Echoes the request.
    pub token: u64,
    /// Who serves, in which epoch.
    pub generation: Generation,
}

/// Proposer → dependency node. "Are you there?" Nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ReachA {
    /// The epoch that it is to serve in.
    pub epoch: Epoch,
}

/// Dependency node → proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ReachB {
    /// Echoes the question.
    pub epoch: Epoch,
}

/// Proposer → dependency node. "Answer no question in this epoch any more."
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct FreezeA {
    /// The epoch that ends.
    pub epoch: Epoch,
}

/// Dependency node → proposer. It has stopped, durably.
///
/// The receiver may conclude that each vertex that this node has ever answered for is in `received`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct FreezeB {
    /// Echoes the request.
    pub epoch: Epoch,
    /// For each column everything up to the last vertex that it has heard of.
    pub received: VertexSet,
}

/// Proposer → stopped dependency node, as an acceptor of the decree.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub struct DecreeA {
    /// The epoch whose successor is chosen.
    pub epoch: Epoch,
    /// What the acceptor is told.
    pub message: ToAcceptor,
}

/// Stopped dependency node → proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub struct DecreeB {
    /// The epoch whose successor is chosen.
    pub epoch: Epoch,
    /// What the acceptor says.
    pub message: FromAcceptor,
}

/// Proposer → dependency node, old or new. This was chosen: serve, or send those on that still ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct BeginA {
    /// What was chosen.
    pub successor: Successor,
}

/// Dependency node → proposer. It knows, durably, and serves if it is to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct BeginB {
    /// Echoes the epoch.
    pub epoch: Epoch,
}

/// Dependency node → proposer that asked in an earlier epoch; proposer → other proposers. This was chosen.
/// Its nodes may not all know: whoever told them may have died.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Succeeded {
    /// What was chosen.
    pub successor: Successor,
}

/// Dependency node → proposer that asked in a later epoch. It does not know how that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Behind {
    /// Echoes the epoch.
    pub epoch: Epoch,
}

/// Dependency node → proposer that asked. It has stopped, and does not know what comes after: whoever
/// stopped it may have died.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Frozen {
    /// The epoch that has ended.
    pub epoch: Epoch,
}
