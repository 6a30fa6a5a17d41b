//! The commands of the cluster itself: `KVS.STATUS`, `KVS.RECONFIGURE` and the others.
//!
//! They travel as Redis commands, so any Redis client can operate the cluster; `kvs status`,
//! `kvs reconfigure` and `kvs handover` are such clients.

mod backup;
mod change;
mod exchange;
mod healing;
mod matchmakers;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use matchmaker::message::StatusB;
use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::message::ArchivedB;
use paxos::quorum::QuorumSystem;
use paxos::runtime::{Candidates, Connections, HostStats, LogStats};
use serde::Serialize;

use self::backup::Taking;
use self::exchange::Wish;
use crate::client::{Client, Collection, OperationError};
use crate::connection::Admin;
use crate::deployment::Quorum;
use crate::local::{OPERATION_TIMEOUT, acceptors_called};
use crate::outlook::Outlook;
use crate::process::Process;
use crate::resp::Reply;

pub(crate) use matchmakers::actors_called;

pub use healing::{HealingStatus, LastHealing};
pub use report::{
    BackupReport, ChangeReport, CollectedReport, HandoverReport, LastLeader, LeaderlessStatus,
    PeerStatus, ProcessStatus, ReconfigureReport, ReplicaStatus, Status,
};

/// How long a question to the leader may take.
const STATUS_TIMEOUT: Duration = Duration::from_secs(2);

/// Collections that are kept for operators who may ask; the earliest is forgotten beyond that.
const COLLECTIONS_MAX: usize = 64;

/// Operates the cluster for the clients of one process.
#[derive(Clone)]
pub struct ClusterAdmin(Arc<Inner>);

struct Inner {
    node: String,
    cluster: String,
    value_bytes_max: usize,
    client: Client,
    outlook: Outlook,
    connections: Connections,
    /// Processes that want to join.
    candidates: Candidates,
    /// Collections that an operator may ask about, by the version of the configuration in use.
    collections: Mutex<BTreeMap<u64, Collection>>,
    /// The backup that is being taken here.
    backup: tokio::sync::Mutex<Option<Taking>>,
    log_stats: Arc<LogStats>,
    host_stats: Arc<HostStats>,
}

impl ClusterAdmin {
    /// The operator at the node called `name` of a cluster in which values have so many bytes at most,
    /// whose process has `connections`.
    pub fn new(
        (name, cluster, value_bytes_max): (&str, &str, usize),
        process: &Process<Client>,
        connections: Connections,
        candidates: Candidates,
    ) -> Self {
        Self(Arc::new(Inner {
            node: name.to_owned(),
            cluster: cluster.to_owned(),
            value_bytes_max,
            client: process.client(),
            outlook: process.outlook(),
            connections,
            candidates,
            collections: Mutex::default(),
            backup: tokio::sync::Mutex::default(),
            log_stats: process.log_stats(),
            host_stats: process.host_stats(),
        }))
    }
}

impl ClusterAdmin {
    /// Hands the leadership on before the process stops, if it has it and another one takes it.
    pub async fn leave(&self) {
        self.0.leave().await;
    }
}

impl Admin for ClusterAdmin {
    fn call(&self, arguments: Vec<Bytes>) -> impl Future<Output = Reply> + Send + 'static {
        let inner = Arc::clone(&self.0);
        async move { inner.call(&arguments).await }
    }

    fn replication_info(&self) -> String {
        format!("role:master\r\nnode:{}\r\n{}", self.0.node, self.0.process().info())
    }
}

impl Inner {
    async fn call(&self, arguments: &[Bytes]) -> Reply {
        let Some(words) = words(arguments) else {
            return Reply::Error("ERR names are text".into());
        };
        let name = words.first().map(|name| name.to_ascii_uppercase()).unwrap_or_default();
        let outcome = match (name.as_str(), words.get(1..).unwrap_or_default()) {
            ("KVS.STATUS", []) => self.status().await,
            ("KVS.RECONFIGURE", rest @ [_, ..]) => self.reconfigure(rest).await,
            ("KVS.COLLECTED", [version]) => self.collected(version).await,
            ("KVS.MATCHMAKERS", rest @ [_, ..]) => self.hand_over(rest).await,
            ("KVS.ADD", [name]) => self.change(Wish::Add(name)).await,
            ("KVS.REPLACE", [old, new]) => self.change(Wish::Replace(old, new)).await,
            ("KVS.REMOVE", [name]) => self.change(Wish::Remove(name)).await,
            ("KVS.MOVE", [name, address]) => self.change(Wish::Move(name, address)).await,
            ("KVS.TRANSFER", [name]) => self.transfer(name).await,
            ("KVS.DRAIN", []) => self.drain().await,
            ("KVS.BACKUP", []) => self.begin_backup().await,
            ("KVS.CHUNK", [slot]) => return self.next_chunk(slot).await,
            ("KVS.DEPENDENCIES", [_, ..]) => Err(OperationError::Refused(
                "KVS.DEPENDENCIES is not there with the protocol matchmaker, which has no dependency \
                 nodes: acceptors move with KVS.RECONFIGURE, matchmakers with KVS.MATCHMAKERS"
                    .into(),
            )),
            _ => {
                let usage = "ERR usage: KVS.STATUS | KVS.RECONFIGURE acceptor [acceptor ...] \
                             [majority|write-all|grid:COLUMNS] | KVS.COLLECTED version | \
                             KVS.MATCHMAKERS node [node ...] | KVS.ADD \
                             node | KVS.REPLACE node node | KVS.REMOVE node | KVS.MOVE node \
                             address | KVS.TRANSFER node | KVS.DRAIN | KVS.BACKUP | KVS.CHUNK \
                             slot; a change of members takes \
                             one step for each call, until it says that it is done";
                return Reply::Error(usage.into());
            }
        };
        reply(outcome)
    }

