//! Quartiles and spread of a few numbers.

use serde::{Deserialize, Serialize};

/// How numbers are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    /// How many there are.
    pub(crate) count: usize,
    pub(crate) min: f64,
    pub(crate) p25: f64,
    pub(crate) median: f64,
    pub(crate) p75: f64,
    pub(crate) max: f64,
    pub(crate) mean: f64,
    /// Of the sample: divided by one less than the count.
    pub(crate) standard_deviation: f64,
}

impl Spread {
    /// Of `numbers`, in any order; all zero if there are none.
    pub(crate) fn of(numbers: &[f64]) -> Self {
        let mut sorted = numbers.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let count = sorted.len();
        let mean = sorted.iter().sum::<f64>() / count.max(1) as f64;
        let squares: f64 = sorted.iter().map(|number| (number - mean).powi(2)).sum();
        let variance = squares / count.saturating_sub(1).max(1) as f64;
        Self {
            count,
            min: sorted.first().copied().unwrap_or_default(),
            p25: quantile(&sorted, 0.25),
            median: quantile(&sorted, 0.5),
            p75: quantile(&sorted, 0.75),
            max: sorted.last().copied().unwrap_or_default(),
            mean,
            standard_deviation: variance.sqrt(),
        }
    }

    /// The interquartile range: from the first to the third quartile.
    pub(crate) fn iqr(&self) -> f64 {
        self.p75 - self.p25
    }

    /// What the paper's plots call interquartile range: from the median to the third quartile. Only
    /// for comparison with it.
    pub(crate) fn upper_half_iqr(&self) -> f64 {
        self.p75 - self.median
    }
}

/// Between the neighbours in proportion, as numpy does it.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share * last as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interquartile_range_is_between_the_quartiles() {
        let spread = Spread::of(&[7.0, 1.0, 3.0, 5.0, 9.0]);
        assert_eq!((spread.min, spread.p25, spread.median), (1.0, 3.0, 5.0));
        assert_eq!((spread.p75, spread.max, spread.mean), (7.0, 9.0, 5.0));
        assert_eq!((spread.iqr(), spread.upper_half_iqr()), (4.0, 2.0));
        assert!((spread.standard_deviation - 10_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        let spread = Spread::of(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!((spread.p25, spread.median, spread.p75), (1.75, 2.5, 3.25));
    }

    #[test]
    fn few_numbers_have_no_spread() {
        assert_eq!(Spread::of(&[]), Spread::default());
        let one = Spread::of(&[4.0]);
        assert_eq!((one.median, one.iqr(), one.standard_deviation), (4.0, 0.0, 0.0));
    }
}
