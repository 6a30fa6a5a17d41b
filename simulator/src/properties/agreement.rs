//! In each slot at most one value is chosen.
//!
//! | | |
//! |---|---|
//! | property | A1 agreement |
//! | paper | Matchmaker Paxos, sections 3.3 and 4 |
//! | module | `paxos::acceptor`, `matchmaker::leader` |
//! | model | `agreement` |

use std::collections::BTreeSet;

use paxos::actor::NodeId;
use paxos::message::Vote;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A1",
    name: "agreement",
    statement: "In each slot at most one value is chosen.",
    paper: "Matchmaker Paxos, sections 3.3 and 4",
    module: "`paxos::acceptor`, `matchmaker::leader`",
};

impl Ghost {
    /// A vote became durable: it may complete a quorum.
    pub(super) fn count_vote(&mut self, node: NodeId, vote: &Vote) -> Verdict {
        let (slot, round) = (vote.slot, vote.round);
        let Some(configuration) = self.rounds.get(&round) else { return Ok(()) };
        let voters = self.votes.entry((slot, round)).or_default();
        if !voters.insert(node) || !configuration.is_phase2(configuration.members_among(&*voters)) {
            return Ok(());
        }
        let id = self.id(&vote.value);
        let (chosen, rounds) = self.chosen.entry(slot).or_insert_with(|| (id, BTreeSet::new()));
        rounds.insert(round);
        if *chosen != id {
            let detail = format!("slot {slot}: #{chosen} in {rounds:?}, and #{id} in {round}");
            return fail(PROPERTY, detail);
        }
        self.check_later_proposals(slot, round, id)
    }
}
