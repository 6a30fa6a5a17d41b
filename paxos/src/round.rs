//! Rounds: totally ordered, each owned by one proposer for ever.

use std::fmt;

use crate::actor::{Incarnation, NodeId, Seat};
use crate::wire::{Decode, Encode};

/// A round of consensus, ordered by number, then owner, then step.
///
/// Because nothing lies between `(n, p, s)` and `(n, p, s + 1)`, the owner of a round always owns
/// the adjacent one too: the fact that every reconfiguration without Phase 1 rests on.
///
/// *Paper*: Matchmaker Paxos, section 3.6.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Round {
    /// Grows with each change of the leader.
    pub number: u64,
    /// The proposer, with its incarnation: one that lost its disk owns none of its old rounds.
    pub owner: NodeId,
    /// Grows with each reconfiguration by the same leader.
    pub step: u64,
}

impl Round {
    /// Below every round that is used.
    pub const ZERO: Self = Self { number: 0, owner: NodeId::new(Seat(0), Incarnation(0)), step: 0 };

    /// The lowest round of `owner` with a new number that is above `seen`.
    pub fn first_above(seen: Self, owner: NodeId) -> Self {
        let number =
            if owner > seen.owner && seen.number > 0 { seen.number } else { seen.number + 1 };
        Self { number, owner, step: 0 }
    }

    /// The round right above this one, of the same owner.
    pub fn adjacent(self) -> Self {
        Self { step: self.step + 1, ..self }
    }
}

impl fmt::Debug for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.number, self.owner.seat.0, self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(seat: u32) -> NodeId {
        NodeId::new(Seat(seat), Incarnation(1))
    }

    #[test]
    fn the_first_round_above_is_the_lowest_owned_one() {
        let seen = Round { number: 3, owner: node(2), step: 9 };
        assert_eq!(Round::first_above(seen, node(3)), Round { number: 3, owner: node(3), step: 0 });
        assert_eq!(Round::first_above(seen, node(1)), Round { number: 4, owner: node(1), step: 0 });
        assert_eq!(Round::first_above(seen, node(2)), Round { number: 4, owner: node(2), step: 0 });
        assert_eq!(Round::first_above(Round::ZERO, node(2)).number, 1);
        assert!(Round::first_above(seen, node(3)) > seen);
    }

    #[test]
    fn nothing_lies_between_a_round_and_its_adjacent_one() {
        let round = Round { number: 3, owner: node(2), step: 4 };
        for number in 2..5 {
            for owner in 1..4 {
                for step in 0..8 {
                    let other = Round { number, owner: node(owner), step };
                    assert!(!(round < other && other < round.adjacent()), "{other}");
                }
            }
        }
    }
}
