//! The session: takes the calls of the application, and brings each to an end.
//!
//! Commands are numbered and handed to a proposer, whichever one; each is answered for itself, in whatever
//! order they are executed. One that is not answered for a while is handed to the next proposer: replicas
//! execute each number once. A read is a command as well: it is ordered only among the commands that write
//! what it reads.
//!
//! Two commands of one session that conflict and are in flight together may be executed in either order.
//! Who needs the one after the other invokes it when the first has returned.
//!
//! Proposers come and go: those that show themselves are asked, and those that were known before only for
//! a trial, or while none does.
//!
//! *Paper*: Bipartisan Paxos, clients.
//!
//! *Durable*: the count of lives, before the first command of a life leaves. The calls are not: they die
//! with the process, like the connections that made them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use paxos::actor::{Effects, NodeId};
use paxos::command::SessionId;
use paxos::message::{Invoke, Operation, Outcome, RequestError, Return};
use paxos::session::SessionRecord;
use paxos::wire::Payload;

use crate::column::COLUMNS_MAX;
use crate::command::Command;
use crate::message::{Executed, Message, Request, ToSession};

/// Periods of `retry` without a sign of a proposer after which it is asked no more.
const SILENCE_MAX: u32 = 8;

/// Once in so many periods those that are silent are asked as well: who leads no column shows no sign.
const TRIAL: usize = 16;

/// The limits and periods of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionOptions {
    /// The proposer that commands are handed to as long as it answers in time, such as that of the same
    /// process. If none is named, sessions begin with different ones.
    pub nearest: Option<NodeId>,
    /// Commands handed to proposers and not answered, at most; beyond that a call fails at once as
    /// overloaded.
    pub window_max: usize,
    /// Periods of `retry` after which a command that is not answered is reported as ambiguous.
    pub patience: u32,
    /// What is not answered for one to two such periods is handed to the next proposer.
    pub retry: Range<Duration>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        let retry = Duration::from_millis(250)..Duration::from_millis(350);
        Self { nearest: None, window_max: 16_384, patience: 16, retry }
    }
}

/// A timer of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SessionTimer {
    /// Hand over again what is not answered.
    Retry,
}

/// A command without a reply.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pending {
    /// The call; none once it was reported as ambiguous.
    token: Option<u64>,
    payload: Payload,
    /// Periods that it has waited.
    age: u32,
}

/// The state of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    node: NodeId,
    application: NodeId,
    /// Proposers that it knew from the beginning.
    proposers: BTreeSet<NodeId>,
    /// Proposers that have shown themselves, and for how many periods they have not.
    heard: BTreeMap<NodeId, u32>,
    options: SessionOptions,
    /// Counts the starts. Durable.
    life: u64,
    /// The number of the next command.
    next: u64,
    pending: BTreeMap<u64, Pending>,
    /// How often it has turned to another proposer.
    turn: usize,
}

type Fx = Effects<Message, SessionTimer, SessionRecord>;

impl Session {
    /// A session at `node` that was never started.
    pub fn new(
        node: NodeId,
        application: NodeId,
        proposers: BTreeSet<NodeId>,
        options: SessionOptions,
    ) -> Self {
        let (heard, pending) = (BTreeMap::new(), BTreeMap::new());
        Self { node, application, proposers, heard, options, life: 0, next: 0, pending, turn: 0 }
    }

    /// Folds one durable record.
    pub fn restore(&mut self, record: SessionRecord) {
        self.life = self.life.max(record.life);
    }

    /// The least list of records with the same fold.
    pub fn checkpoint(&self) -> Vec<SessionRecord> {
        (self.life > 0).then_some(SessionRecord { life: self.life }).into_iter().collect()
    }

    /// Begins a life.
    pub fn on_start(&mut self, fx: &mut Fx) {
        self.life += 1;
        fx.record(SessionRecord { life: self.life });
        fx.set_timer(SessionTimer::Retry, self.options.retry.clone());
    }

