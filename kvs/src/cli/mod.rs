//! The commands of the program, and what each needs.

mod demo;
mod init;
mod operate;
mod output;
mod redis;
mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use kvs::deployment::ClusterFile;

pub(crate) use output::OutputClosed;

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
        }
    }
}

/// Which cluster an operator means.
#[derive(Args, Debug)]
struct Target {
    /// Address of any node of the cluster, as Redis clients use it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6380")]
    at: SocketAddr,
    /// Cluster file; its nodes are tried one after the other, instead of --at.
    #[arg(long, value_name = "FILE", conflicts_with = "at")]
    config: Option<PathBuf>,
    /// Password of the cluster, if it has one.
    #[arg(long, env = "KVS_PASSWORD", hide_env_values = true)]
    password: Option<String>,
}

impl Target {
    /// The addresses to try, and the password to give.
    fn addresses(&self) -> Outcome<(Vec<SocketAddr>, Option<String>)> {
        let Some(path) = &self.config else {
            return Ok((vec![self.at], self.password.clone()));
        };
        let file = ClusterFile::read(path)?;
        let addresses = file.nodes.iter().filter_map(|node| node.client).collect();
        Ok((addresses, self.password.clone().or(file.clients.requirepass)))
    }

    /// The reply to `command`, from the first node that gives one, and the address of that node.
    fn call(&self, command: &[&str]) -> Outcome<(SocketAddr, String)> {
        let (addresses, password) = self.addresses()?;
        redis::call(&addresses, password.as_deref(), command)
    }

    /// The reply to `command` of the node at `address`.
    fn call_at(&self, address: SocketAddr, command: &[&str]) -> Outcome<String> {
        let (_, password) = self.addresses()?;
        Ok(redis::call(&[address], password.as_deref(), command)?.1)
    }
}

/// How this program was called, for the commands that it tells its operator to try.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "kvs".into())
}
