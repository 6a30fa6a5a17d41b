//! Looking for what is missing: values that were chosen, and vertices of which nobody knows whether they
//! ever will be.

use std::collections::BTreeSet;

use matchmaker::message::Message as ColumnMessage;
use paxos::actor::NodeId;
use paxos::message::{FetchA, ToArchive as ToColumnArchive};
use paxos::slot::Slot;
use paxos::state_machine::StateMachine;

use super::{DOUBLINGS_MAX, Fx, LOOK_DELAY, Log, Replica, ReplicaTimer};
use crate::column::InColumn;
use crate::message::{Recover, TakeSnapshot};
use crate::vertex::{Column, Vertex};

/// After so many looks at most it asks for a snapshot again; at first sooner. What it has asked for may only
/// wait, and each question costs a vertex.
const ASK_LOOKS_MAX: u32 = 32;

impl<S: StateMachine> Replica<S> {
    pub(super) fn fetch(&self, column: Column, source: NodeId, first: Slot, fx: &mut Fx) {
        let m = ToColumnArchive::FetchA(FetchA { first });
        fx.send(source, InColumn { column, inner: ColumnMessage::Archive(m) });
    }

    /// The first slot of `column` of which it knows neither the value nor that it is executed.
    pub(super) fn first_missing(&self, column: Column) -> Slot {
        let executed = self.executed.column(column).map_or(Slot::ZERO, |slots| slots.watermark());
        self.logs.get(&column).map_or(Slot::ZERO, |log| log.stored).max(executed)
    }

    fn has_gap(&self, column: Column, log: &Log) -> bool {
        self.first_missing(column) < log.chosen_watermark
    }

    /// Whether a leader has said so.
    fn is_chosen(&self, vertex: Vertex) -> bool {
        self.logs.get(&vertex.column).is_some_and(|log| vertex.slot < log.chosen_watermark)
    }

    pub(super) fn arm_look(&mut self, fx: &mut Fx) {
        let has_gap = self.logs.iter().any(|(column, log)| self.has_gap(*column, log));
        let is_blocked = self.graph.missing().next().is_some();
        if (has_gap || is_blocked || self.wanted.is_some()) && !self.is_look_due {
            self.is_look_due = true;
            let factor = 1 << self.looked_for.1.min(DOUBLINGS_MAX);
            let delay = LOOK_DELAY.start * factor..LOOK_DELAY.end * factor;
            fx.set_timer(ReplicaTimer::Look, delay);
        }
    }

    /// Fetches what is chosen, and has columns recovered of which something was missing the last time as
    /// well: at once as far as anything depends on them, because whatever is missing there is missed next.
    /// What a leader has said to be chosen needs no recovery, and is looked for without longer and longer
    /// pauses: there may be only one source that has it.
    pub(super) fn on_look_timer(&mut self, fx: &mut Fx) {
        self.is_look_due = false;
        let blocking: BTreeSet<Column> = self.graph.missing().map(|vertex| vertex.column).collect();
        let missing: BTreeSet<Vertex> =
            self.graph.missing().filter(|vertex| !self.is_chosen(*vertex)).collect();
        let (before, attempt) = std::mem::take(&mut self.looked_for);
        let stuck: BTreeSet<Column> =
            missing.intersection(&before).map(|vertex| vertex.column).collect();
        let attempt = if stuck.is_empty() { 0 } else { attempt.saturating_add(1) };
        for column in &stuck {
            let needed = self.log(*column).map_or(Slot::ZERO, |log| log.needed);
            let slot = Slot(needed.0.saturating_sub(1));
            let vertex = Vertex { column: *column, slot };
            fx.send(self.rescuer(*column, attempt), Recover { vertex });
        }
        self.looked_for = (missing, attempt);
        self.fetch_gaps(&blocking, fx);
        if self.wanted.is_some() {
            self.wait_count = self.wait_count.saturating_add(1);
            let is_due = self.wait_count.is_power_of_two();
            if is_due || self.wait_count.is_multiple_of(ASK_LOOKS_MAX) {
                self.ask_for_snapshot(fx);
            }
        }
        self.arm_look(fx);
    }

    /// Asks for what is known to be chosen, and for what may be in the columns `blocking`.
    fn fetch_gaps(&mut self, blocking: &BTreeSet<Column>, fx: &mut Fx) {
        let gaps = self
            .logs
            .iter()
            .filter(|(column, log)| self.has_gap(**column, log) || blocking.contains(column));
        let gaps: Vec<(Column, NodeId)> =
            gaps.map(|(column, log)| (*column, self.source(log))).collect();
        self.look_count = self.look_count.wrapping_add(1);
        for (column, source) in gaps {
            self.fetch(column, source, self.first_missing(column), fx);
        }
    }

    /// Who has values of `log`: one after the other.
    fn source(&self, log: &Log) -> NodeId {
        match log.sources.len() {
            0 => self.surroundings.archive,
            count => log.sources[self.look_count % count],
        }
    }

    /// Whom to ask to see to a vertex of `column`: its owner at first, then one after the other.
    fn rescuer(&self, column: Column, attempt: u32) -> NodeId {
        let proposers = &self.surroundings.proposers;
        let turn = (attempt as usize).checked_sub(2).filter(|_| !proposers.is_empty());
        let other = turn.and_then(|turn| proposers.iter().nth(turn % proposers.len()));
        other.copied().unwrap_or(column.0)
    }

    /// Has a proposer make a place for a snapshot, one after the other.
    pub(super) fn ask_for_snapshot(&mut self, fx: &mut Fx) {
        let proposers = &self.surroundings.proposers;
        self.ask_count = self.ask_count.wrapping_add(1);
        let turn = self.ask_count % proposers.len().max(1);
        if let Some(proposer) = proposers.iter().nth(turn) {
            fx.send(*proposer, TakeSnapshot);
        }
    }
}
