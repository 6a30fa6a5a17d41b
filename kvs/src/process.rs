//! One process of a cluster: its actors on a host, and a client to them.

use std::fmt::Debug;
use std::hash::Hash;
use std::io;
use std::sync::Arc;

use matchmaker::message::Message;
use matchmaker::node::{Node, NodeRecord};
use paxos::runtime::{FileLog, Host, HostStats, LogStats, Roster};
use paxos::state_machine::StateMachine;
use paxos::transport::Transport;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::deployment::{Application, ClusterFile};
use crate::overhearing::{Overheard, Overhearing};

/// A state machine that a process can run.
pub trait Machine: StateMachine + Clone + Debug + Eq + Hash + Send + 'static {}

impl<S: StateMachine + Clone + Debug + Eq + Hash + Send + 'static> Machine for S {}

/// A process that runs.
pub struct Process {
    /// What its application can do; a process without a replica can still operate the cluster.
    client: Client,
    log_stats: Arc<LogStats>,
    host_stats: Arc<HostStats>,
    overheard: Overheard,
    running: JoinHandle<io::Result<()>>,
}

impl Process {
    /// Restores the actors of the node called `name` from `log` and starts them on this thread's
    /// tokio runtime.
    ///
    /// *Errors*: the log cannot be read, or belongs to other roles than the file gives the node.
    pub fn start<S, T>(
        file: &ClusterFile,
        name: &str,
        roster: &Roster,
        transport: T,
        log: FileLog<NodeRecord>,
        machine: impl FnOnce() -> S,
    ) -> io::Result<Self>
    where
        S: Machine,
        T: Transport<Message> + Send + 'static,
    {
        let node = file.node(name).map_err(io::Error::other)?;
        let deployment = file.deployment(roster).map_err(io::Error::other)?;
        let actors = file.actors(name, roster, machine).map_err(io::Error::other)?;
        let application = node.application(roster).ok_or_else(|| {
            io::Error::other(format!("`{name}` is not in the roster of the cluster"))
        })?;
        let log_stats = log.stats();
        let overheard = Overheard::default();
        let transport = Overhearing { transport, overheard: overheard.clone() };
        let mut host: Host<Node<S>, _> = Host::new(actors, transport, log, file.storage.host())?;
        let proposers = deployment.proposers.into_iter().collect();
        let (client, port) = Client::new(host.handle(), application, proposers);
        let Application { node, .. } = application;
        host.add_port(node, port)?;
        let host_stats = host.stats();
        let closing = client.clone();
        let running = tokio::spawn(async move {
            let outcome = host.run().await;
            closing.close();
            outcome
        });
        Ok(Self { client, log_stats, host_stats, overheard, running })
    }

    /// Puts commands into the log, reads, and operates the cluster.
    pub fn client(&self) -> Client {
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

    /// Who leads, as far as the process hears.
    pub(crate) fn overheard(&self) -> Overheard {
        self.overheard.clone()
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
