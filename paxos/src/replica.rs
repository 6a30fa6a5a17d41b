//! The replica: executes chosen values in slot order and answers the session beside it.
//!
//! It has no durable state of its own, so no answer waits for a disk: what it executes is chosen
//! already. The archive beside it keeps the values; after a restart the replica reads them back from
//! there, and what is missing from the archives of others or from the leader. Where a snapshot has
//! taken the place of values, it installs that first (`transfer`); and it makes snapshots, for its
//! archive and for other replicas (`scan`). One that differs from others takes no part (`quarantine`).
//!
//! *Paper*: Matchmaker Paxos, section 4.2. Snapshots are not in it.

mod catch_up;
mod quarantine;
mod scan;
mod transfer;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;
use std::time::Duration;

use crate::actor::{Effects, NodeId, Outbox, Role};
use crate::command::Value;
use crate::history::History;
use crate::message::{
    Answered, Chosen, ChosenWatermark, Executed, FetchA, FetchB, Keep, Marked, Quarantined, Query,
    RestoreA, SnapshotA, SnapshotB, Store, ToReplica,
};
use crate::session_table::SessionTable;
use crate::slot::Slot;
use crate::snapshot::SnapshotOptions;
use crate::state_machine::{Position, StateMachine};
use crate::wire::Payload;

use catch_up::CatchUp;
use quarantine::Quarantine;
use scan::Scan;
use transfer::Incoming;

/// Chosen values that wait for their predecessors, at most. Beyond that they are dropped and fetched
/// later.
const BUFFERED_MAX: usize = 16_384;

/// The same, in bytes.
const BUFFERED_BYTES_MAX: usize = 64 << 20;

/// How long a gap may last before the missing values are fetched. A value that is merely reordered
/// arrives earlier.
const FETCH_DELAY: Range<Duration> = Duration::from_millis(10)..Duration::from_millis(20);

/// How long the answer to a question for values or chunks may take.
const ANSWER_DELAY: Range<Duration> = Duration::from_millis(200)..Duration::from_millis(300);

/// A timer of a replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReplicaTimer {
    /// Ask for missing values, or for the next chunk.
    Fetch,
    /// The replica that is given a snapshot may be gone.
    Lease,
    /// The next chunk of a snapshot may be cut.
    Pace,
}

/// What a replica says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromReplica {
    /// To its archive.
    Store(Store),
    /// To any archive, or to the leader.
    FetchA(FetchA),
    /// To its session.
    Executed(Executed),
    /// To its session.
    Answered(Answered),
    /// To its archive.
    Keep(Keep),
    /// To its archive.
    RestoreA(RestoreA),
    /// To another replica.
    SnapshotA(SnapshotA),
    /// To another replica.
    SnapshotB(SnapshotB),
    /// To the leader.
    Marked(Marked),
    /// To its session.
    Quarantined(Quarantined),
}

/// Who is around a replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Surroundings {
    /// The archive of the same process.
    pub archive: NodeId,
    /// The session of the same process.
    pub session: NodeId,
    /// Archives of other processes, as far as is known; a leader knows better.
    pub peers: Vec<NodeId>,
}

/// The state of a replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica<S> {
    /// Who is around.
    surroundings: Surroundings,
    options: SnapshotOptions,
    /// The application.
    machine: S,
    /// What was executed for whom.
    sessions: SessionTable,
    /// A digest of what was executed.
    history: History,
    /// Whether it differs from others.
    quarantine: Option<Quarantine>,
    /// Exclusive; all slots below are executed. Never decreases.
    executed_watermark: Slot,
    /// Chosen values above the watermark.
    buffered: BTreeMap<Slot, Value>,
    /// Size of `buffered` in bytes.
    buffered_bytes: usize,
    /// Exclusive; all slots below are known to be chosen.
    chosen_watermark: Slot,
    /// The last leader heard of.
    leader: Option<NodeId>,
    /// Whether the fetch timer is armed or an answer awaited.
    is_fetching: bool,
    /// Counts fetches, to ask one after the other.
    fetch_count: usize,
    /// How fast missing values are fetched.
    catch_up: CatchUp,
    /// Reads that wait for the watermark to reach the key.
    queries: BTreeMap<Slot, Vec<(u64, Payload)>>,
    /// The snapshot that is being read from the machine.
    scan: Option<Scan>,
    /// The archive wants a snapshot with all slots below.
    wanted: Option<Slot>,
    /// The snapshot that is being put together.
    incoming: Option<Incoming<S>>,
}

impl<S> Role for Replica<S> {
    type Message = FromReplica;
    type Timer = ReplicaTimer;
    type Record = Infallible;
}

/// The effects of a step that is not on the path of a command.
type Fx = Effects<FromReplica, ReplicaTimer, Infallible>;

