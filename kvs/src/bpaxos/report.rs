//! What operators of a cluster that runs BPaxos are told, by name, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::admin::ProcessStatus;

/// How a cluster is, by name. What `kvs status --json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BpaxosStatus {
    /// The node that was asked.
    pub asked: String,
    /// Always `bpaxos`.
    pub protocol: String,
    /// The column of each proposer, by its node; nothing if nobody leads it. That does no harm until its
    /// proposer has commands, or somebody waits for one of its vertices.
    pub columns: BTreeMap<String, Option<ColumnStatus>>,
    /// The proposers that answered, by node: commands that wait there for a vertex or for what they depend on.
    pub proposers: BTreeMap<String, Option<u64>>,
    /// The epoch of the dependency service.
    pub dependency_epoch: u64,
    /// Its nodes.
    pub dependency_nodes: Vec<String>,
    /// The replicas, by node; nothing if one does not answer.
    pub replicas: BTreeMap<String, Option<BpaxosReplica>>,
    /// What the process that was asked has done since it started.
    pub process: ProcessStatus,
}

/// The log of one proposer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnStatus {
    /// The node that leads it: that of the proposer, or one that has taken it over.
    pub leader: String,
    /// The round of the leader.
    pub round: String,
    /// The acceptors that vote.
    pub acceptors: Vec<String>,
    /// The version of their configuration.
    pub version: u64,
    /// Their quorums.
    pub quorum: String,
    /// Whether they can work while one of the nodes that host them is down, whichever it is.
    pub tolerates_failure: bool,
    /// All vertices below are chosen.
    pub chosen_watermark: u64,
    /// All vertices below are durable on a majority of the replicas.
    pub persisted_watermark: u64,
    /// Earlier configurations that are still needed.
    pub uncollected: u64,
}

/// A replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BpaxosReplica {
    /// Commands that it has executed since it started, repeats not counted.
    pub executed: u64,
    /// Vertices that are committed and wait for others.
    pub waiting: u64,
    /// Some of the vertices that they wait for: node of the proposer, and slot.
    pub blocked_by: Vec<String>,
}

/// What `KVS.RECONFIGURE` returns, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BpaxosReconfigured {
    /// The new acceptors, of every column.
    pub acceptors: Vec<String>,
    /// Whether they can work while one of the nodes that host them is down, whichever it is.
    pub tolerates_failure: bool,
    /// What `KVS.COLLECTED` is asked about.
    pub operation: u64,
    /// Each column, by the node of its proposer.
    pub columns: BTreeMap<String, ColumnActive>,
}

/// New acceptors of a column are in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnActive {
    /// The version of their configuration.
    pub version: u64,
    /// The round that they vote in.
    pub round: String,
    /// From the command to the new acceptors being in use.
    pub active_after_us: u64,
}

/// What `KVS.COLLECTED` returns, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BpaxosCollected {
    /// Acceptors that no column needs any more: their machines may be switched off.
    pub retirable: Vec<String>,
    /// From the command to the end of the last collection.
    pub collected_after_us: u64,
}

/// What `KVS.DEPENDENCIES` returns, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DependencyReport {
    /// The nodes that tell what conflicts, from now on.
    pub dependency_nodes: Vec<String>,
    /// Their epoch.
    pub epoch: u64,
    /// Whether they can work while any one of them is down.
    pub tolerates_failure: bool,
    /// From the command to the end of the handover.
    pub finished_after_us: u64,
}

/// What `KVS.MATCHMAKERS` returns, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchmakersReport {
    /// The matchmakers of all columns, from now on.
    pub matchmakers: Vec<String>,
    /// Proposers that have not confirmed that they know: the earlier matchmakers must run until they have.
    pub unaware: Vec<String>,
    /// Whether they can work while any one of them is down.
    pub tolerates_failure: bool,
    /// From the command to the end of the handover.
    pub finished_after_us: u64,
}
