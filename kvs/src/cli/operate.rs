//! `kvs status` and `kvs reconfigure`.

use std::fmt::Write;
use std::net::SocketAddr;

use clap::Args;
use kvs::admin::{
    CollectedReport, HealingStatus, LastHealing, LastLeader, LeaderlessStatus, ReconfigureReport,
    Status,
};

use super::output::{print, tell};
use super::redis::Failure;
use super::{Found, Outcome, Target, columns, told};

/// Show who leads, which acceptors vote, and how far every replica is.
#[derive(Args, Debug)]
pub(super) struct StatusCommand {
    #[command(flatten)]
    target: Target,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

impl StatusCommand {
    pub(super) fn run(self) -> Outcome<()> {
        let (leaderless, failures) = match self.target.status()? {
            Found::Leader { text, .. } if self.json => return print(text),
            Found::Leader { status, .. } => return print(table(&status).trim_end()),
            Found::Columns { text, .. } if self.json => return print(text),
            Found::Columns { status, .. } => return print(columns::table(&status).trim_end()),
            Found::NoLeader { leaderless, failures } => (leaderless, failures),
        };
        for (status, text) in &leaderless {
            match self.json {
                true => print(text)?,
                false => print(leaderless_table(status))?,
            }
        }
        Err(no_leader(&leaderless, &failures).into())
    }
}

/// The error when no leader answers any node.
pub(super) fn no_leader(
    leaderless: &[(LeaderlessStatus, String)],
    failures: &[(SocketAddr, Failure)],
) -> String {
    let told = told(failures);
    let nodes: Vec<&str> = leaderless.iter().map(|(status, _)| status.asked.as_str()).collect();
    match (nodes.is_empty(), failures.is_empty()) {
        (true, _) => told,
        (false, true) => format!("no leader answers {}", nodes.join(", ")),
        (false, false) => format!("no leader answers {}; and\n  {told}", nodes.join(", ")),
    }
}

pub(super) fn leaderless_table(status: &LeaderlessStatus) -> String {
    let mut text = format!(
        "{}: no leader answered within {} ms\nlast heard    ",
        status.asked, status.waited_ms
    );
    // Writing to a string does not fail.
    let _ = match &status.last_leader {
        Some(LastLeader { node, round, heard_ms_ago }) => {
            write!(text, "{node} led in round {round}, {heard_ms_ago} ms ago")
        }
        None => write!(text, "no leader since it started"),
    };
    for (title, is_connected) in [("connected", true), ("MISSING", false)] {
        let peers = status.peers.iter().filter(|(_, peer)| peer.is_connected == is_connected);
        for (name, peer) in peers {
            let _ = write!(text, "\n{title:<13} {name}  ({})", peer.plays);
        }
    }
    text
}

/// What is said of acceptors when one node may not fail.
pub(super) const NO_FAILURE: &str = ", tolerates NO failure";

fn healing(status: &HealingStatus) -> String {
    let HealingStatus { enabled, suspect_after_ms, suspects, spares, last } = status;
    let names = |names: &[String]| match names {
        [] => "none".to_owned(),
        names => names.join(" "),
    };
    let mut text = match enabled {
        true => format!("on after {suspect_after_ms} ms of silence; spare: {}", names(spares)),
        false => "off".to_owned(),
    };
    if !suspects.is_empty() {
        let _ = write!(text, "; SILENT: {}", suspects.join(" "));
    }
    if let Some(LastHealing { role, member, spare, progress, began_ms_ago }) = last {
        let _ = write!(
            text,
            "\n              {spare} for {member} as {role}: {progress}, {began_ms_ago} ms ago"
        );
    }
    text
}

fn table(status: &Status) -> String {
    let collected = match status.uncollected {
        0 => "all earlier configurations are garbage-collected".to_owned(),
        count => format!("{count} earlier configurations are still needed"),
    };
    let warning = if status.tolerates_failure { "" } else { NO_FAILURE };
    let mut text = format!(
        "leader        {} in round {}\n\
         acceptors     {}  (version {}, {}{warning})\n\
         collected     below round {}: {collected}\n\
         matchmakers   {}  (epoch {})\n\
         log           {} slots chosen, {} durable on a majority of replicas\n\
         healing       {}\n\n\
         replica       executed     persisted      snapshot\n",
        status.leader,
        status.round,
        status.acceptors.join(" "),
        status.version,
        status.quorum,
        status.collected_watermark,
        status.matchmakers.join(" "),
        status.matchmaker_epoch,
        status.chosen_watermark,
        status.persisted_watermark,
        healing(&status.healing),
    );
    for (name, replica) in &status.replicas {
        let [executed, persisted, snapshot] = match replica {
            Some(replica) => [
                replica.executed_watermark,
                replica.persisted_watermark,
                replica.snapshot_watermark,
            ]
            .map(|watermark| watermark.to_string()),
            None => ["-", "-", "-"].map(String::from),
        };
        let chunks = match replica.as_ref().map_or(0, |replica| replica.snapshot_chunks) {
            0 => String::new(),
            count => format!("  writing another one, {count} chunks"),
        };
        let quarantine = match status.quarantined.get(name) {
            None => String::new(),
            Some(slot) => format!("  in QUARANTINE: differs from the others below slot {slot}"),
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{name:<12} {executed:>10} {persisted:>13} {snapshot:>13}{chunks}{quarantine}"
        );
    }
    if let Some(slot) = status.disputed_at {
        let _ = writeln!(
            text,
            "\nthe replicas DIFFER below slot {slot}, and no majority tells who is right"
        );
    }
    text
}

/// Replace the acceptors: returns when the new ones vote, then says when the old ones are no longer
/// needed.
#[derive(Args, Debug)]
pub(super) struct ReconfigureCommand {
    #[command(flatten)]
    target: Target,
    /// The new acceptors, by name.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    acceptors: Vec<String>,
    /// Their quorums: majority, write-all, or grid:COLUMNS.
    #[arg(long, default_value = "majority", value_parser = quorums)]
    quorum: String,
    /// Print JSON, one line for each step, instead of sentences.
    #[arg(long)]
    json: bool,
}

/// *Errors*: there are no such quorums. Whether a grid fits is for the cluster to say.
fn quorums(text: &str) -> Result<String, String> {
    let is_grid =
        || text.strip_prefix("grid:").is_some_and(|columns| columns.parse::<u32>().is_ok());
    match ["majority", "write-all"].contains(&text) || is_grid() {
        true => Ok(text.to_owned()),
        false => Err("write majority, write-all, or grid:COLUMNS, such as grid:3".into()),
    }
}

impl ReconfigureCommand {
    pub(super) fn run(self) -> Outcome<()> {
        let acceptors = self.acceptors.iter().map(String::as_str);
        let command: Vec<&str> = ["KVS.RECONFIGURE"]
            .into_iter()
            .chain(acceptors)
            .chain([self.quorum.as_str()])
            .collect();
        let address = match self.target.status()? {
            Found::Leader { at, .. } => at,
            Found::Columns { at, .. } => {
                return columns::reconfigure(&self.target, at, &command, self.json);
            }
            Found::NoLeader { leaderless, failures } => {
                if !self.json {
                    leaderless.iter().for_each(|(status, _)| tell(leaderless_table(status)));
                }
                return Err(no_leader(&leaderless, &failures).into());
            }
        };
        let text = self.target.call_at(address, &command)?;
        let report: ReconfigureReport = serde_json::from_str(&text)?;
        if self.json {
            print(text)?;
        } else {
            print(format_args!(
                "active        {} vote in round {} (version {}), {:.3} ms after the command",
                report.acceptors.join(" "),
                report.round,
                report.version,
                ms(report.active_after_us),
            ))?;
            if !report.tolerates_failure {
                print(
                    "warning       no failure is tolerated: commands wait while a certain node is down",
                )?;
            }
        }
        let version = report.version.to_string();
        let text = self.target.call_at(address, &["KVS.COLLECTED", &version])?;
        if self.json {
            return print(text);
        }
        let report: CollectedReport = serde_json::from_str(&text)?;
        print(format_args!(
            "collected     rounds below {} are garbage, {:.3} ms after the command",
            report.collected_watermark,
            ms(report.collected_after_us),
        ))?;
        match report.retirable.as_slice() {
            [] => print("retirable     no acceptor was replaced"),
            names => {
                print(format_args!("retirable     {}: may be switched off now", names.join(" ")))
            }
        }
    }
}

#[allow(clippy::cast_precision_loss)] // For the eye: microseconds of an operation fit.
pub(super) fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}
