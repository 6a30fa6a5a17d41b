//! The durable log: segments of checksummed records, one write and one sync for each append.
//!
//! ```text
//!   log/manifest             with which segment the log begins
//!       0000000007.segment   full
//!       0000000008.segment   begins with the last checkpoint
//!       0000000009.segment   being appended to
//!       0000000010.segment   prepared by a helper thread: all zeros, and durable
//! ```
//!
//! *Appending* encodes all records into one buffer, writes it with one `pwrite` into zeros that are
//! already on the disk, and syncs once with `fdatasync`; it returns when that is done. The records of
//! one append never cross from one segment into the next; an append larger than a segment makes its
//! segment longer.
//!
//! *A checkpoint* is an append that begins a new segment. *Forgetting* what is before it renames a new
//! manifest into place: that rename is the moment at which the log begins with the checkpoint. The
//! segments before are deleted afterwards, by a helper thread or when the log is next opened.
//!
//! *Loading* is in `recovery`. *Any error* stops the log for good: what the disk holds is unknown
//! after a failed sync, and a later success would prove nothing.

mod deletion;
mod looking;
mod prepared;
mod recovery;
mod segment;

use std::fs::{self, File};
use std::io;
use std::marker::PhantomData;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use self::deletion::Deletion;
use self::prepared::{Demand, Prepared};
use self::recovery::Recovered;
use self::segment::{Access, Owner, Place, SEGMENT_HEADER_BYTES, Segment};
use super::data_dir::DataDir;
use super::durable_file::{self, DAMAGED, file_error, invalid, sync_directory};
use crate::log_format;
use crate::storage::{Storage, Tagged};
use crate::wire::{Decode, Encode, Frame};

pub(super) use self::looking::look;

const MANIFEST_MAGIC: &[u8; 8] = b"MPXSMANI";

/// The first segment of a log has this much room at most: it is made while others wait.
const FIRST_ROOM_BYTES: u64 = 1 << 20;

/// How a log uses the disk.
#[derive(Clone, Debug)]
pub struct FileLogOptions {
    /// Size of a segment in bytes. Up to two more than hold records are on disk. At least 8 KiB.
    pub segment_bytes: u64,
}

impl Default for FileLogOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20 }
    }
}

/// What a log has done since it was opened. Shared, and cheap to read.
#[derive(Debug, Default)]
pub struct LogStats {
    /// Appends that became durable.
    pub appends: AtomicU64,
    /// Records in them.
    pub records: AtomicU64,
    /// Bytes of them, with headers.
    pub bytes: AtomicU64,
    /// Times that an append waited for the disk: commands divided by this is the batch size.
    pub syncs: AtomicU64,
    /// Times that what was before a checkpoint was forgotten.
    pub compactions: AtomicU64,
}

/// A durable log of records of type `R` in a [`DataDir`]. See the module for the layout.
#[derive(Debug)]
pub struct FileLog<R> {
    directory: PathBuf,
    owner: Owner,
    segment_bytes: u64,
    manifest: Manifest,
    phase: Phase,
    stats: Arc<LogStats>,
    /// Reused by every append.
    buffer: Vec<u8>,
    /// Nobody else opens the directory while the log is in use.
    _lock: Arc<File>,
    _records: PhantomData<fn(R) -> R>,
}

#[derive(Debug)]
enum Phase {
    /// Not loaded yet.
    Opened,
    /// Accepts records.
    Ready(Box<Writer>),
    /// An error happened; the text says which.
    Stopped(String),
}

#[derive(Debug)]
struct Writer {
    next_sequence: u64,
    active: Segment,
    /// Where in the active segment the next record goes.
    offset: u64,
    /// Bytes of all live records, with headers.
    used_bytes: u64,
    /// The next segment.
    prepared: Prepared,
    /// The last checkpoint, unless the log begins with it.
    checkpoint: Option<Checkpoint>,
    /// Segments that are being deleted.
    deletion: Option<Deletion>,
}

