//! What happened during a run, and what the load felt of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plot::{Mark, Plot, Scale, Series};
use super::table::{aligned, ms, whole};
use crate::load::{BUCKET, Recorder, Sample};
use crate::statistics::Spread;
use crate::timeline::{Change, Happening, Phase, Script, longest_gap, phases};

/// A run in buckets of 10 ms, with the events in it. Times are in seconds since the load was
/// measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Timeline {
    pub(crate) bucket_seconds: f64,
    /// Completions in each bucket.
    pub(crate) counts: Vec<u32>,
    /// The longest latency of those that completed in each bucket, in milliseconds.
    pub(crate) worst_ms: Vec<f64>,
    pub(crate) events: Vec<EventReport>,
    pub(crate) phases: Vec<Phase>,
    /// The longest time without a completion, and when it began.
    pub(crate) longest_gap_ms: f64,
    pub(crate) longest_gap_at: f64,
    /// Completions that were not looked at, because there were too many.
    pub(crate) dropped: u64,
}

/// An event that has happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventReport {
    pub(crate) name: String,
    pub(crate) began: f64,
    pub(crate) ended: f64,
    /// What came of it.
    pub(crate) text: String,
    /// The changes of acceptors and matchmakers that it consists of.
    pub(crate) changes: Vec<Change>,
}

impl Timeline {
    /// Of a run whose completions were remembered; its measured part began at `start`, and `script`
    /// was played in it.
    pub(crate) fn of(
        recorder: &Recorder,
        start: Duration,
        script: &Script,
        happenings: &[Happening],
    ) -> Self {
        let length = script.duration();
        let mut samples = measured(recorder.samples.as_deref().unwrap_or_default(), start, length);
        samples.sort_unstable_by_key(|sample| sample.completed);
        let (gap, at) = longest_gap(&samples, &(Duration::ZERO..length));
        let (counts, worst_ms) = buckets(&samples, length);
        Self {
            bucket_seconds: BUCKET.as_secs_f64(),
            counts,
            worst_ms,
            events: happenings.iter().map(EventReport::of).collect(),
            phases: phases(&samples, happenings, &script.bounds()),
            longest_gap_ms: gap.as_secs_f64() * 1e3,
            longest_gap_at: at.as_secs_f64(),
            dropped: recorder.samples_dropped,
        }
    }

    /// Events, then phases, as text.
    pub(crate) fn table(&self) -> String {
        let mut text = aligned(&self.event_rows());
        text += "\n\n";
        text += &aligned(&self.phase_rows());
        text += &format!(
            "\n\nlongest time without any completion: {} ms, from {:.3} s on",
            ms(self.longest_gap_ms),
            self.longest_gap_at
        );
        if self.dropped > 0 {
            text += &format!(
                "\n{} completions at the end were too many to be looked at: lower --duration or the load",
                self.dropped
            );
        }
        text
    }

    fn event_rows(&self) -> Vec<Vec<String>> {
        let head = [
            "event",
            "from s",
            "took ms",
            "active ms p50",
            "p99",
            "max",
            "collected ms p50",
            "p99",
            "max",
            "H max",
        ];
        let mut rows = vec![head.map(String::from).to_vec()];
        for event in &self.events {
            let took = ms((event.ended - event.began) * 1e3);
            let mut row = vec![event.name.clone(), format!("{:.3}", event.began), took];
            let active = event.changes.iter().map(|change| change.active_ms).collect();
            let collected = event.changes.iter().filter_map(|change| change.collected_ms).collect();
            row.extend(three(active));
            row.extend(three(collected));
            let history = event.changes.iter().filter_map(|change| change.history_count).max();
            row.push(history.map_or("-".into(), |count| count.to_string()));
            row.push(format!("  {}", event.text));
            rows.push(row);
        }
        rows
    }

    fn phase_rows(&self) -> Vec<Vec<String>> {
        let head = [
            "phase",
            "from s",
            "to s",
            "commands/s",
            "IQR",
            "p50 ms",
            "p95",
            "p99",
            "p99.9",
            "max",
            "longest gap ms",
        ];
        let mut rows = vec![head.map(String::from).to_vec()];
        for phase in &self.phases {
            let mut row = vec![
                match phase.rounds {
                    1 => phase.name.clone(),
                    rounds => format!("{} ({rounds} times)", phase.name),
                },
                format!("{:.2}", phase.from),
                format!("{:.2}", phase.to),
                whole(phase.throughput.median),
                whole(phase.throughput.iqr()),
            ];
            row.extend(
                [
                    phase.p50_ms,
                    phase.p95_ms,
                    phase.p99_ms,
                    phase.p99_9_ms,
                    phase.max_ms,
                    phase.longest_gap_ms,
                ]
                .map(ms),
            );
            rows.push(row);
        }
        rows
    }

