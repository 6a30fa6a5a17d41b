//! The commands of the cluster itself: `KVS.STATUS`, `KVS.RECONFIGURE` and `KVS.COLLECTED`.
//!
//! They travel as Redis commands, so any Redis client can operate the cluster; `kvs status` and
//! `kvs reconfigure` are such clients.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use matchmaker::message::StatusB;
use paxos::actor::NodeId;
use paxos::message::ArchivedB;
use paxos::quorum::QuorumSystem;
use paxos::runtime::{HostStats, LogStats, Roster};
use serde::{Deserialize, Serialize};

use crate::client::{Client, OperationError};
use crate::connection::Admin;
use crate::deployment::ClusterFile;
use crate::local::acceptors_called;
use crate::process::Process;
use crate::resp::Reply;

/// How long a question to the leader may take.
const STATUS_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a reconfiguration or a collection may take.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// How a cluster is, by name. What `kvs status --json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The node that was asked.
    pub asked: String,
    /// The node that leads.
    pub leader: String,
    /// The round of the leader: number, seat of the owner, step.
    pub round: String,
    /// The acceptors that vote.
    pub acceptors: Vec<String>,
    /// The version of their configuration.
    pub version: u64,
    /// Their quorums.
    pub quorum: String,
    /// The generation of the matchmakers.
    pub matchmaker_epoch: u64,
    /// The matchmakers.
    pub matchmakers: Vec<String>,
    /// All slots below are chosen.
    pub chosen_watermark: u64,
    /// All slots below are durable on a majority of the replicas.
    pub persisted_watermark: u64,
    /// Rounds below are collected: none of their acceptors is needed.
    pub collected_watermark: String,
    /// Earlier configurations that are still needed.
    pub uncollected: u64,
    /// What each replica last reported, by node; nothing if the leader has not heard of it yet.
    pub replicas: BTreeMap<String, Option<ReplicaStatus>>,
    /// What the process that was asked has done since it started.
    pub process: ProcessStatus,
}

/// How far a replica is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// All slots below are executed.
    pub executed_watermark: u64,
    /// All slots below are durable here.
    pub persisted_watermark: u64,
}

/// What a process has done since it started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// Times that its log waited for the disk.
    pub fdatasyncs: u64,
    /// Records in its log since the start.
    pub records: u64,
    /// Bytes written to its log.
    pub log_bytes: u64,
    /// Impossible messages that were dropped.
    pub violations: u64,
}

/// What `KVS.RECONFIGURE` returns, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconfigureReport {
    /// The new acceptors.
    pub acceptors: Vec<String>,
    /// The version of their configuration.
    pub version: u64,
    /// The round that they vote in.
    pub round: String,
    /// How many earlier configurations the matchmakers knew of.
    pub history_count: u64,
    /// From the command to the new acceptors being in use.
    pub active_after_us: u64,
}

/// What `KVS.COLLECTED` returns, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectedReport {
    /// Acceptors whose machines may be switched off.
    pub retirable: Vec<String>,
    /// The evidence: rounds below are collected at a majority of the matchmakers.
    pub collected_watermark: String,
    /// From the command to the end of the collection.
    pub collected_after_us: u64,
}

/// Operates the cluster for the clients of one process.
#[derive(Clone)]
pub struct ClusterAdmin(Arc<Inner>);

struct Inner {
    node: String,
    client: Client,
    acceptors: BTreeMap<String, NodeId>,
    names: BTreeMap<NodeId, String>,
    /// The archives of all replicas, with the names of their nodes.
    replicas: BTreeMap<NodeId, String>,
    log_stats: Arc<LogStats>,
    host_stats: Arc<HostStats>,
}

