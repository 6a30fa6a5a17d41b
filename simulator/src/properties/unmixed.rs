//! A round is registered, and earlier ones are collected, by a majority of one generation, never by members of two together.
//!
//! | | |
//! |---|---|
//! | property | H4 unmixed answers |
//! | paper | Matchmaker Paxos, section 5 |
//! | module | `matchmaker::leader::handover` |
//! | model | - |

use matchmaker::message::{Epoch, MatchB};
use paxos::actor::NodeId;
use paxos::round::Round;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "H4",
    name: "unmixed answers",
    statement: "A round is registered, and earlier ones are collected, by a majority of one generation, never by members of two together.",
    paper: "Matchmaker Paxos, section 5",
    module: "`matchmaker::leader::handover`",
};

impl Ghost {
    /// `MatchB` leaves.
    pub(super) fn note_match_b(&mut self, from: NodeId, m: &MatchB) {
        if self.members(m.epoch).is_some_and(|members| members.contains(&from)) {
            let epochs = self.generations.answers.entry(m.round).or_default();
            epochs.entry(m.epoch).or_default().insert(from);
        }
    }

    /// A leader takes its round for registered.
    pub(super) fn check_unmixed(&self, round: Round) -> Verdict {
        let Some(epochs) = self.generations.answers.get(&round) else { return Ok(()) };
        let is_majority = |epoch: &Epoch, count| self.is_majority(*epoch, count);
        if epochs.len() < 2 || epochs.iter().any(|(epoch, nodes)| is_majority(epoch, nodes.len())) {
            return Ok(());
        }
        fail(PROPERTY, format!("{round} goes on with answers of {epochs:?}"))
    }

    /// A leader takes all below `round` for collected.
    pub(super) fn check_unmixed_collection(&self, round: Round) -> Verdict {
        let has = |epoch| self.registries_of(epoch).filter(|r| r.told >= Some(round)).count();
        let chosen = self.generations.chosen.values().map(|successor| successor.generation.epoch);
        let counts: Vec<(Epoch, usize)> =
            chosen.chain([self.deployment.epoch]).map(|epoch| (epoch, has(epoch))).collect();
        let is_told = |(epoch, count): &(Epoch, usize)| self.is_majority(*epoch, *count);
        let told = counts.iter().filter(|(_, count)| *count > 0);
        if told.count() < 2 || counts.iter().any(is_told) {
            return Ok(());
        }
        fail(PROPERTY, format!("below {round} all is taken for collected: {counts:?}"))
    }
}
