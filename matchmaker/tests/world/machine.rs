//! The replicated state machine of the runs: it counts, and remembers what it counted.

use paxos::state_machine::{Position, StateMachine};

use bytes::Bytes;

/// Counts commands. The reply to a command is the count after it, so replies of commands grow in
/// the order of the log, and a read tells how much of the log it has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counter {
    /// Where each command stood, and its name.
    pub applied: Vec<(u64, u32, u64)>,
    /// Mutation: every command has its effect twice.
    pub is_doubling: bool,
}

/// The number in the first eight bytes.
pub fn number(bytes: &[u8]) -> u64 {
    bytes.get(..8).and_then(|bytes| bytes.try_into().ok()).map_or(u64::MAX, u64::from_le_bytes)
}

impl StateMachine for Counter {
    fn apply(&mut self, position: Position, command: &Bytes) -> Bytes {
        for _ in 0..=u8::from(self.is_doubling) {
            self.applied.push((position.slot.0, position.index, number(command)));
        }
        Bytes::copy_from_slice(&(self.applied.len() as u64).to_le_bytes())
    }

    fn query(&self, _: &Bytes) -> Option<Bytes> {
        Some(Bytes::copy_from_slice(&(self.applied.len() as u64).to_le_bytes()))
    }
}
