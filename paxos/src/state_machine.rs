//! What a user of the library replicates.

use bytes::Bytes;

use crate::slot::Slot;

/// Where a command stands in the log: its slot, and its place in the batch that fills the slot.
///
/// Two commands never share a position, and a later command has a larger one, so it serves as a
/// version or as a fencing token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The slot of the batch.
    pub slot: Slot,
    /// The place within the batch, from zero.
    pub index: u32,
}

/// A deterministic state machine: the application.
///
/// Every replica applies the same commands in the same order, so every answer and every state must
/// follow from the commands alone: no clock, no random numbers, no order of a hash table.
pub trait StateMachine {
    /// Applies one command and returns its reply. Called exactly once for each command, in the order
    /// of the log, at each replica.
    ///
    /// A command that makes no sense must be answered as such; it is in the log of every replica.
    fn apply(&mut self, position: Position, command: &Bytes) -> Bytes;

    /// Answers a read from the present state, without the log.
    ///
    /// `None` if the answer cannot be told from the state alone (it depends on the time, say): the
    /// caller then proposes the read as a command.
    fn query(&self, query: &Bytes) -> Option<Bytes>;
}
