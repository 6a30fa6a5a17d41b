//! Commands, and what fills a slot.

use std::fmt;

use crate::actor::NodeId;
use crate::wire::{self, BorrowDecode, Decode, Encode, Frame, Payload, WireError};

/// One life of one session actor. Commands of a life are numbered from zero without gaps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct SessionId {
    /// The session actor.
    pub node: NodeId,
    /// Counts the starts of the actor; durable before its first command leaves. A later life ends
    /// all earlier ones.
    pub life: u64,
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.node, self.life)
    }
}

/// Consecutive commands of one session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct Submission {
    /// Whose commands.
    pub session: SessionId,
    /// The number of the first command.
    pub first: u64,
    /// Replies to all commands below this number have reached the session and may be forgotten.
    pub acknowledged: u64,
    /// The commands, numbered from `first`.
    pub commands: Vec<Payload>,
}

impl Submission {
    /// The number after the last command.
    pub fn end(&self) -> u64 {
        self.first.saturating_add(self.commands.len() as u64)
    }

    /// Roughly how many bytes this takes in a batch.
    pub fn size_bytes(&self) -> usize {
        const OVERHEAD: usize = 48;
        OVERHEAD + self.commands.iter().map(|command| command.len() + 8).sum::<usize>()
    }
}

/// A [`Submission`] that is read from a batch: the commands are slices of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, BorrowDecode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Submitted<'a> {
    /// Whose commands.
    pub session: SessionId,
    /// The number of the first command.
    pub first: u64,
    /// Replies to all commands below this number have reached the session and may be forgotten.
    pub acknowledged: u64,
    /// The commands, numbered from `first`.
    pub commands: Vec<&'a [u8]>,
}

/// What fills a slot. Opaque to acceptors: only replicas look into a batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub enum Value {
    /// Fills a hole and does nothing.
    Noop,
    /// An encoded list of [`Submission`]s, or any bytes that a single-decree user decides on.
    Batch(Payload),
}

impl Value {
    /// The value that holds `submissions`. Encoded here, once; nobody encodes it again.
    pub fn batch(submissions: &Vec<Submission>) -> Self {
        let size_bytes = submissions.iter().map(Submission::size_bytes).sum::<usize>();
        Self::Batch(Payload(wire::encode_sized(submissions, size_bytes + size_of::<u64>())))
    }

    /// The submissions in the batch.
    ///
    /// *Errors*: the bytes are no batch. All replicas see the same bytes, so all agree on that.
    pub fn submissions(&self) -> Result<Vec<Submitted<'_>>, WireError> {
        match self {
            Self::Noop => Ok(Vec::new()),
            Self::Batch(payload) => wire::decode_borrowed(&payload.0),
        }
    }

    /// Size of the payload in bytes.
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Noop => 0,
            Self::Batch(payload) => payload.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::{Incarnation, Seat};

    #[test]
    fn a_batch_gives_back_its_submissions_without_copying() {
        let session = SessionId { node: NodeId::new(Seat(1), Incarnation(2)), life: 3 };
        let commands = vec![Payload::new(&b"abc"[..]), Payload::new(&b""[..])];
        let submissions = vec![Submission { session, first: 4, acknowledged: 4, commands }];
        let value = Value::batch(&submissions);
        let read = value.submissions().expect("just encoded");
        let commands = vec![&b"abc"[..], b""];
        assert_eq!(read, [Submitted { session, first: 4, acknowledged: 4, commands }]);
        let Value::Batch(payload) = &value else { panic!("a batch") };
        assert!(payload.0.as_ptr_range().contains(&read[0].commands[0].as_ptr()));
    }

    #[test]
    fn bytes_that_are_no_batch_are_refused() {
        assert!(
            Value::Batch(Payload::new(&b"\xff\xff\xff\xff\xff\xff\xff\xff"[..]))
                .submissions()
                .is_err()
        );
        assert_eq!(Value::Noop.submissions(), Ok(Vec::new()));
    }
}