impl<S: StateMachine> Replica<S> {
    /// A replica of `machine` that has executed nothing.
    pub fn new(surroundings: Surroundings, machine: S, options: SnapshotOptions) -> Self {
        Self {
            surroundings,
            options,
            machine,
            sessions: SessionTable::default(),
            history: History::default(),
            quarantine: None,
            executed_watermark: Slot::ZERO,
            buffered: BTreeMap::new(),
            buffered_bytes: 0,
            chosen_watermark: Slot::ZERO,
            leader: None,
            is_fetching: false,
            fetch_count: 0,
            catch_up: CatchUp::default(),
            queries: BTreeMap::new(),
            scan: None,
            wanted: None,
            incoming: None,
        }
    }

    /// The application's state.
    pub fn machine(&self) -> &S {
        &self.machine
    }

    /// All slots below are executed.
    pub fn executed_watermark(&self) -> Slot {
        self.executed_watermark
    }

    /// Reads back what the archive beside it kept.
    pub fn on_start(&mut self, fx: &mut Fx) {
        self.fetch_from(self.surroundings.archive, fx);
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: ToReplica, fx: &mut impl Outbox<Self>) {
        if let Some(quarantine) = self.quarantine {
            return fx.adopt(|fx| quarantine.on_message(from, &message, fx));
        }
        match message {
            ToReplica::Chosen(m) => self.on_chosen(m, fx),
            message => fx.adopt(|fx| self.on_other(from, message, fx)),
        }
        if self.wanted.is_some() {
            fx.adopt(|fx| self.start_wanted_scan(fx));
        }
        self.check_invariants();
    }

    fn on_other(&mut self, from: NodeId, message: ToReplica, fx: &mut Fx) {
        match message {
            ToReplica::Chosen(m) => self.on_chosen(m, fx),
            ToReplica::ChosenWatermark(m) => self.on_chosen_watermark(from, m, fx),
            ToReplica::FetchB(m) => self.on_fetch_b(from, m, fx),
            ToReplica::Query(m) => self.on_query(m, fx),
            ToReplica::Cut(m) => self.on_cut(from, m, fx),
            ToReplica::SnapshotWanted(m) => self.on_snapshot_wanted(m),
            ToReplica::Kept(m) => self.on_kept(m, fx),
            ToReplica::SnapshotA(m) => self.on_snapshot_a(from, m, fx),
            ToReplica::SnapshotB(m) => self.on_snapshot_b(from, m, fx),
            ToReplica::Quarantine(m) => self.on_quarantine(from, m, fx),
        }
    }

    /// Takes one timer.
    pub fn on_timer(&mut self, timer: ReplicaTimer, fx: &mut Fx) {
        if self.quarantine.is_some() {
            return;
        }
        match timer {
            ReplicaTimer::Fetch if self.incoming.is_some() => self.on_transfer_timer(fx),
            ReplicaTimer::Fetch => self.on_fetch_timer(fx),
            ReplicaTimer::Lease => self.on_lease_timer(),
            ReplicaTimer::Pace => self.on_pace_timer(fx),
        }
        self.start_wanted_scan(fx);
    }

    /// Executes the value if it is next, else keeps it until it is.
    fn on_chosen(&mut self, m: Chosen, fx: &mut impl Outbox<Self>) {
        if m.slot < self.executed_watermark {
            return;
        }
        if m.slot == self.executed_watermark {
            self.execute(m.value, fx);
            self.execute_buffered(fx);
            return;
        }
        let size_bytes = m.value.size_bytes();
        let has_room = self.buffered.len() < BUFFERED_MAX
            && self.buffered_bytes + size_bytes <= BUFFERED_BYTES_MAX;
        if has_room && self.buffered.insert(m.slot, m.value).is_none() {
            self.buffered_bytes += size_bytes;
        }
        self.chosen_watermark = self.chosen_watermark.max(self.executed_watermark.next());
        self.arm_fetch(fx);
    }

    fn on_chosen_watermark(&mut self, from: NodeId, m: ChosenWatermark, fx: &mut Fx) {
        self.leader = Some(from);
        let own = self.surroundings.archive;
        self.catch_up.is_joining = !m.archives.contains(&own);
        self.surroundings.peers = m.archives.into_iter().filter(|peer| *peer != own).collect();
        self.chosen_watermark = self.chosen_watermark.max(m.watermark);
        if self.executed_watermark < self.chosen_watermark {
            self.arm_fetch(fx);
        }
    }

    /// Executes what was missing, and asks on for as long as there is more.
    fn on_fetch_b(&mut self, from: NodeId, m: FetchB, fx: &mut Fx) {
        let is_new = m.first.plus(m.values.len() as u64) > self.executed_watermark;
        let (chosen_watermark, rate) = (self.chosen_watermark, self.options.bytes_per_second);
        let pause = self.catch_up.pause(&m.values, chosen_watermark, rate);
        for (slot, value) in (m.first.0..).map(Slot).zip(m.values) {
            if slot == self.executed_watermark {
                self.execute(value, fx);
            }
        }
        self.execute_buffered(fx);
        if self.incoming.is_some() {
            return;
        }
        if is_new {
            return match pause.filter(|_| from != self.surroundings.archive) {
                Some(pause) => fx.set_timer(ReplicaTimer::Fetch, pause),
                None => self.fetch_from(from, fx),
            };
        }
        self.is_fetching = false;
        if self.executed_watermark < self.chosen_watermark {
            self.arm_fetch(fx);
        }
    }

