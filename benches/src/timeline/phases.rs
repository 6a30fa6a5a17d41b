//! How the load fared before, during and after each event.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Happening;
use crate::load::{BUCKET, Sample};
use crate::statistics::Spread;

/// What is done once counts as going on for this long at least: until then the load feels it.
const SETTLE: Duration = Duration::from_secs(1);

/// Windows in which the throughput of a phase is counted.
const WINDOW: Duration = Duration::from_millis(100);

/// One part of a run; the same part of all rounds, if there are several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Phase {
    pub(crate) name: String,
    /// When it began and ended in the first round, in seconds since the load was measured.
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// In how many rounds there was such a part.
    pub(crate) rounds: usize,
    /// Commands that were answered in it.
    pub(crate) commands: u64,
    /// Of these, in milliseconds: 50, 95, 99 and 99.9 of a hundred took at most so long, and the
    /// longest.
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p99_9_ms: f64,
    pub(crate) max_ms: f64,
    /// How their latencies are spread, in milliseconds.
    pub(crate) latency: Spread,
    /// Commands per second, in windows of 100 ms.
    pub(crate) throughput: Spread,
    /// The longest time inside of it without any completion, in milliseconds.
    pub(crate) longest_gap_ms: f64,
}

/// A part of a run has a name, and how many of that name were before it in the round.
type Part = (String, usize);

/// Each event, and what is between: `samples` are sorted by their completion; `bounds` say when
/// each round begins, and when the last one ends. All times count from the beginning of the
/// measured part.
pub(crate) fn phases(
    samples: &[Sample],
    happenings: &[Happening],
    bounds: &[Duration],
) -> Vec<Phase> {
    let mut parts: Vec<(Part, Vec<Range<Duration>>)> = Vec::new();
    for round in bounds.windows(2) {
        let round = round[0]..round[1];
        let inside = happenings.iter().filter(|happening| round.contains(&happening.began));
        for (part, time) in parts_of(round.clone(), &inside.collect::<Vec<_>>()) {
            match parts.iter_mut().find(|(known, _)| *known == part) {
                Some((_, times)) => times.push(time),
                None => parts.push((part, vec![time])),
            }
        }
    }
    parts.into_iter().map(|((name, _), times)| phase(name, samples, &times)).collect()
}

/// The parts of one round. Those without any length are left out.
fn parts_of(round: Range<Duration>, happenings: &[&Happening]) -> Vec<(Part, Range<Duration>)> {
    let mut times: Vec<(String, Range<Duration>)> = Vec::new();
    let (mut from, mut calm) = (round.start, "quiet".to_owned());
    for (number, happening) in happenings.iter().enumerate() {
        let next = happenings.get(number + 1).map_or(round.end, |next| next.began);
        let end = happening.ended.max(happening.began + SETTLE).min(next);
        times.push((calm, from..happening.began));
        times.push((happening.action.clone(), happening.began..end));
        (from, calm) = (end, format!("after {}", happening.action));
    }
    times.push((calm, from..round.end));
    times.retain(|(_, time)| time.end.saturating_sub(time.start) >= BUCKET);
    let count = |name: &str, number: usize| times[..number].iter().filter(|t| t.0 == name).count();
    let parts = times
        .iter()
        .enumerate()
        .map(|(number, (name, time))| ((name.clone(), count(name, number)), time.clone()));
    parts.collect()
}

fn phase(name: String, samples: &[Sample], times: &[Range<Duration>]) -> Phase {
    let (mut latencies, mut throughput) = (Vec::new(), Vec::new());
    let mut longest = Duration::ZERO;
    for time in times {
        let start = samples.partition_point(|sample| completed(sample) < time.start);
        let end = samples.partition_point(|sample| completed(sample) < time.end);
        let inside = &samples[start..end.max(start)];
        latencies.extend(inside.iter().map(latency_ms));
        throughput.extend(rates(inside, time));
        longest = longest.max(longest_gap(inside, time).0);
    }
    latencies.sort_unstable_by(f64::total_cmp);
    let at = |percent: f64| {
        let place = (latencies.len() as f64 * percent / 100.0).ceil() as usize;
        latencies.get(place.saturating_sub(1)).copied().unwrap_or_default()
    };
    let first = times.first().cloned().unwrap_or_default();
    Phase {
        name,
        from: first.start.as_secs_f64(),
        to: first.end.as_secs_f64(),
        rounds: times.len(),
        commands: latencies.len() as u64,
        p50_ms: at(50.0),
        p95_ms: at(95.0),
        p99_ms: at(99.0),
        p99_9_ms: at(99.9),
        max_ms: at(100.0),
        latency: Spread::of(&latencies),
        throughput: Spread::of(&throughput),
        longest_gap_ms: longest.as_secs_f64() * 1e3,
    }
}

