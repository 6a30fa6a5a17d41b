//! Commands about one seed: replay, shrink, show.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;
use simulator::MS;
use simulator::mutation::Mutation;
use simulator::show::{Story, page};
use simulator::shrink::Shrunk;
use simulator::swarm::trace_seed;
use simulator::world::Report;

use super::{ReductionArgs, mutation, mutation_option};

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
    /// Puts a bug in, by its place in the catalogue: `R22`.
    #[arg(long, value_parser = mutation)]
    mutation: Option<Mutation>,
}

#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// Which run.
    seed: u64,
    /// The file to write. Open it in a browser.
    #[arg(long)]
    out: PathBuf,
    /// Messages and states from this time on, in milliseconds.
    #[arg(long, default_value_t = 0)]
    from_ms: u64,
    /// Messages and states up to this time, in milliseconds. A page of more than 100,000 messages is
    /// slow to open; `--calls 50` makes a run smaller as well.
    #[arg(long, default_value_t = 1_000_000)]
    to_ms: u64,
    #[command(flatten)]
    reduction: ReductionArgs,
}

pub(super) fn replay(args: &ReplayArgs, out: &mut impl Write) -> io::Result<ExitCode> {
    let (reduction, mutation) = (args.reduction.reduction(), args.reduction.mutation);
    let (report, trace) = trace_seed(args.seed, &reduction, mutation, false);
    if let Some(trace) = trace {
        write!(out, "{trace}")?;
    }
    tell(&report, out)
}

/// How a run ended.
fn tell(report: &Report, out: &mut impl Write) -> io::Result<ExitCode> {
    let Report { summary, digest, failure } = report;
    let seconds = summary.virtual_us as f64 / 1e6;
    writeln!(
        out,
        "\n{seconds:.3} s, {} events, {} messages, {} slots; fingerprint {digest:016x}",
        summary.events, summary.messages, summary.slots
    )?;
    match failure {
        None => {
            writeln!(out, "no property was broken")?;
            Ok(ExitCode::SUCCESS)
        }
        Some(failure) => {
            writeln!(out, "breaks {failure}\n\n{}", failure.property.statement)?;
            Ok(ExitCode::FAILURE)
        }
    }
}

pub(super) fn shrink(args: &ShrinkArgs, out: &mut impl Write) -> io::Result<ExitCode> {
    let bar = ProgressBar::new_spinner();
    let mut on_smaller = |reduction: &_, run_count| {
        bar.set_message(format!("{run_count} runs:{reduction}"));
        bar.tick();
    };
    let shrunk = simulator::shrink::shrink(args.seed, args.mutation, args.runs, &mut on_smaller);
    bar.finish_and_clear();
    let Some(Shrunk { reduction, failure, run_count }) = shrunk else {
        writeln!(out, "seed {} breaks no property: there is nothing to shrink", args.seed)?;
        return Ok(ExitCode::SUCCESS);
    };
    let (seed, mutation) = (args.seed, mutation_option(args.mutation));
    writeln!(out, "after {run_count} runs, this is left of seed {seed}; it breaks {failure}\n")?;
    writeln!(out, "  simulator replay {seed}{reduction}{mutation}")?;
    writeln!(out, "  simulator show {seed}{reduction}{mutation} --out run.html")?;
    Ok(ExitCode::FAILURE)
}

pub(super) fn show(args: &ShowArgs, out: &mut impl Write) -> io::Result<ExitCode> {
    let (reduction, mutation) = (args.reduction.reduction(), args.reduction.mutation);
    let (report, trace) = trace_seed(args.seed, &reduction, mutation, true);
    let Some(trace) = trace else { return Ok(ExitCode::FAILURE) };
    let title = match &report.failure {
        Some(failure) => format!("seed {} breaks {}", args.seed, failure.property),
        None => format!("seed {}", args.seed),
    };
    let window = args.from_ms.saturating_mul(MS)..args.to_ms.saturating_mul(MS);
    let mut story = Story::of(&trace, args.seed, title, &window);
    let (seed, bug) = (args.seed, mutation_option(mutation));
    story.replay = format!("simulator replay {seed}{reduction}{bug}");
    fs::write(&args.out, page(&story)).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot write {}: {error}", args.out.display()))
    })?;
    writeln!(out, "{}: open it in a browser", args.out.display())?;
    tell(&report, out)
}
