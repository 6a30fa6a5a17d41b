//! The commands of the cluster itself: `KVS.STATUS`, and those that replace acceptors, matchmakers and
//! dependency nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bpaxos::message::{MatchmakersOutcome, ReplicaB};
use bpaxos::vertex::Vertex;
use bytes::Bytes;
use matchmaker::message::StatusB;
use paxos::actor::NodeId;
use paxos::runtime::{HostStats, LogStats};

use super::BpaxosClient;
use super::questions::Collection;
use super::report::{
    BpaxosCollected, BpaxosReconfigured, BpaxosReplica, BpaxosStatus, ColumnActive, ColumnStatus,
    DependencyReport, MatchmakersReport,
};
use crate::admin::{self, ProcessStatus, actors_called, json, micros, tolerates_failure};
use crate::client::OperationError;
use crate::connection::Admin;
use crate::deployment::{Member, Protocol, Quorum};
use crate::local::OPERATION_TIMEOUT;
use crate::outlook::Outlook;
use crate::process::Process;
use crate::resp::Reply;

/// How long a status waits for those that do not answer.
const STATUS_TIMEOUT: Duration = Duration::from_secs(1);

/// Collections that are kept for operators who may ask; the earliest is forgotten beyond that.
const COLLECTIONS_MAX: usize = 16;

const USAGE: &str = "ERR usage: KVS.STATUS | KVS.RECONFIGURE acceptor [acceptor ...] \
                     [majority|write-all|grid:COLUMNS] | KVS.COLLECTED operation | \
                     KVS.MATCHMAKERS node [node ...] | KVS.DEPENDENCIES node [node ...]";

/// Operates the cluster for the clients of one process.
#[derive(Clone)]
pub struct BpaxosAdmin(Arc<Inner>);

struct Inner {
    node: String,
    client: BpaxosClient,
    outlook: Outlook,
    /// Collections that an operator may ask about, and the number of the next one.
    collections: Mutex<(u64, BTreeMap<u64, Collection>)>,
    log_stats: Arc<LogStats>,
    host_stats: Arc<HostStats>,
}

impl BpaxosAdmin {
    /// The operator at the node called `name`.
    pub fn new(name: &str, process: &Process<BpaxosClient>) -> Self {
        Self(Arc::new(Inner {
            node: name.to_owned(),
            client: process.client(),
            outlook: process.outlook(),
            collections: Mutex::default(),
            log_stats: process.log_stats(),
            host_stats: process.host_stats(),
        }))
    }
}

impl Admin for BpaxosAdmin {
    fn call(&self, arguments: Vec<Bytes>) -> impl Future<Output = Reply> + Send + 'static {
        let inner = Arc::clone(&self.0);
        async move { inner.call(&arguments).await }
    }

    fn replication_info(&self) -> String {
        let Inner { node, client, .. } = &*self.0;
        let (columns, protocol) = (client.proposers().len(), Protocol::Bpaxos);
        let process = self.0.process().info();
        format!(
            "role:master\r\nnode:{node}\r\nprotocol:{protocol}\r\ncolumns:{columns}\r\n{process}"
        )
    }
}

impl Inner {
    async fn call(&self, arguments: &[Bytes]) -> Reply {
        let Some(words) = admin::words(arguments) else {
            return Reply::Error("ERR names are text".into());
        };
        let name = words.first().map(|name| name.to_ascii_uppercase()).unwrap_or_default();
        let outcome = match (name.as_str(), words.get(1..).unwrap_or_default()) {
            ("KVS.STATUS", []) => self.status().await,
            ("KVS.RECONFIGURE", rest @ [_, ..]) => self.reconfigure(rest).await,
            ("KVS.COLLECTED", [operation]) => self.collected(operation).await,
            ("KVS.MATCHMAKERS", nodes @ [_, ..]) => self.move_matchmakers(nodes).await,
            ("KVS.DEPENDENCIES", nodes @ [_, ..]) => self.move_service(nodes).await,
            (name, _) => Err(OperationError::Refused(
                missing(name).unwrap_or_else(|| USAGE.replacen("ERR ", "", 1)),
            )),
        };
        admin::reply(outcome)
    }

