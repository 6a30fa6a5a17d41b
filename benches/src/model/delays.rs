//! Acceptors are replaced while some answers are late (the ablation of the Matchmaker Paxos paper).
//!
//! There, Phase1B and MatchB take 250 ms longer, and one optimisation after the other is switched on. Here all
//! are always on. What it is like without them can be seen when another proposer takes over: it has to do
//! the matchmaking and Phase 1 before anything else.

use std::time::Duration;

use simulator::capacity::{Found, Placement, Wish};

use super::{Frame, Point};
use crate::error::Outcome;

/// By how much the two answers are late.
const LATE: Duration = Duration::from_millis(250);

/// How often something is wished for, and how often in all.
const PERIOD: Duration = Duration::from_secs(1);
const TIMES: u32 = 5;

/// Throughput is counted in such windows, and the longest latency in windows twice as long.
const WINDOW: Duration = Duration::from_millis(250);

/// What is wished for, and what the authors saw.
const RUNS: [(&str, Option<Wish>); 3] = [
    ("nothing happens", None),
    ("other acceptors every second", Some(Wish::Acceptors)),
    ("another leader every second", Some(Wish::Leader)),
];

/// A quiet run, one with new acceptors, and one with new leaders.
///
/// *Errors*: as [`scaling`](super::scaling()).
pub(crate) fn delays(
    frame: &Frame,
    mut tell: impl FnMut(&str) -> Outcome<()>,
) -> Outcome<Vec<Point>> {
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let mut points = Vec::new();
    for (name, wish) in RUNS {
        tell(&format!("Matchmaker MultiPaxos: {name}"))?;
        let mut setup = frame.setup(frame.size(frame.failures + 1, Placement::Modular));
        setup.surroundings.late =
            ["MatchB", "Phase1B"].map(|kind| (kind.to_owned(), nanos(LATE))).into_iter().collect();
        (setup.warm_up_ns, setup.measured_ns) = (nanos(PERIOD), nanos(PERIOD * (TIMES + 1)));
        let times = (0..TIMES).map(|number| nanos(PERIOD * number + PERIOD / 2));
        setup.wishes =
            wish.into_iter().flat_map(|wish| times.clone().map(move |at| (at, wish))).collect();
        let (mut point, found) = frame.multipaxos(name, &setup)?;
        (point.windows, point.peaks_ms) = course(&found, nanos(WINDOW));
        points.push(point);
    }
    Ok(points)
}

/// Commands per second in each window, and the longest latency in each window twice as long.
fn course(found: &Found, window_ns: u64) -> (Vec<f64>, Vec<f64>) {
    let windows = (found.measured_ns / window_ns) as usize;
    let (mut counts, mut peaks) = (vec![0.0; windows], vec![0.0_f64; windows.div_ceil(2)]);
    for one in &found.completions {
        let window = (one.at_ns / window_ns) as usize;
        if let Some(count) = counts.get_mut(window) {
            *count += 1e9 / window_ns as f64;
            peaks[window / 2] = peaks[window / 2].max(one.latency_ns as f64 / 1e6);
        }
    }
    (counts, peaks)
}

#[cfg(test)]
mod tests {
    use simulator::capacity::Completion;

    use super::*;

    #[test]
    fn windows_have_what_was_answered_in_them() {
        let at = |ms: u64, latency_ms: u64| Completion {
            at_ns: ms * 1_000_000,
            latency_ns: latency_ms * 1_000_000,
        };
        let found = Found {
            measured_ns: 750_000_000,
            completions: vec![at(1, 1), at(2, 7), at(260, 3), at(700, 2)],
            usage: Vec::new(),
            messages: 0,
            unpriced: Default::default(),
        };
        let (counts, peaks) = course(&found, 250_000_000);
        assert_eq!((counts, peaks), (vec![8.0, 4.0, 4.0], vec![7.0, 2.0]));
    }
}
