//! A state machine under observation: what it applied, in which order.

use bytes::Bytes;
use paxos::slot::Slot;
use paxos::state_machine::{Position, StateMachine};

/// A command that was applied: where it stood, and the token of its call.
pub type Applied = (Slot, u32, u64);

/// Bytes of the token before each command.
const TOKEN_BYTES: usize = 8;

/// Runs `S`, and remembers which command it applied where. Commands carry the token of their call in
/// front.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observed<S> {
    machine: S,
    /// Every command, in order.
    pub applied: Vec<Applied>,
    /// Mutation: every command has its effect twice.
    pub is_doubling: bool,
}

impl<S> Observed<S> {
    /// A machine that has applied nothing.
    pub fn new(machine: S) -> Self {
        Self { machine, applied: Vec::new(), is_doubling: false }
    }

    /// The machine itself.
    pub fn machine(&self) -> &S {
        &self.machine
    }

    /// The command or query `bytes` of the call `token`.
    pub fn frame(token: u64, bytes: &Bytes) -> Bytes {
        [&token.to_le_bytes()[..], bytes].concat().into()
    }

    fn split(framed: &Bytes) -> (u64, Bytes) {
        match framed.split_at_checked(TOKEN_BYTES) {
            Some((token, _)) => {
                (token.try_into().map_or(0, u64::from_le_bytes), framed.slice(TOKEN_BYTES..))
            }
            None => (0, Bytes::new()),
        }
    }
}

impl<S: StateMachine> StateMachine for Observed<S> {
    fn apply(&mut self, position: Position, command: &Bytes) -> Bytes {
        let (token, command) = Self::split(command);
        let mut reply = Bytes::new();
        for _ in 0..=u8::from(self.is_doubling) {
            self.applied.push((position.slot, position.index, token));
            reply = self.machine.apply(position, &command);
        }
        reply
    }

    fn query(&self, query: &Bytes) -> Option<Bytes> {
        self.machine.query(&Self::split(query).1)
    }
}
