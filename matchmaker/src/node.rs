//! A node: any one role of a cluster, as an actor. Routing and nothing else.

mod conversions;

use std::fmt::Debug;
use std::hash::Hash;

use paxos::acceptor::{Acceptor, AcceptorRecord};
use paxos::actor::{Actor, Effects, EffectsOf, NodeId, RestoreError};
use paxos::archive::{Archive, ArchiveRecord, ArchiveTimer};
use paxos::message::ToArchive;
use paxos::replica::{Replica, ReplicaTimer};
use paxos::session::{Session, SessionRecord, SessionTimer};
use paxos::state_machine::StateMachine;
use paxos::wire::{Decode, Encode, Frame};

use crate::leader::LeaderRecord;
use crate::matchmaker::{Matchmaker, MatchmakerRecord};
use crate::message::{Message, ToProposer};
use crate::proposer::{Proposer, ProposerTimer};
use crate::reconfigurer::ReconfigurerRecord;

/// One role of a cluster, with `S` as the replicated state machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Node<S> {
    Acceptor(Acceptor),
    Matchmaker(Box<Matchmaker>),
    Proposer(Box<Proposer>),
    Replica(Box<Replica<S>>),
    Archive(Archive),
    Session(Box<Session>),
}

/// A timer of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum NodeTimer {
    Proposer(ProposerTimer),
    Replica(ReplicaTimer),
    Archive(ArchiveTimer),
    Session(SessionTimer),
}

/// A durable fact of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum NodeRecord {
    Acceptor(AcceptorRecord),
    Matchmaker(MatchmakerRecord),
    Proposer(LeaderRecord),
    Archive(ArchiveRecord),
    Session(SessionRecord),
    /// Of the driver of handovers beside a proposer.
    Reconfigurer(ReconfigurerRecord),
}

type Fx = Effects<Message, NodeTimer, NodeRecord>;

impl<S: StateMachine> Node<S> {
    fn misrouted(from: NodeId, message: &Message, fx: &mut Fx) {
        fx.violation("routing", format!("{from} sent a message for another role: {message:?}"));
    }
}

impl<S: StateMachine + Clone + Debug + Eq + Hash> Actor for Node<S> {
    type Message = Message;
    type Timer = NodeTimer;
    type Record = NodeRecord;

    fn restore(&mut self, record: NodeRecord) {
        match (self, record) {
            (Self::Acceptor(acceptor), NodeRecord::Acceptor(record)) => acceptor.restore(record),
            (Self::Matchmaker(matchmaker), NodeRecord::Matchmaker(record)) => {
                matchmaker.restore(record);
            }
            (Self::Proposer(proposer), NodeRecord::Proposer(record)) => {
                proposer.restore(record.into());
            }
            (Self::Proposer(proposer), NodeRecord::Reconfigurer(record)) => {
                proposer.restore(record.into());
            }
            (Self::Archive(archive), NodeRecord::Archive(record)) => archive.restore(record),
            (Self::Session(session), NodeRecord::Session(record)) => session.restore(record),
            (node, record) => panic!("the record {record:?} belongs to another role than {node:?}"),
        }
    }

    fn check_restored(&self) -> Result<(), RestoreError> {
        match self {
            Self::Archive(archive) => archive.check_restored(),
            Self::Acceptor(_)
            | Self::Matchmaker(_)
            | Self::Proposer(_)
            | Self::Replica(_)
            | Self::Session(_) => Ok(()),
        }
    }

    fn may_wait(record: &NodeRecord) -> bool {
        matches!(record, NodeRecord::Archive(ArchiveRecord::Value { .. }))
    }

