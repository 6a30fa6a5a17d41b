//! What `kvs status`, `reconfigure` and `handover` show of a cluster that runs BPaxos.

use std::fmt::Write;
use std::net::SocketAddr;

use kvs::bpaxos::{
    BpaxosCollected, BpaxosReconfigured, BpaxosReplica, BpaxosStatus, ColumnStatus,
    DependencyReport, MatchmakersReport,
};

use super::operate::{NO_FAILURE, ms};
use super::output::print;
use super::{Outcome, Target};

/// How the cluster is.
pub(super) fn table(status: &BpaxosStatus) -> String {
    let mut text = format!(
        "protocol      {}\n\
         dependencies  {}  (epoch {})\n\n\
         column        led by        chosen     persisted   acceptors\n",
        status.protocol,
        status.dependency_nodes.join(" "),
        status.dependency_epoch,
    );
    for (name, column) in &status.columns {
        // Writing to a string does not fail.
        let _ = match column {
            Some(column) => writeln!(text, "{name:<12}  {}", row(column)),
            None => writeln!(text, "{name:<12}  nobody, until it is needed"),
        };
    }
    text += "\nproposer      waiting\n";
    for (name, waiting) in &status.proposers {
        let _ = match waiting {
            Some(waiting) => writeln!(text, "{name:<12}  {waiting} commands and vertices"),
            None => writeln!(text, "{name:<12}  DOES NOT ANSWER"),
        };
    }
    text += "\nreplica       executed     waiting\n";
    for (name, replica) in &status.replicas {
        let _ = match replica {
            Some(BpaxosReplica { executed, waiting, blocked_by }) => {
                let blocked = match blocked_by.as_slice() {
                    [] => String::new(),
                    vertices => format!("  for {}", vertices.join(" ")),
                };
                writeln!(text, "{name:<12}  {executed:<11}  {waiting}{blocked}")
            }
            None => writeln!(text, "{name:<12}  DOES NOT ANSWER"),
        };
    }
    text
}

fn row(column: &ColumnStatus) -> String {
    let ColumnStatus { leader, chosen_watermark, persisted_watermark, version, quorum, .. } =
        column;
    let warning = if column.tolerates_failure { "" } else { NO_FAILURE };
    let uncollected = match column.uncollected {
        0 => String::new(),
        count => format!("; {count} earlier configurations are still needed"),
    };
    format!(
        "{leader:<12}  {chosen_watermark:<9}  {persisted_watermark:<10}  {}  (version {version}, \
         {quorum}{warning}{uncollected})",
        column.acceptors.join(" ")
    )
}

/// Replaces the acceptors of every column, and shows how far it is.
pub(super) fn reconfigure(
    target: &Target,
    address: SocketAddr,
    command: &[&str],
    is_json: bool,
) -> Outcome<()> {
    let text = target.call_at(address, command)?;
    let report: BpaxosReconfigured = serde_json::from_str(&text)?;
    if is_json {
        print(text)?;
    } else {
        let acceptors = report.acceptors.join(" ");
        for (name, column) in &report.columns {
            print(format_args!(
                "active        {acceptors} vote in the column of {name}, round {} (version {}), {:.3} ms \
                 after the command",
                column.round,
                column.version,
                ms(column.active_after_us),
            ))?;
        }
        if !report.tolerates_failure {
            print(
                "warning       no failure is tolerated: commands wait while a certain node is down",
            )?;
        }
    }
    let operation = report.operation.to_string();
    let text = target.call_at(address, &["KVS.COLLECTED", &operation])?;
    if is_json {
        return print(text);
    }
    let report: BpaxosCollected = serde_json::from_str(&text)?;
    print(format_args!(
        "collected     earlier configurations of all columns, {:.3} ms after the command",
        ms(report.collected_after_us),
    ))?;
    match report.retirable.as_slice() {
        [] => print("retirable     no acceptor was replaced"),
        names => print(format_args!("retirable     {}: may be switched off now", names.join(" "))),
    }
}

/// Shows who computes dependencies after a handover.
pub(super) fn show_dependencies(text: &str) -> Outcome<()> {
    let report: DependencyReport = serde_json::from_str(text)?;
    print(format_args!(
        "finished      {} tell what conflicts (epoch {}), {:.3} ms after the command",
        report.dependency_nodes.join(" "),
        report.epoch,
        ms(report.finished_after_us),
    ))?;
    if !report.tolerates_failure {
        print("warning       no failure is tolerated: without one of them no command is executed")?;
    }
    Ok(())
}

/// Shows the matchmakers of all columns after a handover.
pub(super) fn show_matchmakers(text: &str) -> Outcome<()> {
    let report: MatchmakersReport = serde_json::from_str(text)?;
    print(format_args!(
        "finished      {} are the matchmakers of all columns, {:.3} ms after the command",
        report.matchmakers.join(" "),
        ms(report.finished_after_us),
    ))?;
    if !report.tolerates_failure {
        print(
            "warning       no failure is tolerated: without one of them no column is taken over",
        )?;
    }
    match report.unaware.as_slice() {
        [] => print("retirable     all others: not needed any more as matchmakers"),
        unaware => print(format_args!(
            "unaware       {} have not confirmed: the old matchmakers must run until they have; ask again \
             then",
            unaware.join(" ")
        )),
    }
}
