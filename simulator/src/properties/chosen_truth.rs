//! What is passed on or kept as chosen was chosen.
//!
//! | | |
//! |---|---|
//! | property | A13 chosen truth |
//! | paper | Matchmaker Paxos, section 4 |
//! | module | `matchmaker::leader::phase2`, `paxos::replica`, `paxos::archive` |
//! | model | `chosen_truth` |

use paxos::command::Value;
use paxos::slot::Slot;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A13",
    name: "chosen truth",
    statement: "What is passed on or kept as chosen was chosen.",
    paper: "Matchmaker Paxos, section 4",
    module: "`matchmaker::leader::phase2`, `paxos::replica`, `paxos::archive`",
};

impl Ghost {
    /// Somebody tells or keeps `value` as chosen.
    pub(super) fn check_chosen(&mut self, slot: Slot, value: &Value) -> Verdict {
        let id = self.id(value);
        match self.chosen.get(&slot) {
            Some((chosen, _)) if *chosen == id => Ok(()),
            other => {
                let detail = format!("slot {slot}: #{id} is told as chosen, in truth {other:?}");
                fail(PROPERTY, detail)
            }
        }
    }
}
