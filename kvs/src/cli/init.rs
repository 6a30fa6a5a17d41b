//! `kvs init`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kvs::deployment::{ClusterFile, Protocol};

use super::Outcome;
use super::output::print;

/// Write the file that describes a new cluster on this machine.
///
/// Nodes are called n1, n2, ... and have every role. Edit the addresses to spread them over machines;
/// every node needs only this file and its data directory.
#[derive(Args, Debug)]
pub(super) struct Init {
    /// Number of nodes, each a process.
    #[arg(long, default_value_t = 3)]
    nodes: u16,
    /// Number of acceptors, spread over the nodes; three of them vote at first. One for each node by
    /// default, called as it; with any other number they are called a1, a2, ...
    #[arg(long)]
    acceptors: Option<u16>,
    /// How commands are ordered, for the life of the cluster.
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
    /// Name of the cluster; data directories and nodes of other clusters are refused. Drawn at random
    /// by default.
    #[arg(long)]
    cluster: Option<String>,
    /// Port for Redis clients of the first node; the others follow. Nodes talk to each other on ports
    /// 1000 higher.
    #[arg(long, default_value_t = 6381)]
    base_port: u16,
    /// The file to write; an existing one is not overwritten.
    #[arg(long, default_value = "cluster.toml")]
    out: PathBuf,
}

impl Init {
    pub(super) fn run(self) -> Outcome<()> {
        let cluster = match self.cluster {
            Some(cluster) => cluster,
            None => format!("kvs-{:016x}", paxos::runtime::random_u64()?),
        };
        let acceptors = self.acceptors.unwrap_or(self.nodes);
        let file = ClusterFile::on_loopback(&cluster, self.nodes, acceptors, self.base_port)?;
        let file = file.with_protocol(self.protocol);
        let shown = self.out.display();
        let written = OpenOptions::new().write(true).create_new(true).open(&self.out);
        written
            .and_then(|mut out| out.write_all(file.to_toml().as_bytes()))
            .map_err(|error| format!("cannot write {shown}: {error}; choose another --out"))?;
        let kvs = super::program();
        print(format_args!(
            "{shown} describes the cluster {cluster}. Start its nodes, each on its own:\n"
        ))?;
        for node in &file.nodes {
            print(format_args!("  {kvs} serve --config {shown} --node {}", node.name))?;
        }
        print(format_args!("\nThe first start needs all of them. Then:\n"))?;
        if let Some(address) = file.nodes.iter().find_map(|node| node.client) {
            print(format_args!("  redis-cli -p {} set greeting hello", address.port()))?;
        }
        print(format_args!("  {kvs} status --config {shown}"))?;
        Ok(())
    }
}
