//! What the machine can do at best: no system on it can be faster than its disk and its loopback.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Each limit is measured for so long at most, and so many times at most.
const TIME_MAX: Duration = Duration::from_millis(400);
const ROUNDS_MAX: usize = 1000;

/// What is written at once: a page.
const WRITE_BYTES: usize = 4096;

/// What goes around: about a small command.
const MESSAGE_BYTES: usize = 64;

/// How long a step takes, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// What the machine can do at best.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// Writing 4 KiB into a file that has its blocks already, and `fdatasync`.
    pub(crate) fdatasync_preallocated: Cost,
    /// The same at the end of a file that grows.
    pub(crate) fdatasync_growing: Cost,
    /// 64 bytes to another thread over loopback TCP, and back.
    pub(crate) loopback: Cost,
}

impl Limits {
    /// Measures all of them, the disk's in `directory`, one after the other.
    ///
    /// *Errors*: of the disk or the network.
    pub(super) fn measure(directory: &Path) -> io::Result<Self> {
        let mut file = tempfile::tempfile_in(directory)?;
        let fdatasync_growing = syncs(&mut file, false)?;
        let fdatasync_preallocated = syncs(&mut file, true)?;
        Ok(Self { fdatasync_preallocated, fdatasync_growing, loopback: loopback()? })
    }
}

/// Writes and syncs; over what is there already, or at the end.
fn syncs(file: &mut File, is_preallocated: bool) -> io::Result<Cost> {
    let page = [7_u8; WRITE_BYTES];
    if is_preallocated {
        file.seek(SeekFrom::Start(0))?;
        (0..ROUNDS_MAX).try_for_each(|_| file.write_all(&page))?;
        file.sync_all()?;
        file.seek(SeekFrom::Start(0))?;
    }
    timed(|| {
        file.write_all(&page)?;
        file.sync_data()
    })
}

fn loopback() -> io::Result<Cost> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let echo = std::thread::spawn(move || {
        let mut message = [0; MESSAGE_BYTES];
        while far.read_exact(&mut message).is_ok() && far.write_all(&message).is_ok() {}
    });
    let mut message = [1; MESSAGE_BYTES];
    let cost = timed(|| {
        near.write_all(&message)?;
        near.read_exact(&mut message)
    });
    drop(near);
    // It ends with the connection, and cannot panic.
    let _ = echo.join();
    cost
}

/// How long `step` takes, again and again.
fn timed(mut step: impl FnMut() -> io::Result<()>) -> io::Result<Cost> {
    let mut times = Vec::with_capacity(ROUNDS_MAX);
    let started = Instant::now();
    while times.len() < ROUNDS_MAX && (times.is_empty() || started.elapsed() < TIME_MAX) {
        let before = Instant::now();
        step()?;
        times.push(before.elapsed());
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    Ok(Cost { p50_us: at(50), p99_us: at(99) })
}
