//! Stopping the old matchmakers, and the decree on what comes after them.
//!
//! *Paper*: Matchmaker Paxos, section 5.

use std::collections::{BTreeMap, BTreeSet};

use paxos::actor::{Effects, NodeId};
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::message::ToAcceptor;
use paxos::mutant::{self, Mutant};
use paxos::quorum::QuorumSystem;
use paxos::round::Round;
use paxos::synod::{Synod, SynodOptions, SynodRecord, SynodTimer};
use paxos::wire::{self, Payload};

use super::{Fx, Phase, Reconfigurer, ReconfigurerRecord, ReconfigurerTimer, Wish};
use crate::message::{DecreeA, DecreeB, Epoch, Generation, StopB, Successor, ToMatchmaker};

/// What comes after `old`: each round that a majority may have registered, and no round that a
/// majority has collected.
///
/// Each of `answers` was given by one that answers no proposer any more, and they are a majority. So
/// one of them took part in whatever a majority did before.
pub(super) fn merge(
    old: &Generation,
    members: BTreeSet<NodeId>,
    answers: &BTreeMap<NodeId, StopB>,
) -> Successor {
    let heard = if mutant::is_on(Mutant::MergeOneLog) { 1 } else { answers.len() };
    let answers: Vec<&StopB> = answers.values().take(heard).collect();
    let watermarks = answers.iter().map(|m| m.watermark);
    let lowest = watermarks.clone().min().filter(|_| mutant::is_on(Mutant::MergeWithoutWatermark));
    let watermark = lowest.or(watermarks.max()).unwrap_or(Round::ZERO);
    let registered = answers.iter().flat_map(|m| m.log.range(watermark..));
    let kept = registered.filter(|_| !mutant::is_on(Mutant::MergeWithoutLog));
    let log = kept.map(|(round, configuration)| (*round, configuration.clone())).collect();
    let newest = answers.iter().filter_map(|m| m.newest.clone());
    let newest = newest.max_by_key(|(round, configuration)| (configuration.version(), *round));
    let generation = Generation { epoch: Epoch(old.epoch.0 + 1), members };
    Successor { generation, previous: old.members.clone(), log, watermark, newest }
}

impl Reconfigurer {
    /// Tells the matchmakers of `old` to stop.
    pub(super) fn start_stopping(&mut self, old: Generation, wish: Option<Wish>, fx: &mut Fx) {
        self.phase = Phase::Stopping { old, wish, answers: BTreeMap::new() };
        self.ask(fx);
        self.finish_stopping(fx);
    }

    /// Counts a matchmaker that has stopped.
    pub(super) fn on_stop_b(&mut self, from: NodeId, m: StopB, fx: &mut Fx) {
        let Phase::Stopping { old, answers, .. } = &mut self.phase else { return };
        if m.epoch != old.epoch || !old.members.contains(&from) {
            return;
        }
        answers.insert(from, m);
        self.finish_stopping(fx);
    }

    /// Goes on once a majority has stopped. Members that are asked for by nobody in particular stay the
    /// ones that they are.
    fn finish_stopping(&mut self, fx: &mut Fx) {
        let Phase::Stopping { old, wish, answers } = &self.phase else { return };
        let required = match () {
            () if mutant::is_on(Mutant::DecideUnstopped) => 0,
            () if mutant::is_on(Mutant::StopMinority) => old.majority() - 1,
            () => old.majority(),
        };
        if answers.len() < required {
            return;
        }
        let members = wish.as_ref().map_or(&old.members, |wish| &wish.members).clone();
        let successor = merge(old, members, answers);
        let (old, wish) = (old.clone(), wish.clone());
        fx.cancel_timer(ReconfigurerTimer::Resend);
        if mutant::is_on(Mutant::SuccessorWithoutDecree) {
            return self.start_installing(successor, wish, fx);
        }
        self.start_deciding(old, wish, &successor, fx);
    }

    fn start_deciding(
        &mut self,
        old: Generation,
        wish: Option<Wish>,
        successor: &Successor,
        fx: &mut Fx,
    ) {
        let members = old.members.iter().copied();
        let configuration = Configuration::new(old.epoch.0, QuorumSystem::Majority, members);
        let Ok(configuration) = configuration else {
            return fx.violation("generation", format!("{old:?} cannot decide anything"));
        };
        let resend = self.options.resend.clone();
        let options = SynodOptions { resend, ..SynodOptions::default() };
        let mut synod = Synod::new(self.node, configuration, options);
        synod.restore(SynodRecord { used: self.used });
        self.phase = Phase::Deciding { old, wish, synod: Box::new(synod) };
        let value = Value::Batch(Payload(wire::encode(successor)));
        self.decree(fx, |synod, fx| synod.propose(value, fx));
    }

    pub(super) fn on_decree_b(&mut self, from: NodeId, m: DecreeB, fx: &mut Fx) {
        if matches!(&self.phase, Phase::Deciding { old, .. } if old.epoch == m.epoch) {
            self.decree(fx, |synod, fx| synod.on_message(from, m.message, fx));
        }
    }

    /// Takes a step of the decree under way, and installs what it has chosen.
    pub(super) fn decree(
        &mut self,
        fx: &mut Fx,
        step: impl FnOnce(&mut Synod, &mut Effects<ToAcceptor, SynodTimer, SynodRecord>),
    ) {
        let Phase::Deciding { old, wish, synod } = &mut self.phase else { return };
        let mut inner = Effects::new();
        step(synod, &mut inner);
        let (epoch, wish) = (old.epoch, wish.clone());
        let chosen = synod.chosen().cloned();
        for SynodRecord { used } in std::mem::take(&mut inner.records) {
            self.write(ReconfigurerRecord { used }, fx);
        }
        for (to, message) in std::mem::take(&mut inner.sends) {
            fx.send(to, ToMatchmaker::from(DecreeA { epoch, message }));
        }
        fx.nest(|fx: &mut Effects<ToMatchmaker, SynodTimer, ReconfigurerRecord>| {
            fx.timers = inner.timers;
            fx.violations = inner.violations;
        });
        match chosen {
            None => {}
            Some(Value::Batch(Payload(bytes))) => match wire::decode::<Successor>(&bytes) {
                Ok(successor) => self.start_installing(successor, wish, fx),
                Err(error) => fx.violation("decree", format!("{epoch:?} chose noise: {error}")),
            },
            Some(Value::Noop) => fx.violation("decree", format!("{epoch:?} chose nothing")),
        }
    }
}

impl From<SynodTimer> for ReconfigurerTimer {
    fn from(timer: SynodTimer) -> Self {
        Self::Decree(timer)
    }
}
