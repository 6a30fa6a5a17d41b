//! The replica: executes what the graph allows, each command once, and answers.
//!
//! It learns the values of all columns, in whatever order, commits them to the graph (`graph.rs`) and
//! executes what becomes eligible. Beside that it hands the values of each column to its archive, in the
//! order of the column: so all that is durable is a log for each column, as in `matchmaker`.
//!
//! What is missing is looked for in two ways. Chosen values that were lost are fetched from archives and
//! leaders, as in `matchmaker`. A vertex that others depend on and that nobody may ever have proposed is
//! *recovered*: its owner is asked to see to it, then one proposer after the other, after longer and longer
//! times.
//!
//! *Paper*: Bipartisan Paxos, replicas and recovery.
//!
//! *Durable*: nothing. After a restart it executes again what its archive has.
//!
//! *Limits*: vertices that cannot be executed yet are kept up to a number, and those ahead of a gap in their
//! column; then only what they wait for is taken. What is left out is fetched later, and until then holds up the collection of the acceptors'
//! votes, and in the end the proposers.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::ops::Range;
use std::time::Duration;

use matchmaker::message::Message as ColumnMessage;
use paxos::actor::{Effects, NodeId};
use paxos::command::Value;
use paxos::message::{Chosen, ChosenWatermark, FetchA, FetchB, Store, ToArchive, ToReplica};
use paxos::mutant::{self, Mutant};
use paxos::slot::Slot;
use paxos::state_machine::{Position, StateMachine};
use paxos::wire::Payload;

use crate::column::{COLUMNS_MAX, InColumn};
use crate::command::{Command, Proposal};
use crate::graph::{Component, Graph};
use crate::message::{Executed, Message, Recover, ReplicaB, StatusA};
use crate::sessions::ExecutedTable;
use crate::vertex::{Column, Vertex, VertexSet};

/// Vertices that cannot be executed yet, at most.
const WAITING_MAX: usize = 1 << 20;

/// Values that a replica keeps ahead of a gap in one column, at most.
const AHEAD_MAX: usize = 16_384;

/// Missing vertices that an operator is told of, at most.
const MISSING_TOLD_MAX: usize = 8;

/// How long to wait before what is missing is looked for. Doubles for as long as it is the same.
const LOOK_DELAY: Range<Duration> = Duration::from_millis(60)..Duration::from_millis(120);
const DOUBLINGS_MAX: u32 = 5;

/// Whom a replica has to do with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Surroundings {
    /// The archive of the same process.
    pub archive: NodeId,
    /// The session of the same process: this replica answers it, and no other one does.
    pub session: NodeId,
    /// Proposers, each with a column. More are learned from those that lead columns.
    pub proposers: BTreeSet<NodeId>,
}

/// A timer of a replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReplicaTimer {
    /// Look for what is missing.
    Look,
}

/// What a replica knows of one column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Log {
    /// Exclusive; values below were handed to the archive.
    stored: Slot,
    /// Values after a gap.
    ahead: BTreeMap<Slot, Value>,
    /// Exclusive; a leader has said that all below is chosen.
    chosen_watermark: Slot,
    /// Exclusive; the highest vertex that any other was found to depend on is below.
    needed: Slot,
    /// Who may have the values: leader and archives.
    sources: Vec<NodeId>,
}

/// The state of a replica of `S`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica<S> {
    surroundings: Surroundings,
    machine: S,
    graph: Graph,
    /// The commands of vertices that are committed and not executed.
    waiting: BTreeMap<Vertex, Vec<Command>>,
    sessions: ExecutedTable,
    logs: BTreeMap<Column, Log>,
    /// What kept others from being executed when it was last looked for, and how often it was.
    looked_for: (BTreeSet<Vertex>, u32),
    is_look_due: bool,
    /// Counts the times that it looked, to ask one source after the other.
    look_count: usize,
    /// Commands that were executed, repeats not counted.
    executed_count: u64,
}

type Fx = Effects<Message, ReplicaTimer, Infallible>;

impl<S: StateMachine> Replica<S> {
    /// A replica of `machine` that has executed nothing.
    pub fn new(surroundings: Surroundings, machine: S) -> Self {
        Self {
            surroundings,
            machine,
            graph: Graph::default(),
            waiting: BTreeMap::new(),
            sessions: ExecutedTable::default(),
            logs: BTreeMap::new(),
            looked_for: (BTreeSet::new(), 0),
            is_look_due: false,
            look_count: 0,
            executed_count: 0,
        }
    }

    /// The application's state.
    pub fn machine(&self) -> &S {
        &self.machine
    }

