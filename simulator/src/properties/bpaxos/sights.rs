//! Situations of BPaxos that a run meets, told from what actors say.

use std::collections::{BTreeMap, BTreeSet};

use bpaxos::column::InColumn;
use bpaxos::message::{DependencyB, Message, ToArchive, ToDependencyNode, ToProposer, ToReplica};
use bpaxos::vertex::Column;
use matchmaker::message::{Epoch, Message as ConsensusMessage};
use paxos::actor::NodeId;
use paxos::message::ToAcceptor;
use paxos::round::Round;
use paxos::slot::Slot;

use super::Judge;
use crate::coverage::Situation;

/// What was met, and what it takes to tell.
#[derive(Debug)]
pub(super) struct Sights {
    /// Since they were last asked for.
    met: Vec<Situation>,
    /// Starts of each process.
    starts: Vec<u64>,
    /// Rounds in which somebody else than its proposer led a column.
    taken: BTreeMap<Column, BTreeSet<Round>>,
    /// Rounds in which its proposer led a column after that.
    back: BTreeSet<(Column, Round)>,
    /// Who has stopped each epoch of the dependency service.
    drivers: BTreeMap<Epoch, BTreeSet<NodeId>>,
}

impl Sights {
    pub(super) fn new(process_count: usize) -> Self {
        Self {
            met: Vec::new(),
            starts: vec![0; process_count],
            taken: BTreeMap::new(),
            back: BTreeSet::new(),
            drivers: BTreeMap::new(),
        }
    }

    /// A process starts.
    pub(super) fn restart(&mut self, process: usize) {
        self.starts[process] += 1;
    }

    fn see_lead(&mut self, from: NodeId, column: Column, round: Round) {
        let is_owner = column.0 == from;
        let taken = self.taken.entry(column).or_default();
        if !is_owner && taken.insert(round) {
            self.met.push(Situation::ColumnTakenOver);
        }
        if is_owner && taken.first() < Some(&round) && !taken.is_empty() {
            let is_new = self.back.insert((column, round));
            self.met.extend(is_new.then_some(Situation::ColumnTakenBack));
        }
    }
}

impl Judge {
    /// Situations that were met since this was last asked.
    pub fn take_met(&mut self) -> Vec<Situation> {
        std::mem::take(&mut self.sights.met)
    }

    pub(super) fn meet_if(&mut self, is_met: bool, situation: Situation) {
        self.sights.met.extend(is_met.then_some(situation));
    }

    /// A message leaves.
    pub(super) fn see(&mut self, from: NodeId, to: NodeId, message: &Message) {
        match message {
            Message::Column(InColumn {
                column,
                inner: ConsensusMessage::Acceptor(ToAcceptor::Phase2A(m)),
            }) => self.sights.see_lead(from, *column, m.round),
            Message::DependencyNode(ToDependencyNode::FreezeA(m)) => {
                let drivers = self.sights.drivers.entry(m.epoch).or_default();
                let is_second = drivers.insert(from) && drivers.len() == 2;
                self.meet_if(is_second, Situation::TwoServiceDrivers);
            }
            Message::Proposer(ToProposer::DependencyB(m)) => self.see_reply(from, m),
            Message::Proposer(ToProposer::Recover(_)) => {
                self.meet_if(true, Situation::VertexRecovered);
            }
            Message::Archive(ToArchive::Keep(m)) => {
                self.meet_if(m.chunk.is_last, Situation::SnapshotTaken);
            }
            Message::Replica(ToReplica::SnapshotB(m)) => {
                let process = |node| self.places.find(node).map(|at| at.process);
                let is_own = process(from) == process(to);
                self.meet_if(m.chunk.is_last && is_own, Situation::SnapshotRestored);
                self.meet_if(m.chunk.is_last && !is_own, Situation::SnapshotInstalled);
            }
            _ => {}
        }
    }

    fn see_reply(&mut self, from: NodeId, m: &DependencyB) {
        let starts = self.places.find(from).map_or(0, |at| self.sights.starts[at.process]);
        self.meet_if(starts > 1, Situation::RestartedNodeReplied);
        let is_prefix = m.dependencies.columns().any(|(_, slots)| slots.watermark() > Slot(1));
        self.meet_if(starts == 1 && m.epoch == Epoch(0) && is_prefix, Situation::PrefixNamed);
        let known = self.replies.get(&m.vertex);
        let is_later = known.is_some_and(|known| known.keys().any(|epoch| *epoch < m.epoch));
        let is_first = known.is_some_and(|known| !known.contains_key(&m.epoch));
        self.meet_if(is_later && is_first, Situation::EpochInCollection);
    }
}
