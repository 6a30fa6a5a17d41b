//! Phase 1 of a round begins after its matchmaking; a proposal leaves after a Phase 1 quorum of every earlier configuration has promised, unless it is of the same leadership.
//!
//! | | |
//! |---|---|
//! | property | A7 proposal licence |
//! | paper | Matchmaker Paxos, sections 3.2 and 4.2 |
//! | module | `matchmaker::leader::matching`, `matchmaker::leader::phase1` |
//! | model | `licence` |

use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::round::Round;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A7",
    name: "proposal licence",
    statement: "Phase 1 of a round begins after its matchmaking; a proposal leaves after a Phase 1 quorum of every earlier configuration has promised, unless it is of the same leadership.",
    paper: "Matchmaker Paxos, sections 3.2 and 4.2",
    module: "`matchmaker::leader::matching`, `matchmaker::leader::phase1`",
};

impl Ghost {
    /// `Phase1A` of a round leaves.
    pub(super) fn check_phase1(&self, round: Round) -> Verdict {
        if self.matched.contains(&round) {
            return Ok(());
        }
        fail(PROPERTY, format!("Phase 1 of {round} begins before its matchmaking is complete"))
    }

    /// Something is proposed in `round`: its matchmaking is complete, and every earlier round that was
    /// not collected is shut.
    pub(super) fn check_licence(&self, round: Round) -> Verdict {
        self.check_unmixed(round)?;
        if !self.matched.contains(&round) {
            return fail(PROPERTY, format!("{round} is not registered by a majority"));
        }
        let watermark = self.highest_collected().min(round);
        let entered = Round { step: 0, ..round };
        for earlier in self.matched.range(watermark..round) {
            let is_same_leadership = (earlier.number, earlier.owner) == (round.number, round.owner);
            let Some(configuration) = self.rounds.get(earlier) else { continue };
            if !is_same_leadership && !self.is_shut(configuration, entered) {
                return fail(PROPERTY, format!("{round} proposes while {earlier} may go on"));
            }
        }
        Ok(())
    }

    /// Whether a Phase 1 quorum of `configuration` has durably promised `round` or more.
    fn is_shut(&self, configuration: &Configuration, round: Round) -> bool {
        let promised = |node: &&NodeId| self.promised.get(*node) >= Some(&round);
        let members = configuration.members().iter().filter(promised);
        configuration.is_phase1(configuration.members_among(members))
    }
}
