//! The next segment, made ahead of time so that no append waits for zeros.
//!
//! Its zeros go to the disk that appends wait for. So they are written slowly, unless the segment before
//! it fills up as fast.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::segment::{Owner, Place, Segment};

/// Zeros that are written in a second while nobody needs them, in bytes.
const ZEROS_PER_SECOND: u64 = 16 << 20;

/// How often it is looked whether somebody does.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A segment is ready when one part in so many of the one before it is full.
const HASTE: u64 = 2;

/// How urgent a segment is.
#[derive(Debug, Default)]
pub(super) struct Demand {
    /// So many bytes of it must be there at once.
    needed_bytes: AtomicU64,
    /// Somebody waits for it.
    is_awaited: AtomicBool,
    /// Nobody wants it any more.
    is_cancelled: AtomicBool,
}

impl Demand {
    /// That of somebody who waits.
    pub(super) fn urgent() -> Self {
        Self { is_awaited: AtomicBool::new(true), ..Self::default() }
    }

    /// Returns when it is time to write more, when `made_bytes` are there and `last_bytes` of them were
    /// written last.
    ///
    /// *Errors*: nobody wants the segment any more.
    pub(super) fn wait(&self, made_bytes: u64, last_bytes: u64) -> io::Result<()> {
        let pause = Duration::from_micros(last_bytes * 1_000_000 / ZEROS_PER_SECOND);
        let begun = Instant::now();
        loop {
            if self.is_cancelled.load(Ordering::Relaxed) {
                return Err(io::Error::from(io::ErrorKind::Interrupted));
            }
            let is_needed = self.is_awaited.load(Ordering::Relaxed)
                || made_bytes < self.needed_bytes.load(Ordering::Relaxed);
            let left = pause.saturating_sub(begun.elapsed());
            if is_needed || left.is_zero() {
                return Ok(());
            }
            thread::park_timeout(left.min(LOOK_EVERY));
        }
    }
}

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
    /// Size of the segment in bytes.
    capacity: u64,
    demand: Arc<Demand>,
}

impl Prepared {
    /// Begins to make the segment at `place`.
    pub(super) fn start(
        directory: &Path,
        owner: Owner,
        place: Place,
        capacity: u64,
    ) -> io::Result<Self> {
        let demand = Arc::new(Demand::default());
        let (directory, shared) = (directory.to_path_buf(), Arc::clone(&demand));
        let prepare = move || {
            let segment = Segment::create(&directory, owner, place, capacity, &shared);
            if let Err(error) = &segment
                && !shared.is_cancelled.load(Ordering::Relaxed)
            {
                tracing::error!(%error, "the log will stop when its current segment is full");
            }
            segment
        };
        let thread = thread::Builder::new().name("log-prepare".into()).spawn(prepare)?;
        Ok(Self::Helper(Helper { thread: Some(thread), capacity, demand }))
    }

    /// So many of the `all_bytes` of the segment before it are full.
    pub(super) fn hasten(&self, used_bytes: u64, all_bytes: u64) {
        if let Self::Helper(helper) = self {
            let needed_bytes = needed_bytes(helper.capacity, used_bytes, all_bytes);
            helper.demand.needed_bytes.store(needed_bytes, Ordering::Relaxed);
        }
    }

    /// The segment. Waits for the helper, which is normally long done.
    ///
    /// *Errors*: what went wrong in the helper.
    pub(super) fn take(self) -> io::Result<Segment> {
        match self {
            Self::Ready(segment) => Ok(segment),
            Self::Helper(mut helper) => {
                helper.demand.is_awaited.store(true, Ordering::Relaxed);
                match helper.join() {
                    Some(Ok(outcome)) => outcome,
                    Some(Err(_)) | None => {
                        Err(io::Error::other("the thread that prepares segments of the log died"))
                    }
                }
            }
        }
    }
}

/// How much of a segment of `capacity` bytes must be there when `used_bytes` of `all_bytes` of the one before
/// it are full.
fn needed_bytes(capacity: u64, used_bytes: u64, all_bytes: u64) -> u64 {
    let used_permille = used_bytes.saturating_mul(1000) / all_bytes.max(1);
    capacity.saturating_mul(used_permille.saturating_mul(HASTE)) / 1000
}

impl Helper {
    /// What came of the segment, unless that was taken. Waits for the thread, no longer than it takes.
    fn join(&mut self) -> Option<thread::Result<io::Result<Segment>>> {
        let thread = self.thread.take()?;
        thread.thread().unpark();
        Some(thread.join())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.demand.is_cancelled.store(true, Ordering::Relaxed);
        // The outcome of a segment that nobody wants does not matter.
        let _ = self.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn zeros_are_written_at_once_while_the_segment_before_fills_up_or_somebody_waits() {
        let demand = Demand::default();
        demand.needed_bytes.store(needed_bytes(64 * MIB, 2 * MIB, 8 * MIB), Ordering::Relaxed);
        // A pause of so many bytes would be longer than any test.
        demand.wait(32 * MIB - 1, u64::MAX / 1_000_000).unwrap();
        Demand::urgent().wait(64 * MIB, u64::MAX / 1_000_000).unwrap();
    }

    #[test]
    fn a_segment_that_nobody_wants_is_given_up_within_a_pause() {
        let demand = Demand::default();
        demand.is_cancelled.store(true, Ordering::Relaxed);
        let error = demand.wait(0, u64::MAX / 1_000_000).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    }

    #[test]
    fn else_there_is_a_pause_as_long_as_the_last_zeros_take() {
        let begun = Instant::now();
        Demand::default().wait(MIB, ZEROS_PER_SECOND / 1000).unwrap();
        assert!(begun.elapsed() >= Duration::from_micros(1000));
    }
}
