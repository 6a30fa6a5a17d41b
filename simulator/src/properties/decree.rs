//! In each round of the decree on a successor at most one value is proposed, however often its driver restarts.
//!
//! | | |
//! |---|---|
//! | property | H5 one value per decree round |
//! | paper | Matchmaker Paxos, section 5 |
//! | module | `matchmaker::reconfigurer` |
//! | model | - |

use matchmaker::message::DecreeA;
use paxos::message::ToAcceptor;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "H5",
    name: "one value per decree round",
    statement: "In each round of the decree on a successor at most one value is proposed, however often its driver restarts.",
    paper: "Matchmaker Paxos, section 5",
    module: "`matchmaker::reconfigurer`",
};

impl Ghost {
    /// A driver asks for votes.
    pub(super) fn check_decree(&mut self, m: &DecreeA) -> Verdict {
        let ToAcceptor::Phase2A(proposal) = &m.message else { return Ok(()) };
        let key = (m.epoch, proposal.round);
        let known = self.generations.proposed.entry(key).or_insert(proposal.value.clone());
        if *known == proposal.value {
            return Ok(());
        }
        fail(PROPERTY, format!("two values in {} of the decree of {:?}", proposal.round, m.epoch))
    }
}
