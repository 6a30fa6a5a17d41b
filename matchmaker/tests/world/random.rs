//! The one source of chance of a run.

use std::ops::Range;

/// A small generator (xorshift64*): the same seed gives the same run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d).warmed()
    }

    fn warmed(mut self) -> Self {
        self.0 |= 1;
        (0..8).for_each(|_| {
            self.next();
        });
        self
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number within `range`; its start if it is empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        let width = range.end.saturating_sub(range.start).max(1);
        range.start + ((u128::from(self.next()) * u128::from(width)) >> 64) as u64
    }

    /// An index below `len`.
    pub fn index(&mut self, len: usize) -> usize {
        self.within(0..len as u64) as usize
    }

    /// True in `count` of a thousand cases.
    pub fn permille(&mut self, count: u64) -> bool {
        self.within(0..1000) < count
    }
}
