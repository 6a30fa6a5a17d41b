//! `kvs serve`: one process of a cluster; and the front that it shares with the cluster in one
//! process.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use kvs::admin::ClusterAdmin;
use kvs::bpaxos::{BpaxosAdmin, BpaxosClient};
use kvs::client::Client;
use kvs::connection::{self, Admin, Options, Server};
use kvs::deployment::{
    Announcement, Clients, ClusterFile, Member, Members, Protocol, Role, Settings,
};
use kvs::following::{Removed, follow};
use kvs::log::ReplicatedLog;
use kvs::outlook::Known;
use kvs::process::{Cast, Handle, Process};
use kvs::store::{Store, StoreLimits};
use matchmaker::node::NodeRecord;
use paxos::actor::Incarnation;
use paxos::runtime::{
    self, Charter, DataDir, FileLog, FileLogOptions, Listener, Roster, TcpTransport,
};
use paxos::wire::{Decode, Encode, Frame};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Outcome;
use super::output::tell;

/// Run one node of a cluster: one that founds it, by the cluster file, or one that joins it later.
///
/// A node that joins says where others and clients reach it, waits until an operator admits it with `kvs
/// add` or `kvs replace`, and finds its data at the next start.
#[derive(Args, Debug)]
pub(super) struct Serve {
    /// Cluster file, the same at all nodes that found the cluster; `kvs init` writes one. A node that
    /// joins takes periods and limits from it, if it is given.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Name of the node: in the file, or a new one.
    #[arg(long)]
    node: String,
    /// Data directory, instead of the one in the file.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Join the cluster that the nodes at these peer addresses belong to.
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',', requires_all = ["data", "peer"])]
    join: Vec<String>,
    /// Where other nodes reach this one, if not where the cluster knows it.
    #[arg(long, value_name = "ADDRESS")]
    peer: Option<SocketAddr>,
    /// Where Redis clients reach this node, if it joins.
    #[arg(long, value_name = "ADDRESS", requires = "join")]
    client: Option<SocketAddr>,
    /// Roles of a node that joins: proposer, matchmaker, replica. All by default.
    #[arg(long, value_name = "ROLES", value_delimiter = ',', requires = "join")]
    roles: Option<Vec<Role>>,
    /// Acceptors of a node that joins. One, called like the node, by default.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "join")]
    acceptors: Option<Vec<String>>,
}

impl Serve {
    pub(super) fn run(self) -> Outcome<()> {
        block_on(self.serve())
    }

