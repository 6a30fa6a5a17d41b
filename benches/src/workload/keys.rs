//! Which key a command is about.

use std::fmt;
use std::str::FromStr;

use rand::rand_core::Rng;
use rand::rngs::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// The exponent of the zipfian distribution: that of the YCSB benchmark.
const ZIPF_EXPONENT: f64 = 0.99;

/// Which keys are used how often. Written as on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) enum KeyChoice {
    /// Each equally often.
    Uniform,
    /// The key of rank r with weight 1/r^0.99.
    Zipfian,
    /// One key in so many of a hundred commands; each of the others equally often.
    Hot(f64),
}

impl FromStr for KeyChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = |text: &str| {
            text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent)).map(Self::Hot)
        };
        match text {
            "uniform" => Some(Self::Uniform),
            "zipfian" => Some(Self::Zipfian),
            _ => text.strip_prefix("hot:").and_then(percent),
        }
        .ok_or_else(|| {
            format!("{text:?} is no choice of keys: write uniform, zipfian, or hot:PERCENT such as hot:10")
        })
    }
}

impl TryFrom<String> for KeyChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<KeyChoice> for String {
    fn from(choice: KeyChoice) -> Self {
        choice.to_string()
    }
}

impl fmt::Display for KeyChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Zipfian => f.write_str("zipfian"),
            Self::Hot(percent) => write!(f, "hot:{percent}"),
        }
    }
}

/// Draws keys, by number from zero. The lowest numbers are the most frequent.
#[derive(Clone, Debug)]
pub(super) struct KeySampler {
    choice: KeyChoice,
    count: u64,
    /// The share of all keys up to each one, for the zipfian choice only.
    cumulative: std::sync::Arc<[f64]>,
}

impl KeySampler {
    /// Draws among `count` keys, at least one. *Cost*: O(count) for the zipfian choice.
    pub(super) fn new(choice: KeyChoice, count: u64) -> Self {
        let count = count.max(1);
        let cumulative = match choice {
            KeyChoice::Zipfian => cumulative_zipf(count),
            KeyChoice::Uniform | KeyChoice::Hot(_) => std::sync::Arc::from([]),
        };
        Self { choice, count, cumulative }
    }

    pub(super) fn draw(&self, random: &mut Xoshiro256PlusPlus) -> u64 {
        match self.choice {
            KeyChoice::Uniform => below(self.count, random),
            KeyChoice::Hot(percent) if unit(random) * 100.0 < percent => 0,
            KeyChoice::Hot(_) => {
                (1 + below(self.count.saturating_sub(1).max(1), random)) % self.count
            }
            KeyChoice::Zipfian => {
                let point = unit(random);
                let rank = self.cumulative.partition_point(|share| *share <= point);
                (rank as u64).min(self.count - 1)
            }
        }
    }
}

fn cumulative_zipf(count: u64) -> std::sync::Arc<[f64]> {
    let weights = (1..=count).map(|rank| (rank as f64).powf(-ZIPF_EXPONENT));
    let total: f64 = weights.clone().sum();
    let sums = weights.scan(0.0, |sum, weight| {
        *sum += weight / total;
        Some(*sum)
    });
    sums.collect()
}

/// A number below `count`, each equally likely.
fn below(count: u64, random: &mut Xoshiro256PlusPlus) -> u64 {
    ((u128::from(random.next_u64()) * u128::from(count)) >> 64) as u64
}

/// A number from zero to below one.
pub(super) fn unit(random: &mut Xoshiro256PlusPlus) -> f64 {
    const BITS: u32 = 53;
    (random.next_u64() >> (64 - BITS)) as f64 / (1_u64 << BITS) as f64
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// How often each of the keys is drawn in `draws`.
    fn counts(choice: KeyChoice, keys: u64, draws: usize) -> Vec<usize> {
        let sampler = KeySampler::new(choice, keys);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut counts = vec![0; keys as usize];
        (0..draws).for_each(|_| counts[sampler.draw(&mut random) as usize] += 1);
        counts
    }

    #[test]
    fn uniform_keys_are_drawn_equally_often() {
        let counts = counts(KeyChoice::Uniform, 10, 100_000);
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn zipfian_keys_are_drawn_by_their_weight() {
        let counts = counts(KeyChoice::Zipfian, 1000, 100_000);
        // The sum of the thousand weights is 7.7290.
        for rank in [1_usize, 2, 10, 100] {
            let expected = 100_000.0 * (rank as f64).powf(-0.99) / 7.729;
            let drawn = counts[rank - 1] as f64;
            let noise = 5.0 * expected.sqrt();
            assert!((drawn - expected).abs() < noise, "rank {rank}: {drawn}, not {expected}");
        }
    }

    #[test]
    fn the_hot_key_has_its_share_and_the_others_the_rest() {
        let counts = counts(KeyChoice::Hot(30.0), 8, 100_000);
        assert!((29_000..31_000).contains(&counts[0]), "{counts:?}");
        assert!(counts[1..].iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_single_key_is_enough_for_every_choice() {
        for choice in [KeyChoice::Uniform, KeyChoice::Zipfian, KeyChoice::Hot(50.0)] {
            assert_eq!(counts(choice, 1, 100), [100], "{choice}");
        }
    }

    #[test]
    fn choices_are_written_as_they_are_read() {
        for text in ["uniform", "zipfian", "hot:2.5"] {
            assert_eq!(text.parse::<KeyChoice>().expect("a choice").to_string(), text);
        }
        for text in ["", "hot", "hot:", "hot:101", "hot:-1", "hot:NaN", "pareto"] {
            let cause = text.parse::<KeyChoice>().expect_err("no choice");
            assert!(cause.contains("hot:PERCENT"), "{cause}");
        }
    }
}
