//! Starting a process.

use std::io;

use bpaxos::message::Message;
use bpaxos::node::{Node, NodeRecord};
use paxos::runtime::{FileLog, Host};
use paxos::state_machine::Conflicts;
use paxos::transport::Transport;

use super::BpaxosClient;
use crate::outlook::Outlook;
use crate::process::{Cast, Machine, Process};

impl Process<BpaxosClient> {
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
        S: Machine + Conflicts,
        T: Transport<Message> + Send + 'static,
    {
        let Cast { name, members, deployment, settings, .. } = cast;
        let application = members.member(name).map_err(io::Error::other)?.application();
        let actors =
            members.start_bpaxos(name, deployment, settings, machine).map_err(io::Error::other)?;
        let log_stats = log.stats();
        let outlook = Outlook::new(deployment.clone(), members.clone());
        let host: Host<Node<S>, _> = Host::new(actors, transport, log, settings.storage.host())?;
        let (client, port) = BpaxosClient::new(host.handle(), application, outlook.clone());
        Self::run(host, (application.node, port), client, log_stats, outlook)
    }
}