/// Commands per second in each whole window.
fn rates(samples: &[Sample], time: &Range<Duration>) -> Vec<f64> {
    let length = time.end.saturating_sub(time.start);
    let count = (length.as_nanos() / WINDOW.as_nanos()) as usize;
    let mut counts = vec![0_u64; count];
    for sample in samples {
        let window =
            (completed(sample).saturating_sub(time.start).as_nanos() / WINDOW.as_nanos()) as usize;
        if let Some(count) = counts.get_mut(window) {
            *count += 1;
        }
    }
    counts.into_iter().map(|count| count as f64 / WINDOW.as_secs_f64()).collect()
}

/// The longest time without a completion, and when it began. A run without any completion is one
/// gap.
pub(crate) fn longest_gap(samples: &[Sample], time: &Range<Duration>) -> (Duration, Duration) {
    let mut last = time.start;
    let mut longest = (Duration::ZERO, time.start);
    for sample in samples {
        let gap = completed(sample).saturating_sub(last);
        if gap > longest.0 {
            longest = (gap, last);
        }
        last = completed(sample);
    }
    let rest = time.end.saturating_sub(last);
    if rest > longest.0 { (rest, last) } else { longest }
}

fn completed(sample: &Sample) -> Duration {
    Sample::UNIT * sample.completed
}

fn latency_ms(sample: &Sample) -> f64 {
    (Sample::UNIT * sample.latency).as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn sample(completed_ms: u32, latency_ms: u32) -> Sample {
        Sample { completed: completed_ms * 10_000, latency: latency_ms * 10_000 }
    }

    /// One completion each millisecond, but for an outage from 2 s to 2.5 s.
    fn outage() -> Vec<Sample> {
        let times = (0..5000).filter(|ms| !(2000..2500).contains(ms));
        times.map(|ms| sample(ms, if ms == 2500 { 501 } else { 1 })).collect()
    }

    fn kill() -> Happening {
        Happening {
            action: "kill leader".into(),
            name: "kill leader (n1)".into(),
            began: 2000 * MS,
            ended: 2010 * MS,
            text: String::new(),
            changes: Vec::new(),
        }
    }

    #[test]
    fn an_outage_is_told_apart_from_before_and_after() {
        let phases = phases(&outage(), &[kill()], &[Duration::ZERO, 5000 * MS]);
        let names: Vec<&str> = phases.iter().map(|phase| phase.name.as_str()).collect();
        assert_eq!(names, ["quiet", "kill leader", "after kill leader"]);
        let [before, during, after] = &phases[..] else { panic!("three phases") };
        assert_eq!((before.commands, during.commands, after.commands), (2000, 500, 2000));
        assert_eq!((during.from, during.to), (2.0, 3.0));
        assert!((during.max_ms - 501.0).abs() < 1e-9 && during.p50_ms == 1.0);
        assert!((during.longest_gap_ms - 500.0).abs() < 2.0, "{}", during.longest_gap_ms);
        assert!(after.longest_gap_ms < 2.0 && before.longest_gap_ms < 502.0);
        assert_eq!((before.throughput.median, during.throughput.min), (1000.0, 0.0));
    }

    #[test]
    fn the_same_parts_of_all_rounds_are_one_phase() {
        let samples: Vec<Sample> = (0..10_000).map(|ms| sample(ms, 1 + ms / 5000)).collect();
        let second = Happening { began: 7000 * MS, ended: 7010 * MS, ..kill() };
        let bounds = [Duration::ZERO, 5000 * MS, 10_000 * MS];
        let phases = phases(&samples, &[kill(), second], &bounds);
        let counts: Vec<_> = phases.iter().map(|phase| (phase.rounds, phase.commands)).collect();
        assert_eq!(counts, [(2, 4000), (2, 2000), (2, 4000)]);
        assert_eq!((phases[0].p50_ms, phases[0].p99_ms), (1.0, 2.0));
        assert_eq!((phases[1].from, phases[1].to, phases[1].throughput.count), (2.0, 3.0, 20));
    }

    #[test]
    fn the_longest_gap_may_be_at_either_end() {
        let zero = Duration::ZERO;
        let time = zero..1000 * MS;
        assert_eq!(longest_gap(&[], &time), (1000 * MS, zero));
        assert_eq!(longest_gap(&[sample(700, 1), sample(800, 1)], &time), (700 * MS, zero));
        assert_eq!(longest_gap(&[sample(100, 1), sample(200, 1)], &time), (800 * MS, 200 * MS));
    }

    #[test]
    fn phases_without_length_are_left_out() {
        let first = Happening { began: Duration::ZERO, ended: 5000 * MS, ..kill() };
        let phases = phases(&outage(), &[first], &[Duration::ZERO, 5000 * MS]);
        assert_eq!(phases.len(), 1);
    }
}
