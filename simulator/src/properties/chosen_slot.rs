//! A value that is proposed in a round is the one that was or will be chosen in any lower round.
//!
//! | | |
//! |---|---|
//! | property | A2 safe proposals |
//! | paper | Matchmaker Paxos, section 3.3: P(i) |
//! | module | `matchmaker::leader::phase1`, `matchmaker::leader::phase2` |
//! | model | `safe_proposals` |

use paxos::round::Round;
use paxos::slot::Slot;

use super::{Ghost, Property, ValueId, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A2",
    name: "safe proposals",
    statement: "A value that is proposed in a round is the one that was or will be chosen in any lower round.",
    paper: "Matchmaker Paxos, section 3.3: P(i)",
    module: "`matchmaker::leader::phase1`, `matchmaker::leader::phase2`",
};

impl Ghost {
    /// A value is proposed for the first time in `round`.
    pub(super) fn check_safe(&self, slot: Slot, round: Round, id: ValueId) -> Verdict {
        match self.chosen.get(&slot) {
            Some((chosen, rounds)) if *chosen != id && rounds.first() < Some(&round) => {
                let detail = format!(
                    "slot {slot}: #{chosen} is chosen in {rounds:?}, and #{id} proposed in {round}"
                );
                fail(PROPERTY, detail)
            }
            _ => Ok(()),
        }
    }

    /// A value was chosen in `round`: what was proposed above must be the same.
    pub(super) fn check_later_proposals(&self, slot: Slot, round: Round, id: ValueId) -> Verdict {
        let later = self
            .proposals
            .get(&slot)
            .and_then(|rounds| rounds.range(round..).find(|(_, proposed)| **proposed != id));
        match later {
            Some((later, other)) => {
                let detail =
                    format!("slot {slot}: #{other} was proposed in {later}, now #{id} in {round}");
                fail(PROPERTY, detail)
            }
            None => Ok(()),
        }
    }
}