    async fn status(&self) -> Result<String, OperationError> {
        match self.client.status(STATUS_TIMEOUT).await {
            Ok(status) => Ok(json(&self.named(&status))),
            Err(OperationError::TimedOut) => Ok(json(&self.leaderless())),
            Err(error) => Err(error),
        }
    }

    /// What this node knows by itself.
    fn leaderless(&self) -> LeaderlessStatus {
        let connected = self.connections.connected();
        let known = self.outlook.known();
        let peers = known.members.all().filter(|member| member.name != self.node).map(|member| {
            let is_connected = connected.get(&member.name).copied().unwrap_or(false);
            (member.name.clone(), PeerStatus { is_connected, plays: member.plays() })
        });
        LeaderlessStatus {
            asked: self.node.clone(),
            leader: (),
            waited_ms: millis(STATUS_TIMEOUT),
            last_leader: self.outlook.last_leader().map(|(round, age)| LastLeader {
                node: self.name(round.owner),
                round: round.to_string(),
                heard_ms_ago: millis(age),
            }),
            peers: peers.collect(),
            process: self.process(),
        }
    }

    async fn reconfigure(&self, arguments: &[&str]) -> Result<String, OperationError> {
        let acceptors = self.outlook.known().members.acceptors();
        let (system, members) = target(arguments, &acceptors)?;
        let reconfigured = self.client.reconfigure(system, members, None, OPERATION_TIMEOUT).await;
        let (active, collection) = reconfigured.map_err(|error| match error {
            OperationError::Unreachable(silent) => self.silent(&silent),
            error => error,
        })?;
        self.keep_collection(active.configuration.version(), collection);
        Ok(json(&ReconfigureReport {
            acceptors: self.all_named(active.configuration.members()),
            tolerates_failure: tolerates_failure(&active.configuration),
            version: active.configuration.version(),
            round: active.round.to_string(),
            history_count: active.history_count,
            active_after_us: micros(active.after),
        }))
    }

    fn silent(&self, silent: &BTreeSet<NodeId>) -> OperationError {
        let silent = self.all_named(silent).join(" ");
        OperationError::Refused(format!(
            "{silent} do not answer, and nothing could be written without them: start them, or name \
             others; the acceptors were not replaced"
        ))
    }

    async fn collected(&self, version: &str) -> Result<String, OperationError> {
        let known = version.parse().ok().and_then(|version: u64| self.take_collection(version));
        let collection = known.ok_or_else(|| {
            let text = format!(
                "nobody waits for the collection before version `{version}` here: ask the node that \
                 the acceptors were replaced at, once; KVS.STATUS shows what is collected"
            );
            OperationError::Refused(text)
        })?;
        let collected = collection.finished(OPERATION_TIMEOUT).await?;
        Ok(json(&CollectedReport {
            retirable: self.all_named(&collected.retirable),
            collected_watermark: collected.watermark.to_string(),
            collected_after_us: micros(collected.after),
        }))
    }

    fn keep_collection(&self, version: u64, collection: Collection) {
        let mut collections = self.collections.lock().unwrap_or_else(PoisonError::into_inner);
        collections.insert(version, collection);
        while collections.len() > COLLECTIONS_MAX {
            collections.pop_first();
        }
    }

    fn take_collection(&self, version: u64) -> Option<Collection> {
        self.collections.lock().unwrap_or_else(PoisonError::into_inner).remove(&version)
    }

    fn process(&self) -> ProcessStatus {
        ProcessStatus::of(&self.log_stats, &self.host_stats)
    }

