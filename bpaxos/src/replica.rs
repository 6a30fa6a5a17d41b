//! The replica: executes what the graph allows, each command once, and answers.
//!
//! It learns the values of all columns, in whatever order, commits them to the graph (`graph.rs`) and
//! executes what becomes eligible. Beside that it hands the values of each column to its archive, in the
//! order of the column: so all that is durable is a log for each column, as in `matchmaker`, and a
//! snapshot of all of them: it makes snapshots for its archive and for other replicas (`scan`), and takes
//! one where values are gone (`transfer`).
//!
//! What is missing is looked for in two ways (`looking`). Chosen values that were lost are fetched from archives and
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

mod looking;
mod scan;
mod transfer;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::ops::Range;
use std::time::Duration;

use matchmaker::message::Message as ColumnMessage;
use paxos::actor::{Effects, NodeId};
use paxos::command::Value;
use paxos::message::{
    Chosen, ChosenWatermark, FetchB, Store, ToArchive as ToColumnArchive,
    ToReplica as ToColumnReplica,
};
use paxos::mutant::{self, Mutant};
use paxos::slot::Slot;
use paxos::snapshot::SnapshotOptions;
use paxos::state_machine::{Position, StateMachine};
use paxos::wire::Payload;

use crate::column::{COLUMNS_MAX, InColumn};
use crate::command::{Command, Content, Proposal};
use crate::graph::{Component, Graph};
use crate::message::{ContentsA, Executed, Message, ReplicaB, StatusA, ToReplica};
use crate::sessions::ExecutedTable;
use crate::vertex::{Column, Vertex, VertexSet};

use scan::Scan;
use transfer::Incoming;

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
    /// Ask for the next chunk of a snapshot.
    Chunk,
    /// The replica that is given a snapshot may be gone.
    Lease,
    /// The next chunk of a snapshot may be cut.
    Pace,
}

/// What a replica knows of one column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Log {
    /// Exclusive; values below were handed to the archive, or its snapshot covers them.
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
    options: SnapshotOptions,
    machine: S,
    graph: Graph,
    /// What the machine has executed, and what holds nothing. The graph is ahead of it within a step.
    executed: VertexSet,
    /// The number of the last vertex for snapshots that was executed: how many there were.
    snapshot: Slot,
    /// What vertices hold that are committed and not executed.
    waiting: BTreeMap<Vertex, Content>,
    sessions: ExecutedTable,
    logs: BTreeMap<Column, Log>,
    /// What kept others from being executed when it was last looked for, and how often it was.
    looked_for: (BTreeSet<Vertex>, u32),
    is_look_due: bool,
    /// Counts the times that it looked, to ask one source after the other.
    look_count: usize,
    /// Counts the times that it asked for a snapshot, to ask one proposer after the other.
    ask_count: usize,
    /// Commands that were executed, repeats not counted.
    executed_count: u64,
    /// The archive wants a snapshot that covers this.
    wanted: Option<VertexSet>,
    /// How often it looked since the last vertex for snapshots while one was wanted.
    wait_count: u32,
    /// Another replica, or the application, wants the next snapshot.
    asker: Option<NodeId>,
    /// The snapshot that is being read from the machine.
    scan: Option<Scan>,
    /// The snapshot that is being put together.
    incoming: Option<Incoming<S>>,
}

type Fx = Effects<Message, ReplicaTimer, Infallible>;

impl<S: StateMachine> Replica<S> {
    /// A replica of `machine` that has executed nothing.
    pub fn new(surroundings: Surroundings, machine: S, options: SnapshotOptions) -> Self {
        Self {
            surroundings,
            options,
            machine,
            graph: Graph::default(),
            executed: VertexSet::new(),
            snapshot: Slot::ZERO,
            waiting: BTreeMap::new(),
            sessions: ExecutedTable::default(),
            logs: BTreeMap::new(),
            looked_for: (BTreeSet::new(), 0),
            is_look_due: false,
            look_count: 0,
            ask_count: 0,
            executed_count: 0,
            wanted: None,
            wait_count: 0,
            asker: None,
            scan: None,
            incoming: None,
        }
    }

    /// The application's state.
    pub fn machine(&self) -> &S {
        &self.machine
    }

    /// Vertices that are executed.
    pub fn executed(&self) -> &VertexSet {
        &self.executed
    }

    /// The number of the last snapshot that it could take; zero before the first one.
    pub fn snapshot(&self) -> Slot {
        self.snapshot
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
        fx.send(self.surroundings.archive, ContentsA);
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: ToReplica, fx: &mut Fx) {
        match message {
            ToReplica::ContentsB(m) => self.on_contents_b(from, &m, fx),
            ToReplica::Covered(m) => self.on_covered(from, &m, fx),
            ToReplica::SnapshotWanted(m) => self.on_snapshot_wanted(m, fx),
            ToReplica::Kept(m) => self.on_kept(m, fx),
            ToReplica::SnapshotA(m) => self.on_snapshot_a(from, m, fx),
            ToReplica::SnapshotB(m) => self.on_snapshot_b(from, m, fx),
            ToReplica::StatusA(m) => self.on_status_a(from, &m, fx),
        }
        self.arm_look(fx);
        self.check_invariants();
    }

