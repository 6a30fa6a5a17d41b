//! What a new leader proposes in a slot is the vote of the highest round that a Phase 1 quorum of each
//! earlier configuration has shown, or new if they have shown none.
//!
//! | | |
//! |---|---|
//! | property | A21 adoption |
//! | paper | Matchmaker Paxos, section 3.2, line 12 of the proposer |
//! | module | `matchmaker::leader::phase1` |
//! | model | `adoption` |

use std::collections::BTreeMap;

use paxos::actor::NodeId;
use paxos::message::Phase1B;
use paxos::round::Round;
use paxos::slot::Slot;

use super::{Ghost, Property, ValueId, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A21",
    name: "adoption",
    statement: "What a new leader proposes in a slot is the vote of the highest round that a Phase 1 quorum of each earlier configuration has shown, or new if they have shown none.",
    paper: "Matchmaker Paxos, section 3.2",
    module: "`matchmaker::leader::phase1`",
};

/// The votes of one acceptor.
type Votes = BTreeMap<Slot, (Round, ValueId)>;

/// What acceptors have shown in Phase 1 of each round.
pub(super) type Shown = BTreeMap<Round, BTreeMap<NodeId, Votes>>;

impl Ghost {
    /// An acceptor shows its votes.
    pub(super) fn show_votes(&mut self, node: NodeId, m: &Phase1B) {
        let votes: Vec<_> =
            m.votes.iter().map(|vote| (vote.slot, (vote.round, self.id(&vote.value)))).collect();
        self.shown.entry(m.round).or_default().entry(node).or_default().extend(votes);
    }

    /// The first proposal in a slot after Phase 1: those acceptors that have shown no vote above the
    /// one that is adopted contain a Phase 1 quorum of each configuration that had to be asked.
    pub(super) fn check_adoption(&self, slot: Slot, round: Round, id: ValueId) -> Verdict {
        if round.step > 0 {
            return Ok(());
        }
        let nobody = BTreeMap::new();
        let shown = self.shown.get(&round).unwrap_or(&nobody);
        let vote_of = |node: &NodeId| shown.get(node).and_then(|votes| votes.get(&slot));
        let votes = shown.keys().filter_map(vote_of);
        let adopted = votes.filter(|(_, value)| *value == id).map(|(round, _)| *round).max();
        let nodes = shown.keys().filter(|node| vote_of(node).map(|(round, _)| *round) <= adopted);
        let nodes: Vec<NodeId> = nodes.copied().collect();
        let watermark = self.highest_collected().min(round);
        for earlier in self.matched.range(watermark..round) {
            let Some(configuration) = self.rounds.get(earlier) else { continue };
            if !configuration.is_phase1(configuration.members_among(&nodes)) {
                let detail = format!(
                    "slot {slot}: {round} proposes #{id} of {adopted:?}, and {earlier} may know more"
                );
                return fail(PROPERTY, detail);
            }
        }
        Ok(())
    }
}
