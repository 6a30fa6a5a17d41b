//! A data directory: the memory of one node, and the proof of which node it is.
//!
//! ```text
//!   <data directory>/lock       held exclusively while a process uses the directory
//!                    identity   cluster, node name, incarnation (drawn once), whether a log exists
//!                    founding   what the node voted for when the cluster was founded, and the charter
//!                               that it voted with
//!                    origin     what the node begins with, if the cluster does not begin with nothing
//!                    members    what the application knew of the members of the cluster, last
//!                    retired    that the node was removed from the cluster
//!                    log/       the segments and their manifest (file_log)
//! ```
//!
//! The incarnation is durable before anything else is: whatever the node ever says, it says under
//! the number in this file. A directory whose log is gone is refused, because starting with an empty
//! log under the same incarnation would be amnesia; only an entirely empty directory is a new node.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::TryRng;
use rand::rngs::SysRng;

use super::durable_file::{self, DAMAGED, file_error, invalid, sync_directory};
use super::founding::{Ballot, Charter, Roster};
use crate::actor::Incarnation;
use crate::wire::{Decode, Encode};

/// The longest name of a cluster or node, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

pub(super) const IDENTITY_MAGIC: &[u8; 8] = b"MPXSIDEN";
pub(super) const FOUNDING_MAGIC: &[u8; 8] = b"MPXSFOUN";
const ORIGIN_MAGIC: &[u8; 8] = b"MPXSORIG";
pub(super) const MEMBERS_MAGIC: &[u8; 8] = b"MPXSMEMB";
pub(super) const RETIRED_MAGIC: &[u8; 8] = b"MPXSRETI";

/// An open data directory. It stays locked until this value and every log opened in it are dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    identity: IdentityFile,
    founding: FoundingFile,
    /// What the node begins with; nothing by default.
    origin: Charter,
    /// What the application knew of the members, last; nothing if only those of the founding.
    members: Option<Vec<u8>>,
    lock: Arc<File>,
}

/// Who a process is: what it tells its peers, and what they hold it to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Identity {
    /// The name of the cluster.
    pub cluster: String,
    /// The name of the process, unique in the cluster.
    pub node: String,
    /// Which memory it has.
    pub incarnation: Incarnation,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub(super) struct IdentityFile {
    pub(super) of: Identity,
    /// Whether the log was created. Monotone: from then on a missing log is damage.
    pub(super) log_created: bool,
}

/// What the node has said about the founding; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub(super) struct FoundingFile {
    pub(super) ballot: Ballot,
    /// What it was started with when it voted. Never changes once there is a vote.
    pub(super) charter: Charter,
}

/// Why the node does not start again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub(super) struct Retired(pub(super) String);

impl DataDir {
    /// Opens the directory of node `node` of cluster `cluster`, creating it if there is none.
    ///
    /// *Durable* on return: the identity, with an incarnation from the operating system's random
    /// numbers if the directory is new.
    ///
    /// *Errors*: another process has the directory open; it belongs to another cluster or node; it
    /// is damaged, or of another format; it cannot be written to; a name is empty or longer than
    /// [`NAME_BYTES_MAX`].
    pub fn open(path: impl Into<PathBuf>, cluster: &str, node: &str) -> io::Result<Self> {
        let path = path.into();
        check_name("cluster", cluster)?;
        check_name("node", node)?;
        create_directory(&path)?;
        let lock = Arc::new(lock(&path)?);
        let identity =
            match durable_file::read::<IdentityFile>(&path.join("identity"), IDENTITY_MAGIC)? {
                Some(identity) => {
                    identity.check(&path, cluster, node)?;
                    identity
                }
                None => {
                    check_new(&path)?;
                    let identity = IdentityFile::draw(cluster, node)?;
                    durable_file::replace(&path.join("identity"), IDENTITY_MAGIC, &identity)?;
                    tracing::info!(
                        directory = %path.display(), cluster, node,
                        incarnation = %format_args!("{:x}", identity.of.incarnation.0),
                        "created a data directory"
                    );
                    identity
                }
            };
        let founding =
            durable_file::read(&path.join("founding"), FOUNDING_MAGIC)?.unwrap_or_default();
        let origin = durable_file::read(&path.join("origin"), ORIGIN_MAGIC)?.unwrap_or_default();
        let members = durable_file::read(&path.join("members"), MEMBERS_MAGIC)?;
        if let Some(Retired(reason)) = durable_file::read(&path.join("retired"), RETIRED_MAGIC)? {
            let cause = format!("this node was removed from its cluster: {reason}");
            let cure = "delete the directory; an empty one can join again";
            return Err(invalid(&path, &cause, cure));
        }
        Ok(Self { path, identity, founding, origin, members, lock })
    }

