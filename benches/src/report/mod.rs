//! What a measurement found, as it is written to files and read again.

mod compare;
mod csv;
mod curve;
mod html;
mod model;
mod plot;
mod rounds;
mod table;
mod timeline;
mod usage;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{BenchError, Outcome};
use crate::load::{BUCKET, Plan, Recorder};
use crate::machine::Machine;
use crate::statistics::Spread;
use crate::workload::Workload;

pub(crate) use compare::compare;
pub(crate) use csv::csv;
pub(crate) use curve::Latency;
pub(crate) use html::html;
pub(crate) use model::{point_rows, sheet_csv, sheet_html, sheet_json};
pub(crate) use rounds::rounds;
pub(crate) use table::{aligned, loads, machine_lines, ms, whole};
pub(crate) use timeline::Timeline;
pub(crate) use usage::{Resources, Snapshot};

/// The version of the file format. Files of another one are refused.
pub(crate) const FORMAT: u32 = 1;

/// What one call of the program has measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    /// [`FORMAT`].
    pub(crate) format: u32,
    /// The command line.
    pub(crate) command: String,
    pub(crate) machine: Machine,
    /// One after the other, as they were made.
    pub(crate) runs: Vec<RunReport>,
}

/// What one load has found on one system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunReport {
    /// The system.
    pub(crate) system: String,
    /// What it promises when it has answered a write.
    pub(crate) durability: String,
    pub(crate) workload: Workload,
    /// Length of the measured part.
    pub(crate) seconds: f64,
    /// Commands that were answered in it.
    pub(crate) commands: u64,
    /// From the intended sending to the reply.
    pub(crate) latency: Latency,
    /// From the actual sending to the reply; the difference is how late the load itself was. Only
    /// of an open loop.
    pub(crate) service: Option<Latency>,
    /// Commands per second, in windows.
    pub(crate) throughput: Spread,
    /// The length of a window.
    pub(crate) window_seconds: f64,
    /// Commands per second in each window, in order.
    pub(crate) windows: Vec<f64>,
    pub(crate) failures: Failures,
    pub(crate) resources: Resources,
    /// What happened meanwhile, if anything was made to happen.
    pub(crate) timeline: Option<Timeline>,
}

/// What did not go well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failures {
    /// Replies that were errors, by their first word.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Commands under way on connections that were lost.
    pub(crate) lost: u64,
    /// Commands that had no answer two seconds after the end; they count as latencies.
    pub(crate) unanswered: u64,
}

impl Failures {
    /// How many commands failed in which way.
    pub(crate) fn text(&self) -> String {
        let errors = self.errors.iter().map(|(word, count)| format!("{count} {word}"));
        let others = [(self.lost, "lost"), (self.unanswered, "unanswered")];
        let others = others.into_iter().filter(|(count, _)| *count > 0);
        let others = others.map(|(count, name)| format!("{count} {name}"));
        errors.chain(others).collect::<Vec<_>>().join(", ")
    }

    /// How many commands failed in some way.
    pub(crate) fn count(&self) -> u64 {
        self.errors.values().sum::<u64>() + self.lost + self.unanswered
    }
}

impl RunReport {
    /// What `recorder` and the two snapshots around the measured part tell.
    pub(crate) fn new(
        (system, durability): (String, &str),
        plan: &Plan,
        window: Duration,
        recorder: &Recorder,
        resources: Resources,
    ) -> Self {
        let seconds = resources.seconds.min(plan.duration.as_secs_f64());
        let windows = windows(&recorder.buckets, window, seconds);
        let is_open = plan.workload.rate.is_some();
        Self {
            system,
            durability: durability.to_owned(),
            workload: plan.workload.clone(),
            seconds,
            commands: recorder.buckets.iter().sum(),
            latency: Latency::of(&recorder.latency),
            service: is_open.then(|| Latency::of(&recorder.service)),
            throughput: Spread::of(&windows),
            window_seconds: window.as_secs_f64(),
            windows,
            failures: Failures {
                errors: recorder.errors.clone(),
                lost: recorder.lost,
                unanswered: recorder.unanswered,
            },
            resources,
            timeline: None,
        }
    }

    /// Commands per second over the whole measured part.
    pub(crate) fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.commands as f64 / self.seconds } else { 0.0 }
    }
}

/// Commands per second in each whole window of the measured part.
fn windows(buckets: &[u64], window: Duration, seconds: f64) -> Vec<f64> {
    let size = ((window.as_nanos() / BUCKET.as_nanos()) as usize).max(1);
    let whole = (seconds / BUCKET.as_secs_f64() + 0.5) as usize;
    let measured = &buckets[..whole.min(buckets.len())];
    let length = size as f64 * BUCKET.as_secs_f64();
    measured.chunks_exact(size).map(|window| window.iter().sum::<u64>() as f64 / length).collect()
}

impl Report {
    /// Reads a report that was written with `--json`.
    ///
    /// *Errors*: the file cannot be read, or is none, or of another version; the text says so.
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let shown = path.display();
        let text = fs::read_to_string(path)
            .map_err(|error| BenchError::new(format_args!("cannot read {shown}: {error}")))?;
        let report: Self = serde_json::from_str(&text).map_err(|error| {
            BenchError::new(format_args!("{shown} was not written by `bench ... --json`: {error}"))
        })?;
        match report.format {
            FORMAT => Ok(report),
            other => Err(BenchError::new(format_args!(
                "{shown} has format {other}, and this program knows {FORMAT}: measure again"
            ))),
        }
    }

    /// The text of the JSON file.
    ///
    /// *Errors*: none for a report of numbers.
    pub(crate) fn json(&self) -> Outcome<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

#[cfg(test)]
pub(crate) mod tests;
