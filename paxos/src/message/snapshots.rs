//! Snapshots on their way: to the disk, back from it, and to a replica that lags.
//!
//! ```text
//!  the log has grown                         a replica lags
//!   replica            archive                replica          archive, replica of another process
//!      │ SnapshotWanted  │                       │ FetchA            │
//!      │◄────────────────┤                       ├──────────────────►│ the values are gone
//!      │ Keep 0, 1, ..   │                       │               Cut │
//!      ├────────────────►│ durable               │◄──────────────────┤
//!      │          Kept 0 │                       │ SnapshotA from 0  │
//!      │◄────────────────┤                       ├───────────────────► freezes a view
//!      │ Keep 4          │                       │  SnapshotB 0, 1, 2, 3
//!      ├────────────────►│                       │◄───────────────────
//!      │                 │ last: the base rises  │ Keep 0 to its own archive; when Kept:
//!                                                │ SnapshotA from 1  │
//!  a restart                                     ├───────────────────► ..
//!      │ FetchA          │
//!      ├────────────────►│
//!      │             Cut │
//!      │◄────────────────┤
//!      │ RestoreA 0, ..  │
//!      ├────────────────►│
//!      │     SnapshotB 0 │
//!      │◄────────────────┤ then FetchA for the values above it
//! ```
//!
//! An application that wants a snapshot of the replica beside it asks as a replica that lags does, and is
//! answered so.

use crate::actor::NodeId;
use crate::slot::Slot;
use crate::snapshot::Chunk;
use crate::wire::{Decode, Encode, Frame};

/// Archive → replica. Values from [`FetchA::first`](super::FetchA) on are gone: a snapshot covers them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Cut {
    /// Echoes the question.
    pub first: Slot,
    /// The slot of the snapshot.
    pub base: Slot,
    /// The replica beside the sender, which gives a snapshot to others.
    pub replica: NodeId,
}

/// Archive → replica of the same process. The log has grown: write down a snapshot, above
/// `watermark` at least.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct SnapshotWanted {
    /// The snapshot must hold all slots below.
    pub watermark: Slot,
}

/// Archive → replica of the same process. That chunk is durable; the next one may come.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Kept {
    /// Of which snapshot.
    pub slot: Slot,
    /// Inclusive.
    pub number: u64,
}

/// Replica → replica of another process; application → replica of the same one. Asks for the next chunks of a
/// snapshot, and lets go of those before.
///
/// *Repeat*: the chunks that are under way are sent again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct SnapshotA {
    /// What the sender has executed; only a later snapshot is of use to it.
    pub executed_watermark: Slot,
    /// The snapshot of which it has chunks; none if it has none.
    pub slot: Option<Slot>,
    /// The first chunk that is missing.
    pub next: u64,
}

/// Replica → replica of another process, or application of the same one; archive → replica of the same
/// one. A chunk of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct SnapshotB {
    /// The chunk.
    pub chunk: Chunk,
}

/// Replica → archive of the same process. The next chunk of a snapshot, to be made durable. The last
/// one makes the snapshot replace the values below it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct Keep {
    /// The chunk.
    pub chunk: Chunk,
}

/// Replica → archive of the same process, after a restart. Takes the next chunk of the snapshot that
/// was found on disk; the archive then forgets it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct RestoreA {
    /// Its number.
    pub number: u64,
}
