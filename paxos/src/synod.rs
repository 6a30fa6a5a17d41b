//! Single-decree Paxos: a proposer that gets one value chosen by a fixed configuration.
//!
//! ```text
//!            propose              quorum of Phase1B         quorum of Phase2B
//!   Idle ──────────────► Phase1 ─────────────────► Phase2 ─────────────────► Chosen
//!                          ▲  │ Nack                 │ Nack
//!                    Retry │  ▼                      │
//!                         Beaten ◄───────────────────┘
//! ```
//!
//! Any number of proposers may propose at the same time: at most one value is ever chosen, and each
//! proposer that gets an answer gets that one, its own or not. Proposers that cross each other back
//! off for a random time, longer with each defeat, so that one of them comes through.
//!
//! The acceptors are the [acceptors](crate::acceptor) of the log; a decree is the first slot of a log
//! that has no other.
//!
//! *Paper*: Matchmaker Paxos, section 2.2 (Paxos); chooses the successor of a set of matchmakers in
//! section 5.
//!
//! *Durable*: a round before its first message, so that no restart uses it again. The value is not:
//! whoever wants it chosen proposes it again.

use std::ops::Range;
use std::time::Duration;

use crate::actor::{Effects, NodeId};
use crate::command::Value;
use crate::configuration::Configuration;
use crate::message::{FromAcceptor, Nack, Phase1A, Phase1B, Phase2A, Phase2B, ToAcceptor, Vote};
use crate::quorum::MemberSet;
use crate::round::Round;
use crate::slot::Slot;
use crate::wire::{Decode, Encode};

/// The one slot of a decree.
const SLOT: Slot = Slot::ZERO;

/// The back-off cannot be doubled more often than this, whatever the options say.
const DOUBLINGS_MAX: u32 = 20;

/// A durable fact of a proposer: the highest round that it has used.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct SynodRecord {
    /// No restart uses this round or a lower one again.
    pub used: Round,
}

/// A timer of a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SynodTimer {
    /// Send again what was not answered.
    Resend,
    /// Try again after a defeat.
    Retry,
}

/// The periods of a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SynodOptions {
    /// What is not answered for this long is sent again.
    pub resend: Range<Duration>,
    /// How long to wait after the first defeat. Doubles with each further one.
    pub backoff: Range<Duration>,
    /// How often that doubles at most.
    pub backoff_doublings_max: u32,
}

impl Default for SynodOptions {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self { resend: ms(60)..ms(90), backoff: ms(10)..ms(40), backoff_doublings_max: 6 }
    }
}

/// How far a proposer is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Wants nothing.
    Idle,
    /// Learns what lower rounds may have chosen.
    Phase1 {
        /// What to propose if they have chosen nothing.
        own: Value,
        /// Who promised.
        promises: MemberSet,
        /// The vote of the highest round among the promises.
        highest: Option<(Round, Value)>,
    },
    /// Gets `value` chosen.
    Phase2 {
        /// What to propose in a higher round if that turns out to be free.
        own: Value,
        /// What this round proposes.
        value: Value,
        /// Who voted for it.
        votes: MemberSet,
    },
    /// Met a higher round, and waits.
    Beaten {
        /// What to propose then.
        own: Value,
    },
    /// Knows the one value.
    Chosen(Value),
}

/// The state of a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Synod {
    /// This actor; owner of its rounds.
    node: NodeId,
    configuration: Configuration,
    options: SynodOptions,
    /// The highest round that this proposer has used: the present one, if it is in a round. Durable.
    used: Round,
    /// The highest round heard of.
    seen: Round,
    /// Defeats since the value was proposed.
    defeat_count: u32,
    phase: Phase,
}

type Fx = Effects<ToAcceptor, SynodTimer, SynodRecord>;

impl Synod {
    /// A proposer at `node` that wants nothing of the acceptors in `configuration`.
    pub fn new(node: NodeId, configuration: Configuration, options: SynodOptions) -> Self {
        Self {
            node,
            configuration,
            options,
            used: Round::ZERO,
            seen: Round::ZERO,
            defeat_count: 0,
            phase: Phase::Idle,
        }
    }

