//! The matchmaker: remembers which configuration each round has.
//!
//! A proposer registers the configuration of its round with the matchmakers and learns the earlier
//! ones, whose acceptors may have chosen something. A matchmaker answers only rounds above all that
//! it has registered, so what it has told stays true: a round that it left out will never be
//! registered here.
//!
//! *Paper*: Matchmaker Paxos, Algorithm 1 and section 3.4 (garbage collection). Beyond the paper, it
//! remembers the newest configuration that it ever saw, whatever is collected, so that a leader with
//! an old idea of the acceptors learns better before it revives machines that are gone.
//!
//! *Durable*: the registration before `MatchB`, the watermark before `GarbageB`.

use std::collections::BTreeMap;
use std::convert::Infallible;

use paxos::actor::{Effects, NodeId};
use paxos::configuration::Configuration;
use paxos::mutant::{self, Mutant};
use paxos::round::Round;
use paxos::wire::{Decode, Encode};

use crate::message::{
    Epoch, FromMatchmaker, GarbageA, GarbageB, MatchA, MatchB, MatchNack, NewestA, NewestB,
    ToMatchmaker,
};

/// Registered rounds of which nothing was collected, at most. A leader collects within milliseconds;
/// they pile up only if one campaign after the other fails because earlier acceptors do not answer.
/// More are refused, since none may be forgotten: at one failed campaign a second, after 18 hours.
const HISTORY_MAX: usize = 65_536;

/// A durable fact of a matchmaker.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub enum MatchmakerRecord {
    /// A round has this configuration. No lower round is registered from now on.
    Registered(Round, Configuration),
    /// Rounds below are forgotten and refused.
    Collected(Round),
    /// The newest configuration seen, in the round in which it was. Only in checkpoints: live, it
    /// follows from registrations.
    Newest(Round, Configuration),
}

/// The state of a matchmaker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Matchmaker {
    /// The generation that this matchmaker belongs to.
    epoch: Epoch,
    /// Registered rounds from `watermark` on. Durable.
    log: BTreeMap<Round, Configuration>,
    /// Exclusive; rounds below are forgotten and refused. Durable; never decreases.
    watermark: Round,
    /// The configuration with the highest version, and the round of its last registration. Durable.
    newest: Option<(Round, Configuration)>,
}

type Fx = Effects<FromMatchmaker, Infallible, MatchmakerRecord>;

impl Matchmaker {
    /// A matchmaker of `epoch` that knows of no round.
    pub fn new(epoch: Epoch) -> Self {
        Self { epoch, log: BTreeMap::new(), watermark: Round::ZERO, newest: None }
    }

    /// Registered rounds that are not collected.
    pub fn log(&self) -> &BTreeMap<Round, Configuration> {
        &self.log
    }

    /// Rounds below are forgotten and refused.
    pub fn watermark(&self) -> Round {
        self.watermark
    }

    /// Folds one durable record.
    pub fn restore(&mut self, record: MatchmakerRecord) {
        match record {
            MatchmakerRecord::Registered(round, configuration) => {
                self.learn(round, &configuration);
                self.log.insert(round, configuration);
            }
            MatchmakerRecord::Collected(watermark) => {
                self.watermark = self.watermark.max(watermark);
                self.log = self.log.split_off(&self.watermark);
            }
            MatchmakerRecord::Newest(round, configuration) => self.learn(round, &configuration),
        }
    }

    fn learn(&mut self, round: Round, configuration: &Configuration) {
        let rank = (configuration.version(), round);
        if self.newest.as_ref().is_none_or(|(round, newest)| rank > (newest.version(), *round)) {
            self.newest = Some((round, configuration.clone()));
        }
    }

    /// The least list of records with the same fold.
    pub fn checkpoint(&self) -> Vec<MatchmakerRecord> {
        let is_kept = !mutant::is_on(Mutant::CheckpointWithoutWatermark);
        let collected = (self.watermark > Round::ZERO && is_kept)
            .then_some(MatchmakerRecord::Collected(self.watermark));
        let newest = self.newest.clone();
        let log = self.log.iter().map(|(round, configuration)| {
            MatchmakerRecord::Registered(*round, configuration.clone())
        });
        newest
            .map(|(round, configuration)| MatchmakerRecord::Newest(round, configuration))
            .into_iter()
            .chain(collected)
            .chain(log)
            .collect()
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: ToMatchmaker, fx: &mut Fx) {
        match message {
            ToMatchmaker::NewestA(m) => self.on_newest_a(from, m, fx),
            ToMatchmaker::MatchA(m) => self.on_match_a(from, m, fx),
            ToMatchmaker::GarbageA(m) => self.on_garbage_a(from, m, fx),
        }
        self.check_invariants();
    }