/// Where a checkpoint is.
#[derive(Clone, Copy, Debug)]
struct Checkpoint {
    /// The segment that begins with it.
    place: Place,
    /// The sequence of its first record.
    sequence: u64,
    /// Bytes of the live records before it.
    bytes_before: u64,
}

#[derive(Clone, Copy, Debug, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
struct Manifest {
    /// Number of the first segment.
    first_segment: u64,
    /// Sequence of the first record in it.
    first_sequence: u64,
    /// Exclusive: all records below were durable when this was written.
    synced_below: u64,
}

impl<R: Encode + Decode<Frame>> FileLog<R> {
    /// Opens the log in `data_dir`, or creates it, once in the life of the directory.
    ///
    /// *Errors*: the log existed and is gone; the manifest is damaged or of a newer format; the disk
    /// is full or cannot be written to.
    pub fn open(data_dir: &mut DataDir, options: FileLogOptions) -> io::Result<Self> {
        let directory = data_dir.path().join("log");
        let owner = Owner::of(data_dir.identity());
        let segment_bytes = options.segment_bytes.max(2 * SEGMENT_HEADER_BYTES as u64);
        let manifest_path = directory.join("manifest");
        if !data_dir.is_log_created() {
            create(&directory, owner, segment_bytes)?;
            data_dir.set_log_created()?;
        }
        let Some(manifest) = durable_file::read(&manifest_path, MANIFEST_MAGIC)? else {
            return Err(invalid(&manifest_path, "it is gone, and the log had one", DAMAGED));
        };
        Ok(Self {
            directory,
            owner,
            segment_bytes,
            manifest,
            phase: Phase::Opened,
            stats: Arc::new(LogStats::default()),
            buffer: Vec::new(),
            _lock: data_dir.lock(),
            _records: PhantomData,
        })
    }

    /// The counters of this log.
    pub fn stats(&self) -> Arc<LogStats> {
        Arc::clone(&self.stats)
    }

    /// Runs `step` on the writer; its error stops the log.
    fn write<O>(
        &mut self,
        step: impl FnOnce(&mut Self, &mut Writer) -> io::Result<O>,
    ) -> io::Result<O> {
        let stopped = Phase::Stopped("an operation was interrupted".into());
        let mut writer = match std::mem::replace(&mut self.phase, stopped) {
            Phase::Ready(writer) => writer,
            Phase::Opened => {
                self.phase = Phase::Opened;
                return Err(io::Error::other("the log must be loaded before it is written to"));
            }
            Phase::Stopped(cause) => {
                let error = io::Error::other(format!(
                    "{}: the log stopped after an earlier error: {cause}",
                    self.directory.display()
                ));
                self.phase = Phase::Stopped(cause);
                return Err(error);
            }
        };
        match step(self, &mut writer) {
            Ok(outcome) => {
                self.phase = Phase::Ready(writer);
                Ok(outcome)
            }
            Err(error) => {
                self.phase = Phase::Stopped(error.to_string());
                Err(error)
            }
        }
    }

    /// Encodes `records` into the buffer as they will stand in `segment`.
    fn encode(
        &mut self,
        records: &[Tagged<R>],
        segment: &Segment,
        first_sequence: u64,
    ) -> io::Result<()> {
        self.buffer.clear();
        for (sequence, tagged) in (first_sequence..).zip(records) {
            let numbers = (sequence, first_sequence);
            let Tagged { seat, record } = tagged;
            log_format::write_record(&mut self.buffer, segment.seed, numbers, *seat, record)
                .map_err(|bytes| too_large(&segment.path, bytes))?;
        }
        Ok(())
    }

