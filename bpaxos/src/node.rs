//! A node: any one role of a cluster, as an actor. Routing and nothing else.

mod conversions;

use std::fmt::Debug;
use std::hash::Hash;

use matchmaker::matchmaker::MatchmakerRecord;
use matchmaker::message::{Generation, Message as ColumnMessage, ToApplication as ToOperator};
use paxos::acceptor::{Acceptor, AcceptorRecord};
use paxos::actor::{Actor, Effects, EffectsOf, NodeId, OwnEffects, RestoreError};
use paxos::archive::{ArchiveRecord as ColumnRecord, ArchiveTimer};
use paxos::message::{ToArchive as ToColumnArchive, ToSession as ToColumnSession};
use paxos::session::SessionRecord;
use paxos::snapshot::Chunk;
use paxos::state_machine::{Conflicts, StateMachine};
use paxos::wire::{Decode, Encode, Frame};

use crate::archive::{Archive, ArchiveRecord};
use crate::column::{Columns, InColumn, nest_in};
use crate::dependency_node::{DependencyNode, DependencyRecord};
use crate::message::Message;
use crate::proposer::{Proposer, ProposerRecord, ProposerTimer};
use crate::registry::{Registry, RegistryRecord};
use crate::replica::{Replica, ReplicaTimer};
use crate::session::{Session, SessionTimer};
use crate::vertex::Column;

/// One role of a cluster, with `S` as the replicated state machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Node<S> {
    Acceptor(Columns<Acceptor>),
    Matchmaker(Box<Registry>),
    DependencyNode(Box<DependencyNode>),
    Proposer(Box<Proposer<S>>),
    Replica(Box<Replica<S>>),
    Archive(Box<Archive>),
    Session(Session),
}

/// A timer of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum NodeTimer {
    Proposer(ProposerTimer),
    Replica(ReplicaTimer),
    Archive(Column, ArchiveTimer),
    Session(SessionTimer),
}

/// A durable fact of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
#[allow(missing_docs)]
pub enum NodeRecord {
    Acceptor(InColumn<AcceptorRecord>),
    Matchmaker(InColumn<MatchmakerRecord>),
    DependencyNode(DependencyRecord),
    Proposer(ProposerRecord),
    Archive(InColumn<ColumnRecord>),
    Session(SessionRecord),
    Snapshot(Chunk),
    Opened(InColumn<Generation>),
}

type Fx = Effects<Message, NodeTimer, NodeRecord>;

impl<S: StateMachine + Conflicts> Node<S> {
    fn misrouted(from: NodeId, message: &Message, fx: &mut Fx) {
        fx.violation("routing", format!("{from} sent a message for another role: {message:?}"));
    }

    /// Takes a message of the log of one column.
    fn on_column(&mut self, column: Column, from: NodeId, message: ColumnMessage, fx: &mut Fx) {
        match (self, message) {
            (Self::Acceptor(acceptors), ColumnMessage::Acceptor(m)) => {
                if let Some(acceptor) = acceptors.of(column) {
                    nest_in(column, fx, |fx: &mut OwnEffects<Acceptor>| {
                        acceptor.on_message(from, m, fx);
                    });
                }
            }
            (Self::Matchmaker(registry), ColumnMessage::Matchmaker(m)) => {
                fx.lend(|fx| registry.on_column(column, from, m, fx));
            }
            (Self::Archive(archive), ColumnMessage::Archive(m)) => {
                fx.lend(|fx| archive.on_column(column, from, m, fx));
            }
            (Self::Proposer(proposer), ColumnMessage::Proposer(m)) => {
                fx.lend(|fx| proposer.on_column(column, from, m, fx));
            }
            (Self::Proposer(proposer), ColumnMessage::Application(ToOperator::HandoverB(m))) => {
                fx.lend(|fx| proposer.on_progress(column, from, *m, fx));
            }
            (Self::Session(session), ColumnMessage::Session(ToColumnSession::Leading(_))) => {
                session.on_leading(from);
            }
            // A leader serves missing values as an archive does.
            (Self::Proposer(proposer), ColumnMessage::Archive(ToColumnArchive::FetchA(m))) => {
                fx.lend(|fx| proposer.on_column(column, from, m.into(), fx));
            }
            (Self::Replica(replica), ColumnMessage::Replica(m)) => {
                fx.lend(|fx| replica.on_column(column, from, m, fx));
            }
            (_, inner) => {
                Self::misrouted(from, &Message::Column(InColumn { column, inner }), fx);
            }
        }
    }
}

impl<S: StateMachine + Conflicts + Clone + Debug + Eq + Hash> Actor for Node<S> {
    type Message = Message;
    type Timer = NodeTimer;
    type Record = NodeRecord;

    fn restore(&mut self, record: NodeRecord) {
        match (self, record) {
            (Self::Acceptor(acceptors), NodeRecord::Acceptor(record)) => {
                if let Some(acceptor) = acceptors.of(record.column) {
                    acceptor.restore(record.inner);
                }
            }
            (Self::Matchmaker(registry), NodeRecord::Matchmaker(record)) => {
                registry.restore(RegistryRecord::Column(record));
            }
            (Self::Matchmaker(registry), NodeRecord::Opened(record)) => {
                registry.restore(RegistryRecord::Opened(record));
            }
            (Self::Archive(archive), NodeRecord::Archive(record)) => {
                archive.restore(ArchiveRecord::Column(record));
            }
            (Self::Archive(archive), NodeRecord::Snapshot(chunk)) => {
                archive.restore(ArchiveRecord::Chunk(chunk));
            }
            (Self::DependencyNode(node), NodeRecord::DependencyNode(record)) => {
                node.restore(record);
            }
            (Self::Proposer(proposer), NodeRecord::Proposer(record)) => proposer.restore(record),
            (Self::Session(session), NodeRecord::Session(record)) => session.restore(record),
            (node, record) => panic!("the record {record:?} belongs to another role than {node:?}"),
        }
    }

