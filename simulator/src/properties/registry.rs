//! A matchmaker registers rounds upwards only, its watermark never decreases, and it registers nothing below it.
//!
//! | | |
//! |---|---|
//! | property | A9 registry |
//! | paper | Matchmaker Paxos, Algorithm 1 and section 3.4 |
//! | module | `matchmaker::matchmaker` |
//! | model | `registry` |

use matchmaker::message::Epoch;
use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::round::Round;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A9",
    name: "registry",
    statement: "A matchmaker registers rounds upwards only, its watermark never decreases, and it registers nothing below it.",
    paper: "Matchmaker Paxos, Algorithm 1 and section 3.4",
    module: "`matchmaker::matchmaker`",
};

impl Ghost {
    /// A registration became durable.
    pub(super) fn register(
        &mut self,
        epoch: Epoch,
        node: NodeId,
        round: Round,
        configuration: &Configuration,
    ) -> Verdict {
        let registry = self.generations.registries.entry((epoch, node)).or_default();
        let highest = registry.rounds.last_key_value().map(|(highest, _)| *highest);
        if registry.rounds.contains_key(&round) {
            return Ok(());
        }
        if highest > Some(round) || registry.watermark > Some(round) {
            let name = self.name(node);
            return fail(PROPERTY, format!("{name} registers {round} after {highest:?}"));
        }
        registry.rounds.insert(round, configuration.clone());
        self.check_late_registration(epoch, round)?;
        self.note_matched(epoch, round, configuration)
    }

    /// A round may be registered by a majority now.
    pub(super) fn note_matched(
        &mut self,
        epoch: Epoch,
        round: Round,
        configuration: &Configuration,
    ) -> Verdict {
        let is_complete = self.is_majority(epoch, self.registered_count(epoch, round));
        if is_complete && self.matched.insert(round) {
            return self.check_retired(round, configuration);
        }
        Ok(())
    }

    /// A watermark became durable.
    pub(super) fn collect(&mut self, epoch: Epoch, node: NodeId, round: Round) -> Verdict {
        let registry = self.generations.registries.entry((epoch, node)).or_default();
        if Some(round) < registry.watermark {
            let (name, collected) = (self.places.name(node), registry.watermark);
            return fail(PROPERTY, format!("{name} collects {round} after {collected:?}"));
        }
        registry.watermark = Some(round);
        self.check_late_collection(epoch)
    }

    /// A matchmaker tells its watermark.
    pub(super) fn check_told_watermark(
        &mut self,
        epoch: Epoch,
        node: NodeId,
        watermark: Round,
    ) -> Verdict {
        let registry = self.generations.registries.entry((epoch, node)).or_default();
        if Some(watermark) < registry.told {
            let (name, told) = (self.places.name(node), registry.told);
            return fail(PROPERTY, format!("{name} tells {watermark} after {told:?}"));
        }
        registry.told = Some(watermark);
        Ok(())
    }
}
