//! A matchmaker that answers for a round shows every lower round that it has registered and not collected.
//!
//! | | |
//! |---|---|
//! | property | A8 match completeness |
//! | paper | Matchmaker Paxos, Algorithm 1 |
//! | module | `matchmaker::matchmaker` |
//! | model | `match_completeness` |

use matchmaker::message::MatchB;
use paxos::actor::NodeId;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A8",
    name: "match completeness",
    statement: "A matchmaker that answers for a round shows every lower round that it has registered and not collected.",
    paper: "Matchmaker Paxos, Algorithm 1",
    module: "`matchmaker::matchmaker`",
};

impl Ghost {
    /// A matchmaker shows its registry: all of it from the watermark on.
    pub(super) fn check_match_b(&mut self, node: NodeId, m: &MatchB) -> Verdict {
        let registry = &self.generations.registries.entry((m.epoch, node)).or_default().rounds;
        if !registry.contains_key(&m.round) {
            let detail = format!("{} answers {} before it has it", self.places.name(node), m.round);
            return fail(PROPERTY, detail);
        }
        let start = m.watermark.min(m.round);
        if !registry.range(start..m.round).eq(m.history.iter()) {
            let name = self.places.name(node);
            return fail(PROPERTY, format!("{name} hides rounds below {}: {m:?}", m.round));
        }
        Ok(())
    }
}
