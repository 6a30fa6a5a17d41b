//! The values that a new leader proposes: those that Phase 1 found, and nothing else.

use std::collections::BTreeMap;

use paxos::actor::NodeId;
use paxos::message::Phase1B;
use paxos::round::Round;
use paxos::slot::Slot;

use super::{Ghost, ValueId, Verdict, fail};

/// The votes of one acceptor.
type Votes = BTreeMap<Slot, (Round, ValueId)>;

/// What acceptors have shown in Phase 1 of each round.
#[derive(Default)]
pub(super) struct Adoption {
    /// The votes that each acceptor showed.
    shown: BTreeMap<Round, BTreeMap<NodeId, Votes>>,
    /// All slots below are chosen.
    chosen_watermark: Slot,
    /// The highest slot that was proposed in each leadership.
    highest: BTreeMap<(u64, NodeId), Slot>,
}

impl Ghost {
    pub(super) fn phase1b(&mut self, node: NodeId, m: &Phase1B) {
        let votes: Vec<_> =
            m.votes.iter().map(|vote| (vote.slot, (vote.round, self.id(&vote.value)))).collect();
        self.adoption.shown.entry(m.round).or_default().entry(node).or_default().extend(votes);
    }

    /// The first proposal in a slot after Phase 1: those acceptors that have shown no vote above the
    /// one that is adopted contain a Phase 1 quorum of each configuration that had to be asked.
    pub(super) fn check_adoption(&self, slot: Slot, round: Round, id: ValueId) -> Verdict {
        if round.step > 0 {
            return Ok(());
        }
        let nobody = BTreeMap::new();
        let shown = self.adoption.shown.get(&round).unwrap_or(&nobody);
        let vote_of = |node: &NodeId| shown.get(node).and_then(|votes| votes.get(&slot));
        let votes = shown.keys().filter_map(vote_of);
        let adopted = votes.filter(|(_, value)| *value == id).map(|(round, _)| *round).max();
        let nodes = shown.keys().filter(|node| vote_of(node).map(|(round, _)| *round) <= adopted);
        let nodes: Vec<NodeId> = nodes.copied().collect();
        let watermark = self.collected.values().copied().max().unwrap_or(Round::ZERO).min(round);
        for (earlier, configuration) in self.rounds.range(watermark..round) {
            let is_asked = configuration.is_phase1(configuration.members_among(&nodes));
            if self.is_matched(*earlier) && !is_asked {
                let detail = format!(
                    "slot {slot}: {round} proposes #{id} of {adopted:?}, and {earlier} may know more"
                );
                return fail("A2 adoption", detail);
            }
        }
        Ok(())
    }

    /// A slot that no earlier leader has touched is proposed only if few are under way.
    pub(super) fn check_pipeline(&mut self, slot: Slot, round: Round, max: u64) -> Verdict {
        while self.chosen.contains_key(&self.adoption.chosen_watermark) {
            self.adoption.chosen_watermark = self.adoption.chosen_watermark.next();
        }
        let highest = &mut self.adoption.highest;
        let here = highest.entry((round.number, round.owner)).or_insert(slot);
        *here = slot.max(*here);
        let mut earlier = highest.range(..(round.number, round.owner));
        let is_inherited = earlier.any(|(_, highest)| slot <= *highest);
        let count = self.adoption.chosen_watermark.until(slot);
        if !is_inherited && count >= max {
            let detail = format!("slot {slot} of {round} has {count} slots under way before it");
            return fail("limits: pipeline", detail);
        }
        Ok(())
    }
}
