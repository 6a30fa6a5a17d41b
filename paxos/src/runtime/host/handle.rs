//! How a program talks to its host while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;
use tokio::sync::mpsc;

use crate::actor::NodeId;
use crate::transport::Envelope;

/// Receives the messages that actors send to an application's node: `(from, message)`. It is called
/// by the loop of the host, so it must be quick and must not block.
pub type Port<M> = Box<dyn FnMut(NodeId, M) + Send>;

/// Puts messages into a running [`Host`](super::Host), and stops it. Cheap to clone.
#[derive(Debug)]
pub struct HostHandle<M> {
    inputs: mpsc::Sender<Envelope<M>>,
    stop: mpsc::Sender<()>,
}

impl<M> Clone for HostHandle<M> {
    fn clone(&self) -> Self {
        Self { inputs: self.inputs.clone(), stop: self.stop.clone() }
    }
}

/// Why a host did not take a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum SendError {
    /// The queue is full: the host has more to do than it can. Wait, or tell the client to.
    #[error("the queue of the host is full")]
    Full,
    /// The host has stopped.
    #[error("the host has stopped")]
    Stopped,
}

impl<M> HostHandle<M> {
    /// A handle, and the host's ends of its queues.
    pub(super) fn new(queue: usize) -> (Self, (mpsc::Receiver<Envelope<M>>, mpsc::Receiver<()>)) {
        let (inputs, inputs_taken) = mpsc::channel(queue.max(1));
        let (stop, stopped) = mpsc::channel(1);
        (Self { inputs, stop }, (inputs_taken, stopped))
    }

    /// Sends `message` from the application's node `from` to `to`, an actor of this process or of
    /// another one. Never waits.
    ///
    /// *Errors*: the queue of inputs is full, or the host has stopped. The message is then lost.
    pub fn try_send(
        &self,
        from: NodeId,
        to: NodeId,
        message: impl Into<M>,
    ) -> Result<(), SendError> {
        let envelope = Envelope { from, to, message: message.into() };
        self.inputs.try_send(envelope).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Full,
            mpsc::error::TrySendError::Closed(_) => SendError::Stopped,
        })
    }

    /// Like [`try_send`](Self::try_send), and waits while the queue is full.
    ///
    /// *Errors*: the host has stopped.
    pub async fn send(
        &self,
        from: NodeId,
        to: NodeId,
        message: impl Into<M>,
    ) -> Result<(), SendError> {
        let envelope = Envelope { from, to, message: message.into() };
        self.inputs.send(envelope).await.map_err(|_| SendError::Stopped)
    }

    /// Ends the host, after what its actors did so far is durable and the messages that waited for
    /// it have left. Repeating it does nothing.
    pub fn stop(&self) {
        // Full means that it was asked already; closed, that it has stopped.
        let _ = self.stop.try_send(());
    }
}

/// What a host has done since it was made. Shared; brought up to date once a turn.
#[derive(Debug, Default)]
pub struct HostStats {
    /// Times that the loop took inputs and worked until no local message was left.
    pub turns: AtomicU64,
    /// Messages and timers that actors took.
    pub steps: AtomicU64,
    /// Messages that arrived from other processes and from the application.
    pub received: AtomicU64,
    /// Messages that were handed to the transport.
    pub sent: AtomicU64,
    /// Messages between actors of this process, and to its application.
    pub local: AtomicU64,
    /// Messages to an identity that is not, or no longer, of this process.
    pub misdirected: AtomicU64,
    /// Impossible messages that actors reported.
    pub violations: AtomicU64,
    /// Records that actors wrote.
    pub records: AtomicU64,
    /// Batches handed to the disk thread; the log merges some of them into one sync.
    pub batches: AtomicU64,
    /// Times that the log was compacted.
    pub compactions: AtomicU64,
    /// Size of the log in bytes.
    pub log_bytes: AtomicU64,
}

/// The loop's own counters: it adds to them without synchronization.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) turns: u64,
    pub(super) steps: u64,
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) local: u64,
    pub(super) misdirected: u64,
    pub(super) violations: u64,
    pub(super) records: u64,
    pub(super) batches: u64,
    pub(super) compactions: u64,
    pub(super) log_bytes: u64,
}

impl Counts {
    pub(super) fn publish(&self, stats: &Arc<HostStats>) {
        stats.turns.store(self.turns, Ordering::Relaxed);
        stats.steps.store(self.steps, Ordering::Relaxed);
        stats.received.store(self.received, Ordering::Relaxed);
        stats.sent.store(self.sent, Ordering::Relaxed);
        stats.local.store(self.local, Ordering::Relaxed);
        stats.misdirected.store(self.misdirected, Ordering::Relaxed);
        stats.violations.store(self.violations, Ordering::Relaxed);
        stats.records.store(self.records, Ordering::Relaxed);
        stats.batches.store(self.batches, Ordering::Relaxed);
        stats.compactions.store(self.compactions, Ordering::Relaxed);
        stats.log_bytes.store(self.log_bytes, Ordering::Relaxed);
    }
}
