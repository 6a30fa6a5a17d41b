//! The acceptor: promises rounds and votes, and forgets neither.
//!
//! One acceptor serves every slot of a log with a single promise. It keeps two rounds apart: the one
//! it promised and, in each slot, the one it voted in. It knows no configuration: whose vote counts
//! is for proposers to tell.
//!
//! *Paper*: Matchmaker Paxos, Algorithm 2 and section 4.1; persisted watermarks: section 4.5.
//!
//! *Durable*: the promise before `Phase1B`, the vote before `Phase2B`, the persisted watermark
//! before `PersistedB` and before votes below it are dropped.

use std::convert::Infallible;

use crate::actor::{NodeId, Outbox, Role};
use crate::command::Value;
use crate::message::{
    FromAcceptor, Nack, PersistedA, PersistedB, Phase1A, Phase1B, Phase2A, Phase2B, ProbeA, ProbeB,
    ReadA, ReadB, ToAcceptor, Vote,
};
use crate::mutant::{self, Mutant};
use crate::round::Round;
use crate::slot::Slot;
use crate::slot_map::SlotMap;
use crate::wire::{Decode, Encode, Frame};

/// The limits of an acceptor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AcceptorOptions {
    /// How many bytes of values one [`Phase1B`] carries at most, unless a single vote is larger.
    pub page_bytes_max: usize,
    /// Votes in one [`Phase1B`], at most; at least one.
    pub page_votes_max: usize,
}

impl Default for AcceptorOptions {
    fn default() -> Self {
        Self { page_bytes_max: 4 << 20, page_votes_max: 16_384 }
    }
}

/// A durable fact of an acceptor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub enum AcceptorRecord {
    /// No vote is cast below this round from now on.
    Promised(Round),
    /// A vote was cast, which also promises its round.
    Voted(Vote),
    /// All slots below are chosen and durable on f + 1 archives; their votes are dropped.
    Persisted(Slot),
}

/// The state of an acceptor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Acceptor {
    /// The highest promised round, none at first. Durable; never decreases.
    promised: Option<Round>,
    /// The last vote in each slot from `persisted_watermark` on. Durable.
    votes: SlotMap<(Round, Value)>,
    /// Exclusive; all slots below are chosen and durable on f + 1 archives. Durable; never decreases.
    persisted_watermark: Slot,
    /// The last question of a leader that was answered. A sign of life for others, not durable.
    beat: Option<(Round, u64)>,
    /// Where the next page of votes begins that a candidate was told of last. Not durable.
    next_page: Option<(Round, Slot)>,
    /// How many pages were asked for because of that. A sign of life of candidates, not durable.
    page_count: u64,
    options: AcceptorOptions,
}

impl Role for Acceptor {
    type Message = FromAcceptor;
    type Timer = Infallible;
    type Record = AcceptorRecord;
}

