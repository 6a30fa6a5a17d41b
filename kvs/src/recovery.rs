//! Recovery: what the data directories of some nodes of a cluster still hold, when too few are left for
//! it to go on.
//!
//! What the records prove is judged by [`Remains`]; the state is then made by a replica that executes
//! what is known to be chosen and what may be, as every replica does. Directories are looked at and never
//! changed.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};

use matchmaker::node::NodeRecord;
use matchmaker::remains::{Judgement, Remains};
use paxos::actor::{Effects, Incarnation, NodeId, Seat};
use paxos::message::{Chosen, Cut, SnapshotA, SnapshotB, ToReplica};
use paxos::replica::{FromReplica, Replica, ReplicaTimer, Surroundings};
use paxos::runtime::{BackupSummary, StoppedDir};
use paxos::slot::Slot;
use paxos::snapshot::{Chunk, SnapshotOptions};
use paxos::storage::Tagged;
use thiserror::Error;

use crate::backup::{Notes, Source, Taking};
use crate::deployment::{ClusterFile, Members, Protocol};
use crate::outlook::Known;
use crate::store::{Store, StoreLimits};

mod report;

/// Why nothing can be recovered.
#[derive(Debug, Error)]
pub enum RecoveryError {
    /// A directory cannot be read, or the backup cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The directories do not belong together, or prove nothing.
    #[error("{0}")]
    Refused(String),
}

/// What some data directories hold.
#[derive(Debug)]
pub struct Recovery {
    cluster: String,
    /// The nodes and where their directories are.
    nodes: BTreeMap<String, Vec<PathBuf>>,
    /// Removed nodes among them, and why they were.
    removed: BTreeMap<String, String>,
    value_bytes_max: usize,
    /// Names of actors, for people.
    names: BTreeMap<NodeId, String>,
    remains: Remains,
    judgement: Judgement,
    /// Nobody uses the directories meanwhile.
    _directories: Vec<StoppedDir>,
}

/// Actors of a process that exists for a moment only.
const REPLICA: NodeId = NodeId::new(Seat(1), Incarnation(1));
const ARCHIVE: NodeId = NodeId::new(Seat(2), Incarnation(1));
const SESSION: NodeId = NodeId::new(Seat(3), Incarnation(1));
const READER: NodeId = NodeId::new(Seat(4), Incarnation(1));

type Fx = Effects<FromReplica, ReplicaTimer, Infallible>;

impl Recovery {
    /// Looks at the data directories at `paths`.
    ///
    /// *Errors*: one cannot be read or is in use, two are of one memory, they are of different clusters,
    /// or contradict each other.
    ///
    /// *Cost*: the logs of all of them are in memory.
    pub fn examine(paths: &[PathBuf]) -> Result<Self, RecoveryError> {
        let directories = open_all(paths)?;
        let Some(first) = directories.first() else {
            return Err(RecoveryError::Refused("no directory is named".into()));
        };
        Protocol::check_backups_of(first.charter()).map_err(|e| refused(&e))?;
        let founders =
            Members::of_charter(first.charter(), first.roster()).map_err(|e| refused(&e))?;
        let value_bytes_max =
            ClusterFile::value_bytes_max(first.charter()).map_err(|e| refused(&e))?;
        let mut remains = Remains::new(founders.founders());
        let mut names = founders.names();
        for directory in &directories {
            let known = directory.members().map(Known::decode).transpose();
            let unreadable = |error| format!("{}: {error}", directory.path().display());
            if let Some(known) = known.map_err(|error| refused(&unreadable(error)))? {
                remains.learn(known.matchmakers());
                names.extend(known.members.names());
            }
            let memory = directory.identity().incarnation;
            remains.add(memory);
            for Tagged { seat, record } in directory.records::<NodeRecord>()? {
                remains.restore(NodeId::new(seat, memory), record);
            }
        }
        remains.check().map_err(|error| refused(&error))?;
        let judgement = remains.judge().map_err(|error| {
            RecoveryError::Refused(format!(
                "the directories contradict each other: {error}; they are not of one cluster, or one \
                 was put back from a copy: leave one out"
            ))
        })?;
        if let Some((_, newest)) = &judgement.newest
            && let Ok(members) = Members::decode(&newest.membership().directory)
        {
            names.extend(members.names());
        }
        let mut nodes: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for directory in &directories {
            let name = directory.identity().node.clone();
            nodes.entry(name).or_default().push(directory.path().to_path_buf());
        }
        let removed = directories.iter().filter_map(|directory| {
            let reason = directory.removal()?.to_owned();
            Some((directory.identity().node.clone(), reason))
        });
        Ok(Self {
            cluster: first.identity().cluster.clone(),
            nodes,
            removed: removed.collect(),
            value_bytes_max,
            names,
            remains,
            judgement,
            _directories: directories,
        })
    }

    /// Whether something that a client was told may be missing.
    pub fn may_lack(&self) -> bool {
        !self.judgement.doubts.is_empty()
    }

    /// Exclusive: the state that is recovered is that after all slots below.
    pub fn end(&self) -> Slot {
        self.judgement.known_end.plus(self.judgement.candidates.len() as u64)
    }

