//! Numbers with units, as they are written on a command line.

use std::time::Duration;

use crate::load::BUCKET;

/// `250us`, `100ms`, `5s`, `2m`: longer than nothing, up to a day.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match duration_or_none(text)? {
        Duration::ZERO => Err(format!("{text:?}: it must be longer than nothing")),
        duration => Ok(duration),
    }
}

/// The same, or nothing at all: `0s`.
pub(crate) fn duration_or_none(text: &str) -> Result<Duration, String> {
    const DAY: f64 = 86_400.0;
    let wrong = || {
        format!("{text:?} is no time: write a number with its unit, such as 250us, 100ms, 5s or 2m")
    };
    let units = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0)];
    let (number, unit) = units
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or_else(wrong)?;
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = number * unit;
    if !(0.0..=DAY).contains(&seconds) {
        return Err(format!("{text:?}: from nothing to a day is possible"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// A length of windows: whole buckets.
pub(super) fn window(text: &str) -> Result<Duration, String> {
    let window = duration(text)?;
    match window.as_nanos().is_multiple_of(BUCKET.as_nanos()) {
        true => Ok(window),
        false => {
            Err(format!("{text:?}: completions are counted every 10 ms; give a multiple of that"))
        }
    }
}

/// Commands per second.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    const MAX: f64 = 10_000_000.0;
    let rate: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    match rate > 0.0 && rate <= MAX {
        true => Ok(rate),
        false => Err(format!("{text:?}: a rate is above zero, and at most {MAX}")),
    }
}

/// A percentage.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    match (0.0..=100.0).contains(&percent) {
        true => Ok(percent),
        false => Err(format!("{text:?}: a share is from 0 to 100, in percent")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, expected) in [("250us", 250), ("2ms", 2000), ("1.5s", 1_500_000)] {
            assert_eq!(duration(text), Ok(Duration::from_micros(expected)));
        }
        assert_eq!(duration_or_none("0s"), Ok(Duration::ZERO));
        for text in ["", "5", "s", "-1s", "NaNs", "1e9m", "0ms"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn windows_are_whole_buckets() {
        assert_eq!(window("250ms"), Ok(Duration::from_millis(250)));
        assert!(window("5ms").is_err() && window("1ms").is_err());
    }
}