    fn named(&self, status: &StatusB) -> Status {
        let known = self.outlook.known();
        let staying = known.members.all().filter(|member| !member.is_leaving);
        Status {
            asked: self.node.clone(),
            leader: self.name(status.round.owner),
            round: status.round.to_string(),
            acceptors: self.all_named(status.configuration.members()),
            version: status.configuration.version(),
            quorum: Quorum::from(status.configuration.system()).to_string(),
            tolerates_failure: tolerates_failure(&status.configuration),
            matchmaker_epoch: status.epoch.0,
            matchmakers: self.all_named(&status.matchmakers),
            chosen_watermark: status.chosen_watermark.0,
            persisted_watermark: status.persisted_watermark.0,
            collected_watermark: status.collected_watermark.to_string(),
            uncollected: status.history_count,
            clients: staying
                .filter_map(|member| Some((member.name.clone(), member.client.clone()?)))
                .collect(),
            replicas: known
                .members
                .replicas()
                .into_iter()
                .map(|(node, name)| (name, status.archives.get(&node).map(replica_status)))
                .collect(),
            quarantined: status
                .quarantined
                .iter()
                .map(|(node, slot)| (self.name(*node), slot.0))
                .collect(),
            disputed_at: status.disputed_at.map(|slot| slot.0),
            healing: self.healing(&status.healing),
            process: self.process(),
        }
    }

    fn name(&self, node: NodeId) -> String {
        self.outlook.name(node)
    }

    fn all_named<'a>(&self, nodes: impl IntoIterator<Item = &'a NodeId>) -> Vec<String> {
        self.outlook.all_named(nodes)
    }
}

/// The words of a command; none if one of them is no text.
pub(crate) fn words(arguments: &[Bytes]) -> Option<Vec<&str>> {
    arguments.iter().map(|word| std::str::from_utf8(word).ok()).collect()
}

/// What a client is told.
pub(crate) fn reply(outcome: Result<String, OperationError>) -> Reply {
    match outcome {
        Ok(json) => Reply::bulk(json),
        Err(error @ OperationError::Refused(_)) => Reply::Error(format!("ERR {error}")),
        Err(error) => Reply::Error(format!("CLUSTERDOWN {error}")),
    }
}

/// The acceptors and the quorum system that the arguments of a command name.
///
/// *Errors*: as those of [`acceptors_called`]; or there is no such quorum system.
pub(crate) fn target(
    arguments: &[&str],
    acceptors: &BTreeMap<String, NodeId>,
) -> Result<(QuorumSystem, BTreeSet<NodeId>), OperationError> {
    let (system, names) = match arguments {
        [names @ .., "majority"] => (QuorumSystem::Majority, names),
        [names @ .., "write-all"] => (QuorumSystem::WriteAll, names),
        [names @ .., last] if last.starts_with("grid:") => {
            let columns = last["grid:".len()..].parse().map_err(|_| {
                let text = format!("`{last}` is no grid: write grid:COLUMNS, such as grid:3");
                OperationError::Refused(text)
            })?;
            (QuorumSystem::Grid { columns }, names)
        }
        names => (QuorumSystem::Majority, names),
    };
    Ok((system, acceptors_called(names, acceptors)?))
}

/// Whether the members without those of any one process contain quorums of both phases.
pub(crate) fn tolerates_failure(configuration: &Configuration) -> bool {
    let members = configuration.members();
    members.iter().all(|failed| {
        // The acceptors of a process have its incarnation, and fail together.
        let others = members.iter().filter(|member| member.incarnation != failed.incarnation);
        let others = configuration.members_among(others);
        configuration.is_phase1(others) && configuration.is_phase2(others)
    })
}

fn replica_status(archive: &ArchivedB) -> ReplicaStatus {
    ReplicaStatus {
        executed_watermark: archive.executed_watermark.0,
        persisted_watermark: archive.persisted_watermark.0,
        snapshot_watermark: archive.base.0,
        snapshot_chunks: archive.chunk_count,
    }
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings, numbers and lists only")
}

#[cfg(test)]
mod tests {
    use paxos::actor::{Incarnation, Seat};

    use super::*;

    #[test]
    fn a_configuration_that_one_failure_stops_is_recognized() {
        for (system, hosts, expected) in [
            (QuorumSystem::Majority, &[1][..], false),
            (QuorumSystem::Majority, &[1, 2], false),
            (QuorumSystem::Majority, &[1, 2, 3], true),
            (QuorumSystem::Majority, &[1, 1, 2], false),
            (QuorumSystem::Majority, &[1, 1, 2, 2, 3], true),
            (QuorumSystem::WriteAll, &[1, 2, 3], false),
            (QuorumSystem::Grid { columns: 3 }, &[1, 2, 3, 4, 5, 6], true),
            (QuorumSystem::Grid { columns: 3 }, &[1, 2, 3], false),
        ] {
            let members = (0..).zip(hosts);
            let members = members.map(|(seat, host)| NodeId::new(Seat(seat), Incarnation(*host)));
            let configuration = Configuration::new(1, system, members).expect("a possible one");
            assert_eq!(tolerates_failure(&configuration), expected, "{system:?} on {hosts:?}");
        }
    }
}
