//! A backup: the state of a cluster at one slot, in one file.
//!
//! ```text
//!   magic (8), format (4)
//!   header     cluster, slot, time, notes of the application
//!   part ...   what the state machine made of itself, piece by piece
//!   trailer    count and bytes of the parts
//! ```
//!
//! Header, parts and trailer are entries alike: kind (1), length (4), crc32c (4), bytes. The checksum of
//! each goes on from that of the one before, so that of the trailer is that of the whole file, and no
//! entry can be lost, repeated or moved. Nothing may follow the trailer.
//!
//! A backup is written under another name, synced, renamed into place, and its directory is synced: a
//! file with the right name is whole.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::durable_file::{file_error, invalid, sync_directory};
use crate::slot::Slot;
use crate::wire::{self, Decode, ENCODED_BYTES_MAX, Encode};

const MAGIC: &[u8; 8] = b"MPXSBACK";

/// The format of backups that this program writes and reads.
const FORMAT: u32 = 1;

const START_BYTES: usize = 12;
const ENTRY_HEADER_BYTES: usize = 9;

const HEADER: u8 = 1;
const PART: u8 = 2;
const TRAILER: u8 = 3;

/// What to do about a backup that cannot be trusted.
const DAMAGED: &str = "copy it again from where it is whole, or use another backup";

/// What a backup says of itself before the state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct BackupHeader {
    /// The cluster that it was taken of.
    pub cluster: String,
    /// Exclusive: the state after all slots below.
    pub slot: Slot,
    /// When it was taken, unix ms by the clock of the machine that wrote it.
    pub taken_ms: u64,
    /// What the application wants to know when it restores the state.
    pub notes: Vec<u8>,
}

/// What a whole backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupSummary {
    /// Parts of the state.
    pub part_count: u64,
    /// Their bytes.
    pub part_bytes: u64,
    /// Of the whole file: tells backups apart.
    pub checksum: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
struct Trailer {
    part_count: u64,
    part_bytes: u64,
}

/// A backup that is being written. If it is dropped before it is finished, nothing is left of it.
#[derive(Debug)]
pub struct BackupWriter {
    file: BufWriter<File>,
    path: PathBuf,
    draft: PathBuf,
    /// Of all that was written.
    checksum: u32,
    written: Trailer,
}

impl BackupWriter {
    /// Whether a backup could be the file at `path`.
    ///
    /// *Errors*: there is a file of that name.
    pub fn check(path: &Path) -> io::Result<()> {
        check_absent(path)
    }

    /// Begins a backup that is to be the file at `path`.
    ///
    /// *Errors*: there is a file of that name, or of that of its draft; it cannot be written to.
    pub fn create(path: &Path, header: &BackupHeader) -> io::Result<Self> {
        check_absent(path)?;
        let mut draft = path.as_os_str().to_owned();
        draft.push(".partial");
        let draft = PathBuf::from(draft);
        let file = File::create_new(&draft).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                let cause = "another program is writing this backup, or was interrupted";
                invalid(&draft, cause, "wait until it is gone, or delete it")
            }
            _ => file_error("creating", &draft, &error),
        })?;
        let (file, path) = (BufWriter::new(file), path.to_path_buf());
        let start = start();
        let checksum = crc32c::crc32c(&start);
        let mut writer = Self { file, path, draft, checksum, written: Trailer::default() };
        writer.write(&start)?;
        writer.write_entry(HEADER, &wire::encode(header))?;
        Ok(writer)
    }

    /// Adds the next part of the state.
    ///
    /// *Errors*: it is larger than a part of a snapshot may be; of the disk.
    pub fn add(&mut self, part: &[u8]) -> io::Result<()> {
        self.written.part_count += 1;
        self.written.part_bytes += part.len() as u64;
        self.write_entry(PART, part)
    }

    /// Ends the backup and puts it in its place. *Durable* on return.
    ///
    /// *Errors*: of the disk; a file of that name has appeared meanwhile.
    pub fn finish(mut self) -> io::Result<BackupSummary> {
        let trailer = self.written;
        self.write_entry(TRAILER, &wire::encode(&trailer))?;
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(|error| file_error("writing", &self.draft, &error))?;
        check_absent(&self.path)?;
        fs::rename(&self.draft, &self.path)
            .map_err(|error| file_error("putting in place", &self.path, &error))?;
        if let Some(directory) = self.path.parent() {
            sync_directory(directory)?;
        }
        Ok(summary(trailer, self.checksum))
    }

    fn write_entry(&mut self, kind: u8, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > ENCODED_BYTES_MAX {
            let cause = format!("a part of {} bytes is larger than the limit", bytes.len());
            return Err(invalid(&self.draft, &cause, "have the state machine cut smaller ones"));
        }
        let (header, checksum) = entry_header(self.checksum, kind, bytes);
        self.checksum = checksum;
        self.write(&header)?;
        self.write(bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).map_err(|error| file_error("writing", &self.draft, &error))
    }
}