impl Acceptor {
    /// An acceptor that has promised nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with limits of its own.
    pub fn with_options(options: AcceptorOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// The highest promised round.
    pub fn promised(&self) -> Option<Round> {
        self.promised
    }

    /// All slots below are chosen and durable on f + 1 archives.
    pub fn persisted_watermark(&self) -> Slot {
        self.persisted_watermark
    }

    /// The last vote in `slot`.
    pub fn vote(&self, slot: Slot) -> Option<&(Round, Value)> {
        self.votes.get(slot)
    }

    /// The last votes, by slot: each with its round.
    pub fn votes(&self) -> impl Iterator<Item = (Slot, &(Round, Value))> {
        self.votes.range(Slot::ZERO)
    }

    /// Folds one durable record: the only code that changes durable state, live and in recovery.
    pub fn restore(&mut self, record: AcceptorRecord) {
        match record {
            AcceptorRecord::Promised(round) => self.promised = self.promised.max(Some(round)),
            AcceptorRecord::Voted(Vote { slot, round, value }) => {
                if !mutant::is_on(Mutant::VoteWithoutPromise) {
                    self.promised = self.promised.max(Some(round));
                }
                if slot >= self.persisted_watermark {
                    self.keep(slot, round, value);
                }
            }
            AcceptorRecord::Persisted(watermark) => {
                self.persisted_watermark = self.persisted_watermark.max(watermark);
                self.votes.drop_below(self.persisted_watermark);
            }
        }
    }

    fn keep(&mut self, slot: Slot, round: Round, value: Value) {
        let is_known = || self.votes.get(slot).is_some_and(|(_, known)| *known == value);
        if !(mutant::is_on(Mutant::OldRoundKept) && is_known()) {
            self.votes.insert(slot, (round, value));
        }
    }

    /// The least list of records with the same fold.
    pub fn checkpoint(&self) -> Vec<AcceptorRecord> {
        let promised = self.promised.map(AcceptorRecord::Promised);
        let persisted = (self.persisted_watermark > Slot::ZERO)
            .then_some(AcceptorRecord::Persisted(self.persisted_watermark));
        let votes = self.votes.range(Slot::ZERO).map(|(slot, (round, value))| {
            AcceptorRecord::Voted(Vote { slot, round: *round, value: value.clone() })
        });
        promised.into_iter().chain(persisted).chain(votes).collect()
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: ToAcceptor, fx: &mut impl Outbox<Self>) {
        match message {
            ToAcceptor::Phase1A(m) => self.on_phase1a(from, m, fx),
            ToAcceptor::Phase2A(m) => self.on_phase2a(from, m, fx),
            ToAcceptor::ReadA(m) => self.on_read_a(from, m, fx),
            ToAcceptor::PersistedA(m) => self.on_persisted_a(from, m, fx),
            ToAcceptor::ProbeA(m) => self.on_probe_a(from, m, fx),
        }
        self.check_invariants();
    }

    /// Promises a round and shows the votes.
    ///
    /// *Repeat*: answered again, from the same state; a later page of the same round is asked for by
    /// the same message. Votes of the promised round itself are shown as well: what they mean to
    /// their own proposer is for it to know.
    fn on_phase1a(&mut self, from: NodeId, m: Phase1A, fx: &mut impl Outbox<Self>) {
        if let Some(promised) = self.promised.filter(|promised| m.round < *promised) {
            return fx.send(from, Nack { round: m.round, promised });
        }
        let before = self.promised;
        if before < Some(m.round) {
            self.write(AcceptorRecord::Promised(m.round), fx);
        }
        if self.next_page == Some((m.round, m.first)) {
            self.page_count += 1;
        }
        let mut votes = Vec::new();
        let mut next = None;
        let mut page_bytes = 0;
        for (slot, (round, value)) in self.votes.range(m.first) {
            page_bytes += value.size_bytes();
            let AcceptorOptions { page_bytes_max, page_votes_max } = self.options;
            let is_full = page_bytes > page_bytes_max || votes.len() >= page_votes_max;
            if is_full && !votes.is_empty() {
                let is_skipped = mutant::is_on(Mutant::PageSkipsVote);
                next = Some(if is_skipped { slot.next() } else { slot });
                break;
            }
            let round = before.filter(|_| mutant::is_on(Mutant::OneBallot)).unwrap_or(*round);
            votes.push(Vote { slot, round, value: value.clone() });
        }
        self.next_page = next.map(|slot| (m.round, slot));
        let persisted_watermark = self.persisted_watermark;
        fx.send(from, Phase1B { round: m.round, first: m.first, persisted_watermark, votes, next });
    }

    /// Votes, unless a higher round is promised.
    ///
    /// *Repeat*: the same vote is told again; nothing is written. A slot below the persisted
    /// watermark gets no vote: what is chosen there is known, and the reply says so. The proposer
    /// must not take that reply for a vote, nor one of them for a quorum.
    fn on_phase2a(&mut self, from: NodeId, m: Phase2A, fx: &mut impl Outbox<Self>) {
        if let Some(promised) = self.promised.filter(|promised| m.round < *promised) {
            return fx.send(from, Nack { round: m.round, promised });
        }
        let persisted_watermark = self.persisted_watermark;
        let reply = Phase2B { round: m.round, slot: m.slot, persisted_watermark };
        if m.slot < persisted_watermark {
            return fx.send(from, reply);
        }
        match self.votes.get(m.slot) {
            Some((round, value)) if *round == m.round && *value != m.value => {
                return fx.violation(
                    "A3 one value per round",
                    format!("{from} proposes two values in slot {} of round {round}", m.slot),
                );
            }
            Some((round, _)) if *round == m.round => {}
            _ => {
                let vote = Vote { slot: m.slot, round: m.round, value: m.value };
                self.write(AcceptorRecord::Voted(vote), fx);
            }
        }
        assert!(self.promised >= Some(m.round), "a vote in {} promises it", m.round);
        fx.send(from, reply);
    }

    /// Tells whether the promise is still no higher than the round of the leader.
    fn on_read_a(&mut self, from: NodeId, m: ReadA, fx: &mut impl Outbox<Self>) {
        if let Some(promised) = self.promised.filter(|promised| m.round < *promised) {
            return fx.send(from, Nack { round: m.round, promised });
        }
        self.beat = self.beat.max(Some((m.round, m.nonce)));
        fx.send(from, ReadB { round: m.round, nonce: m.nonce });
    }

    /// Drops votes that no Phase 1 will need, and remembers that it did.
    fn on_persisted_a(&mut self, from: NodeId, m: PersistedA, fx: &mut impl Outbox<Self>) {
        if m.watermark > self.persisted_watermark {
            self.write(AcceptorRecord::Persisted(m.watermark), fx);
        }
        fx.send(from, PersistedB { watermark: self.persisted_watermark });
    }

    fn on_probe_a(&mut self, from: NodeId, m: ProbeA, fx: &mut impl Outbox<Self>) {
        let promised = self.promised.unwrap_or(Round::ZERO);
        let (beat, page_count) = (self.beat, self.page_count);
        fx.send(from, ProbeB { nonce: m.nonce, promised, beat, page_count });
    }

    fn write(&mut self, record: AcceptorRecord, fx: &mut impl Outbox<Self>) {
        fx.record(record.clone());
        self.restore(record);
    }

    fn check_invariants(&self) {
        if let Some((round, _)) = self.votes.last() {
            assert!(Some(*round) <= self.promised, "vote in {round} above the promise");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::{Incarnation, OwnEffects, Seat};
    use crate::wire::Payload;

    type Fx = OwnEffects<Acceptor>;

    const PROPOSER: NodeId = NodeId::new(Seat(1), Incarnation(1));

    fn round(number: u64) -> Round {
        Round { number, owner: PROPOSER, step: 0 }
    }

    fn value(text: &'static str) -> Value {
        Value::Batch(Payload::new(text.as_bytes()))
    }

    fn vote(slot: u64, number: u64, text: &'static str) -> Vote {
        Vote { slot: Slot(slot), round: round(number), value: value(text) }
    }

    fn phase2a(number: u64, slot: u64, text: &'static str) -> Phase2A {
        Phase2A { round: round(number), slot: Slot(slot), value: value(text) }
    }

    fn step(acceptor: &mut Acceptor, message: impl Into<ToAcceptor>) -> Fx {
        let mut fx = Fx::new();
        acceptor.on_message(PROPOSER, message.into(), &mut fx);
        fx
    }

    fn expected(records: Vec<AcceptorRecord>, reply: impl Into<FromAcceptor>) -> Fx {
        let mut fx = Fx::new();
        fx.records = records;
        fx.send(PROPOSER, reply);
        fx
    }

    fn phase2b(number: u64, slot: u64, persisted: u64) -> Phase2B {
        let persisted_watermark = Slot(persisted);
        Phase2B { round: round(number), slot: Slot(slot), persisted_watermark }
    }

    #[test]
    fn a_vote_is_recorded_and_promises_its_round() {
        let mut acceptor = Acceptor::new();
        let fx = step(&mut acceptor, phase2a(2, 0, "x"));
        assert_eq!(fx, expected(vec![AcceptorRecord::Voted(vote(0, 2, "x"))], phase2b(2, 0, 0)));
        assert_eq!(acceptor.promised(), Some(round(2)));
        let fx = step(&mut acceptor, phase2a(1, 1, "y"));
        assert_eq!(fx, expected(vec![], Nack { round: round(1), promised: round(2) }));
    }

    #[test]
    fn a_repeated_proposal_is_answered_again_and_not_recorded() {
        let mut acceptor = Acceptor::new();
        step(&mut acceptor, phase2a(2, 0, "x"));
        assert_eq!(step(&mut acceptor, phase2a(2, 0, "x")), expected(vec![], phase2b(2, 0, 0)));
    }

    #[test]
    fn two_values_in_one_round_are_a_violation() {
        let mut acceptor = Acceptor::new();
        step(&mut acceptor, phase2a(2, 0, "x"));
        let fx = step(&mut acceptor, phase2a(2, 0, "y"));
        assert_eq!(fx.violations.len(), 1);
        assert!(fx.records.is_empty() && fx.sends.is_empty());
        assert_eq!(acceptor.vote(Slot(0)), Some(&(round(2), value("x"))));
    }

    #[test]
    fn a_promise_shows_the_votes_of_lower_rounds() {
        let mut acceptor = Acceptor::new();
        step(&mut acceptor, phase2a(1, 0, "x"));
        step(&mut acceptor, phase2a(1, 2, "y"));
        let fx = step(&mut acceptor, Phase1A { round: round(3), first: Slot(1) });
        let reply = Phase1B {
            round: round(3),
            first: Slot(1),
            persisted_watermark: Slot(0),
            votes: vec![vote(2, 1, "y")],
            next: None,
        };
        assert_eq!(fx, expected(vec![AcceptorRecord::Promised(round(3))], reply.clone()));
        let again = step(&mut acceptor, Phase1A { round: round(3), first: Slot(1) });
        assert_eq!(again, expected(vec![], reply));
    }

    #[test]
    fn below_the_persisted_watermark_votes_are_dropped_and_not_cast() {
        let mut acceptor = Acceptor::new();
        step(&mut acceptor, phase2a(1, 0, "x"));
        step(&mut acceptor, phase2a(1, 1, "y"));
        let fx = step(&mut acceptor, PersistedA { watermark: Slot(1) });
        let reply = PersistedB { watermark: Slot(1) };
        assert_eq!(fx, expected(vec![AcceptorRecord::Persisted(Slot(1))], reply.clone()));
        assert_eq!(acceptor.vote(Slot(0)), None);
        assert_eq!(step(&mut acceptor, phase2a(2, 0, "z")), expected(vec![], phase2b(2, 0, 1)));
        assert_eq!(step(&mut acceptor, PersistedA { watermark: Slot(0) }), expected(vec![], reply));
    }

    #[test]
    fn a_read_is_confirmed_until_a_higher_promise() {
        let mut acceptor = Acceptor::new();
        step(&mut acceptor, phase2a(2, 0, "x"));
        let fx = step(&mut acceptor, ReadA { round: round(2), nonce: 7 });
        assert_eq!(fx, expected(vec![], ReadB { round: round(2), nonce: 7 }));
        let fx = step(&mut acceptor, ProbeA { nonce: 1 });
        let beat = Some((round(2), 7));
        assert_eq!(
            fx,
            expected(vec![], ProbeB { nonce: 1, promised: round(2), beat, page_count: 0 })
        );
        step(&mut acceptor, Phase1A { round: round(3), first: Slot(0) });
        let fx = step(&mut acceptor, ReadA { round: round(2), nonce: 8 });
        assert_eq!(fx, expected(vec![], Nack { round: round(2), promised: round(3) }));
    }

    #[test]
    fn votes_that_fill_a_page_are_shown_in_the_next() {
        let options = AcceptorOptions { page_bytes_max: 5, ..AcceptorOptions::default() };
        let mut acceptor = Acceptor::with_options(options);
        let large = value("abc");
        for slot in 0..3 {
            let m = Phase2A { round: round(1), slot: Slot(slot), value: large.clone() };
            step(&mut acceptor, m);
        }
        let mut first = Slot::ZERO;
        for slot in 0..3 {
            let fx = step(&mut acceptor, Phase1A { round: round(2), first });
            let [(_, FromAcceptor::Phase1B(page))] = &fx.sends[..] else { panic!("one page") };
            assert_eq!(page.votes.iter().map(|vote| vote.slot.0).collect::<Vec<_>>(), vec![slot]);
            assert_eq!(page.next, (slot < 2).then_some(Slot(slot + 1)));
            first = page.next.unwrap_or(first);
        }
        // A candidate got on twice; one that asks for the same again does not.
        step(&mut acceptor, Phase1A { round: round(2), first: Slot(0) });
        let fx = step(&mut acceptor, ProbeA { nonce: 1 });
        let probe_b = ProbeB { nonce: 1, promised: round(2), beat: None, page_count: 2 };
        assert_eq!(fx, expected(vec![], probe_b));
    }

    #[test]
    fn a_checkpoint_restores_the_durable_state() {
        let mut acceptor = Acceptor::new();
        step(&mut acceptor, phase2a(1, 0, "x"));
        step(&mut acceptor, phase2a(1, 1, "y"));
        step(&mut acceptor, PersistedA { watermark: Slot(1) });
        step(&mut acceptor, Phase1A { round: round(3), first: Slot(0) });
        let mut restored = Acceptor::new();
        acceptor.checkpoint().into_iter().for_each(|record| restored.restore(record));
        assert_eq!(restored, acceptor);
    }
}
