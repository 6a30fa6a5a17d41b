//! What was measured of the commands: latencies, completions over time, failures.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::flow::Pending;

/// Completions are counted in buckets of this length.
pub(crate) const BUCKET: Duration = Duration::from_millis(10);

/// The longest latency that is told apart, one hour; a longer one counts as that.
const LATENCY_NS_MAX: u64 = 3_600_000_000_000;

/// Completions that are remembered one by one, at most; 8 bytes each.
const SAMPLES_MAX: usize = 32_000_000;

/// Different errors that are told apart. All others are counted as one.
const ERRORS_MAX: usize = 16;

/// One completion, in units of 100 ns, since the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) completed: u32,
    pub(crate) latency: u32,
}

/// A run whose completions are remembered takes this at most.
pub(crate) const RUN_MAX: Duration = Duration::from_secs(400);

impl Sample {
    /// A unit of time.
    pub(crate) const UNIT: Duration = Duration::from_nanos(100);

    fn new(completed: Duration, latency: Duration) -> Self {
        Self { completed: units(completed), latency: units(latency) }
    }
}

fn units(time: Duration) -> u32 {
    u32::try_from(time.as_nanos() / Sample::UNIT.as_nanos()).unwrap_or(u32::MAX)
}

/// Counts what happens to the commands of some of the clients.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    /// Which part of the run counts, since its start.
    measured: Range<Duration>,
    /// From the intended sending to the reply, in ns.
    pub(crate) latency: Histogram<u64>,
    /// From the sending to the reply, in ns.
    pub(crate) service: Histogram<u64>,
    /// Completions per [`BUCKET`] of the measured part.
    pub(crate) buckets: Vec<u64>,
    /// Each completion of the run, if they are wanted.
    pub(crate) samples: Option<Vec<Sample>>,
    /// Completions that were not remembered because there were too many.
    pub(crate) samples_dropped: u64,
    /// Replies that were errors, by their first word.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Commands under way on a connection that was lost: nobody knows what became of them.
    pub(crate) lost: u64,
    /// Commands without an answer when the run was over. They count as latencies, with the time
    /// that they had waited by then.
    pub(crate) unanswered: u64,
    /// Bytes of commands and of replies, during the whole run.
    pub(crate) bytes: [u64; 2],
}

impl Recorder {
    /// Counts in the part `measured` of a run.
    pub(crate) fn new(measured: Range<Duration>, keeps_samples: bool) -> Self {
        let histogram =
            || Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("the bounds are in order");
        let length = measured.end.saturating_sub(measured.start);
        Self {
            latency: histogram(),
            service: histogram(),
            buckets: vec![0; bucket_index(length + BUCKET) + 1],
            samples: keeps_samples.then(Vec::new),
            samples_dropped: 0,
            errors: BTreeMap::new(),
            lost: 0,
            unanswered: 0,
            bytes: [0; 2],
            measured,
        }
    }

    /// A command was answered at `now`.
    pub(crate) fn complete(&mut self, pending: Pending, now: Duration) {
        let latency = now.saturating_sub(pending.intended);
        if self.measured.contains(&now) {
            let bucket = bucket_index(now - self.measured.start);
            self.buckets[bucket] += 1;
        }
        if self.measured.contains(&pending.intended) {
            self.latency.saturating_record(nanos(latency));
            self.service.saturating_record(nanos(now.saturating_sub(pending.sent)));
        }
        match &mut self.samples {
            Some(samples) if samples.len() < SAMPLES_MAX => {
                samples.push(Sample::new(now, latency));
            }
            Some(_) => self.samples_dropped += 1,
            None => {}
        }
    }

    /// A command was answered by an error.
    pub(crate) fn fail(&mut self, text: &[u8]) {
        let word = text.split(|byte| *byte == b' ').next().unwrap_or_default();
        let word = String::from_utf8_lossy(word).into_owned();
        let is_known = self.errors.contains_key(&word) || self.errors.len() < ERRORS_MAX;
        *self.errors.entry(if is_known { word } else { "other".into() }).or_default() += 1;
    }

