//! Floats with a mantissa of 64 bits, in integers: what x86 calls extended precision and Redis
//! computes with. Every operation rounds to the nearest, ties to even.

/// The value `mantissa * 2^exponent`, negative or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extended {
    is_negative: bool,
    /// Zero, or with the highest bit set.
    mantissa: u64,
    exponent: i32,
}

/// Bits by which the larger of two summands is shifted at most. The smaller one's bits below these
/// can only tip the rounding, so it is enough to know whether there are any.
const SHIFT_MAX: i32 = 62;

impl Extended {
    /// The float nearest to `numerator / denominator`; the denominator must be below 2^127.
    pub(super) fn from_ratio(numerator: i128, denominator: u128) -> Self {
        let magnitude = numerator.unsigned_abs();
        let mut wide = magnitude / denominator;
        let mut rest = magnitude % denominator;
        let mut exponent = 0;
        // Two bits more than the mantissa: one to round by, one for whatever is below it.
        while wide >> 65 == 0 && (wide > 0 || rest > 0) {
            rest *= 2;
            wide = wide << 1 | u128::from(rest >= denominator);
            rest %= denominator;
            exponent -= 1;
        }
        Self::round(numerator < 0, wide | u128::from(rest > 0), exponent)
    }

    fn round(is_negative: bool, wide: u128, mut exponent: i32) -> Self {
        if wide == 0 {
            return Self { is_negative: false, mantissa: 0, exponent: 0 };
        }
        let bits = 128 - wide.leading_zeros();
        let mut mantissa = match bits.checked_sub(64) {
            Some(surplus) => shift_right(wide, surplus),
            None => wide << (64 - bits),
        };
        exponent += bits.cast_signed() - 64;
        if mantissa >> 64 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
        Self { is_negative, mantissa: mantissa as u64, exponent }
    }

    /// The sum.
    pub(super) fn add(self, other: Self) -> Self {
        if self.mantissa == 0 {
            return other;
        }
        if other.mantissa == 0 {
            return self;
        }
        let (high, low) =
            if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        let shift = (high.exponent - low.exponent).min(SHIFT_MAX);
        let exponent = high.exponent - shift;
        let high_wide = u128::from(high.mantissa) << shift;
        let lost = (exponent - low.exponent).cast_unsigned();
        let low_wide = match low.mantissa.checked_shr(lost) {
            Some(kept) => u128::from(kept) | u128::from(kept << lost != low.mantissa),
            None => 1,
        };
        if high.is_negative == low.is_negative {
            Self::round(high.is_negative, high_wide + low_wide, exponent)
        } else if high_wide >= low_wide {
            Self::round(high.is_negative, high_wide - low_wide, exponent)
        } else {
            Self::round(low.is_negative, low_wide - high_wide, exponent)
        }
    }

    /// The integer nearest to `self * factor` as a sign and a magnitude; `None` if it is too large.
    pub(super) fn times(self, factor: u64) -> Option<(bool, u128)> {
        let product = u128::from(self.mantissa) * u128::from(factor);
        let magnitude = if self.exponent <= 0 {
            shift_right(product, self.exponent.unsigned_abs())
        } else if self.exponent.cast_unsigned() <= product.leading_zeros() {
            product << self.exponent
        } else {
            return None;
        };
        Some((self.is_negative, magnitude))
    }
}

/// `wide / 2^count`, rounded to the nearest, ties to even.
fn shift_right(wide: u128, count: u32) -> u128 {
    if count == 0 {
        return wide;
    }
    let Some(kept) = wide.checked_shr(count) else {
        return 0;
    };
    let rest = wide & ((1 << count) - 1);
    let half = 1 << (count - 1);
    let rounds_up = rest > half || rest == half && kept & 1 == 1;
    kept + u128::from(rounds_up)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_four_bits_are_kept() {
        let one = Extended::from_ratio(1, 1);
        let large = Extended::from_ratio(i128::from(u64::MAX), 1);
        assert_eq!(large.add(one).times(1), Some((false, 1 << 64)));
        let large = Extended::from_ratio(1 << 64, 1);
        assert_eq!(large.add(one).times(1), Some((false, 1 << 64)));
        let minus = Extended::from_ratio(-3, 1);
        assert_eq!(one.add(minus).times(10), Some((true, 20)));
        assert_eq!(one.add(Extended::from_ratio(-1, 1)), Extended::from_ratio(0, 1));
        let tiny = Extended::from_ratio(1, 1 << 100);
        assert_eq!(one.add(tiny), one);
        assert_eq!(one.add(Extended::from_ratio(-1, 1 << 100)), one);
        assert_eq!(Extended::from_ratio(1, 3).times(9), Some((false, 3)));
        assert_eq!(Extended::from_ratio(1 << 100, 1).times(u64::MAX), None);
    }
}
