//! A leader has earlier configurations collected only when every slot was chosen in its own round, was and stays free below it, or is persisted and known to be so by a Phase 2 quorum of its own.
//!
//! | | |
//! |---|---|
//! | property | A10 collection licence |
//! | paper | Matchmaker Paxos, sections 3.5 and 4.5 |
//! | module | `matchmaker::leader::garbage` |
//! | model | `collection` |

use std::collections::BTreeSet;

use paxos::actor::NodeId;
use paxos::round::Round;
use paxos::slot::Slot;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A10",
    name: "collection licence",
    statement: "A leader has earlier configurations collected only when every slot was chosen in its own round, was and stays free below it, or is persisted and known to be so by a Phase 2 quorum of its own.",
    paper: "Matchmaker Paxos, sections 3.5 and 4.5",
    module: "`matchmaker::leader::garbage`",
};

impl Ghost {
    /// `GarbageA` of a round leaves.
    pub(super) fn check_collection(&mut self, round: Round) -> Verdict {
        if !self.garbage_rounds.insert(round) {
            return Ok(());
        }
        if !self.matched.contains(&round) {
            return fail(PROPERTY, format!("{round} is not registered by a majority"));
        }
        let persisted = self.rounds.get(&round).map(|present| self.persisted_in(present));
        let told = self.told_to_quorum(round).min(persisted.unwrap_or_default());
        for (slot, proposals) in self.proposals.range(told..) {
            let is_chosen_here =
                self.chosen.get(slot).is_some_and(|(_, rounds)| rounds.contains(&round));
            let is_free =
                || proposals.range(..round).all(|(earlier, _)| self.is_hopeless(*slot, *earlier));
            if !is_chosen_here && !is_free() {
                let detail = format!(
                    "collecting below {round}: slot {slot} is not chosen there, was proposed below, \
                     and a quorum was told only {told}"
                );
                return fail(PROPERTY, detail);
            }
        }
        Ok(())
    }

    /// A Phase 2 quorum of the configuration of `round` durably knows that all slots below are
    /// persisted.
    pub(crate) fn told_to_quorum(&self, round: Round) -> Slot {
        let Some(configuration) = self.rounds.get(&round) else { return Slot::ZERO };
        let known = |node: &NodeId| self.persisted.get(node).copied().unwrap_or_default();
        let candidates: BTreeSet<Slot> = configuration.members().iter().map(known).collect();
        let is_told = |watermark: &&Slot| {
            let informed = configuration.members().iter().filter(|node| known(node) >= **watermark);
            configuration.is_phase2(configuration.members_among(informed))
        };
        candidates.iter().rev().find(is_told).copied().unwrap_or_default()
    }

    /// Whether nothing was, and nothing will ever be, chosen in `round`: those that voted there and
    /// those that still may are no Phase 2 quorum.
    fn is_hopeless(&self, slot: Slot, round: Round) -> bool {
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
