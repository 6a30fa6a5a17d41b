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
            FromAcceptor::Phase1B(m) => self.on_phase1b(from, m, fx),
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
mod tests {
    use super::*;
    use crate::acceptor::Acceptor;
    use crate::actor::{Incarnation, Seat, TimerChange, Violation};
    use crate::quorum::QuorumSystem;
    use crate::wire::Payload;

    fn node(seat: u32) -> NodeId {
        NodeId::new(Seat(seat), Incarnation(1))
    }

    fn round(number: u64, owner: u32) -> Round {
        Round { number, owner: node(owner), step: 0 }
    }

    fn value(text: &'static str) -> Value {
        Value::Batch(Payload::new(text.as_bytes()))
    }

    fn acceptors() -> [NodeId; 3] {
        [node(11), node(12), node(13)]
    }

    fn synod(seat: u32) -> Synod {
        let configuration = Configuration::new(1, QuorumSystem::Majority, acceptors());
        Synod::new(node(seat), configuration.expect("three members"), SynodOptions::default())
    }

    fn proposed(synod: &mut Synod, text: &'static str) -> Fx {
        let mut fx = Fx::new();
        synod.propose(value(text), &mut fx);
        fx
    }

    fn step(synod: &mut Synod, from: u32, message: impl Into<FromAcceptor>) -> Fx {
        let mut fx = Fx::new();
        synod.on_message(node(from), message.into(), &mut fx);
        fx
    }

    fn fire(synod: &mut Synod, timer: SynodTimer) -> Fx {
        let mut fx = Fx::new();
        synod.on_timer(timer, &mut fx);
        fx
    }

    fn resend() -> TimerChange<SynodTimer> {
        TimerChange::Set(SynodTimer::Resend, SynodOptions::default().resend)
    }

    fn expected(
        records: &[Round],
        to: &[u32],
        message: impl Into<ToAcceptor>,
        timers: Vec<TimerChange<SynodTimer>>,
    ) -> Fx {
        let mut fx = Fx::new();
        fx.records = records.iter().map(|used| SynodRecord { used: *used }).collect();
        let to: Vec<NodeId> = to.iter().map(|seat| node(*seat)).collect();
        fx.broadcast(&to, message);
        fx.timers = timers;
        fx
    }

    fn phase1a(round: Round) -> Phase1A {
        Phase1A { round, first: SLOT }
    }

    fn phase2a(round: Round, text: &'static str) -> Phase2A {
        Phase2A { round, slot: SLOT, value: value(text) }
    }

