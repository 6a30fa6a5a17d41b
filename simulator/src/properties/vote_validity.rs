//! An acceptor votes only for what was proposed in that slot and round, and only in rounds whose configuration has it.
//!
//! | | |
//! |---|---|
//! | property | A5 vote validity |
//! | paper | Matchmaker Paxos, section 2.2 |
//! | module | `paxos::acceptor` |
//! | model | `vote_validity` |

use paxos::actor::NodeId;
use paxos::message::Vote;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A5",
    name: "vote validity",
    statement: "An acceptor votes only for what was proposed in that slot and round, and only in rounds whose configuration has it.",
    paper: "Matchmaker Paxos, section 2.2",
    module: "`paxos::acceptor`",
};

impl Ghost {
    /// A vote became durable.
    pub(super) fn check_vote(&mut self, node: NodeId, vote: &Vote) -> Verdict {
        let Vote { slot, round, value } = vote;
        let id = self.id(value);
        let proposed = self.proposals.get(slot).and_then(|rounds| rounds.get(round));
        let Some(configuration) = self.rounds.get(round) else {
            return fail(PROPERTY, format!("{round} was never registered"));
        };
        if proposed == Some(&id) && configuration.position(node).is_some() {
            return Ok(());
        }
        let (name, shown) = (self.name(node), self.places.show(configuration));
        let detail = format!(
            "{name} votes for #{id} in slot {slot} of {round}; proposed is {proposed:?} to {shown}"
        );
        fail(PROPERTY, detail)
    }
}
