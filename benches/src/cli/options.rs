//! Options that several commands share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kvs::deployment::Protocol;

use super::numbers::{duration, duration_or_none, percent, rate, window};
use crate::cluster::{Layout, Shape};
use crate::error::{BenchError, Outcome};
use crate::interrupt::Interrupt;
use crate::load::Plan;
use crate::system::Workshop;
use crate::workload::{KeyChoice, Workload};

/// Commands of one run, at most: each one that stays without an answer is counted by itself.
const COMMANDS_MAX: f64 = 1e9;

/// Commands under way at once, at most: of all clients together.
const IN_FLIGHT_MAX: usize = 1 << 20;

/// What clients ask for.
#[derive(Args, Clone, Debug)]
pub(super) struct LoadOptions {
    /// Clients, each with a connection of its own, from 1 to 4096. Several numbers make several
    /// runs.
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "16",
          value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(super) clients: Vec<u16>,
    /// Commands of one client that may be under way at once.
    #[arg(long, value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=65536))]
    pipeline: u32,
    /// Commands per second of all clients together, sent in time whether or not earlier ones are
    /// answered (open loop); latency then counts from the time that was meant. Without it each
    /// client sends its next command when it has a reply (closed loop). Several numbers make
    /// several runs.
    #[arg(long, value_name = "RATES", value_delimiter = ',', value_parser = rate)]
    rate: Vec<f64>,
    /// Bytes of each value.
    #[arg(long, value_name = "BYTES", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(0..=1_048_576))]
    value_bytes: u32,
    /// Share of reads, in percent; the rest writes. Keys are written once before, if there are any
    /// reads.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    read_share: f64,
    /// Which keys: uniform, zipfian, or hot:PERCENT, in which one key has that share of all
    /// commands.
    #[arg(long, value_name = "CHOICE", default_value = "uniform")]
    keys: KeyChoice,
    /// Number of keys.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    key_count: u32,
    /// What chance begins with: the same number, the same commands.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How long each load is measured.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub(super) duration: Duration,
    /// How long each load runs before that.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration_or_none)]
    warm_up: Duration,
    /// Length of the windows in which throughput is counted.
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = window)]
    pub(super) window: Duration,
    /// End each load after so many commands, if that is earlier.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    commands: Option<u64>,
    /// A client that has waited for so long gives up what it has sent, and connects again, to the
    /// next server; the commands count as lost. Without it a client waits for as long as the server
    /// lets it. Not used with --target in-process.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Threads of the load; with --target in-process, of the cluster too.
    #[arg(long, value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) threads: u8,
}

impl LoadOptions {
    /// One plan for each number of clients and each rate.
    ///
    /// *Errors*: a combination that is not possible.
    pub(super) fn plans(&self) -> Outcome<Vec<Plan>> {
        let rates: Vec<Option<f64>> = match self.rate.as_slice() {
            [] => vec![None],
            rates => rates.iter().copied().map(Some).collect(),
        };
        let pairs =
            self.clients.iter().flat_map(|clients| rates.iter().map(move |rate| (*clients, *rate)));
        pairs.map(|(clients, rate)| self.plan(clients.into(), rate)).collect()
    }

    /// The plan for so many clients and one rate.
    ///
    /// *Errors*: more at once, or in all, than can be counted.
    pub(super) fn plan(&self, clients: usize, rate: Option<f64>) -> Outcome<Plan> {
        let pipeline = self.pipeline as usize;
        if clients * pipeline > IN_FLIGHT_MAX {
            return Err(BenchError::new(format_args!(
                "{clients} clients with {pipeline} commands in flight each are more than {IN_FLIGHT_MAX} at \
                 once: lower --clients or --pipeline"
            )));
        }
        let seconds = (self.warm_up + self.duration).as_secs_f64();
        if rate.is_some_and(|rate| rate * seconds > COMMANDS_MAX) {
            return Err(BenchError::new(format_args!(
                "so many commands for {seconds} s are more than {COMMANDS_MAX}: lower --rate or --duration"
            )));
        }
        let workload = Workload {
            clients,
            pipeline,
            rate,
            value_bytes: self.value_bytes as usize,
            read_percent: self.read_share,
            keys: self.keys,
            key_count: self.key_count.into(),
            seed: self.seed,
        };
        // A load that ends after some commands counts all of them.
        let warm_up = if self.commands.is_some() { Duration::ZERO } else { self.warm_up };
        Ok(Plan {
            workload,
            warm_up,
            duration: self.duration,
            commands_max: self.commands,
            timeout: self.timeout,
            threads: self.threads.into(),
            keeps_samples: false,
        })
    }
}

/// Where systems are started, and from what.
#[derive(Args, Clone, Debug)]
pub(super) struct PlaceOptions {
    /// The program `kvs`. By default the one beside this program.
    #[arg(long, value_name = "FILE")]
    kvs: Option<PathBuf>,
    /// Directory for the data of what is started; it decides which disk is measured. By default
    /// that for temporary files.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl PlaceOptions {
    /// *Errors*: the directory is not there, or signals cannot be caught.
    pub(super) fn workshop(&self, shape: Shape) -> Outcome<Workshop> {
        let data = self.data.clone().unwrap_or_else(std::env::temp_dir);
        if !data.is_dir() {
            return Err(BenchError::new(format_args!(
                "there is no directory {}: make it, or choose another --data",
                data.display()
            )));
        }
        Ok(Workshop { kvs: self.kvs.clone(), data, shape, interrupt: Interrupt::watch()? })
    }
}

/// The cluster that is started.
#[derive(Args, Clone, Debug)]
pub(super) struct SystemOptions {
    #[command(flatten)]
    place: PlaceOptions,
    /// How roles are spread over the processes of a cluster of `kvs serve`.
    #[arg(long, value_enum, default_value_t = Layout::Colocated)]
    layout: Layout,
    /// Failures that such a cluster survives: 1 makes 3 nodes, 2 makes 5.
    #[arg(long, value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=4))]
    failures: u16,
    /// Nodes beyond those, whose matchmakers wait to be used.
    #[arg(long, value_name = "COUNT", default_value_t = 0,
          value_parser = clap::value_parser!(u16).range(0..=9))]
    spares: u16,
}

impl SystemOptions {
    /// *Errors*: as [`PlaceOptions::workshop`].
    pub(super) fn workshop(&self) -> Outcome<Workshop> {
        let Self { layout, failures, spares, .. } = *self;
        self.place.workshop(Shape { ordering: Protocol::Matchmaker, layout, failures, spares })
    }
}
