//! `kvs serve`: one process of a cluster; and the front that it shares with the cluster in one
//! process.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use kvs::admin::ClusterAdmin;
use kvs::connection::{self, Admin, Options, Server};
use kvs::deployment::{ClusterFile, Members, NodeFile, Role};
use kvs::log::ReplicatedLog;
use kvs::process::Process;
use kvs::store::{Store, StoreLimits};
use paxos::actor::Incarnation;
use paxos::runtime::{self, DataDir, FileLog, FileLogOptions, Listener, Roster, TcpTransport};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::Outcome;
use super::output::tell;

/// Run one node of a cluster.
#[derive(Args, Debug)]
pub(super) struct Serve {
    /// Cluster file, the same at all nodes; `kvs init` writes one.
    #[arg(long, value_name = "FILE", default_value = "cluster.toml")]
    config: PathBuf,
    /// Name of the node in the file.
    #[arg(long)]
    node: String,
    /// Data directory, instead of the one in the file.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self) -> Outcome<()> {
        block_on(self.serve())
    }

    async fn serve(self) -> Outcome<()> {
        let file = ClusterFile::read(&self.config)?;
        let node = file.node(&self.node)?;
        let data = self.data.as_ref().or(node.data.as_ref()).ok_or_else(|| {
            format!("`{}` has no `data` directory in the file: give --data", node.name)
        })?;
        let mut data_dir = DataDir::open(data, &file.cluster, &node.name)?;
        let charter = file.charter();
        // Before anything reads the log, which may be long and belongs to these roles.
        data_dir.check_charter(&charter)?;
        let log = FileLog::open(&mut data_dir, FileLogOptions::default())?;
        let front = match node.client {
            Some(address) if node.roles.contains(&Role::Replica) => {
                Some(Front::bind(address).await?)
            }
            Some(_) | None => None,
        };
        let listener = Listener::bind(&node.peer.to_string()).await?;
        let directory = founders(&file).directory()?;
        if data_dir.roster().is_none() {
            tracing::info!(cluster = %file.cluster, "the first start waits for all nodes");
        }
        let mut terminate = signal(SignalKind::terminate())?;
        let roster = tokio::select! {
            roster = runtime::found(&mut data_dir, &charter, &directory, &listener) => roster?,
            interrupt = tokio::signal::ctrl_c() => return Ok(interrupt?),
            _ = terminate.recv() => return Ok(()),
        };
        let transport = TcpTransport::start(
            data_dir.identity().clone(),
            charter,
            roster.clone(),
            directory,
            listener,
            runtime::TcpOptions::default(),
        )?;
        let (connections, candidates) = (transport.connections(), transport.candidates());
        let limits = store_limits(&file);
        let machine = || Store::new(limits);
        let members = file.members(&roster);
        let (name, timing) = (&node.name, &file.timing);
        let (deployment, founders) = (file.deployment(&members)?, Some(members.founders()));
        let mut process =
            Process::start(&members, name, deployment, founders, timing, transport, log, machine)?;
        announce(node, data.display());
        let client = process.client();
        let admin = ClusterAdmin::new(&node.name, &process, connections, candidates);
        match front {
            Some(front) => front.serve(options(&file), client, admin, process.ended()).await?,
            None => {
                tokio::select! {
                    outcome = process.ended() => outcome?,
                    interrupt = tokio::signal::ctrl_c() => interrupt?,
                    _ = terminate.recv() => {}
                }
            }
        }
        tracing::info!("stopping: what was acknowledged is on disk");
        Ok(process.stop().await?)
    }
}

fn announce(node: &NodeFile, data: impl std::fmt::Display) {
    let acceptors = node.acceptors.join(", ");
    match node.client {
        Some(client) => tell(format_args!(
            "{} serves Redis clients on {client}, peers on {}; acceptors {acceptors}; data in {data}",
            node.name, node.peer
        )),
        None => tell(format_args!(
            "{} serves peers on {}; acceptors {acceptors}; data in {data}",
            node.name, node.peer
        )),
    }
}

/// The processes of the file while nobody knows their incarnations: where they are.
fn founders(file: &ClusterFile) -> Members {
    let names = file.nodes.iter().map(|node| (node.name.clone(), Incarnation(0)));
    file.members(&Roster(names.collect()))
}

/// Replicas decide by these, so they come from the file that all nodes share.
fn store_limits(file: &ClusterFile) -> StoreLimits {
    StoreLimits { value_bytes_max: file.clients.value_bytes_max, ..StoreLimits::default() }
}

fn options(file: &ClusterFile) -> Options {
    let mut options =
        Options { requirepass: file.clients.requirepass.clone(), ..Options::default() };
    options.limits.connections_max = file.clients.connections_max;
    options.limits.key_bytes_max = file.clients.key_bytes_max;
    options.limits.value_bytes_max = file.clients.value_bytes_max;
    options.limits.pipeline_bytes_max = file.clients.pipeline_bytes_max;
    options
}

/// Runs `work` on the runtime of the program: one thread, since all actors of a process take turns
/// anyway, and one thread needs no wake-ups; each log has a thread of its own besides.
pub(super) fn block_on(work: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// The socket that Redis clients connect to.
pub(super) struct Front {
    listener: TcpListener,
    address: SocketAddr,
}

impl Front {
    /// *Errors*: the address is in use or not of this machine.
    pub(super) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let text = format!(
                "cannot listen for Redis clients on {address}: {error}; stop what uses the port, \
                 or choose another address"
            );
            io::Error::new(error.kind(), text)
        })?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where clients connect: with the port that was found, if any would do.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves clients until the program is told to stop, or until `ended`.
    ///
    /// *Errors*: those of `ended`.
    pub(super) async fn serve<L: ReplicatedLog, A: Admin>(
        self,
        options: Options,
        log: L,
        admin: A,
        ended: impl Future<Output = io::Result<()>>,
    ) -> io::Result<()> {
        let clock = options.clock;
        let server = Arc::new(Server::new(options, log.clone(), admin));
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            () = connection::serve(self.listener, server) => Ok(()),
            () = connection::run_ticker(log, clock) => Ok(()),
            outcome = ended => outcome,
            interrupt = tokio::signal::ctrl_c() => interrupt,
            _ = terminate.recv() => Ok(()),
        }
    }
}