    /// Takes one message.
    pub fn on_message(&mut self, message: ToSession, fx: &mut Fx) {
        match message {
            ToSession::Invoke(m) => self.on_invoke(m, fx),
            ToSession::Executed(m) => self.on_executed(m, fx),
        }
    }

    /// A proposer shows that it leads some column: commands can be handed to it, whether or not it was
    /// there when this session began.
    pub fn on_leading(&mut self, from: NodeId) {
        if self.heard.len() < COLUMNS_MAX || self.heard.contains_key(&from) {
            self.heard.insert(from, 0);
        }
    }

    /// Takes one timer.
    pub fn on_timer(&mut self, timer: SessionTimer, fx: &mut Fx) {
        match timer {
            SessionTimer::Retry => self.on_retry(fx),
        }
    }

    fn on_invoke(&mut self, m: Invoke, fx: &mut Fx) {
        if self.pending.len() >= self.options.window_max {
            let outcome = Outcome::Failed(RequestError::Overloaded);
            return fx.send(self.application, Return { token: m.token, outcome });
        }
        let (Operation::Propose(payload) | Operation::Read(payload)) = m.operation;
        let number = self.next;
        self.next += 1;
        self.pending.insert(number, Pending { token: Some(m.token), payload, age: 0 });
        self.submit(number, fx);
    }

    /// *Repeat*: the call has returned.
    fn on_executed(&mut self, m: Executed, fx: &mut Fx) {
        if m.session != self.id() {
            return;
        }
        let Some(pending) = self.pending.remove(&m.number) else { return };
        if let Some(token) = pending.token {
            fx.send(self.application, Return { token, outcome: Outcome::Done(m.reply) });
        }
    }

    /// Hands what has waited for a whole period to the next proposer, and all that comes after it. It stays
    /// in its place until its fate is known, even if the caller was told that it may never be.
    fn on_retry(&mut self, fx: &mut Fx) {
        self.heard.retain(|_, age| {
            *age += 1;
            *age <= SILENCE_MAX
        });
        let mut late = Vec::new();
        for (number, pending) in &mut self.pending {
            pending.age = pending.age.saturating_add(1);
            if pending.age > 1 {
                late.push(*number);
            }
            if pending.age > self.options.patience
                && let Some(token) = pending.token.take()
            {
                let outcome = Outcome::Failed(RequestError::Ambiguous);
                fx.send(self.application, Return { token, outcome });
            }
        }
        self.turn = self.turn.wrapping_add(usize::from(!late.is_empty()));
        late.into_iter().for_each(|number| self.submit(number, fx));
        fx.set_timer(SessionTimer::Retry, self.options.retry.clone());
    }

    fn submit(&self, number: u64, fx: &mut Fx) {
        let Some(pending) = self.pending.get(&number) else { return };
        let acknowledged = self.pending.first_key_value().map_or(self.next, |(first, _)| *first);
        let payload = pending.payload.clone();
        let command = Command { session: self.id(), number, acknowledged, payload };
        let proposers = self.present();
        let nearest =
            proposers.iter().position(|proposer| Some(**proposer) == self.options.nearest);
        let first = nearest.unwrap_or(self.node.seat.0 as usize);
        let turn = first.wrapping_add(self.turn);
        if let Some(proposer) = proposers.get(turn % proposers.len().max(1)) {
            fx.send(**proposer, Request { command });
        }
    }

    /// Whom commands are handed to at present.
    fn present(&self) -> Vec<&NodeId> {
        let is_trial = self.heard.is_empty() || self.turn.is_multiple_of(TRIAL);
        let silent = self.proposers.iter().filter(|node| !self.heard.contains_key(node));
        self.heard.keys().chain(silent.filter(|_| is_trial)).collect()
    }

    fn id(&self) -> SessionId {
        SessionId { node: self.node, life: self.life }
    }
}

#[cfg(test)]
mod tests;
