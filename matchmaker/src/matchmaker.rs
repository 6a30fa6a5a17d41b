//! The matchmaker: remembers which configuration each round has.
//!
//! A proposer registers the configuration of its round with the matchmakers and learns the earlier
//! ones, whose acceptors may have chosen something. A matchmaker answers only rounds above all that
//! it has registered, so what it has told stays true: a round that it left out will never be
//! registered here.
//!
//! Matchmakers are replaced a generation at a time. One that is told to stop answers no proposer of
//! its generation any more, and is a Paxos acceptor instead, of the decree on what comes after. That
//! decree chooses the next members together with all that they are to know, so whoever has heard of
//! it can have any of them begin, and whoever still asks here is sent on.
//!
//! ```text
//!            ActivateA             StopA, DecreeA
//!   Outside ───────────► Active ─────────────────► Stopped
//!      ▲ │ ActivateA        │ SucceededA              │ SucceededA
//!      │ └► Active          ▼                         ▼
//!      └──────────────── Outside, of a later generation; or Active in it, by ActivateA
//! ```
//!
//! *Paper*: Matchmaker Paxos, Algorithm 1, section 3.4 (garbage collection), section 5 (stopping, and
//! the successor). Beyond the paper, it remembers the newest configuration that it ever saw, whatever
//! is collected, so that a leader with an old idea of the acceptors learns better before it revives
//! machines that are gone. In the paper the next members get their state first and the decree is on
//! their names alone; here it is on names and state, so no new member need be there for it.
//!
//! *Durable*: the registration before `MatchB`, the watermark before `GarbageB`, that it has stopped
//! before `StopB`, promise and vote before `DecreeB`, how its generation began before its first answer
//! in it, a successor before anyone is sent there.

use std::collections::BTreeMap;
use std::convert::Infallible;

use paxos::acceptor::{Acceptor, AcceptorRecord};
use paxos::actor::{Effects, NodeId, OwnEffects};
use paxos::configuration::Configuration;
use paxos::message::ToAcceptor;
use paxos::mutant::{self, Mutant};
use paxos::round::Round;
use paxos::wire::{Decode, Encode, Frame};

use crate::message::{
    ActivateA, ActivateB, DecreeA, DecreeB, Epoch, FromMatchmaker, GarbageA, GarbageB, Generation,
    MatchA, MatchB, MatchNack, NewestA, NewestB, OriginA, OriginB, Pending, ReachA, ReachB, StopA,
    StopB, Stopped, SucceededA, SucceededB, Successor, ToMatchmaker, ToProposer, ToReconfigurer,
};

/// Registered rounds of which nothing was collected, at most. A leader collects within milliseconds;
/// they pile up only if one campaign after the other fails because earlier acceptors do not answer.
/// More are refused, since none may be forgotten: at one failed campaign a second, after 18 hours.
const HISTORY_MAX: usize = 65_536;

/// A durable fact of a matchmaker. Each is about the generation that the facts before it speak of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub enum MatchmakerRecord {
    /// A round has this configuration. No lower round is registered from now on.
    Registered(Round, Configuration),
    /// Rounds below are forgotten and refused.
    Collected(Round),
    /// The newest configuration seen, in the round in which it was. Only in checkpoints: live, it
    /// follows from registrations.
    Newest(Round, Configuration),
    /// It answers no proposer of this generation from now on.
    Stopped(Epoch),
    /// A promise or vote in the decree on what comes after this generation.
    Decree(AcceptorRecord),
    /// It is a member of this generation, which begins like that.
    Activated(Box<Successor>),
    /// This generation has come, and it is no member, or does not know yet that it is.
    Succeeded(Box<Successor>),
}

/// What a matchmaker does in the newest generation that it knows of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Mode {
    /// It is no member, or does not know yet that it is.
    Outside,
    /// It answers proposers.
    Active,
    /// It answers no proposer any more, and votes on the successor.
    Stopped(Box<Acceptor>),
}

