//! How fast chunks of a snapshot are cut, so that those who serve clients meanwhile hardly notice.
//!
//! Cutting a chunk holds up everything else in its process for a moment, and whoever takes it needs disk
//! and processor, which it may share with others. So there is a pause after each chunk, as long as its
//! bytes take at the rate that is wished. But a snapshot must be faster than the log grows: logs are
//! not cut before its end, and a replica that lags needs what comes after it as well. So what is
//! executed meanwhile shortens the pause.

use std::ops::Range;
use std::time::Duration;

/// For each byte that is executed so many of a snapshot may follow at once. Votes and values together grow the
/// log by twice what is executed: until the end of a snapshot, by half of its size at most.
const HASTE: u64 = 4;

/// A pause is no longer, however large a chunk is: its reader would take it for silence.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A timer fires within this time after it is due.
const SLACK: Duration = Duration::from_micros(500);

/// Whether it is time for the next chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pace {
    /// Bytes of the chunks that were cut last for which there was no time yet.
    owed_bytes: u64,
}

impl Pace {
    /// Whether the next chunk may be cut.
    pub fn is_due(&self) -> bool {
        self.owed_bytes == 0
    }

    /// A chunk was cut. Returns how long the pause after it is; none if `bytes_per_second` is zero.
    pub fn cut(&mut self, chunk_bytes: usize, bytes_per_second: u64) -> Option<Range<Duration>> {
        let chunk_bytes = chunk_bytes as u64;
        let pause = pause(chunk_bytes, bytes_per_second)?;
        self.owed_bytes = chunk_bytes;
        Some(pause)
    }

    /// So many bytes of commands were executed.
    pub fn execute(&mut self, bytes: usize) {
        self.owed_bytes = self.owed_bytes.saturating_sub(HASTE.saturating_mul(bytes as u64));
    }

    /// The pause is over.
    pub fn end_pause(&mut self) {
        self.owed_bytes = 0;
    }
}

/// How long so many bytes take, at most a second; none if `bytes_per_second` is zero.
pub(crate) fn pause(bytes: u64, bytes_per_second: u64) -> Option<Range<Duration>> {
    let micros = bytes.saturating_mul(1_000_000).checked_div(bytes_per_second)?;
    let pause = Duration::from_micros(micros).min(PAUSE_MAX);
    Some(pause..pause + SLACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_as_long_as_the_bytes_take_and_no_longer_than_a_reader_waits() {
        let mut pace = Pace::default();
        assert!(pace.is_due());
        let pause = pace.cut(250_000, 1_000_000).unwrap();
        assert_eq!(pause.start, Duration::from_millis(250));
        assert!(!pace.is_due());
        pace.end_pause();
        assert!(pace.is_due());
        assert_eq!(pace.cut(16 << 20, 1).unwrap().start, PAUSE_MAX);
        assert_eq!(pace.cut(usize::MAX, 1).unwrap().start, PAUSE_MAX);
    }

    #[test]
    fn what_is_executed_shortens_the_pause() {
        let mut pace = Pace::default();
        pace.cut(1000, 1).unwrap();
        pace.execute(249);
        assert!(!pace.is_due());
        pace.execute(1);
        assert!(pace.is_due());
        pace.execute(usize::MAX);
        assert!(pace.is_due());
    }

    #[test]
    fn without_a_rate_there_is_no_pause() {
        let mut pace = Pace::default();
        assert_eq!(pace.cut(1000, 0), None);
        assert!(pace.is_due());
    }
}
