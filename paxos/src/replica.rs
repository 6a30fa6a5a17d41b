//! The replica: executes chosen values in slot order and answers the session beside it.
//!
//! It has no durable state of its own, so no answer waits for a disk: what it executes is chosen
//! already. The archive beside it keeps the values; after a restart the replica reads them back from
//! there, and what is missing from the archives of others or from the leader.
//!
//! *Paper*: Matchmaker Paxos, section 4.2.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;
use std::time::Duration;

use crate::actor::{Effects, NodeId};
use crate::command::Value;
use crate::message::{
    Answered, Chosen, ChosenWatermark, Executed, FetchA, FetchB, Query, Store, ToReplica,
};
use crate::session_table::SessionTable;
use crate::slot::Slot;
use crate::state_machine::{Position, StateMachine};
use crate::wire::Payload;

/// Chosen values that wait for their predecessors, at most. Beyond that they are dropped and fetched
/// later.
const BUFFERED_MAX: usize = 16_384;

/// The same, in bytes.
const BUFFERED_BYTES_MAX: usize = 64 << 20;

/// How long a gap may last before the missing values are fetched. A value that is merely reordered
/// arrives earlier.
const FETCH_DELAY: Range<Duration> = Duration::from_millis(10)..Duration::from_millis(20);

/// A timer of a replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReplicaTimer {
    /// Ask for missing values.
    Fetch,
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
    /// The application.
    machine: S,
    /// What was executed for whom.
    sessions: SessionTable,
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
    /// Reads that wait for the watermark to reach the key.
    queries: BTreeMap<Slot, Vec<(u64, Payload)>>,
}

/// Whom a replica's message is for, and what it says. The composing node wraps it.
type Fx = Effects<FromReplica, ReplicaTimer, Infallible>;

