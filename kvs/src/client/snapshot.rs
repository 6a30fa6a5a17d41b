//! Reading a snapshot of the replica of this process, as another replica that lags would.
//!
//! The replica freezes a view of its state and goes on; chunks come a few at a time, and the next ones when
//! those before were taken. So neither side holds more than it does for a replica that lags.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use matchmaker::message::Message;
use paxos::message::{SnapshotA, ToReplica};
use paxos::slot::Slot;
use paxos::snapshot::{Chunk, Sequence};
use thiserror::Error;
use tokio::sync::mpsc;

use super::{ASK_AGAIN, Client, lock};
use crate::connection::system_clock_ms;
use crate::log::RequestError;
use crate::log_entry::encode_tick;

/// Chunks that wait to be taken, at most: more than a replica has under way at once.
const CHUNKS_MAX: usize = 16;

/// A replica that does not answer for so long has given the view up.
const SILENCE_MAX: Duration = Duration::from_millis(2500);

/// A snapshot of the replica of this process, chunk by chunk.
pub struct Snapshot {
    client: Client,
    sequence: Sequence,
    /// Chunks that came before their turn.
    early: BTreeMap<u64, Chunk>,
    chunks: mpsc::Receiver<Chunk>,
}

/// Why there is no snapshot, or no more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// The cluster does not serve.
    #[error("{0}")]
    NotServing(#[from] RequestError),
    /// Somebody else reads one at this process.
    #[error("another backup is being taken at this node: wait for it, or ask another node")]
    Busy,
    /// The replica reads its state for something else.
    #[error(
        "the replica of this node is writing down its state, or gives it to a node that lags: ask \
         again, or ask another node"
    )]
    Occupied,
    /// The view is not there any more.
    #[error(
        "the view of the state was given up, because nobody took any of it for two seconds or because \
         the replica got another state: take the backup again"
    )]
    Lost,
    /// This process is stopping.
    #[error("this process is stopping: ask another one")]
    Stopped,
}

impl Client {
    /// Begins to read a snapshot that has all that was acknowledged before the call. There is one at a
    /// time; commands go on meanwhile, and the log is compacted after it.
    ///
    /// An entry of the log that says nothing but the time goes ahead: when it is executed here, all that
    /// was acknowledged before is, and no key that was due before is in the snapshot as if it were not.
    ///
    /// *Errors*: see [`SnapshotError`]; within `timeout` and that of a command.
    pub async fn snapshot(&self, timeout: Duration) -> Result<Snapshot, SnapshotError> {
        let mut chunks = self.open_chunks()?;
        self.propose(encode_tick(system_clock_ms())).await?;
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            self.ask_replica(None, 0)?;
            match tokio::time::timeout(ASK_AGAIN, chunks.recv()).await {
                Ok(None) => return Err(SnapshotError::Stopped),
                Ok(Some(chunk)) if chunk.number == 0 => {
                    let sequence = Sequence::new(chunk.slot);
                    let early = [(0, chunk)].into();
                    return Ok(Snapshot { client: self.clone(), sequence, early, chunks });
                }
                // Of a view that somebody has left.
                Ok(Some(_)) | Err(_) => {}
            }
        }
        Err(SnapshotError::Occupied)
    }

    /// Where chunks come in. The one who reads holds the other end.
    fn open_chunks(&self) -> Result<mpsc::Receiver<Chunk>, SnapshotError> {
        let mut present = lock(&self.reader);
        if self.calls.is_stopped() {
            return Err(SnapshotError::Stopped);
        }
        if present.as_ref().is_some_and(|reader| !reader.is_closed()) {
            return Err(SnapshotError::Busy);
        }
        let (sender, chunks) = mpsc::channel(CHUNKS_MAX);
        *present = Some(sender);
        Ok(chunks)
    }

    fn ask_replica(&self, slot: Option<Slot>, next: u64) -> Result<(), SnapshotError> {
        let m = SnapshotA { executed_watermark: Slot::ZERO, slot, next };
        let message = Message::Replica(ToReplica::SnapshotA(m));
        let (from, to) = (self.application.node, self.application.replica);
        self.handle.try_send(from, to, message).or_else(|error| match error {
            // It is asked again.
            paxos::runtime::SendError::Full => Ok(()),
            paxos::runtime::SendError::Stopped => Err(SnapshotError::Stopped),
        })
    }
}

impl Snapshot {
    /// Exclusive: all slots below are in it.
    pub fn slot(&self) -> Slot {
        self.sequence.slot()
    }

    /// The next chunk. After the last one there is none, and this waits in vain.
    ///
    /// *Errors*: the view is lost, or the process is stopping.
    pub async fn next(&mut self) -> Result<Chunk, SnapshotError> {
        let asked = Instant::now();
        loop {
            if let Some(chunk) = self.early.remove(&self.sequence.next()) {
                if !self.sequence.takes(&chunk) {
                    return Err(SnapshotError::Lost);
                }
                // What was taken needs no place any more; after the last one the view is closed.
                self.client.ask_replica(Some(self.slot()), self.sequence.next())?;
                return Ok(chunk);
            }
            match tokio::time::timeout(ASK_AGAIN, self.chunks.recv()).await {
                Ok(None) => return Err(SnapshotError::Stopped),
                Ok(Some(chunk)) if chunk.slot != self.slot() => return Err(SnapshotError::Lost),
                Ok(Some(chunk)) => self.hold(chunk),
                Err(_) if asked.elapsed() > SILENCE_MAX => return Err(SnapshotError::Lost),
                Err(_) => self.client.ask_replica(Some(self.slot()), self.sequence.next())?,
            }
        }
    }

    fn hold(&mut self, chunk: Chunk) {
        let next = self.sequence.next();
        if (next..next + CHUNKS_MAX as u64).contains(&chunk.number) {
            self.early.insert(chunk.number, chunk);
        }
    }
}
