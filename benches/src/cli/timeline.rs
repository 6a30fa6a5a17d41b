//! `bench timeline`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::runtime::Runtime;

use super::load::Measured;
use super::numbers::duration_or_none;
use super::options::{LoadOptions, SystemOptions};
use super::output::{OutputOptions, command_line, print, progress};
use crate::cluster::{EtcdCluster, OwnCluster, program};
use crate::error::{BenchError, Outcome};
use crate::interrupt::Interrupt;
use crate::load::{Moment, Plan, Protocol, RUN_MAX, Subject, drive, prefill, runtime};
use crate::machine::Machine;
use crate::report::{FORMAT, Report, Resources, RunReport, Timeline, loads, machine_lines};
use crate::system::{System, Target, Workshop};
use crate::timeline::{Action, Clock, Director, EVENTS, Event, Happening, Script, perform_on_etcd};

/// Put a load on three processes of `kvs`, make things happen meanwhile, and show what the load
/// felt.
///
/// Examples:
///
///   bench timeline --duration 15s --at 5s reconfigure:every=100ms,for=5s
///   bench timeline --duration 9s --at 2s reconfigure:every=100ms --at 5s kill:leader --at 7s restart
///   bench timeline --duration 30s --layout apart --at 10s kill:acceptor --at 20s replace:acceptor
///   bench timeline --spares 1 --at 2s handover:every=500ms --html timeline.html
///   bench timeline --rounds 10 --duration 2s --at 1s reconfigure:every=100ms
///   bench timeline --target etcd --timeout 1s --at 1s kill:leader
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, after_help = format!("Events:\n{EVENTS}"))]
pub(super) struct TimelineCommand {
    /// What happens, and when, since the load is measured. May be given several times.
    #[arg(long, num_args = 2, value_names = ["TIME", "EVENT"], required = true, action = clap::ArgAction::Append)]
    at: Vec<String>,
    /// Play everything so many times, each time for --duration, and show the same parts of all
    /// rounds together: what changes then does so because of the events, and not because the
    /// machine was busy.
    #[arg(long, value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// To whom.
    #[arg(long, value_enum, default_value_t = Stage::Own)]
    target: Stage,
    #[command(flatten)]
    load: LoadOptions,
    #[command(flatten)]
    system: SystemOptions,
    #[command(flatten)]
    output: OutputOptions,
}

/// What things can be made to happen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Stage {
    /// Processes of `kvs serve`.
    Own,
    /// Three processes of etcd; only kill:leader and restart.
    Etcd,
}

impl TimelineCommand {
    pub(super) fn run(self) -> Outcome<()> {
        let script =
            Script::new(events(&self.at)?, self.load.duration)?.in_rounds(self.rounds.into());
        self.output.check()?;
        let plans = self.load.plans()?;
        if self.target == Stage::Etcd {
            plans.iter().try_for_each(|plan| Target::Etcd.check(&plan.workload))?;
        }
        let workshop = self.system.workshop()?;
        let machine = Machine::look(&workshop.data)?;
        print(machine_lines(&machine))?;
        let runtime = runtime(self.load.threads.into())?;
        let mut runs = Vec::new();
        for plan in plans {
            let run = observe(&runtime, &workshop, self.target, plan, self.load.window, &script)?;
            print(format_args!("\n{}", loads(std::slice::from_ref(&run))))?;
            if let Some(timeline) = &run.timeline {
                print(format_args!("\n{}", timeline.table()))?;
            }
            runs.push(run);
        }
        let report = Report { format: FORMAT, command: command_line(), machine, runs };
        self.output.write(&report)
    }
}

/// Pairs of a time and an event.
fn events(words: &[String]) -> Outcome<Vec<Event>> {
    let event = |pair: &[String]| {
        let [at, action] = pair else { return Err("an event needs a time and a name".to_owned()) };
        Ok(Event { at: duration_or_none(at)?, action: action.parse::<Action>()? })
    };
    words.chunks(2).map(event).collect::<Result<_, _>>().map_err(BenchError::new)
}

