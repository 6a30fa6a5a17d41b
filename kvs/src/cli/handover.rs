//! `kvs handover`.

use clap::Args;
use kvs::admin::HandoverReport;

use super::operate::{leaderless_table, ms, no_leader};
use super::output::{print, tell};
use super::{Found, Outcome, Target, columns};

/// Replace the matchmakers: returns when everyone finds the new ones, and says which nodes are no longer
/// needed for that. Or, with BPaxos, the dependency nodes.
#[derive(Args, Debug)]
pub(super) struct HandoverCommand {
    #[command(flatten)]
    target: Target,
    /// The nodes whose matchmakers are to serve, by name.
    #[arg(
        long,
        value_name = "NODES",
        value_delimiter = ',',
        required_unless_present = "dependencies",
        conflicts_with = "dependencies"
    )]
    matchmakers: Vec<String>,
    /// The nodes that are to tell what conflicts, by name, with the protocol bpaxos. Any majority of them
    /// must work.
    #[arg(long, value_name = "NODES", value_delimiter = ',')]
    dependencies: Vec<String>,
    /// Print JSON instead of sentences.
    #[arg(long)]
    json: bool,
}

impl HandoverCommand {
    pub(super) fn run(self) -> Outcome<()> {
        let (name, nodes) = match self.dependencies.is_empty() {
            true => ("KVS.MATCHMAKERS", &self.matchmakers),
            false => ("KVS.DEPENDENCIES", &self.dependencies),
        };
        let nodes = nodes.iter().map(String::as_str);
        let command: Vec<&str> = [name].into_iter().chain(nodes).collect();
        let (text, has_columns) = match self.target.status()? {
            Found::Leader { at, .. } => (self.target.call_at(at, &command)?, false),
            Found::Columns { at, .. } => (self.target.call_at(at, &command)?, true),
            // A handover needs no leader; but whoever lacks one should hear of that first.
            Found::NoLeader { leaderless, failures } => {
                if !self.json {
                    leaderless.iter().for_each(|(status, _)| tell(leaderless_table(status)));
                }
                return Err(no_leader(&leaderless, &failures).into());
            }
        };
        if self.json {
            return print(text);
        }
        if !self.dependencies.is_empty() {
            return columns::show_dependencies(&text);
        }
        if has_columns {
            return columns::show_matchmakers(&text);
        }
        let report: HandoverReport = serde_json::from_str(&text)?;
        print(format_args!(
            "finished      {} are the matchmakers (epoch {}), {:.3} ms after the command",
            report.matchmakers.join(" "),
            report.epoch,
            ms(report.finished_after_us),
        ))?;
        if !report.tolerates_failure {
            print("warning       no failure is tolerated: without one of them no leader is found")?;
        }
        match (report.retirable.as_slice(), report.unaware.as_slice()) {
            ([], []) => print("retirable     no matchmaker was replaced"),
            (names, []) => {
                print(format_args!("retirable     {}: not needed any more", names.join(" ")))
            }
            (_, unaware) => print(format_args!(
                "unaware       {} have not confirmed: the old matchmakers must run until they have; ask \
                 again then",
                unaware.join(" ")
            )),
        }
    }
}
