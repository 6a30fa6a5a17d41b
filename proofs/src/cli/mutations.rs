//! `proofs mutations`: each bug inside the roles, and the first model that sees it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use paxos::mutant::{self, Mutant};
use proofs::models::{self, Instance};
use proofs::verdict::{Finding, hunt};

use super::{instance, seconds};

const BEGIN: &str = "<!-- models -->";
const END: &str = "<!-- end of models -->";

#[derive(Args, Debug)]
pub(super) struct MutationsArgs {
    /// Only this one, by its id.
    #[arg(long)]
    mutation: Option<String>,
    /// Models, in the order in which they are tried; the fixed set if none is given.
    #[arg(long, value_parser = instance)]
    model: Vec<&'static Instance>,
    /// Seconds for each bug in each model.
    #[arg(long, default_value = "20", value_parser = seconds)]
    limit: Duration,
    /// Threads of the checker.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Puts the table into this document (`docs/models.md`).
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

pub(super) fn run(args: &MutationsArgs, out: &mut impl Write) -> io::Result<ExitCode> {
    if !mutant::select(None) {
        return Err(io::Error::other("no bugs are compiled in: build with `--features mutants`"));
    }
    let models: Vec<&Instance> = match args.model.as_slice() {
        [] => models::all().filter(|instance| instance.is_fixed).collect(),
        models => models.to_vec(),
    };
    let wanted = |mutant: &Mutant| args.mutation.as_deref().is_none_or(|id| id == mutant.id());
    let mut table =
        "| bug | model | property | states | steps |\n|---|---|---|---|---|\n".to_owned();
    let mut seen_count = 0;
    for mutant in Mutant::all().filter(wanted) {
        let seen = models.iter().find_map(|model| {
            let finding = hunt(model, Some(mutant), args.threads, args.limit);
            finding.map(|finding| (model.name, finding))
        });
        let Some((model, Finding { property, states, steps, trace })) = seen else {
            writeln!(out, "{:<6} not seen", mutant.id())?;
            continue;
        };
        let steps = steps.map_or("-".to_owned(), |steps| steps.to_string());
        let row = format!("| {} | {model} | {property} | {states} | {steps} |\n", mutant.id());
        write!(out, "{row}")?;
        if args.mutation.is_some() {
            writeln!(out, "{trace}")?;
        }
        table.push_str(&row);
        seen_count += 1;
    }
    writeln!(out, "{seen_count} bugs seen")?;
    if let Some(path) = &args.write {
        put(path, &table)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts the table between its marks.
fn put(path: &Path, table: &str) -> io::Result<()> {
    let document = fs::read_to_string(path)?;
    let parts = document.split_once(BEGIN).zip(document.split_once(END));
    let Some(((before, _), (_, after))) = parts else {
        return Err(io::Error::other(format!(
            "{}: no place for the table: put {BEGIN} and {END} around it",
            path.display()
        )));
    };
    fs::write(path, format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}
