//! The log of each column, judged as one of Matchmaker MultiPaxos.

use std::collections::BTreeMap;

use bpaxos::column::InColumn;
use bpaxos::node::NodeRecord;
use bpaxos::proposer::ProposerRecord;
use bpaxos::snapshot::Part;
use bpaxos::vertex::{Column, VertexSet};
use matchmaker::message::Message;
use matchmaker::node::NodeRecord as LogRecord;
use paxos::actor::NodeId;
use paxos::snapshot::Chunk;
use paxos::wire;

use super::Verdict;
use crate::plan::Places;
use crate::properties::Ghost;

/// What is true of the log of each column.
#[derive(Debug)]
pub(super) struct Logs {
    places: Places,
    pipeline_max: u64,
    ghosts: BTreeMap<Column, Ghost>,
    /// What the snapshot covers that each archive is writing down.
    covered: BTreeMap<NodeId, VertexSet>,
}

impl Logs {
    pub(super) fn new(places: &Places, pipeline_max: u64) -> Self {
        let (places, ghosts) = (places.clone(), BTreeMap::new());
        Self { places, pipeline_max, ghosts, covered: BTreeMap::new() }
    }

    fn of(&mut self, column: Column) -> &mut Ghost {
        let (places, pipeline_max) = (&self.places, self.pipeline_max);
        self.ghosts.entry(column).or_insert_with(|| Ghost::new(places.clone(), pipeline_max))
    }

    /// A message about the log of a column leaves.
    pub(super) fn on_leave(
        &mut self,
        column: Column,
        (from, to): (NodeId, NodeId),
        message: &Message,
    ) -> Verdict {
        self.of(column).on_leave(from, to, message)
    }

    /// A record became durable.
    pub(super) fn on_durable(&mut self, node: NodeId, record: &NodeRecord) -> Verdict {
        let (column, record) = match record.clone() {
            NodeRecord::Acceptor(m) => (m.column, LogRecord::Acceptor(m.inner)),
            NodeRecord::Matchmaker(m) => (m.column, LogRecord::Matchmaker(m.inner)),
            NodeRecord::Archive(m) => (m.column, LogRecord::Archive(m.inner)),
            NodeRecord::Proposer(ProposerRecord::Leader(InColumn { column, inner })) => {
                (column, LogRecord::Proposer(inner))
            }
            NodeRecord::Proposer(ProposerRecord::Driver(InColumn { column, inner })) => {
                (column, LogRecord::Reconfigurer(inner))
            }
            NodeRecord::Snapshot(chunk) => {
                self.note_chunk(node, &chunk);
                return Ok(());
            }
            NodeRecord::Proposer(_)
            | NodeRecord::DependencyNode(_)
            | NodeRecord::Session(_)
            | NodeRecord::Opened(_) => return Ok(()),
        };
        self.of(column).on_durable(node, &record)
    }

    /// A snapshot stands for a prefix of every column, once its last chunk is durable.
    fn note_chunk(&mut self, node: NodeId, chunk: &Chunk) {
        if let Ok(Part::Header(header)) = wire::decode(&chunk.bytes.0) {
            self.covered.insert(node, header.executed);
        }
        if !chunk.is_last {
            return;
        }
        let covered = self.covered.remove(&node).unwrap_or_default();
        for (column, slots) in covered.columns() {
            self.of(column).cover(node, slots.watermark());
        }
    }

    /// Rounds for which a collection began.
    pub(super) fn collection_count(&self) -> usize {
        self.ghosts.values().map(Ghost::collection_count).sum()
    }
}
