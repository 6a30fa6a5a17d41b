//! The next segment, made ahead of time so that no append waits for zeros.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::segment::{Owner, Place, Segment};

/// The segment after the active one, or the helper thread that makes it.
#[derive(Debug)]
pub(super) enum Prepared {
    /// It was there when the log was loaded.
    Ready(Segment),
    /// It is being made, or was.
    Helper(Helper),
}

/// A thread that makes one segment. Dropping it stops the thread and waits until it has stopped.
#[derive(Debug)]
pub(super) struct Helper {
    /// `None` once it was joined.
    thread: Option<JoinHandle<io::Result<Segment>>>,
    cancel: Arc<AtomicBool>,
}

impl Prepared {
    /// Begins to make the segment at `place`.
    pub(super) fn start(
        directory: &Path,
        owner: Owner,
        place: Place,
        capacity: u64,
    ) -> io::Result<Self> {
        let cancel = Arc::new(AtomicBool::new(false));
        let (directory, cancelled) = (directory.to_path_buf(), Arc::clone(&cancel));
        let prepare = move || {
            let segment = Segment::create(&directory, owner, place, capacity, &cancelled);
            if let Err(error) = &segment
                && !cancelled.load(Ordering::Relaxed)
            {
                tracing::error!(%error, "the log will stop when its current segment is full");
            }
            segment
        };
        let thread = thread::Builder::new().name("log-prepare".into()).spawn(prepare)?;
        Ok(Self::Helper(Helper { thread: Some(thread), cancel }))
    }

    /// The segment. Waits for the helper, which is normally long done.
    ///
    /// *Errors*: what went wrong in the helper.
    pub(super) fn take(self) -> io::Result<Segment> {
        match self {
            Self::Ready(segment) => Ok(segment),
            Self::Helper(mut helper) => match helper.thread.take().map(JoinHandle::join) {
                Some(Ok(outcome)) => outcome,
                Some(Err(_)) | None => {
                    Err(io::Error::other("the thread that prepares segments of the log died"))
                }
            },
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::Relaxed);
        // The outcome of a segment that nobody wants does not matter.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
