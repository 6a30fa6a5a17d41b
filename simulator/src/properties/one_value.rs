//! In each slot and round at most one value is proposed, whoever proposes it and however often it restarts.
//!
//! | | |
//! |---|---|
//! | property | A3 one value per round |
//! | paper | Matchmaker Paxos, section 2.2 |
//! | module | `matchmaker::leader::phase2` |
//! | model | `one_value` |

use paxos::message::Phase2A;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A3",
    name: "one value per round",
    statement: "In each slot and round at most one value is proposed, whoever proposes it and however often it restarts.",
    paper: "Matchmaker Paxos, section 2.2",
    module: "`matchmaker::leader::phase2`",
};

impl Ghost {
    /// A proposal leaves its leader, for the first time or again.
    pub(super) fn on_phase2a(&mut self, m: &Phase2A) -> Verdict {
        let Phase2A { round, slot, value } = m;
        let id = self.id(value);
        match self.proposals.get(slot).and_then(|rounds| rounds.get(round)) {
            Some(known) if *known == id => return Ok(()),
            Some(known) => {
                return fail(PROPERTY, format!("slot {slot} round {round}: #{known} and #{id}"));
            }
            None => {}
        }
        self.check_discipline(*slot, *round)?;
        self.check_safe(*slot, *round, id)?;
        self.check_licence(*round)?;
        self.check_adoption(*slot, *round, id)?;
        self.check_pipeline(*slot, *round)?;
        self.proposals.entry(*slot).or_default().insert(*round, id);
        Ok(())
    }
}
