//! What the tests replicate: a list of words for each key.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use paxos::state_machine::{Conflicts, Footprint, ForeignChunk, Position, StateMachine};
use paxos::wire::Payload;

/// Lists by key. `a+x` appends x to the list of a, `a?` reads it, `*` counts all words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Lists {
    lists: BTreeMap<String, Vec<String>>,
    /// Where each list was last appended to.
    versions: BTreeMap<String, Position>,
    /// All commands, in the order in which they were applied here.
    applied: Vec<Bytes>,
}

impl Lists {
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

fn text(command: &Bytes) -> &str {
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
    fn apply(&mut self, position: Position, command: &Bytes) -> Bytes {
        self.applied.push(command.clone());
        let command = text(command);
        if let Some((key, word)) = command.split_once('+') {
            let before = self.versions.insert(key.into(), position);
            assert!(before < Some(position), "B12 positions: {before:?}, then {position:?}");
            self.lists.entry(key.into()).or_default().push(word.into());
            return Bytes::new();
        }
        let Some((key, _)) = command.split_once('?') else {
            let count = self.lists.values().flatten().count();
            return Bytes::from(count.to_string());
        };
        let words = self.lists.get(key).map_or(&[][..], |list| list);
        Bytes::from(words.join(" "))
    }

    fn query(&self, _: &Bytes) -> Option<Bytes> {
        None
    }

    fn empty(&self) -> Self {
        Self::default()
    }

    fn start_snapshot(&mut self) {}

    fn next_chunk(&mut self, _: usize) -> Option<Bytes> {
        None
    }

    fn stop_snapshot(&mut self) {}

    fn install_chunk(&mut self, _: &Bytes) -> Result<(), ForeignChunk> {
        Err(ForeignChunk("lists have no snapshots".into()))
    }
}