/// The state of a matchmaker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Matchmaker {
    /// The newest generation that it knows of, and how that began. Durable; later ones replace it.
    origin: Option<Successor>,
    /// What it does in that. Durable.
    mode: Mode,
    /// Registered rounds from `watermark` on. Durable.
    log: BTreeMap<Round, Configuration>,
    /// Exclusive; rounds below are forgotten and refused. Durable; never decreases in a generation.
    watermark: Round,
    /// The configuration with the highest version, and the round of its last registration. Durable;
    /// outlives generations.
    newest: Option<(Round, Configuration)>,
}

/// What a matchmaker is to an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// A member of the present generation.
    Member,
    /// A later generation has come.
    Past,
    /// It knows nothing of being a member.
    Unknown,
}

type Fx = Effects<ToProposer, Infallible, MatchmakerRecord>;

impl Matchmaker {
    /// A matchmaker of the generation that a cluster is founded with. It knows of no round.
    pub fn new(generation: Generation) -> Self {
        let origin = Successor {
            generation,
            previous: [].into(),
            log: BTreeMap::new(),
            watermark: Round::ZERO,
            newest: None,
        };
        Self { origin: Some(origin), mode: Mode::Active, ..Self::pending() }
    }

    /// A matchmaker of no generation: it waits to be needed.
    pub fn pending() -> Self {
        let (mode, log) = (Mode::Outside, BTreeMap::new());
        Self { origin: None, mode, log, watermark: Round::ZERO, newest: None }
    }

    /// Registered rounds that are not collected.
    pub fn log(&self) -> &BTreeMap<Round, Configuration> {
        &self.log
    }

    /// Rounds below are forgotten and refused.
    pub fn watermark(&self) -> Round {
        self.watermark
    }

    /// The newest generation that it knows of.
    pub fn generation(&self) -> Option<&Generation> {
        self.origin.as_ref().map(|origin| &origin.generation)
    }