    fn on_query(&mut self, m: Query, fx: &mut Fx) {
        if m.watermark > self.executed_watermark {
            return self.queries.entry(m.watermark).or_default().push((m.token, m.query));
        }
        self.answer(m.token, &m.query, fx);
    }

    /// The one that was asked may be gone: asks the next.
    fn on_fetch_timer(&mut self, fx: &mut Fx) {
        self.is_fetching = false;
        if self.executed_watermark >= self.chosen_watermark {
            return;
        }
        let sources: Vec<NodeId> =
            self.surroundings.peers.iter().copied().chain(self.leader).collect();
        let source = match sources.len() {
            0 => self.surroundings.archive,
            count => sources[self.fetch_count % count],
        };
        self.fetch_from(source, fx);
    }

    fn arm_fetch(&mut self, fx: &mut impl Outbox<Self>) {
        if !self.is_fetching {
            self.is_fetching = true;
            fx.set_timer(ReplicaTimer::Fetch, FETCH_DELAY);
        }
    }

    fn fetch_from(&mut self, source: NodeId, fx: &mut Fx) {
        self.is_fetching = true;
        self.fetch_count += 1;
        let m = FetchA { first: self.executed_watermark };
        fx.send(source, FromReplica::FetchA(m));
        fx.set_timer(ReplicaTimer::Fetch, ANSWER_DELAY);
    }

    fn execute_buffered(&mut self, fx: &mut impl Outbox<Self>) {
        while let Some(entry) = self.buffered.first_entry() {
            if *entry.key() > self.executed_watermark {
                break;
            }
            let (slot, value) = entry.remove_entry();
            self.buffered_bytes -= value.size_bytes();
            if slot == self.executed_watermark {
                self.execute(value, fx);
            }
        }
    }

    /// Executes the value of the next slot: each command that is next in its session, once.
    ///
    /// Bytes that are no batch are executed as nothing. Every replica sees the same bytes.
    fn execute(&mut self, value: Value, fx: &mut impl Outbox<Self>) {
        let slot = self.executed_watermark;
        let submissions = value.submissions().unwrap_or_else(|error| {
            fx.violation("A5 vote validity", format!("slot {slot} holds no batch: {error}"));
            Vec::new()
        });
        let mut index = 0;
        for submission in &submissions {
            let (machine, history) = (&mut self.machine, &mut self.history);
            let apply = |command: &[u8]| {
                let position = Position { slot, index };
                index += 1;
                let reply = machine.apply(position, command);
                history.add(position, command, &reply);
                Payload(reply)
            };
            let session = submission.session;
            let is_own = session.node == self.surroundings.session;
            let mut executed = Executed { session, first: submission.first, replies: Vec::new() };
            self.sessions.execute(submission, apply, |number, reply| {
                if is_own {
                    executed.take(number, reply, submission.commands.len());
                }
            });
            if !executed.replies.is_empty() {
                fx.send(session.node, FromReplica::Executed(executed));
            }
        }
        self.executed_watermark = slot.next();
        let value_bytes = value.size_bytes();
        fx.send(self.surroundings.archive, FromReplica::Store(Store { slot, value }));
        self.mark(fx);
        self.answer_queries(fx);
        self.hasten_scan(value_bytes, fx);
    }

    fn answer_queries(&mut self, fx: &mut impl Outbox<Self>) {
        while let Some(entry) = self.queries.first_entry() {
            if *entry.key() > self.executed_watermark {
                break;
            }
            for (token, query) in entry.remove() {
                self.answer(token, &query, fx);
            }
        }
    }

    fn answer(&self, token: u64, query: &Payload, fx: &mut impl Outbox<Self>) {
        let answer = self.machine.query(&query.0).map(Payload);
        let session = self.surroundings.session;
        fx.send(session, FromReplica::Answered(Answered { token, answer }));
    }

    fn check_invariants(&self) {
        if let Some((slot, _)) = self.buffered.first_key_value() {
            assert!(*slot > self.executed_watermark, "slot {slot} waits for nothing");
        }
        if let Some((slot, _)) = self.queries.first_key_value() {
            assert!(*slot > self.executed_watermark, "a read at {slot} waits for nothing");
        }
        let is_own = self.scan.as_ref().is_some_and(Scan::is_for_archive);
        assert!(!is_own || self.incoming.is_none(), "the archive is given one snapshot at a time");
    }
}

#[cfg(test)]
mod tests;
