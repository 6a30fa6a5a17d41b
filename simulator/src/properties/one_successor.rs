//! At most one successor of a generation of matchmakers is chosen, and nothing else begins.
//!
//! | | |
//! |---|---|
//! | property | H1 one successor |
//! | paper | Matchmaker Paxos, section 5 |
//! | module | `matchmaker::reconfigurer`, `matchmaker::matchmaker` |
//! | model | - |

use matchmaker::message::{Epoch, Successor};
use paxos::actor::NodeId;
use paxos::command::Value;
use paxos::wire::{self, Payload};

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "H1",
    name: "one successor",
    statement: "At most one successor of a generation of matchmakers is chosen, and nothing else begins.",
    paper: "Matchmaker Paxos, section 5",
    module: "`matchmaker::reconfigurer`, `matchmaker::matchmaker`",
};

impl Ghost {
    /// A majority of a generation has voted for what comes after it.
    pub(super) fn choose(&mut self, epoch: Epoch, value: &Value) -> Verdict {
        let Value::Batch(Payload(bytes)) = value else {
            return fail(PROPERTY, format!("{epoch:?} chose nothing"));
        };
        let Ok(successor) = wire::decode::<Successor>(bytes) else {
            return fail(PROPERTY, format!("{epoch:?} chose noise"));
        };
        match self.generations.chosen.get(&epoch) {
            Some(known) if *known != successor => {
                fail(PROPERTY, format!("{epoch:?} chose {known:?} and {successor:?}"))
            }
            Some(_) => Ok(()),
            None => {
                self.check_handed_over(epoch, &successor)?;
                self.check_newest_handed_over(epoch, &successor)?;
                self.generations.chosen.insert(epoch, successor);
                Ok(())
            }
        }
    }

    /// A matchmaker has durably taken `successor` for what comes next.
    pub(super) fn check_begun(&self, node: NodeId, successor: &Successor) -> Verdict {
        if self.is_chosen_successor(successor) {
            return Ok(());
        }
        let name = self.name(node);
        fail(PROPERTY, format!("{name} takes for chosen what is not: {successor:?}"))
    }

    /// Whether it was chosen by the generation before it.
    pub(super) fn is_chosen_successor(&self, successor: &Successor) -> bool {
        let before = successor.generation.epoch.0.checked_sub(1).map(Epoch);
        let chosen = before.and_then(|epoch| self.generations.chosen.get(&epoch));
        chosen == Some(successor)
    }
}
