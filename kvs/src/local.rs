//! A whole cluster in one program: three processes that talk through memory and write to disk.
//!
//! The way to embed the library, and what `kvs` runs without arguments. Everything is as in a real
//! cluster but the wires: every process has its own data directory, log and disk thread.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::Duration;

use paxos::actor::NodeId;
use paxos::quorum::QuorumSystem;
use paxos::runtime::{ChannelTransport, DataDir, FileLog, FileLogOptions, Network, found_together};
use paxos::slot::Slot;
use paxos::state_machine::Conflicts;
use paxos::wire::{Decode, Encode, Frame};

use crate::bpaxos::BpaxosClient;
use crate::client::{Active, Client, Collection, OperationError};
use crate::deployment::{ClusterFile, Members, Protocol, Role};
use crate::process::{Cast, Handle, Machine, Process};

/// How long an operation on the cluster may take.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// Segments of the log of one process, in bytes. Three processes share a disk.
const SEGMENT_BYTES: u64 = 16 << 20;

/// A cluster of three processes in one program, with clients of type `C`: two proposers, three
/// matchmakers, six acceptors of which three vote, three replicas. With BPaxos there are three proposers,
/// and three dependency nodes.
pub struct LocalCluster<C = Client> {
    file: ClusterFile,
    members: Members,
    processes: Vec<Process<C>>,
}

impl LocalCluster {
    /// Starts the cluster in `directory`, or starts it again with what it finds there. Every replica
    /// begins with a state machine from `machine`, and installs and executes what its log holds.
    ///
    /// *Errors*: the directory cannot be used, or holds something else, or a part of it was wiped;
    /// another program has it; a log in it is damaged. The text names the file.
    pub fn open<S: Machine>(directory: &Path, machine: impl Fn() -> S) -> io::Result<Self> {
        Self::open_with(directory, Protocol::Matchmaker, |cast, endpoint, log| {
            Process::<Client>::start(cast, endpoint, log, &machine)
        })
    }
}

impl LocalCluster<BpaxosClient> {
    /// The same with BPaxos.
    ///
    /// *Errors*: as those of [`open`](LocalCluster::open); or the directory belongs to a cluster that was
    /// founded with another protocol.
    pub fn open_bpaxos<S: Machine + Conflicts>(
        directory: &Path,
        machine: impl Fn() -> S,
    ) -> io::Result<Self> {
        Self::open_with(directory, Protocol::Bpaxos, |cast, endpoint, log| {
            Process::<BpaxosClient>::start(cast, endpoint, log, &machine)
        })
    }
}

impl<C: Handle> LocalCluster<C> {
    fn open_with<M, R>(
        directory: &Path,
        protocol: Protocol,
        start: impl Fn(&Cast, ChannelTransport<M>, FileLog<R>) -> io::Result<Process<C>>,
    ) -> io::Result<Self>
    where
        R: Encode + Decode<Frame>,
    {
        let file = description(protocol)?;
        let mut data_dirs = Vec::new();
        for node in &file.nodes {
            let data_dir = DataDir::open(directory.join(&node.name), &file.cluster, &node.name)?;
            let founded = protocol.check_founded(data_dir.charter(), data_dir.path());
            founded.map_err(io::Error::other)?;
            data_dirs.push(data_dir);
        }
        let roster = found_together(&mut data_dirs, &file.charter())?;
        let members = file.members(&roster);
        let deployment = file.deployment(&members, Slot::ZERO).map_err(io::Error::other)?;
        let network = Network::new();
        let mut processes = Vec::new();
        for data_dir in &mut data_dirs {
            let member = members.member(data_dir.node()).map_err(io::Error::other)?;
            let incarnation = data_dir.incarnation();
            let endpoint =
                network.endpoint(member.seats().map(|seat| NodeId::new(seat, incarnation)));
            let options = FileLogOptions { segment_bytes: SEGMENT_BYTES };
            let log = FileLog::open(data_dir, options)?;
            let cast = Cast {
                name: member.name.clone(),
                members: members.clone(),
                deployment: deployment.clone(),
                founders: Some(members.founders()),
                settings: file.settings(),
            };
            processes.push(start(&cast, endpoint, log)?);
        }
        Ok(Self { file, members, processes })
    }

