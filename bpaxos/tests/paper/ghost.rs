//! What is true of a run, told from its messages and its replicas, and judged.

use std::collections::{BTreeMap, BTreeSet};

use bpaxos::archive::Archive;
use bpaxos::command::Proposal;
use bpaxos::invariants;
use bpaxos::message::{Message, ToArchive, ToReplica};
use bpaxos::replica::Replica;
use bpaxos::snapshot::Part;
use bpaxos::vertex::{Column, Vertex};
use bytes::Bytes;
use matchmaker::message::{Message as ColumnMessage, ToProposer};
use paxos::actor::NodeId;
use paxos::command::Value;
use paxos::message::{Keep, SnapshotB, ToAcceptor, ToReplica as ToColumnReplica};
use paxos::slot::Slot;
use paxos::snapshot::Chunk;
use paxos::wire;

use crate::machine::{Lists, Piece};

/// The memory of the judge.
#[derive(Debug, Default)]
pub(crate) struct Ghost {
    /// What was learned as chosen.
    pub(crate) chosen: BTreeMap<Vertex, Option<Proposal>>,
    /// What was ever proposed that is not nothing.
    proposed: BTreeMap<Vertex, Value>,
    /// What each replica has applied, from its last start on.
    applied: BTreeMap<NodeId, Vec<Bytes>>,
    /// Up to where each archive has said that a column is durable.
    persisted: BTreeMap<Column, BTreeMap<NodeId, Slot>>,
    /// What was in snapshots, by their number and what it is about.
    pieces: BTreeMap<(Slot, String), Piece>,
    /// Snapshots that went from one replica to another: of which number to whom.
    pub(crate) transfers: BTreeSet<(Slot, NodeId)>,
    /// Snapshots that were written down to their end: of which number by whom.
    pub(crate) kept: BTreeSet<(Slot, NodeId)>,
}

impl Ghost {
    /// Looks at a message when it leaves.
    pub(crate) fn on_message(&mut self, from: NodeId, to: NodeId, message: &Message) {
        match message {
            Message::Column(m) => self.on_column(m.column, from, &m.inner),
            Message::Replica(ToReplica::SnapshotB(SnapshotB { chunk })) => {
                self.on_chunk(chunk);
                // An archive gives back what it found; its process is that of the receiver.
                if chunk.is_last && from.seat.0 % 10 != to.seat.0 % 10 {
                    self.transfers.insert((chunk.slot, to));
                }
            }
            Message::Archive(ToArchive::Keep(Keep { chunk })) => {
                self.on_chunk(chunk);
                if chunk.is_last {
                    self.kept.insert((chunk.slot, to));
                }
            }
            _ => {}
        }
    }

    fn on_column(&mut self, column: Column, from: NodeId, message: &ColumnMessage) {
        match message {
            ColumnMessage::Replica(ToColumnReplica::Chosen(chosen)) => {
                let vertex = Vertex { column, slot: chosen.slot };
                let proposal = Proposal::of_value(&chosen.value).expect("a proposal");
                let known = self.chosen.entry(vertex).or_insert_with(|| proposal.clone());
                assert_eq!(*known, proposal, "B1 consensus: {vertex} has two values");
            }
            ColumnMessage::Acceptor(ToAcceptor::Phase2A(phase2a)) => {
                let vertex = Vertex { column, slot: phase2a.slot };
                if phase2a.value != Value::Noop {
                    let known = self.proposed.entry(vertex).or_insert(phase2a.value.clone());
                    assert_eq!(*known, phase2a.value, "B4 values: two commands for {vertex}");
                }
            }
            ColumnMessage::Acceptor(ToAcceptor::PersistedA(m)) => {
                let told = self.persisted.get(&column).into_iter().flat_map(BTreeMap::values);
                let count = told.filter(|told| **told >= m.watermark).count();
                let is_true = m.watermark == Slot::ZERO || count >= 2;
                assert!(is_true, "B8 persisted: {column:?} below {} at {count}", m.watermark);
            }
            ColumnMessage::Proposer(ToProposer::ArchivedB(m)) => {
                let told = self.persisted.entry(column).or_default().entry(from).or_default();
                *told = (*told).max(m.persisted_watermark);
            }
            _ => {}
        }
    }

    fn on_chunk(&mut self, chunk: &Chunk) {
        let Ok(Part::Machine(bytes)) = wire::decode(&chunk.bytes.0) else { return };
        let piece = wire::decode::<Piece>(&bytes.0).expect("of our machine");
        let about = match &piece {
            Piece::List { key, .. } => key.clone(),
            Piece::Applied(_) => "*".into(),
            Piece::Order(_) => return,
        };
        let number = chunk.slot;
        let known = self.pieces.entry((number, about)).or_insert_with(|| piece.clone());
        assert_eq!(*known, piece, "B9 snapshots: two of number {number}");
    }

    /// Looks at a replica after each of its steps.
    pub(crate) fn on_replica(&mut self, node: NodeId, replica: &Replica<Lists>) {
        let applied = replica.machine().applied();
        let known = self.applied.get(&node).map(Vec::as_slice);
        if known == Some(applied) {
            return;
        }
        let distinct: BTreeSet<&Bytes> = applied.iter().collect();
        assert_eq!(distinct.len(), applied.len(), "B7 once: {node} executes a command twice");
        self.applied.insert(node, applied.to_vec());
        let missing = invariants::closure_defect(&self.chosen, replica.executed());
        assert_eq!(missing, None, "B6 closure: {node} executes what it does not know");
    }

    /// Looks at an archive that has just been restored.
    pub(crate) fn on_restored(&self, node: NodeId, archive: &Archive) {
        for (column, told) in &self.persisted {
            let told = told.get(&node).copied().unwrap_or_default();
            let found = archive.column(*column).map(|archive| archive.persisted_watermark());
            assert!(found.unwrap_or_default() >= told, "B8 persisted: {node} has lost {column:?}");
        }
    }

    /// Judges the whole run.
    pub(crate) fn check(&self) {
        let defect = invariants::dependency_defect::<Lists>(&self.chosen);
        assert_eq!(defect, None, "B2 dependencies: neither depends on the other");
        for (one, two) in self.applied.values().zip(self.applied.values().skip(1)) {
            let defect = invariants::order_defect::<Lists>(one, two);
            assert_eq!(defect, None, "B5 order: two replicas execute them differently");
        }
    }
}