    fn phase1b(round: Round, vote: Option<(Round, &'static str)>) -> Phase1B {
        let votes = vote.map(|(round, text)| Vote { slot: SLOT, round, value: value(text) });
        let votes = votes.into_iter().collect();
        Phase1B { round, first: SLOT, persisted_watermark: SLOT, votes, next: None }
    }

    fn phase2b(round: Round) -> Phase2B {
        Phase2B { round, slot: SLOT, persisted_watermark: SLOT }
    }

    #[test]
    fn a_round_is_recorded_before_its_first_message() {
        let mut synod = synod(1);
        let fx = proposed(&mut synod, "x");
        let r = round(1, 1);
        assert_eq!(fx, expected(&[r], &[11, 12, 13], phase1a(r), vec![resend()]));
        assert!(proposed(&mut synod, "y").is_empty());
        assert_eq!(synod.chosen(), None);
    }

    #[test]
    fn a_free_decree_takes_the_own_value() {
        let mut synod = synod(1);
        proposed(&mut synod, "x");
        let r = round(1, 1);
        assert!(step(&mut synod, 11, phase1b(r, None)).is_empty());
        assert!(step(&mut synod, 11, phase1b(r, None)).is_empty());
        let fx = step(&mut synod, 12, phase1b(r, None));
        assert_eq!(fx, expected(&[], &[11, 12, 13], phase2a(r, "x"), vec![resend()]));
        assert!(step(&mut synod, 13, phase2b(r)).is_empty());
        assert!(step(&mut synod, 13, phase2b(r)).is_empty());
        assert_eq!(synod.chosen(), None);
        let fx = step(&mut synod, 11, phase2b(r));
        assert_eq!(fx.timers, vec![TimerChange::Cancel(SynodTimer::Resend)]);
        assert!(fx.sends.is_empty() && fx.records.is_empty());
        assert_eq!(synod.chosen(), Some(&value("x")));
        assert!(step(&mut synod, 12, phase2b(r)).is_empty());
    }

    #[test]
    fn the_vote_of_the_highest_round_is_adopted() {
        let mut synod = synod(2);
        synod.restore(SynodRecord { used: round(7, 2) });
        proposed(&mut synod, "own");
        let r = round(8, 2);
        step(&mut synod, 11, phase1b(r, Some((round(5, 1), "higher"))));
        let fx = step(&mut synod, 12, phase1b(r, Some((round(3, 3), "lower"))));
        assert_eq!(fx, expected(&[], &[11, 12, 13], phase2a(r, "higher"), vec![resend()]));
    }

    #[test]
    fn answers_of_strangers_and_of_other_rounds_count_for_nothing() {
        let mut synod = synod(1);
        proposed(&mut synod, "x");
        let r = round(1, 1);
        step(&mut synod, 11, phase1b(r, None));
        assert!(step(&mut synod, 99, phase1b(r, None)).is_empty());
        assert!(step(&mut synod, 12, phase1b(round(0, 1), None)).is_empty());
        assert!(step(&mut synod, 12, phase2b(r)).is_empty());
        step(&mut synod, 12, phase1b(r, None));
        step(&mut synod, 11, phase2b(r));
        assert!(step(&mut synod, 99, phase2b(r)).is_empty());
        assert!(step(&mut synod, 12, phase2b(round(2, 1))).is_empty());
        assert_eq!(synod.chosen(), None);
    }

    #[test]
    fn only_the_silent_are_asked_again() {
        let mut synod = synod(1);
        assert!(fire(&mut synod, SynodTimer::Resend).is_empty());
        proposed(&mut synod, "x");
        let r = round(1, 1);
        step(&mut synod, 12, phase1b(r, None));
        let fx = fire(&mut synod, SynodTimer::Resend);
        assert_eq!(fx, expected(&[], &[11, 13], phase1a(r), vec![resend()]));
        step(&mut synod, 13, phase1b(r, None));
        step(&mut synod, 11, phase2b(r));
        let fx = fire(&mut synod, SynodTimer::Resend);
        assert_eq!(fx, expected(&[], &[12, 13], phase2a(r, "x"), vec![resend()]));
        step(&mut synod, 12, phase2b(r));
        assert!(fire(&mut synod, SynodTimer::Resend).is_empty());
    }

    #[test]
    fn a_defeat_backs_off_and_then_goes_above() {
        let mut synod = synod(1);
        proposed(&mut synod, "x");
        let mut used = round(1, 1);
        let SynodOptions { backoff, backoff_doublings_max, .. } = SynodOptions::default();
        for defeat in 0..backoff_doublings_max + 3 {
            let promised = round(used.number, 2);
            let fx = step(&mut synod, 11, Nack { round: used, promised });
            let factor = 1 << defeat.min(backoff_doublings_max);
            let delay = backoff.start * factor..backoff.end * factor;
            let retry = TimerChange::Set(SynodTimer::Retry, delay);
            let mut beaten = Fx::new();
            beaten.timers = vec![TimerChange::Cancel(SynodTimer::Resend), retry];
            assert_eq!(fx, beaten);
            assert!(step(&mut synod, 12, Nack { round: used, promised }).is_empty());
            assert!(step(&mut synod, 13, phase1b(used, None)).is_empty());
            let next = round(used.number + 1, 1);
            let fx = fire(&mut synod, SynodTimer::Retry);
            assert_eq!(fx, expected(&[next], &[11, 12, 13], phase1a(next), vec![resend()]));
            used = next;
        }
    }

    #[test]
    fn stale_refusals_are_dropped() {
        let mut synod = synod(1);
        synod.restore(SynodRecord { used: round(4, 1) });
        proposed(&mut synod, "x");
        let own = Nack { round: round(4, 1), promised: round(5, 1) };
        assert!(step(&mut synod, 11, own).is_empty());
        let lower = Nack { round: round(4, 1), promised: round(4, 2) };
        assert!(step(&mut synod, 11, lower).is_empty());
        assert!(fire(&mut synod, SynodTimer::Retry).is_empty());
    }

    #[test]
    fn a_restart_never_reuses_a_round() {
        let mut synod1 = synod(1);
        let fx = proposed(&mut synod1, "x");
        step(&mut synod1, 11, Nack { round: round(1, 1), promised: round(3, 2) });
        let again = fire(&mut synod1, SynodTimer::Retry);
        let mut restarted = synod(1);
        fx.records.into_iter().chain(again.records).for_each(|record| restarted.restore(record));
        assert_eq!(restarted.checkpoint(), vec![SynodRecord { used: round(4, 1) }]);
        let fx = proposed(&mut restarted, "y");
        let r = round(5, 1);
        assert_eq!(fx, expected(&[r], &[11, 12, 13], phase1a(r), vec![resend()]));
    }

    #[test]
    fn impossible_answers_are_reported_and_not_counted() {
        let mut synod = synod(1);
        synod.restore(SynodRecord { used: round(2, 1) });
        proposed(&mut synod, "x");
        let r = round(3, 1);
        let invariants = |fx: Fx| -> Vec<&'static str> {
            assert!(fx.records.is_empty() && fx.sends.is_empty() && fx.timers.is_empty());
            fx.violations.iter().map(|Violation { invariant, .. }| *invariant).collect()
        };
        let fx = step(&mut synod, 11, phase1b(r, Some((r, "y"))));
        assert_eq!(invariants(fx), vec!["A5 vote validity"]);
        let mut dropped = phase1b(r, None);
        dropped.persisted_watermark = Slot(1);
        assert_eq!(invariants(step(&mut synod, 11, dropped)), vec!["decree acceptors"]);
        step(&mut synod, 11, phase1b(r, Some((round(1, 2), "y"))));
        let fx = step(&mut synod, 12, phase1b(r, Some((round(1, 2), "z"))));
        assert_eq!(invariants(fx), vec!["A3 one value per round"]);
        step(&mut synod, 12, phase1b(r, None));
        let dropped = Phase2B { persisted_watermark: Slot(1), ..phase2b(r) };
        assert_eq!(invariants(step(&mut synod, 12, dropped)), vec!["decree acceptors"]);
        assert_eq!(synod.chosen(), None);
    }

