//! The application of the models: one register.

use bytes::Bytes;
use paxos::state_machine::{ForeignChunk, Position, StateMachine};

/// A register. Writing to it answers what it held before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Register {
    value: Bytes,
    frozen: Option<Bytes>,
}

impl StateMachine for Register {
    fn apply(&mut self, _position: Position, command: &[u8]) -> Bytes {
        std::mem::replace(&mut self.value, Bytes::copy_from_slice(command))
    }

    fn query(&self, _query: &[u8]) -> Option<Bytes> {
        Some(self.value.clone())
    }

    fn empty(&self) -> Self {
        Self::default()
    }

    fn start_snapshot(&mut self) {
        self.frozen = Some(self.value.clone());
    }

    fn next_chunk(&mut self, _bytes_max: usize) -> Option<Bytes> {
        self.frozen.take()
    }

    fn stop_snapshot(&mut self) {
        self.frozen = None;
    }

    fn install_chunk(&mut self, chunk: &Bytes) -> Result<(), ForeignChunk> {
        self.value = chunk.clone();
        Ok(())
    }
}
