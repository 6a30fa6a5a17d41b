//! `KVS.BACKUP` and `KVS.CHUNK`: the state of the replica of this node, for a file.
//!
//! The first begins and says what it is the state of; each call of the second takes the next chunk. Who
//! takes none for two seconds has lost it, and begins again.

use std::time::{Duration, Instant};

use paxos::slot::Slot;
use paxos::wire;

use super::report::BackupReport;
use super::{Inner, json};
use crate::client::{OperationError, Snapshot, SnapshotError};
use crate::resp::Reply;

/// How long the replica may be occupied otherwise.
const OCCUPIED_MAX: Duration = Duration::from_secs(12);

/// A backup of which nothing was taken for so long is given up, if somebody wants another one.
const IDLE_MAX: Duration = Duration::from_secs(2);

/// A backup that is being taken.
pub(super) struct Taking {
    snapshot: Snapshot,
    /// When a part of it was last asked for.
    asked: Instant,
}

impl Inner {
    /// Begins a backup.
    pub(super) async fn begin_backup(&self) -> Result<String, OperationError> {
        let mut present = self.backup.lock().await;
        if present.as_ref().is_some_and(|taking| taking.asked.elapsed() < IDLE_MAX) {
            return Err(refused(SnapshotError::Busy));
        }
        *present = None;
        let snapshot = self.client.snapshot(OCCUPIED_MAX).await.map_err(refused)?;
        let slot = snapshot.slot().0;
        *present = Some(Taking { snapshot, asked: Instant::now() });
        Ok(json(&BackupReport {
            node: self.node.clone(),
            cluster: self.cluster.clone(),
            value_bytes_max: self.value_bytes_max as u64,
            slot,
        }))
    }

    /// The next chunk of the backup at `slot`, as replicas send them to each other.
    pub(super) async fn next_chunk(&self, slot: &str) -> Reply {
        let mut present = self.backup.lock().await;
        let slot = slot.parse().map(Slot).ok();
        let Some(taking) = present.as_mut().filter(|taking| Some(taking.snapshot.slot()) == slot)
        else {
            return Reply::Error(format!("ERR {}", SnapshotError::Lost));
        };
        taking.asked = Instant::now();
        match taking.snapshot.next().await {
            Ok(chunk) => {
                if chunk.is_last {
                    *present = None;
                }
                Reply::Bulk(wire::encode(&chunk))
            }
            Err(error) => {
                *present = None;
                Reply::Error(format!("ERR {error}"))
            }
        }
    }
}

fn refused(error: SnapshotError) -> OperationError {
    match error {
        SnapshotError::NotServing(error) => OperationError::Refused(error.to_string()),
        SnapshotError::Stopped => OperationError::Stopped,
        SnapshotError::Busy | SnapshotError::Occupied | SnapshotError::Lost => {
            OperationError::Refused(error.to_string())
        }
    }
}
