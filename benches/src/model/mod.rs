//! Experiments in virtual time: the actors of a cluster on processors of which each message takes up some
//! (`simulator::capacity`). What is found depends on the costs and the seed alone, and not on how busy this
//! machine is.

mod conflicts;
mod costs;
mod delays;
mod scaling;

use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use simulator::capacity::{
    Bpaxos, CostModel, Found, Load, Matchmaker, Placement, Setup, Size, Subject, Surroundings,
    Usage, measure,
};

use crate::error::{BenchError, Outcome};

pub(crate) use conflicts::conflicts;
pub(crate) use costs::{cost_rows, measure_costs};
pub(crate) use delays::delays;
pub(crate) use scaling::{scaling, scaling_rows};

/// What is repeated in virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Model {
    /// Peak throughput for 1 to 10 proposers.
    Scaling,
    /// More and more commands that write to one key.
    Conflicts,
    /// Acceptors are replaced while some answers are late.
    Delays,
}

/// What all runs of an experiment share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Frame {
    /// Clients, each with one command under way.
    pub(crate) clients: usize,
    /// Failures that the clusters survive.
    pub(crate) failures: usize,
    /// Commands in one batch, at most.
    pub(crate) batch_max: usize,
    /// How long a message travels.
    pub(crate) link: Duration,
    /// What is measured of each run, in virtual time.
    pub(crate) measured: Duration,
    pub(crate) seed: u64,
    pub(crate) costs: CostModel,
}

/// What one run has found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Point {
    /// What ran.
    pub(crate) system: String,
    pub(crate) proposers: usize,
    /// Share of the commands that write to the one key.
    pub(crate) hot_percent: f64,
    pub(crate) commands_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    /// The longest time without an answer to anybody.
    pub(crate) gap_ms: f64,
    pub(crate) messages_per_command: f64,
    /// The module with the busiest processor.
    pub(crate) bottleneck: String,
    pub(crate) usage: Vec<Usage>,
    /// What the authors measured, in commands per second.
    pub(crate) paper: Option<f64>,
    /// Commands per second in windows of 250 ms, where the course of the run matters.
    pub(crate) windows: Vec<f64>,
    /// The longest latency in windows of 500 ms, likewise.
    pub(crate) peaks_ms: Vec<f64>,
}

/// What one call of the program has found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sheet {
    pub(crate) format: u32,
    pub(crate) command: String,
    pub(crate) model: Model,
    pub(crate) frame: Frame,
    pub(crate) points: Vec<Point>,
}

impl Frame {
    fn setup(&self, size: Size) -> Setup {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Setup {
            size,
            batch_max: self.batch_max,
            load: Load { clients: self.clients, hot_permille: 0, seed: self.seed },
            surroundings: Surroundings { link_ns: nanos(self.link), ..Surroundings::default() },
            warm_up_ns: nanos(self.measured / 2),
            measured_ns: nanos(self.measured),
            wishes: Vec::new(),
        }
    }

    fn size(&self, proposers: usize, placement: Placement) -> Size {
        Size { failures: self.failures, proposers, placement }
    }

    fn bpaxos(&self, name: &str, setup: &Setup) -> Outcome<(Point, Found)> {
        run::<Bpaxos>(name, setup, &self.costs.bpaxos)
    }

    /// One more proposer than may fail, of which one leads.
    fn multipaxos(&self, name: &str, setup: &Setup) -> Outcome<(Point, Found)> {
        run::<Matchmaker>(name, setup, &self.costs.matchmaker)
    }
}

fn run<S: Subject>(
    name: &str,
    setup: &Setup,
    costs: &simulator::capacity::Costs,
) -> Outcome<(Point, Found)> {
    let found = measure::<S>(setup, costs, None).map_err(BenchError::new)?;
    let ms = |nanos: u64| nanos as f64 / 1e6;
    let count = found.completions.len().max(1) as f64;
    let point = Point {
        system: format!("{}, {name}", S::NAME),
        proposers: setup.size.proposers,
        hot_percent: setup.load.hot_permille as f64 / 10.0,
        commands_per_second: found.rate(),
        p50_ms: ms(found.latency_ns(500)),
        p99_ms: ms(found.latency_ns(990)),
        max_ms: ms(found.latency_ns(1000)),
        gap_ms: ms(found.gap_ns()),
        messages_per_command: found.messages as f64 / count,
        bottleneck: found.bottleneck().to_owned(),
        usage: found.usage.clone(),
        paper: None,
        windows: Vec::new(),
        peaks_ms: Vec::new(),
    };
    Ok((point, found))
}

/// Costs as `bench paper costs --json` wrote them.
///
/// *Errors*: the file cannot be read, or has something else in it.
pub(crate) fn read_costs(path: &Path) -> Outcome<CostModel> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| BenchError::new(format_args!("cannot read {shown}: {error}")))?;
    serde_json::from_str(&text).map_err(|error| {
        BenchError::new(format_args!(
            "{shown} was not written by `bench paper costs --json`: {error}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So small that a test has time for it.
    pub(super) fn small() -> Frame {
        Frame {
            clients: 20,
            failures: 1,
            batch_max: 1,
            link: Duration::from_micros(50),
            measured: Duration::from_millis(2),
            seed: 1,
            costs: CostModel::measured(),
        }
    }

    #[test]
    fn a_point_has_what_was_found() {
        let frame = small();
        let setup = frame.setup(frame.size(2, Placement::Modular));
        let (point, found) = frame.bpaxos("modular", &setup).expect("it has leaders");
        assert_eq!(point.system, "BPaxos, modular");
        assert!(point.commands_per_second > 1000.0 && point.p50_ms > 0.1, "{point:?}");
        assert!(point.messages_per_command > 10.0, "{point:?}");
        assert_eq!(point.bottleneck, found.usage[0].module);
    }

    #[test]
    fn costs_are_read_as_they_were_written() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("costs.json");
        let costs = CostModel::measured();
        std::fs::write(&path, serde_json::to_string(&costs).expect("JSON")).expect("written");
        assert_eq!(read_costs(&path).expect("read"), costs);
        std::fs::write(&path, "{}").expect("written");
        let error = read_costs(&path).expect_err("no costs").to_string();
        assert!(error.contains("bench paper costs"), "{error}");
    }
}