    /// A client of the process number `index`, from zero; all are equal.
    pub fn client(&self, index: usize) -> C {
        self.processes[index % self.processes.len()].client()
    }

    /// The description of the cluster.
    pub fn file(&self) -> &ClusterFile {
        &self.file
    }

    /// Who is who.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// The processes, in the order of the file.
    pub fn processes(&self) -> &[Process<C>] {
        &self.processes
    }

    /// Waits until a process ends by itself, which it does on an error only.
    ///
    /// *Errors*: that error.
    pub async fn ended(&mut self) -> io::Result<()> {
        let mut ends: Vec<_> =
            self.processes.iter_mut().map(|process| Box::pin(process.ended())).collect();
        std::future::poll_fn(|context| {
            for end in &mut ends {
                if let std::task::Poll::Ready(outcome) = end.as_mut().poll(context) {
                    return std::task::Poll::Ready(outcome);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }

    /// Stops every process once what it did is durable.
    ///
    /// *Errors*: of the disk; all processes are stopped all the same.
    pub async fn stop(self) -> io::Result<()> {
        let mut outcome = Ok(());
        for process in self.processes {
            outcome = outcome.and(process.stop().await);
        }
        outcome
    }
}

impl LocalCluster {
    /// Replaces the acceptors by those called `names` (of `a1` to `a6`), and returns when they are in
    /// use; the [`Collection`] tells when the earlier ones are not needed any more.
    ///
    /// *Errors*: an unknown name, or as [`Client::reconfigure`].
    pub async fn reconfigure(
        &self,
        names: &[&str],
    ) -> Result<(Active, Collection), OperationError> {
        let members = acceptors_called(names, &self.members.acceptors())?;
        self.client(0).reconfigure(QuorumSystem::Majority, members, None, OPERATION_TIMEOUT).await
    }
}

/// The cluster of this program.
fn description(protocol: Protocol) -> io::Result<ClusterFile> {
    const CLIENT_PORT_UNUSED: u16 = 6380;
    let file =
        ClusterFile::on_loopback("local", 3, 6, CLIENT_PORT_UNUSED).map_err(io::Error::other)?;
    let mut file = file.with_protocol(protocol);
    if protocol == Protocol::Matchmaker
        && let Some(last) = file.nodes.last_mut()
    {
        last.roles.retain(|role| *role != Role::Proposer);
    }
    Ok(file)
}

/// The acceptors called `names` among `known`.
///
/// *Errors*: a name that is not known, of which the text lists those that are; or one that is repeated,
/// because there would be fewer acceptors than were asked for.
pub(crate) fn acceptors_called(
    names: &[&str],
    known: &BTreeMap<String, NodeId>,
) -> Result<BTreeSet<NodeId>, OperationError> {
    let mut called = BTreeSet::new();
    for name in names {
        let Some(node) = known.get(*name) else {
            let all: Vec<&str> = known.keys().map(String::as_str).collect();
            let all = all.join(", ");
            let text = format!("there is no acceptor `{name}`; there are {all}");
            return Err(OperationError::Refused(text));
        };
        if !called.insert(*node) {
            let text = format!("the acceptor `{name}` is named twice: it votes once; name others");
            return Err(OperationError::Refused(text));
        }
    }
    Ok(called)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, StoreLimits};

    #[tokio::test]
    async fn a_directory_is_kept_for_its_protocol() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = || Store::partially_ordered(StoreLimits::default());
        let cluster = LocalCluster::open_bpaxos(directory.path(), store).expect("a new cluster");
        cluster.stop().await.expect("stopped");
        let refused = LocalCluster::open(directory.path(), Store::default).err().expect("refused");
        let expected = "founded with the protocol bpaxos, and is started with matchmaker";
        assert!(refused.to_string().contains(expected), "{refused}");
        let cluster = LocalCluster::open_bpaxos(directory.path(), store).expect("the same cluster");
        cluster.stop().await.expect("stopped");
    }
}
