//! `simulator events`: what actors did, for a program that compares it with a model.

use std::io::{self, Write};
use std::ops::Range;
use std::process::ExitCode;

use clap::Args;
use simulator::plan::ProtocolName;
use simulator::swarm::watch_seed;

use super::ReductionArgs;
use super::run::seeds;

/// Writes down what actors did, step by step, as lines of JSON.
///
/// A run begins with {"seed": 7} and ends with {"end": 7, "broken": property or null}. It is not judged: it
/// goes on where `run` would end with a broken property of a message or record, so that another judge finds
/// for itself what is wrong. Every other line is one step of one actor:
///
///   at     microseconds from the start
///   by     the actor, by seat and incarnation
///   starts true if a proposer has started, and knows only what is durable
///   got    [sender, message]
///   wrote  [record, ...]
///   sent   [[receivers, message], ...]
///   leads  the round that the actor leads in, or null; only if that has changed
///
/// A step is told when what it wrote is durable, so one that a crash undid is not; records of such a
/// step that survived the crash are told alone. Rounds are [number, seat, incarnation, step].
/// Configurations, successors of generations of matchmakers and values are numbers, which lines with
/// "configuration" and "successor" explain. Messages and records of reads, sessions, elections and
/// heartbeats are left out.
///
/// `proofs/smt/validate` reads it, and compares each step with the model that is proved.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct EventsArgs {
    /// The first seed, and the one after the last.
    #[arg(long, default_value = "0..10", value_parser = seeds)]
    seeds: Range<u64>,
    #[command(flatten)]
    reduction: ReductionArgs,
}

pub(super) fn run(args: &EventsArgs, out: &mut impl Write) -> io::Result<ExitCode> {
    if args.reduction.protocol != ProtocolName::Matchmaker {
        let cause =
            "there is no model to compare runs of BPaxos with, and so no list of their steps";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, cause));
    }
    for seed in args.seeds.clone() {
        let reduction = args.reduction.reduction_of(seed)?;
        let (report, steps) = watch_seed(seed, &reduction, args.reduction.mutation);
        let broken = report.failure.map(|failure| failure.property.id);
        writeln!(out, "{{\"seed\":{seed}}}")?;
        out.write_all(steps.unwrap_or_default().as_bytes())?;
        writeln!(out, "{}", serde_json::json!({ "end": seed, "broken": broken }))?;
    }
    Ok(ExitCode::SUCCESS)
}
