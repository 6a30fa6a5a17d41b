//! One file of the log: a header page, then entries, then zeros.
//!
//! A segment gets its name only when its header and its zeros are durable. Appending then changes no
//! metadata of the file, which is what makes the sync cheap. The header has a page of its own that
//! is never written again, so that no torn write of a record can harm it.
//!
//! Header: magic (8), format (4), crc32c of the rest (4), number (8), incarnation (8), salt (8), crc32c of
//! cluster and node name (4).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::prepared::Demand;
use crate::actor::Incarnation;
use crate::runtime::data_dir::{Identity, random_u64};
use crate::runtime::durable_file::{
    DAMAGED, FORMAT, double_word, file_error, invalid, other_format, sync_directory, word,
};

/// Bytes before the first entry.
pub(super) const SEGMENT_HEADER_BYTES: usize = 4096;

const MAGIC: &[u8; 8] = b"MPXSLOG\0";
const HEADER_USED_BYTES: usize = 44;

/// Zeros are written and synced in slices, so that they never hold up the sync of an append for long.
const SLICE_BYTES: usize = 1 << 20;

/// Whose log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    incarnation: Incarnation,
    names_crc: u32,
}

impl Owner {
    pub(super) fn of(identity: &Identity) -> Self {
        let cluster = crc32c::crc32c(identity.cluster.as_bytes());
        let separated = crc32c::crc32c_append(cluster, &[0]);
        let names_crc = crc32c::crc32c_append(separated, identity.node.as_bytes());
        Self { incarnation: identity.incarnation, names_crc }
    }
}

/// What a log is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// To go on with it: what an interrupted append left behind is overwritten.
    Write,
    /// To look at it: nothing is changed.
    Read,
}

/// The place of a segment in the log. Counts up, and is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(pub(super) u64);

impl Place {
    pub(super) fn path(self, directory: &Path) -> PathBuf {
        directory.join(format!("{:010}.segment", self.0))
    }

    /// The one after it.
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The place in a file name, if it is one of a segment.
    fn parse(name: &str) -> Option<Self> {
        name.strip_suffix(".segment")?.parse().ok().map(Self)
    }
}

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) place: Place,
    /// Where checksums in this segment start from.
    pub(super) seed: u32,
    /// Length of the file in bytes.
    pub(super) capacity: u64,
}

impl Segment {
    /// Creates an empty segment of `capacity` bytes, as fast as it is needed. Durable on return, with its
    /// name. Gives up early when nobody wants it any more.
    pub(super) fn create(
        directory: &Path,
        owner: Owner,
        place: Place,
        capacity: u64,
        demand: &Demand,
    ) -> io::Result<Self> {
        let path = place.path(directory);
        let draft = path.with_extension("new");
        let salt = random_u64()?;
        let seed = seed_of(salt);
        let bytes = header(owner, place, salt);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&draft)
            .map_err(|error| file_error("creating", &draft, &error))?;
        let capacity = capacity.max(bytes.len() as u64);
        if let Err(error) = fill(&file, &bytes, capacity, demand) {
            // Best effort: a draft is also deleted when the log is opened.
            let _ = fs::remove_file(&draft);
            return Err(file_error("preparing", &draft, &error));
        }
        fs::rename(&draft, &path).map_err(|error| file_error("putting in place", &path, &error))?;
        sync_directory(directory)?;
        Ok(Self { file, path, place, seed, capacity })
    }

    /// Opens the segment at `place`, and checks that it is this one.
    pub(super) fn open(
        directory: &Path,
        owner: Owner,
        place: Place,
        access: Access,
    ) -> io::Result<Self> {
        let path = place.path(directory);
        let (is_written, doing) = match access {
            Access::Write => (true, "opening for writing"),
            Access::Read => (false, "opening"),
        };
        let opened = OpenOptions::new().read(true).write(is_written).open(&path);
        let file = opened.map_err(|error| file_error(doing, &path, &error))?;
        let mut header = [0; HEADER_USED_BYTES];
        if let Err(error) = file.read_exact_at(&mut header, 0) {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    Err(invalid(&path, "it ends within its header", DAMAGED))
                }
                _ => Err(file_error("reading", &path, &error)),
            };
        }
        let salt = check_header(&path, &header, owner, place)?;
        let capacity = file.metadata().map_err(|error| file_error("reading", &path, &error))?.len();
        Ok(Self { file, path, place, seed: seed_of(salt), capacity })
    }

    /// The whole file. Positions in it are positions in the segment.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.capacity as usize];
        self.file
            .read_exact_at(&mut bytes, 0)
            .map_err(|error| file_error("reading", &self.path, &error))?;
        Ok(bytes)
    }

    /// Overwrites `[from, end of file)` with zeros. Durable on return.
    pub(super) fn clear_from(&self, from: u64) -> io::Result<()> {
        self.clear(from).map_err(|error| file_error("clearing the tail of", &self.path, &error))
    }

    fn clear(&self, from: u64) -> io::Result<()> {
        let zeros = vec![0; SLICE_BYTES.min(self.capacity.saturating_sub(from) as usize)];
        let mut at = from;
        while at < self.capacity {
            let count = zeros.len().min((self.capacity - at) as usize);
            self.file.write_all_at(&zeros[..count], at)?;
            at += count as u64;
        }
        self.file.sync_data()
    }
}

