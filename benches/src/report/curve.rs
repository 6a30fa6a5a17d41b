//! Latency percentiles.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The percentiles that are kept for the curve.
const PERCENTILES: [f64; 20] = [
    0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 75.0, 80.0, 85.0, 90.0, 95.0, 97.5, 99.0, 99.5,
    99.9, 99.95, 99.99, 100.0,
];

/// How long commands took, in milliseconds. Exact to a thousandth of each value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    /// Commands that were counted.
    pub(crate) count: u64,
    pub(crate) mean_ms: f64,
    pub(crate) standard_deviation_ms: f64,
    /// Percentile and latency, from the lowest to the highest.
    pub(crate) percentiles: Vec<(f64, f64)>,
}

impl Latency {
    /// Of a histogram of nanoseconds.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        let ms = |nanos: u64| nanos as f64 / 1e6;
        let at = |percent: f64| (percent, ms(histogram.value_at_percentile(percent)));
        let is_empty = histogram.is_empty();
        Self {
            count: histogram.len(),
            mean_ms: if is_empty { 0.0 } else { histogram.mean() / 1e6 },
            standard_deviation_ms: if is_empty { 0.0 } else { histogram.stdev() / 1e6 },
            percentiles: PERCENTILES.into_iter().filter(|_| !is_empty).map(at).collect(),
        }
    }

    /// The latency at a percentile that is kept; zero if nothing was measured.
    pub(crate) fn at(&self, percent: f64) -> f64 {
        let kept = self.percentiles.iter().find(|(kept, _)| *kept >= percent);
        kept.map_or(0.0, |(_, ms)| *ms)
    }

    /// The longest.
    pub(crate) fn max(&self) -> f64 {
        self.at(100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_values() {
        let mut histogram = Histogram::new_with_bounds(1, 1_000_000_000, 3).expect("bounds");
        (1..=1000_u64).for_each(|ms| histogram.saturating_record(ms * 1_000_000 / 10));
        let latency = Latency::of(&histogram);
        for (percent, expected) in [(50.0, 50.0), (99.0, 99.0), (99.9, 99.9), (100.0, 100.0)] {
            let found = latency.at(percent);
            assert!((found - expected).abs() / expected < 0.002, "p{percent} is {found}");
        }
        assert!((latency.mean_ms - 50.05).abs() < 0.1);
    }

    #[test]
    fn nothing_measured_is_no_latency() {
        let latency = Latency::of(&Histogram::new(3).expect("digits"));
        assert_eq!((latency.count, latency.at(50.0), latency.max()), (0, 0.0, 0.0));
    }
}
