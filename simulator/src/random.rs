//! Chance, of which a run has many independent streams that all follow from its seed.
//!
//! Each link, disk, process and client draws from a stream of its own, so that leaving out one fault
//! leaves the luck of everything else as it was: shrinking depends on it.

use std::ops::Range;

use rand::SeedableRng;
use rand::rand_core::Rng;
use rand::rngs::Xoshiro256PlusPlus;

/// One stream of chance. The same seed and name give the same stream on every machine: the generator
/// is xoshiro256++, seeded with splitmix64, and ranges are drawn here and not by the library, which
/// does not promise to draw them the same way for ever.
#[derive(Clone, Debug)]
pub struct Random(Xoshiro256PlusPlus);

impl Random {
    /// The stream `name` (a purpose and a number) of the run `seed`.
    pub fn stream(seed: u64, (purpose, number): (Purpose, u64)) -> Self {
        let mixed = mix(mix(mix(seed) ^ purpose as u64) ^ number);
        Self(Xoshiro256PlusPlus::seed_from_u64(mixed))
    }

    /// A number within `range`, each equally likely; its start if it is empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        let width = range.end.saturating_sub(range.start).max(1);
        range.start + ((u128::from(self.0.next_u64()) * u128::from(width)) >> 64) as u64
    }

    /// An index below `len`; zero if that is zero.
    pub fn index(&mut self, len: usize) -> usize {
        self.within(0..len as u64) as usize
    }

    /// One of `choices`.
    pub fn pick<T: Clone, const N: usize>(&mut self, choices: [T; N]) -> T {
        const { assert!(N > 0, "there must be a choice") };
        choices[self.index(N)].clone()
    }

    /// True in `count` of a thousand cases.
    pub fn permille(&mut self, count: u64) -> bool {
        self.within(0..1000) < count
    }
}

/// What a stream is for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Drawing the plan of the run.
    Plan = 1,
    /// Delays and losses on one link.
    Link,
    /// Timers and turns of one process.
    Process,
    /// One disk.
    Disk,
    /// One client.
    Client,
    /// The operator.
    Operator,
}

/// The finalizer of splitmix64: every bit of the input changes half of the output.
fn mix(input: u64) -> u64 {
    let mut z = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_same_for_ever() {
        let mut random = Random::stream(7, (Purpose::Link, 3));
        let drawn = [(); 4].map(|()| random.within(0..1_000_000));
        assert_eq!(drawn, [546_565, 207_007, 325_502, 787_536]);
    }

    #[test]
    fn streams_differ_by_seed_purpose_and_number() {
        let first = |seed, name| Random::stream(seed, name).within(0..u64::MAX);
        let base = first(1, (Purpose::Disk, 1));
        assert_ne!(base, first(2, (Purpose::Disk, 1)));
        assert_ne!(base, first(1, (Purpose::Link, 1)));
        assert_ne!(base, first(1, (Purpose::Disk, 2)));
    }
}