    /// The value that was chosen, once this proposer knows it. It never changes.
    pub fn chosen(&self) -> Option<&Value> {
        match &self.phase {
            Phase::Chosen(value) => Some(value),
            Phase::Idle | Phase::Phase1 { .. } | Phase::Phase2 { .. } | Phase::Beaten { .. } => {
                None
            }
        }
    }

    /// Folds one durable record.
    pub fn restore(&mut self, record: SynodRecord) {
        self.used = self.used.max(record.used);
        self.seen = self.seen.max(record.used);
    }

    /// The least list of records with the same fold.
    pub fn checkpoint(&self) -> Vec<SynodRecord> {
        let used = (self.used > Round::ZERO).then_some(SynodRecord { used: self.used });
        used.into_iter().collect()
    }

    /// Tries to get `value` chosen, for as long as it takes to get some value chosen.
    ///
    /// *Repeat*: ignored, whatever the value: a proposer wants one value until it knows the outcome.
    pub fn propose(&mut self, value: Value, fx: &mut Fx) {
        if self.phase == Phase::Idle {
            self.start_phase1(value, fx);
        }
        self.check_invariants();
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: FromAcceptor, fx: &mut Fx) {
        match message {
            FromAcceptor::Phase1B(m) => self.on_phase1b(from, *m, fx),
            FromAcceptor::Phase2B(m) => self.on_phase2b(from, &m, fx),
            FromAcceptor::Nack(m) => self.on_nack(&m, fx),
            // A decree is read by proposing, is never archived, and has no leader to look after.
            FromAcceptor::ReadB(_) | FromAcceptor::PersistedB(_) | FromAcceptor::ProbeB(_) => {}
        }
        self.check_invariants();
    }

    /// Takes one timer.
    pub fn on_timer(&mut self, timer: SynodTimer, fx: &mut Fx) {
        match timer {
            SynodTimer::Resend => self.on_resend(fx),
            SynodTimer::Retry => self.on_retry(fx),
        }
        self.check_invariants();
    }

    /// Asks all acceptors to promise a round above all that was heard of.
    fn start_phase1(&mut self, own: Value, fx: &mut Fx) {
        let used = Round::first_above(self.seen.max(self.used), self.node);
        assert!(used > self.used, "{used} was used before: {}", self.used);
        self.write(SynodRecord { used }, fx);
        self.phase = Phase::Phase1 { own, promises: MemberSet::EMPTY, highest: None };
        fx.broadcast(self.configuration.members(), Phase1A { round: self.used, first: SLOT });
        fx.set_timer(SynodTimer::Resend, self.options.resend.clone());
    }

    /// Counts a promise and keeps the vote of the highest round.
    fn on_phase1b(&mut self, from: NodeId, m: Phase1B, fx: &mut Fx) {
        let Phase::Phase1 { promises, highest, .. } = &mut self.phase else { return };
        let Some(position) = self.configuration.position(from) else { return };
        if m.round != self.used || m.first != SLOT {
            return;
        }
        if m.persisted_watermark > SLOT {
            return Self::report_dropped_decree(from, fx);
        }
        if let Some(Vote { round, value, .. }) = m.votes.into_iter().find(|vote| vote.slot == SLOT)
        {
            if round >= m.round {
                let detail = format!("{from} voted in {round} before anything was proposed");
                return fx.violation("A5 vote validity", detail);
            }
            match highest {
                Some((known, other)) if *known == round && *other != value => {
                    let detail = format!("{round} has two values");
                    return fx.violation("A3 one value per round", detail);
                }
                Some((known, _)) if *known >= round => {}
                Some(_) | None => *highest = Some((round, value)),
            }
        }
        promises.insert(position);
        if self.configuration.is_phase1(*promises) {
            self.start_phase2(fx);
        }
    }

    /// Proposes what may have been chosen below, or else the own value.
    fn start_phase2(&mut self, fx: &mut Fx) {
        let Phase::Phase1 { own, highest, .. } = &mut self.phase else { return };
        let value = highest.take().map_or_else(|| own.clone(), |(_, value)| value);
        let m = Phase2A { round: self.used, slot: SLOT, value: value.clone() };
        self.phase = Phase::Phase2 { own: own.clone(), value, votes: MemberSet::EMPTY };
        fx.broadcast(self.configuration.members(), m);
        fx.set_timer(SynodTimer::Resend, self.options.resend.clone());
    }

