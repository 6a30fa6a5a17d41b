//! The commands of the program, and what each needs.

mod backup;
mod columns;
mod demo;
mod handover;
mod init;
mod members;
mod operate;
mod output;
mod recover;
mod redis;
mod restore;
mod serve;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use kvs::admin::{LeaderlessStatus, Status};
use kvs::bpaxos::BpaxosStatus;
use kvs::deployment::ClusterFile;
use redis::{Answer, Failure};

pub(crate) use output::{OutputClosed, Undone};

/// What ends the program with an error; its text is shown to the operator.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A replicated key-value server that any Redis client can talk to.
///
/// Without a command it runs a whole cluster in this one process, durable in a data directory: two
/// proposers, three matchmakers, six acceptors of which three vote, three replicas. Try:
///
///   redis-cli -p 6380 set greeting hello
///   kvs status
///   kvs reconfigure --acceptors a4,a5,a6
///
/// For a real cluster, write a file with `kvs init` and start each node with `kvs serve`.
///
/// With `--protocol bpaxos`, here or at `kvs init`, there is no leader: every node takes commands at
/// once, and only those that conflict wait for each other. A data directory keeps its protocol.
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    demo: demo::Demo,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Init(init::Init),
    Status(operate::StatusCommand),
    Reconfigure(operate::ReconfigureCommand),
    Handover(handover::HandoverCommand),
    Add(members::Add),
    Replace(members::Replace),
    Remove(members::Remove),
    Move(members::Move),
    TransferLeadership(members::Transfer),
    Drain(members::Drain),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Recover(recover::Recover),
}

impl Arguments {
    /// Runs the command until it is done.
    pub(crate) fn run(self) -> Outcome<()> {
        match self.command {
            None => self.demo.run(),
            Some(Command::Serve(serve)) => serve.run(),
            Some(Command::Init(init)) => init.run(),
            Some(Command::Status(status)) => status.run(),
            Some(Command::Reconfigure(reconfigure)) => reconfigure.run(),
            Some(Command::Handover(handover)) => handover.run(),
            Some(Command::Add(add)) => add.run(),
            Some(Command::Replace(replace)) => replace.run(),
            Some(Command::Remove(remove)) => remove.run(),
            Some(Command::Move(command)) => command.run(),
            Some(Command::TransferLeadership(transfer)) => transfer.run(),
            Some(Command::Drain(drain)) => drain.run(),
            Some(Command::Backup(backup)) => backup.run(),
            Some(Command::Restore(restore)) => restore.run(),
            Some(Command::Recover(recover)) => recover.run(),
        }
    }
}

/// Which cluster an operator means.
#[derive(Args, Debug)]
struct Target {
    /// Addresses of nodes of the cluster, as Redis clients use them; any that answers will do.
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',', default_value = "127.0.0.1:6380")]
    at: Vec<SocketAddr>,
    /// Cluster file; its nodes are asked all at once, instead of --at.
    #[arg(long, value_name = "FILE", conflicts_with = "at")]
    config: Option<PathBuf>,
    /// Password of the cluster, if it has one.
    #[arg(long, env = "KVS_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Addresses of further members, as one of those asked told them.
    #[arg(skip)]
    learned: BTreeSet<SocketAddr>,
}

impl Target {
    /// The addresses to try, and the password to give.
    fn addresses(&self) -> Outcome<(Vec<SocketAddr>, Option<String>)> {
        let (mut addresses, password) = match &self.config {
            None => (self.at.clone(), self.password.clone()),
            Some(path) => {
                let file = ClusterFile::read(path)?;
                let addresses = file.nodes.iter().filter_map(|node| node.client).collect();
                (addresses, self.password.clone().or(file.clients.requirepass))
            }
        };
        let named: BTreeSet<SocketAddr> = addresses.iter().copied().collect();
        addresses.extend(self.learned.difference(&named));
        Ok((addresses, password))
    }

    /// Asks the members that `status` names, too, from now on: those named by the operator may go.
    fn learn(&mut self, status: &Status) {
        let addresses = status.clients.values().filter_map(|address| address.parse().ok());
        self.learned =
            addresses.filter(|address: &SocketAddr| !address.ip().is_unspecified()).collect();
    }

