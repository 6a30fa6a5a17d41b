//! A leader proposes nothing below the slot at which the log begins;
//! and once it proposes in its adjacent round, nothing more in the round below.
//!
//! | | |
//! |---|---|
//! | property | A17 slot discipline |
//! | paper | the adjacent round of one leader; Matchmaker Paxos, section 4.2 |
//! | module | `matchmaker::leader::phase1`, `matchmaker::leader::phase2` |
//! | model | `slot_discipline` |

use paxos::round::Round;
use paxos::slot::Slot;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A17",
    name: "slot discipline",
    statement: "A leader proposes nothing below the slot at which the log begins; and once it proposes in its adjacent round, nothing more in the round below.",
    paper: "the adjacent round of one leader; Matchmaker Paxos, section 4.2",
    module: "`matchmaker::leader::phase1`, `matchmaker::leader::phase2`",
};

impl Ghost {
    /// Something is proposed for the first time in `round`.
    pub(super) fn check_discipline(&mut self, slot: Slot, round: Round) -> Verdict {
        let first = self.deployment.first;
        if slot < first {
            return fail(
                PROPERTY,
                format!("slot {slot} is proposed, and the log begins at {first}"),
            );
        }
        let step = self.steps.entry((round.number, round.owner)).or_insert(round.step);
        if round.step < *step {
            let detail = format!("slot {slot} is proposed in {round} after step {step}");
            return fail(PROPERTY, detail);
        }
        *step = round.step;
        Ok(())
    }
}