    /// Counts a vote; a Phase 2 quorum makes the value chosen.
    fn on_phase2b(&mut self, from: NodeId, m: &Phase2B, fx: &mut Fx) {
        let Phase::Phase2 { value, votes, .. } = &mut self.phase else { return };
        let Some(position) = self.configuration.position(from) else { return };
        if m.round != self.used || m.slot != SLOT {
            return;
        }
        if m.persisted_watermark > SLOT {
            return Self::report_dropped_decree(from, fx);
        }
        votes.insert(position);
        if self.configuration.is_phase2(*votes) {
            self.phase = Phase::Chosen(value.clone());
            fx.cancel_timer(SynodTimer::Resend);
        }
    }

    /// Gives way to a higher round for a while. A promise of a round of its own is stale by
    /// definition, and so is one below the present round: this proposer has moved on since.
    fn on_nack(&mut self, m: &Nack, fx: &mut Fx) {
        if m.promised.owner == self.node {
            return;
        }
        self.seen = self.seen.max(m.promised);
        if m.promised < self.used {
            return;
        }
        let (Phase::Phase1 { own, .. } | Phase::Phase2 { own, .. }) = &self.phase else { return };
        self.phase = Phase::Beaten { own: own.clone() };
        fx.cancel_timer(SynodTimer::Resend);
        fx.set_timer(SynodTimer::Retry, self.backoff());
        self.defeat_count = self.defeat_count.saturating_add(1);
    }

    /// How long to wait after the next defeat.
    fn backoff(&self) -> Range<Duration> {
        let limit = self.options.backoff_doublings_max.min(DOUBLINGS_MAX);
        let factor = 1 << self.defeat_count.min(limit);
        let Range { start, end } = self.options.backoff;
        start.saturating_mul(factor)..end.saturating_mul(factor)
    }

    /// Sends again to acceptors that have not answered.
    fn on_resend(&mut self, fx: &mut Fx) {
        let (answers, m) = match &self.phase {
            Phase::Phase1 { promises, .. } => {
                (*promises, ToAcceptor::Phase1A(Phase1A { round: self.used, first: SLOT }))
            }
            Phase::Phase2 { value, votes, .. } => {
                let m = Phase2A { round: self.used, slot: SLOT, value: value.clone() };
                (*votes, ToAcceptor::Phase2A(m))
            }
            Phase::Idle | Phase::Beaten { .. } | Phase::Chosen(_) => return,
        };
        let members = self.configuration.members().iter().enumerate();
        let silent = members.filter(|(position, _)| !answers.contains(*position));
        fx.broadcast(silent.map(|(_, node)| node), m);
        fx.set_timer(SynodTimer::Resend, self.options.resend.clone());
    }

    /// Tries again, in a round above the one that it gave way to.
    fn on_retry(&mut self, fx: &mut Fx) {
        if let Phase::Beaten { own } = &self.phase {
            let own = own.clone();
            self.start_phase1(own, fx);
        }
    }

    /// An acceptor that dropped its vote, because the slot is persisted somewhere, can prove nothing
    /// about a decree. It serves a log, not this decree.
    fn report_dropped_decree(from: NodeId, fx: &mut Fx) {
        fx.violation("decree acceptors", format!("{from} has dropped its votes"));
    }

    fn write(&mut self, record: SynodRecord, fx: &mut Fx) {
        fx.record(record.clone());
        self.restore(record);
    }

    fn check_invariants(&self) {
        assert!(self.used <= self.seen, "{} is above {}", self.used, self.seen);
        match &self.phase {
            Phase::Idle => {}
            Phase::Phase1 { highest, .. } => {
                let highest = highest.as_ref().map(|(round, _)| *round);
                assert!(
                    highest < Some(self.used),
                    "a vote in {highest:?} found from {}",
                    self.used
                );
            }
            Phase::Phase2 { .. } => assert!(self.used.owner == self.node, "foreign {}", self.used),
            Phase::Beaten { .. } => assert!(self.seen > self.used, "beaten by {}", self.seen),
            Phase::Chosen(_) => assert!(self.used > Round::ZERO, "chosen in no round"),
        }
    }
}

#[cfg(test)]
mod tests;
