//! Whatever BPaxos adds to what must be durable before which message (D1).

use bpaxos::dependency_node::DependencyRecord;
use bpaxos::message::{FromDependencyNode, Message, ToDependencyNode, ToProposer};
use bpaxos::node::NodeRecord;
use bpaxos::proposer::ProposerRecord;
use bpaxos::vertex::{Column, VertexSet};
use matchmaker::message::Epoch;
use paxos::actor::NodeId;
use paxos::slot::Slot;

use super::{Judge, Verdict};
use crate::properties::{fail, ledger::PROPERTY};

/// What a node has durably said of itself.
#[derive(Debug, Default)]
pub(super) struct Durable {
    /// Exclusive, by column: what a dependency node may have received in its epoch.
    received: std::collections::BTreeMap<Column, Slot>,
    /// What its epoch began with.
    base: VertexSet,
    /// The epoch that it knows of, and the last one that it has stopped in.
    epoch: Epoch,
    frozen: Option<Epoch>,
    /// Exclusive: what a proposer has reserved of its column.
    reserved: Slot,
    /// How often a session has started.
    life: u64,
}

impl Judge {
    /// A record became durable.
    pub(super) fn note_durable(&mut self, node: NodeId, record: &NodeRecord) {
        let known = self.durable.entry(node).or_default();
        match record {
            NodeRecord::DependencyNode(DependencyRecord::Received(column, slot)) => {
                let received = known.received.entry(*column).or_default();
                *received = (*received).max(*slot);
            }
            NodeRecord::DependencyNode(DependencyRecord::Frozen(epoch)) => {
                known.frozen = known.frozen.max(Some(*epoch));
            }
            NodeRecord::DependencyNode(DependencyRecord::Begun(successor))
                if successor.generation.epoch > known.epoch =>
            {
                known.epoch = successor.generation.epoch;
                known.received.clear();
                known.base = successor.base.clone();
            }
            NodeRecord::Proposer(ProposerRecord::Reserved(slot)) => {
                known.reserved = known.reserved.max(*slot);
            }
            NodeRecord::Session(record) => known.life = known.life.max(record.life),
            _ => {}
        }
    }

    /// The facts that a message relies on are durable.
    pub(super) fn check_ledger(&mut self, from: NodeId, message: &Message) -> Verdict {
        let known = self.durable.entry(from).or_default();
        let is_durable = match message {
            Message::DependencyNode(ToDependencyNode::DependencyA(m)) => {
                known.reserved > m.vertex.slot
            }
            Message::Proposer(ToProposer::DependencyB(m)) => {
                let received = known.received.get(&m.vertex.column).copied().unwrap_or_default();
                let is_known = received > m.vertex.slot || known.base.contains(m.vertex);
                m.epoch < known.epoch || (m.epoch == known.epoch && is_known)
            }
            Message::Proposer(ToProposer::Service(FromDependencyNode::FreezeB(m))) => {
                known.frozen >= Some(m.epoch) || known.epoch > m.epoch
            }
            Message::Proposer(ToProposer::Service(FromDependencyNode::BeginB(m))) => {
                known.epoch >= m.epoch
            }
            Message::Proposer(ToProposer::Request(m)) => known.life >= m.command.session.life,
            _ => true,
        };
        if is_durable {
            return Ok(());
        }
        let name = self.places.name(from);
        fail(PROPERTY, format!("{name} tells what is not durable: {message:?}"))
    }
}