    /// Delivers the messages of `fx` to the acceptors in `reached`, loses the others, and takes the
    /// answers back.
    fn exchange(
        synod: &mut Synod,
        fx: Fx,
        acceptors: &mut [(NodeId, Acceptor)],
        reached: &[u32],
    ) -> Fx {
        let mut next = Fx::new();
        for (to, m) in fx.sends {
            if reached.contains(&to.seat.0) {
                let found = acceptors.iter_mut().find(|(node, _)| *node == to);
                let mut answer = Effects::new();
                found.expect("an acceptor").1.on_message(synod.node, m, &mut answer);
                assert_eq!(answer.violations, vec![]);
                for (_, reply) in answer.sends {
                    synod.on_message(to, reply, &mut next);
                }
            }
        }
        assert_eq!(next.violations, vec![]);
        next
    }

    #[test]
    fn of_two_that_duel_the_later_one_adopts_what_it_meets() {
        let mut acceptors = acceptors().map(|node| (node, Acceptor::new()));
        let (mut one, mut two) = (synod(1), synod(2));
        let fx = proposed(&mut one, "x");
        let fx = exchange(&mut one, fx, &mut acceptors, &[11, 12, 13]);
        exchange(&mut one, fx, &mut acceptors, &[11]);

        // The second overtakes the first before that has a quorum, and meets its one vote.
        let fx = proposed(&mut two, "y");
        let fx = exchange(&mut two, fx, &mut acceptors, &[11, 12]);
        assert_eq!(fx.sends[0].1, phase2a(round(1, 2), "x").into());
        exchange(&mut two, fx, &mut acceptors, &[12]);

        // The first is refused, waits, and overtakes the second in turn.
        let fx = fire(&mut one, SynodTimer::Resend);
        exchange(&mut one, fx, &mut acceptors, &[12]);
        let fx = fire(&mut one, SynodTimer::Retry);
        assert_eq!(fx.records, vec![SynodRecord { used: round(2, 1) }]);
        let fx = exchange(&mut one, fx, &mut acceptors, &[12, 13]);
        let late = fire(&mut two, SynodTimer::Resend);
        exchange(&mut two, late, &mut acceptors, &[13]);
        exchange(&mut one, fx, &mut acceptors, &[12, 13]);
        assert_eq!((one.chosen(), two.chosen()), (Some(&value("x")), None));

        let fx = fire(&mut two, SynodTimer::Retry);
        assert_eq!(fx.records, vec![SynodRecord { used: round(2, 2) }]);
        let fx = exchange(&mut two, fx, &mut acceptors, &[11, 13]);
        exchange(&mut two, fx, &mut acceptors, &[11, 13]);
        assert_eq!(two.chosen(), Some(&value("x")));
    }

    #[test]
    fn of_two_that_duel_the_earlier_one_gives_up_its_value() {
        let mut acceptors = acceptors().map(|node| (node, Acceptor::new()));
        let (mut one, mut two) = (synod(1), synod(2));
        let fx = proposed(&mut one, "x");
        let fx = exchange(&mut one, fx, &mut acceptors, &[11, 12]);
        exchange(&mut one, fx, &mut acceptors, &[11]);

        // The second does not meet the vote of 11, so nothing is chosen, and nothing ever will be.
        let fx = proposed(&mut two, "y");
        let fx = exchange(&mut two, fx, &mut acceptors, &[12, 13]);
        exchange(&mut two, fx, &mut acceptors, &[12, 13]);
        assert_eq!(two.chosen(), Some(&value("y")));

        let fx = fire(&mut one, SynodTimer::Resend);
        exchange(&mut one, fx, &mut acceptors, &[12]);
        let fx = fire(&mut one, SynodTimer::Retry);
        let fx = exchange(&mut one, fx, &mut acceptors, &[11, 12]);
        exchange(&mut one, fx, &mut acceptors, &[11, 12]);
        assert_eq!(one.chosen(), Some(&value("y")));
    }
}
