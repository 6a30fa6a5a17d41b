//! The session: takes the calls of the application, and brings each to an end.
//!
//! Commands are numbered in the order of their invocation and handed to the leader, many at a time;
//! the replica beside the session returns their replies in the same order. After a change of the
//! leader, or when nothing moves for a while, the session starts over from its first unanswered
//! command: replicas execute each number once. Reads do not enter the log: the leader tells from
//! which slot on they are linearizable, and the replica answers them.
//!
//! Every call gets one outcome within the request timeout. A command that was handed to a leader and
//! then timed out is reported as ambiguous, and stays in its place until its fate is known, because
//! later commands of the session are executed after it.
//!
//! *Paper*: the client of Matchmaker Paxos, section 4.2; windows and reads are our own.
//!
//! *Durable*: the count of lives, before the first command of a life leaves. The calls are not: they
//! die with the process, like the connections that made them.

mod options;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::actor::{NodeId, Outbox, Role};
use crate::command::{SessionId, Submission};
use crate::message::{
    Answered, Executed, Invoke, Leading, Operation, Outcome, Query, ReadIndexA, ReadIndexB,
    Request, RequestError, Return, ToSession,
};
use crate::mutant::{self, Mutant};
use crate::round::Round;
use crate::wire::{Decode, Encode, Payload};

pub use options::{SessionLoad, SessionOptions};

/// A durable fact of a session: how often it was started.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct SessionRecord {
    /// Counts from one.
    pub life: u64,
}

/// A timer of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SessionTimer {
    /// Start over if nothing moved since it was set.
    Retry,
    /// Report calls that are older than one period as failed.
    Expire,
}

/// What a session says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToOthers {
    /// To the leader.
    Request(Request),
    /// To the leader.
    ReadIndexA(ReadIndexA),
    /// To the replica of the same process.
    Query(Query),
    /// To the application.
    Return(Return),
}

/// A command that has its number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Numbered {
    /// The call, until it is answered: it may be reported as ambiguous before it is executed.
    token: Option<u64>,
    command: Payload,
}

/// A call that waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Call {
    token: u64,
    payload: Payload,
}

/// What waits for the leader, first in line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Mark {
    command: Option<u64>,
    question: Option<u64>,
}

impl Mark {
    /// Whether the same command or the same question was first in line then. Either alone is enough:
    /// commands that move on say nothing of a question that was lost, nor the other way round.
    fn has_stalled_since(&self, earlier: &Self) -> bool {
        (self.command.is_some() && self.command == earlier.command)
            || (self.question.is_some() && self.question == earlier.question)
    }
}

/// The state of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    /// This actor.
    node: NodeId,
    /// The replica of the same process.
    replica: NodeId,
    /// Where outcomes go.
    application: NodeId,
    options: SessionOptions,
    /// Counts the starts. Durable.
    life: u64,
    /// The round of the leader, if one was heard of.
    leader: Option<Round>,
    /// Grows each time the session starts over.
    attempt: u64,
    /// Commands in number order; the first has number `first`.
    window: VecDeque<Numbered>,
    /// The number of the first command without a reply.
    first: u64,
    /// Exclusive; commands below were handed to the leader in this attempt.
    sent: u64,
    /// Size of the window in bytes.
    window_bytes: usize,
    /// Commands without a number.
    queue: VecDeque<Call>,
    /// Size of the queued commands and of all unanswered reads, in bytes.
    queue_bytes: usize,
    /// Reads that the leader was not asked about.
    reads: Vec<Call>,
    /// Reads that the leader was asked about, by question.
    questions: BTreeMap<u64, Vec<Call>>,
    /// Counts the questions, those of each life above those of all earlier ones: an answer to an
    /// earlier life, late or repeated, must not answer a question of this one.
    nonce: u64,
    /// Reads that are with the replica, and their size in bytes.
    queries: BTreeMap<u64, usize>,
    /// Calls below this token are older than one expiry period.
    expiry_token: u64,
    /// One above the largest token seen.
    next_token: u64,
    /// The number and the question that were first in line when the retry timer was set.
    retry_mark: Mark,
    /// Whether the replica beside it takes no part any more: nothing can be answered.
    is_quarantined: bool,
    /// Which timers are armed.
    armed: BTreeSet<SessionTimer>,
}

