//! The arithmetic of INCRBYFLOAT, the same on every machine.
//!
//! Redis adds two 80-bit floats and prints 17 digits behind the point, without trailing zeros. Machines
//! differ in what they have beyond 64 bits, so the 80-bit floats are made of integers here. That holds
//! for numbers of at most 38 digits in all that are not above 10^20; all others are added as 64-bit
//! floats, whose sum and shortest decimal form the IEEE 754 standard fixes.
//!
//! *Deviation from Redis*: the digits beyond the 16th of those others, and hexadecimal floats, which
//! are refused.

use super::extended::Extended;

/// Digits behind the point that Redis prints.
const PLACES_PRINTED: u32 = 17;
/// 10^PLACES_PRINTED.
const ONE: u64 = 10u64.pow(PLACES_PRINTED);
/// Digits behind the point of an exact number; their power of ten is below 2^127.
const PLACES_MAX: u32 = 38;
/// Redis reads numbers of fewer bytes only.
const TEXT_BYTES_MAX: usize = 255;

/// A number of INCRBYFLOAT.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    /// `digits * 10^-places`.
    Exact { digits: i128, places: u32 },
    /// Any other; may be infinite, never NaN.
    Float(f64),
}

impl Number {
    /// What is added to when there is no value.
    pub(super) const ZERO: Self = Self::Exact { digits: 0, places: 0 };

    /// The number that `text` spells; `None` if it spells none.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > TEXT_BYTES_MAX {
            return None;
        }
        if let Some(exact) = parse_exact(text) {
            return Some(exact);
        }
        let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
        // A finite number too large for a float is an error, infinity by its name is not.
        let is_named = !text.iter().any(u8::is_ascii_digit);
        if value.is_nan() || (value.is_infinite() && !is_named) {
            None
        } else {
            Some(Self::Float(value))
        }
    }

    /// The sum in the form in which it is stored; `None` if it is not finite.
    pub(super) fn add(self, other: Self) -> Option<String> {
        if let (Some(left), Some(right)) = (self.to_extended(), other.to_extended())
            && let Some((is_negative, magnitude)) = left.add(right).times(ONE)
        {
            return Some(format_exact(is_negative, magnitude));
        }
        let sum = self.to_float() + other.to_float();
        if !sum.is_finite() {
            return None;
        }
        Some(if sum == 0.0 { "0".to_owned() } else { format_float(sum) })
    }

    fn to_extended(self) -> Option<Extended> {
        match self {
            Self::Exact { digits, places } => {
                Some(Extended::from_ratio(digits, 10u128.checked_pow(places)?))
            }
            Self::Float(_) => None,
        }
    }

    fn to_float(self) -> f64 {
        match self {
            Self::Exact { digits, places } => digits as f64 / 10f64.powi(places.cast_signed()),
            Self::Float(value) => value,
        }
    }
}

/// A sign, digits with a point among them, and an exponent, if there are not too many digits.
fn parse_exact(text: &[u8]) -> Option<Number> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let mut parts = rest.splitn(2, |byte| byte.eq_ignore_ascii_case(&b'e'));
    let digits = parts.next()?;
    let exponent: i32 = match parts.next() {
        None => 0,
        Some(exponent) => std::str::from_utf8(exponent).ok()?.parse().ok()?,
    };
    let mut parts = digits.splitn(2, |byte| *byte == b'.');
    let whole = parts.next()?;
    let fraction = parts.next().unwrap_or_default();
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value: i128 = 0;
    for digit in whole.iter().chain(fraction) {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let places = i64::try_from(fraction.len()).ok()?.checked_sub(i64::from(exponent))?;
    if let Ok(missing) = u32::try_from(-places) {
        value = value.checked_mul(10i128.checked_pow(missing)?)?;
    }
    let places = u32::try_from(places.max(0)).ok().filter(|places| *places <= PLACES_MAX)?;
    Some(Number::Exact { digits: if negative { -value } else { value }, places })
}

/// `magnitude` counts multiples of 10^-17.
fn format_exact(is_negative: bool, magnitude: u128) -> String {
    let sign = if is_negative { "-" } else { "" };
    let one = u128::from(ONE);
    trim_fraction(&format!("{sign}{}.{:017}", magnitude / one, magnitude % one))
}

fn format_float(value: f64) -> String {
    // The shortest form has the digits that matter; of a tiny number, 17 places at most.
    let shortest = format!("{value}");
    let places = shortest.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    if places > 17 { trim_fraction(&format!("{value:.17}")) } else { shortest }
}

fn trim_fraction(text: &str) -> String {
    let trimmed = text.trim_end_matches('0').trim_end_matches('.');
    if trimmed == "-0" { "0".to_owned() } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(left: &str, right: &str) -> Option<String> {
        Number::parse(left.as_bytes())?.add(Number::parse(right.as_bytes())?)
    }

    #[test]
    fn sums_are_those_of_redis() {
        for (left, right, expected) in [
            ("0.1", "0.2", "0.3"),
            ("3.0", "1.1", "4.1"),
            ("10.50", "0.1", "10.6"),
            ("5", "-5", "0"),
            ("-0.5", "0.5", "0"),
            ("5.0e3", "2.0e2", "5200"),
            ("+1", ".5", "1.5"),
            ("5.", "1", "6"),
            ("-1.5", "0", "-1.5"),
            ("1e20", "1", "100000000000000000000"),
            ("0.00000000000000001", "0", "0.00000000000000001"),
            ("1e-30", "0", "0"),
            ("9223372036854775800", "1e2", "9223372036854775900"),
            ("1E-2", "1e+1", "10.01"),
            ("1000.1", "0", "1000.09999999999999998"),
        ] {
            assert_eq!(sum(left, right).as_deref(), Some(expected), "{left} {right}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for text in ["", " 1", "1 ", "a", "nan", "1e400", "-", ".", "1.2.3", "0x1", "1e"] {
            assert_eq!(Number::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(sum("inf", "1"), None);
        assert_eq!(sum("1.7e308", "1.7e308"), None);
    }
}
