//! `proofs check`: the models, explored to the end.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use proofs::models::{self, Instance};
use proofs::verdict::explore;

use super::{instance, seconds};

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// Models; the fixed set if none is given.
    #[arg(value_parser = instance)]
    models: Vec<&'static Instance>,
    /// Seconds for each model.
    #[arg(long, default_value = "300", value_parser = seconds)]
    limit: Duration,
    /// Threads of the checker.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

pub(super) fn run(args: &CheckArgs, out: &mut impl Write) -> io::Result<ExitCode> {
    let chosen: Vec<&Instance> = match args.models.as_slice() {
        [] => models::all().filter(|instance| instance.is_fixed).collect(),
        models => models.to_vec(),
    };
    writeln!(out, "{:<20} {:>10} {:>6} {:>9}", "model", "states", "depth", "time")?;
    let mut is_good = true;
    for instance in chosen {
        let verdict = explore(instance, args.threads, args.limit);
        writeln!(out, "{:<20} {verdict}; {}", instance.name, instance.bound)?;
        let is_pinned = !verdict.is_exhausted || [0, verdict.states].contains(&instance.states);
        if !is_pinned {
            writeln!(out, "{:<20} had {} states before", "", instance.states)?;
        }
        is_good &= verdict.is_good() && is_pinned;
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
