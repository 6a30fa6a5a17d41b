//! The newest configuration that a matchmaker tells of never becomes an older one, and no handover loses one that a majority has registered.
//!
//! | | |
//! |---|---|
//! | property | H6 newest configuration |
//! | paper | - |
//! | module | `matchmaker::matchmaker`, `matchmaker::reconfigurer` |
//! | model | - |

use matchmaker::message::{Epoch, Successor};
use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::round::Round;

use super::{Ghost, Property, Verdict, fail};

/// How new a configuration is.
fn rank(newest: Option<&(Round, Configuration)>) -> (u64, Round) {
    newest.map_or((0, Round::ZERO), |(round, c)| (c.version(), *round))
}

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "H6",
    name: "newest configuration",
    statement: "The newest configuration that a matchmaker tells of never becomes an older one, a majority never registers an older one in a higher round, and no handover loses one that a majority has registered.",
    paper: "-",
    module: "`matchmaker::matchmaker`, `matchmaker::reconfigurer`",
};

impl Ghost {
    /// A matchmaker tells of the newest configuration.
    pub(super) fn check_newest(
        &mut self,
        from: NodeId,
        newest: Option<&(Round, Configuration)>,
    ) -> Verdict {
        let told = rank(newest);
        let known = self.generations.newest.entry(from).or_insert(told);
        if told < *known {
            let detail = format!("{} tells of {told:?} after {known:?}", self.places.name(from));
            return fail(PROPERTY, detail);
        }
        *known = told;
        Ok(())
    }

    /// A majority has registered a round. A lower one may be late: the higher one knows of it.
    pub(super) fn check_version(&mut self, round: Round, configuration: &Configuration) -> Verdict {
        let version = configuration.version();
        if let Some((newest, above)) = self.generations.version
            && version < newest
            && round > above
        {
            return fail(PROPERTY, format!("{round} has version {version} after version {newest}"));
        }
        self.generations.version = self.generations.version.max(Some((version, round)));
        Ok(())
    }

    /// A successor is chosen.
    pub(super) fn check_newest_handed_over(&self, epoch: Epoch, successor: &Successor) -> Verdict {
        let rounds = self.registries_of(epoch).flat_map(|registry| &registry.rounds);
        let complete = rounds
            .filter(|(round, _)| self.is_majority(epoch, self.registered_count(epoch, **round)));
        let ranks = complete.map(|(round, configuration)| (configuration.version(), *round));
        let (best, handed) = (ranks.max(), rank(successor.newest.as_ref()));
        if best <= Some(handed) {
            return Ok(());
        }
        fail(PROPERTY, format!("{epoch:?} registered {best:?}, handed over is {handed:?}"))
    }
}