    /// Opens the directory of node `node` of whatever cluster it belongs to; `None` if there is no such
    /// directory yet.
    ///
    /// *Errors*: as those of [`open`](Self::open).
    pub fn open_existing(path: impl Into<PathBuf>, node: &str) -> io::Result<Option<Self>> {
        let path = path.into();
        let identity = durable_file::read::<IdentityFile>(&path.join("identity"), IDENTITY_MAGIC)?;
        let Some(identity) = identity else { return Ok(None) };
        Self::open(path, &identity.of.cluster, node).map(Some)
    }

    /// What the application knew of the members of the cluster, last; `None` if nothing has changed
    /// since the founding.
    pub fn members(&self) -> Option<&[u8]> {
        self.members.as_deref()
    }

    /// Makes durable what the application knows of the members of the cluster.
    ///
    /// *Errors*: of the disk.
    pub fn set_members(&mut self, members: Vec<u8>) -> io::Result<()> {
        durable_file::replace(&self.path.join("members"), MEMBERS_MAGIC, &members)?;
        self.members = Some(members);
        Ok(())
    }

    /// Becomes a member of a cluster that was founded by others, whose roster and charter these are.
    pub(super) fn set_joined(
        &mut self,
        ballot: &Ballot,
        charter: &Charter,
        members: Vec<u8>,
    ) -> io::Result<()> {
        self.set_ballot(ballot, charter)?;
        self.set_members(members)
    }

    /// What the node begins with, if the cluster does not begin with nothing: texts that all nodes must
    /// agree on when they found it. They belong into the charter that the node is started with.
    pub fn origin(&self) -> &Charter {
        &self.origin
    }

    /// Makes durable what the node begins with.
    ///
    /// *Errors*: of the disk.
    pub fn set_origin(&mut self, origin: Charter) -> io::Result<()> {
        durable_file::replace(&self.path.join("origin"), ORIGIN_MAGIC, &origin)?;
        self.origin = origin;
        Ok(())
    }

    /// The charter that the node has agreed to, once the cluster is founded.
    pub fn charter(&self) -> Option<&Charter> {
        self.founding.ballot.founded.then_some(&self.founding.charter)
    }

