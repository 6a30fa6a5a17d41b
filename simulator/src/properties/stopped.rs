//! A matchmaker that has told what it knows at the end of its generation answers no proposer in that any more.
//!
//! | | |
//! |---|---|
//! | property | H3 stopped |
//! | paper | Matchmaker Paxos, section 5 |
//! | module | `matchmaker::matchmaker` |
//! | model | - |

use matchmaker::message::{Epoch, FromMatchmaker};
use paxos::actor::NodeId;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "H3",
    name: "stopped",
    statement: "A matchmaker that has told what it knows at the end of its generation answers no proposer in that any more.",
    paper: "Matchmaker Paxos, section 5",
    module: "`matchmaker::matchmaker`",
};

impl Ghost {
    /// `StopB` leaves.
    pub(super) fn note_stop_b(&mut self, from: NodeId, epoch: Epoch) {
        self.generations.told_stopped.insert((epoch, from));
    }

    /// A matchmaker answers a proposer.
    pub(super) fn check_not_stopped(&self, from: NodeId, m: &FromMatchmaker) -> Verdict {
        let epoch = match m {
            FromMatchmaker::NewestB(m) => m.epoch,
            FromMatchmaker::MatchB(m) => m.epoch,
            FromMatchmaker::MatchNack(m) => m.epoch,
            FromMatchmaker::GarbageB(m) => m.epoch,
            FromMatchmaker::Stopped(_) => return Ok(()),
        };
        if !self.generations.told_stopped.contains(&(epoch, from)) {
            return Ok(());
        }
        fail(PROPERTY, format!("{} has stopped in {epoch:?}, and says {m:?}", self.name(from)))
    }
}
