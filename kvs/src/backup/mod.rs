//! Backups: the state of a cluster in a file, and a new cluster from it.
//!
//! ```text
//!  a replica that serves ─ chunks ─► Taking ─► file ─► restore ─► data directories of a new cluster
//!  data directories that are left ─► recovery ─┘
//! ```
//!
//! A file holds what the state machine made of itself and nothing of the protocol ([`FirstSnapshot`]). Time
//! to live is in it, because log time is.

pub mod restoring;

use std::io;
use std::path::Path;

use paxos::runtime::{BackupHeader, BackupReader, BackupSummary, BackupWriter};
use paxos::slot::Slot;
use paxos::snapshot::{Chunk, FirstSnapshot, Sequence};
use paxos::wire::{self, Decode, Encode};

use crate::store::{Counts, count_items};

/// What a backup of a key-value store notes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Notes {
    /// The longest value that the cluster accepted, in bytes.
    pub value_bytes_max: u64,
    /// Where the state comes from.
    pub source: Source,
}

/// Where the state of a backup comes from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub enum Source {
    /// The replica of this node, while it served.
    Served(String),
    /// The data directories of these nodes, which did not run.
    Recovered {
        /// The nodes.
        nodes: Vec<String>,
        /// Whether something that was acknowledged may be missing.
        may_lack: bool,
    },
}

/// A backup file that is being filled with the chunks of a snapshot.
#[derive(Debug)]
pub struct Taking {
    writer: BackupWriter,
    sequence: Sequence,
    counts: Counts,
    part_bytes: u64,
    is_complete: bool,
}

impl Taking {
    /// Begins the file at `path`, of the snapshot at `slot` of `cluster`.
    ///
    /// *Errors*: there is such a file; it cannot be written to.
    pub fn create(
        path: &Path,
        cluster: &str,
        slot: Slot,
        taken_ms: u64,
        notes: &Notes,
    ) -> io::Result<Self> {
        let notes = wire::encode(notes).to_vec();
        let header = BackupHeader { cluster: cluster.to_owned(), slot, taken_ms, notes };
        let writer = BackupWriter::create(path, &header)?;
        let (sequence, counts) = (Sequence::new(slot), Counts::default());
        Ok(Self { writer, sequence, counts, part_bytes: 0, is_complete: false })
    }

    /// Takes the next chunk.
    ///
    /// *Errors*: it is not the next one, or not of a key-value store; of the disk.
    pub fn take(&mut self, chunk: &Chunk) -> io::Result<()> {
        if self.is_complete || !self.sequence.takes(chunk) {
            return Err(io::Error::other("the chunks of the snapshot do not follow on each other"));
        }
        if chunk.is_last {
            self.is_complete = true;
            return Ok(());
        }
        let part = wire::decode(&chunk.bytes.0).map_err(io::Error::other)?;
        let Some(bytes) = FirstSnapshot::state(part) else { return Ok(()) };
        self.counts.add(count_items(&bytes.0).map_err(io::Error::other)?);
        self.part_bytes += bytes.len() as u64;
        self.writer.add(&bytes.0)
    }

    /// The number of the next chunk.
    pub fn next(&self) -> u64 {
        self.sequence.next()
    }

    /// Whether the last chunk was taken.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// What was taken so far, with its bytes.
    pub fn progress(&self) -> (Counts, u64) {
        (self.counts, self.part_bytes)
    }

    /// Puts the file in its place. *Durable* on return.
    ///
    /// *Errors*: the last chunk is missing; of the disk.
    pub fn finish(self) -> io::Result<BackupSummary> {
        if !self.is_complete {
            return Err(io::Error::other("the end of the snapshot is missing"));
        }
        self.writer.finish()
    }
}

/// What a backup file holds, as far as can be told without restoring it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// What it says of itself.
    pub header: BackupHeader,
    /// What it notes.
    pub notes: Notes,
    /// Keys in it.
    pub counts: Counts,
    /// Bytes, and the checksum.
    pub summary: BackupSummary,
}

impl Contents {
    /// Reads the whole backup at `path`.
    ///
    /// *Errors*: it is damaged or not whole, or of another program.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut reader = BackupReader::open(path)?;
        let header = reader.header().clone();
        let notes = wire::decode(&header.notes.clone().into());
        let notes = notes.map_err(|error| foreign(path, &error.to_string()))?;
        let mut counts = Counts::default();
        while let Some(part) = reader.next_part()? {
            let items = count_items(&part);
            counts.add(items.map_err(|error| foreign(path, &error.to_string()))?);
        }
        let summary = reader.finish()?;
        Ok(Self { header, notes, counts, summary })
    }
}

fn foreign(path: &Path, cause: &str) -> io::Error {
    let text = format!("{}: this is no backup of a key-value store: {cause}", path.display());
    io::Error::new(io::ErrorKind::InvalidData, text)
}