    /// Notes durably that the node was removed from its cluster: it never starts again.
    ///
    /// *Errors*: of the disk.
    pub fn retire(&mut self, reason: &str) -> io::Result<()> {
        let retired = Retired(reason.to_owned());
        durable_file::replace(&self.path.join("retired"), RETIRED_MAGIC, &retired)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who the process with this directory is.
    pub fn identity(&self) -> &Identity {
        &self.identity.of
    }

    /// The cluster that it belongs to.
    pub fn cluster(&self) -> &str {
        &self.identity.of.cluster
    }

    /// The name of the node whose memory it is.
    pub fn node(&self) -> &str {
        &self.identity.of.node
    }

    /// The number under which this memory is known. Never zero, and never another one.
    pub fn incarnation(&self) -> Incarnation {
        self.identity.of.incarnation
    }

    /// The processes that founded the cluster, once this node knows that it is founded.
    pub fn roster(&self) -> Option<&Roster> {
        let Ballot { vote, founded } = &self.founding.ballot;
        vote.as_ref().filter(|_| *founded)
    }

    /// What the node has durably said about the founding.
    pub(super) fn ballot(&self) -> &Ballot {
        &self.founding.ballot
    }

    /// Makes what the node says about the founding durable, with the charter that it was started with.
    pub(super) fn set_ballot(&mut self, ballot: &Ballot, charter: &Charter) -> io::Result<()> {
        let founding = FoundingFile { ballot: ballot.clone(), charter: charter.clone() };
        durable_file::replace(&self.path.join("founding"), FOUNDING_MAGIC, &founding)?;
        self.founding = founding;
        Ok(())
    }

    /// Whether the node may be started with `charter`: any one before it has voted, the same ever
    /// after.
    ///
    /// *Errors*: it may not; the text says what differs.
    pub fn check_charter(&self, charter: &Charter) -> io::Result<()> {
        let FoundingFile { ballot, charter: voted } = &self.founding;
        let difference =
            voted.difference("founded as", charter, "now").filter(|_| ballot.vote.is_some());
        let Some(difference) = difference else { return Ok(()) };
        let cure = match ballot.founded {
            true => "undo this change: it is agreed on for the life of the cluster",
            false => {
                "undo this change, or, if no process serves yet, empty the data directories of all \
                 processes and start again"
            }
        };
        let cause = format!("the description of the cluster has changed; {difference}");
        Err(invalid(&self.path, &cause, cure))
    }

    /// Whether a log was created here, ever.
    pub(super) fn is_log_created(&self) -> bool {
        self.identity.log_created
    }

    /// Notes durably that there is a log, so that its loss is noticed.
    pub(super) fn set_log_created(&mut self) -> io::Result<()> {
        let identity = IdentityFile { log_created: true, ..self.identity.clone() };
        durable_file::replace(&self.path.join("identity"), IDENTITY_MAGIC, &identity)?;
        self.identity = identity;
        Ok(())
    }

    /// A share of the lock: the directory stays locked until all shares are dropped.
    pub(super) fn lock(&self) -> Arc<File> {
        Arc::clone(&self.lock)
    }
}

impl IdentityFile {
    fn draw(cluster: &str, node: &str) -> io::Result<Self> {
        let incarnation = loop {
            let drawn = random_u64()?;
            if drawn != 0 {
                break Incarnation(drawn);
            }
        };
        let of = Identity { cluster: cluster.into(), node: node.into(), incarnation };
        Ok(Self { of, log_created: false })
    }

    pub(super) fn check(&self, path: &Path, cluster: &str, node: &str) -> io::Result<()> {
        if self.of.incarnation.0 == 0 {
            return Err(invalid(&path.join("identity"), "its incarnation is zero", DAMAGED));
        }
        if self.of.cluster != cluster || self.of.node != node {
            return Err(invalid(
                path,
                &format!(
                    "this is the data directory of node {:?} of cluster {:?}, and the program was \
                     started as node {node:?} of cluster {cluster:?}",
                    self.of.node, self.of.cluster
                ),
                "name the directory that belongs to this node",
            ));
        }
        Ok(())
    }
}

/// A number that the operating system draws.
///
/// *Errors*: it has none, which should not happen.
pub fn random_u64() -> io::Result<u64> {
    SysRng
        .try_next_u64()
        .map_err(|error| io::Error::other(format!("the system has no random numbers: {error}")))
}

/// *Errors*: the name is empty or too long.
pub(super) fn check_name(what: &str, name: &str) -> io::Result<()> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "the {what} name {name:?} has {} bytes: choose one of 1 to {NAME_BYTES_MAX}",
                name.len()
            ),
        ));
    }
    Ok(())
}

fn create_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if path.exists() {
        return Err(invalid(path, "it is not a directory", "name another one for the data"));
    }
    fs::create_dir_all(path).map_err(|error| file_error("creating", path, &error))?;
    match path.parent() {
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}

fn lock(path: &Path) -> io::Result<File> {
    let name = path.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(|error| file_error("opening for writing", &name, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::WouldBlock,
            format!(
                "{}: another process has this data directory open; stop it first, or name another \
                 directory",
                path.display()
            ),
        )),
        Err(TryLockError::Error(error)) => Err(file_error("locking", &name, &error)),
    }
}

