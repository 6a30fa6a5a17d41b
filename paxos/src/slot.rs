//! Positions of the replicated log.

use std::fmt;

use crate::wire::{Decode, Encode};

/// A position of the replicated log. The first is zero.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Slot(pub u64);

impl Slot {
    /// The first slot of every log.
    pub const ZERO: Self = Self(0);

    /// The slot after this one. A log does not live to see its last slot: at a billion slots a
    /// second that takes five centuries.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The slot `count` after this one.
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// How many slots lie in `self..end`; zero if `end` is not above.
    pub const fn until(self, end: Self) -> u64 {
        end.0.saturating_sub(self.0)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
