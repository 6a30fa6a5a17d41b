//! A leader names to replicas the archives of its configuration and of every earlier one that is not collected: each may be the only one that holds a value.
//!
//! | | |
//! |---|---|
//! | property | A29 sources |
//! | paper | Matchmaker Paxos, section 4.5, scenario 3 |
//! | module | `matchmaker::leader` |
//! | model | - |

use paxos::actor::NodeId;
use paxos::message::ChosenWatermark;
use paxos::round::Round;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A29",
    name: "sources",
    statement: "A leader names to replicas the archives of its configuration and of every earlier one that is not collected: each may be the only one that holds a value.",
    paper: "Matchmaker Paxos, section 4.5, scenario 3",
    module: "`matchmaker::leader`",
};

impl Ghost {
    /// A leader tells a replica where chosen values are.
    pub(super) fn check_sources(&self, from: NodeId, m: &ChosenWatermark) -> Verdict {
        let round = self.leading.get(&from).copied().unwrap_or(Round::ZERO);
        let watermark = self.highest_collected().min(round);
        for earlier in self.matched.range(watermark..=round) {
            let Some(configuration) = self.rounds.get(earlier) else { continue };
            let archives = &configuration.membership().archives;
            if let Some(archive) = archives.difference(&m.archives).next() {
                let (leader, archive) = (self.name(from), self.name(*archive));
                let detail = format!("{leader} in {round} does not name {archive} of {earlier}");
                return fail(PROPERTY, detail);
            }
        }
        Ok(())
    }
}
