//! The state machine of the clusters that are measured: numbers by key.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use paxos::state_machine::{Conflicts, Footprint, ForeignChunk, Position, StateMachine};
use paxos::wire::Payload;

/// Bytes of a key, and of a value.
const KEY_BYTES: usize = 8;

/// Bytes of a command.
pub(super) const COMMAND_BYTES: usize = 2 * KEY_BYTES;

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Reads one key.
    Read(u64),
    /// Adds one to what a key has.
    Write(u64),
}

impl Deed {
    /// As a command: as long as key and value together, whatever it does.
    pub(super) fn command(self) -> Bytes {
        let (key, is_write) = match self {
            Self::Read(key) => (key, 0_u64),
            Self::Write(key) => (key, 1),
        };
        Bytes::from([key.to_be_bytes(), is_write.to_be_bytes()].concat())
    }

    fn of(command: &[u8]) -> Option<Self> {
        let key = u64::from_be_bytes(*command.first_chunk::<KEY_BYTES>()?);
        let is_write = command.last().is_some_and(|byte| *byte > 0);
        Some(if is_write { Self::Write(key) } else { Self::Read(key) })
    }
}

/// Numbers by key. It is never asked for a snapshot: no log is compacted here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Numbers(BTreeMap<u64, u64>);

impl StateMachine for Numbers {
    fn apply(&mut self, _: Position, command: &[u8]) -> Bytes {
        let value = match Deed::of(command) {
            Some(Deed::Write(key)) => {
                let value = self.0.entry(key).or_default();
                *value += 1;
                *value
            }
            Some(Deed::Read(key)) => self.0.get(&key).copied().unwrap_or_default(),
            None => 0,
        };
        Bytes::copy_from_slice(&value.to_be_bytes())
    }

    fn query(&self, _: &[u8]) -> Option<Bytes> {
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
        Err(ForeignChunk("this machine makes no snapshots".into()))
    }
}

impl Conflicts for Numbers {
    fn footprint(command: &Bytes) -> Footprint {
        let (mut reads, mut writes) = (BTreeSet::new(), BTreeSet::new());
        let key = |key: u64| Payload(Bytes::copy_from_slice(&key.to_be_bytes()));
        match Deed::of(command) {
            Some(Deed::Read(of)) => reads.insert(key(of)),
            Some(Deed::Write(of)) => writes.insert(key(of)),
            None => return Footprint::Everything,
        };
        Footprint::Keys { reads, writes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_do_what_they_say() {
        let mut numbers = Numbers::default();
        for (deed, expected) in [(Deed::Write(7), 1), (Deed::Write(7), 2), (Deed::Read(8), 0)] {
            let command = deed.command();
            assert_eq!(Deed::of(&command), Some(deed));
            let reply = numbers.apply(Position::default(), &command);
            assert_eq!(reply.as_ref(), u64::to_be_bytes(expected));
        }
    }

    #[test]
    fn only_writes_to_the_same_key_conflict() {
        let of = |deed: Deed| Numbers::footprint(&deed.command());
        assert!(of(Deed::Write(1)).conflicts_with(&of(Deed::Write(1))));
        assert!(of(Deed::Write(1)).conflicts_with(&of(Deed::Read(1))));
        assert!(!of(Deed::Read(1)).conflicts_with(&of(Deed::Read(1))));
        assert!(!of(Deed::Write(1)).conflicts_with(&of(Deed::Write(2))));
    }
}
