//! `bench peers`.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use super::load::measure;
use super::options::{LoadOptions, SystemOptions};
use super::output::{OutputOptions, command_line, print};
use crate::error::{BenchError, Outcome};
use crate::load::{Plan, runtime};
use crate::machine::Machine;
use crate::report::{FORMAT, Report, RunReport, machine_lines, rounds};
use crate::system::{System, Target, Workshop};

/// Where cargo puts the program that compares libraries, from the root of the project.
const LIBRARIES: &str = "benches/peers/target/release/peers";

/// Put the same loads on several systems in alternation, and compare the medians of all rounds.
///
/// A machine is not equally fast at all times, so each round measures every system once, each
/// started afresh. Systems that are not installed are left out, with a note. Examples:
///
///   bench peers --clients 1,16,256 --rounds 5
///   bench peers --clients 50 --pipeline 16 --target own --target redis-server --html peers.html
///   bench peers --read-share 100 --target own --target etcd
///   bench peers --target own --target redis://10.0.0.1:6379
///   bench peers --libraries
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct PeersCommand {
    /// A system; all that are named are compared with the first: own, in-process, redis-server,
    /// etcd, redis://HOST:PORT[,...], etcd://HOST:PORT[,...].
    #[arg(long = "target", value_name = "TARGET", default_values = ["own", "redis-server", "etcd"])]
    targets: Vec<Target>,
    /// How often every system is measured.
    #[arg(long, value_name = "COUNT", default_value_t = 3,
          value_parser = clap::value_parser!(u8).range(1..=100))]
    rounds: u8,
    /// Compare libraries instead, in one thread, in memory: ours, omnipaxos, raft and openraft. They
    /// are in a program of their own, which `cargo build --release --manifest-path
    /// benches/peers/Cargo.toml` builds; PROGRAM says where it is.
    #[arg(long, value_name = "PROGRAM", num_args = 0..=1, default_missing_value = LIBRARIES)]
    libraries: Option<PathBuf>,
    #[command(flatten)]
    load: LoadOptions,
    #[command(flatten)]
    system: SystemOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl PeersCommand {
    pub(super) fn run(self) -> Outcome<()> {
        if let Some(program) = &self.libraries {
            return compare_libraries(program);
        }
        let plans = self.load.plans()?;
        self.output.check()?;
        let workshop = self.system.workshop()?;
        let machine = Machine::look(&workshop.data)?;
        print(machine_lines(&machine))?;
        let targets = self.possible(&plans)?;
        let mut runs = Vec::new();
        for round in 0..self.rounds {
            for target in &targets {
                let measured = self.measure(target, &plans, &workshop)?;
                if round == 0 {
                    let texts = measured.first().map(|run| (&run.system, &run.durability));
                    texts.map_or(Ok(()), |(name, text)| print(format_args!("{name}: {text}")))?;
                }
                runs.extend(measured);
            }
        }
        print(format_args!("\n{}", rounds(&runs)))?;
        let report = Report { format: FORMAT, command: command_line(), machine, runs };
        self.output.write(&report)
    }

    /// The systems that can be measured here; the others are told with the cause.
    ///
    /// *Errors*: there is none.
    fn possible(&self, plans: &[Plan]) -> Outcome<Vec<&Target>> {
        let mut targets = Vec::new();
        for target in &self.targets {
            let refused = || plans.iter().find_map(|plan| target.check(&plan.workload).err());
            match target.missing().or_else(|| refused().map(|error| error.to_string())) {
                None => targets.push(target),
                Some(cause) => print(format_args!("left out      {target}: {cause}"))?,
            }
        }
        match targets.is_empty() {
            true => {
                Err(BenchError::new("no system is left to be measured: name others with --target"))
            }
            false => Ok(targets),
        }
    }

    /// Starts a system, puts all loads on it, and stops it.
    fn measure(
        &self,
        target: &Target,
        plans: &[Plan],
        workshop: &Workshop,
    ) -> Outcome<Vec<RunReport>> {
        let runtime = runtime(self.load.threads.into())?;
        let system = System::start(target, workshop, &runtime)?;
        let run = |plan: &Plan| {
            let measured = measure(&runtime, &system, plan, &workshop.interrupt)?;
            Ok(measured.report(&system, plan, self.load.window))
        };
        plans.iter().map(run).collect()
    }
}

/// Has the program of `benches/peers` print its table. It is left out, with a note, if it is not built.
///
/// *Errors*: it does not run, or fails.
fn compare_libraries(program: &Path) -> Outcome<()> {
    if !program.exists() {
        return print(format_args!(
            "left out      libraries: there is no {}; build it with `cargo build --release \
             --manifest-path benches/peers/Cargo.toml`, or say where it is",
            program.display()
        ));
    }
    let status = Command::new(program).status().map_err(|error| {
        BenchError::new(format!("cannot run {}: {error}; build it anew", program.display()))
    })?;
    match status.success() {
        true => Ok(()),
        false => Err(BenchError::new(format!("{} failed: {status}", program.display()))),
    }
}