    /// Whether it answers proposers.
    pub fn is_active(&self) -> bool {
        self.mode == Mode::Active
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
            // Repeated by a checkpoint, of which a crash may have kept no more than this.
            MatchmakerRecord::Stopped(_) if matches!(self.mode, Mode::Stopped(_)) => {}
            MatchmakerRecord::Activated(successor) if self.is_member_of(&successor) => {}
            MatchmakerRecord::Stopped(_) => self.mode = Mode::Stopped(Box::default()),
            MatchmakerRecord::Decree(record) => {
                if let Mode::Stopped(acceptor) = &mut self.mode {
                    acceptor.restore(record);
                }
            }
            MatchmakerRecord::Activated(successor) => {
                let is_kept = !mutant::is_on(Mutant::InheritedLogLost);
                self.log = if is_kept { successor.log.clone() } else { BTreeMap::new() };
                self.watermark = successor.watermark;
                if let Some((round, configuration)) = &successor.newest {
                    self.learn(*round, configuration);
                }
                (self.mode, self.origin) = (Mode::Active, Some(*successor));
            }
            MatchmakerRecord::Succeeded(successor) => {
                (self.log, self.watermark) = (BTreeMap::new(), Round::ZERO);
                (self.mode, self.origin) = (Mode::Outside, Some(*successor));
            }
        }
    }

    fn is_member_of(&self, successor: &Successor) -> bool {
        self.mode != Mode::Outside && self.generation() == Some(&successor.generation)
    }

    fn learn(&mut self, round: Round, configuration: &Configuration) {
        let rank = (configuration.version(), round);
        if self.newest.as_ref().is_none_or(|(round, newest)| rank > (newest.version(), *round)) {
            self.newest = Some((round, configuration.clone()));
        }
    }

    /// The least list of records with the same fold.
    pub fn checkpoint(&self) -> Vec<MatchmakerRecord> {
        // A generation that the cluster was founded with was recorded by the founding.
        let origin = self.origin.as_ref().filter(|origin| !origin.previous.is_empty()).cloned();
        let inherited = origin.as_ref().map(|origin| origin.watermark).unwrap_or(Round::ZERO);
        let known = |round: &Round| origin.as_ref().is_some_and(|o| o.log.contains_key(round));
        let is_kept = !mutant::is_on(Mutant::CheckpointWithoutWatermark);
        let collected = (self.watermark > inherited && is_kept)
            .then_some(MatchmakerRecord::Collected(self.watermark));
        let is_told = !mutant::is_on(Mutant::CheckpointWithoutNewest);
        let newest = self.newest.clone().filter(|_| is_told);
        let log =
            self.log.iter().filter(|(round, _)| !known(round)).map(|(round, configuration)| {
                MatchmakerRecord::Registered(*round, configuration.clone())
            });
        let epoch = self.generation().map_or(Epoch(0), |generation| generation.epoch);
        let stopped = match &self.mode {
            Mode::Outside | Mode::Active => Vec::new(),
            Mode::Stopped(acceptor) => {
                let decree = acceptor.checkpoint().into_iter().map(MatchmakerRecord::Decree);
                [MatchmakerRecord::Stopped(epoch)].into_iter().chain(decree).collect()
            }
        };
        let is_outside = self.mode == Mode::Outside;
        let began = origin.clone().map(|origin| match is_outside {
            true => MatchmakerRecord::Succeeded(Box::new(origin)),
            false => MatchmakerRecord::Activated(Box::new(origin)),
        });
        began
            .into_iter()
            .chain(newest.map(|(round, c)| MatchmakerRecord::Newest(round, c)))
            .chain(collected)
            .chain(log)
            .chain(stopped)
            .collect()
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: ToMatchmaker, fx: &mut Fx) {
        match message {
            ToMatchmaker::NewestA(m) => self.on_newest_a(from, m, fx),
            ToMatchmaker::MatchA(m) => self.on_match_a(from, *m, fx),
            ToMatchmaker::GarbageA(m) => self.on_garbage_a(from, m, fx),
            ToMatchmaker::ReachA(ReachA { nonce }) => say(from, ReachB { nonce }, fx),
            ToMatchmaker::StopA(m) => self.on_stop_a(from, m, fx),
            ToMatchmaker::DecreeA(m) => self.on_decree_a(from, *m, fx),
            ToMatchmaker::ActivateA(m) => self.on_activate_a(from, *m, fx),
            ToMatchmaker::SucceededA(m) => self.on_succeeded_a(from, *m, fx),
            ToMatchmaker::OriginA(m) => self.on_origin_a(from, m, fx),
        }
        self.check_invariants();
    }

    fn standing(&self, epoch: Epoch) -> Standing {
        let known = self.generation().map(|generation| generation.epoch);
        match &self.mode {
            _ if Some(epoch) < known => Standing::Past,
            Mode::Active | Mode::Stopped(_) if Some(epoch) == known => Standing::Member,
            Mode::Outside | Mode::Active | Mode::Stopped(_) => Standing::Unknown,
        }
    }

    /// Whether it answers proposers in `epoch`; if not, it says why and where to go.
    fn serves(&self, from: NodeId, epoch: Epoch, fx: &mut Fx) -> bool {
        let is_active = self.is_active() || mutant::is_on(Mutant::StoppedStillAnswers);
        let is_served = self.standing(epoch) == Standing::Member && is_active;
        if !is_served {
            self.turn_away(from, epoch, fx);
        }
        is_served
    }

    /// Tells one that asks for an epoch what is known of it.
    fn turn_away(&self, from: NodeId, epoch: Epoch, fx: &mut Fx) {
        let successor = match self.standing(epoch) {
            Standing::Member => None,
            Standing::Past => self.origin.clone(),
            Standing::Unknown => return say(from, Pending { epoch }, fx),
        };
        fx.send(from, FromMatchmaker::from(Stopped { epoch, successor }));
    }

    fn on_newest_a(&mut self, from: NodeId, m: NewestA, fx: &mut Fx) {
        if !self.serves(from, m.epoch, fx) {
            return;
        }
        let newest = self.newest.clone();
        let round = self.log.last_key_value().map(|(round, _)| *round);
        fx.send(from, FromMatchmaker::from(NewestB { epoch: m.epoch, newest, round }));
    }

    /// Registers a round, unless a higher one is registered or collected.
    ///
    /// *Repeat*: answered again from the log. Once the round is registered nothing can be added
    /// below it, so entries below can only have been collected since, and the watermark covers
    /// exactly those. A round that was handed over counts as registered only if it is the highest of
    /// those: a higher one may have been registered by a majority that did not know of it.
    fn on_match_a(&mut self, from: NodeId, m: MatchA, fx: &mut Fx) {
        if !self.serves(from, m.epoch, fx) {
            return;
        }
        if m.round.owner != from {
            return fx.violation("round owner", format!("{from} registers round {}", m.round));
        }
        let (epoch, highest) = (m.epoch, self.highest());
        match self.log.get(&m.round) {
            Some(registered) if *registered != m.configuration => {
                return fx.violation(
                    "A4 one configuration per round",
                    format!("{from} registers two configurations of round {}", m.round),
                );
            }
            Some(_) if self.is_outdone(m.round) => return self.refuse(&m, from, fx),
            Some(_) => {}
            None if m.round <= highest
                || self.log.len() >= HISTORY_MAX
                || self.is_superseded(&m.configuration) =>
            {
                return self.refuse(&m, from, fx);
            }
            None => self.write(MatchmakerRecord::Registered(m.round, m.configuration), fx),
        }
        let history = self.log.range(..m.round).map(|(round, c)| (*round, c.clone())).collect();
        let (newest, watermark) = (self.newest.clone(), self.watermark);
        let m = MatchB { epoch, round: m.round, watermark, history, newest };
        fx.send(from, FromMatchmaker::from(m));
    }

    fn refuse(&self, m: &MatchA, from: NodeId, fx: &mut Fx) {
        let (highest, newest) = (self.highest(), self.newest.clone());
        let nack = MatchNack { epoch: m.epoch, round: m.round, highest, newest };
        fx.send(from, FromMatchmaker::from(nack));
    }

    /// Whether a newer configuration is known: then machines of this one may be gone. Its proposer has
    /// asked which is the newest, but before that one was registered.
    fn is_superseded(&self, configuration: &Configuration) -> bool {
        let newest = self.newest.as_ref().map(|(_, newest)| newest.version());
        newest > Some(configuration.version())
            && !mutant::is_on(Mutant::OlderConfigurationRegistered)
    }

    /// Whether a round was handed over together with a higher one, or with a newer configuration. It may
    /// have been registered by a minority of the generation before, and the other by a majority that did
    /// not know of it: to answer it now would complete it behind the back of that one.
    fn is_outdone(&self, round: Round) -> bool {
        let Some(origin) = &self.origin else { return false };
        let Some(configuration) = origin.log.get(&round) else { return false };
        let last = origin.log.last_key_value().map(|(last, _)| *last);
        let is_lower = last > Some(round) && !mutant::is_on(Mutant::OutdoneRoundsAnswered);
        is_lower || self.is_superseded(configuration)
    }

    /// The highest round that is registered, or below which all are collected. Only rounds above it
    /// are registered.
    fn highest(&self) -> Round {
        let is_own = |round: &Round| {
            let is_inherited = self.origin.as_ref().is_some_and(|o| o.log.contains_key(round));
            !(is_inherited && mutant::is_on(Mutant::InheritedRoundsOutdone))
        };
        let registered = self.log.keys().rev().find(|round| is_own(round));
        let registered = registered.copied().unwrap_or(Round::ZERO);
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
        if !self.serves(from, m.epoch, fx) {
            return;
        }
        if m.round > self.watermark {
            self.write(MatchmakerRecord::Collected(m.round), fx);
        }
        let m = GarbageB { epoch: m.epoch, watermark: self.watermark };
        fx.send(from, FromMatchmaker::GarbageB(m));
    }

    /// Answers no proposer of this generation any more, and shows all that it has registered.
    ///
    /// *Repeat*: answered again; nothing has changed since.
    fn on_stop_a(&mut self, from: NodeId, m: StopA, fx: &mut Fx) {
        if self.standing(m.epoch) != Standing::Member {
            return self.turn_away(from, m.epoch, fx);
        }
        self.stop(m.epoch, fx);
        let (log, newest) = (self.log.clone(), self.newest.clone());
        say(from, StopB { epoch: m.epoch, log, watermark: self.watermark, newest }, fx);
    }

    fn stop(&mut self, epoch: Epoch, fx: &mut Fx) {
        if self.is_active() {
            self.write(MatchmakerRecord::Stopped(epoch), fx);
        }
    }

    /// Promises and votes as any acceptor of Paxos. That a decree is under way is reason enough to
    /// stop.
    fn on_decree_a(&mut self, from: NodeId, DecreeA { epoch, message }: DecreeA, fx: &mut Fx) {
        if self.standing(epoch) != Standing::Member {
            return self.turn_away(from, epoch, fx);
        }
        if !matches!(message, ToAcceptor::Phase1A(_) | ToAcceptor::Phase2A(_)) {
            return fx.violation("decree", format!("{from} asks more of a decree than a vote"));
        }
        self.stop(epoch, fx);
        let Mode::Stopped(acceptor) = &mut self.mode else { return };
        let mut inner = OwnEffects::<Acceptor>::new();
        acceptor.on_message(from, message, &mut inner);
        inner.records.into_iter().for_each(|record| fx.record(MatchmakerRecord::Decree(record)));
        for (to, message) in inner.sends {
            say(to, DecreeB { epoch, message }, fx);
        }
        fx.violations.extend(inner.violations);
    }

    /// Begins to serve in a generation that was chosen.
    ///
    /// *Repeat*: answered again. What was registered since it began stays.
    fn on_activate_a(&mut self, from: NodeId, m: ActivateA, fx: &mut Fx) {
        let epoch = m.successor.generation.epoch;
        if let Some(defect) = m.successor.defect() {
            return fx.violation("successor", format!("{from} tells of {defect}"));
        }
        match self.standing(epoch) {
            Standing::Past => return self.turn_away(from, epoch, fx),
            Standing::Member => {}
            Standing::Unknown => self.write(MatchmakerRecord::Activated(Box::new(m.successor)), fx),
        }
        say(from, ActivateB { epoch }, fx);
    }

    /// Remembers who came after its generation. All else of that is forgotten: nobody needs the votes
    /// of a decree whose outcome is known.
    fn on_succeeded_a(&mut self, from: NodeId, m: SucceededA, fx: &mut Fx) {
        let epoch = m.successor.generation.epoch;
        if let Some(defect) = m.successor.defect() {
            return fx.violation("successor", format!("{from} tells of {defect}"));
        }
        if self.generation().is_none_or(|known| known.epoch < epoch) {
            self.write(MatchmakerRecord::Succeeded(Box::new(m.successor)), fx);
        }
        say(from, SucceededB { epoch }, fx);
    }

    /// Tells how its generation began. The first one was founded: nobody can have missed that.
    fn on_origin_a(&mut self, from: NodeId, m: OriginA, fx: &mut Fx) {
        match self.origin.clone().filter(|origin| origin.generation.epoch == m.epoch) {
            Some(successor) if successor.previous.is_empty() => {}
            Some(successor) => say(from, OriginB { successor }, fx),
            None => self.turn_away(from, m.epoch, fx),
        }
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
        assert!(self.mode == Mode::Outside || self.origin.is_some(), "a member of nothing");
    }
}

fn say(to: NodeId, m: impl Into<ToReconfigurer>, fx: &mut Fx) {
    fx.send(to, m.into());
}

#[cfg(test)]
mod tests;