/// The places of all segments in `directory`, in order. Drafts are deleted by who writes.
pub(super) fn list(directory: &Path, access: Access) -> io::Result<Vec<Place>> {
    let mut places = Vec::new();
    let entries =
        fs::read_dir(directory).map_err(|error| file_error("listing", directory, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| file_error("listing", directory, &error))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.ends_with(".new") {
            if access == Access::Read {
                continue;
            }
            let path = entry.path();
            fs::remove_file(&path).map_err(|error| file_error("deleting", &path, &error))?;
        } else if let Some(place) = Place::parse(name) {
            places.push(place);
        }
    }
    places.sort_unstable();
    Ok(places)
}

fn fill(file: &File, bytes: &[u8], capacity: u64, demand: &Demand) -> io::Result<()> {
    for (index, slice) in bytes.chunks(SLICE_BYTES).enumerate() {
        file.write_all_at(slice, (index * SLICE_BYTES) as u64)?;
    }
    let zeros = vec![0; SLICE_BYTES.min((capacity - bytes.len() as u64) as usize)];
    let mut at = bytes.len() as u64;
    let mut last_bytes = 0;
    while at < capacity {
        demand.wait(at, last_bytes)?;
        let count = zeros.len().min((capacity - at) as usize);
        file.write_all_at(&zeros[..count], at)?;
        file.sync_data()?;
        last_bytes = count as u64;
        at += last_bytes;
    }
    file.sync_all()
}

fn header(owner: Owner, place: Place, salt: u64) -> Vec<u8> {
    let mut bytes = vec![0; SEGMENT_HEADER_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    bytes[16..24].copy_from_slice(&place.0.to_le_bytes());
    bytes[24..32].copy_from_slice(&owner.incarnation.0.to_le_bytes());
    bytes[32..40].copy_from_slice(&salt.to_le_bytes());
    bytes[40..44].copy_from_slice(&owner.names_crc.to_le_bytes());
    let crc = header_checksum(&bytes);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn header_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..HEADER_USED_BYTES])
}

/// Returns the salt.
fn check_header(path: &Path, bytes: &[u8], owner: Owner, place: Place) -> io::Result<u64> {
    if bytes[..8] != MAGIC[..] || header_checksum(bytes) != word(bytes, 12) {
        return Err(invalid(path, "its header is damaged", DAMAGED));
    }
    if word(bytes, 8) != FORMAT {
        return Err(other_format(path, word(bytes, 8)));
    }
    let found =
        Owner { incarnation: Incarnation(double_word(bytes, 24)), names_crc: word(bytes, 40) };
    if found != owner {
        return Err(invalid(
            path,
            &format!(
                "it belongs to another node or to another life of this one (incarnation {:x}, not \
                 {:x})",
                found.incarnation.0, owner.incarnation.0
            ),
            "put back the files that belong to this data directory",
        ));
    }
    if double_word(bytes, 16) != place.0 {
        return Err(invalid(path, "its header names another segment: it was renamed", DAMAGED));
    }
    Ok(double_word(bytes, 32))
}

fn seed_of(salt: u64) -> u32 {
    crc32c::crc32c(&salt.to_le_bytes())
}