    async fn serve(self) -> Outcome<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        if !self.join.is_empty() {
            let start = until_told(&mut terminate, self.join()).await?;
            return match start {
                Some(start) => start.run(terminate).await,
                None => Ok(()),
            };
        }
        let path = self.config.clone().unwrap_or_else(|| "cluster.toml".into());
        let file = ClusterFile::read(&path)?;
        match file.protocol {
            Protocol::Matchmaker => match until_told(&mut terminate, self.found(file)).await? {
                Some(start) => start.run(terminate).await,
                None => Ok(()),
            },
            Protocol::Bpaxos => match until_told(&mut terminate, self.found(file)).await? {
                Some(start) => start.run_bpaxos(terminate).await,
                None => Ok(()),
            },
        }
    }

    /// Agrees with the other nodes of the cluster file on who is who; or starts again with what the
    /// node knows since then.
    async fn found<R: Encode + Decode<Frame>>(&self, file: ClusterFile) -> Outcome<Start<R>> {
        let node = file.node(&self.node)?;
        let data = self.data.as_ref().or(node.data.as_ref()).ok_or_else(|| {
            format!("`{}` has no `data` directory in the file: give --data", node.name)
        })?;
        let mut data_dir = DataDir::open(data, &file.cluster, &node.name)?;
        file.protocol.check_founded(data_dir.charter(), data_dir.path())?;
        let charter = file.charter_with(data_dir.origin());
        let first = ClusterFile::first_slot(&charter)?;
        // Before anything reads the log, which may be long and belongs to these roles.
        data_dir.check_charter(&charter)?;
        let log = FileLog::open(&mut data_dir, FileLogOptions::default())?;
        let known = known(&data_dir)?;
        let own = known.as_ref().and_then(|known| known.members.member(&node.name).ok());
        let peer = own.map_or_else(|| node.peer.to_string(), |member| member.peer.clone());
        let peer = self.peer.map_or(peer, |peer| peer.to_string());
        let front = match node.client {
            Some(address) if node.roles.contains(&Role::Replica) => {
                Some(Front::bind(address).await?)
            }
            Some(_) | None => None,
        };
        let listener = Listener::bind(&peer).await?;
        if data_dir.roster().is_none() {
            tracing::info!(cluster = %file.cluster, "the first start waits for all nodes");
        }
        let directory = founders(&file).directory()?;
        let roster = runtime::found(&mut data_dir, &charter, &directory, &listener).await?;
        let members = file.members(&roster);
        let matchmakers = members.founders();
        let (members, deployment) = match known {
            Some(known) => (Members::clone(&known.members), known.deployment(first)),
            None => (members.clone(), file.deployment(&members, first)?),
        };
        let founders = Some(matchmakers);
        let settings = file.settings();
        let (name, options, limits) = (node.name.clone(), options(&file.clients), file.clients);
        let limits = store_limits(limits.value_bytes_max);
        let cast = Cast { name, members, deployment, founders, settings };
        Ok(Start { cast, charter, roster, options, limits, data_dir, log, listener, front })
    }

    /// Joins a cluster, or starts again as the member that it became.
    async fn join(&self) -> Outcome<Start<NodeRecord>> {
        let (settings, clients) = match &self.config {
            Some(path) => {
                let file = ClusterFile::read(path)?;
                (file.settings(), file.clients)
            }
            None => (Settings::default(), Clients::default()),
        };
        let (Some(data), Some(peer)) = (&self.data, self.peer) else {
            return Err("a node that joins needs --data and --peer".into());
        };
        let roles = self.roles.clone().unwrap_or_else(|| Role::ALL.to_vec());
        let is_replica = roles.contains(&Role::Replica);
        let front = match self.client.filter(|_| is_replica) {
            Some(address) => Some(Front::bind(address).await?),
            None if is_replica => return Err("a replica serves clients: give --client".into()),
            None => None,
        };
        let listener = Listener::bind(&peer.to_string()).await?;
        let announcement = Announcement {
            peer: peer.to_string(),
            client: self.client.map(|address| address.to_string()),
            roles: roles.into_iter().collect(),
            acceptors: self.acceptors.clone().unwrap_or_else(|| vec![self.node.clone()]),
        };
        tell(format_args!(
            "{} wants to join: admit it with `{} add {}`, or have it replace another node",
            self.node,
            super::program(),
            self.node
        ));
        let (seeds, announcement) = (&self.join, announcement.encode());
        let joined =
            runtime::join(data.clone(), &self.node, seeds, announcement, &listener, addresses);
        let mut data_dir = joined.await?.data_dir;
        let log = FileLog::open(&mut data_dir, FileLogOptions::default())?;
        let missing = || format!("{}: the node does not know its cluster", data.display());
        let known = known(&data_dir)?.ok_or_else(missing)?;
        let (charter, roster) = (data_dir.charter().cloned(), data_dir.roster().cloned());
        let (charter, roster) = (charter.ok_or_else(missing)?, roster.ok_or_else(missing)?);
        // What replicas decide by is agreed on for the life of the cluster.
        let value_bytes_max = ClusterFile::value_bytes_max(&charter)?;
        let clients = Clients { value_bytes_max, ..clients };
        let first = ClusterFile::first_slot(&charter)?;
        let (members, deployment) = (Members::clone(&known.members), known.deployment(first));
        let name = self.node.clone();
        let cast = Cast { name, members, deployment, founders: None, settings };
        let (options, limits) = (options(&clients), store_limits(value_bytes_max));
        Ok(Start { cast, charter, roster, options, limits, data_dir, log, listener, front })
    }
}

/// What the node knew of its cluster, last; nothing if only what the founding says.
fn known(data_dir: &DataDir) -> Outcome<Option<Known>> {
    let Some(bytes) = data_dir.members() else { return Ok(None) };
    let known = Known::decode(bytes)
        .map_err(|error| format!("{}: the members: {error}", data_dir.path().display()))?;
    Ok(Some(known))
}

/// Where the members are that a member names.
fn addresses(known: &[u8]) -> Vec<String> {
    let known = Known::decode(known).ok();
    known.iter().flat_map(|k| k.members.all()).map(|member| member.peer.clone()).collect()
}

/// How long clients may take to take their replies when the node stops.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A node that is about to start, with records of type `R` in its log.
struct Start<R> {
    cast: Cast,
    charter: Charter,
    roster: Roster,
    options: Options,
    limits: StoreLimits,
    data_dir: DataDir,
    log: FileLog<R>,
    listener: Listener,
    front: Option<Front>,
}

/// The outcome of `starting`; none if the node was told to stop before.
async fn until_told<O>(
    terminate: &mut Signal,
    starting: impl Future<Output = Outcome<O>>,
) -> Outcome<Option<O>> {
    tokio::select! {
        start = starting => start.map(Some),
        interrupt = tokio::signal::ctrl_c() => Ok(interrupt.map(|()| None)?),
        _ = terminate.recv() => Ok(None),
    }
}

/// The network between the nodes of a cluster.
fn transport<M: Encode + Decode<Frame> + Send + 'static>(
    cast: &Cast,
    data_dir: &DataDir,
    (charter, roster): (Charter, Roster),
    listener: Listener,
) -> Outcome<TcpTransport<M>> {
    Ok(TcpTransport::start(
        data_dir.identity().clone(),
        charter,
        roster,
        cast.members.directory()?,
        listener,
        runtime::TcpOptions::default(),
    )?)
}