    async fn status(&self) -> Result<String, OperationError> {
        let told = self.client.status(STATUS_TIMEOUT).await?;
        let proposers = self.client.proposers();
        let service = told.proposers.values().map(|m| &m.service).max_by_key(|s| s.epoch).cloned();
        let service = service.unwrap_or_else(|| self.outlook.known().members.dependency_service());
        let columns = proposers.iter().map(|owner| {
            let column = told.columns.iter().find(|(column, _)| column.0 == *owner);
            (self.outlook.name(*owner), column.map(|(_, status)| self.column(status)))
        });
        let waiting = proposers.iter().map(|node| {
            let m = told.proposers.get(node);
            (self.outlook.name(*node), m.map(|m| m.requests_count + m.collecting_count))
        });
        let replicas = self.client.replicas();
        let replicas = replicas.iter().map(|node| {
            let m = told.replicas.get(node);
            (self.outlook.name(*node), m.map(|m| self.replica(m)))
        });
        Ok(json(&BpaxosStatus {
            asked: self.node.clone(),
            protocol: Protocol::Bpaxos.to_string(),
            columns: columns.collect(),
            proposers: waiting.collect(),
            dependency_epoch: service.epoch.0,
            dependency_nodes: self.outlook.all_named(&service.members),
            replicas: replicas.collect(),
            process: self.process(),
        }))
    }

    fn column(&self, status: &StatusB) -> ColumnStatus {
        ColumnStatus {
            leader: self.outlook.name(status.round.owner),
            round: status.round.to_string(),
            acceptors: self.outlook.all_named(status.configuration.members()),
            version: status.configuration.version(),
            quorum: Quorum::from(status.configuration.system()).to_string(),
            tolerates_failure: tolerates_failure(&status.configuration),
            chosen_watermark: status.chosen_watermark.0,
            persisted_watermark: status.persisted_watermark.0,
            uncollected: status.history_count,
        }
    }

    fn replica(&self, m: &ReplicaB) -> BpaxosReplica {
        let vertex =
            |Vertex { column, slot }: &Vertex| format!("{}:{slot}", self.outlook.name(column.0));
        BpaxosReplica {
            executed: m.executed_count,
            waiting: m.waiting_count,
            blocked_by: m.missing.iter().map(vertex).collect(),
        }
    }

    async fn reconfigure(&self, arguments: &[&str]) -> Result<String, OperationError> {
        let acceptors = self.outlook.known().members.acceptors();
        let (system, members) = admin::target(arguments, &acceptors)?;
        let moved = self.client.reconfigure(system, &members, OPERATION_TIMEOUT).await;
        let (active, collection) = moved.map_err(|error| match error {
            OperationError::Unreachable(silent) => self.silent(&silent),
            OperationError::TimedOut => self.unmoved(),
            error => error,
        })?;
        let columns = active.iter().map(|(column, active)| {
            let report = ColumnActive {
                version: active.configuration.version(),
                round: active.round.to_string(),
                active_after_us: micros(active.after),
            };
            (self.outlook.name(column.0), report)
        });
        let is_tolerant =
            |active: &super::questions::Active| tolerates_failure(&active.configuration);
        Ok(json(&BpaxosReconfigured {
            acceptors: self.outlook.all_named(&members),
            tolerates_failure: active.values().all(is_tolerant),
            operation: self.keep_collection(collection),
            columns: columns.collect(),
        }))
    }

    fn silent(&self, silent: &BTreeSet<NodeId>) -> OperationError {
        OperationError::Refused(format!(
            "{} do not answer, and nothing could be written without them: start them, or name others; \
             columns that have not moved keep their acceptors, and asking twice is harmless",
            self.outlook.all_named(silent).join(" ")
        ))
    }

    fn unmoved(&self) -> OperationError {
        OperationError::Refused(
            "not every column has moved in time: see by KVS.STATUS which nodes are missing and which \
             acceptors each column has, start them, and ask again; asking twice is harmless"
                .into(),
        )
    }

