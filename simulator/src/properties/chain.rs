//! Whoever asks an old matchmaker is sent to a generation that was chosen and of which a majority serves, and later than the one it asked.
//!
//! | | |
//! |---|---|
//! | property | H7 chain |
//! | paper | Matchmaker Paxos, section 5 |
//! | module | `matchmaker::matchmaker`, `matchmaker::reconfigurer` |
//! | model | - |

use matchmaker::message::{Epoch, Generation, Stopped};
use paxos::actor::NodeId;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "H7",
    name: "chain",
    statement: "Whoever asks an old matchmaker is sent to a generation that was chosen and of which a majority serves, and later than the one it asked.",
    paper: "Matchmaker Paxos, section 5",
    module: "`matchmaker::matchmaker`, `matchmaker::reconfigurer`",
};

impl Ghost {
    /// A matchmaker sends someone on.
    pub(super) fn check_sent_on(&self, from: NodeId, m: &Stopped) -> Verdict {
        let Some(successor) = &m.successor else { return Ok(()) };
        if successor.generation.epoch > m.epoch && self.is_chosen_successor(successor) {
            return Ok(());
        }
        fail(PROPERTY, format!("{} sends on to {successor:?}", self.name(from)))
    }

    /// A driver tells others where the matchmakers are.
    pub(super) fn check_announced(&self, from: NodeId, generation: &Generation) -> Verdict {
        let is_there = |node: &&NodeId| self.knows(**node, generation.epoch);
        let count = generation.members.iter().filter(is_there).count();
        let is_chosen = self.members(generation.epoch) == Some(&generation.members);
        if is_chosen && self.is_majority(generation.epoch, count) {
            return Ok(());
        }
        fail(PROPERTY, format!("{} announces {generation:?}, {count} serve", self.name(from)))
    }

    /// Whether a matchmaker has durably heard of this generation, or a later one.
    pub(super) fn knows(&self, node: NodeId, epoch: Epoch) -> bool {
        self.generations.known.get(&node).is_some_and(|known| *known >= epoch)
    }
}
