//! Who is there in the clusters of these tests, and how each begins.

use bpaxos::archive::Archive;
use bpaxos::column::Columns;
use bpaxos::dependency_node::{DependencyNode, DependencyOptions};
use bpaxos::node::Node;
use bpaxos::proposer::{Proposer, ProposerOptions};
use bpaxos::registry::Registry;
use bpaxos::replica::{Replica, Surroundings};
use bpaxos::session::{Session, SessionOptions};
use bpaxos::vertex::{Column, Vertex};
use matchmaker::leader::Deployment;
use matchmaker::message::{Epoch, Generation};
use paxos::acceptor::Acceptor;
use paxos::actor::{Incarnation, NodeId, Seat};
use paxos::configuration::Configuration;
use paxos::membership::Membership;
use paxos::quorum::QuorumSystem;
use paxos::slot::Slot;
use paxos::snapshot::SnapshotOptions;

use crate::machine::Lists;

pub(crate) const PROPOSERS: [NodeId; 3] = [node(1), node(2), node(3)];
/// One that joins later, with a column that begins at other matchmakers.
pub(crate) const NEWCOMER: NodeId = node(4);
pub(crate) const MATCHMAKERS: [NodeId; 3] = [node(11), node(12), node(13)];
pub(crate) const SPARE_MATCHMAKERS: [NodeId; 3] = [node(14), node(15), node(16)];
/// The acceptors of a new cluster.
pub(crate) const A: [NodeId; 3] = [node(21), node(22), node(23)];
pub(crate) const B: [NodeId; 3] = [node(31), node(32), node(33)];
pub(crate) const REPLICAS: [NodeId; 3] = [node(51), node(52), node(53)];
pub(crate) const ARCHIVES: [NodeId; 3] = [node(61), node(62), node(63)];
/// A replica that joins later, and its archive.
pub(crate) const NEW_REPLICA: [NodeId; 2] = [node(54), node(64)];
pub(crate) const SESSIONS: [NodeId; 3] = [node(71), node(72), node(73)];
pub(crate) const DEPENDENCY_NODES: [NodeId; 3] = [node(81), node(82), node(83)];
/// Dependency nodes that may serve later.
pub(crate) const SPARE_DEPENDENCY_NODES: [NodeId; 3] = [node(84), node(85), node(86)];
/// Applications and operators: no actors, but somewhere to send to.
pub(crate) const OUTSIDE: NodeId = node(91);

pub(crate) const fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

pub(crate) const fn vertex(proposer: NodeId, slot: u64) -> Vertex {
    Vertex { column: Column(proposer), slot: Slot(slot) }
}

/// What differs from test to test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) latest_max: usize,
    pub(crate) block: u64,
    pub(crate) batch_max: usize,
    /// Bytes of values that archives keep in memory below their snapshots.
    pub(crate) tail_bytes: usize,
    /// Uses of keys that dependency nodes remember.
    pub(crate) uses_max: usize,
    /// Whether nothing is remembered of the commands, so that nothing grows but what should not.
    pub(crate) is_forgetful: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            latest_max: 2,
            block: 4,
            batch_max: 1,
            tail_bytes: 0,
            uses_max: 16,
            is_forgetful: false,
        }
    }
}

/// Actors that stop and start together, by the seat of one of them.
pub(crate) fn process(node: NodeId) -> u32 {
    match node.seat.0 {
        seat @ 51..=79 => 50 + seat % 10,
        seat => seat,
    }
}

/// The actor at `node` as it is when it has never run.
pub(crate) fn fresh(node: NodeId, options: &Options) -> Node<Lists> {
    let members = |nodes: [NodeId; 3]| Generation { epoch: Epoch(0), members: nodes.into() };
    let Options { latest_max, block, batch_max, tail_bytes, uses_max, is_forgetful } = *options;
    let snapshots =
        SnapshotOptions { chunk_bytes: 16, window: 2, tail_bytes, ..SnapshotOptions::default() };
    match node.seat.0 / 10 {
        0 => {
            let options = ProposerOptions { block, batch_max, ..ProposerOptions::default() };
            let service = members(DEPENDENCY_NODES);
            Node::Proposer(Box::new(Proposer::new(node, deployment(node), service, options)))
        }
        1 => Node::Matchmaker(Box::new(Registry::new())),
        2 | 3 => Node::Acceptor(Columns::new(Acceptor::new())),
        5 => {
            let (archive, session) = (beside(node, 60), beside(node, 70));
            let surroundings = Surroundings { archive, session, proposers: PROPOSERS.into() };
            let machine = if is_forgetful { Lists::forgetful() } else { Lists::default() };
            Node::Replica(Box::new(Replica::new(surroundings, machine, snapshots)))
        }
        6 => Node::Archive(Box::new(Archive::new(beside(node, 50), snapshots))),
        7 => {
            let options = SessionOptions::default();
            Node::Session(Session::new(node, OUTSIDE, PROPOSERS.into(), options))
        }
        _ => {
            let latest_max = latest_max.try_into().expect("at least one");
            let options = DependencyOptions { latest_max, block, uses_max };
            let service = members(DEPENDENCY_NODES);
            let node = DependencyNode::new(node, service, options);
            Node::DependencyNode(Box::new(node))
        }
    }
}

/// The actor of the same process whose seats begin at `first`.
fn beside(other: NodeId, first: u32) -> NodeId {
    node(first + other.seat.0 % 10)
}

/// What every column begins with, as `proposer` knows. One that joins names the matchmakers of its time.
fn deployment(proposer: NodeId) -> Deployment {
    let is_new = proposer == NEWCOMER;
    let membership = Membership {
        proposers: PROPOSERS.into_iter().chain([NEWCOMER].into_iter().filter(|_| is_new)).collect(),
        sessions: SESSIONS.into(),
        replicas: REPLICAS.into(),
        archives: ARCHIVES.into(),
        ..Membership::default()
    };
    let initial = Configuration::new(1, QuorumSystem::Majority, A).expect("three members");
    Deployment {
        epoch: Epoch(u64::from(is_new)),
        matchmakers: if is_new { SPARE_MATCHMAKERS } else { MATCHMAKERS }.into(),
        initial: initial.with_membership(membership),
        first: Slot::ZERO,
    }
}
