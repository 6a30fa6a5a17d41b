//! `simulator run`: many seeds.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use simulator::coverage::Situation;
use simulator::mutation::Mutation;
use simulator::plan::{Fault, ProtocolName};
use simulator::properties::{Failure, SIMULATOR};
use simulator::swarm::{Outcome, Swarm};

use super::interrupt::{self, INTERRUPTED};
use super::{mutation, mutation_option, program, protocol_option, thread_count};

#[derive(Args, Debug)]
pub(super) struct RunArgs {
    /// The first seed, and the one after the last.
    #[arg(long, default_value = "0..1000", value_parser = seeds)]
    seeds: Range<u64>,
    /// Threads; as many as there are processors if not given.
    #[arg(long, value_parser = thread_count)]
    jobs: Option<NonZeroUsize>,
    /// What runs.
    #[arg(long, value_enum, default_value_t = ProtocolName::Matchmaker)]
    protocol: ProtocolName,
    /// No run begins after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    time: Option<u64>,
    /// Puts a bug in, by its place in the catalogue: `R22`.
    #[arg(long, value_parser = mutation)]
    mutation: Option<Mutation>,
}

/// `a..b`
pub(super) fn seeds(text: &str) -> Result<Range<u64>, String> {
    let wrong = || format!("{text:?} is no range of seeds; write like 0..1000");
    let (start, end) = text.split_once("..").ok_or_else(wrong)?;
    let range = start.parse().map_err(|_| wrong())?..end.parse().map_err(|_| wrong())?;
    if range.is_empty() { Err(format!("{text} has no seeds")) } else { Ok(range) }
}

/// How many threads to use.
pub(super) fn jobs(wanted: Option<NonZeroUsize>) -> usize {
    wanted.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
}

/// A bar that shows how far a long work is; on a terminal only.
fn progress(length: u64) -> ProgressBar {
    let style = "{bar:30} {pos}/{len} seeds  {per_sec}  {elapsed} (left: {eta})  {msg}";
    let style = ProgressStyle::with_template(style).expect("the template is well-formed");
    ProgressBar::new(length).with_style(style)
}

pub(super) fn run(args: &RunArgs, out: &mut impl Write) -> io::Result<ExitCode> {
    let swarm = Swarm {
        protocol: args.protocol,
        seeds: args.seeds.clone(),
        jobs: jobs(args.jobs),
        time_max: args.time.map(Duration::from_secs),
        mutation: args.mutation,
        stops_at_failure: false,
    };
    let (is_over, wanted) = (interrupt::watch()?, args.seeds.end - args.seeds.start);
    let bar = progress(wanted);
    let outcome = swarm.run_until(&is_over, |seed, report| {
        bar.inc(1);
        if let Some(failure) = &report.failure {
            bar.set_message(format!("seed {seed} fails"));
            bar.suspend(|| {
                // The list at the end has them all; this only tells early.
                let _ = writeln!(io::stderr(), "seed {seed} fails: {failure}");
            });
        }
    });
    bar.finish_and_clear();
    tell_figures(&outcome, swarm.jobs, out)?;
    tell_counts(&outcome, args.protocol, out)?;
    tell_failures(&outcome, (args.protocol, args.mutation), out)?;
    let is_interrupted = is_over.load(Ordering::Relaxed);
    if outcome.run_count < wanted {
        let cause = if is_interrupted { "interrupted" } else { "the time was over" };
        writeln!(out, "{cause}: {} of {wanted} seeds ran", outcome.run_count)?;
    }
    Ok(match outcome.failures.is_empty() && outcome.run_count > 0 {
        false => ExitCode::FAILURE,
        true if is_interrupted => ExitCode::from(INTERRUPTED),
        true => ExitCode::SUCCESS,
    })
}

fn tell_figures(outcome: &Outcome, jobs: usize, out: &mut impl Write) -> io::Result<()> {
    let (summary, seconds) = (&outcome.summary, outcome.elapsed.as_secs_f64().max(1e-9));
    let (runs, hours) = (outcome.run_count, summary.virtual_us as f64 / 3.6e9);
    let (rate, per_job) = (runs as f64 / seconds, summary.events as f64 / seconds / jobs as f64);
    writeln!(
        out,
        "{runs} seeds in {seconds:.1} s on {jobs} threads: {rate:.1} seeds/s, {per_job:.0} events/s \
         on each thread"
    )?;
    writeln!(
        out,
        "{hours:.2} virtual hours, {} events, {} messages, {} slots chosen",
        summary.events, summary.messages, summary.slots
    )?;
    writeln!(out, "{} calls returned a result, {} did not", summary.done, summary.failed)?;
    writeln!(
        out,
        "{} reconfigurations became active, {} collections began, {} acceptors were switched off",
        summary.activations, summary.collections, summary.retirements
    )
}

fn tell_counts(outcome: &Outcome, protocol: ProtocolName, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nfaults")?;
    for (name, count) in Fault::KINDS.iter().zip(outcome.summary.faults) {
        writeln!(out, "{count:>12}  {name}")?;
    }
    writeln!(out, "\nsituations")?;
    for (situation, name) in Situation::of(protocol) {
        writeln!(out, "{:>12}  {name}", outcome.summary.coverage.count(situation))?;
    }
    writeln!(out)
}

fn tell_failures(
    outcome: &Outcome,
    (protocol, mutation): (ProtocolName, Option<Mutation>),
    out: &mut impl Write,
) -> io::Result<()> {
    let (failures, run_count) = (&outcome.failures, outcome.run_count);
    if run_count == 0 {
        return writeln!(out, "no seed ran: nothing was checked");
    }
    if failures.is_empty() {
        return writeln!(out, "no property was broken");
    }
    let is_own = |failure: &Failure| failure.property == SIMULATOR;
    let (own, broken): (Vec<_>, Vec<_>) = failures.iter().partition(|(_, f)| is_own(f));
    let (program, mutation) = (program(mutation), mutation_option(mutation));
    let protocol = protocol_option(protocol);
    for (seed, failure) in &broken {
        writeln!(out, "seed {seed} breaks {failure}")?;
        writeln!(out, "  {program} shrink {seed}{protocol}{mutation}")?;
    }
    for (seed, failure) in &own {
        writeln!(out, "seed {seed} proves nothing, the simulator failed: {}", failure.detail)?;
        writeln!(out, "  {program} replay {seed}{protocol}{mutation}")?;
    }
    writeln!(out, "{} of {run_count} seeds fail", failures.len())
}