impl Role for Session {
    type Message = ToOthers;
    type Timer = SessionTimer;
    type Record = SessionRecord;
}

impl Session {
    /// A session at `node` that answers `application`, beside `replica`.
    pub fn new(
        node: NodeId,
        replica: NodeId,
        application: NodeId,
        options: SessionOptions,
    ) -> Self {
        Self {
            node,
            replica,
            application,
            options,
            life: 0,
            leader: None,
            attempt: 0,
            window: VecDeque::new(),
            first: 0,
            sent: 0,
            window_bytes: 0,
            queue: VecDeque::new(),
            queue_bytes: 0,
            reads: Vec::new(),
            questions: BTreeMap::new(),
            nonce: 0,
            queries: BTreeMap::new(),
            expiry_token: 0,
            next_token: 0,
            retry_mark: Mark::default(),
            is_quarantined: false,
            armed: BTreeSet::new(),
        }
    }

    /// Folds one durable record.
    pub fn restore(&mut self, record: SessionRecord) {
        self.life = self.life.max(record.life);
    }

    /// The least list of records with the same fold.
    pub fn checkpoint(&self) -> Vec<SessionRecord> {
        (self.life > 0).then_some(SessionRecord { life: self.life }).into_iter().collect()
    }

    /// Begins a new life.
    pub fn on_start(&mut self, fx: &mut impl Outbox<Self>) {
        let record = SessionRecord { life: self.life + 1 };
        fx.record(record.clone());
        self.restore(record);
        self.nonce = if mutant::is_on(Mutant::QuestionsRestart) { 0 } else { self.life << 32 };
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: ToSession, fx: &mut impl Outbox<Self>) {
        match message {
            ToSession::Invoke(m) => self.on_invoke(m, fx),
            ToSession::Leading(m) => self.on_leading(from, m),
            ToSession::Executed(m) => self.on_executed(m, fx),
            ToSession::ReadIndexB(m) => self.on_read_index_b(m, fx),
            ToSession::Answered(m) => self.on_answered(m, fx),
            ToSession::Quarantined(_) => self.on_quarantined(fx),
        }
        self.check_invariants();
    }

    /// Takes one timer.
    pub fn on_timer(&mut self, timer: SessionTimer, fx: &mut impl Outbox<Self>) {
        self.armed.remove(&timer);
        match timer {
            SessionTimer::Retry => self.on_retry(),
            SessionTimer::Expire => self.on_expire(fx),
        }
        self.check_invariants();
    }

    /// Hands over what has a place in the window, and asks about the reads of the turn.
    pub fn on_turn_end(&mut self, fx: &mut impl Outbox<Self>) {
        if self.is_quarantined {
            return;
        }
        if let Some(leader) = self.leader {
            self.fill_window();
            self.send_window(leader.owner, fx);
            self.ask(leader.owner, fx);
        }
        if self.is_waiting_for_leader() && self.armed.insert(SessionTimer::Retry) {
            self.retry_mark = self.mark();
            fx.set_timer(SessionTimer::Retry, self.options.retry.clone());
        }
        if self.call_count() > 0 && self.armed.insert(SessionTimer::Expire) {
            self.expiry_token = self.next_token;
            let period = self.options.request_timeout / 2;
            fx.set_timer(SessionTimer::Expire, period..period);
        }
    }

    /// Queues a call, or fails it at once if there is no room.
    fn on_invoke(&mut self, m: Invoke, fx: &mut impl Outbox<Self>) {
        self.next_token = self.next_token.max(m.token.saturating_add(1));
        if self.is_quarantined {
            return self.fail(m.token, RequestError::Quarantined, fx);
        }
        let (Operation::Propose(payload) | Operation::Read(payload)) = &m.operation;
        let is_full = self.queued_count() >= self.options.queue_max
            || self.queue_bytes + payload.len() > self.options.queue_bytes_max;
        let is_cross = self.attempt > 1 && mutant::is_on(Mutant::RefuseAfterRetry);
        if is_full || is_cross {
            return self.fail(m.token, RequestError::Overloaded, fx);
        }
        self.queue_bytes += payload.len();
        match m.operation {
            Operation::Propose(payload) => {
                self.queue.push_back(Call { token: m.token, payload });
            }
            Operation::Read(payload) => self.reads.push(Call { token: m.token, payload }),
        }
    }

