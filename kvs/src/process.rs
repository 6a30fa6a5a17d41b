//! One process of a cluster: its actors on a host, and a client to them.

use std::fmt::Debug;
use std::hash::Hash;
use std::io;
use std::sync::Arc;

use matchmaker::leader::Deployment;
use matchmaker::message::{Generation, Message};
use matchmaker::node::{Node, NodeRecord};
use paxos::actor::{Actor, NodeId};
use paxos::runtime::{FileLog, Host, HostStats, LogStats, Port};
use paxos::state_machine::StateMachine;
use paxos::transport::Transport;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::deployment::{Members, Settings};
use crate::outlook::Outlook;

/// A state machine that a process can run.
pub trait Machine: StateMachine + Clone + Debug + Eq + Hash + Send + 'static {}

impl<S: StateMachine + Clone + Debug + Eq + Hash + Send + 'static> Machine for S {}

/// What a process plays, and with whom.
#[derive(Clone, Debug)]
pub struct Cast {
    /// Its name among the members.
    pub name: String,
    /// The processes that take part, as far as it knows.
    pub members: Members,
    /// What it knows of the cluster.
    pub deployment: Deployment,
    /// The matchmakers of the founding, if it was a part of that.
    pub founders: Option<Generation>,
    /// Its periods, and the sizes of its log.
    pub settings: Settings,
}

/// What a process needs of the client to its actors.
pub trait Handle: Clone + Send + 'static {
    /// Ends the host behind it, once what it did so far is durable.
    fn stop(&self);

    /// Fails all that waits: the host has ended.
    fn close(&self);
}

/// A process that runs, with a client of type `C` to its actors.
pub struct Process<C> {
    /// What its application can do; a process without a replica can still operate the cluster.
    client: C,
    log_stats: Arc<LogStats>,
    host_stats: Arc<HostStats>,
    outlook: Outlook,
    running: JoinHandle<io::Result<()>>,
}

impl Process<Client> {
    /// Restores the actors of a process from `log` and starts them on this thread's tokio runtime.
    ///
    /// *Errors*: there is no such member; the log cannot be read, or belongs to other roles than those
    /// of the member.
    pub fn start<S, T>(
        cast: &Cast,
        transport: T,
        log: FileLog<NodeRecord>,
        machine: impl FnOnce() -> S,
    ) -> io::Result<Self>
    where
        S: Machine,
        T: Transport<Message> + Send + 'static,
    {
        let Cast { name, members, deployment, founders, settings } = cast;
        let application = members.member(name).map_err(io::Error::other)?.application();
        let actors = members
            .start(name, deployment, founders.as_ref(), settings, machine)
            .map_err(io::Error::other)?;
        let log_stats = log.stats();
        let outlook = Outlook::new(deployment.clone(), members.clone());
        let host: Host<Node<S>, _> = Host::new(actors, transport, log, settings.storage.host())?;
        let (client, port) = Client::new(host.handle(), application, outlook.clone());
        Self::run(host, (application.node, port), client, log_stats, outlook)
    }
}

impl<C: Handle> Process<C> {
    /// Runs `host`, which answers its application at a port.
    ///
    /// *Errors*: an actor sits where the application is.
    pub(crate) fn run<A, T>(
        mut host: Host<A, T>,
        (node, port): (NodeId, Port<A::Message>),
        client: C,
        log_stats: Arc<LogStats>,
        outlook: Outlook,
    ) -> io::Result<Self>
    where
        A: Actor + Send + 'static,
        A::Message: Send,
        A::Timer: Send,
        A::Record: Send,
        T: Transport<A::Message> + Send + 'static,
    {
        host.add_port(node, port)?;
        let host_stats = host.stats();
        let closing = client.clone();
        let running = tokio::spawn(async move {
            let outcome = host.run().await;
            closing.close();
            outcome
        });
        Ok(Self { client, log_stats, host_stats, outlook, running })
    }

    /// Executes commands, reads, and operates the cluster.
    pub fn client(&self) -> C {
        self.client.clone()
    }

    /// What the durable log of the process has done.
    pub fn log_stats(&self) -> Arc<LogStats> {
        Arc::clone(&self.log_stats)
    }

    /// What the host of the process has done.
    pub fn host_stats(&self) -> Arc<HostStats> {
        Arc::clone(&self.host_stats)
    }

    /// What the process knows of its cluster.
    pub fn outlook(&self) -> Outlook {
        self.outlook.clone()
    }

    /// Waits for the end of the process: after [`stop`](Self::stop), or on an error of its disk, which
    /// must end the program.
    ///
    /// *Errors*: of the disk; the text names the file.
    pub async fn ended(&mut self) -> io::Result<()> {
        match (&mut self.running).await {
            Ok(outcome) => outcome,
            Err(error) => Err(io::Error::other(format!("an actor has failed: {error}"))),
        }
    }

    /// Stops the actors once what they did is durable.
    ///
    /// *Errors*: of the disk.
    pub async fn stop(mut self) -> io::Result<()> {
        self.client.stop();
        self.ended().await
    }
}