impl Start<NodeRecord> {
    /// Runs the node until it is told to stop, fails, or is not a member any more.
    async fn run(self, mut terminate: Signal) -> Outcome<()> {
        let Self { cast, charter, roster, options, limits, data_dir, log, listener, front } = self;
        let transport = transport(&cast, &data_dir, (charter, roster), listener)?;
        let (connections, candidates) = (transport.connections(), transport.candidates());
        let directory = transport.directory();
        let machine = || Store::new(limits);
        let process = Process::<Client>::start(&cast, transport, log, machine)?;
        announce(cast.members.member(&cast.name)?, data_dir.path().display());
        let about = (cast.name.as_str(), data_dir.cluster(), limits.value_bytes_max);
        let admin = ClusterAdmin::new(about, &process, connections, candidates);
        let server = Arc::new(Server::new(options, process.client(), admin.clone()));
        let leaving = || server.close();
        let following = follow(process.outlook(), directory, data_dir, leaving);
        let node = Node { name: &cast.name, process, server: &server, front };
        node.run(following, admin.leave(), &mut terminate).await
    }
}

impl Start<bpaxos::node::NodeRecord> {
    /// Runs the node until it is told to stop or fails.
    async fn run_bpaxos(self, mut terminate: Signal) -> Outcome<()> {
        let Self { cast, charter, roster, options, limits, data_dir, log, listener, front } = self;
        let transport = transport(&cast, &data_dir, (charter, roster), listener)?;
        let machine = || Store::partially_ordered(limits);
        let process = Process::<BpaxosClient>::start(&cast, transport, log, machine)?;
        announce(cast.members.member(&cast.name)?, data_dir.path().display());
        let admin = BpaxosAdmin::new(&cast.name, &process);
        let server = Arc::new(Server::new(options, process.client(), admin));
        let node = Node { name: &cast.name, process, server: &server, front };
        // The members are those of the founding, and nobody leads whom another one could follow.
        node.run(std::future::pending(), std::future::ready(()), &mut terminate).await
    }
}

/// A node at work.
struct Node<'a, C, A> {
    name: &'a str,
    process: Process<C>,
    server: &'a Arc<Server<C, A>>,
    /// Where its clients are, if it has any.
    front: Option<Front>,
}

impl<C: Handle + ReplicatedLog, A: Admin> Node<'_, C, A> {
    /// Serves clients until the node is told to stop, fails, or `removed` says that it is not a member any
    /// more; does `leave` before it stops, if it was told to.
    async fn run(
        self,
        removed: impl Future<Output = io::Result<Removed>>,
        leave: impl Future<Output = ()>,
        terminate: &mut Signal,
    ) -> Outcome<()> {
        let Self { name, mut process, server, front } = self;
        let client = process.client();
        let serving = async {
            match front {
                Some(front) => front.serve(Arc::clone(server), client).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(serving, removed);
        let mut is_serving = true;
        let is_told = loop {
            tokio::select! {
                // A node that leaves has no clients any more, and still must follow.
                () = &mut serving, if is_serving => is_serving = false,
                outcome = process.ended() => return Ok(outcome?),
                removed = &mut removed => {
                    let reason = removed?.reason;
                    tell(format_args!(
                        "{name} is not a member any more: {reason}. Its data directory may be deleted"
                    ));
                    break false;
                }
                interrupt = tokio::signal::ctrl_c() => {
                    interrupt?;
                    break true;
                }
                _ = terminate.recv() => break true,
            }
        };
        if is_told {
            leave.await;
        }
        server.close();
        if is_serving {
            // Clients that do not take their replies are left.
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, serving).await;
        }
        tracing::info!("stopping: what was acknowledged is on disk");
        Ok(process.stop().await?)
    }
}

fn announce(member: &Member, data: impl std::fmt::Display) {
    let Member { name, peer, .. } = member;
    let acceptors = member.acceptors.join(", ");
    match &member.client {
        Some(client) => tell(format_args!(
            "{name} serves Redis clients on {client}, peers on {peer}; acceptors {acceptors}; data in \
             {data}"
        )),
        None => tell(format_args!(
            "{name} serves peers on {peer}; acceptors {acceptors}; data in {data}"
        )),
    }
}

/// The processes of the file while nobody knows their incarnations: where they are.
fn founders(file: &ClusterFile) -> Members {
    let names = file.nodes.iter().map(|node| (node.name.clone(), Incarnation(0)));
    file.members(&Roster(names.collect()))
}

/// Replicas decide by these.
fn store_limits(value_bytes_max: usize) -> StoreLimits {
    StoreLimits { value_bytes_max, ..StoreLimits::default() }
}

fn options(clients: &Clients) -> Options {
    let mut options = Options { requirepass: clients.requirepass.clone(), ..Options::default() };
    options.limits.connections_max = clients.connections_max;
    options.limits.key_bytes_max = clients.key_bytes_max;
    options.limits.value_bytes_max = clients.value_bytes_max;
    options.limits.pipeline_bytes_max = clients.pipeline_bytes_max;
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

    /// Serves clients until the server is closed and all of them are gone.
    pub(super) async fn serve<L: ReplicatedLog, A: Admin>(self, server: Arc<Server<L, A>>, log: L) {
        let clock = server.clock();
        tokio::select! {
            () = connection::serve(self.listener, server) => {}
            () = connection::run_ticker(log, clock) => {}
        }
    }
}
