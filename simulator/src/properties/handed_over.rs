//! What a generation begins with has each round that a majority of the one before has registered and that is not collected, and collects what such a majority has.
//!
//! | | |
//! |---|---|
//! | property | H2 handed over |
//! | paper | Matchmaker Paxos, section 5 |
//! | module | `matchmaker::reconfigurer` |
//! | model | - |

use std::collections::BTreeSet;

use matchmaker::message::{Epoch, Successor};
use paxos::round::Round;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "H2",
    name: "handed over",
    statement: "What a generation begins with has each round that a majority of the one before has registered and that is not collected, and collects what such a majority has.",
    paper: "Matchmaker Paxos, section 5",
    module: "`matchmaker::reconfigurer`",
};

impl Ghost {
    /// A successor is chosen: it lacks nothing.
    pub(super) fn check_handed_over(&self, epoch: Epoch, successor: &Successor) -> Verdict {
        let all = self.registries_of(epoch).flat_map(|registry| registry.rounds.keys());
        let rounds: BTreeSet<Round> = all.copied().collect();
        for round in rounds {
            self.check_round_handed_over(epoch, round, successor)?;
        }
        self.check_collection_handed_over(epoch, successor)
    }

    /// A round was registered, perhaps when a successor was chosen already.
    pub(super) fn check_late_registration(&self, epoch: Epoch, round: Round) -> Verdict {
        match self.generations.chosen.get(&epoch) {
            Some(successor) => self.check_round_handed_over(epoch, round, successor),
            None => Ok(()),
        }
    }

    /// A round was collected, perhaps when a successor was chosen already.
    pub(super) fn check_late_collection(&self, epoch: Epoch) -> Verdict {
        match self.generations.chosen.get(&epoch) {
            Some(successor) => self.check_collection_handed_over(epoch, successor),
            None => Ok(()),
        }
    }

    fn check_round_handed_over(
        &self,
        epoch: Epoch,
        round: Round,
        successor: &Successor,
    ) -> Verdict {
        let is_complete = self.is_majority(epoch, self.registered_count(epoch, round));
        let is_there = successor.log.get(&round) == self.rounds.get(&round);
        if !is_complete || is_there || round < successor.watermark {
            return Ok(());
        }
        fail(PROPERTY, format!("a majority of {epoch:?} has {round}, which is lost: {successor:?}"))
    }

    fn check_collection_handed_over(&self, epoch: Epoch, successor: &Successor) -> Verdict {
        let collected = self.collected_in(epoch);
        if successor.watermark >= collected {
            return Ok(());
        }
        let watermark = successor.watermark;
        let detail = format!("{epoch:?} has collected below {collected}, handed over {watermark}");
        fail(PROPERTY, detail)
    }
}
