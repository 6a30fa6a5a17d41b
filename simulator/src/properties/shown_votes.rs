//! In Phase 1 an acceptor shows its last vote in every slot of which it speaks.
//!
//! | | |
//! |---|---|
//! | property | A23 shown votes |
//! | paper | Matchmaker Paxos, Algorithm 2 and section 4.1 |
//! | module | `paxos::acceptor` |
//! | model | - |

use std::collections::BTreeMap;

use paxos::actor::NodeId;
use paxos::message::{Phase1B, Vote};
use paxos::round::Round;
use paxos::slot::Slot;

use super::{Ghost, Property, ValueId, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A23",
    name: "shown votes",
    statement: "In Phase 1 an acceptor shows its last vote in every slot of which it speaks.",
    paper: "Matchmaker Paxos, Algorithm 2 and section 4.1",
    module: "`paxos::acceptor`",
};

/// Every durable vote of each acceptor.
pub(super) type Voted = BTreeMap<NodeId, BTreeMap<Slot, BTreeMap<Round, ValueId>>>;

impl Ghost {
    /// A vote became durable.
    pub(super) fn note_vote(&mut self, node: NodeId, vote: &Vote) {
        let id = self.id(&vote.value);
        let slots = self.voted.entry(node).or_default();
        slots.entry(vote.slot).or_default().insert(vote.round, id);
    }

    /// An acceptor shows the votes of one page: those from its first slot, or from what it knows to be
    /// persisted, up to the start of the next page.
    ///
    /// Votes in the round that is asked for may have become durable since the answer was written, so
    /// they may be shown or not.
    pub(super) fn check_shown(&self, node: NodeId, m: &Phase1B) -> Verdict {
        let first = m.first.max(m.persisted_watermark);
        let end = m.next.unwrap_or(Slot(u64::MAX)).max(first);
        let shown: BTreeMap<Slot, &Vote> = m.votes.iter().map(|vote| (vote.slot, vote)).collect();
        let Some(slots) = self.voted.get(&node) else { return Ok(()) };
        for (slot, rounds) in slots.range(first..end) {
            let Some((last, id)) = rounds.range(..m.round).next_back() else { continue };
            let is_shown = shown.get(slot).is_some_and(|vote| {
                let is_last = vote.round == *last && self.values.get(&vote.value) == Some(id);
                is_last || vote.round == m.round
            });
            if !is_shown {
                let (name, seen) = (self.name(node), shown.get(slot));
                let detail =
                    format!("{name} voted for #{id} in slot {slot} in {last}, and shows {seen:?}");
                return fail(PROPERTY, detail);
            }
        }
        Ok(())
    }
}