impl Drop for BackupWriter {
    fn drop(&mut self) {
        // After it was finished there is no draft any more.
        let _ = fs::remove_file(&self.draft);
    }
}

fn check_absent(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(_) => {
            let cause = "there is such a file already, and a backup overwrites nothing";
            Err(invalid(path, cause, "choose another name, or move the file away"))
        }
        Err(_) => Ok(()),
    }
}

fn start() -> [u8; START_BYTES] {
    let mut start = [0; START_BYTES];
    start[..8].copy_from_slice(MAGIC);
    start[8..].copy_from_slice(&FORMAT.to_le_bytes());
    start
}

/// The bytes before those of an entry, and the checksum up to its end.
fn entry_header(before: u32, kind: u8, bytes: &[u8]) -> ([u8; ENTRY_HEADER_BYTES], u32) {
    let mut header = [0; ENTRY_HEADER_BYTES];
    header[0] = kind;
    header[1..5].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    let checksum = crc32c::crc32c_append(crc32c::crc32c_append(before, &header[..5]), bytes);
    header[5..].copy_from_slice(&checksum.to_le_bytes());
    (header, checksum)
}

fn summary(trailer: Trailer, checksum: u32) -> BackupSummary {
    let Trailer { part_count, part_bytes } = trailer;
    BackupSummary { part_count, part_bytes, checksum }
}

/// A backup that is being read. What it has returned is as it was written; whether the backup is whole is
/// known at its end.
#[derive(Debug)]
pub struct BackupReader {
    file: BufReader<File>,
    path: PathBuf,
    header: BackupHeader,
    /// Of all that was read.
    checksum: u32,
    read: Trailer,
    is_at_end: bool,
}

impl BackupReader {
    /// Opens the backup at `path`.
    ///
    /// *Errors*: there is none; it is no backup, of another format, or its beginning is damaged.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path).map_err(|error| file_error("opening", path, &error))?;
        let (mut file, path) = (BufReader::new(file), path.to_path_buf());
        let mut found = [0; START_BYTES];
        read_exact(&mut file, &path, &mut found)?;
        if found[..8] != MAGIC[..] {
            return Err(invalid(&path, "it is no backup", "name a file that `backup` wrote"));
        }
        if found != start() {
            let cause = "it has another format than this program reads, or is damaged";
            return Err(invalid(&path, cause, "use the program version that wrote it"));
        }
        let header = BackupHeader {
            cluster: String::new(),
            slot: Slot::ZERO,
            taken_ms: 0,
            notes: Vec::new(),
        };
        let (checksum, read) = (crc32c::crc32c(&found), Trailer::default());
        let mut reader = Self { file, path, header, checksum, read, is_at_end: false };
        match reader.read_entry()? {
            (HEADER, bytes) => reader.header = reader.decode(&bytes)?,
            _ => return Err(reader.damaged("it does not begin with its header")),
        }
        Ok(reader)
    }

    /// What the backup says of itself.
    pub fn header(&self) -> &BackupHeader {
        &self.header
    }

    /// The next part of the state; `None` at the end of a backup that is whole.
    ///
    /// *Errors*: it is damaged, or not whole.
    pub fn next_part(&mut self) -> io::Result<Option<Bytes>> {
        if self.is_at_end {
            return Ok(None);
        }
        match self.read_entry()? {
            (PART, bytes) => {
                self.read.part_count += 1;
                self.read.part_bytes += bytes.len() as u64;
                Ok(Some(bytes))
            }
            (TRAILER, bytes) => {
                if self.decode::<Trailer>(&bytes)? != self.read {
                    return Err(self.damaged("its trailer counts other parts than there are"));
                }
                let rest = self.file.read(&mut [0]);
                if rest.map_err(|error| file_error("reading", &self.path, &error))? > 0 {
                    return Err(self.damaged("it goes on after its end"));
                }
                self.is_at_end = true;
                Ok(None)
            }
            _ => Err(self.damaged("it holds something that is no part of a backup")),
        }
    }

    /// Reads the rest; what the whole backup holds.
    ///
    /// *Errors*: as [`next_part`](Self::next_part).
    pub fn finish(&mut self) -> io::Result<BackupSummary> {
        while self.next_part()?.is_some() {}
        Ok(summary(self.read, self.checksum))
    }

    fn read_entry(&mut self) -> io::Result<(u8, Bytes)> {
        let mut header = [0; ENTRY_HEADER_BYTES];
        read_exact(&mut self.file, &self.path, &mut header)?;
        let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
        if length > ENCODED_BYTES_MAX {
            return Err(self.damaged("a length in it is impossible"));
        }
        let mut bytes = vec![0; length];
        read_exact(&mut self.file, &self.path, &mut bytes)?;
        let (expected, checksum) = entry_header(self.checksum, header[0], &bytes);
        if expected != header {
            return Err(self.damaged("a checksum does not match"));
        }
        self.checksum = checksum;
        Ok((header[0], Bytes::from(bytes)))
    }

    fn decode<V: Decode<wire::Frame>>(&self, bytes: &Bytes) -> io::Result<V> {
        wire::decode(bytes).map_err(|error| self.damaged(&format!("it does not decode: {error}")))
    }

    fn damaged(&self, cause: &str) -> io::Error {
        invalid(&self.path, &format!("the backup is damaged: {cause}"), DAMAGED)
    }
}

