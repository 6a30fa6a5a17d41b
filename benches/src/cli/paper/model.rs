//! Experiments in virtual time.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use simulator::capacity::CostModel;

use crate::cli::numbers::{duration, duration_or_none};
use crate::cli::output::{OutputOptions, command_line, print, steps, write};
use crate::error::Outcome;
use crate::interrupt::Interrupt;
use crate::model::{
    Frame, Model, Point, Sheet, conflicts, cost_rows, delays, measure_costs, read_costs, scaling,
    scaling_rows,
};
use crate::report::{FORMAT, aligned, point_rows, sheet_csv, sheet_html, sheet_json};

/// What runs in virtual time. The same options find the same figures, on every machine.
#[derive(Args, Debug)]
pub(super) struct ModelOptions {
    /// Clients, each with one command under way: 600 by default, and 8 where answers are late.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=4096))]
    clients: Option<u16>,
    /// Numbers of proposers; only for scaling.
    #[arg(long, value_name = "COUNTS", value_delimiter = ',',
          default_values_t = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
          value_parser = clap::value_parser!(u16).range(1..=64))]
    proposers: Vec<u16>,
    /// Failures that the clusters survive.
    #[arg(long, value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=4))]
    failures: u16,
    /// Commands in one batch, at most. The paper has 1.
    #[arg(long, value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=4096))]
    batch: u16,
    /// How long a message travels.
    #[arg(long, value_name = "TIME", default_value = "50us", value_parser = duration_or_none)]
    link: Duration,
    /// How much virtual time is measured of each run; half as much runs before. Not for delays.
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = duration)]
    measured: Duration,
    /// What messages cost, as `bench paper costs --json` writes it. By default those that
    /// docs/benchmarks.md speaks of.
    #[arg(long, value_name = "FILE")]
    costs: Option<PathBuf>,
    /// Nanoseconds to get a message out of a socket, and as many to put one in, instead of those of the
    /// costs: fewer where many messages share a system call.
    #[arg(long, value_name = "NANOSECONDS", value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    socket: Option<u64>,
    /// What chance begins with.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    output: OutputOptions,
}

impl ModelOptions {
    pub(super) fn run(self, model: Model) -> Outcome<()> {
        self.output.check()?;
        let frame = self.frame(model)?;
        let interrupt = Interrupt::watch()?;
        let proposers: Vec<usize> = self.proposers.iter().map(|count| (*count).into()).collect();
        let bar = steps(self.step_count(model));
        let tell = |text: &str| {
            bar.set_message(text.to_owned());
            bar.inc(1);
            interrupt.check()
        };
        let points = match model {
            Model::Scaling => scaling(&frame, &proposers, tell),
            Model::Conflicts => conflicts(&frame, tell),
            Model::Delays => delays(&frame, tell),
        };
        bar.finish_and_clear();
        let points = points?;
        print(aligned(&rows(model, &points)))?;
        let sheet = Sheet { format: FORMAT, command: command_line(), model, frame, points };
        self.output.write_texts(|| sheet_json(&sheet), || sheet_csv(&sheet), || sheet_html(&sheet))
    }

    fn frame(&self, model: Model) -> Outcome<Frame> {
        let costs = match &self.costs {
            Some(path) => read_costs(path)?,
            None => CostModel::measured(),
        };
        let costs = match self.socket {
            Some(nanos) => costs.with_sockets(nanos, nanos),
            None => costs,
        };
        let clients = self.clients.unwrap_or(if model == Model::Delays { 8 } else { 600 });
        Ok(Frame {
            clients: clients.into(),
            failures: self.failures.into(),
            batch_max: self.batch.into(),
            link: self.link,
            measured: self.measured,
            seed: self.seed,
            costs,
        })
    }

    fn step_count(&self, model: Model) -> u64 {
        match model {
            Model::Scaling => 2 + 3 * self.proposers.len() as u64,
            Model::Conflicts => 5,
            Model::Delays => 3,
        }
    }
}

fn rows(model: Model, points: &[Point]) -> Vec<Vec<String>> {
    match model {
        Model::Scaling => scaling_rows(points),
        Model::Conflicts | Model::Delays => point_rows(model, points),
    }
}

/// Where what was measured goes.
#[derive(Args, Debug)]
pub(super) struct CostOptions {
    /// Write the costs, for --costs.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl CostOptions {
    pub(super) fn run(self) -> Outcome<()> {
        let model = measure_costs()?;
        let (read_ns, write_ns) = (model.bpaxos.read_ns, model.bpaxos.write_ns);
        print(format_args!(
            "a message out of a socket {read_ns} ns, into one {write_ns} ns, with a system call each\n\n{}",
            aligned(&cost_rows(&model))
        ))?;
        let Some(path) = &self.json else { return Ok(()) };
        write(path, &(serde_json::to_string_pretty(&model)? + "\n"))
    }
}
