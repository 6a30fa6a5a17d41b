//! Actors of BPaxos.

use std::fmt::Debug;
use std::hash::Hash;

use bpaxos::message::{Message, ToProposer, ToReplica};
use bpaxos::node::Node;
use matchmaker::message::Message as ConsensusMessage;
use paxos::round::Round;
use paxos::state_machine::{Conflicts, StateMachine};

use super::{Hosted, Said, Talk, matchmaker::is_dull, said};
use crate::workload::Observed;

impl<S: StateMachine + Conflicts + Clone + Debug + Eq + Hash> Hosted for Node<Observed<S>> {
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
            Self::Proposer(proposer) => proposer.leader(proposer.column())?.leads_in(),
            _ => None,
        }
    }

    fn is_within_snapshot(&self) -> bool {
        match self {
            Self::Archive(archive) => archive.is_within_snapshot(),
            _ => false,
        }
    }

    fn doing(&self) -> Option<String> {
        match self {
            Self::Proposer(proposer) => Some(match self.leads_in() {
                Some(round) => format!("leads {:?} in {round}", proposer.column()),
                None => format!("does not lead {:?}", proposer.column()),
            }),
            Self::Replica(replica) => Some(format!(
                "executed {:?}, {} vertices wait",
                replica.executed(),
                replica.waiting_count()
            )),
            Self::Acceptor(_)
            | Self::Matchmaker(_)
            | Self::DependencyNode(_)
            | Self::Archive(_)
            | Self::Session(_) => None,
        }
    }

    fn consensus(message: &Message) -> Option<&ConsensusMessage> {
        match message {
            Message::Column(m) => Some(&m.inner),
            _ => None,
        }
    }

    fn tells_of_compaction(message: &Message) -> bool {
        matches!(message, Message::Replica(ToReplica::SnapshotWanted(_)))
    }

    fn talk(message: &Message) -> Option<Talk> {
        match message {
            Message::Proposer(ToProposer::Request(_)) => Some(Talk::Request),
            _ => None,
        }
    }

    fn is_dull(message: &Message) -> bool {
        Self::consensus(message).is_some_and(is_dull)
    }

    fn said(message: &Message) -> Said {
        let Message::Column(m) = message else { return said(message) };
        let Said { kind, text } = said(&m.inner);
        Said { kind, text: format!("{:?} {text}", m.column) }
    }
}
