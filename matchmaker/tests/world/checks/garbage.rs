//! Collection: nothing is given up that a later leader would need.

use std::collections::BTreeSet;

use paxos::actor::NodeId;
use paxos::archive::ArchiveRecord;
use paxos::message::{ArchivedB, PersistedA};
use paxos::round::Round;
use paxos::slot::Slot;

use super::{Ghost, Verdict, fail};
use crate::world::places::name;

impl Ghost {
    /// An archive has written a value down.
    pub(super) fn archive(&mut self, node: NodeId, record: &ArchiveRecord) -> Verdict {
        let archived = self.archived.entry(node).or_default();
        if record.slot > *archived {
            let detail = format!("{} keeps slot {} after {archived}", name(node), record.slot);
            return fail("A12 persisted truth", detail);
        }
        *archived = (*archived).max(record.slot.next());
        self.told_chosen(record.slot, &record.value)
    }

    pub(super) fn archived_b(&self, node: NodeId, m: &ArchivedB) -> Verdict {
        let archived = self.archived.get(&node).copied().unwrap_or_default();
        if m.persisted_watermark > archived {
            let detail = format!("{} tells {}, {archived}", name(node), m.persisted_watermark);
            return fail("A12 persisted truth", detail);
        }
        Ok(())
    }

    pub(super) fn persisted_a(&self, m: &PersistedA) -> Verdict {
        let truth = self.persisted_watermark();
        if m.watermark > truth {
            let detail = format!("persisted {} is told, in truth {truth}", m.watermark);
            return fail("A12 persisted truth", detail);
        }
        Ok(())
    }

    /// The licence to collect: every slot is in one of the three scenarios.
    pub(super) fn garbage_a(&mut self, round: Round) -> Verdict {
        if !self.garbage_rounds.insert(round) {
            return Ok(());
        }
        if !self.is_matched(round) {
            return fail("A10 collection licence", format!("{round} is not registered"));
        }
        let told = self.told_to_quorum(round).min(self.persisted_watermark());
        let slots: BTreeSet<Slot> = self.proposals.range(told..).map(|(slot, _)| *slot).collect();
        for slot in slots {
            let is_chosen_here =
                self.chosen.get(&slot).is_some_and(|(_, rounds)| rounds.contains(&round));
            let is_free = || {
                let earlier = self.proposals.get(&slot).into_iter().flat_map(|p| p.range(..round));
                earlier.into_iter().all(|(earlier, _)| self.is_hopeless(slot, *earlier))
            };
            if !is_chosen_here && !is_free() {
                let detail = format!(
                    "collecting below {round}: slot {slot} is not chosen there, was proposed below, \
                     and a quorum was told only {told}"
                );
                return fail("A10 collection licence", detail);
            }
        }
        Ok(())
    }

    /// A Phase 2 quorum of the configuration of `round` durably knows that all slots below are
    /// persisted.
    fn told_to_quorum(&self, round: Round) -> Slot {
        let Some(configuration) = self.rounds.get(&round) else { return Slot::ZERO };
        let known = |node: &NodeId| self.persisted.get(node).copied().unwrap_or_default();
        let candidates: BTreeSet<Slot> = configuration.members().iter().map(known).collect();
        let is_told = |watermark: &&Slot| {
            let informed = configuration.members().iter().filter(|node| known(node) >= **watermark);
            configuration.is_phase2(configuration.members_among(informed))
        };
        candidates.iter().rev().find(is_told).copied().unwrap_or_default()
    }
}