impl ClusterAdmin {
    /// The operator at the node called `name`.
    pub fn new(file: &ClusterFile, roster: &Roster, name: &str, process: &Process) -> Self {
        Self(Arc::new(Inner {
            node: name.to_owned(),
            client: process.client(),
            acceptors: file.acceptors(roster),
            names: file.names(roster),
            replicas: file.replicas(roster),
            log_stats: process.log_stats(),
            host_stats: process.host_stats(),
        }))
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

impl ProcessStatus {
    fn info(&self) -> String {
        let Self { fdatasyncs, records, log_bytes, violations } = self;
        format!(
            "fdatasyncs:{fdatasyncs}\r\nlog_records:{records}\r\nlog_bytes:{log_bytes}\r\n\
             violations:{violations}\r\n"
        )
    }
}

impl Inner {
    async fn call(&self, arguments: &[Bytes]) -> Reply {
        let name = arguments.first().map(|name| name.to_ascii_uppercase()).unwrap_or_default();
        let rest: Vec<&str> =
            arguments.iter().skip(1).filter_map(|text| std::str::from_utf8(text).ok()).collect();
        if rest.len() + 1 < arguments.len() {
            return Reply::Error("ERR names of acceptors are text".into());
        }
        let outcome = match (&name[..], &rest[..]) {
            (b"KVS.STATUS", []) => self.status().await,
            (b"KVS.RECONFIGURE", [_, ..]) => self.reconfigure(&rest).await,
            (b"KVS.COLLECTED", [_, ..]) => self.collected(&rest).await,
            _ => {
                let usage = "ERR usage: KVS.STATUS | KVS.RECONFIGURE acceptor [acceptor ...] \
                             [majority|write-all|grid:COLUMNS] | KVS.COLLECTED, the same arguments";
                return Reply::Error(usage.into());
            }
        };
        match outcome {
            Ok(json) => Reply::bulk(json),
            Err(error @ OperationError::Refused(_)) => Reply::Error(format!("ERR {error}")),
            Err(error) => Reply::Error(format!("CLUSTERDOWN {error}")),
        }
    }

    async fn status(&self) -> Result<String, OperationError> {
        let status = self.client.status(STATUS_TIMEOUT).await?;
        Ok(json(&self.named(&status)))
    }

    async fn reconfigure(&self, arguments: &[&str]) -> Result<String, OperationError> {
        let (system, members) = self.target(arguments)?;
        let active = self.client.reconfigure(system, members, OPERATION_TIMEOUT).await?;
        Ok(json(&ReconfigureReport {
            acceptors: self.all_named(active.configuration.members()),
            version: active.configuration.version(),
            round: active.round.to_string(),
            history_count: active.history_count,
            active_after_us: micros(active.after),
        }))
    }

    async fn collected(&self, arguments: &[&str]) -> Result<String, OperationError> {
        let (system, members) = self.target(arguments)?;
        let collected = self.client.collected(system, members, OPERATION_TIMEOUT).await?;
        Ok(json(&CollectedReport {
            retirable: self.all_named(&collected.retirable),
            collected_watermark: collected.watermark.to_string(),
            collected_after_us: micros(collected.after),
        }))
    }

    /// The acceptors and the quorum system that the arguments of a command name.
    fn target(
        &self,
        arguments: &[&str],
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
        Ok((system, acceptors_called(names, &self.acceptors)?))
    }

    fn process(&self) -> ProcessStatus {
        ProcessStatus {
            fdatasyncs: self.log_stats.syncs.load(Ordering::Relaxed),
            records: self.log_stats.records.load(Ordering::Relaxed),
            log_bytes: self.log_stats.bytes.load(Ordering::Relaxed),
            violations: self.host_stats.violations.load(Ordering::Relaxed),
        }
    }

    fn named(&self, status: &StatusB) -> Status {
        Status {
            asked: self.node.clone(),
            leader: self.name(status.round.owner),
            round: status.round.to_string(),
            acceptors: self.all_named(status.configuration.members()),
            version: status.configuration.version(),
            quorum: format!("{:?}", status.configuration.system()).to_lowercase(),
            matchmaker_epoch: status.epoch.0,
            matchmakers: self.all_named(&status.matchmakers),
            chosen_watermark: status.chosen_watermark.0,
            persisted_watermark: status.persisted_watermark.0,
            collected_watermark: status.collected_watermark.to_string(),
            uncollected: status.history_count,
            replicas: self
                .replicas
                .iter()
                .map(|(node, name)| (name.clone(), status.archives.get(node).map(replica_status)))
                .collect(),
            process: self.process(),
        }
    }

    fn name(&self, node: NodeId) -> String {
        self.names.get(&node).cloned().unwrap_or_else(|| node.to_string())
    }

    fn all_named<'a>(&self, nodes: impl IntoIterator<Item = &'a NodeId>) -> Vec<String> {
        nodes.into_iter().map(|node| self.name(*node)).collect()
    }
}

fn replica_status(archive: &ArchivedB) -> ReplicaStatus {
    ReplicaStatus {
        executed_watermark: archive.executed_watermark.0,
        persisted_watermark: archive.persisted_watermark.0,
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings, numbers and lists only")
}