    fn append_to(&mut self, writer: &mut Writer, records: &[Tagged<R>]) -> io::Result<()> {
        self.encode(records, &writer.active, writer.next_sequence)?;
        let is_full = writer.offset + self.buffer.len() as u64 > writer.active.capacity;
        if is_full && writer.offset > SEGMENT_HEADER_BYTES as u64 {
            self.roll(writer)?;
            self.encode(records, &writer.active, writer.next_sequence)?;
        }
        let active = &mut writer.active;
        active
            .file
            .write_all_at(&self.buffer, writer.offset)
            .and_then(|()| active.file.sync_data())
            .map_err(|error| file_error("appending to", &active.path, &error))?;
        writer.next_sequence += records.len() as u64;
        writer.offset += self.buffer.len() as u64;
        writer.used_bytes += self.buffer.len() as u64;
        active.capacity = active.capacity.max(writer.offset);
        writer.prepared.hasten(writer.offset, active.capacity);
        seal(active, writer.offset, writer.next_sequence)?;
        self.stats.appends.fetch_add(1, Ordering::Relaxed);
        self.stats.records.fetch_add(records.len() as u64, Ordering::Relaxed);
        self.stats.bytes.fetch_add(self.buffer.len() as u64, Ordering::Relaxed);
        self.stats.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Goes on in the prepared segment, and has another one prepared.
    fn roll(&self, writer: &mut Writer) -> io::Result<()> {
        let after = writer.active.place.next().next();
        let prepared = std::mem::replace(
            &mut writer.prepared,
            Prepared::start(&self.directory, self.owner, after, self.segment_bytes)?,
        );
        writer.active = prepared.take()?;
        writer.offset = SEGMENT_HEADER_BYTES as u64;
        Ok(())
    }

    fn checkpoint_with(&mut self, writer: &mut Writer, records: &[Tagged<R>]) -> io::Result<()> {
        if writer.offset > SEGMENT_HEADER_BYTES as u64 {
            self.roll(writer)?;
        }
        writer.checkpoint = Some(Checkpoint {
            place: writer.active.place,
            sequence: writer.next_sequence,
            bytes_before: writer.used_bytes,
        });
        if records.is_empty() { Ok(()) } else { self.append_to(writer, records) }
    }

    fn forget_with(&mut self, writer: &mut Writer) -> io::Result<()> {
        let Some(checkpoint) = writer.checkpoint.take() else { return Ok(()) };
        let Checkpoint { place, sequence, bytes_before } = checkpoint;
        let first = self.manifest.first_segment;
        let manifest = Manifest {
            first_segment: place.0,
            first_sequence: sequence,
            synced_below: writer.next_sequence,
        };
        durable_file::replace(&self.directory.join("manifest"), MANIFEST_MAGIC, &manifest)?;
        self.manifest = manifest;
        writer.used_bytes -= bytes_before;
        let paths = (first..place.0).map(|number| Place(number).path(&self.directory)).collect();
        // The deletion before this one is normally long done; if not, this waits for it.
        writer.deletion = None;
        writer.deletion = Some(Deletion::start(paths)?);
        self.stats.compactions.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl<R: Encode + Decode<Frame>> Storage<R> for FileLog<R> {
    fn load(&mut self) -> io::Result<Vec<Tagged<R>>> {
        if !matches!(self.phase, Phase::Opened) {
            return Err(io::Error::other("a log is loaded once"));
        }
        let first = Place(self.manifest.first_segment);
        let (live, stale): (Vec<Place>, Vec<Place>) =
            segment::list(&self.directory, Access::Write)?
                .into_iter()
                .partition(|place| *place >= first);
        for place in stale {
            let path = place.path(&self.directory);
            fs::remove_file(&path).map_err(|error| file_error("deleting", &path, &error))?;
        }
        sync_directory(&self.directory)?;
        let numbers = (first, self.manifest.first_sequence, self.manifest.synced_below);
        let recovered =
            recovery::recover(&self.directory, self.owner, &live, Access::Write, numbers)?;
        let Recovered { records, next_sequence, active, offset, prepared, used_bytes } = recovered;
        // A process that was killed within an append left records in the page cache: they are read
        // back, and would still be lost with the power. Earlier segments were synced before this one
        // was begun.
        active
            .file
            .sync_data()
            .map_err(|error| file_error("syncing what was found in", &active.path, &error))?;
        seal(&active, offset, next_sequence)?;
        let next = active.place.next();
        let prepared = match prepared.into_iter().next() {
            Some(segment) => Prepared::Ready(segment),
            None => Prepared::start(&self.directory, self.owner, next, self.segment_bytes)?,
        };
        prepared.hasten(offset, active.capacity);
        self.phase = Phase::Ready(Box::new(Writer {
            next_sequence,
            active,
            offset,
            used_bytes,
            prepared,
            checkpoint: None,
            deletion: None,
        }));
        Ok(records)
    }

    fn append(&mut self, records: &[Tagged<R>]) -> io::Result<()> {
        if records.is_empty() && matches!(self.phase, Phase::Ready(_)) {
            return Ok(());
        }
        self.write(|log, writer| log.append_to(writer, records))
    }

    fn checkpoint(&mut self, records: &[Tagged<R>]) -> io::Result<()> {
        self.write(|log, writer| log.checkpoint_with(writer, records))
    }

    fn forget_before_checkpoint(&mut self) -> io::Result<()> {
        self.write(Self::forget_with)
    }

    fn size_bytes(&self) -> u64 {
        match &self.phase {
            Phase::Ready(writer) => writer.used_bytes,
            Phase::Opened | Phase::Stopped(_) => 0,
        }
    }
}

/// Creates an empty log. Whatever an interrupted creation left is deleted: nothing was promised in it,
/// because the identity does not know of a log yet.
fn create(directory: &Path, owner: Owner, segment_bytes: u64) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(file_error("deleting", directory, &error));
        }
        _ => {}
    }
    fs::create_dir(directory).map_err(|error| file_error("creating", directory, &error))?;
    if let Some(parent) = directory.parent() {
        sync_directory(parent)?;
    }
    let place = Place(1);
    let room = segment_bytes.min(FIRST_ROOM_BYTES);
    Segment::create(directory, owner, place, room, &Demand::urgent())?;
    let manifest = Manifest { first_segment: place.0, first_sequence: 0, synced_below: 0 };
    durable_file::replace(&directory.join("manifest"), MANIFEST_MAGIC, &manifest)
}

