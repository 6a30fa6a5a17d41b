//! A proposer that is not in the newest membership that it durably knows of does not campaign.
//!
//! It may lead on: a leader that learns, behind its back, of members without it moves there and hands on
//! (`matchmaker::leader::transfer`). But it does not begin a leadership, so whoever is removed does not
//! disturb the others.
//!
//! | | |
//! |---|---|
//! | property | A25 standing |
//! | paper | Matchmaker Paxos, section 5 |
//! | module | `matchmaker::leader::transfer`, `matchmaker::proposer` |
//! | model | - |

use paxos::actor::NodeId;
use paxos::round::Round;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A25",
    name: "standing",
    statement: "A proposer that is not in the newest membership that it durably knows of does not campaign.",
    paper: "Matchmaker Paxos, section 5",
    module: "`matchmaker::leader::transfer`, `matchmaker::proposer`",
};

impl Ghost {
    /// The first round of a leadership is about to be registered; or it is asked for again, whatever its
    /// owner has learned meanwhile.
    pub(super) fn check_standing(&self, from: NodeId, round: Round) -> Verdict {
        if round.step > 0 || self.rounds.contains_key(&round) {
            return Ok(());
        }
        // A stranger is told of the members when it is set up, and is none of them then.
        let is_founder = self.deployment.initial.membership().proposers.contains(&from);
        let known = self.known.get(&from);
        if known.map_or(is_founder, |known| known.membership().proposers.contains(&from)) {
            return Ok(());
        }
        let shown = known.map(|known| self.places.show(known));
        fail(PROPERTY, format!("{} campaigns in {round} and knows {shown:?}", self.name(from)))
    }
}
