//! When slots are said to be persisted, a majority of the archives of the sender's configuration durably
//! holds their values, or a snapshot above them, without a gap.
//!
//! Archives come and go with configurations, so "persisted" is said of one configuration: the leader of
//! round i counts archives of the configuration of round i, and no others. What an acceptor was told
//! outlives that round. It must stay true of *some* configuration that is not collected, because those
//! are the ones whose archives are not deleted, and whose archives every leader names to replicas.
//!
//! That it stays true follows from the licence of the collection. Let j be the round of the leader that
//! collects, and p what anyone was told in a round below j. All below p was chosen then. So the leader
//! of j has found all of that in Phase 1, or was told, and the slot from which on all is free in its
//! round is not below p; and it collects only when a majority of the archives of *its* configuration is
//! durable up to that slot. What was told in rounds from j on is true of their own configurations, which
//! the collection spares. Both are checked: the first when it is told, the second at each collection.
//!
//! | | |
//! |---|---|
//! | property | A12 persisted truth |
//! | paper | Matchmaker Paxos, section 4.5, scenario 3 |
//! | module | `paxos::archive`, `matchmaker::leader::garbage` |
//! | model | `persisted` |

use std::collections::BTreeSet;

use paxos::actor::NodeId;
use paxos::archive::ArchiveRecord;
use paxos::configuration::Configuration;
use paxos::round::Round;
use paxos::slot::Slot;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A12",
    name: "persisted truth",
    statement: "When slots are said to be persisted, a majority of the archives of the sender's configuration durably holds their values, or a snapshot above them, without a gap; and a majority of those of some configuration does for as long as it is said.",
    paper: "Matchmaker Paxos, section 4.5, scenario 3",
    module: "`paxos::archive`, `matchmaker::leader::garbage`",
};

impl Ghost {
    /// An archive has written something down.
    pub(super) fn archive(&mut self, node: NodeId, record: &ArchiveRecord) -> Verdict {
        let (slot, value) = match record {
            ArchiveRecord::Value { slot, value } => (*slot, value),
            ArchiveRecord::Chunk(chunk) => return self.archive_chunk(node, chunk),
        };
        let name = self.places.name(node);
        let archived = self.archived.entry(node).or_default();
        if slot > *archived {
            return fail(PROPERTY, format!("{name} keeps slot {slot} after {archived}"));
        }
        *archived = (*archived).max(slot.next());
        self.check_chosen(slot, value)
    }

    /// An archive has a snapshot that stands for all slots below.
    pub(crate) fn cover(&mut self, node: NodeId, slot: Slot) {
        let archived = self.archived.entry(node).or_default();
        *archived = (*archived).max(slot);
    }

    /// A leader tells acceptors what is persisted.
    pub(super) fn check_persisted(&self, from: NodeId, watermark: Slot) -> Verdict {
        let present = self.present_configurations(from);
        let truth = present.map(|configuration| self.persisted_in(configuration)).max();
        if truth >= Some(watermark) {
            return Ok(());
        }
        let name = self.name(from);
        fail(PROPERTY, format!("{name} tells persisted {watermark}, in truth {truth:?}"))
    }

    /// Rounds were collected: what acceptors were told is true of what is left.
    pub(super) fn check_told_still(&self) -> Verdict {
        let truth = self.persisted_watermark();
        match self.persisted.iter().find(|(_, told)| **told > truth) {
            Some((node, told)) => {
                let (name, floor) = (self.name(*node), self.collected_watermark());
                let detail = format!(
                    "{name} was told persisted {told}, and the configurations from {floor} on have \
                     {truth}"
                );
                fail(PROPERTY, detail)
            }
            None => Ok(()),
        }
    }

    /// A leader shows its round by what it says.
    pub(super) fn show_round(&mut self, from: NodeId, round: Round) {
        let shown = self.leading.entry(from).or_insert(round);
        *shown = round.max(*shown);
    }

    /// The configurations that the leader at `from` may have at present: of the last round that it has
    /// shown, and of those that it has registered since.
    fn present_configurations(&self, from: NodeId) -> impl Iterator<Item = &Configuration> {
        let first = self.leading.get(&from).copied().unwrap_or(Round::ZERO);
        let matched = self.matched.range(first..).filter(move |round| round.owner == from);
        matched.filter_map(|round| self.rounds.get(round))
    }

    /// All slots below are durable on a majority of the archives of `configuration`.
    pub(crate) fn persisted_in(&self, configuration: &Configuration) -> Slot {
        self.majority_of(&configuration.membership().archives, |_| true)
    }

    /// All slots below are durable on a majority of the archives of a configuration that is not
    /// collected, and not by virtue of archives that were switched off.
    pub fn persisted_watermark(&self) -> Slot {
        let is_left = |archive: &NodeId| !self.switched_off.contains(archive);
        let floor = self.collected_watermark();
        let founding = (floor == Round::ZERO).then_some(&self.deployment.initial);
        let matched = self.matched.range(floor..).filter_map(|round| self.rounds.get(round));
        // Most rounds have the archives of the one before.
        let mut memberships: Vec<_> =
            matched.chain(founding).map(|configuration| configuration.membership()).collect();
        memberships.dedup_by_key(|membership| &membership.archives);
        let all = memberships.into_iter();
        all.map(|membership| self.majority_of(&membership.archives, is_left))
            .max()
            .unwrap_or(Slot::ZERO)
    }

    /// All slots below are durable on so many of `archives` that they are a majority.
    pub(super) fn majority_of(
        &self,
        archives: &BTreeSet<NodeId>,
        counts: impl Fn(&NodeId) -> bool,
    ) -> Slot {
        let known = archives.iter().filter(|archive| counts(archive));
        let mut watermarks: Vec<Slot> =
            known.filter_map(|archive| self.archived.get(archive)).copied().collect();
        watermarks.sort_unstable_by(|one, two| two.cmp(one));
        watermarks.get(archives.len() / 2).copied().unwrap_or(Slot::ZERO)
    }
}