/// Says that everything below `sequence` is durable. Not synced: it only helps to tell damage from
/// a torn tail. Left out where it would make the file longer.
fn seal(segment: &Segment, offset: u64, sequence: u64) -> io::Result<()> {
    let bytes = log_format::seal(segment.seed, sequence);
    if offset + bytes.len() as u64 > segment.capacity {
        return Ok(());
    }
    segment
        .file
        .write_all_at(&bytes, offset)
        .map_err(|error| file_error("appending to", &segment.path, &error))
}

fn too_large(path: &Path, bytes: usize) -> io::Error {
    invalid(
        path,
        &format!("a record of {bytes} bytes is larger than the limit"),
        "propose smaller commands",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Seat;

    #[test]
    fn an_error_names_the_file_and_stops_the_log_for_good() {
        let directory = tempfile::tempdir().unwrap();
        let mut data_dir = DataDir::open(directory.path(), "demo", "n1").unwrap();
        let mut log = FileLog::<u64>::open(&mut data_dir, FileLogOptions::default()).unwrap();
        log.load().unwrap();
        let record = [Tagged { seat: Seat(1), record: 5 }];
        log.append(&record).unwrap();
        let Phase::Ready(writer) = &mut log.phase else { panic!("it was loaded") };
        // A handle that does not take writes stands for a disk that does not.
        writer.active.file = File::open(&writer.active.path).unwrap();
        let path = writer.active.path.display().to_string();
        let error = log.append(&record).unwrap_err().to_string();
        assert!(error.contains(&path), "{error}");
        for outcome in [log.append(&record), log.append(&[]), log.checkpoint(&record)] {
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains("earlier error") && error.contains(&path), "{error}");
        }
    }
}
