//! The application of the models of BPaxos: a journal for each key.

use std::collections::BTreeMap;

use bytes::Bytes;
use paxos::state_machine::{Conflicts, Footprint, ForeignChunk, Position, StateMachine};
use paxos::wire::Payload;

/// All commands, by the keys that each begins with. A command is answered by how many there are of each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Journal {
    entries: BTreeMap<Bytes, Vec<Bytes>>,
    /// Where the last command of each key stood.
    places: BTreeMap<Bytes, Position>,
    /// Whether a command stood before one of its key that was applied earlier.
    is_disordered: bool,
}

impl Journal {
    /// The commands of each key, in the order in which they were applied.
    pub fn entries(&self) -> &BTreeMap<Bytes, Vec<Bytes>> {
        &self.entries
    }

    /// *B12*: whether each command stands behind those of its key that were applied before it.
    pub fn is_ordered(&self) -> bool {
        !self.is_disordered
    }

    /// Where the last command of each key stands: the same wherever the entries are.
    pub fn places(&self) -> &BTreeMap<Bytes, Position> {
        &self.places
    }
}

/// The first word, of which each part is a key: `tea+milk` has two.
fn keys(command: &Bytes) -> impl Iterator<Item = Bytes> {
    let length = command.iter().position(|byte| *byte == b' ').unwrap_or(command.len());
    let word = command.slice(..length);
    let parts: Vec<Bytes> =
        word.split(|byte| *byte == b'+').map(|part| word.slice_ref(part)).collect();
    parts.into_iter()
}

impl Conflicts for Journal {
    fn footprint(command: &Bytes) -> Footprint {
        Footprint::Keys { reads: [].into(), writes: keys(command).map(Payload).collect() }
    }
}

impl StateMachine for Journal {
    fn apply(&mut self, position: Position, command: &[u8]) -> Bytes {
        let mut counts = Vec::new();
        let command = Bytes::copy_from_slice(command);
        for key in keys(&command) {
            let before = self.places.insert(key.clone(), position);
            self.is_disordered |= before >= Some(position);
            let entries = self.entries.entry(key).or_default();
            entries.push(command.clone());
            counts.push(entries.len().to_string());
        }
        Bytes::from(counts.join(" "))
    }

    fn query(&self, _query: &[u8]) -> Option<Bytes> {
        None
    }

    fn empty(&self) -> Self {
        Self::default()
    }

    // No snapshot is taken in the models.
    fn start_snapshot(&mut self) {}

    fn next_chunk(&mut self, _bytes_max: usize) -> Option<Bytes> {
        None
    }

    fn stop_snapshot(&mut self) {}

    fn install_chunk(&mut self, _chunk: &Bytes) -> Result<(), ForeignChunk> {
        Err(ForeignChunk("there are no snapshots here".to_owned()))
    }
}
