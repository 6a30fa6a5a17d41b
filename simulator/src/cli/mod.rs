//! The command line.

mod events;
mod interrupt;
mod mutations;
mod one;
mod output;
mod run;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use simulator::mutation::Mutation;
use simulator::plan::{Plan, ProtocolName, Reduction, Shape};
use simulator::properties;

/// Runs the actors of a cluster in a deterministic world, breaks them, and judges every step.
///
/// A seed is a whole run: a cluster, its clients, its faults and its reconfigurations. The same seed
/// gives the same run on every machine, so a seed that fails can be replayed, shrunk and looked at.
#[derive(Debug, Parser)]
#[command(
    name = "simulator",
    version,
    after_help = "A first look:\n  \
        simulator run --seeds 0..200       runs two hundred seeds\n  \
        simulator show 7 --out run.html    one run as a space-time diagram, for a browser\n  \
        simulator replay 7 | less          the same run, one line for each step\n  \
        simulator run --protocol bpaxos    a thousand seeds of the other protocol\n\n\
        When a seed fails, `simulator shrink SEED` makes it smaller and prints how to replay it."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs many seeds, and prints what they were like and which of them fail.
    Run(run::RunArgs),
    /// Runs one seed again, and prints what happened, one line for each step.
    Replay(one::ReplayArgs),
    /// Leaves out of a failing seed what it does not need to fail.
    Shrink(one::ShrinkArgs),
    /// Writes one run as a page for the browser.
    Show(one::ShowArgs),
    /// Writes down what actors did, step by step, as lines of JSON.
    Events(events::EventsArgs),
    /// Puts bugs in, one at a time, and tells which property catches each.
    Mutations(mutations::MutationsArgs),
}

/// Threads, at most: more than any machine has use for.
const JOBS_MAX: usize = 1024;

/// What runs, and what a run leaves out of its plan.
#[derive(Args, Debug)]
struct ReductionArgs {
    /// What runs.
    #[arg(long, value_enum, default_value_t = ProtocolName::Matchmaker)]
    protocol: ProtocolName,
    /// Only these faults strike, by their number: `0,3,4`, or `none`.
    #[arg(long, value_parser = numbers)]
    faults: Option<Numbers>,
    /// Only these wishes of the operator are made: `0,3,4`, or `none`.
    #[arg(long, value_parser = numbers)]
    wishes: Option<Numbers>,
    /// Clients beside each session, at most.
    #[arg(long)]
    clients: Option<usize>,
    /// Calls of each client, at most.
    #[arg(long)]
    calls: Option<u64>,
    /// When the faults stop, in microseconds, at the latest.
    #[arg(long)]
    faulty_us: Option<u64>,
    /// Another cluster.
    #[arg(long)]
    shape: Option<Shape>,
    /// Puts a bug in, by its place in the catalogue: `R22`. `simulator mutations --list` has them.
    #[arg(long, value_parser = mutation)]
    mutation: Option<Mutation>,
    /// The property that the run must break, by its place in the catalogue: `A10`. If it breaks another
    /// or none, it does not reproduce any more, and the exit code is 2.
    #[arg(long, value_name = "PROPERTY", value_parser = property)]
    expect: Option<&'static str>,
}

/// Numbers on the command line. A type of its own, as clap takes a list for a repeated option.
#[derive(Clone, Debug)]
struct Numbers(BTreeSet<usize>);

fn numbers(text: &str) -> Result<Numbers, String> {
    if text == "none" {
        return Ok(Numbers(BTreeSet::new()));
    }
    let number = |text: &str| {
        text.parse().map_err(|_| format!("{text:?} is no number; write like 0,3,4 or none"))
    };
    text.split(',').map(number).collect::<Result<_, _>>().map(Numbers)
}

fn mutation(text: &str) -> Result<Mutation, String> {
    let mutation = Mutation::find(text).ok_or_else(|| {
        format!("there is no bug {text:?}; `simulator mutations --list` has them")
    })?;
    if Mutation::select(Some(mutation)) {
        return Ok(mutation);
    }
    Err(format!("{text} is inside a role: build with `--features mutants`"))
}

fn property(text: &str) -> Result<&'static str, String> {
    let all = properties::ALL.iter().chain(&properties::bpaxos::ALL);
    let mut all = all.chain([&properties::SIMULATOR]).map(|known| known.id);
    let found = all.find(|id| id.eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("there is no property {text:?}; docs/invariants.md has them"))
}

fn thread_count(text: &str) -> Result<NonZeroUsize, String> {
    let count: NonZeroUsize = text.parse().map_err(|error| format!("{error}"))?;
    match count.get() {
        0..=JOBS_MAX => Ok(count),
        _ => Err(format!("{count} threads are too many; {JOBS_MAX} are the most")),
    }
}

/// What comes before the arguments of a command that the reader may paste.
fn program(mutation: Option<Mutation>) -> &'static str {
    match mutation {
        Some(Mutation::Inside(_)) => "cargo run --release -p simulator --features mutants --",
        _ => "cargo run --release -p simulator --",
    }
}

impl ReductionArgs {
    /// What to leave out of the run of `seed`.
    ///
    /// *Errors*: it names what the run does not have.
    fn reduction_of(&self, seed: u64) -> io::Result<Reduction> {
        let reduction = self.reduction();
        let unknown = Plan::draw_for(self.protocol, seed).unknown(&reduction);
        match unknown {
            None => Ok(reduction),
            Some(cause) => Err(io::Error::new(io::ErrorKind::InvalidInput, cause)),
        }
    }

    fn reduction(&self) -> Reduction {
        let set = |numbers: &Option<Numbers>| numbers.as_ref().map(|Numbers(set)| set.clone());
        Reduction {
            faults: set(&self.faults),
            wishes: set(&self.wishes),
            clients: self.clients,
            calls: self.calls,
            faulty_us: self.faulty_us,
            shape: self.shape,
        }
    }
}

/// The option that puts a bug in.
fn mutation_option(mutation: Option<Mutation>) -> String {
    let description = mutation.and_then(Mutation::description);
    description.map_or(String::new(), |description| format!(" --mutation {}", description.id))
}

/// The option that names the protocol, unless it is the usual one.
fn protocol_option(protocol: ProtocolName) -> &'static str {
    match protocol {
        ProtocolName::Matchmaker => "",
        ProtocolName::Bpaxos => " --protocol bpaxos",
    }
}

/// Runs the program. The exit code is the verdict, even if nobody reads what is printed.
pub(crate) fn main() -> ExitCode {
    let out = &mut output::Output::new(io::stdout().lock());
    let outcome = match Cli::parse().command {
        Command::Run(args) => run::run(&args, out),
        Command::Replay(args) => one::replay(&args, out),
        Command::Shrink(args) => one::shrink(&args, out),
        Command::Show(args) => one::show(&args, out),
        Command::Events(args) => events::run(&args, out),
        Command::Mutations(args) => mutations::run(&args, out),
    };
    match outcome.and_then(|code| out.flush().map(|()| code)) {
        Ok(code) => code,
        Err(error) => {
            // Standard error may be closed as well; then nobody is left to tell.
            let _ = writeln!(io::stderr(), "simulator: {error}");
            ExitCode::FAILURE
        }
    }
}