    /// How the cluster is, from the first node that a leader answers. All are asked at once.
    ///
    /// *Errors*: the file cannot be read.
    fn status(&self) -> Outcome<Found> {
        let (addresses, password) = self.addresses()?;
        if addresses.is_empty() {
            return Err("the cluster file has no node that serves clients".into());
        }
        let is_complete = |text: &str| {
            serde_json::from_str::<Status>(text).is_ok()
                || serde_json::from_str::<BpaxosStatus>(text).is_ok()
        };
        let command = ["KVS.STATUS"];
        let mut answers =
            redis::ask_all(&addresses, password.as_deref(), &command, STATUS_TIMEOUT, is_complete);
        if let Some((address, Ok(text))) = answers.last() {
            let (at, text) = (*address, text.clone());
            if let Ok(status) = serde_json::from_str(&text) {
                return Ok(Found::Leader { at, status, text });
            }
            if let Ok(status) = serde_json::from_str(&text) {
                return Ok(Found::Columns { at, status, text });
            }
        }
        answers.sort_unstable_by_key(|(address, _)| addresses.iter().position(|a| a == address));
        let mut leaderless = Vec::new();
        let mut failures = Vec::new();
        for (address, answer) in answers {
            match answer {
                Ok(text) => match serde_json::from_str(&text) {
                    Ok(status) => leaderless.push((status, text)),
                    Err(_) => {
                        let failure = Failure::Refused(format!("what nobody understands: {text}"));
                        failures.push((address, failure));
                    }
                },
                Err(failure) => failures.push((address, failure)),
            }
        }
        Ok(Found::NoLeader { leaderless, failures })
    }

    /// The reply to `command` of the node at `address`, which may take as long as an operation.
    fn call_at(&self, address: SocketAddr, command: &[&str]) -> Outcome<String> {
        self.ask_at(address, command)?.map_err(|failure| told(&[(address, failure)]).into())
    }

    /// The same, with the kind of failure.
    ///
    /// *Errors*: the file cannot be read.
    fn ask_at(&self, address: SocketAddr, command: &[&str]) -> Outcome<Answer> {
        let (_, password) = self.addresses()?;
        Ok(redis::ask(address, password.as_deref(), command, OPERATION_TIMEOUT))
    }
}

/// How long the nodes may take to say how the cluster is: longer than they wait for a leader.
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a node may take to operate the cluster: longer than it gives itself.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);

/// What became of the question how the cluster is.
enum Found {
    /// A leader answered the node at this address.
    Leader { at: SocketAddr, status: Box<Status>, text: String },
    /// The node at this address answered, of a cluster in which nobody leads.
    Columns { at: SocketAddr, status: Box<BpaxosStatus>, text: String },
    /// No leader answered any node.
    NoLeader {
        /// What nodes know by themselves, with the JSON that says it.
        leaderless: Vec<(LeaderlessStatus, String)>,
        /// Why the other nodes said nothing of the kind.
        failures: Vec<(SocketAddr, Failure)>,
    },
}

/// What each node said, the most telling first.
fn told(failures: &[(SocketAddr, Failure)]) -> String {
    let mut failures: Vec<_> = failures.iter().collect();
    failures.sort_by_key(|(_, failure)| match failure {
        Failure::Refused(text) => (0, text.starts_with("CLUSTERDOWN")),
        Failure::Silent(_) => (1, false),
    });
    let mut text = String::new();
    for (address, failure) in &failures {
        let separator = if text.is_empty() { "" } else { "\n  " };
        // Writing to a string does not fail.
        let _ = match failure {
            Failure::Refused(reason) if failures.len() == 1 => write!(text, "{reason}"),
            Failure::Refused(reason) => {
                write!(text, "{separator}the node at {address} says: {reason}")
            }
            Failure::Silent(cause) => {
                write!(text, "{separator}cannot ask the node at {address}: {cause}")
            }
        };
    }
    if failures.iter().any(|(_, failure)| matches!(failure, Failure::Silent(_))) {
        text += "; is it running, and is the address right (--at, or --config for a cluster file)?";
    }
    text
}

/// How this program was called, for the commands that it tells its operator to try.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "kvs".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_is_quoted_and_the_most_telling_first() {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let failures = [
            (address(1), Failure::Silent("Connection refused".into())),
            (address(2), Failure::Refused("CLUSTERDOWN nobody leads".into())),
            (address(3), Failure::Refused("NOAUTH".into())),
        ];
        let expected = "the node at 127.0.0.1:3 says: NOAUTH\n  \
                        the node at 127.0.0.1:2 says: CLUSTERDOWN nobody leads\n  \
                        cannot ask the node at 127.0.0.1:1: Connection refused; is it running, and is \
                        the address right (--at, or --config for a cluster file)?";
        assert_eq!(told(&failures), expected);
        assert_eq!(told(&failures[2..]), "NOAUTH");
    }
}
