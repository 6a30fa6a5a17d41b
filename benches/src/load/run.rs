//! One run: its times, its budget, and what its clients have counted so far.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::recorder::Recorder;
use crate::workload::Workload;

/// What is measured, for how long.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) workload: Workload,
    /// The load runs for so long before anything counts.
    pub(crate) warm_up: Duration,
    /// The load is measured for so long.
    pub(crate) duration: Duration,
    /// The load ends earlier when so many commands were sent.
    pub(crate) commands_max: Option<u64>,
    /// A client gives up a command that has waited for so long, with its connection.
    pub(crate) timeout: Option<Duration>,
    /// Threads of the load, or of the cluster in this process.
    pub(crate) threads: usize,
    /// Whether every completion is remembered.
    pub(crate) keeps_samples: bool,
}

impl Plan {
    /// Which part of the run counts, since its start.
    pub(crate) fn measured(&self) -> Range<Duration> {
        self.warm_up..self.warm_up + self.duration
    }
}

/// A run under way, as its clients and its observer share it.
#[derive(Debug)]
pub(crate) struct Run {
    origin: Instant,
    measured: Range<Duration>,
    /// Commands that may still be sent.
    budget: AtomicU64,
    /// Commands answered, by whatever.
    completed: AtomicU64,
    /// Clients that are not done.
    clients: AtomicUsize,
    /// Clients share these by their number, so that those of one thread rarely wait for each other.
    recorders: Vec<Mutex<Recorder>>,
}

impl Run {
    /// A run that starts now, of `clients` clients.
    pub(crate) fn start(plan: &Plan, clients: usize) -> Self {
        let recorder = Recorder::new(plan.measured(), plan.keeps_samples);
        Self {
            origin: Instant::now(),
            measured: plan.measured(),
            budget: AtomicU64::new(plan.commands_max.unwrap_or(u64::MAX)),
            completed: AtomicU64::new(0),
            clients: AtomicUsize::new(clients),
            recorders: (0..plan.threads.max(1)).map(|_| Mutex::new(recorder.clone())).collect(),
        }
    }

    /// Time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// When the run started.
    pub(crate) fn origin(&self) -> Instant {
        self.origin
    }

    /// Which part counts, since the start.
    pub(crate) fn measured(&self) -> &Range<Duration> {
        &self.measured
    }

    /// Takes one command from the budget, if there is one left.
    pub(crate) fn permit(&self) -> bool {
        self.budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .is_ok()
    }

    /// Whether the budget is used up.
    pub(crate) fn is_spent(&self) -> bool {
        self.budget.load(Ordering::Relaxed) == 0
    }

    /// Counts answers.
    pub(crate) fn add_completed(&self, count: u64) {
        self.completed.fetch_add(count, Ordering::Relaxed);
    }

    /// Commands answered so far.
    pub(crate) fn completed(&self) -> u64 {
        self.completed.load(Ordering::Relaxed)
    }

    /// A client is done.
    pub(crate) fn leave(&self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether all clients are done.
    pub(crate) fn is_over(&self) -> bool {
        self.clients.load(Ordering::Relaxed) == 0
    }

    /// Where the client number `client` counts.
    pub(crate) fn recorder(&self, client: usize) -> MutexGuard<'_, Recorder> {
        let shard = &self.recorders[client % self.recorders.len()];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that all clients have sent and received.
    pub(crate) fn client_bytes(&self) -> [u64; 2] {
        (0..self.recorders.len())
            .map(|shard| self.recorder(shard).bytes)
            .fold([0; 2], |sum, bytes| [sum[0] + bytes[0], sum[1] + bytes[1]])
    }

    /// What all clients have counted.
    pub(crate) fn merged(&self) -> Recorder {
        let mut merged = self.recorder(0).clone();
        for shard in 1..self.recorders.len() {
            merged.merge(self.recorder(shard).clone());
        }
        merged
    }
}