    fn on_newest_a(&mut self, from: NodeId, m: NewestA, fx: &mut Fx) {
        if m.epoch != self.epoch {
            return;
        }
        let newest = self.newest.clone();
        let round = self.log.last_key_value().map(|(round, _)| *round);
        fx.send(from, NewestB { epoch: self.epoch, newest, round });
    }

    /// Registers a round, unless a higher one is registered or collected.
    ///
    /// *Repeat*: answered again from the log. Once the round is registered nothing can be added
    /// below it, so entries below can only have been collected since, and the watermark covers
    /// exactly those.
    fn on_match_a(&mut self, from: NodeId, m: MatchA, fx: &mut Fx) {
        if m.epoch != self.epoch {
            return;
        }
        if m.round.owner != from {
            return fx.violation("round owner", format!("{from} registers round {}", m.round));
        }
        let highest = self.highest();
        match self.log.get(&m.round) {
            Some(registered) if *registered != m.configuration => {
                return fx.violation(
                    "A4 one configuration per round",
                    format!("{from} registers two configurations of round {}", m.round),
                );
            }
            Some(_) => {}
            None if m.round <= highest || self.log.len() >= HISTORY_MAX => {
                let nack = MatchNack { epoch: self.epoch, round: m.round, highest };
                return fx.send(from, nack);
            }
            None => self.write(MatchmakerRecord::Registered(m.round, m.configuration), fx),
        }
        let history = self.log.range(..m.round).map(|(round, c)| (*round, c.clone())).collect();
        let newest = self.newest.clone();
        let (epoch, watermark) = (self.epoch, self.watermark);
        fx.send(from, MatchB { epoch, round: m.round, watermark, history, newest });
    }

    /// The highest round that is registered, or below which all are collected. Only rounds above it
    /// are registered.
    fn highest(&self) -> Round {
        let registered = self.log.last_key_value().map_or(Round::ZERO, |(round, _)| *round);
        if mutant::is_on(Mutant::RegisterLowerRound) {
            return self.watermark;
        }
        if mutant::is_on(Mutant::RegisterCollectedRound) {
            return registered;
        }
        registered.max(self.watermark)
    }

    /// Forgets the rounds below.
    ///
    /// *Repeat*: a stale request is answered with the present, larger watermark; its sender would
    /// wait for ever otherwise.
    fn on_garbage_a(&mut self, from: NodeId, m: GarbageA, fx: &mut Fx) {
        if m.epoch != self.epoch {
            return;
        }
        if m.round > self.watermark {
            self.write(MatchmakerRecord::Collected(m.round), fx);
        }
        fx.send(from, GarbageB { epoch: self.epoch, watermark: self.watermark });
    }

    fn write(&mut self, record: MatchmakerRecord, fx: &mut Fx) {
        fx.record(record.clone());
        self.restore(record);
    }

