//! `kvs` without a command: a whole cluster in one process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use kvs::admin::ClusterAdmin;
use kvs::bpaxos::BpaxosAdmin;
use kvs::connection::{Admin, Options, Server};
use kvs::deployment::Protocol;
use kvs::local::LocalCluster;
use kvs::log::ReplicatedLog;
use kvs::process::Handle;
use kvs::store::{Store, StoreLimits};
use paxos::runtime::{Candidates, Connections};
use tokio::signal::unix::{SignalKind, signal};

use super::Outcome;
use super::output::tell;
use super::serve::{Front, block_on};

/// Options of the cluster in one process.
#[derive(Args, Debug)]
pub(super) struct Demo {
    /// Where Redis clients connect.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6380")]
    listen: SocketAddr,
    /// Data directory; a second start finds its data there.
    #[arg(long, value_name = "DIR", default_value = "kvs-data/local")]
    data: PathBuf,
    /// How commands are ordered, for the life of the data directory.
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
}

impl Demo {
    pub(super) fn run(self) -> Outcome<()> {
        block_on(self.serve())
    }

    async fn serve(self) -> Outcome<()> {
        let front = Front::bind(self.listen).await?;
        let limits = StoreLimits::default();
        match self.protocol {
            Protocol::Matchmaker => {
                let cluster = LocalCluster::open(&self.data, || Store::new(limits))?;
                let about = ("n1", cluster.file().cluster.as_str(), limits.value_bytes_max);
                let (connections, candidates) = (Connections::default(), Candidates::default());
                let process = &cluster.processes()[0];
                let admin = ClusterAdmin::new(about, process, connections, candidates);
                self.serve_with(front, cluster, admin).await
            }
            Protocol::Bpaxos => {
                let machine = || Store::partially_ordered(limits);
                let cluster = LocalCluster::open_bpaxos(&self.data, machine)?;
                let admin = BpaxosAdmin::new("n1", &cluster.processes()[0]);
                self.serve_with(front, cluster, admin).await
            }
        }
    }

    async fn serve_with<C: Handle + ReplicatedLog, A: Admin>(
        self,
        front: Front,
        mut cluster: LocalCluster<C>,
        admin: A,
    ) -> Outcome<()> {
        self.announce(&cluster, front.address());
        let log = cluster.client(0);
        let server = Arc::new(Server::new(Options::default(), log.clone(), admin));
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            () = front.serve(server, log) => {}
            outcome = cluster.ended() => outcome?,
            interrupt = tokio::signal::ctrl_c() => interrupt?,
            _ = terminate.recv() => {}
        }
        tell("stopping: what was acknowledged is on disk");
        Ok(cluster.stop().await?)
    }

    fn announce<C: Handle>(&self, cluster: &LocalCluster<C>, listen: SocketAddr) {
        let port = listen.port();
        tell(format_args!(
            "a cluster of three processes in one, durable in {}:",
            self.data.display()
        ));
        for node in &cluster.file().nodes {
            let roles: Vec<String> = node.roles.iter().map(|role| role.to_string()).collect();
            let acceptors = node.acceptors.join(", ");
            tell(format_args!("  {}  {}; acceptors {acceptors}", node.name, roles.join(", ")));
        }
        tell(format_args!("acceptors that vote at first: {}", cluster.file().acceptors.join(", ")));
        tell(format_args!("Redis clients connect to {listen}. Try, in another terminal:\n"));
        tell(format_args!("  redis-cli -p {port} set greeting hello"));
        tell(format_args!("  redis-benchmark -p {port} -t set,get -n 100000 -P 16 -q"));
        let at = if port == 6380 { String::new() } else { format!(" --at {listen}") };
        let kvs = super::program();
        tell(format_args!("  {kvs} status{at}"));
        tell(format_args!("  {kvs} reconfigure{at} --acceptors a4,a5,a6"));
        tell(format_args!("\nCtrl-C stops it; a second start finds its data."));
    }
}