    /// Starts over with a new leader. One that only took the next step of its own round has lost
    /// nothing.
    fn on_leading(&mut self, from: NodeId, m: Leading) {
        if self.leader.is_some_and(|leader| m.round <= leader) || m.round.owner != from {
            return;
        }
        let is_same = self
            .leader
            .is_some_and(|leader| (leader.number, leader.owner) == (m.round.number, m.round.owner));
        self.leader = Some(m.round);
        if !is_same {
            self.start_over();
        }
    }

    /// Returns replies, in order. Those of earlier lives or of repeated slots are ignored.
    fn on_executed(&mut self, m: Executed, fx: &mut impl Outbox<Self>) {
        let is_own = m.session == (SessionId { node: self.node, life: self.life });
        if !is_own && !mutant::is_on(Mutant::EarlierRepliesCount) {
            return;
        }
        for (sequence, reply) in (m.first..).zip(m.replies) {
            if sequence != self.first {
                continue;
            }
            let Some(numbered) = self.window.pop_front() else { return };
            self.first += 1;
            self.sent = self.sent.max(self.first);
            self.window_bytes -= numbered.command.len();
            if let Some(token) = numbered.token {
                self.finish(token, Outcome::Done(reply), fx);
            }
        }
    }

    fn on_read_index_b(&mut self, m: ReadIndexB, fx: &mut impl Outbox<Self>) {
        for call in self.questions.remove(&m.nonce).unwrap_or_default() {
            self.queries.insert(call.token, call.payload.len());
            let query = Query { token: call.token, watermark: m.watermark, query: call.payload };
            fx.send(self.replica, ToOthers::Query(query));
        }
    }

    fn on_answered(&mut self, m: Answered, fx: &mut impl Outbox<Self>) {
        if let Some(size_bytes) = self.queries.remove(&m.token) {
            self.queue_bytes -= size_bytes;
            let outcome = m.answer.map_or(Outcome::NeedsLog, Outcome::Done);
            self.finish(m.token, outcome, fx);
        }
    }

    /// Fails every call, and all that come: the replica will not answer. Commands that were handed to a
    /// leader may be executed elsewhere.
    ///
    /// *Repeat*: ignored.
    fn on_quarantined(&mut self, fx: &mut impl Outbox<Self>) {
        if std::mem::replace(&mut self.is_quarantined, true) {
            return;
        }
        let numbered = std::mem::take(&mut self.window).into_iter().filter_map(|one| one.token);
        let handed_over = numbered.map(|token| (token, RequestError::Ambiguous));
        let questions = std::mem::take(&mut self.questions).into_values().flatten();
        let waiting = std::mem::take(&mut self.queue).into_iter();
        let waiting = waiting.chain(std::mem::take(&mut self.reads)).chain(questions);
        let queries = std::mem::take(&mut self.queries).into_keys();
        let without_effect = waiting.map(|call| call.token).chain(queries);
        let without_effect = without_effect.map(|token| (token, RequestError::Quarantined));
        let failed: Vec<(u64, RequestError)> = handed_over.chain(without_effect).collect();
        (self.window_bytes, self.queue_bytes, self.sent) = (0, 0, self.first);
        for (token, error) in failed {
            self.fail(token, error, fx);
        }
    }

    fn on_retry(&mut self) {
        if self.mark().has_stalled_since(&self.retry_mark) {
            self.start_over();
        }
    }