    fn check_restored(&self) -> Result<(), RestoreError> {
        match self {
            Self::Archive(archive) => archive.check_restored(),
            Self::Acceptor(_)
            | Self::Matchmaker(_)
            | Self::DependencyNode(_)
            | Self::Proposer(_)
            | Self::Replica(_)
            | Self::Session(_) => Ok(()),
        }
    }

    fn may_wait(record: &NodeRecord) -> bool {
        let NodeRecord::Archive(record) = record else { return false };
        matches!(record.inner, ColumnRecord::Value { .. })
    }

    fn on_start(&mut self, fx: &mut EffectsOf<Self>) {
        match self {
            Self::Acceptor(_) | Self::Matchmaker(_) => {}
            Self::DependencyNode(node) => node.on_start(),
            Self::Archive(archive) => archive.on_start(),
            Self::Proposer(proposer) => fx.lend(|fx| proposer.on_start(fx)),
            Self::Replica(replica) => fx.lend(|fx| replica.on_start(fx)),
            Self::Session(session) => fx.lend(|fx| session.on_start(fx)),
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, fx: &mut EffectsOf<Self>) {
        match (self, message) {
            (node, Message::Column(InColumn { column, inner })) => {
                node.on_column(column, from, inner, fx);
            }
            (Self::DependencyNode(node), Message::DependencyNode(m)) => {
                fx.lend(|fx| node.on_message(from, m, fx));
            }
            (Self::Proposer(proposer), Message::Proposer(m)) => {
                fx.lend(|fx| proposer.on_message(from, m, fx));
            }
            (Self::Matchmaker(registry), Message::Registry(m)) => {
                fx.lend(|fx| registry.on_message(from, m, fx));
            }
            (Self::Replica(replica), Message::Replica(m)) => {
                fx.lend(|fx| replica.on_message(from, m, fx));
            }
            (Self::Archive(archive), Message::Archive(m)) => {
                fx.lend(|fx| archive.on_message(from, m, fx));
            }
            (Self::Session(session), Message::Session(m)) => {
                fx.lend(|fx| session.on_message(m, fx));
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
                fx.lend(|fx| replica.on_timer(timer, fx));
            }
            (Self::Archive(archive), NodeTimer::Archive(column, timer)) => {
                fx.lend(|fx| archive.on_timer(InColumn { column, inner: timer }, fx));
            }
            (Self::Session(session), NodeTimer::Session(timer)) => {
                fx.lend(|fx| session.on_timer(timer, fx));
            }
            (node, timer) => panic!("the timer {timer:?} belongs to another role than {node:?}"),
        }
    }

    fn on_turn_end(&mut self, fx: &mut EffectsOf<Self>) {
        match self {
            Self::Acceptor(_)
            | Self::Matchmaker(_)
            | Self::DependencyNode(_)
            | Self::Replica(_)
            | Self::Archive(_)
            | Self::Session(_) => {}
            Self::Proposer(proposer) => fx.lend(|fx| proposer.on_turn_end(fx)),
        }
    }

    fn on_compaction(&mut self, fx: &mut EffectsOf<Self>) {
        if let Self::Archive(archive) = self {
            fx.lend(|fx| archive.on_compaction(fx));
        }
    }

    fn is_compact(&self) -> bool {
        match self {
            Self::Archive(archive) => archive.is_compact(),
            Self::Acceptor(_)
            | Self::Matchmaker(_)
            | Self::DependencyNode(_)
            | Self::Proposer(_)
            | Self::Replica(_)
            | Self::Session(_) => true,
        }
    }

    fn checkpoint(&self) -> Vec<NodeRecord> {
        match self {
            Self::Acceptor(roles) => in_columns(roles, Acceptor::checkpoint),
            Self::Matchmaker(registry) => wrap(registry.checkpoint()),
            Self::DependencyNode(node) => wrap(node.checkpoint()),
            Self::Proposer(proposer) => wrap(proposer.checkpoint()),
            Self::Session(session) => wrap(session.checkpoint()),
            // A snapshot follows.
            Self::Archive(_) => Vec::new(),
            Self::Replica(_) => Vec::new(),
        }
    }
}

fn wrap<R>(records: Vec<R>) -> Vec<NodeRecord>
where
    NodeRecord: From<R>,
{
    records.into_iter().map(NodeRecord::from).collect()
}

/// What `checkpoint` says of each column.
fn in_columns<T: Clone, R>(roles: &Columns<T>, checkpoint: impl Fn(&T) -> Vec<R>) -> Vec<NodeRecord>
where
    NodeRecord: From<InColumn<R>>,
{
    let records = roles.iter().flat_map(|(column, role)| {
        checkpoint(role).into_iter().map(move |inner| InColumn { column, inner })
    });
    wrap(records.collect())
}
