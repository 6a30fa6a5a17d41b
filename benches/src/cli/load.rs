//! `bench load`.

use std::net::SocketAddr;

use clap::Args;
use tokio::runtime::Runtime;

use super::options::{LoadOptions, SystemOptions};
use super::output::{OutputOptions, command_line, print, progress};
use crate::error::Outcome;
use crate::interrupt::Interrupt;
use crate::load::{Moment, Plan, Recorder, drive, prefill, runtime};
use crate::machine::Machine;
use crate::report::{FORMAT, Report, Resources, RunReport, Snapshot, loads, machine_lines};
use crate::system::{System, Target};

/// Put loads on a system, one after the other, and say how fast it was and what it used.
///
/// Examples:
///
///   bench load                                       three processes of kvs, 16 clients
///   bench load --clients 1,16,64,256 --html a.html   how latency grows with throughput
///   bench load --rate 1000,2000,4000 --clients 64    open loop: latency from the intended time
///   bench load --target in-process --pipeline 64     the library, without sockets
///   bench load --target own-bpaxos --keys hot:10     BPaxos, with one key in a tenth of all commands
///   bench load --target redis-server --clients 50    one unreplicated Redis, every write synced
///   bench load --target redis://10.0.0.1:6379        whatever listens there
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct LoadCommand {
    /// What is measured: own (processes of `kvs serve`), own-bpaxos (the same with BPaxos), in-process, redis-server, etcd, or servers
    /// that run already: redis://HOST:PORT[,HOST:PORT...] or etcd://HOST:PORT[,...].
    #[arg(long, default_value = "own")]
    target: Target,
    #[command(flatten)]
    load: LoadOptions,
    #[command(flatten)]
    system: SystemOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl LoadCommand {
    pub(super) fn run(self) -> Outcome<()> {
        let plans = self.load.plans()?;
        plans.iter().try_for_each(|plan| self.target.check(&plan.workload))?;
        self.output.check()?;
        let workshop = self.system.workshop()?;
        let machine = Machine::look(&workshop.data)?;
        print(machine_lines(&machine))?;
        let runtime = runtime(self.load.threads.into())?;
        let system = System::start(&self.target, &workshop, &runtime)?;
        let mut runs = Vec::new();
        for plan in &plans {
            let measured = measure(&runtime, &system, plan, &workshop.interrupt)?;
            runs.push(measured.report(&system, plan, self.load.window));
        }
        print(format_args!("\n{}", loads(&runs)))?;
        let report = Report { format: FORMAT, command: command_line(), machine, runs };
        self.output.write(&report)
    }
}

/// What one load has left.
pub(super) struct Measured {
    pub(super) recorder: Recorder,
    pub(super) resources: Resources,
}

impl Measured {
    pub(super) fn report(
        &self,
        system: &System,
        plan: &Plan,
        window: std::time::Duration,
    ) -> RunReport {
        let name = (system.name(), system.durability());
        RunReport::new(name, plan, window, &self.recorder, self.resources.clone())
    }
}

/// Puts one load on a system that runs.
///
/// *Errors*: it cannot be reached, or the program was interrupted.
pub(super) fn measure(
    runtime: &Runtime,
    system: &System,
    plan: &Plan,
    interrupt: &Interrupt,
) -> Outcome<Measured> {
    let servers: Vec<SocketAddr> = system.servers();
    let subject = system.subject(&servers);
    prefill(runtime, subject, &plan.workload, interrupt)?;
    let length = plan.measured().end;
    let bar = progress(length, &format!("{}: {}", system.name(), plan.workload.label()));
    let mut snapshots = Vec::new();
    let recorder = drive(runtime, subject, plan, interrupt, |moment, run| {
        match moment {
            Moment::Begin | Moment::End => snapshots.push(Snapshot::take(system, run)?),
            Moment::During => {
                bar.set_position(u64::try_from(run.now().as_millis()).unwrap_or(u64::MAX))
            }
        }
        Ok(())
    });
    bar.finish_and_clear();
    let recorder = recorder?;
    let resources = match &snapshots[..] {
        [before, after] => Resources::between(before, after),
        _ => Resources::default(),
    };
    Ok(Measured { recorder, resources })
}
