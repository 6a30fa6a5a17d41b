//! Snapshots: what a replica knows after the slots below one, cut into chunks.
//!
//! ```text
//!   chunk 0               the digest of all that was executed
//!   chunk 1, 2, ...       sessions: what was executed for whom
//!   then                  the application, as it cuts itself (`StateMachine::next_chunk`)
//!   the last one          is marked as such, and empty
//! ```
//!
//! Each chunk carries a digest of itself and all chunks before it, so that none is taken in another's
//! place, and that of the last one is the digest of the whole. Snapshots of one slot are the same
//! at every replica that cuts them to the same size.

mod first;
mod pace;
mod under_way;

pub use first::FirstSnapshot;
pub use pace::Pace;
pub(crate) use pace::pause;
pub use under_way::{Inbound, Outbound};

use crate::digest::digest;
use crate::history::History;
use crate::slot::Slot;
use crate::wire::{Decode, Encode, Frame, Payload};

/// How snapshots are cut, what is kept beside them, and when replicas compare what they executed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SnapshotOptions {
    /// Bytes of a chunk, unless a single value is larger.
    pub chunk_bytes: usize,
    /// Chunks that are under way at once at most: to the disk, or to another replica.
    pub window: usize,
    /// Bytes of the latest values that an archive keeps in memory though a snapshot covers them: a
    /// replica that lags by no more needs no snapshot.
    pub tail_bytes: usize,
    /// Replicas compare their [`History`] after every so many slots; zero: never.
    pub compare_slots: u64,
    /// Bytes of snapshots that a replica cuts in a second, unless commands come faster ([`Pace`]); and of
    /// values that one that joins takes in a second, each counted with 512 bytes of work, unless the log grows
    /// by half as fast. Zero: as many as are taken.
    pub bytes_per_second: u64,
}

impl Default for SnapshotOptions {
    fn default() -> Self {
        Self {
            chunk_bytes: 256 << 10,
            window: 4,
            tail_bytes: 16 << 20,
            compare_slots: 1024,
            bytes_per_second: 32 << 20,
        }
    }
}

/// A part of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct Chunk {
    /// Exclusive: all slots below are executed in the snapshot. This names it.
    pub slot: Slot,
    /// The place of the chunk, from zero.
    pub number: u64,
    /// Of this chunk and all before it.
    pub digest: u64,
    /// Whether it is the last one.
    pub is_last: bool,
    /// An encoded [`Part`]; nothing in the last one.
    pub bytes: Payload,
}

/// What a chunk holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub enum Part {
    /// Of all commands that were executed.
    History(History),
    /// Sessions, or the rest of one that began in the chunk before.
    Sessions(Vec<SessionPart>),
    /// What the application made.
    Machine(Payload),
}

/// A piece of what is known of sessions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub enum SessionPart {
    /// A session begins.
    Session {
        /// Where it is.
        node: crate::actor::NodeId,
        /// Its latest life.
        life: u64,
        /// The number of its next command.
        next: u64,
    },
    /// The end of the next reply that is kept for it.
    Reply(Payload),
    /// The beginning of that reply, which is too long for one chunk.
    ReplyPart(Payload),
}

impl SessionPart {
    /// About as many bytes as its encoding has.
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Session { .. } => 40,
            Self::Reply(bytes) | Self::ReplyPart(bytes) => bytes.len() + 16,
        }
    }
}

/// Chunks of one snapshot, one after the other: which one is next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sequence {
    slot: Slot,
    next: u64,
    digest: u64,
}

impl Sequence {
    /// Before the first chunk of the snapshot at `slot`.
    pub fn new(slot: Slot) -> Self {
        Self { slot, next: 0, digest: 0 }
    }

    /// The slot of the snapshot.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// The number of the next chunk.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Makes the next chunk.
    pub fn cut(&mut self, bytes: Payload, is_last: bool) -> Chunk {
        let number = self.next;
        self.next += 1;
        self.digest = digest(self.digest, &bytes.0);
        Chunk { slot: self.slot, number, digest: self.digest, is_last, bytes }
    }

    /// Goes past `chunk`, if it is the next one.
    pub fn takes(&mut self, chunk: &Chunk) -> bool {
        if (chunk.slot, chunk.number) != (self.slot, self.next) {
            return false;
        }
        let digest = digest(self.digest, &chunk.bytes.0);
        if digest != chunk.digest {
            return false;
        }
        self.next += 1;
        self.digest = digest;
        true
    }

    /// Goes past `chunk` though chunks before it are missing. Only a fault does.
    pub(crate) fn jumps_to(&mut self, chunk: &Chunk) -> bool {
        let is_later = chunk.slot == self.slot && chunk.number > self.next;
        if is_later {
            (self.next, self.digest) = (chunk.number + 1, chunk.digest);
        }
        is_later
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(slot: u64, texts: &[&'static str]) -> Vec<Chunk> {
        let mut sequence = Sequence::new(Slot(slot));
        let texts = texts.iter().enumerate();
        texts.map(|(at, text)| sequence.cut(Payload::new(text.as_bytes()), at + 1 == 3)).collect()
    }

    #[test]
    fn chunks_are_taken_in_their_order_and_unchanged_only() {
        let sent = chunks(5, &["one", "two", ""]);
        let mut sequence = Sequence::new(Slot(5));
        assert!(!sequence.takes(&sent[1]));
        assert!(sequence.takes(&sent[0]));
        assert!(!sequence.takes(&sent[0]));
        let mut other = sent[1].clone();
        other.bytes = Payload::new(&b"twO"[..]);
        assert!(!sequence.takes(&other));
        assert!(!sequence.takes(&chunks(6, &["one", "two"])[1]));
        assert!(!sequence.takes(&chunks(5, &["0ne", "two"])[1]), "its predecessor was another");
        assert!(sequence.takes(&sent[1]) && sequence.takes(&sent[2]));
        assert_eq!((sequence.next(), sequence.slot()), (3, Slot(5)));
    }
}
