//! The snapshot that a cluster begins with whose state comes from another one.

use super::{Chunk, Part, Sequence};
use crate::history::History;
use crate::slot::Slot;
use crate::wire::{self, Payload};

/// What archives of a new cluster have durably before anything else, chunk by chunk.
///
/// It holds the state and nothing of the cluster that the state comes from. A session ends with its process,
/// and the processes of a new cluster are others: nobody could ever ask for its entries again. And replicas
/// that begin with the same state have executed the same, nothing. So it is the snapshot that a replica
/// takes in the new cluster before it executes anything.
#[derive(Clone, Debug)]
pub struct FirstSnapshot {
    sequence: Sequence,
}

impl FirstSnapshot {
    /// What is left of a part of the other cluster's snapshot; none if nothing is.
    pub fn state(part: Part) -> Option<Payload> {
        match part {
            Part::History(_) | Part::Sessions(_) => None,
            Part::Machine(bytes) => Some(bytes),
        }
    }

    /// Begins one, with its first chunk. The log of the new cluster goes on at `slot`, that of the snapshot.
    pub fn begin(slot: Slot) -> (Self, Chunk) {
        let mut first = Self { sequence: Sequence::new(slot) };
        let chunk = first.cut(&Part::History(History::default()));
        (first, chunk)
    }

    /// The next chunk, with a part of the state.
    pub fn add(&mut self, state: Payload) -> Chunk {
        self.cut(&Part::Machine(state))
    }

    fn cut(&mut self, part: &Part) -> Chunk {
        self.sequence.cut(Payload(wire::encode(part)), false)
    }

    /// The last chunk.
    pub fn end(mut self) -> Chunk {
        self.sequence.cut(Payload::default(), true)
    }
}
