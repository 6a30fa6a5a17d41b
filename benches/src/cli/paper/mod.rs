//! `bench paper`.

mod cluster;
mod model;

use clap::{Args, Subcommand};

use crate::error::Outcome;
use crate::model::Model;
use crate::paper::Experiment;

/// Repeat an experiment of the papers, and show their figures beside.
///
/// Those of Matchmaker Paxos run on a cluster of this machine; those of Simple BPaxos, and the one with
/// late answers, in virtual time, with costs of messages that were measured. Examples:
///
///   bench paper acceptors                              1, 4 and 8 clients, f = 1, as in table 1
///   bench paper acceptors --failures 2 --clients 8     8 clients, f = 2
///   bench paper matchmakers --every 100ms              other matchmakers ten times a second
///   bench paper leader
///   bench paper growth --pace 0.2
///   bench paper scaling --html scaling.html            BPaxos with 1 to 10 proposers
///   bench paper conflicts                              more and more writes to one key
///   bench paper delays                                 MatchB and Phase1B 250 ms late
///   bench paper costs --json costs.json                what messages cost this machine
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct PaperCommand {
    #[command(subcommand)]
    experiment: PaperExperiment,
}

#[derive(Debug, Subcommand)]
enum PaperExperiment {
    /// Acceptors are replaced each second; then one dies and is replaced (figures 9, 10; table 1).
    Acceptors(cluster::ClusterOptions),
    /// The same with matchmakers; then acceptors are replaced once (figure 13; table 2).
    Matchmakers(cluster::ClusterOptions),
    /// The leader dies (figure 11).
    Leader(cluster::ClusterOptions),
    /// Latency and throughput for 1 to 500 clients, with nothing happening.
    Growth(cluster::ClusterOptions),
    /// Peak throughput of BPaxos for 1 to 10 proposers, its modules together and apart.
    Scaling(model::ModelOptions),
    /// BPaxos while more and more commands write to one key.
    Conflicts(model::ModelOptions),
    /// Acceptors are replaced, and the leader, while MatchB and Phase1B are late (the ablation).
    Delays(model::ModelOptions),
    /// Measure what messages cost the actors here, for --costs of the others.
    Costs(model::CostOptions),
}

impl PaperCommand {
    pub(super) fn run(self) -> Outcome<()> {
        match self.experiment {
            PaperExperiment::Acceptors(options) => options.run(Experiment::Acceptors),
            PaperExperiment::Matchmakers(options) => options.run(Experiment::Matchmakers),
            PaperExperiment::Leader(options) => options.run(Experiment::Leader),
            PaperExperiment::Growth(options) => options.run(Experiment::Growth),
            PaperExperiment::Scaling(options) => options.run(Model::Scaling),
            PaperExperiment::Conflicts(options) => options.run(Model::Conflicts),
            PaperExperiment::Delays(options) => options.run(Model::Delays),
            PaperExperiment::Costs(options) => options.run(),
        }
    }
}