    fn check_invariants(&self) {
        if let Some((round, _)) = self.log.first_key_value() {
            assert!(*round >= self.watermark, "{round} is below the watermark {}", self.watermark);
        }
        assert!(self.log.is_empty() || self.newest.is_some(), "a registration is always learned");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paxos::actor::{Incarnation, Seat};
    use paxos::quorum::QuorumSystem;

    const EPOCH: Epoch = Epoch(0);

    fn node(seat: u32) -> NodeId {
        NodeId::new(Seat(seat), Incarnation(1))
    }

    fn round(number: u64, step: u64) -> Round {
        Round { number, owner: node(1), step }
    }

    fn configuration(version: u64, first: u32) -> Configuration {
        Configuration::new(version, QuorumSystem::Majority, (first..first + 3).map(node))
            .expect("three members")
    }

    fn step(matchmaker: &mut Matchmaker, message: impl Into<ToMatchmaker>) -> Fx {
        let mut fx = Fx::new();
        matchmaker.on_message(node(1), message.into(), &mut fx);
        fx
    }

    fn match_a(round: Round, configuration: Configuration) -> MatchA {
        MatchA { epoch: EPOCH, round, configuration }
    }

    fn expected(records: Vec<MatchmakerRecord>, reply: impl Into<FromMatchmaker>) -> Fx {
        let mut fx = Fx::new();
        fx.records = records;
        fx.send(node(1), reply);
        fx
    }

    fn match_b(
        round: Round,
        watermark: Round,
        history: &[(Round, Configuration)],
        newest: (Round, Configuration),
    ) -> MatchB {
        let history = history.iter().cloned().collect();
        MatchB { epoch: EPOCH, round, watermark, history, newest: Some(newest) }
    }

    #[test]
    fn a_registration_is_recorded_and_shows_the_rounds_below() {
        let mut matchmaker = Matchmaker::new(EPOCH);
        let (c1, c2) = (configuration(1, 10), configuration(2, 20));
        let fx = step(&mut matchmaker, match_a(round(1, 0), c1.clone()));
        let record = MatchmakerRecord::Registered(round(1, 0), c1.clone());
        let reply = match_b(round(1, 0), Round::ZERO, &[], (round(1, 0), c1.clone()));
        assert_eq!(fx, expected(vec![record], reply));
        let fx = step(&mut matchmaker, match_a(round(1, 1), c2.clone()));
        let record = MatchmakerRecord::Registered(round(1, 1), c2.clone());
        let reply = match_b(round(1, 1), Round::ZERO, &[(round(1, 0), c1)], (round(1, 1), c2));
        assert_eq!(fx, expected(vec![record], reply));
    }

    #[test]
    fn a_repeated_registration_is_answered_from_the_log() {
        let mut matchmaker = Matchmaker::new(EPOCH);
        let c1 = configuration(1, 10);
        step(&mut matchmaker, match_a(round(1, 0), c1.clone()));
        step(&mut matchmaker, match_a(round(2, 0), c1.clone()));
        step(&mut matchmaker, GarbageA { epoch: EPOCH, round: round(1, 0) });
        let fx = step(&mut matchmaker, match_a(round(2, 0), c1.clone()));
        let reply =
            match_b(round(2, 0), round(1, 0), &[(round(1, 0), c1.clone())], (round(2, 0), c1));
        assert_eq!(fx, expected(vec![], reply));
    }

    #[test]
    fn a_lower_round_is_refused() {
        let mut matchmaker = Matchmaker::new(EPOCH);
        step(&mut matchmaker, match_a(round(3, 0), configuration(1, 10)));
        let fx = step(&mut matchmaker, match_a(round(2, 0), configuration(1, 10)));
        let nack = MatchNack { epoch: EPOCH, round: round(2, 0), highest: round(3, 0) };
        assert_eq!(fx, expected(vec![], nack));
    }

    #[test]
    fn two_configurations_of_a_round_are_a_violation() {
        let mut matchmaker = Matchmaker::new(EPOCH);
        step(&mut matchmaker, match_a(round(1, 0), configuration(1, 10)));
        let fx = step(&mut matchmaker, match_a(round(1, 0), configuration(1, 20)));
        assert_eq!(fx.violations.len(), 1);
        assert!(fx.sends.is_empty() && fx.records.is_empty());
    }

    #[test]
    fn collected_rounds_are_forgotten_and_refused_and_the_newest_configuration_is_not() {
        let mut matchmaker = Matchmaker::new(EPOCH);
        step(&mut matchmaker, match_a(round(1, 0), configuration(7, 10)));
        let fx = step(&mut matchmaker, GarbageA { epoch: EPOCH, round: round(2, 0) });
        let reply = GarbageB { epoch: EPOCH, watermark: round(2, 0) };
        let record = MatchmakerRecord::Collected(round(2, 0));
        assert_eq!(fx, expected(vec![record], reply.clone()));
        assert!(matchmaker.log().is_empty());
        let fx = step(&mut matchmaker, GarbageA { epoch: EPOCH, round: round(1, 0) });
        assert_eq!(fx, expected(vec![], reply));
        let fx = step(&mut matchmaker, match_a(round(1, 5), configuration(1, 20)));
        let nack = MatchNack { epoch: EPOCH, round: round(1, 5), highest: round(2, 0) };
        assert_eq!(fx, expected(vec![], nack));
        let fx = step(&mut matchmaker, NewestA { epoch: EPOCH });
        let newest = Some((round(1, 0), configuration(7, 10)));
        assert_eq!(fx, expected(vec![], NewestB { epoch: EPOCH, newest, round: None }));
    }

    #[test]
    fn another_epoch_is_not_answered() {
        let mut matchmaker = Matchmaker::new(EPOCH);
        let epoch = Epoch(1);
        assert!(step(&mut matchmaker, NewestA { epoch }).is_empty());
        assert!(step(&mut matchmaker, GarbageA { epoch, round: round(1, 0) }).is_empty());
        let configuration = configuration(1, 10);
        let m = MatchA { epoch, round: round(1, 0), configuration };
        assert!(step(&mut matchmaker, m).is_empty());
    }

    #[test]
    fn a_checkpoint_restores_the_durable_state() {
        let mut matchmaker = Matchmaker::new(EPOCH);
        step(&mut matchmaker, match_a(round(1, 0), configuration(7, 10)));
        step(&mut matchmaker, match_a(round(2, 0), configuration(3, 20)));
        step(&mut matchmaker, GarbageA { epoch: EPOCH, round: round(2, 0) });
        let mut restored = Matchmaker::new(EPOCH);
        matchmaker.checkpoint().into_iter().for_each(|record| restored.restore(record));
        assert_eq!(restored, matchmaker);
    }
}