    /// Writes the state to a backup at `path`: what is known to be chosen, and then what may be, up to
    /// the first slot without a vote.
    ///
    /// *Errors*: there is such a file; nothing is known; of the disk.
    pub fn write(&self, path: &Path, now_ms: u64) -> Result<BackupSummary, RecoveryError> {
        if self.end() == Slot::ZERO {
            let text =
                "nothing is known to be chosen and nobody has voted: there is nothing to recover";
            return Err(RecoveryError::Refused(text.into()));
        }
        let nodes = self.nodes.keys().cloned().collect();
        let source = Source::Recovered { nodes, may_lack: self.may_lack() };
        let notes = Notes { value_bytes_max: self.value_bytes_max as u64, source };
        let mut taking = Taking::create(path, &self.cluster, self.end(), now_ms, &notes)?;
        let mut replica = self.replay()?;
        let mut slot = None;
        while !taking.is_complete() {
            let chunks = read_chunks(&mut replica, slot, taking.next());
            if chunks.is_empty() {
                return Err(RecoveryError::Refused("the replica gives no snapshot".into()));
            }
            for chunk in chunks {
                slot = Some(chunk.slot);
                taking.take(&chunk)?;
            }
        }
        Ok(taking.finish()?)
    }

    /// A replica that has executed all that is recovered.
    fn replay(&self) -> Result<Replica<Store>, RecoveryError> {
        let limits =
            StoreLimits { value_bytes_max: self.value_bytes_max, ..StoreLimits::default() };
        let surroundings = Surroundings { archive: ARCHIVE, session: SESSION, peers: Vec::new() };
        // There are no clients to spare, and no timers.
        let options = SnapshotOptions { bytes_per_second: 0, ..SnapshotOptions::default() };
        let mut replica = Replica::new(surroundings, Store::new(limits), options);
        let mut take = |message: ToReplica| {
            // What it says is for actors that are not there; what it would refuse, all replicas did.
            replica.on_message(ARCHIVE, message, &mut Fx::new());
            replica.executed_watermark()
        };
        let base = self.remains.base();
        if base > Slot::ZERO {
            take(ToReplica::Cut(Cut { first: Slot::ZERO, base, replica: REPLICA }));
        }
        for chunk in self.remains.snapshot() {
            take(ToReplica::SnapshotB(SnapshotB { chunk: chunk.clone() }));
        }
        let known = (base.0..self.judgement.known_end.0).map(Slot);
        for (slot, value) in known.filter_map(|slot| Some((slot, self.remains.value(slot)?))) {
            take(ToReplica::Chosen(Chosen { slot, value: value.clone() }));
        }
        for candidate in &self.judgement.candidates {
            let (slot, value) = (candidate.slot, candidate.value.clone());
            take(ToReplica::Chosen(Chosen { slot, value }));
        }
        match replica.executed_watermark() == self.end() {
            true => Ok(replica),
            false => Err(RecoveryError::Refused(format!(
                "the snapshot at slot {base} cannot be read: another version of this program wrote it; \
                 use that one"
            ))),
        }
    }
}

fn refused(cause: &impl std::fmt::Display) -> RecoveryError {
    RecoveryError::Refused(cause.to_string())
}

/// The chunks from `next` on that the replica has under way.
fn read_chunks(replica: &mut Replica<Store>, slot: Option<Slot>, next: u64) -> Vec<Chunk> {
    let mut fx = Fx::new();
    let m = SnapshotA { executed_watermark: Slot::ZERO, slot, next };
    replica.on_message(READER, ToReplica::SnapshotA(m), &mut fx);
    let sent = fx.sends.into_iter().filter_map(|(to, message)| match message {
        FromReplica::SnapshotB(SnapshotB { chunk }) if to == READER => Some(chunk),
        _ => None,
    });
    sent.filter(|chunk| chunk.number >= next).collect()
}

/// *Errors*: a directory cannot be read or is in use, or they do not belong together.
fn open_all(paths: &[PathBuf]) -> Result<Vec<StoppedDir>, RecoveryError> {
    let mut directories: Vec<StoppedDir> = Vec::new();
    for (place, path) in paths.iter().enumerate() {
        let resolved = path.canonicalize().ok();
        let is_same = |other: &PathBuf| resolved.is_some() && other.canonicalize().ok() == resolved;
        if paths[..place].iter().any(is_same) {
            let text = format!("{}: the directory is named twice: name it once", path.display());
            return Err(RecoveryError::Refused(text));
        }
        let directory = StoppedDir::open(path)?;
        if let Some(first) = directories.first() {
            check_same_cluster(first, &directory)?;
        }
        let memory = directory.identity().incarnation;
        if let Some(other) = directories.iter().find(|d| d.identity().incarnation == memory) {
            return Err(RecoveryError::Refused(format!(
                "{} and {} are the same directory of {} in two copies: name the one that is as the node \
                 left it",
                other.path().display(),
                path.display(),
                directory.identity().node
            )));
        }
        directories.push(directory);
    }
    Ok(directories)
}

fn check_same_cluster(one: &StoppedDir, two: &StoppedDir) -> Result<(), RecoveryError> {
    let (cluster, other) = (&one.identity().cluster, &two.identity().cluster);
    let (path, other_path) = (one.path().display(), two.path().display());
    let cause = if cluster != other {
        format!("{path} is of cluster `{cluster}`, and {other_path} is of cluster `{other}`")
    } else if one.roster() != two.roster() {
        format!("{path} and {other_path} are of two clusters that are both called `{cluster}`")
    } else {
        return Ok(());
    };
    Err(RecoveryError::Refused(format!("{cause}: name directories of one cluster only")))
}
