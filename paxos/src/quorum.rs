//! Quorum systems: which sets of members may decide.

use crate::wire::{Decode, Encode};

/// The largest number of members of one configuration.
pub const MEMBERS_MAX: usize = 64;

/// A set of members of one configuration, by their positions in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberSet(u64);

impl MemberSet {
    /// No members.
    pub const EMPTY: Self = Self(0);

    /// Adds the member at `position`, which is below [`MEMBERS_MAX`].
    pub fn insert(&mut self, position: usize) {
        assert!(position < MEMBERS_MAX, "position {position} of a member is out of range");
        self.0 |= 1 << position;
    }

    /// Whether the member at `position` is in the set.
    pub fn contains(self, position: usize) -> bool {
        position < MEMBERS_MAX && self.0 & (1 << position) != 0
    }

    /// How many members are in the set.
    pub fn count(self) -> usize {
        self.0.count_ones() as usize
    }
}

/// Which sets of members are Phase 1 quorums and which are Phase 2 quorums. Every Phase 1 quorum
/// meets every Phase 2 quorum.
///
/// *Paper*: Matchmaker Paxos, section 2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub enum QuorumSystem {
    /// Any majority is a quorum of both phases. Tolerates f failures of 2f + 1 members.
    Majority,
    /// Members, in their order, fill rows of `columns`. A whole row is a Phase 2 quorum; one member
    /// of each row is a Phase 1 quorum.
    Grid {
        /// Members in a row; divides the number of members.
        columns: u32,
    },
    /// All members together are the Phase 2 quorum, each alone is a Phase 1 quorum. With f + 1
    /// members any f failures leave all that was chosen readable, and one failure stops writes
    /// until a reconfiguration.
    WriteAll,
}

impl QuorumSystem {
    /// Why a system over `members` members is not possible, if it is not.
    pub fn defect(self, members: usize) -> Option<String> {
        if members == 0 {
            return Some("a configuration needs at least one acceptor".into());
        }
        if members > MEMBERS_MAX {
            return Some(format!("{members} acceptors are more than the limit of {MEMBERS_MAX}"));
        }
        match self {
            Self::Majority | Self::WriteAll => None,
            Self::Grid { columns: 0 } => Some("a grid needs at least one column".into()),
            Self::Grid { columns } if !members.is_multiple_of(columns as usize) => {
                Some(format!("{members} acceptors do not fill rows of {columns} columns"))
            }
            Self::Grid { .. } => None,
        }
    }

    /// Whether `set`, of `members` members in all, contains a Phase 1 quorum.
    pub fn is_phase1(self, members: usize, set: MemberSet) -> bool {
        match self {
            Self::Majority => set.count() > members / 2,
            Self::Grid { columns } => {
                rows(members, columns).all(|mut row| row.any(|position| set.contains(position)))
            }
            Self::WriteAll => set.count() > 0,
        }
    }

    /// Whether `set`, of `members` members in all, contains a Phase 2 quorum.
    pub fn is_phase2(self, members: usize, set: MemberSet) -> bool {
        match self {
            Self::Majority => set.count() > members / 2,
            Self::Grid { columns } => {
                rows(members, columns).any(|mut row| row.all(|position| set.contains(position)))
            }
            Self::WriteAll => set.count() == members,
        }
    }
}

fn rows(members: usize, columns: u32) -> impl Iterator<Item = std::ops::Range<usize>> {
    let columns = columns as usize;
    (0..members).step_by(columns).map(move |first| first..first + columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(bits: u64) -> MemberSet {
        MemberSet(bits)
    }

    #[test]
    fn every_phase1_quorum_meets_every_phase2_quorum() {
        let systems = [
            (QuorumSystem::Majority, 1),
            (QuorumSystem::Majority, 4),
            (QuorumSystem::Majority, 5),
            (QuorumSystem::Grid { columns: 3 }, 6),
            (QuorumSystem::Grid { columns: 2 }, 6),
            (QuorumSystem::Grid { columns: 1 }, 3),
            (QuorumSystem::WriteAll, 3),
        ];
        for (system, members) in systems {
            assert_eq!(system.defect(members), None);
            let all = 0..1u64 << members;
            let phase1: Vec<u64> =
                all.clone().filter(|bits| system.is_phase1(members, set(*bits))).collect();
            let phase2: Vec<u64> =
                all.filter(|bits| system.is_phase2(members, set(*bits))).collect();
            assert!(!phase1.is_empty() && !phase2.is_empty());
            for one in &phase1 {
                for two in &phase2 {
                    assert!(one & two != 0, "{system:?} of {members}: {one:b} misses {two:b}");
                }
            }
        }
    }

    #[test]
    fn impossible_systems_are_refused() {
        assert!(QuorumSystem::Majority.defect(0).is_some());
        assert!(QuorumSystem::Majority.defect(65).is_some());
        assert!(QuorumSystem::Grid { columns: 0 }.defect(4).is_some());
        assert!(QuorumSystem::Grid { columns: 3 }.defect(4).is_some());
    }
}
