//! Chunks under way: a few at once, sent again when they are asked for again, taken in their order.

use std::collections::{BTreeMap, VecDeque};

use super::{Chunk, Sequence};
use crate::mutant::{self, Mutant};
use crate::slot::Slot;
use crate::wire::Payload;

/// Chunks of one snapshot on their way to its reader.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outbound {
    sequence: Sequence,
    /// Chunks under way, of consecutive numbers.
    window: VecDeque<Chunk>,
    /// The first chunk that the last question asked for.
    asked: u64,
    /// Whether the last chunk was cut.
    is_cut: bool,
}

impl Outbound {
    /// Before the first chunk of the snapshot at `slot`.
    pub fn new(slot: Slot) -> Self {
        Self { sequence: Sequence::new(slot), window: VecDeque::new(), asked: 0, is_cut: false }
    }

    /// The slot of the snapshot.
    pub fn slot(&self) -> Slot {
        self.sequence.slot()
    }

    /// Whether another chunk may be cut while `window_max` are under way at most.
    pub fn has_room(&self, window_max: usize) -> bool {
        !self.is_cut && self.window.len() < window_max.max(1)
    }

    /// Cuts the next chunk, or the last one if there are no more bytes.
    pub fn cut(&mut self, bytes: Option<Payload>) -> Chunk {
        self.is_cut = bytes.is_none();
        let chunk = self.sequence.cut(bytes.unwrap_or_default(), self.is_cut);
        self.window.push_back(chunk.clone());
        chunk
    }

    /// Lets go of the chunks below `next`.
    pub fn release(&mut self, next: u64) {
        while self.window.pop_front_if(|chunk| chunk.number < next).is_some() {}
    }

    /// Lets go of the chunks below `next`, and returns what is to be sent again: all that is under way, if
    /// that was asked for before.
    pub fn ask(&mut self, next: u64) -> Vec<Chunk> {
        self.release(next);
        let is_repeated = std::mem::replace(&mut self.asked, next) == next;
        if is_repeated { self.window.iter().cloned().collect() } else { Vec::new() }
    }

    /// Whether no chunk was let go of.
    pub fn is_whole(&self) -> bool {
        self.window.front().is_none_or(|chunk| chunk.number == 0)
    }

    /// Whether all chunks were cut and let go of.
    pub fn is_done(&self) -> bool {
        self.is_cut && self.window.is_empty()
    }
}

/// Chunks of one snapshot on their way in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Inbound {
    sequence: Sequence,
    /// Chunks that came before their turn: no more than are under way at once.
    early: BTreeMap<u64, Chunk>,
}

impl Inbound {
    /// Before the first chunk of the snapshot at `slot`.
    pub fn new(slot: Slot) -> Self {
        Self { sequence: Sequence::new(slot), early: BTreeMap::new() }
    }

    /// The slot of the snapshot.
    pub fn slot(&self) -> Slot {
        self.sequence.slot()
    }

    /// The number of the next chunk.
    pub fn next(&self) -> u64 {
        self.sequence.next()
    }

    /// Keeps a chunk until its turn comes, if it is one of the next `window`.
    pub fn hold(&mut self, chunk: Chunk, window: usize) {
        let distance = chunk.number.checked_sub(self.sequence.next());
        let is_near = distance.is_some_and(|distance| distance < window.max(1) as u64);
        if is_near && chunk.slot == self.sequence.slot() {
            self.early.insert(chunk.number, chunk);
        }
    }

    /// The next chunk, if it is there.
    pub fn take_next(&mut self) -> Option<Chunk> {
        let (_, chunk) = self.early.pop_first()?;
        let is_jump = mutant::is_on(Mutant::TakeAnyChunk) && self.sequence.jumps_to(&chunk);
        if is_jump || self.sequence.takes(&chunk) {
            return Some(chunk);
        }
        if chunk.number > self.sequence.next() {
            self.early.insert(chunk.number, chunk);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(chunks: &[Chunk]) -> Vec<u64> {
        chunks.iter().map(|chunk| chunk.number).collect()
    }

    #[test]
    fn a_few_chunks_are_under_way_and_sent_again_when_asked_for_again() {
        let mut outbound = Outbound::new(Slot(5));
        let mut sent = Vec::new();
        while outbound.has_room(2) {
            sent.push(outbound.cut(Some(Payload::new(&b"x"[..]))));
        }
        assert_eq!(numbers(&sent), [0, 1]);
        assert!(outbound.is_whole());
        assert_eq!(numbers(&outbound.ask(0)), [0, 1]);
        assert_eq!(numbers(&outbound.ask(1)), []);
        assert!(outbound.has_room(2) && !outbound.is_whole());
        assert!(outbound.cut(None).is_last && !outbound.has_room(9));
        assert_eq!(numbers(&outbound.ask(1)), [1, 2]);
        outbound.release(3);
        assert!(outbound.is_done());
    }

    #[test]
    fn chunks_are_taken_in_their_order_whatever_the_order_in_which_they_come() {
        let mut outbound = Outbound::new(Slot(5));
        let sent: Vec<Chunk> = (0..4).map(|_| outbound.cut(Some(Payload::default()))).collect();
        let mut inbound = Inbound::new(Slot(5));
        inbound.hold(sent[1].clone(), 2);
        inbound.hold(sent[2].clone(), 2);
        assert_eq!(inbound.take_next(), None);
        inbound.hold(sent[0].clone(), 2);
        let taken: Vec<Chunk> = std::iter::from_fn(|| inbound.take_next()).collect();
        assert_eq!(numbers(&taken), [0, 1], "the third one was too far ahead");
        assert_eq!((inbound.next(), inbound.slot()), (2, Slot(5)));
    }
}
