//! The commands of the program.

mod compare;
mod load;
mod numbers;
mod options;
mod output;
mod paper;
mod peers;
mod timeline;

pub(crate) use numbers::duration;

use clap::{Parser, Subcommand};

use crate::error::Outcome;

/// Measures a replicated key-value server: latency, throughput, and what a command costs.
///
/// It starts what it measures, on loopback with its data in a temporary directory, and stops it
/// again. Build both programs first, then try:
///
///   cargo build --release -p kvs -p benches
///   bench load --clients 1,16,64 --html load.html
///   bench load --target in-process --clients 64 --pipeline 16
///   bench load --target redis://127.0.0.1:6379 --rate 2000 --read-share 90
///   bench timeline --at 2s reconfigure:every=100ms,for=2s --html timeline.html
///   bench paper acceptors --pace 0.2
///   bench paper scaling
///   bench peers --clients 1,16 --rounds 3
///   bench compare before.json after.json
///
/// docs/benchmarks.md says what the figures mean, and what they do not show.
#[derive(Debug, Parser)]
#[command(name = "bench", version, verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Load(load::LoadCommand),
    Timeline(timeline::TimelineCommand),
    Paper(paper::PaperCommand),
    Peers(peers::PeersCommand),
    Compare(compare::CompareCommand),
}

impl Arguments {
    /// Runs the command until it is done.
    ///
    /// *Errors*: what was asked for is not possible; the text says why, and what would be.
    pub(crate) fn run(self) -> Outcome<()> {
        match self.command {
            Command::Load(load) => load.run(),
            Command::Timeline(timeline) => timeline.run(),
            Command::Paper(paper) => paper.run(),
            Command::Peers(peers) => peers.run(),
            Command::Compare(compare) => compare.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn impossible_arguments_are_refused_with_the_cure() {
        for (arguments, hint) in [
            (&["load", "--clients", "0"][..], "1..=4096"),
            (&["load", "--clients", "5000"], "1..=4096"),
            (&["load", "--duration", "5"], "5s"),
            (&["load", "--duration", "0s"], "longer than nothing"),
            (&["load", "--rate", "0"], "above zero"),
            (&["load", "--read-share", "101"], "from 0 to 100"),
            (&["load", "--keys", "pareto"], "hot:PERCENT"),
            (&["load", "--target", "mongodb"], "redis://HOST:PORT"),
            (&["load", "--window", "15ms"], "10 ms"),
            (&["paper", "scaling", "--proposers", "0"], "1..=64"),
            (&["paper", "acceptors", "--every", "0s"], "longer than nothing"),
        ] {
            let arguments = std::iter::once("bench").chain(arguments.iter().copied());
            let error = Arguments::try_parse_from(arguments).expect_err("impossible").to_string();
            assert!(error.contains(hint), "{error}");
        }
    }
}