/// Starts a cluster, puts the load of `plan` on it, and makes happen what `script` says.
///
/// *Errors*: the cluster does not start, an event does not work out, or the program was
/// interrupted.
pub(super) fn observe(
    runtime: &Runtime,
    workshop: &Workshop,
    target: Stage,
    mut plan: Plan,
    window: Duration,
    script: &Script,
) -> Outcome<RunReport> {
    plan.keeps_samples = true;
    plan.duration = script.duration();
    if plan.measured().end > RUN_MAX {
        return Err(BenchError::new(format_args!(
            "every completion is remembered, for {RUN_MAX:?} at most: measure for less time"
        )));
    }
    let (Workshop { data, interrupt, shape, .. }, seed) = (workshop, plan.workload.seed);
    let (system, measured, happenings) = match target {
        Stage::Own => {
            let kvs = program(workshop.kvs.as_deref())?;
            let mut cluster = OwnCluster::start(&kvs, *shape, data, interrupt)?;
            let servers = cluster.servers();
            let subject = Subject::Servers(Protocol::Redis, &servers);
            let (measured, happenings) = direct(runtime, subject, &plan, interrupt, |clock| {
                Director::new(&mut cluster, clock, seed).perform(script)
            })?;
            (System::Own(cluster), measured, happenings)
        }
        Stage::Etcd => {
            let mut cluster = EtcdCluster::start(data, interrupt)?;
            let servers = cluster.servers();
            let subject = Subject::Servers(Protocol::Etcd, &servers);
            let (measured, happenings) = direct(runtime, subject, &plan, interrupt, |clock| {
                perform_on_etcd(&mut cluster, &clock, script)
            })?;
            (System::Etcd(cluster), measured, happenings)
        }
    };
    let mut report = measured.report(&system, &plan, window);
    let timeline = Timeline::of(&measured.recorder, plan.warm_up, script, &happenings);
    report.timeline = Some(timeline);
    Ok(report)
}

/// Puts a load on `subject`, with what `perform` makes happen beside it.
fn direct(
    runtime: &Runtime,
    subject: Subject<'_>,
    plan: &Plan,
    interrupt: &Interrupt,
    perform: impl FnOnce(Clock) -> Outcome<Vec<Happening>> + Send,
) -> Outcome<(Measured, Vec<Happening>)> {
    prefill(runtime, subject, &plan.workload, interrupt)?;
    let bar = progress(plan.measured().end, &plan.workload.label());
    let mut waiting = Some(perform);
    std::thread::scope(|scope| {
        let mut directing = None;
        let recorder = drive(runtime, subject, plan, interrupt, |moment, run| {
            bar.set_position(u64::try_from(run.now().as_millis()).unwrap_or(u64::MAX));
            if moment == Moment::Begin
                && let Some(perform) = waiting.take()
            {
                let clock = Clock::new(run.origin() + run.measured().start, interrupt);
                directing = Some(scope.spawn(move || perform(clock)));
            }
            Ok(())
        });
        bar.finish_and_clear();
        let happenings = match directing.map(|directing| directing.join()) {
            Some(Ok(happenings)) => happenings,
            Some(Err(_)) => Err(BenchError::new("the thread that made things happen has failed")),
            None => Ok(Vec::new()),
        };
        let seconds = plan.duration.as_secs_f64();
        let resources = Resources { seconds, ..Resources::default() };
        Ok((Measured { recorder: recorder?, resources }, happenings?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_pairs() {
        let words = ["5s", "kill:leader", "0s", "restart"].map(String::from);
        let events = events(&words).expect("two events");
        assert_eq!(events[0].at, Duration::from_secs(5));
        assert_eq!(events[1].action, Action::Restart);
        assert!(super::events(&["5".into(), "restart".into()]).is_err());
        assert!(super::events(&["5s".into(), "explode".into()]).is_err());
    }
}
