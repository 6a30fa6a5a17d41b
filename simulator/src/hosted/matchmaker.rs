//! Actors of Matchmaker MultiPaxos.

use std::fmt::Debug;
use std::hash::Hash;

use matchmaker::message::{Message, ToProposer};
use matchmaker::node::Node;
use paxos::message::{FromAcceptor, FromSession, ToAcceptor, ToReplica, ToSession};
use paxos::round::Round;
use paxos::state_machine::StateMachine;

use super::{Hosted, Said, Talk, said};
use crate::workload::Observed;

impl<S: StateMachine + Clone + Debug + Eq + Hash> Hosted for Node<Observed<S>> {
    type Machine = S;

    fn observed(&self) -> Option<&Observed<S>> {
        match self {
            Self::Replica(replica) => Some(replica.machine()),
            _ => None,
        }
    }

    fn is_proposer(&self) -> bool {
        matches!(self, Self::Proposer(_))
    }

    fn leads_in(&self) -> Option<Round> {
        match self {
            Self::Proposer(proposer) => proposer.leader().leads_in(),
            _ => None,
        }
    }

    fn is_within_snapshot(&self) -> bool {
        match self {
            Self::Archive(archive) => archive.chunk_count() > 0,
            _ => false,
        }
    }

    fn doing(&self) -> Option<String> {
        match self {
            Self::Proposer(proposer) => Some(match proposer.leader().leads_in() {
                Some(round) => format!("leads in {round}"),
                None if proposer.leader().is_active() => "campaigns".into(),
                None => "follows".into(),
            }),
            Self::Replica(replica) => {
                Some(format!("executed all slots below {}", replica.executed_watermark()))
            }
            Self::Acceptor(_) | Self::Matchmaker(_) | Self::Archive(_) | Self::Session(_) => None,
        }
    }

    fn consensus(message: &Message) -> Option<&Message> {
        Some(message)
    }

    fn tells_of_compaction(message: &Message) -> bool {
        matches!(message, Message::Replica(ToReplica::SnapshotWanted(_)))
    }

    fn talk(message: &Message) -> Option<Talk> {
        match message {
            Message::Proposer(ToProposer::Session(FromSession::Request(_))) => Some(Talk::Request),
            Message::Proposer(ToProposer::Session(FromSession::ReadIndexA(_))) => {
                Some(Talk::Question)
            }
            Message::Session(ToSession::ReadIndexB(_)) => Some(Talk::Answer),
            _ => None,
        }
    }

    fn is_dull(message: &Message) -> bool {
        is_dull(message)
    }

    fn said(message: &Message) -> Said {
        said(message)
    }
}

/// Whether a message is one of the many that keep a quiet log alive.
pub(super) fn is_dull(message: &Message) -> bool {
    match message {
        Message::Acceptor(m) => matches!(m, ToAcceptor::ReadA(_) | ToAcceptor::ProbeA(_)),
        Message::Proposer(ToProposer::Acceptor(m)) => {
            matches!(m, FromAcceptor::ReadB(_) | FromAcceptor::ProbeB(_))
        }
        Message::Proposer(m) => {
            matches!(m, ToProposer::Heartbeat(_) | ToProposer::Session(FromSession::ReadIndexA(_)))
        }
        Message::Replica(m) => matches!(m, ToReplica::ChosenWatermark(_)),
        Message::Session(m) => matches!(m, ToSession::Leading(_)),
        Message::Matchmaker(_) | Message::Archive(_) | Message::Application(_) => false,
    }
}
