//! The matchmakers: one configuration per round, and nothing forgotten that is still needed.

use matchmaker::message::{MatchA, MatchB, Progress, ReconfigureB};
use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::round::Round;

use super::{Ghost, Verdict, fail, names};
use crate::world::places::name;

impl Ghost {
    pub(super) fn match_a(&mut self, m: &MatchA) -> Verdict {
        match self.rounds.get(&m.round) {
            Some(known) if *known != m.configuration => {
                let (known, other) = (names(known), names(&m.configuration));
                fail("A4 one configuration per round", format!("{}: {known}, {other}", m.round))
            }
            Some(_) => Ok(()),
            None => {
                self.note_floor(m.round);
                self.rounds.insert(m.round, m.configuration.clone());
                Ok(())
            }
        }
    }

    /// A registration became durable.
    pub(super) fn register(
        &mut self,
        node: NodeId,
        round: Round,
        configuration: &Configuration,
    ) -> Verdict {
        if self.rounds.get(&round) != Some(configuration) {
            let detail = format!("{} registers {round} with {}", name(node), names(configuration));
            return fail("A4 one configuration per round", detail);
        }
        let registry = self.registered.entry(node).or_default();
        let highest = registry.last_key_value().map(|(highest, _)| *highest);
        if registry.contains_key(&round) {
            return Ok(());
        }
        if highest > Some(round) || self.collected.get(&node) > Some(&round) {
            let detail = format!("{} registers {round} after {highest:?}", name(node));
            return fail("A9 registry", detail);
        }
        registry.insert(round, configuration.clone());
        self.check_retired(round, configuration)
    }

    /// A machine that was switched off on good evidence must not be needed again, unless an operator
    /// has asked for it since.
    fn check_retired(&self, round: Round, configuration: &Configuration) -> Verdict {
        if !self.is_matched(round) {
            return Ok(());
        }
        for node in configuration.members() {
            if let Some(watermark) = self.retired.get(node).filter(|watermark| round > **watermark)
            {
                let detail = format!(
                    "{round} has {}; {} was retired below {watermark}",
                    names(configuration),
                    name(*node)
                );
                return fail("A11 retirement", detail);
            }
        }
        Ok(())
    }

    /// A leader reports to the operator: what it calls collected must be so, and what it calls
    /// retirable must not be needed.
    pub(super) fn progress(&mut self, from: NodeId, m: &ReconfigureB) -> Verdict {
        let (watermark, retirable) = match &m.progress {
            Progress::Active { round, .. } => {
                self.active.insert((from, m.token), *round);
                return Ok(());
            }
            Progress::Interrupted | Progress::Refused { .. } => return Ok(()),
            Progress::Collected { watermark, retirable } => (*watermark, retirable),
        };
        let active = self.active.get(&(from, m.token)).copied();
        if active.is_none_or(|active| watermark < active) {
            let detail =
                format!("#{} active in {active:?}, told collected below {watermark}", m.token);
            return fail("A11 retirement", detail);
        }
        let truth = self.collected.values().filter(|collected| **collected >= watermark).count();
        if !self.is_majority(truth) {
            let detail = format!("collected below {watermark} only by {truth}");
            return fail("A11 retirement", detail);
        }
        let Some(configuration) = self.rounds.get(&watermark) else { return Ok(()) };
        match retirable.iter().find(|node| configuration.position(**node).is_some()) {
            Some(node) => {
                let detail = format!("{} is in use in {watermark}, told retirable", name(*node));
                fail("A11 retirement", detail)
            }
            None => Ok(()),
        }
    }

    pub(super) fn collect(&mut self, node: NodeId, round: Round) -> Verdict {
        let collected = self.collected.entry(node).or_insert(round);
        if round < *collected {
            let detail = format!("{} collects {round} after {collected}", name(node));
            return fail("A9 registry", detail);
        }
        *collected = round;
        Ok(())
    }

    /// A matchmaker shows its registry: all of it from the watermark on.
    pub(super) fn match_b(&mut self, node: NodeId, m: &MatchB) -> Verdict {
        let told = self.told_collected.entry(node).or_insert(m.watermark);
        if m.watermark < *told {
            let detail = format!("{} tells {} after {told}", name(node), m.watermark);
            return fail("A9 registry", detail);
        }
        *told = m.watermark;
        let collected = self.collected.get(&node).copied().unwrap_or(Round::ZERO);
        if m.watermark > collected {
            let detail = format!("{} tells {}, durable {collected}", name(node), m.watermark);
            return fail("A9 registry", detail);
        }
        let registry = self.registered.entry(node).or_default();
        if !registry.contains_key(&m.round) {
            let detail = format!("{} answers {} before that is durable", name(node), m.round);
            return fail("A8 match completeness", detail);
        }
        let start = m.watermark.min(m.round);
        if !registry.range(start..m.round).eq(m.history.iter()) {
            let detail = format!("{} hides rounds below {}: {m:?}", name(node), m.round);
            return fail("A8 match completeness", detail);
        }
        Ok(())
    }
}