fn read_exact(file: &mut impl Read, path: &Path, bytes: &mut [u8]) -> io::Result<()> {
    file.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            invalid(path, "the backup is cut short, or it is none", DAMAGED)
        }
        _ => file_error("reading", path, &error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BackupHeader {
        let notes = b"notes".to_vec();
        BackupHeader { cluster: "demo".into(), slot: Slot(7), taken_ms: 99, notes }
    }

    fn write(path: &Path, parts: &[&[u8]]) -> BackupSummary {
        let mut writer = BackupWriter::create(path, &header()).unwrap();
        parts.iter().for_each(|part| writer.add(part).unwrap());
        writer.finish().unwrap()
    }

    fn read(path: &Path) -> io::Result<(Vec<Bytes>, BackupSummary)> {
        let mut reader = BackupReader::open(path)?;
        assert_eq!(reader.header(), &header());
        let mut parts = Vec::new();
        while let Some(part) = reader.next_part()? {
            parts.push(part);
        }
        Ok((parts, reader.finish()?))
    }

    #[test]
    fn a_backup_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("backup");
        let written = write(&path, &[b"one", b"", b"three"]);
        let (parts, summary) = read(&path).unwrap();
        assert_eq!(parts, [&b"one"[..], b"", b"three"]);
        assert_eq!(summary, written);
        assert_eq!((summary.part_count, summary.part_bytes), (3, 8));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let (whole, path) = (directory.path().join("whole"), directory.path().join("bad"));
        write(&whole, &[b"one", b"two", b"two"]);
        let good = fs::read(&whole).unwrap();
        for (at, bit) in (0..good.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            fs::write(&path, &bad).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(path.to_str().unwrap()), "bit {bit} of byte {at}: {error}");
        }
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("cut short"), "{length} bytes: {error}");
        }
        fs::write(&path, [&good[..], b"x"].concat()).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("after its end"));
    }

    #[test]
    fn parts_cannot_change_places() {
        let directory = tempfile::tempdir().unwrap();
        let (whole, path) = (directory.path().join("whole"), directory.path().join("bad"));
        write(&whole, &[b"one", b"two"]);
        let good = fs::read(&whole).unwrap();
        let part_bytes = ENTRY_HEADER_BYTES + 3;
        let trailer_bytes = ENTRY_HEADER_BYTES + 16;
        let first = good.len() - trailer_bytes - 2 * part_bytes;
        let (one, two) = (first..first + part_bytes, first + part_bytes..first + 2 * part_bytes);
        let (start, end) = (&good[..first], &good[first + 2 * part_bytes..]);
        for parts in [
            [&good[two.clone()], &good[one.clone()]].concat(),
            [&good[one.clone()], &good[one.clone()]].concat(),
            good[one].to_vec(),
            good[two].to_vec(),
        ] {
            fs::write(&path, [start, &parts, end].concat()).unwrap();
            read(&path).unwrap_err();
        }
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_half_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("backup");
        let mut unfinished = BackupWriter::create(&path, &header()).unwrap();
        unfinished.add(b"part").unwrap();
        let error = BackupWriter::create(&path, &header()).unwrap_err().to_string();
        assert!(error.contains("another program is writing"), "{error}");
        drop(unfinished);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        write(&path, &[b"kept"]);
        let error = BackupWriter::create(&path, &header()).unwrap_err().to_string();
        assert!(error.contains("overwrites nothing"), "{error}");
        let late = directory.path().join("late");
        let writer = BackupWriter::create(&late, &header()).unwrap();
        fs::write(&late, b"somebody else's").unwrap();
        writer.finish().unwrap_err();
        assert_eq!(fs::read(&late).unwrap(), b"somebody else's");
        assert_eq!(read(&path).unwrap().0, [&b"kept"[..]]);
    }
}
