//! Snapshots on their way: to the disk, back from it, and to a replica that lags.
//!
//! ```text
//!  the log has grown                                   a replica lags
//!   archive      replica       proposer                 replica        archive, replica elsewhere
//!      │ SnapshotWanted          │                         │ FetchA *        │
//!      ├──────────►│ TakeSnapshot│                         ├────────────────►│ the values are gone
//!      │           ├────────────►│ a vertex that           │         Covered │
//!      │           │             │ conflicts with          │◄────────────────┤
//!      │           │             │ everything              │ SnapshotA from 0│
//!      │           │ executes it: freezes a view           ├─────────────────► TakeSnapshot; executes it
//!      │   Keep 0, 1, ..                                   │  SnapshotB 0, 1, 2, 3
//!      │◄──────────┤                                       │◄─────────────────
//!      │ Kept 0    │                                       │ Keep 0 to its own archive; when Kept:
//!      ├──────────►│                                       │ SnapshotA from 1│
//!      │ last: the base of each column rises               ├─────────────────► ..
//!
//!  a restart
//!   archive      replica
//!      │ ContentsA │
//!      │◄──────────┤
//!      │ ContentsB │
//!      ├──────────►│
//!      │ RestoreA 0│
//!      │◄──────────┤
//!      │ SnapshotB 0
//!      ├──────────►│ then FetchA * for the values above it, of each column
//!
//!  * of the log of a column
//! ```
//!
//! Snapshots are numbered: by the vertices for snapshots that a replica has executed, which all replicas
//! execute in the same order. The slot of a [`Chunk`](paxos::snapshot::Chunk) is that number here, and so
//! are the slots in `SnapshotA`, `Kept` and `RestoreA`.

use paxos::actor::NodeId;
use paxos::slot::Slot;
use paxos::wire::{Decode, Encode};

use crate::vertex::{Vertex, VertexSet};

/// Replica → proposer, any one. Let there be a vertex at which all replicas can take a snapshot.
///
/// *Repeat*: another one, which does no harm.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct TakeSnapshot;

/// Archive → replica of the same process. The log has grown: write a snapshot down that covers
/// `vertices` at least.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct SnapshotWanted {
    /// All that is durable as values: a prefix of each column.
    pub vertices: VertexSet,
}

/// Archive → replica. The values of a column from `first` on are gone: a snapshot covers them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Covered {
    /// Echoes the question.
    pub first: Vertex,
    /// Exclusive: all slots of the column below are executed in the snapshot.
    pub base: Slot,
    /// The number of the snapshot.
    pub snapshot: Slot,
    /// The replica beside the sender, which gives snapshots to others.
    pub replica: NodeId,
}

/// Replica → archive of the same process, after a restart. "What did you find on the disk?"
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ContentsA;

/// Archive → replica of the same process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ContentsB {
    /// The number of the snapshot; zero if there is none.
    pub snapshot: Slot,
    /// All that is there, as values or covered by the snapshot: a prefix of each column.
    pub vertices: VertexSet,
}
