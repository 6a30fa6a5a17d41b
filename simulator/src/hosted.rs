//! What a world knows of an actor, whichever protocol it belongs to.

mod bpaxos;
mod matchmaker;

use std::fmt::Debug;

use ::matchmaker::message::Message as ConsensusMessage;
use paxos::actor::Actor;
use paxos::round::Round;
use paxos::state_machine::StateMachine;
use paxos::wire::{Decode, Encode, Frame};

use crate::workload::Observed;

/// What a session and whoever serves it say to each other, as far as faults wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// A session hands commands over.
    Request,
    /// A session asks something.
    Question,
    /// It gets an answer to that.
    Answer,
}

/// What a reader is told of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The name of the message.
    pub kind: String,
    /// All that it says.
    pub text: String,
}

/// An actor that a world can host.
pub trait Hosted:
    Actor<Message: Encode + Decode<Frame>, Record: Encode + Decode<Frame>> + Clone + Debug + Eq
{
    /// What replicas run.
    type Machine: StateMachine + Clone + Debug + Eq;

    /// The machine, if this is a replica.
    fn observed(&self) -> Option<&Observed<Self::Machine>>;

    /// Whether this is a proposer.
    fn is_proposer(&self) -> bool;

    /// The round that it leads in, if it is a proposer and does: in its own log, if there are several.
    fn leads_in(&self) -> Option<Round>;

    /// Whether it is an archive that has begun to write a snapshot down.
    fn is_within_snapshot(&self) -> bool;

    /// What it does, in words, beside its durable facts.
    fn doing(&self) -> Option<String>;

    /// What a message says about the choice of values for a log, if it is about that.
    fn consensus(message: &Self::Message) -> Option<&ConsensusMessage>;

    /// Whether a message says that the log of the process is being compacted.
    fn tells_of_compaction(message: &Self::Message) -> bool;

    /// What a message is between a session and a proposer.
    fn talk(message: &Self::Message) -> Option<Talk>;

    /// Whether a message is one of the many that keep a quiet cluster alive.
    fn is_dull(message: &Self::Message) -> bool;

    /// A message for a reader.
    fn said(message: &Self::Message) -> Said;
}

/// The kind of a message and its content, without the names of the receivers around them.
pub(crate) fn said(message: &impl Debug) -> Said {
    let text = format!("{message:?}");
    let mut inner = text.as_str();
    while let Some((_, rest)) = inner.split_once('(')
        && inner.find('(') < inner.find([' ', '{'])
    {
        inner = rest;
    }
    let kind: String = inner.chars().take_while(|c| c.is_alphanumeric()).collect();
    Said { kind, text: inner.trim_end_matches(')').to_owned() }
}

#[cfg(test)]
mod tests {
    use ::matchmaker::message::ToProposer;
    use paxos::message::{FromAcceptor, Nack, ProbeA, ToAcceptor};

    use super::*;

    #[test]
    fn a_message_is_named_by_what_it_says() {
        let message = ConsensusMessage::Acceptor(ToAcceptor::ProbeA(ProbeA { nonce: 3 }));
        let Said { kind, text } = said(&message);
        assert_eq!((kind.as_str(), text.as_str()), ("ProbeA", "ProbeA { nonce: 3 }"));
        let nack = Nack { round: Round::ZERO, promised: Round::ZERO };
        let message = ConsensusMessage::Proposer(ToProposer::Acceptor(FromAcceptor::Nack(nack)));
        assert_eq!(said(&message).kind, "Nack");
    }
}