    /// Takes one message about the log of `column`.
    pub fn on_column(
        &mut self,
        column: Column,
        from: NodeId,
        message: ToColumnReplica,
        fx: &mut Fx,
    ) {
        match message {
            ToColumnReplica::Chosen(m) => self.on_chosen(column, m, fx),
            ToColumnReplica::ChosenWatermark(m) => self.on_chosen_watermark(column, from, m),
            ToColumnReplica::FetchB(m) => self.on_fetch_b(column, from, m, fx),
            // The state is not a function of one column: reads, snapshots and comparisons of a log mean
            // nothing here.
            ToColumnReplica::Query(_)
            | ToColumnReplica::Cut(_)
            | ToColumnReplica::SnapshotWanted(_)
            | ToColumnReplica::Kept(_)
            | ToColumnReplica::SnapshotA(_)
            | ToColumnReplica::SnapshotB(_)
            | ToColumnReplica::Quarantine(_) => {}
        }
        self.arm_look(fx);
        self.check_invariants();
    }

    /// Tells an operator how far it is.
    fn on_status_a(&mut self, from: NodeId, StatusA { token }: &StatusA, fx: &mut Fx) {
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
            ReplicaTimer::Chunk => self.on_chunk_timer(fx),
            ReplicaTimer::Lease => self.on_lease_timer(),
            ReplicaTimer::Pace => self.on_pace_timer(fx),
        }
        self.arm_look(fx);
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
        let is_new = end > self.first_missing(column);
        for (slot, value) in (m.first.0..).map(Slot).zip(m.values) {
            self.learn(Vertex { column, slot }, value, fx);
        }
        let first = self.first_missing(column);
        if is_new && first >= end {
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
        let (content, dependencies) = match proposal {
            Some(proposal) => (proposal.content, proposal.dependencies),
            None => (Content::Commands(Vec::new()), VertexSet::new()),
        };
        if is_lost || self.graph.has(vertex) {
            return;
        }
        for (column, slots) in dependencies.columns() {
            if let Some(log) = self.log(column) {
                log.needed = log.needed.max(slots.end());
            }
        }
        self.waiting.insert(vertex, content);
        for component in self.graph.commit(vertex, dependencies) {
            self.execute(&component, fx);
        }
    }

    /// Executes a component, and takes a snapshot behind it if one is due there: within it there may be
    /// vertices that replicas have not executed that are due for the same snapshot.
    ///
    /// Positions count all commands of the component, also those that are passed over as repeats: of two
    /// copies of a command that conflicts with nothing, replicas may meet either first.
    fn execute(&mut self, component: &Component, fx: &mut Fx) {
        let mut index = 0;
        let mut has_snapshot = false;
        self.executed.extend(component.vertices.iter().copied());
        for vertex in &component.vertices {
            match self.waiting.remove(vertex) {
                Some(Content::Commands(commands)) => {
                    for command in &commands {
                        let position = Position { slot: rank(component), index };
                        self.apply(position, command, fx);
                        self.hasten_scan(command.payload.len(), fx);
                        index += 1;
                    }
                }
                Some(Content::Snapshot) => {
                    self.snapshot = self.snapshot.next();
                    has_snapshot = true;
                    if mutant::is_on(Mutant::SnapshotWithinComponent) {
                        self.pass_snapshot(component.rank, fx);
                    }
                }
                None => {}
            }
        }
        if has_snapshot {
            self.pass_snapshot(component.rank, fx);
        }
    }

    /// Applies `command` unless it was before, and answers the session beside.
    fn apply(&mut self, position: Position, command: &Command, fx: &mut Fx) {
        let (machine, count) = (&mut self.machine, &mut self.executed_count);
        let reply = self.sessions.execute(command, |payload| {
            *count += 1;
            Payload(machine.apply(position, &payload.0))
        });
        let Command { session, number, .. } = *command;
        if let Some(reply) = reply.filter(|_| session.node == self.surroundings.session) {
            fx.send(session.node, Executed { session, number, reply });
        }
    }

    /// Hands the archive what it can take.
    fn store(&mut self, column: Column, fx: &mut Fx) {
        let archive = self.surroundings.archive;
        let Some(log) = self.log(column) else { return };
        while let Some(value) = log.ahead.remove(&log.stored) {
            let m = ToColumnArchive::Store(Store { slot: log.stored, value });
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