/// A directory without an identity must hold nothing that a node could have promised.
fn check_new(path: &Path) -> io::Result<()> {
    for name in ["log", "founding", "origin", "members", "retired"] {
        if path.join(name).exists() {
            return Err(invalid(
                path,
                &format!("it holds {name:?} but no identity, so it was in use and lost a file"),
                DAMAGED,
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_incarnation_is_drawn_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b");
        let first = DataDir::open(&path, "demo", "n1").unwrap().incarnation();
        assert_ne!(first.0, 0);
        assert_eq!(DataDir::open(&path, "demo", "n1").unwrap().incarnation(), first);
        let other = DataDir::open(directory.path().join("c"), "demo", "n1").unwrap();
        assert_ne!(other.incarnation(), first);
    }

    #[test]
    fn two_processes_do_not_share_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let held = DataDir::open(directory.path(), "demo", "n1").unwrap();
        let error = DataDir::open(directory.path(), "demo", "n1").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(error.to_string().contains("another process"), "{error}");
        drop(held);
        DataDir::open(directory.path(), "demo", "n1").unwrap();
    }

    #[test]
    fn a_foreign_directory_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        drop(DataDir::open(directory.path(), "demo", "n1").unwrap());
        for (cluster, node) in [("demo", "n2"), ("other", "n1")] {
            let error = DataDir::open(directory.path(), cluster, node).unwrap_err().to_string();
            assert!(error.contains("\"n1\" of cluster \"demo\""), "{error}");
        }
    }

    #[test]
    fn a_lost_identity_is_not_replaced_by_a_new_one() {
        let directory = tempfile::tempdir().unwrap();
        drop(DataDir::open(directory.path(), "demo", "n1").unwrap());
        fs::create_dir(directory.path().join("log")).unwrap();
        fs::remove_file(directory.path().join("identity")).unwrap();
        DataDir::open(directory.path(), "demo", "n1").unwrap_err();
    }

    #[test]
    fn a_file_in_place_of_the_directory_is_a_clear_error() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = DataDir::open(&file, "demo", "n1").unwrap_err().to_string();
        assert!(error.contains("file: it is not a directory; name another"), "{error}");
    }

    fn charter(text: &str) -> Charter {
        Charter([("n1".to_owned(), text.to_owned())].into())
    }

    #[test]
    fn the_charter_of_a_vote_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let mut data_dir = DataDir::open(directory.path(), "demo", "n1").unwrap();
        data_dir.check_charter(&charter("anything")).unwrap();
        let mut ballot = Ballot { vote: Some(Roster::default()), founded: false };
        for (founded, cure) in [(false, "empty the data directories"), (true, "for the life")] {
            ballot.founded = founded;
            data_dir.set_ballot(&ballot, &charter("a leader")).unwrap();
            drop(data_dir);
            data_dir = DataDir::open(directory.path(), "demo", "n1").unwrap();
            data_dir.check_charter(&charter("a leader")).unwrap();
            let error = data_dir.check_charter(&charter("a clown")).unwrap_err().to_string();
            let cause = "n1: founded as \"a leader\", now \"a clown\"";
            assert!(error.contains(cause) && error.contains(cure), "{error}");
        }
    }

    #[test]
    fn a_directory_of_an_older_format_is_refused_as_such() {
        let directory = tempfile::tempdir().unwrap();
        drop(DataDir::open(directory.path(), "demo", "n1").unwrap());
        let path = directory.path().join("identity");
        let mut bytes = fs::read(&path).unwrap();
        bytes[8] = 1;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..16]), &bytes[20..]);
        bytes[16..20].copy_from_slice(&crc.to_le_bytes());
        fs::write(&path, &bytes).unwrap();
        let error = DataDir::open(directory.path(), "demo", "n1").unwrap_err().to_string();
        assert!(error.contains("format 1") && error.contains("reads format 3"), "{error}");
    }

    #[test]
    fn a_path_below_a_file_is_a_clear_error() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = DataDir::open(file.join("data"), "demo", "n1").unwrap_err().to_string();
        assert!(error.contains("file/data"), "{error}");
    }
}
