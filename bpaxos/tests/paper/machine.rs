//! What the tests replicate: a list of words for each key.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use paxos::state_machine::{Conflicts, Footprint, ForeignChunk, Position, StateMachine};
use paxos::wire::{self, Decode, Encode, Payload};

/// Lists by key. `a+x` appends x to the list of a, `a?` reads it, `*` counts all words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Lists {
    lists: BTreeMap<String, Vec<String>>,
    /// Where each list was last appended to.
    versions: BTreeMap<String, Position>,
    /// All commands, in the order in which they were applied here; or nothing, if it is forgetful.
    applied: Vec<Bytes>,
    /// Whether it keeps no more than the last word of each list, and none of the commands.
    is_forgetful: bool,
    /// The rest of the frozen view.
    frozen: VecDeque<Bytes>,
}

/// A chunk of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub(crate) enum Piece {
    /// A list, and where it was last appended to.
    List { key: String, words: Vec<String>, slot: u64, index: u32 },
    /// All commands that were applied.
    Applied(BTreeSet<Vec<u8>>),
    /// The same, in the order of one replica.
    Order(Vec<Vec<u8>>),
}

impl Lists {
    /// One whose size does not grow with the commands.
    pub(crate) fn forgetful() -> Self {
        Self { is_forgetful: true, ..Self::default() }
    }

    /// All commands, in the order in which they were applied here.
    pub(crate) fn applied(&self) -> &[Bytes] {
        &self.applied
    }

    /// The state, which is the same wherever the same commands were applied in an allowed order.
    pub(crate) fn lists(&self) -> &BTreeMap<String, Vec<String>> {
        &self.lists
    }

    /// Where each list was last appended to: the same wherever the lists are.
    pub(crate) fn versions(&self) -> &BTreeMap<String, Position> {
        &self.versions
    }
}

fn text(command: &[u8]) -> &str {
    std::str::from_utf8(command).expect("the tests write text")
}

impl Conflicts for Lists {
    fn footprint(command: &Bytes) -> Footprint {
        let set = |key: &str| BTreeSet::from([Payload::new(key.to_owned().into_bytes())]);
        let command = text(command);
        if let Some((key, _)) = command.split_once('+') {
            return Footprint::Keys { reads: [].into(), writes: set(key) };
        }
        match command.split_once('?') {
            Some((key, _)) => Footprint::Keys { reads: set(key), writes: [].into() },
            None => Footprint::Everything,
        }
    }
}

impl StateMachine for Lists {
    fn apply(&mut self, position: Position, command: &[u8]) -> Bytes {
        if !self.is_forgetful {
            self.applied.push(Bytes::copy_from_slice(command));
        }
        let command = text(command);
        if let Some((key, word)) = command.split_once('+') {
            let before = self.versions.insert(key.into(), position);
            assert!(before < Some(position), "B12 positions: {before:?}, then {position:?}");
            let words = self.lists.entry(key.into()).or_default();
            if self.is_forgetful {
                words.clear();
            }
            words.push(word.into());
            return Bytes::new();
        }
        let Some((key, _)) = command.split_once('?') else {
            let count = self.lists.values().flatten().count();
            return Bytes::from(count.to_string());
        };
        let words = self.lists.get(key).map_or(&[][..], |list| list);
        Bytes::from(words.join(" "))
    }

    fn query(&self, _: &[u8]) -> Option<Bytes> {
        None
    }

    fn empty(&self) -> Self {
        Self { is_forgetful: self.is_forgetful, ..Self::default() }
    }

    fn start_snapshot(&mut self) {
        let lists = self.lists.iter().map(|(key, words)| {
            let Position { slot, index } = self.versions[key];
            Piece::List { key: key.clone(), words: words.clone(), slot: slot.0, index }
        });
        let applied = self.applied.iter().map(|command| command.to_vec());
        let applied = [Piece::Applied(applied.clone().collect()), Piece::Order(applied.collect())];
        self.frozen = lists.chain(applied).map(|piece| wire::encode(&piece)).collect();
    }

    fn next_chunk(&mut self, _: usize) -> Option<Bytes> {
        self.frozen.pop_front()
    }

    fn stop_snapshot(&mut self) {
        self.frozen.clear();
    }

    fn install_chunk(&mut self, chunk: &Bytes) -> Result<(), ForeignChunk> {
        match wire::decode(chunk).map_err(|error| ForeignChunk(error.to_string()))? {
            Piece::List { key, words, slot, index } => {
                let position = Position { slot: paxos::slot::Slot(slot), index };
                self.versions.insert(key.clone(), position);
                self.lists.insert(key, words);
            }
            Piece::Applied(_) => {}
            Piece::Order(applied) => self.applied = applied.into_iter().map(Bytes::from).collect(),
        }
        Ok(())
    }
}
