//! What an acceptor has promised never decreases, also across restarts, and it answers in no lower round.
//!
//! | | |
//! |---|---|
//! | property | A6 promise |
//! | paper | Matchmaker Paxos, section 2.2 |
//! | module | `paxos::acceptor` |
//! | model | `promise` |

use paxos::actor::NodeId;
use paxos::round::Round;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A6",
    name: "promise",
    statement: "What an acceptor has promised never decreases, also across restarts, and it answers in no lower round.",
    paper: "Matchmaker Paxos, section 2.2",
    module: "`paxos::acceptor`",
};

impl Ghost {
    /// A promise became durable, by itself or with a vote.
    pub(super) fn promise(&mut self, node: NodeId, round: Round) {
        let promised = self.promised.entry(node).or_insert(round);
        *promised = (*promised).max(round);
    }

    /// An acceptor answers in `round`.
    pub(super) fn check_answer(&mut self, node: NodeId, round: Round) -> Verdict {
        let name = self.places.name(node);
        let told = self.told.entry(node).or_insert(round);
        if round < *told {
            return fail(PROPERTY, format!("{name} answers {round} after {told}"));
        }
        *told = round;
        Ok(())
    }

    /// An acceptor came back from a crash with this promise.
    pub fn check_restored(&self, node: NodeId, promised: Option<Round>) -> Verdict {
        match self.promised.get(&node) {
            Some(known) if promised.as_ref() < Some(known) => {
                let name = self.name(node);
                fail(PROPERTY, format!("{name} promised {known} and came back with {promised:?}"))
            }
            _ => Ok(()),
        }
    }
}
