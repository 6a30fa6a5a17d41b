//! Experiments on a cluster of this machine.

use std::time::Duration;

use clap::Args;

use crate::cli::numbers::duration;
use crate::cli::options::PlaceOptions;
use crate::cli::output::{OutputOptions, command_line, print};
use crate::cli::timeline::{Stage, observe};
use crate::error::Outcome;
use crate::load::{Plan, runtime};
use crate::machine::Machine;
use crate::paper::{Experiment, change_rows, growth_rows, outage_rows};
use crate::report::{FORMAT, Report, RunReport, aligned, machine_lines};
use crate::workload::{KeyChoice, Workload};

/// The paper counts throughput in windows of a second; the shorter runs here want shorter ones.
const WINDOW: Duration = Duration::from_millis(100);

/// The load runs for so long before anything counts.
const WARM_UP: Duration = Duration::from_secs(1);

/// What is repeated with real processes. The paper's runs take 10 to 40 seconds for each number of clients.
///
/// All nodes share this machine here, and votes are on disk before they count; in the paper each
/// node had a machine, and nothing was on disk. Compare the ratios, not the figures.
#[derive(Args, Debug)]
pub(super) struct ClusterOptions {
    /// Numbers of clients; those of the paper by default.
    #[arg(long, value_name = "COUNTS", value_delimiter = ',',
          value_parser = clap::value_parser!(u16).range(1..=4096))]
    clients: Vec<u16>,
    /// Failures that the cluster survives; the paper has 1 and 2.
    #[arg(long, value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=4))]
    failures: u16,
    /// All times of the paper are multiplied by this.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = pace)]
    pace: f64,
    /// How often acceptors or matchmakers are replaced while they are; in the paper once a second, which
    /// --pace changes as well.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    every: Option<Duration>,
    /// What chance begins with.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    place: PlaceOptions,
    #[command(flatten)]
    output: OutputOptions,
}

fn pace(text: &str) -> Result<f64, String> {
    let pace: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    match (0.05..=10.0).contains(&pace) {
        true => Ok(pace),
        false => Err(format!("{text:?}: from 0.05 to 10 is possible")),
    }
}

impl ClusterOptions {
    pub(super) fn run(self, experiment: Experiment) -> Outcome<()> {
        self.output.check()?;
        let workshop = self.place.workshop(experiment.shape(self.failures))?;
        let machine = Machine::look(&workshop.data)?;
        print(machine_lines(&machine))?;
        let (runtime, script) = (runtime(1)?, experiment.script(self.pace, self.every)?);
        let clients = match self.clients.as_slice() {
            [] => experiment.clients(),
            clients => clients,
        };
        let mut runs = Vec::new();
        for clients in clients {
            let plan = self.plan(experiment, usize::from(*clients));
            let run = observe(&runtime, &workshop, Stage::Own, plan, WINDOW, &script)?;
            self.show(experiment, &run)?;
            runs.push(run);
        }
        if experiment == Experiment::Growth {
            print(format_args!("\n{}", aligned(&growth_rows(&runs))))?;
        }
        let report = Report { format: FORMAT, command: command_line(), machine, runs };
        self.output.write(&report)
    }

    /// The load of the paper: a closed loop, one command in flight for each client, one byte each.
    fn plan(&self, experiment: Experiment, clients: usize) -> Plan {
        let workload = Workload {
            clients,
            pipeline: 1,
            rate: None,
            value_bytes: 1,
            read_percent: 0.0,
            keys: KeyChoice::Uniform,
            key_count: 1000,
            seed: self.seed,
        };
        Plan {
            workload,
            warm_up: WARM_UP,
            duration: experiment.duration(self.pace),
            commands_max: None,
            timeout: None,
            threads: 1,
            keeps_samples: true,
        }
    }

    fn show(&self, experiment: Experiment, run: &RunReport) -> Outcome<()> {
        let rows = match experiment {
            Experiment::Acceptors | Experiment::Matchmakers => {
                change_rows(experiment, self.failures, run)
            }
            Experiment::Leader => outage_rows(run),
            Experiment::Growth => return Ok(()),
        };
        let details = run.timeline.as_ref().map(|timeline| timeline.table()).unwrap_or_default();
        print(format_args!("\n{}\n\n{}", aligned(&rows), details))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_within_reason() {
        assert_eq!(pace("0.25"), Ok(0.25));
        for text in ["0", "-1", "NaN", "slow", "100"] {
            assert!(pace(text).is_err(), "{text}");
        }
    }
}