    /// Fails what is older than one period.
    fn on_expire(&mut self, fx: &mut impl Outbox<Self>) {
        let limit = self.expiry_token;
        let mut failed = Vec::new();
        for numbered in &mut self.window {
            if numbered.token.is_some_and(|token| token < limit) {
                failed.extend(numbered.token.take().map(|token| (token, RequestError::Ambiguous)));
            }
        }
        let mut expired = Vec::new();
        while self.queue.front().is_some_and(|call| call.token < limit) {
            expired.extend(self.queue.pop_front());
        }
        for calls in self.questions.values_mut().chain([&mut self.reads]) {
            expired.extend(calls.extract_if(.., |call| call.token < limit));
        }
        self.questions.retain(|_, calls| !calls.is_empty());
        self.queue_bytes -= expired.iter().map(|call| call.payload.len()).sum::<usize>();
        failed.extend(expired.iter().map(|call| (call.token, RequestError::Unavailable)));
        let rest = self.queries.split_off(&limit);
        let queries = std::mem::replace(&mut self.queries, rest);
        self.queue_bytes -= queries.values().sum::<usize>();
        failed.extend(queries.into_keys().map(|token| (token, RequestError::Unavailable)));
        for (token, error) in failed {
            self.fail(token, error, fx);
        }
    }

    fn start_over(&mut self) {
        self.attempt += 1;
        if mutant::is_on(Mutant::RetryUnderNewLife) {
            (self.life, self.first) = (self.life + 1, 0);
        }
        self.sent = self.first;
        for (_, calls) in std::mem::take(&mut self.questions) {
            self.reads.extend(calls);
        }
    }

    fn fill_window(&mut self) {
        while self.window.len() < self.options.window_max
            && self.window_bytes < self.options.window_bytes_max
        {
            let Some(Call { token, payload }) = self.queue.pop_front() else { return };
            if !mutant::is_on(Mutant::QueueBytesKept) {
                self.queue_bytes -= payload.len();
            }
            self.window_bytes += payload.len();
            self.window.push_back(Numbered { token: Some(token), command: payload });
        }
    }

    fn send_window(&mut self, leader: NodeId, fx: &mut impl Outbox<Self>) {
        let session = SessionId { node: self.node, life: self.life };
        let end = self.first + self.window.len() as u64;
        while self.sent < end {
            let first = self.sent;
            let mut commands = Vec::new();
            let mut request_bytes = 0;
            let unsent = self.window.range((first - self.first) as usize..);
            for Numbered { command, .. } in unsent {
                request_bytes += command.len();
                if request_bytes > self.options.request_bytes_max && !commands.is_empty() {
                    break;
                }
                commands.push(command.clone());
            }
            self.sent += commands.len() as u64;
            let submission = Submission { session, first, acknowledged: self.first, commands };
            let request = Request { attempt: self.attempt, submission };
            fx.send(leader, ToOthers::Request(request));
        }
    }

    fn ask(&mut self, leader: NodeId, fx: &mut impl Outbox<Self>) {
        if self.reads.is_empty() || self.questions.len() >= self.options.questions_max {
            return;
        }
        self.nonce += 1;
        self.questions.insert(self.nonce, std::mem::take(&mut self.reads));
        fx.send(leader, ToOthers::ReadIndexA(ReadIndexA { nonce: self.nonce }));
    }

    fn fail(&self, token: u64, error: RequestError, fx: &mut impl Outbox<Self>) {
        self.finish(token, Outcome::Failed(error), fx);
    }

    fn finish(&self, token: u64, outcome: Outcome, fx: &mut impl Outbox<Self>) {
        fx.send(self.application, ToOthers::Return(Return { token, outcome }));
    }

    fn is_waiting_for_leader(&self) -> bool {
        !self.window.is_empty() || !self.questions.is_empty()
    }

    /// What is first in line: it moves when the leader answers.
    fn mark(&self) -> Mark {
        Mark {
            command: (!self.window.is_empty()).then_some(self.first),
            question: self.questions.first_key_value().map(|(nonce, _)| *nonce),
        }
    }

    /// What it holds at present.
    pub fn load(&self) -> SessionLoad {
        SessionLoad {
            window_count: self.window.len(),
            window_bytes: self.window_bytes,
            queue_count: self.queued_count(),
            queue_bytes: self.queue_bytes,
        }
    }

    fn queued_count(&self) -> usize {
        let asked: usize = self.questions.values().map(Vec::len).sum();
        self.queue.len() + self.reads.len() + asked + self.queries.len()
    }

    fn call_count(&self) -> usize {
        self.window.len() + self.queued_count()
    }

    fn check_invariants(&self) {
        let end = self.first + self.window.len() as u64;
        assert!((self.first..=end).contains(&self.sent), "{} is not in the window", self.sent);
    }
}

#[cfg(test)]
mod tests;