    /// Throughput and latency over time, with the events marked.
    pub(super) fn plots(&self, name: &str) -> [Plot; 2] {
        let times = (0..).map(|bucket| (f64::from(bucket) + 0.5) * self.bucket_seconds);
        let rates = self.counts.iter().map(|count| f64::from(*count) / self.bucket_seconds);
        let completed = self.worst_ms.iter().map(|ms| Some(*ms).filter(|ms| *ms > 0.0));
        let worst = times.clone().zip(completed).filter_map(|(time, ms)| Some((time, ms?)));
        let plot = |title: &str, y: (String, Scale), points: Vec<(f64, f64)>| Plot {
            title: format!("{title}, in buckets of 10 ms: {name}"),
            x: ("seconds since the load was measured".into(), Scale::Linear),
            y,
            series: vec![Series { name: title.to_owned(), points, has_dots: false }],
            marks: self.marks(),
        };
        [
            plot(
                "Throughput",
                ("commands per second".into(), Scale::Linear),
                times.clone().zip(rates).collect(),
            ),
            plot("Longest latency", ("ms".into(), Scale::Log), worst.collect()),
        ]
    }

    fn marks(&self) -> Vec<Mark> {
        let mark = |event: &EventReport| Mark {
            from: event.began,
            to: event.ended,
            label: event.name.clone(),
        };
        self.events.iter().map(mark).collect()
    }
}

impl EventReport {
    fn of(happening: &Happening) -> Self {
        let Happening { name, began, ended, text, changes, action: _ } = happening;
        let (began, ended) = (began.as_secs_f64(), ended.as_secs_f64());
        Self { name: name.clone(), began, ended, text: text.clone(), changes: changes.clone() }
    }
}

/// The completions of the measured part, with times since it began.
fn measured(samples: &[Sample], start: Duration, length: Duration) -> Vec<Sample> {
    let units = |time: Duration| {
        u32::try_from(time.as_nanos() / Sample::UNIT.as_nanos()).unwrap_or(u32::MAX)
    };
    let (start, length) = (units(start), units(length));
    let moved = samples.iter().filter_map(|sample| {
        let completed = sample.completed.checked_sub(start)?;
        Some(Sample { completed, ..*sample })
    });
    moved.filter(|sample| sample.completed < length).collect()
}

fn buckets(samples: &[Sample], length: Duration) -> (Vec<u32>, Vec<f64>) {
    let count = length.as_nanos().div_ceil(BUCKET.as_nanos()) as usize;
    let (mut counts, mut worst) = (vec![0; count], vec![0.0_f64; count]);
    for sample in samples {
        let bucket = ((Sample::UNIT * sample.completed).as_nanos() / BUCKET.as_nanos()) as usize;
        if let (Some(count), Some(worst)) = (counts.get_mut(bucket), worst.get_mut(bucket)) {
            *count += 1;
            *worst = worst.max((Sample::UNIT * sample.latency).as_secs_f64() * 1e3);
        }
    }
    (counts, worst)
}

/// Median, 99th percentile and maximum.
fn three(mut values: Vec<f64>) -> [String; 3] {
    if values.is_empty() {
        return ["-", "-", "-"].map(String::from);
    }
    values.sort_unstable_by(f64::total_cmp);
    let spread = Spread::of(&values);
    let p99 = values[(values.len() * 99).div_ceil(100) - 1];
    [spread.median, p99, spread.max].map(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_and_remember_the_worst() {
        let sample =
            |ms: u32, latency: u32| Sample { completed: ms * 10_000, latency: latency * 10_000 };
        let samples = [sample(1, 5), sample(9, 7), sample(25, 1), sample(99, 1)];
        let (counts, worst) = buckets(&samples, Duration::from_millis(40));
        assert_eq!((counts, worst), (vec![2, 0, 1, 0], vec![7.0, 0.0, 1.0, 0.0]));
        let inside = measured(&samples, Duration::from_millis(5), Duration::from_millis(50));
        assert_eq!(inside, [sample(4, 7), sample(20, 1)]);
    }

    #[test]
    fn a_timeline_has_its_events_in_table_and_plots() {
        let mut recorder = Recorder::new(Duration::ZERO..Duration::from_secs(1), true);
        for ms in 1..1000 {
            let intended = Duration::from_millis(ms - 1);
            let pending = crate::load::Pending { intended, sent: intended };
            recorder.complete(pending, Duration::from_millis(ms));
        }
        let change = Change { active_ms: 0.5, collected_ms: Some(4.0), history_count: Some(1) };
        let happening = Happening {
            action: "reconfigure".into(),
            name: "reconfigure".into(),
            began: Duration::from_millis(300),
            ended: Duration::from_millis(305),
            text: "a4 a5 a6 vote".into(),
            changes: vec![change, Change { active_ms: 1.5, ..change }],
        };
        let script = Script::new(Vec::new(), Duration::from_secs(1)).expect("nothing happens");
        let timeline = Timeline::of(&recorder, Duration::ZERO, &script, &[happening]);
        let table = timeline.table();
        for expected in
            ["quiet", "a4 a5 a6 vote", "1.000", "4.000", "without any completion: 1.000 ms"]
        {
            assert!(table.contains(expected), "{expected}: {table}");
        }
        assert!(timeline.plots("kvs").iter().all(|plot| plot.marks.len() == 1));
        assert_eq!(three(vec![]), ["-", "-", "-"]);
    }
}
