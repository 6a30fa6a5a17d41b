//! Comparing what replicas have executed: whoever differs from a majority is told to take no part.
//!
//! A leader compares what it is told while it leads; the next one begins anew, and is told again by those
//! that are in quarantine. Replicas that are far apart are compared later: a digest covers all that came
//! before.

use std::collections::BTreeMap;

use paxos::actor::NodeId;
use paxos::history::History;
use paxos::membership::Membership;
use paxos::message::{Marked, Quarantine, ToReplica};
use paxos::mutant::{self, Mutant};
use paxos::slot::Slot;

use super::{Fx, Leader, Phase};

/// Slots of which the digests are kept, at most: the latest ones.
const MARKS_MAX: usize = 64;

/// What replicas have executed, as far as they told this leader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Histories {
    /// What each replica had executed below a slot.
    marks: BTreeMap<Slot, BTreeMap<NodeId, History>>,
    /// Replicas that take no part, and where it was noticed that they differ.
    quarantined: BTreeMap<NodeId, Slot>,
    /// The first slot below which all replicas differ so that no majority tells who is right.
    disputed_at: Option<Slot>,
}

impl Histories {
    /// Replicas that take no part, and where it was noticed that they differ.
    pub(super) fn quarantined(&self) -> &BTreeMap<NodeId, Slot> {
        &self.quarantined
    }

    /// The first slot below which all replicas differ so that no majority tells who is right.
    pub(super) fn disputed_at(&self) -> Option<Slot> {
        self.disputed_at
    }

    /// Notes what a replica of `membership` told, and returns those that differ from a majority.
    fn note(&mut self, from: NodeId, m: Marked, membership: &Membership) -> Vec<NodeId> {
        self.quarantined.retain(|node, _| membership.replicas.contains(node));
        if let Some(slot) = m.quarantined_at {
            self.quarantined.insert(from, slot);
            return Vec::new();
        }
        // Not quarantined, or not any more: it may have started again.
        self.quarantined.remove(&from);
        let slot = if mutant::is_on(Mutant::CompareAnyMark) { Slot::ZERO } else { m.mark.slot };
        let marks = self.marks.entry(slot).or_default();
        marks.retain(|node, _| membership.replicas.contains(node));
        marks.insert(from, m.mark.history);
        let outvoted = outvoted(marks, membership);
        let is_disputed = outvoted.is_none() && marks.len() == membership.replicas.len();
        if is_disputed && self.disputed_at.is_none() {
            self.disputed_at = Some(slot);
        }
        while self.marks.len() > MARKS_MAX {
            self.marks.pop_first();
        }
        outvoted.unwrap_or_default()
    }
}

/// Who differs from a majority; `None` if there is no majority of one opinion (yet).
fn outvoted(marks: &BTreeMap<NodeId, History>, membership: &Membership) -> Option<Vec<NodeId>> {
    let majority = membership.replicas.len() / 2 + 1;
    let supporters = |history: &History| marks.values().filter(|other| *other == history).count();
    let right = marks.values().find(|history| supporters(history) >= majority)?;
    let differing = marks.iter().filter(|(_, history)| *history != right);
    Some(differing.map(|(node, _)| *node).collect())
}

impl Leader {
    /// Compares, and tells those that differ.
    ///
    /// *Repeat*: so does this.
    pub(super) fn on_marked(&mut self, from: NodeId, m: Marked, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        let membership = phase2.configuration.membership();
        if !membership.replicas.contains(&from) {
            return;
        }
        let slot = m.mark.slot;
        for node in phase2.histories.note(from, m, membership) {
            fx.send(node, ToReplica::Quarantine(Quarantine { slot }));
        }
    }
}

#[cfg(test)]
mod tests {
    use paxos::actor::{Incarnation, Seat};
    use paxos::history::HistoryMark;
    use paxos::state_machine::Position;

    use super::*;

    fn node(seat: u32) -> NodeId {
        NodeId::new(Seat(seat), Incarnation(1))
    }

    fn membership(replicas: std::ops::Range<u32>) -> Membership {
        Membership { replicas: replicas.map(node).collect(), ..Membership::default() }
    }

    fn marked(slot: u64, command: &'static str) -> Marked {
        let mut history = History::default();
        history.add(Position::default(), command.as_bytes(), b"OK");
        Marked { mark: HistoryMark { slot: Slot(slot), history }, quarantined_at: None }
    }

    #[test]
    fn the_one_that_differs_is_found_whoever_tells_first() {
        for order in [[1, 2, 3], [3, 1, 2], [1, 3, 2]] {
            let (mut histories, members) = (Histories::default(), membership(1..4));
            let mut told = Vec::new();
            for seat in order {
                let m = marked(8, if seat == 3 { "SET k w" } else { "SET k v" });
                told.extend(histories.note(node(seat), m, &members));
            }
            assert_eq!(told, vec![node(3)], "{order:?}");
            assert_eq!(histories.disputed_at(), None);
        }
    }

    #[test]
    fn only_what_is_told_of_one_slot_is_compared() {
        let (mut histories, members) = (Histories::default(), membership(1..4));
        for (seat, slot, command) in [(1, 8, "a"), (2, 16, "b"), (3, 16, "b"), (1, 16, "b")] {
            assert_eq!(histories.note(node(seat), marked(slot, command), &members), vec![]);
        }
    }

    #[test]
    fn without_a_majority_nobody_is_told_and_the_operator_sees_it() {
        let (mut histories, members) = (Histories::default(), membership(1..3));
        for slot in [8, 16] {
            for (seat, command) in [(1, "a"), (2, "b")] {
                assert_eq!(histories.note(node(seat), marked(slot, command), &members), vec![]);
            }
        }
        assert_eq!(histories.disputed_at(), Some(Slot(8)));
    }

    #[test]
    fn quarantine_is_shown_until_the_replica_starts_again_or_is_replaced() {
        let (mut histories, members) = (Histories::default(), membership(1..4));
        let quarantined = Marked { quarantined_at: Some(Slot(8)), ..marked(9, "a") };
        histories.note(node(3), quarantined, &members);
        assert_eq!(histories.quarantined(), &[(node(3), Slot(8))].into());
        histories.note(node(3), marked(16, "a"), &members);
        assert!(histories.quarantined().is_empty());
        histories.note(node(3), quarantined, &members);
        histories.note(node(1), marked(24, "a"), &membership(1..3));
        assert!(histories.quarantined().is_empty());
    }

    #[test]
    fn digests_of_old_slots_are_forgotten() {
        let (mut histories, members) = (Histories::default(), membership(1..4));
        for slot in 0..200 {
            histories.note(node(1), marked(slot, "a"), &members);
        }
        assert_eq!(histories.marks.len(), MARKS_MAX);
        assert_eq!(histories.marks.first_key_value().map(|(slot, _)| slot.0), Some(136));
    }
}