impl<S: StateMachine> Replica<S> {
    /// A replica of `machine` that has executed nothing.
    pub fn new(surroundings: Surroundings, machine: S) -> Self {
        Self {
            surroundings,
            machine,
            sessions: SessionTable::default(),
            executed_watermark: Slot::ZERO,
            buffered: BTreeMap::new(),
            buffered_bytes: 0,
            chosen_watermark: Slot::ZERO,
            leader: None,
            is_fetching: false,
            fetch_count: 0,
            queries: BTreeMap::new(),
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
    pub fn on_message(&mut self, from: NodeId, message: ToReplica, fx: &mut Fx) {
        match message {
            ToReplica::Chosen(m) => self.on_chosen(m, fx),
            ToReplica::ChosenWatermark(m) => self.on_chosen_watermark(from, m, fx),
            ToReplica::FetchB(m) => self.on_fetch_b(from, m, fx),
            ToReplica::Query(m) => self.on_query(m, fx),
        }
        self.check_invariants();
    }

    /// Takes one timer.
    pub fn on_timer(&mut self, timer: ReplicaTimer, fx: &mut Fx) {
        match timer {
            ReplicaTimer::Fetch => self.on_fetch_timer(fx),
        }
    }

    /// Executes the value if it is next, else keeps it until it is.
    fn on_chosen(&mut self, m: Chosen, fx: &mut Fx) {
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
        self.surroundings.peers = m.archives.into_iter().filter(|peer| *peer != own).collect();
        self.chosen_watermark = self.chosen_watermark.max(m.watermark);
        if self.executed_watermark < self.chosen_watermark {
            self.arm_fetch(fx);
        }
    }

    /// Executes what was missing, and asks on for as long as there is more.
    fn on_fetch_b(&mut self, from: NodeId, m: FetchB, fx: &mut Fx) {
        let is_new = m.first.plus(m.values.len() as u64) > self.executed_watermark;
        for (slot, value) in (m.first.0..).map(Slot).zip(m.values) {
            if slot == self.executed_watermark {
                self.execute(value, fx);
            }
        }
        self.execute_buffered(fx);
        if is_new {
            return self.fetch_from(from, fx);
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

    fn arm_fetch(&mut self, fx: &mut Fx) {
        if !self.is_fetching {
            self.is_fetching = true;
            fx.set_timer(ReplicaTimer::Fetch, FETCH_DELAY);
        }
    }

    fn fetch_from(&mut self, source: NodeId, fx: &mut Fx) {
        const ANSWER_DELAY: Range<Duration> =
            Duration::from_millis(200)..Duration::from_millis(300);
        self.is_fetching = true;
        self.fetch_count += 1;
        let m = FetchA { first: self.executed_watermark };
        fx.sends.push((source, FromReplica::FetchA(m)));
        fx.set_timer(ReplicaTimer::Fetch, ANSWER_DELAY);
    }

    fn execute_buffered(&mut self, fx: &mut Fx) {
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
    fn execute(&mut self, value: Value, fx: &mut Fx) {
        let slot = self.executed_watermark;
        let submissions = value.submissions().unwrap_or_else(|error| {
            fx.violation("A5 vote validity", format!("slot {slot} holds no batch: {error}"));
            Vec::new()
        });
        let mut index = 0;
        for submission in &submissions {
            let machine = &mut self.machine;
            let outcome = self.sessions.execute(submission, |command| {
                let position = Position { slot, index };
                index += 1;
                Payload(machine.apply(position, &command.0))
            });
            let session = submission.session;
            if session.node == self.surroundings.session && !outcome.replies.is_empty() {
                let m = Executed { session, first: outcome.first, replies: outcome.replies };
                fx.sends.push((session.node, FromReplica::Executed(m)));
            }
        }
        self.executed_watermark = slot.next();
        fx.sends.push((self.surroundings.archive, FromReplica::Store(Store { slot, value })));
        self.answer_queries(fx);
    }

    fn answer_queries(&mut self, fx: &mut Fx) {
        while let Some(entry) = self.queries.first_entry() {
            if *entry.key() > self.executed_watermark {
                break;
            }
            for (token, query) in entry.remove() {
                self.answer(token, &query, fx);
            }
        }
    }

    fn answer(&self, token: u64, query: &Payload, fx: &mut Fx) {
        let answer = self.machine.query(&query.0).map(Payload);
        fx.sends
            .push((self.surroundings.session, FromReplica::Answered(Answered { token, answer })));
    }

    fn check_invariants(&self) {
        if let Some((slot, _)) = self.buffered.first_key_value() {
            assert!(*slot > self.executed_watermark, "slot {slot} waits for nothing");
        }
        if let Some((slot, _)) = self.queries.first_key_value() {
            assert!(*slot > self.executed_watermark, "a read at {slot} waits for nothing");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::{Incarnation, Seat};
    use crate::command::{SessionId, Submission};
    use bytes::Bytes;

    #[derive(Clone, Debug, Default)]
    struct Journal(Vec<u8>);

    impl StateMachine for Journal {
        fn apply(&mut self, _: Position, command: &Bytes) -> Bytes {
            self.0.extend_from_slice(command);
            Bytes::copy_from_slice(&self.0)
        }

        fn query(&self, query: &Bytes) -> Option<Bytes> {
            (query != "through the log").then(|| Bytes::copy_from_slice(&self.0))
        }
    }

    fn node(seat: u32) -> NodeId {
        NodeId::new(Seat(seat), Incarnation(1))
    }

    fn replica() -> Replica<Journal> {
        let surroundings =
            Surroundings { archive: node(1), session: node(2), peers: vec![node(3), node(4)] };
        Replica::new(surroundings, Journal::default())
    }

    fn value(session: u32, first: u64, text: &'static str) -> Value {
        let session = SessionId { node: node(session), life: 1 };
        let commands = vec![Payload::new(text.as_bytes())];
        Value::batch(&vec![Submission { session, first, acknowledged: 0, commands }])
    }

    fn step(replica: &mut Replica<Journal>, message: impl Into<ToReplica>) -> Fx {
        let mut fx = Fx::new();
        replica.on_message(node(9), message.into(), &mut fx);
        fx
    }

    fn chosen(slot: u64, value: Value) -> Chosen {
        Chosen { slot: Slot(slot), value }
    }

    fn chosen_watermark(slot: u64) -> ChosenWatermark {
        ChosenWatermark { watermark: Slot(slot), archives: [node(3), node(4)].into() }
    }

    fn executed(first: u64, text: &'static str) -> (NodeId, FromReplica) {
        let session = SessionId { node: node(2), life: 1 };
        let replies = vec![Payload::new(text.as_bytes())];
        (node(2), FromReplica::Executed(Executed { session, first, replies }))
    }

    fn stored(slot: u64, value: Value) -> (NodeId, FromReplica) {
        (node(1), FromReplica::Store(Store { slot: Slot(slot), value }))
    }

    #[test]
    fn values_are_executed_in_slot_order_and_only_the_own_session_is_answered() {
        let mut replica = replica();
        let (a, b) = (value(2, 0, "a"), value(7, 0, "b"));
        let fx = step(&mut replica, chosen(1, b.clone()));
        assert!(fx.sends.is_empty());
        let fx = step(&mut replica, chosen(0, a.clone()));
        assert_eq!(fx.sends, vec![executed(0, "a"), stored(0, a), stored(1, b)]);
        assert_eq!(replica.machine().0, b"ab");
    }

    #[test]
    fn a_read_waits_for_what_the_leader_knew() {
        let mut replica = replica();
        let query = Payload::new(&b"all"[..]);
        let fx = step(&mut replica, Query { token: 5, watermark: Slot(1), query });
        assert!(fx.is_empty());
        let fx = step(&mut replica, chosen(0, value(7, 0, "a")));
        let answer = Some(Payload::new(&b"a"[..]));
        let answered = (node(2), FromReplica::Answered(Answered { token: 5, answer }));
        assert_eq!(fx.sends.last(), Some(&answered));
    }

    #[test]
    fn a_gap_is_fetched_from_one_after_the_other() {
        let mut replica = replica();
        step(&mut replica, FetchB { first: Slot(0), values: vec![] });
        let fx = step(&mut replica, chosen_watermark(2));
        assert_eq!(fx.timers.len(), 1);
        let mut asked = Vec::new();
        for _ in 0..3 {
            let mut fx = Fx::new();
            replica.on_timer(ReplicaTimer::Fetch, &mut fx);
            asked.push(fx.sends[0].0);
        }
        asked.sort();
        assert_eq!(asked, vec![node(3), node(4), node(9)]);
        let values = vec![value(2, 0, "a"), value(2, 1, "b")];
        step(&mut replica, FetchB { first: Slot(0), values });
        assert_eq!(replica.executed_watermark(), Slot(2));
    }
}
