//! The disk thread: makes batches durable in order, and tells the loop how far it is.
//!
//! Batches that queue up while a sync runs become one append. The loop bounds how many records may
//! wait, so both queues are bounded.

use std::io;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread;

use tokio::sync::mpsc as async_mpsc;

use crate::storage::{Storage, Tagged};

/// Work for the disk, numbered in order.
#[derive(Debug)]
enum Job<R> {
    Append { batch: u64, records: Vec<Tagged<R>> },
    Checkpoint { batch: u64, records: Vec<Tagged<R>> },
    Forget { batch: u64 },
}

/// What the disk thread achieved.
#[derive(Debug)]
pub(super) struct Done<R> {
    /// Inclusive: this batch and all before it are durable.
    pub(super) batch: u64,
    /// Records of the appends.
    pub(super) appended_count: usize,
    /// Whether what was before the last checkpoint is gone with it.
    pub(super) has_forgotten: bool,
    /// Size of the log in bytes afterwards.
    pub(super) size_bytes: u64,
    /// An empty list to collect the next batch in.
    pub(super) spare: Vec<Tagged<R>>,
}

/// The loop's end of the disk thread.
#[derive(Debug)]
pub(super) struct Disk<R> {
    /// `None` once closed.
    jobs: Option<mpsc::Sender<Job<R>>>,
    done: async_mpsc::UnboundedReceiver<io::Result<Done<R>>>,
}

impl<R: Send + 'static> Disk<R> {
    /// Starts a thread that owns `storage`.
    pub(super) fn start<S: Storage<R> + Send + 'static>(storage: S) -> io::Result<Self> {
        let (jobs, todo) = mpsc::channel();
        let (report, done) = async_mpsc::unbounded_channel();
        thread::Builder::new().name("disk".into()).spawn(move || serve(storage, &todo, &report))?;
        Ok(Self { jobs: Some(jobs), done })
    }

    /// Has `records` appended.
    pub(super) fn append(&self, batch: u64, records: Vec<Tagged<R>>) {
        self.give(Job::Append { batch, records });
    }

    /// Has a new part of the log begun with `records`.
    pub(super) fn checkpoint(&self, batch: u64, records: Vec<Tagged<R>>) {
        self.give(Job::Checkpoint { batch, records });
    }

    /// Has everything before the last checkpoint forgotten, once all that was given is durable.
    pub(super) fn forget(&self, batch: u64) {
        self.give(Job::Forget { batch });
    }

    /// A thread that has ended is noticed by `poll_done`, which says why; so nothing is lost here.
    fn give(&self, job: Job<R>) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(job);
        }
    }

    /// The next report. `None` once the thread has ended and its storage is closed.
    pub(super) fn poll_done(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Done<R>>>> {
        self.done.poll_recv(context)
    }

    /// Takes no more work. The thread finishes what it has, and ends.
    pub(super) fn close(&mut self) {
        self.jobs = None;
    }

    /// Waits for the next report; see [`poll_done`](Self::poll_done).
    pub(super) async fn done(&mut self) -> Option<io::Result<Done<R>>> {
        self.done.recv().await
    }
}

/// Works until the loop is gone or an operation fails. Nothing is ever tried again.
fn serve<R, S: Storage<R>>(
    mut storage: S,
    jobs: &mpsc::Receiver<Job<R>>,
    report: &async_mpsc::UnboundedSender<io::Result<Done<R>>>,
) {
    let mut next = None;
    while let Some(job) = next.take().or_else(|| jobs.recv().ok()) {
        let outcome = match job {
            Job::Append { mut batch, mut records } => {
                for job in jobs.try_iter() {
                    match job {
                        Job::Append { batch: later, records: mut more } => {
                            batch = later;
                            records.append(&mut more);
                        }
                        other @ (Job::Checkpoint { .. } | Job::Forget { .. }) => {
                            next = Some(other);
                            break;
                        }
                    }
                }
                let appended_count = records.len();
                storage.append(&records).map(|()| (batch, records, appended_count, false))
            }
            Job::Checkpoint { batch, records } => {
                storage.checkpoint(&records).map(|()| (batch, records, 0, false))
            }
            Job::Forget { batch } => {
                storage.forget_before_checkpoint().map(|()| (batch, Vec::new(), 0, true))
            }
        };
        let outcome = outcome.map(|(batch, mut spare, appended_count, has_forgotten)| {
            spare.clear();
            Done { batch, appended_count, has_forgotten, size_bytes: storage.size_bytes(), spare }
        });
        let has_failed = outcome.is_err();
        // The loop may be gone; then nobody waits for the report.
        if report.send(outcome).is_err() || has_failed {
            break;
        }
    }
    // Closed before the loop can see that the thread has ended.
    drop(storage);
}