    /// Vertices that are executed.
    pub fn executed(&self) -> &VertexSet {
        self.graph.executed()
    }

    /// Commands that were executed, repeats not counted.
    pub fn executed_count(&self) -> u64 {
        self.executed_count
    }

    /// Vertices that are committed and wait for others.
    pub fn waiting_count(&self) -> usize {
        self.graph.waiting_count()
    }

    /// Reads back what the archive beside it kept.
    pub fn on_start(&mut self, fx: &mut Fx) {
        for column in self.surroundings.proposers.clone().into_iter().map(Column) {
            if let Some(log) = self.log(column) {
                let first = log.stored;
                self.fetch(column, self.surroundings.archive, first, fx);
            }
        }
    }

    /// Takes one message about the log of `column`.
    pub fn on_column(&mut self, column: Column, from: NodeId, message: ToReplica, fx: &mut Fx) {
        match message {
            ToReplica::Chosen(m) => self.on_chosen(column, m, fx),
            ToReplica::ChosenWatermark(m) => self.on_chosen_watermark(column, from, m),
            ToReplica::FetchB(m) => self.on_fetch_b(column, from, m, fx),
            // The state is not a function of one column: reads, snapshots and comparisons of a log mean
            // nothing here.
            ToReplica::Query(_)
            | ToReplica::Cut(_)
            | ToReplica::SnapshotWanted(_)
            | ToReplica::Kept(_)
            | ToReplica::SnapshotA(_)
            | ToReplica::SnapshotB(_)
            | ToReplica::Quarantine(_) => {}
        }
        self.arm_look(fx);
        self.check_invariants();
    }

    /// Tells an operator how far it is.
    pub fn on_status_a(&mut self, from: NodeId, StatusA { token }: &StatusA, fx: &mut Fx) {
        let m = ReplicaB {
            token: *token,
            executed_count: self.executed_count,
            waiting_count: self.graph.waiting_count() as u64,
            missing: self.graph.missing().take(MISSING_TOLD_MAX).collect(),
        };
        fx.send(from, m);
    }

    /// Takes one timer.
    pub fn on_timer(&mut self, timer: ReplicaTimer, fx: &mut Fx) {
        match timer {
            ReplicaTimer::Look => self.on_look_timer(fx),
        }
    }

    fn on_chosen(&mut self, column: Column, m: Chosen, fx: &mut Fx) {
        self.learn(Vertex { column, slot: m.slot }, m.value, fx);
    }

    fn on_chosen_watermark(&mut self, column: Column, from: NodeId, m: ChosenWatermark) {
        self.surroundings.proposers.insert(from);
        let Some(log) = self.log(column) else { return };
        log.chosen_watermark = log.chosen_watermark.max(m.watermark);
        log.sources = m.archives.into_iter().chain([from]).collect();
    }

    /// Learns a page of values, and asks on for as long as there is more.
    fn on_fetch_b(&mut self, column: Column, from: NodeId, m: FetchB, fx: &mut Fx) {
        let end = m.first.plus(m.values.len() as u64);
        let Some(log) = self.log(column) else { return };
        let is_new = end > log.stored;
        for (slot, value) in (m.first.0..).map(Slot).zip(m.values) {
            self.learn(Vertex { column, slot }, value, fx);
        }
        let stored = self.log(column).map(|log| log.stored);
        if let Some(first) = stored.filter(|stored| is_new && *stored >= end) {
            self.fetch(column, from, first, fx);
        }
    }

    /// Commits a value to the graph, executes what it makes eligible, and hands it to the archive when
    /// all before it in the column is there.
    ///
    /// Bytes that are no proposal are executed as nothing. Every replica sees the same bytes.
    fn learn(&mut self, vertex: Vertex, value: Value, fx: &mut Fx) {
        let (waiting_count, is_awaited) = (self.waiting.len(), self.graph.is_missing(vertex));
        let Some(log) = self.log(vertex.column) else { return };
        if vertex.slot < log.stored || log.ahead.contains_key(&vertex.slot) {
            return;
        }
        let is_full = waiting_count >= WAITING_MAX || log.ahead.len() >= AHEAD_MAX;
        if is_full && !is_awaited && vertex.slot != log.stored {
            return;
        }
        let proposal = Proposal::of_value(&value).unwrap_or_else(|error| {
            fx.violation("B4 values", format!("{vertex} holds no proposal: {error}"));
            None
        });
        log.ahead.insert(vertex.slot, value);
        self.store(vertex.column, fx);
        let is_lost = mutant::is_on(Mutant::NoopNeverExecuted) && proposal.is_none();
        let (commands, dependencies) = match proposal {
            Some(proposal) => (proposal.commands, proposal.dependencies),
            None => (Vec::new(), VertexSet::new()),
        };
        if is_lost || self.graph.has(vertex) {
            return;
        }
        for (column, slots) in dependencies.columns() {
            if let Some(log) = self.log(column) {
                log.needed = log.needed.max(slots.end());
            }
        }
        self.waiting.insert(vertex, commands);
        for component in self.graph.commit(vertex, dependencies) {
            self.execute(&component, fx);
        }
    }

