//! `simulator mutations`: every bug, and what catches it.

use std::fs;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;
use simulator::catalogue::{Tried, mutations_table, places, properties_table, put, row};
use simulator::mutation::{Description, Mutation};
use simulator::plan::ProtocolName;
use simulator::swarm::catch;

use super::run::{jobs, seeds};
use super::{mutation, thread_count};

#[derive(Args, Debug)]
pub(super) struct MutationsArgs {
    /// What runs.
    #[arg(long, value_enum, default_value_t = ProtocolName::Matchmaker)]
    protocol: ProtocolName,
    /// Seeds for each bug, until one fails.
    #[arg(long, default_value = "0..200", value_parser = seeds)]
    seeds: Range<u64>,
    /// Threads; as many as there are processors if not given.
    #[arg(long, value_parser = thread_count)]
    jobs: Option<NonZeroUsize>,
    /// Only these, by their places in the catalogue: `R22,R23`.
    #[arg(long, value_parser = mutation, value_delimiter = ',')]
    only: Vec<Mutation>,
    /// Puts the tables of properties and bugs into this document (`docs/invariants.md`).
    #[arg(long, value_name = "FILE", conflicts_with = "only")]
    write: Option<PathBuf>,
    /// Only lists the bugs.
    #[arg(long)]
    list: bool,
}

pub(super) fn run(args: &MutationsArgs, out: &mut impl Write) -> io::Result<ExitCode> {
    if args.list {
        for Description { id, text, caught_by, .. } in Mutation::all_of(args.protocol) {
            writeln!(out, "{id:<6} {text} (meant for {})", caught_by.join(", "))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let is_wanted = |bug: &Mutation| args.only.is_empty() || args.only.contains(bug);
    let bugs: Vec<&Description> = Mutation::all_of(args.protocol)
        .filter(|bug| is_wanted(&bug.mutation) && Mutation::select(Some(bug.mutation)))
        .collect();
    if let Some(path) = &args.write {
        let is_whole = bugs.len() == Mutation::all_of(args.protocol).count();
        check_document(path, args.protocol, is_whole)?;
    }
    let bar = ProgressBar::new(bugs.len() as u64);
    let mut tried: Vec<Tried> = Vec::new();
    for bug in bugs {
        let one = (bug, catch(args.protocol, bug, args.seeds.clone(), jobs(args.jobs)));
        bar.suspend(|| writeln!(out, "{}", row(&one)))?;
        bar.inc(1);
        tried.push(one);
    }
    bar.finish_and_clear();
    let escaped = tried.iter().filter(|(_, caught)| !caught.is_as_meant).count();
    writeln!(out, "\n{} bugs, {escaped} not caught as they should be", tried.len())?;
    let left_out = Mutation::all_of(args.protocol).count() - tried.len();
    if left_out > 0 && args.only.is_empty() {
        writeln!(out, "{left_out} more are inside the roles: build with `--features mutants`")?;
    }
    if let Some(path) = &args.write {
        write_tables(path, args.protocol, &tried)?;
    }
    Ok(if escaped == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the tables can be put into a document, before hours are spent on them.
fn check_document(path: &Path, protocol: ProtocolName, is_whole: bool) -> io::Result<()> {
    if !is_whole {
        let cause = "without `--features mutants` the tables would lose the bugs inside the roles";
        return Err(io::Error::other(cause));
    }
    let told = |cause: String| io::Error::other(format!("{}: {cause}", path.display()));
    let document = fs::read_to_string(path).map_err(|error| told(error.to_string()))?;
    for name in places(protocol) {
        put(&document, name, "").map_err(told)?;
    }
    fs::OpenOptions::new().write(true).open(path).map_err(|error| told(error.to_string()))?;
    Ok(())
}

/// Puts the tables into a document.
fn write_tables(path: &Path, protocol: ProtocolName, tried: &[Tried]) -> io::Result<()> {
    let told = |cause: String| io::Error::other(format!("{}: {cause}", path.display()));
    let document = fs::read_to_string(path).map_err(|error| told(error.to_string()))?;
    let [properties, mutations] = places(protocol);
    let table = properties_table(protocol, tried);
    let document = put(&document, properties, &table).map_err(told)?;
    let document = put(&document, mutations, &mutations_table(tried)).map_err(told)?;
    fs::write(path, document).map_err(|error| told(error.to_string()))
}
