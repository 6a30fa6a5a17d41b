//! What operators are told, by name, as JSON.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use paxos::runtime::{HostStats, LogStats};
use serde::{Deserialize, Serialize};

use super::HealingStatus;

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
    /// Whether they can work while one of the nodes that host them is down, whichever it is.
    pub tolerates_failure: bool,
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
    /// Where Redis clients reach the members, by node.
    pub clients: BTreeMap<String, String>,
    /// What each replica last reported, by node; nothing if the leader has not heard of it yet.
    pub replicas: BTreeMap<String, Option<ReplicaStatus>>,
    /// Nodes whose replica has executed something else than the majority, and takes no part; with the slot
    /// below which it was noticed.
    pub quarantined: BTreeMap<String, u64>,
    /// All replicas differ below this slot, and no majority tells who is right.
    pub disputed_at: Option<u64>,
    /// Who does not answer the leader, and what it did about it.
    pub healing: HealingStatus,
    /// What the process that was asked has done since it started.
    pub process: ProcessStatus,
}

/// What one node knows when no leader answers it. What `KVS.STATUS` returns then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaderlessStatus {
    /// The node that was asked.
    pub asked: String,
    /// Always null: no leader answered the node in time.
    pub leader: (),
    /// How long it waited for one.
    pub waited_ms: u64,
    /// The leader that it last heard, if it heard one since it started.
    pub last_leader: Option<LastLeader>,
    /// The other nodes.
    pub peers: BTreeMap<String, PeerStatus>,
    /// What the process has done since it started.
    pub process: ProcessStatus,
}

/// A leader that was heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastLeader {
    /// Its node.
    pub node: String,
    /// Its round.
    pub round: String,
    /// How long ago it was heard.
    pub heard_ms_ago: u64,
}

/// Another node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Whether the node that was asked has a connection to it.
    pub is_connected: bool,
    /// What is missing without it: its roles and acceptors.
    pub plays: String,
}

/// How far a replica is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// All slots below are executed.
    pub executed_watermark: u64,
    /// All slots below are durable here.
    pub persisted_watermark: u64,
    /// All slots below are in its snapshot; their values are gone.
    pub snapshot_watermark: u64,
    /// Chunks of a later snapshot that it has written down so far; zero if it is not writing one.
    pub snapshot_chunks: u64,
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
    /// Size of its log, as of the last write.
    pub log_size_bytes: u64,
    /// Times that its log was compacted.
    pub log_compactions: u64,
    /// Impossible messages that were dropped.
    pub violations: u64,
}

/// What `KVS.RECONFIGURE` returns, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconfigureReport {
    /// The new acceptors.
    pub acceptors: Vec<String>,
    /// Whether they can work while one of the nodes that host them is down, whichever it is.
    pub tolerates_failure: bool,
    /// The version of their configuration.
    pub version: u64,
    /// The round that they vote in.
    pub round: String,
    /// How many earlier configurations the matchmakers knew of.
    pub history_count: u64,
    /// From the command to the new acceptors being in use.
    pub active_after_us: u64,
}

/// What one call of `KVS.ADD`, `KVS.REPLACE`, `KVS.REMOVE`, `KVS.MOVE`, `KVS.TRANSFER` or `KVS.DRAIN`
/// returns, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeReport {
    /// The step that was taken: `admit`, `catch up`, `hand over`, `transfer`, `switch`, `collect`,
    /// `wait`, `drain` or `done`.
    pub step: String,
    /// How things are now.
    pub text: String,
    /// Whether there is nothing more to do. Else call again.
    pub is_done: bool,
    /// The version of the configuration.
    pub version: u64,
}

/// What `KVS.COLLECTED` returns, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectedReport {
    /// Acceptors whose machines may be switched off.
    pub retirable: Vec<String>,
    /// The evidence: rounds below are collected at a majority of the matchmakers.
    pub collected_watermark: String,
    /// From the reconfiguration's command to the end of the collection.
    pub collected_after_us: u64,
}

/// What `KVS.MATCHMAKERS` returns, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoverReport {
    /// The nodes whose matchmakers serve now.
    pub matchmakers: Vec<String>,
    /// Their generation.
    pub epoch: u64,
    /// Whether they can work while any one of them is down.
    pub tolerates_failure: bool,
    /// Nodes whose matchmakers are not needed any more.
    pub retirable: Vec<String>,
    /// Nodes whose proposers have not confirmed that they know the new ones; until they do nothing is
    /// retirable.
    pub unaware: Vec<String>,
    /// From the command to the end of the handover.
    pub finished_after_us: u64,
}

/// What `KVS.BACKUP` returns, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReport {
    /// The node whose state it is.
    pub node: String,
    /// The cluster.
    pub cluster: String,
    /// The longest value that its replicas accept, in bytes.
    pub value_bytes_max: u64,
    /// All slots below are in it. `KVS.CHUNK` takes it.
    pub slot: u64,
}

impl ProcessStatus {
    /// What the log and the host of a process say.
    pub(crate) fn of(log_stats: &LogStats, host_stats: &HostStats) -> Self {
        Self {
            fdatasyncs: log_stats.syncs.load(Ordering::Relaxed),
            records: log_stats.records.load(Ordering::Relaxed),
            log_bytes: log_stats.bytes.load(Ordering::Relaxed),
            log_size_bytes: host_stats.log_bytes.load(Ordering::Relaxed),
            log_compactions: host_stats.compactions.load(Ordering::Relaxed),
            violations: host_stats.violations.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn info(&self) -> String {
        let Self { fdatasyncs, records, log_bytes, log_size_bytes, log_compactions, violations } =
            self;
        format!(
            "fdatasyncs:{fdatasyncs}\r\nlog_records:{records}\r\nlog_bytes:{log_bytes}\r\n\
             log_size_bytes:{log_size_bytes}\r\nlog_compactions:{log_compactions}\r\n\
             violations:{violations}\r\n"
        )
    }
}
