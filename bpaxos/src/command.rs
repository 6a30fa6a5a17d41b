//! Commands, and what a vertex holds.

use paxos::command::{SessionId, Value};
use paxos::state_machine::{Conflicts, Footprint};
use paxos::wire::{self, Decode, Encode, Frame, Payload, WireError};

use crate::vertex::VertexSet;

/// A command, and who wants it executed once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub struct Command {
    /// Whose command.
    pub session: SessionId,
    /// Tells it from others of the session. The same in every retry.
    pub number: u64,
    /// Replies to all commands below this number have reached the session and may be forgotten.
    pub acknowledged: u64,
    /// For the state machine.
    pub payload: Payload,
}

impl Command {
    /// Roughly how many bytes this takes in a proposal.
    pub fn size_bytes(&self) -> usize {
        const OVERHEAD: usize = 48;
        OVERHEAD + self.payload.len()
    }
}

/// What a vertex holds beside what it depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub enum Content {
    /// The commands of one turn of the proposer.
    Commands(Vec<Command>),
    /// A place where every replica can take the same snapshot: it conflicts with everything.
    Snapshot,
}

impl Content {
    /// What it reads and writes, if the commands are for `S`.
    pub fn footprint<S: Conflicts>(&self) -> Footprint {
        match self {
            Self::Commands(commands) => {
                let mut footprint = Footprint::empty();
                commands.iter().for_each(|command| {
                    footprint.join(S::footprint(&command.payload.0));
                });
                footprint
            }
            Self::Snapshot => Footprint::Everything,
        }
    }
}

/// What a vertex holds if it holds anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub struct Proposal {
    /// What is executed there.
    pub content: Content,
    /// What the dependency service has computed: vertices that may have to be executed before.
    pub dependencies: VertexSet,
}

impl Proposal {
    /// Its commands.
    pub fn commands(&self) -> &[Command] {
        match &self.content {
            Content::Commands(commands) => commands,
            Content::Snapshot => &[],
        }
    }

    /// The value of the log of a column that holds this. Encoded here, once.
    pub fn to_value(&self) -> Value {
        Value::Batch(Payload(wire::encode(self)))
    }

    /// What `value` holds; nothing if it is a noop.
    ///
    /// *Errors*: the bytes are no proposal.
    pub fn of_value(value: &Value) -> Result<Option<Self>, WireError> {
        match value {
            Value::Noop => Ok(None),
            Value::Batch(bytes) => wire::decode(&bytes.0).map(Some),
        }
    }
}