    /// Executes the commands of a component that were not executed before.
    ///
    /// Their positions count all commands of the component, because replicas may have met different ones
    /// of those that conflict with nothing before.
    fn execute(&mut self, component: &Component, fx: &mut Fx) {
        let waiting = &mut self.waiting;
        let taken = component.vertices.iter().filter_map(|vertex| waiting.remove(vertex));
        let commands: Vec<Command> = taken.flatten().collect();
        for (index, command) in (0..).zip(&commands) {
            let (machine, count) = (&mut self.machine, &mut self.executed_count);
            let position = Position { slot: rank(component), index };
            let reply = self.sessions.execute(command, |payload| {
                *count += 1;
                Payload(machine.apply(position, &payload.0))
            });
            let Command { session, number, .. } = *command;
            if let Some(reply) = reply.filter(|_| session.node == self.surroundings.session) {
                fx.send(session.node, Executed { session, number, reply });
            }
        }
    }

    /// Hands the archive what it can take.
    fn store(&mut self, column: Column, fx: &mut Fx) {
        let archive = self.surroundings.archive;
        let Some(log) = self.log(column) else { return };
        while let Some(value) = log.ahead.remove(&log.stored) {
            let m = ToArchive::Store(Store { slot: log.stored, value });
            log.stored = log.stored.next();
            fx.send(archive, InColumn { column, inner: ColumnMessage::Archive(m) });
        }
    }

    /// What is known of `column`, from now on. None if there are too many columns.
    fn log(&mut self, column: Column) -> Option<&mut Log> {
        if self.logs.len() >= COLUMNS_MAX && !self.logs.contains_key(&column) {
            return None;
        }
        Some(self.logs.entry(column).or_default())
    }

    fn fetch(&self, column: Column, source: NodeId, first: Slot, fx: &mut Fx) {
        let m = ToArchive::FetchA(FetchA { first });
        fx.send(source, InColumn { column, inner: ColumnMessage::Archive(m) });
    }

    fn arm_look(&mut self, fx: &mut Fx) {
        let has_gap = self.logs.values().any(|log| log.stored < log.chosen_watermark);
        let is_blocked = self.graph.missing().next().is_some();
        if (has_gap || is_blocked) && !self.is_look_due {
            self.is_look_due = true;
            let factor = 1 << self.looked_for.1.min(DOUBLINGS_MAX);
            let delay = LOOK_DELAY.start * factor..LOOK_DELAY.end * factor;
            fx.set_timer(ReplicaTimer::Look, delay);
        }
    }

    /// Fetches what is chosen, and has columns recovered of which something was missing the last time as
    /// well: at once as far as anything depends on them, because whatever is missing there is missed next.
    fn on_look_timer(&mut self, fx: &mut Fx) {
        self.is_look_due = false;
        let missing: BTreeSet<Vertex> = self.graph.missing().collect();
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
        let blocking: BTreeSet<Column> = missing.iter().map(|vertex| vertex.column).collect();
        self.looked_for = (missing, attempt);
        self.fetch_gaps(&blocking, fx);
        self.arm_look(fx);
    }

    /// Asks for what is known to be chosen, and for what may be in the columns `blocking`.
    fn fetch_gaps(&mut self, blocking: &BTreeSet<Column>, fx: &mut Fx) {
        let is_short = |log: &Log| log.stored < log.chosen_watermark;
        let gaps =
            self.logs.iter().filter(|(column, log)| is_short(log) || blocking.contains(column));
        let gaps: Vec<(Column, Slot, NodeId)> =
            gaps.map(|(column, log)| (*column, log.stored, self.source(log))).collect();
        self.look_count = self.look_count.wrapping_add(1);
        for (column, first, source) in gaps {
            self.fetch(column, source, first, fx);
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

    fn check_invariants(&self) {
        assert_eq!(self.waiting.len(), self.graph.waiting_count(), "commands without a vertex");
    }
}

/// What the positions of a component's commands begin with.
fn rank(component: &Component) -> Slot {
    let first = component.vertices.first().filter(|_| mutant::is_on(Mutant::SlotAsPosition));
    first.map_or(Slot(component.rank), |vertex| vertex.slot)
}

#[cfg(test)]
mod tests;