    fn on_start(&mut self, fx: &mut EffectsOf<Self>) {
        match self {
            Self::Acceptor(_) | Self::Matchmaker(_) => {}
            Self::Archive(archive) => archive.on_start(),
            Self::Proposer(proposer) => fx.lend(|fx| proposer.on_start(fx)),
            Self::Replica(replica) => fx.nest(|fx| replica.on_start(fx)),
            Self::Session(session) => session.on_start(fx),
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, fx: &mut EffectsOf<Self>) {
        match (self, message) {
            (Self::Acceptor(acceptor), Message::Acceptor(m)) => {
                acceptor.on_message(from, m, fx);
            }
            (Self::Matchmaker(matchmaker), Message::Matchmaker(m)) => {
                fx.nest(|fx| matchmaker.on_message(from, m, fx));
            }
            (Self::Proposer(proposer), Message::Proposer(m)) => {
                fx.lend(|fx| proposer.on_message(from, m, fx));
            }
            (Self::Replica(replica), Message::Replica(m)) => {
                replica.on_message(from, m, fx);
            }
            // A leader serves missing values as an archive does.
            (Self::Proposer(proposer), Message::Archive(ToArchive::FetchA(m))) => {
                fx.lend(|fx| proposer.on_message(from, ToProposer::FetchA(m), fx));
            }
            (Self::Archive(archive), Message::Archive(m)) => {
                archive.on_message(from, m, fx);
            }
            (Self::Session(session), Message::Session(m)) => {
                session.on_message(from, m, fx);
            }
            (_, message) => Self::misrouted(from, &message, fx),
        }
    }

    fn on_timer(&mut self, timer: NodeTimer, fx: &mut EffectsOf<Self>) {
        match (self, timer) {
            (Self::Proposer(proposer), NodeTimer::Proposer(timer)) => {
                fx.lend(|fx| proposer.on_timer(timer, fx));
            }
            (Self::Replica(replica), NodeTimer::Replica(timer)) => {
                fx.nest(|fx| replica.on_timer(timer, fx));
            }
            (Self::Archive(archive), NodeTimer::Archive(timer)) => {
                archive.on_timer(timer, fx);
            }
            (Self::Session(session), NodeTimer::Session(timer)) => {
                session.on_timer(timer, fx);
            }
            (node, timer) => panic!("the timer {timer:?} belongs to another role than {node:?}"),
        }
    }

    fn on_turn_end(&mut self, fx: &mut EffectsOf<Self>) {
        match self {
            Self::Acceptor(_) | Self::Matchmaker(_) | Self::Replica(_) | Self::Archive(_) => {}
            Self::Proposer(proposer) => fx.lend(|fx| proposer.on_turn_end(fx)),
            Self::Session(session) => session.on_turn_end(fx),
        }
    }

    fn on_compaction(&mut self, fx: &mut EffectsOf<Self>) {
        match self {
            Self::Archive(archive) => archive.on_compaction(fx),
            Self::Acceptor(_)
            | Self::Matchmaker(_)
            | Self::Proposer(_)
            | Self::Replica(_)
            | Self::Session(_) => {}
        }
    }

    fn is_compact(&self) -> bool {
        match self {
            Self::Archive(archive) => archive.is_compact(),
            Self::Acceptor(_)
            | Self::Matchmaker(_)
            | Self::Proposer(_)
            | Self::Replica(_)
            | Self::Session(_) => true,
        }
    }

    fn checkpoint(&self) -> Vec<NodeRecord> {
        fn wrap<R, F: Fn(R) -> NodeRecord>(records: Vec<R>, wrapper: F) -> Vec<NodeRecord> {
            records.into_iter().map(wrapper).collect()
        }
        match self {
            Self::Acceptor(acceptor) => wrap(acceptor.checkpoint(), NodeRecord::Acceptor),
            Self::Matchmaker(matchmaker) => wrap(matchmaker.checkpoint(), NodeRecord::Matchmaker),
            Self::Proposer(proposer) => wrap(proposer.checkpoint(), NodeRecord::from),
            Self::Replica(_) => Vec::new(),
            Self::Archive(archive) => wrap(archive.checkpoint(), NodeRecord::Archive),
            Self::Session(session) => wrap(session.checkpoint(), NodeRecord::Session),
        }
    }
}
