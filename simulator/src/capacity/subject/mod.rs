//! The two protocols: their actors, and what clients say to them.

mod bpaxos;
mod matchmaker;

use std::fmt::{self, Debug, Write};

use paxos::actor::{Actor, NodeId};
use paxos::command::SessionId;
use paxos::wire::{Decode, Encode, Frame, Payload};

use super::cluster::{Cluster, Seated, Size};

pub use bpaxos::Bpaxos;
pub use matchmaker::Matchmaker;

/// A command of a client.
#[derive(Clone, Debug)]
pub struct Submitted {
    pub(super) session: SessionId,
    pub(super) number: u64,
    /// All below are answered.
    pub(super) acknowledged: u64,
    /// How often its client has started over.
    pub(super) attempt: u64,
    pub(super) payload: Payload,
}

/// What a message says to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The sender takes commands.
    Leading,
    /// So many commands were executed, from this number on.
    Executed(u64, u64),
    /// Nothing that it cares about.
    Else,
}

/// A protocol whose actors are measured.
pub trait Subject {
    /// They.
    type Actor: Actor<Message: Encode + Decode<Frame>>;

    /// What tables call it.
    const NAME: &'static str;

    /// The cluster of that size.
    fn cluster(size: Size, batch_max: usize) -> Cluster;

    /// The actor of a seat. It remembers nothing.
    fn actor(cluster: &Cluster, seated: &Seated) -> Self::Actor;

    /// How many proposers take commands at the same time.
    fn leader_count(cluster: &Cluster) -> usize;

    /// A command for a proposer.
    fn request(command: Submitted) -> <Self::Actor as Actor>::Message;

    /// What a client takes from a message.
    fn heard(message: &<Self::Actor as Actor>::Message) -> Heard;

    /// What a message is, without what it says.
    fn kind(message: &<Self::Actor as Actor>::Message) -> Kind;

    /// What an operator says who wants these acceptors; nothing if there is no such thing here.
    fn reconfigure(token: u64, members: &[NodeId]) -> Option<<Self::Actor as Actor>::Message>;

    /// What an operator says who wants another leader.
    fn transfer(to: NodeId) -> Option<<Self::Actor as Actor>::Message>;
}

/// The name of a message: that of its struct, as it is printed. Found without printing what is in it.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    bytes: [u8; Self::ROOM],
    range: (usize, usize),
}

impl Kind {
    /// Bytes that the names of enums and struct take at most.
    const ROOM: usize = 64;

    fn of(message: &impl Debug) -> Self {
        let mut kind = Self { bytes: [0; Self::ROOM], range: (0, 0) };
        // It fails when there is no more room: all that is needed is at the beginning.
        let _ = write!(kind, "{message:?}");
        let text = &kind.bytes[..kind.range.1];
        let end = text.iter().position(|byte| matches!(byte, b' ' | b'{' | b')' | b','));
        let end = end.unwrap_or(text.len());
        let start = text[..end].iter().rposition(|byte| *byte == b'(').map_or(0, |at| at + 1);
        kind.range = (start, end);
        kind
    }

    /// The name.
    pub(super) fn name(&self) -> &str {
        str::from_utf8(&self.bytes[self.range.0..self.range.1]).unwrap_or_default()
    }
}

impl Write for Kind {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let (at, room) = (self.range.1, Self::ROOM - self.range.1);
        let part = &text.as_bytes()[..text.len().min(room)];
        self.bytes[at..at + part.len()].copy_from_slice(part);
        self.range.1 += part.len();
        if part.len() < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use ::matchmaker::message::{Message, ToProposer};
    use paxos::message::{FromAcceptor, Nack, ProbeA, ToAcceptor};
    use paxos::round::Round;

    use super::*;

    #[test]
    fn a_message_is_named_by_its_struct() {
        let message = Message::Acceptor(ToAcceptor::ProbeA(ProbeA { nonce: 3 }));
        assert_eq!(Kind::of(&message).name(), "ProbeA");
        let nack = Nack { round: Round::ZERO, promised: Round::ZERO };
        let message = Message::Proposer(ToProposer::Acceptor(FromAcceptor::Nack(nack)));
        assert_eq!(Kind::of(&message).name(), "Nack");
        assert_eq!(Kind::of(&Some(Some(7))).name(), "7");
    }
}