    /// A command that was meant to be sent at `intended` has no answer at `now`, when the run is
    /// over.
    pub(crate) fn give_up(&mut self, intended: Duration, now: Duration) {
        if self.measured.contains(&intended) {
            self.unanswered += 1;
            self.latency.saturating_record(nanos(now.saturating_sub(intended)));
        }
    }

    /// Adds what another recorder of the same run has counted.
    pub(crate) fn merge(&mut self, other: Self) {
        // The bounds are the same, so nothing is out of range.
        let _ = self.latency.add(&other.latency);
        let _ = self.service.add(&other.service);
        for (sum, count) in self.buckets.iter_mut().zip(other.buckets) {
            *sum += count;
        }
        if let (Some(all), Some(samples)) = (&mut self.samples, other.samples) {
            all.extend(samples);
        }
        for (word, count) in other.errors {
            *self.errors.entry(word).or_default() += count;
        }
        self.samples_dropped += other.samples_dropped;
        self.lost += other.lost;
        self.unanswered += other.unanswered;
        self.bytes[0] += other.bytes[0];
        self.bytes[1] += other.bytes[1];
    }
}

fn bucket_index(since_start: Duration) -> usize {
    (since_start.as_nanos() / BUCKET.as_nanos()) as usize
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(LATENCY_NS_MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn pending(intended: u32, sent: u32) -> Pending {
        Pending { intended: intended * MS, sent: sent * MS }
    }

    fn recorder() -> Recorder {
        Recorder::new(100 * MS..200 * MS, true)
    }

    #[test]
    fn only_the_measured_part_counts() {
        let mut recorder = recorder();
        recorder.complete(pending(80, 80), 90 * MS); // During the warm-up.
        recorder.complete(pending(95, 95), 105 * MS); // Completed inside: throughput, not latency.
        recorder.complete(pending(150, 155), 160 * MS);
        recorder.complete(pending(195, 195), 210 * MS); // Meant inside: latency, not throughput.
        assert_eq!(recorder.buckets.iter().sum::<u64>(), 2);
        assert_eq!((recorder.buckets[0], recorder.buckets[6]), (1, 1));
        assert_eq!((recorder.latency.len(), recorder.service.len()), (2, 2));
        assert!(recorder.latency.max() >= 15_000_000 && recorder.service.min() <= 5_000_000);
        assert_eq!(recorder.samples.as_ref().map(Vec::len), Some(4));
    }

    #[test]
    fn commands_that_were_given_up_count_with_their_wait() {
        let mut recorder = recorder();
        recorder.give_up(150 * MS, 1150 * MS);
        recorder.give_up(250 * MS, 1150 * MS);
        assert_eq!((recorder.unanswered, recorder.latency.len()), (1, 1));
        assert!(recorder.latency.max() >= 1_000_000_000);
    }

    #[test]
    fn errors_are_told_apart_by_their_first_word_up_to_a_limit() {
        let mut recorder = recorder();
        recorder.fail(b"AMBIGUOUS the outcome");
        recorder.fail(b"AMBIGUOUS again");
        (0..ERRORS_MAX + 5).for_each(|number| recorder.fail(format!("E{number} x").as_bytes()));
        assert_eq!(recorder.errors["AMBIGUOUS"], 2);
        assert_eq!(recorder.errors["other"], 6);
    }

    #[test]
    fn recorders_add_up() {
        let [mut left, mut right] = [recorder(), recorder()];
        left.complete(pending(110, 110), 111 * MS);
        right.complete(pending(110, 110), 113 * MS);
        right.fail(b"ERR x");
        right.bytes = [3, 4];
        left.merge(right);
        assert_eq!((left.latency.len(), left.buckets[1], left.errors["ERR"]), (2, 2, 1));
        assert_eq!((left.bytes, left.samples.map(|samples| samples.len())), ([3, 4], Some(2)));
    }
}
