//! Commands about one seed: replay, shrink, show.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;
use simulator::MS;
use simulator::show::{Story, opens_at_once, page};
use simulator::shrink::Shrunk;
use simulator::swarm::trace_seed;
use simulator::world::Report;

use super::{ReductionArgs, mutation_option, program, protocol_option};

/// The exit code of a run that does not break what it was to break.
const NO_LONGER_REPRODUCES: u8 = 2;

/// So many messages, records and states make a page of some ten megabytes.
const DETAILS_MAX: usize = 50_000;

#[derive(Args, Debug)]
pub(super) struct ReplayArgs {
    /// Which run.
    seed: u64,
    #[command(flatten)]
    reduction: ReductionArgs,
}

#[derive(Args, Debug)]
pub(super) struct ShrinkArgs {
    /// Which run.
    seed: u64,
    /// Smaller runs to try, at most.
    #[arg(long, default_value_t = 400)]
    runs: u64,
    #[command(flatten)]
    reduction: ReductionArgs,
}

#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// Which run.
    seed: u64,
    /// The file to write. Open it in a browser.
    #[arg(long)]
    out: PathBuf,
    /// Messages and states from this time on, in milliseconds. If neither this nor `--to-ms` is given,
    /// the page shows as much as opens at once: what comes before the failure, or the start of a run
    /// without one. `--calls 50` makes a run smaller as well.
    #[arg(long)]
    from_ms: Option<u64>,
    /// Messages and states up to this time, in milliseconds.
    #[arg(long)]
    to_ms: Option<u64>,
    #[command(flatten)]
    reduction: ReductionArgs,
}

pub(super) fn replay(args: &ReplayArgs, out: &mut impl Write) -> io::Result<ExitCode> {
    let (reduction, mutation) = (args.reduction.reduction_of(args.seed)?, args.reduction.mutation);
    let (report, trace) =
        trace_seed(args.reduction.protocol, args.seed, &reduction, mutation, false);
    if let Some(trace) = trace {
        write!(out, "{trace}")?;
    }
    tell(&report, args.reduction.expect, out)
}

/// How a run ended.
fn tell(
    report: &Report,
    expected: Option<&'static str>,
    out: &mut impl Write,
) -> io::Result<ExitCode> {
    let Report { summary, digest, failure } = report;
    let seconds = summary.virtual_us as f64 / 1e6;
    writeln!(
        out,
        "\n{seconds:.3} s, {} events, {} messages, {} slots; fingerprint {digest:016x}",
        summary.events, summary.messages, summary.slots
    )?;
    match failure {
        None => writeln!(out, "no property was broken")?,
        Some(failure) => writeln!(out, "breaks {failure}\n\n{}", failure.property.statement)?,
    }
    let broken = failure.as_ref().map(|failure| failure.property.id);
    match expected.filter(|_| broken != expected) {
        Some(expected) => {
            writeln!(out, "no longer reproduces: it was to break {expected}")?;
            Ok(ExitCode::from(NO_LONGER_REPRODUCES))
        }
        None if broken.is_some() => Ok(ExitCode::FAILURE),
        None => Ok(ExitCode::SUCCESS),
    }
}

pub(super) fn shrink(args: &ShrinkArgs, out: &mut impl Write) -> io::Result<ExitCode> {
    let bar = ProgressBar::new_spinner();
    let mut on_smaller = |reduction: &_, run_count| {
        bar.set_message(format!("{run_count} runs:{reduction}"));
        bar.tick();
    };
    let (start, mutation) = (args.reduction.reduction_of(args.seed)?, args.reduction.mutation);
    let first = (args.reduction.protocol, args.seed, &start);
    let shrunk = simulator::shrink::shrink(first, mutation, args.runs, &mut on_smaller);
    bar.finish_and_clear();
    let Some(Shrunk { reduction, failure, run_count, is_exhausted }) = shrunk else {
        writeln!(out, "seed {} breaks no property: there is nothing to shrink", args.seed)?;
        return Ok(ExitCode::SUCCESS);
    };
    let (seed, program, bug) = (args.seed, program(mutation), mutation_option(mutation));
    let protocol = protocol_option(args.reduction.protocol);
    let expect = failure.property.id;
    writeln!(out, "after {run_count} runs, this is left of seed {seed}; it breaks {failure}\n")?;
    writeln!(out, "  {program} replay {seed}{protocol}{reduction}{bug} --expect {expect}")?;
    writeln!(
        out,
        "  {program} show {seed}{protocol}{reduction}{bug} --expect {expect} --out run.html"
    )?;
    if is_exhausted {
        writeln!(out, "\nThe runs are used up; with more (`--runs`) less may be left.")?;
    }
    Ok(ExitCode::FAILURE)
}

pub(super) fn show(args: &ShowArgs, out: &mut impl Write) -> io::Result<ExitCode> {
    let (reduction, mutation) = (args.reduction.reduction_of(args.seed)?, args.reduction.mutation);
    if let (Some(from), Some(to)) = (args.from_ms, args.to_ms)
        && from >= to
    {
        let cause = format!("there is nothing to show from {from} ms to {to} ms");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, cause));
    }
    let (report, trace) =
        trace_seed(args.reduction.protocol, args.seed, &reduction, mutation, true);
    let Some(trace) = trace else { return tell(&report, args.reduction.expect, out) };
    let title = match &report.failure {
        Some(failure) => format!("seed {} breaks {}", args.seed, failure.property),
        None => format!("seed {}", args.seed),
    };
    let window = match (args.from_ms, args.to_ms) {
        (None, None) => opens_at_once(&trace, DETAILS_MAX),
        (from, to) => {
            let us = |ms: u64| ms.saturating_mul(MS);
            from.map_or(0, us)..to.map_or(u64::MAX, us)
        }
    };
    let mut story = Story::of(&trace, args.seed, title, &window);
    let (seed, bug) = (args.seed, mutation_option(mutation));
    let protocol = protocol_option(args.reduction.protocol);
    story.replay = format!("{} replay {seed}{protocol}{reduction}{bug}", program(mutation));
    fs::write(&args.out, page(&story)).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot write {}: {error}", args.out.display()))
    })?;
    writeln!(out, "{}: open it in a browser", args.out.display())?;
    if window.start > 0 || window.end <= trace.end {
        let (from, to) = (window.start / MS, window.end.min(trace.end).div_ceil(MS));
        let end = trace.end.div_ceil(MS) + 1;
        writeln!(out, "It shows {from} ms to {to} ms; `--from-ms 0 --to-ms {end}` shows all.")?;
    }
    tell(&report, args.reduction.expect, out)
}
