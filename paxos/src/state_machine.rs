//! What a user of the library replicates.

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;

use crate::slot::Slot;
use crate::wire::{Decode, Encode, Frame, Payload};

/// Where a command stands in the log: its slot, and its place in the batch that fills the slot.
///
/// Two commands never share a position, and a later command has a larger one, so it serves as a
/// version or as a fencing token.
///
/// Where commands are ordered only if they conflict, this is true of those that do, and so of all that
/// write one key; others may share a position. There the slot is the *rank* of the command, one more than
/// the highest rank of all that it had to follow (`bpaxos::rank`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The slot of the batch, or the rank.
    pub slot: Slot,
    /// The place within the batch, or among all commands of the same rank that depend on each other, from
    /// zero.
    pub index: u32,
}

/// A deterministic state machine: the application.
///
/// Every replica applies the same commands in the same order, so every answer and every state must
/// follow from the commands alone: no clock, no random numbers, no order of a hash table.
///
/// # Snapshots
///
/// So that the log need not be kept for ever, a replica writes the state down from time to time, in
/// chunks, while commands go on changing it. `start_snapshot` freezes a view of the state as it is then,
/// at once; `next_chunk` reads that view piece by piece. What a command changes meanwhile must be kept
/// as it was until it has been read: [`FrozenView`](crate::frozen::FrozenView) does that for ordered
/// maps, and a small state may simply be cloned. The chunks, and where they are cut, must follow from
/// the frozen state alone.
pub trait StateMachine {
    /// Applies one command and returns its reply. Called exactly once for each command, in the order
    /// of the log, at each replica.
    ///
    /// A command that makes no sense must be answered as such; it is in the log of every replica.
    fn apply(&mut self, position: Position, command: &[u8]) -> Bytes;

    /// Answers a read from the present state, without the log.
    ///
    /// `None` if the answer cannot be told from the state alone (it depends on the time, say): the
    /// caller then proposes the read as a command.
    fn query(&self, query: &[u8]) -> Option<Bytes>;

    /// A machine like this one that has applied nothing.
    fn empty(&self) -> Self
    where
        Self: Sized;

    /// Freezes a view of the present state. There is at most one; another one is given up.
    ///
    /// *Cost*: O(1), or nearly: the replica waits for it.
    fn start_snapshot(&mut self);

    /// The next part of the frozen view, `None` at its end. It has about `bytes_max` bytes, or more if
    /// it cannot be cut smaller; 16 MiB at most.
    fn next_chunk(&mut self, bytes_max: usize) -> Option<Bytes>;

    /// Gives up the frozen view, read to its end or not.
    fn stop_snapshot(&mut self);

    /// Takes the next part of a snapshot, into a machine that has applied nothing. After the last
    /// one the machine is as the one that made them was.
    ///
    /// *Errors*: the bytes are no part of a snapshot of this kind of machine.
    fn install_chunk(&mut self, chunk: &Bytes) -> Result<(), ForeignChunk>;
}

/// What protocols need to know of commands that order them only where they must.
pub trait Conflicts {
    /// What `command` reads and writes. Two commands for which it matters which of them is applied first,
    /// in whatever state, must [conflict](Footprint::conflicts_with): for the reply to either or for the
    /// state after both. It follows from the bytes alone, and every node must say the same.
    fn footprint(command: &Bytes) -> Footprint;
}

/// What commands read and write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub enum Footprint {
    /// These keys and no others.
    Keys {
        /// Keys whose value the outcome depends on.
        reads: BTreeSet<Payload>,
        /// Keys whose value may change. What is written need not be listed as read as well.
        writes: BTreeSet<Payload>,
    },
    /// The whole key space.
    Everything,
}

impl Footprint {
    /// Of a command that touches nothing.
    pub const fn empty() -> Self {
        Self::Keys { reads: BTreeSet::new(), writes: BTreeSet::new() }
    }

    /// Whether commands with these two must be applied in the same order everywhere.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        let (Self::Keys { reads, writes }, Self::Keys { reads: other_reads, writes: other_writes }) =
            (self, other)
        else {
            return true;
        };
        let is_disjoint = writes.is_disjoint(other_writes);
        !(is_disjoint && writes.is_disjoint(other_reads) && reads.is_disjoint(other_writes))
    }

    /// Adds what `other` reads and writes.
    pub fn join(&mut self, other: Self) {
        match (&mut *self, other) {
            (
                Self::Keys { reads, writes },
                Self::Keys { reads: more_reads, writes: more_writes },
            ) => {
                reads.extend(more_reads);
                writes.extend(more_writes);
            }
            (_, Self::Everything) => *self = Self::Everything,
            (Self::Everything, Self::Keys { .. }) => {}
        }
    }
}

/// A part of a snapshot that the state machine does not understand. Another version made it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForeignChunk(pub String);

impl fmt::Display for ForeignChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ForeignChunk {}
