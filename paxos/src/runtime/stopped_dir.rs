//! Looking into the data directory of a process that does not run, without changing anything in it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::data_dir::{
    FOUNDING_MAGIC, FoundingFile, IDENTITY_MAGIC, Identity, IdentityFile, MEMBERS_MAGIC,
    RETIRED_MAGIC, Retired,
};
use super::durable_file::{self, file_error, invalid};
use super::file_log;
use super::founding::{Charter, Roster};
use crate::storage::Tagged;
use crate::wire::{Decode, Frame};

/// A data directory that is only looked at. No process can use it until this value is dropped.
#[derive(Debug)]
pub struct StoppedDir {
    path: PathBuf,
    identity: Identity,
    roster: Roster,
    charter: Charter,
    members: Option<Vec<u8>>,
    removal: Option<String>,
    /// Nothing in a copy without a lock, which no process has ever used.
    _lock: Option<File>,
}

impl StoppedDir {
    /// Looks into the directory at `path`, of whatever node it is.
    ///
    /// *Errors*: there is no such directory, or it is no data directory; a process uses it; it is
    /// damaged, or of another format; its node never took part in a cluster.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        if !path.is_dir() {
            let cause =
                if path.exists() { "it is not a directory" } else { "there is no such directory" };
            return Err(invalid(&path, cause, "name the data directory of a node"));
        }
        let lock = lock(&path)?;
        let identity = durable_file::read::<IdentityFile>(&path.join("identity"), IDENTITY_MAGIC)?;
        let Some(IdentityFile { of: identity, log_created }) = identity else {
            let cause = "it is no data directory: it has no file `identity`";
            return Err(invalid(&path, cause, "name the data directory of a node"));
        };
        let founding = durable_file::read(&path.join("founding"), FOUNDING_MAGIC)?;
        let FoundingFile { ballot, charter } = founding.unwrap_or_default();
        let (Some(roster), true) = (ballot.vote.filter(|_| ballot.founded), log_created) else {
            let cause = "its node never took part in a cluster, so it holds nothing";
            return Err(invalid(&path, cause, "leave it out"));
        };
        let members = durable_file::read(&path.join("members"), MEMBERS_MAGIC)?;
        let removal = durable_file::read::<Retired>(&path.join("retired"), RETIRED_MAGIC)?;
        let removal = removal.map(|Retired(reason)| reason);
        Ok(Self { path, identity, roster, charter, members, removal, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose memory it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The processes that founded the cluster.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// What they agreed on.
    pub fn charter(&self) -> &Charter {
        &self.charter
    }

    /// What the application knew of the members, last; `None` if nothing had changed since the
    /// founding.
    pub fn members(&self) -> Option<&[u8]> {
        self.members.as_deref()
    }

    /// Why the node was removed from its cluster, if it was.
    pub fn removal(&self) -> Option<&str> {
        self.removal.as_deref()
    }

    /// All records of its log, in their order. An append that a crash interrupted is passed over:
    /// nothing was promised on it.
    ///
    /// *Errors*: the log is damaged, of another format, or gone.
    ///
    /// *Cost*: the whole log is read into memory.
    pub fn records<R: Decode<Frame>>(&self) -> io::Result<Vec<Tagged<R>>> {
        file_log::look(&self.path, &self.identity)
    }
}

fn lock(path: &Path) -> io::Result<Option<File>> {
    let name = path.join("lock");
    let file = match File::open(&name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error("opening", &name, &error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::WouldBlock,
            format!("{}: a process uses this data directory; stop it first", path.display()),
        )),
        Err(TryLockError::Error(error)) => Err(file_error("locking", &name, &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;
    use crate::actor::Seat;
    use crate::runtime::{DataDir, FileLog, FileLogOptions, found_together};
    use crate::storage::Storage;

    /// All files below a directory with their bytes.
    fn contents(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let inside = |path: PathBuf| match path.is_dir() {
            true => contents(&path),
            false => BTreeMap::from([(path.clone(), fs::read(&path).unwrap())]),
        };
        entries.flat_map(inside).collect()
    }

    #[test]
    fn looking_reads_what_is_durable_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("n1");
        let mut dirs = [DataDir::open(&path, "demo", "n1").unwrap()];
        found_together(&mut dirs, &Charter::default()).unwrap();
        let mut log = FileLog::<u64>::open(&mut dirs[0], FileLogOptions::default()).unwrap();
        log.load().unwrap();
        let records: Vec<Tagged<u64>> =
            (0..9).map(|record| Tagged { seat: Seat(1), record }).collect();
        log.append(&records).unwrap();
        let error = StoppedDir::open(&path).unwrap_err().to_string();
        assert!(error.contains("a process uses"), "{error}");
        drop((log, dirs));
        // An append that was interrupted, and a segment that was not finished.
        let segment = path.join("log/0000000000.segment");
        let segment = if segment.exists() { segment } else { path.join("log/0000000001.segment") };
        let mut bytes = fs::read(&segment).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 9;
        bytes[end] = 7;
        fs::write(&segment, bytes).unwrap();
        fs::write(path.join("log/0000000009.new"), b"half").unwrap();
        let before = contents(&path);
        let stopped = StoppedDir::open(&path).unwrap();
        assert_eq!(stopped.records::<u64>().unwrap(), records);
        assert_eq!((stopped.identity().node.as_str(), stopped.removal()), ("n1", None));
        let error = DataDir::open(&path, "demo", "n1").unwrap_err().to_string();
        assert!(error.contains("another process"), "{error}");
        drop(stopped);
        assert_eq!(contents(&path), before);
        let mut again = DataDir::open(&path, "demo", "n1").unwrap();
        let mut log = FileLog::<u64>::open(&mut again, FileLogOptions::default()).unwrap();
        assert_eq!(log.load().unwrap(), records);
    }

    #[test]
    fn what_is_no_data_directory_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let refused = |path: &Path| StoppedDir::open(path).unwrap_err().to_string();
        let missing = directory.path().join("missing");
        assert!(refused(&missing).contains("no such directory"));
        assert!(!missing.exists());
        assert!(refused(directory.path()).contains("no file `identity`"));
        let new = directory.path().join("new");
        drop(DataDir::open(&new, "demo", "n1").unwrap());
        assert!(refused(&new).contains("never took part"));
    }
}
