//! What is true of acceptors: proposals, promises and votes.

use std::collections::{BTreeMap, BTreeSet};

use paxos::actor::NodeId;
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::round::Round;
use paxos::slot::Slot;

use super::Rounds;
use crate::hashed::Hashed;

/// What acceptors promised, what they voted for, and what they were asked to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Votes {
    /// The configuration of each round that was asked for.
    pub rounds: Rounds,
    /// What was proposed.
    pub proposals: BTreeMap<(Slot, Round), Hashed<Value>>,
    /// Who voted for it.
    pub votes: BTreeMap<(Slot, Round), BTreeSet<NodeId>>,
    /// The highest promise of each acceptor.
    pub promised: BTreeMap<NodeId, Round>,
    /// Slots below are persisted, as far as each acceptor knows.
    pub persisted: BTreeMap<NodeId, Slot>,
}

impl Votes {
    /// The values that were chosen in a slot, with the rounds in which they were.
    fn chosen_in(&self, slot: Slot) -> impl Iterator<Item = (Round, &Hashed<Value>)> {
        let votes = self.votes.range((slot, Round::ZERO)..(slot.next(), Round::ZERO));
        votes.filter_map(|((slot, round), voters)| {
            let configuration = self.rounds.get(round)?;
            let is_chosen = configuration.is_phase2(configuration.members_among(voters));
            let value = self.proposals.get(&(*slot, *round))?;
            is_chosen.then_some((*round, value))
        })
    }

    /// All values that were chosen, with slots and rounds.
    pub fn chosen(&self) -> impl Iterator<Item = (Slot, Round, &Hashed<Value>)> {
        let slots: BTreeSet<Slot> = self.votes.keys().map(|(slot, _)| *slot).collect();
        slots
            .into_iter()
            .flat_map(|slot| self.chosen_in(slot).map(move |(round, value)| (slot, round, value)))
    }

    /// Whether `value` was chosen in the slot.
    pub(super) fn is_chosen(&self, slot: Slot, value: &Hashed<Value>) -> bool {
        self.chosen_in(slot).any(|(_, chosen)| chosen == value)
    }

    /// A1: in the slot at most one value is chosen.
    pub(super) fn is_agreed(&self, slot: Slot) -> bool {
        let mut chosen = self.chosen_in(slot).map(|(_, value)| value);
        let Some(first) = chosen.next() else { return true };
        chosen.all(|value| value == first)
    }

    /// A2: what is proposed above a round in which a value was chosen is that value.
    pub(super) fn is_safe(&self, slot: Slot) -> bool {
        self.chosen_in(slot).all(|(round, value)| {
            let later = (slot, round)..(slot.next(), Round::ZERO);
            self.proposals.range(later).all(|(_, other)| other == value)
        })
    }

    /// A4: the round has no other configuration.
    pub(super) fn ask(&mut self, round: Round, configuration: &Hashed<Configuration>) -> bool {
        self.rounds.entry(round).or_insert_with(|| configuration.clone()) == configuration
    }

    /// A3: nothing else was proposed in the slot and round.
    pub(super) fn propose(&mut self, slot: Slot, round: Round, value: &Hashed<Value>) -> bool {
        self.proposals.entry((slot, round)).or_insert_with(|| value.clone()) == value
    }

    pub(super) fn has_proposed_in(&self, round: Round) -> bool {
        self.proposals.keys().any(|(_, proposed)| *proposed == round)
    }

    /// A17: a slot is not new in a round whose leader has gone on to the adjacent one.
    pub(super) fn is_open(&self, slot: Slot, round: Round) -> bool {
        self.proposals.contains_key(&(slot, round)) || !self.has_proposed_in(round.adjacent())
    }

    /// A5: the vote is for what was proposed, and of a member.
    pub(super) fn is_valid(
        &self,
        node: NodeId,
        slot: Slot,
        round: Round,
        value: &Hashed<Value>,
    ) -> bool {
        let configuration = self.rounds.get(&round);
        self.proposals.get(&(slot, round)) == Some(value)
            && configuration.is_some_and(|configuration| configuration.position(node).is_some())
    }

    /// A6: no lower round is promised or voted in.
    pub(super) fn promise(&mut self, node: NodeId, round: Round) -> bool {
        let promised = self.promised.entry(node).or_insert(round);
        let is_higher = *promised <= round;
        *promised = round.max(*promised);
        is_higher
    }

    pub(super) fn vote(&mut self, node: NodeId, slot: Slot, round: Round) {
        self.votes.entry((slot, round)).or_default().insert(node);
    }

    pub(super) fn persist(&mut self, node: NodeId, slot: Slot) {
        let known = self.persisted.entry(node).or_default();
        *known = slot.max(*known);
    }

    /// Whether a Phase 1 quorum has promised the round, or a higher one.
    pub(super) fn has_promises(&self, configuration: &Configuration, round: Round) -> bool {
        let promises = self.promised.iter().filter(|(_, promised)| **promised >= round);
        configuration.is_phase1(configuration.members_among(promises.map(|(node, _)| node)))
    }

    /// A10: each slot was chosen in the round, or is known to be persisted by a Phase 2 quorum of it,
    /// or nothing was or can be chosen there below it.
    pub(super) fn may_collect(&self, round: Round) -> bool {
        let Some(configuration) = self.rounds.get(&round) else { return false };
        let slots: BTreeSet<Slot> = self.proposals.keys().map(|(slot, _)| *slot).collect();
        slots.into_iter().all(|slot| {
            let informed = self.persisted.iter().filter(|(_, watermark)| **watermark > slot);
            let informed = configuration.members_among(informed.map(|(node, _)| node));
            configuration.is_phase2(informed)
                || self.chosen_in(slot).any(|(chosen, _)| chosen == round)
                || !self.rounds.range(..round).any(|(below, c)| self.is_choosable(slot, *below, c))
        })
    }

    /// Whether a value was proposed in a slot and round, and acceptors that have voted for it or may
    /// still do so are a Phase 2 quorum.
    fn is_choosable(&self, slot: Slot, round: Round, configuration: &Configuration) -> bool {
        let voters = self.votes.get(&(slot, round));
        let may_vote = |node: &&NodeId| {
            voters.is_some_and(|voters| voters.contains(*node))
                || self.promised.get(*node).is_none_or(|promised| *promised <= round)
        };
        let may_vote = configuration.members().iter().filter(may_vote);
        self.proposals.contains_key(&(slot, round))
            && configuration.is_phase2(configuration.members_among(may_vote))
    }
}
