//! Every registration of a round, at any matchmaker, names the same configuration.
//!
//! | | |
//! |---|---|
//! | property | A4 one configuration per round |
//! | paper | Matchmaker Paxos, section 3.1 |
//! | module | `matchmaker::leader::matching` |
//! | model | `one_configuration` |

use matchmaker::message::MatchA;
use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::round::Round;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A4",
    name: "one configuration per round",
    statement: "Every registration of a round, at any matchmaker, names the same configuration.",
    paper: "Matchmaker Paxos, section 3.1",
    module: "`matchmaker::leader::matching`",
};

impl Ghost {
    /// A leader asks for a registration.
    pub(super) fn on_match_a(&mut self, m: &MatchA) -> Verdict {
        self.note_floor(m.round);
        match self.rounds.get(&m.round) {
            Some(known) if *known != m.configuration => {
                let (known, other) = (self.places.show(known), self.places.show(&m.configuration));
                fail(PROPERTY, format!("{}: {known}, {other}", m.round))
            }
            Some(_) => Ok(()),
            None => {
                self.rounds.insert(m.round, m.configuration.clone());
                Ok(())
            }
        }
    }

    /// A registration became durable.
    pub(super) fn check_registration(
        &self,
        node: NodeId,
        round: Round,
        configuration: &Configuration,
    ) -> Verdict {
        if self.rounds.get(&round) == Some(configuration) {
            return Ok(());
        }
        let (name, shown) = (self.name(node), self.places.show(configuration));
        fail(PROPERTY, format!("{name} registers {round} with {shown}"))
    }
}
