//! Agreement, and the stricter facts that it rests on.

use std::collections::BTreeSet;

use paxos::actor::NodeId;
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::message::{Phase1A, Phase2A, Vote};
use paxos::round::Round;
use paxos::slot::Slot;

use super::{Ghost, Verdict, fail, names};
use crate::world::places::{self, name};

impl Ghost {
    pub(super) fn promise(&mut self, node: NodeId, round: Round) {
        let promised = self.promised.entry(node).or_insert(round);
        *promised = (*promised).max(round);
    }

    /// An acceptor says something in `round`.
    pub(super) fn answer(&mut self, node: NodeId, round: Round) -> Verdict {
        let told = self.told.entry(node).or_insert(round);
        if round < *told {
            return fail("A6 promise", format!("{} answers {round} after {told}", name(node)));
        }
        *told = round;
        if self.promised.get(&node) < Some(&round) {
            let detail = format!("{} answers {round} before that is durable", name(node));
            return fail("A6 promise", detail);
        }
        Ok(())
    }

    /// An acceptor came back from a crash with this promise.
    pub fn restored(&self, node: NodeId, promised: Option<Round>) -> Verdict {
        if promised.as_ref() < self.promised.get(&node) {
            let known = self.promised.get(&node);
            return fail("A6 promise", format!("{} forgot {known:?}: {promised:?}", name(node)));
        }
        Ok(())
    }

    pub(super) fn phase1a(&self, m: &Phase1A) -> Verdict {
        if !self.is_matched(m.round) {
            return fail("A7 proposal licence", format!("Phase 1 of {} too early", m.round));
        }
        Ok(())
    }

    /// Checks a proposal when it is sent for the first time.
    pub(super) fn phase2a(&mut self, m: &Phase2A) -> Verdict {
        let Phase2A { round, slot, value } = m;
        let id = self.id(value);
        if let Some(known) = self.proposals.get(slot).and_then(|rounds| rounds.get(round)) {
            if *known != id {
                let detail = format!("slot {slot} round {round}: #{known} and #{id}");
                return fail("A3 one value per round", detail);
            }
            return Ok(());
        }
        let step = self.steps.entry((round.number, round.owner)).or_insert(round.step);
        if round.step < *step {
            let detail = format!("slot {slot} is proposed in {round} after step {step}");
            return fail("A17 slot discipline", detail);
        }
        *step = round.step;
        if let Some((chosen, rounds)) = self.chosen.get(slot)
            && *chosen != id
            && rounds.first() < Some(round)
        {
            let detail = format!(
                "slot {slot}: #{chosen} is chosen in {rounds:?}, and #{id} proposed in {round}"
            );
            return fail("A2 proposal of a chosen slot", detail);
        }
        self.check_licence(*round)?;
        self.check_adoption(*slot, *round, id)?;
        self.check_pipeline(*slot, *round, places::PIPELINE_MAX)?;
        self.proposals.entry(*slot).or_default().insert(*round, id);
        Ok(())
    }

    /// Matchmaking is complete, and every earlier round that was not collected is shut: a Phase 1
    /// quorum of it has promised more, or it is a round of the same leadership.
    fn check_licence(&self, round: Round) -> Verdict {
        if !self.is_matched(round) {
            return fail("A7 proposal licence", format!("{round} is not registered"));
        }
        let watermark = self.collected.values().copied().max().unwrap_or(Round::ZERO).min(round);
        let entered = Round { step: 0, ..round };
        for (earlier, configuration) in self.rounds.range(watermark..round) {
            let is_same_leadership = (earlier.number, earlier.owner) == (round.number, round.owner);
            if !is_same_leadership
                && self.is_matched(*earlier)
                && !self.is_shut(configuration, entered)
            {
                let detail = format!("{round} proposes while {earlier} may go on");
                return fail("A7 proposal licence", detail);
            }
        }
        Ok(())
    }

    /// Whether a Phase 1 quorum of `configuration` has durably promised `round` or more.
    fn is_shut(&self, configuration: &Configuration, round: Round) -> bool {
        let promised = |node: &&NodeId| self.promised.get(*node) >= Some(&round);
        let members = configuration.members().iter().filter(promised);
        configuration.is_phase1(configuration.members_among(members))
    }

    /// A vote became durable.
    pub(super) fn vote(&mut self, node: NodeId, vote: &Vote) -> Verdict {
        let (slot, round) = (vote.slot, vote.round);
        let id = self.id(&vote.value);
        let proposed = self.proposals.get(&slot).and_then(|rounds| rounds.get(&round));
        let Some(configuration) = self.rounds.get(&round) else {
            return fail("A5 vote validity", format!("{round} was never registered"));
        };
        if proposed != Some(&id) || configuration.position(node).is_none() {
            let detail = format!(
                "{} votes for #{id} in slot {slot} of {round}; proposed is {proposed:?} to {}",
                name(node),
                names(configuration)
            );
            return fail("A5 vote validity", detail);
        }
        let voters = self.votes.entry((slot, round)).or_default();
        if !voters.insert(node) || !configuration.is_phase2(configuration.members_among(&*voters)) {
            return Ok(());
        }
        self.choose(slot, round, id)
    }

    fn choose(&mut self, slot: Slot, round: Round, id: u32) -> Verdict {
        let (chosen, rounds) = self.chosen.entry(slot).or_insert_with(|| (id, BTreeSet::new()));
        rounds.insert(round);
        if *chosen != id {
            let detail = format!("slot {slot}: #{chosen} in {rounds:?}, and #{id} in {round}");
            return fail("A1 agreement", detail);
        }
        let later = self
            .proposals
            .get(&slot)
            .and_then(|rounds| rounds.range(round..).find(|(_, proposed)| **proposed != id));
        if let Some((later, other)) = later {
            let detail =
                format!("slot {slot}: #{other} was proposed in {later}, now #{id} in {round}");
            return fail("A2 proposal of a chosen slot", detail);
        }
        Ok(())
    }

    /// Somebody tells that `value` is chosen.
    pub(super) fn told_chosen(&mut self, slot: Slot, value: &Value) -> Verdict {
        let id = self.id(value);
        if self.chosen.get(&slot).map(|(chosen, _)| *chosen) != Some(id) {
            let chosen = self.chosen.get(&slot);
            let detail = format!("slot {slot}: #{id} is told as chosen, in truth {chosen:?}");
            return fail("A13 chosen truth", detail);
        }
        Ok(())
    }

    /// Whether `id` was not, and never will be, chosen in `round`: those that voted for it there
    /// and those that still may are no Phase 2 quorum.
    pub(super) fn is_hopeless(&self, slot: Slot, round: Round) -> bool {
        let Some(configuration) = self.rounds.get(&round) else { return true };
        let voters = self.votes.get(&(slot, round));
        let may_vote = |node: &&NodeId| {
            voters.is_some_and(|voters| voters.contains(*node))
                || self.promised.get(*node).is_none_or(|promised| *promised <= round)
        };
        let members = configuration.members().iter().filter(may_vote);
        !configuration.is_phase2(configuration.members_among(members))
    }
}
