//! A matchmaker registers rounds upwards only, its watermark never decreases, and it registers nothing below it.
//!
//! | | |
//! |---|---|
//! | property | A9 registry |
//! | paper | Matchmaker Paxos, Algorithm 1 and section 3.4 |
//! | module | `matchmaker::matchmaker` |
//! | model | `registry` |

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
        node: NodeId,
        round: Round,
        configuration: &Configuration,
    ) -> Verdict {
        let registry = self.registered.entry(node).or_default();
        let highest = registry.last_key_value().map(|(highest, _)| *highest);
        if registry.contains_key(&round) {
            return Ok(());
        }
        if highest > Some(round) || self.collected.get(&node) > Some(&round) {
            let name = self.name(node);
            return fail(PROPERTY, format!("{name} registers {round} after {highest:?}"));
        }
        registry.insert(round, configuration.clone());
        let registries = self.registered.values();
        let count = registries.filter(|registry| registry.contains_key(&round)).count();
        if self.is_majority(count) {
            self.matched.insert(round);
        }
        self.check_retired(round, configuration)
    }

    /// A watermark became durable.
    pub(super) fn collect(&mut self, node: NodeId, round: Round) -> Verdict {
        let collected = self.collected.entry(node).or_insert(round);
        if round < *collected {
            let detail = format!("{} collects {round} after {collected}", self.places.name(node));
            return fail(PROPERTY, detail);
        }
        *collected = round;
        Ok(())
    }

    /// A matchmaker tells its watermark.
    pub(super) fn check_told_watermark(&mut self, node: NodeId, watermark: Round) -> Verdict {
        let told = self.told_collected.entry(node).or_insert(watermark);
        if watermark < *told {
            let detail = format!("{} tells {watermark} after {told}", self.places.name(node));
            return fail(PROPERTY, detail);
        }
        *told = watermark;
        Ok(())
    }
}
