//! Every chosen value is durable on a majority of the archives of a configuration that is not collected, or was chosen in a round that Phase 1 still asks.
//!
//! Archives of processes that were switched off for good do not count: their disks may be gone.
//!
//! | | |
//! |---|---|
//! | property | A19 reachability |
//! | paper | Matchmaker Paxos, section 4.5 |
//! | module | `matchmaker::leader::garbage` |
//! | model | `reachability` |

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A19",
    name: "reachability",
    statement: "Every chosen value is durable on a majority of the archives of a configuration that is not collected, or was chosen in a round that Phase 1 still asks.",
    paper: "Matchmaker Paxos, section 4.5",
    module: "`matchmaker::leader::garbage`",
};

impl Ghost {
    /// A matchmaker has collected: nothing that was chosen may be out of reach.
    pub(super) fn check_reachability(&self) -> Verdict {
        let watermark = self.collected_watermark();
        for (slot, (_, rounds)) in self.chosen.range(self.persisted_watermark()..) {
            if rounds.last() < Some(&watermark) {
                let detail = format!(
                    "slot {slot} was chosen in {rounds:?} only, and rounds below {watermark} are gone"
                );
                return fail(PROPERTY, detail);
            }
        }
        self.check_told_still()
    }
}