    fn keep_collection(&self, collection: Collection) -> u64 {
        let mut kept = self.collections.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, collections) = &mut *kept;
        *next += 1;
        collections.insert(*next, collection);
        while collections.len() > COLLECTIONS_MAX {
            collections.pop_first();
        }
        *next
    }

    fn take_collection(&self, operation: u64) -> Option<Collection> {
        let mut kept = self.collections.lock().unwrap_or_else(PoisonError::into_inner);
        kept.1.remove(&operation)
    }

    async fn collected(&self, operation: &str) -> Result<String, OperationError> {
        let known = operation.parse().ok().and_then(|number: u64| self.take_collection(number));
        let collection = known.ok_or_else(|| {
            OperationError::Refused(format!(
                "nobody waits for the collection of the operation `{operation}` here: ask the node that \
                 the acceptors were replaced at, once; KVS.STATUS shows what is collected"
            ))
        })?;
        let (retirable, after) = collection.finished(OPERATION_TIMEOUT).await?;
        let retirable = self.outlook.all_named(&retirable);
        Ok(json(&BpaxosCollected { retirable, collected_after_us: micros(after) }))
    }

    /// Has other nodes compute dependencies.
    async fn move_service(&self, names: &[&str]) -> Result<String, OperationError> {
        let known = self.outlook.known();
        let members = actors_called(names, &known.members, Member::dependency_node)?;
        let started = Instant::now();
        let moved = self.client.move_service(&members, OPERATION_TIMEOUT).await;
        let m = moved.map_err(|error| match error {
            OperationError::TimedOut => OperationError::Refused(
                "the dependency service has not moved in time: a majority of the nodes that serve, and \
                 of those that are to, must answer; KVS.STATUS shows who serves; asking twice is \
                 harmless"
                    .into(),
            ),
            error => error,
        })?;
        if m.generation.members != members {
            return Err(OperationError::Refused(format!(
                "another handover was faster: the dependency nodes are those of {} now; ask again if they \
                 are not to stay",
                self.outlook.all_named(&m.generation.members).join(" ")
            )));
        }
        Ok(json(&DependencyReport {
            dependency_nodes: self.outlook.all_named(&m.generation.members),
            epoch: m.generation.epoch.0,
            tolerates_failure: m.generation.members.len() > 2,
            finished_after_us: micros(started.elapsed()),
        }))
    }

    /// Replaces the matchmakers of every column.
    async fn move_matchmakers(&self, names: &[&str]) -> Result<String, OperationError> {
        let known = self.outlook.known();
        let members = actors_called(names, &known.members, Member::matchmaker)?;
        let started = Instant::now();
        let moved = self.client.move_matchmakers(&members, OPERATION_TIMEOUT).await;
        let outcome = moved.map_err(|error| match error {
            OperationError::TimedOut => OperationError::Refused(
                "the matchmakers have not moved in time: a majority of those of each column, and of those \
                 that are to serve, must answer; asking again is harmless, and goes on where it was"
                    .into(),
            ),
            error => error,
        })?;
        let unaware = match outcome {
            MatchmakersOutcome::Moved { unaware } => unaware,
            MatchmakersOutcome::Unreachable { silent } => {
                return Err(OperationError::Refused(format!(
                    "too few of the wanted matchmakers answer: {} do not; start these nodes, or name others",
                    self.outlook.all_named(&silent).join(" ")
                )));
            }
            MatchmakersOutcome::Stuck { column } => {
                return Err(OperationError::Refused(format!(
                    "the matchmakers of the column of {} have not moved: a majority of them must answer, \
                     and no other request be under way; ask again then",
                    self.outlook.name(column.0)
                )));
            }
        };
        Ok(json(&MatchmakersReport {
            matchmakers: self.outlook.all_named(&members),
            unaware: self.outlook.all_named(&unaware),
            tolerates_failure: members.len() > 2,
            finished_after_us: micros(started.elapsed()),
        }))
    }

    fn process(&self) -> ProcessStatus {
        ProcessStatus::of(&self.log_stats, &self.host_stats)
    }
}

/// What to do instead of a command that other protocols have.
fn missing(name: &str) -> Option<String> {
    let (what, instead) = match name {
        "KVS.ADD" | "KVS.REPLACE" | "KVS.REMOVE" | "KVS.MOVE" => (
            "the members of a cluster are those that founded it",
            "keep a node that lost its disk switched off as long as a majority of each role is left; to \
             change the members, found another cluster and copy the keys as a Redis client does",
        ),
        "KVS.TRANSFER" | "KVS.DRAIN" => (
            "nobody leads, so there is no leadership to hand on",
            "stop the node as it is: the others go on",
        ),
        "KVS.BACKUP" | "KVS.CHUNK" => (
            "replicas hand out no snapshots",
            "copy the keys as a Redis client does, with SCAN and GET",
        ),
        _ => return None,
    };
    Some(format!("{name} is not there with the protocol {}: {what}; {instead}", Protocol::Bpaxos))
}
