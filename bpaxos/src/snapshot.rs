//! Snapshots: what a replica knows when it has executed a vertex for snapshots, cut into chunks.
//!
//! ```text
//!   chunk 0               which vertices are executed, and the rank of the last component
//!   chunk 1, 2, ...       sessions: which of their commands are executed, and replies
//!   then                  the application, as it cuts itself (`StateMachine::next_chunk`)
//!   the last one          is marked as such, and empty
//! ```
//!
//! *Why it is the same everywhere*: a vertex for snapshots conflicts with every vertex that holds
//! anything. So of each of those it is fixed by consensus whether it is executed before, in the same
//! component, or after; and a snapshot is taken when the whole component is executed. Two replicas may
//! differ in the vertices that hold nothing and that they know of, and in replies that their sessions
//! have.

use paxos::command::SessionId;
use paxos::wire::{Decode, Encode, Frame, Payload};

use crate::vertex::{SlotSet, VertexSet};

/// What a chunk holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub enum Part {
    /// The first chunk.
    Header(Header),
    /// Sessions, or the rest of one that began in the chunk before.
    Sessions(Vec<SessionPart>),
    /// What the application made.
    Machine(Payload),
}

/// What a snapshot is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Header {
    /// The vertices that are executed. Replicas and archives need take no notice of them any more.
    pub executed: VertexSet,
    /// Of the component that the snapshot follows; no executed vertex has a higher one.
    pub rank: u64,
}

/// A piece of what is known of sessions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub enum SessionPart {
    /// A life of a session begins.
    Session {
        /// Whose.
        session: SessionId,
        /// The numbers of its commands that are executed.
        executed: SlotSet,
    },
    /// The reply to one of its commands begins.
    Reply {
        /// The number of the command.
        number: u64,
        /// The beginning of the reply.
        reply: Payload,
    },
    /// The reply goes on.
    ReplyPart(Payload),
}

impl SessionPart {
    /// About as many bytes as its encoding has.
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Session { executed, .. } => 40 + 9 * executed.rest_count(),
            Self::Reply { reply, .. } | Self::ReplyPart(reply) => reply.len() + 16,
        }
    }
}
