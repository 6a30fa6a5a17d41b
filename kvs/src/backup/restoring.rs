//! From a backup to the data directory of a node of a new cluster.
//!
//! Every node of the new cluster is prepared from the same file, before its first start. Its directory
//! then holds what a node has that wrote down a snapshot at the slot of the backup: the log goes on from
//! there, so that versions of values only ever grow. And it holds where that comes from, as a part of the
//! charter: nodes agree on their charters when they are founded, so none that was not prepared, or from
//! another file, can ever be founded with the others. A cluster therefore has all of the state or does
//! not start.
//!
//! A directory is made under another name and renamed when it is complete.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use matchmaker::node::NodeRecord;
use paxos::actor::Seat;
use paxos::archive::ArchiveRecord;
use paxos::runtime::{BackupReader, BackupSummary, DataDir, FileLog, FileLogOptions, Roster};
use paxos::snapshot::{Chunk, FirstSnapshot};
use paxos::storage::{Storage, Tagged};
use paxos::wire::Payload;

use super::Contents;
use crate::deployment::{ClusterFile, NodeFile};

/// Chunks that share one sync.
const CHUNKS_PER_APPEND: usize = 32;

/// Whether a cluster that `file` describes can have the state of a backup.
///
/// *Errors*: it cannot; the text says why and what to change.
pub fn check(contents: &Contents, file: &ClusterFile) -> io::Result<()> {
    file.protocol.check_backups().map_err(|error| refused(error.to_string()))?;
    if contents.header.cluster == file.cluster {
        return Err(refused(format!(
            "the backup is of a cluster called `{}`, and so is the new one: give the new one another \
             name (`cluster` in its file; `kvs init` draws one), so that no node of the old one is \
             ever taken for one of it",
            file.cluster
        )));
    }
    let (needed, present) = (contents.notes.value_bytes_max, file.clients.value_bytes_max as u64);
    if present < needed {
        return Err(refused(format!(
            "the backup may hold values of {needed} bytes, and the new cluster accepts {present}: raise \
             `clients.value_bytes_max` in its file to {needed} at least"
        )));
    }
    Ok(())
}

/// Prepares the directory at `data` for `node` of the new cluster that `file` describes, from the backup
/// at `path` with these contents.
///
/// *Durable* on return. A directory that is not there is not made before it is complete.
///
/// *Errors*: there is something at `data` already; the backup is not the one that was looked at; of the
/// disk.
pub fn restore(
    path: &Path,
    contents: &Contents,
    file: &ClusterFile,
    node: &NodeFile,
    data: &Path,
) -> io::Result<()> {
    check(contents, file)?;
    check_absent(data)?;
    let draft = draft(data)?;
    let prepared = prepare(path, contents, file, node, &draft);
    if prepared.is_err() {
        // Nothing was promised on it.
        let _ = fs::remove_dir_all(&draft);
    }
    prepared?;
    check_absent(data)?;
    fs::rename(&draft, data).map_err(|error| named("putting in place", data, &error))?;
    sync(data.parent().unwrap_or(Path::new(".")))
}

fn prepare(
    path: &Path,
    contents: &Contents,
    file: &ClusterFile,
    node: &NodeFile,
    draft: &Path,
) -> io::Result<()> {
    let mut data_dir = DataDir::open(draft, &file.cluster, &node.name)?;
    data_dir.set_origin(ClusterFile::origin(&contents.header, &contents.summary))?;
    let roster = Roster([(node.name.clone(), data_dir.incarnation())].into());
    let members = file.members(&roster);
    let archive = members.member(&node.name).map_err(io::Error::other)?.archive();
    let mut log = FileLog::open(&mut data_dir, FileLogOptions::default())?;
    log.load()?;
    let Some(archive) = archive else { return Ok(()) };
    let summary = write_snapshot(path, contents, archive.seat, &mut log)?;
    if summary != contents.summary {
        let text = format!("{}: the backup has changed meanwhile: begin again", path.display());
        return Err(refused(text));
    }
    Ok(())
}

/// Writes the state as a snapshot of the archive at `seat`, as if it had been cut by the replica beside.
fn write_snapshot(
    path: &Path,
    contents: &Contents,
    seat: Seat,
    log: &mut FileLog<NodeRecord>,
) -> io::Result<BackupSummary> {
    let tagged =
        |chunk: Chunk| Tagged { seat, record: NodeRecord::Archive(ArchiveRecord::Chunk(chunk)) };
    let mut reader = BackupReader::open(path)?;
    let (mut snapshot, begin) = FirstSnapshot::begin(contents.header.slot);
    let mut records = vec![tagged(begin)];
    while let Some(bytes) = reader.next_part()? {
        records.push(tagged(snapshot.add(Payload(bytes))));
        if records.len() == CHUNKS_PER_APPEND {
            log.append(&records)?;
            records.clear();
        }
    }
    records.push(tagged(snapshot.end()));
    log.append(&records)?;
    reader.finish()
}

/// Where the directory is made.
fn draft(data: &Path) -> io::Result<PathBuf> {
    let mut draft = data.as_os_str().to_owned();
    draft.push(".restoring");
    let draft = PathBuf::from(draft);
    if !draft.exists() {
        return Ok(draft);
    }
    let lock = File::open(draft.join("lock"));
    if lock.is_ok_and(|lock| lock.try_lock().is_err()) {
        return Err(refused(format!(
            "{}: another program is restoring this node",
            draft.display()
        )));
    }
    // It was interrupted.
    fs::remove_dir_all(&draft).map_err(|error| named("deleting", &draft, &error))?;
    Ok(draft)
}

/// *Errors*: there is something at `data`, other than an empty directory.
fn check_absent(data: &Path) -> io::Result<()> {
    let is_empty = || data.is_dir() && fs::read_dir(data).is_ok_and(|mut all| all.next().is_none());
    match data.symlink_metadata() {
        Ok(_) if !is_empty() => Err(refused(format!(
            "{}: it is in use, and a restored node begins with a new directory: name another one \
             (`data` in the file of the cluster, or --data), or move this one away",
            data.display()
        ))),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let synced = File::open(directory).and_then(|opened| opened.sync_all());
    synced.map_err(|error| named("syncing the directory", directory, &error))
}

fn named(doing: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{doing} {}: {error}", path.display()))
}

fn refused(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
