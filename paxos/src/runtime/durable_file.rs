//! Small files that are replaced as a whole: identity, founding, manifest.
//!
//! Layout: magic (8), format (4), length of the body (4), crc32c of all of the above and the body
//! (4), body. A file is written under another name, synced, renamed into place, and the directory is
//! synced: after a crash it is the old one or the new one, never a mixture.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;

use crate::wire::{self, Decode, Encode, Frame};

/// The format of every file in a data directory that this program writes and reads. Format 1 had no
/// charter, and in format 2 a log was rewritten as a whole and had no snapshots.
pub(super) const FORMAT: u32 = 4;

const HEADER_BYTES: usize = 20;

/// Replaces the file at `path` by `value`. Durable on return.
pub(super) fn replace<V: Encode>(path: &Path, magic: &[u8; 8], value: &V) -> io::Result<()> {
    let mut bytes = vec![0; HEADER_BYTES];
    wire::encode_into(value, &mut bytes);
    let body_bytes = (bytes.len() - HEADER_BYTES) as u32;
    bytes[..8].copy_from_slice(magic);
    bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    bytes[12..16].copy_from_slice(&body_bytes.to_le_bytes());
    let crc = checksum(&bytes);
    bytes[16..20].copy_from_slice(&crc.to_le_bytes());

    let draft = path.with_extension("new");
    let write = || {
        let mut file = File::create(&draft)?;
        file.write_all(&bytes)?;
        file.sync_all()
    };
    write().map_err(|error| file_error("writing", &draft, &error))?;
    fs::rename(&draft, path).map_err(|error| file_error("putting in place", path, &error))?;
    match path.parent() {
        Some(directory) => sync_directory(directory),
        None => Ok(()),
    }
}

/// Reads the file at `path`; `None` if there is none.
///
/// *Errors*: damage, another kind of file, and another format than [`FORMAT`].
pub(super) fn read<V: Decode<Frame>>(path: &Path, magic: &[u8; 8]) -> io::Result<Option<V>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => Bytes::from(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error("reading", path, &error)),
    };
    if bytes.len() < HEADER_BYTES || bytes[..8] != magic[..] {
        return Err(invalid(path, "it is not the file that its name says", DAMAGED));
    }
    let format = word(&bytes, 8);
    if bytes.len() - HEADER_BYTES != word(&bytes, 12) as usize
        || checksum(&bytes) != word(&bytes, 16)
    {
        return Err(invalid(path, "its checksum does not match, so it is damaged", DAMAGED));
    }
    if format != FORMAT {
        return Err(other_format(path, format));
    }
    match wire::decode(&bytes.slice(HEADER_BYTES..)) {
        Ok(value) => Ok(Some(value)),
        Err(error) => Err(invalid(path, &format!("it does not decode: {error}"), DAMAGED)),
    }
}

/// What to do about a directory whose memory cannot be trusted.
pub(super) const DAMAGED: &str = "a node that may have forgotten a promise must not take part \
     again: set the directory aside, start the node to join with an empty one, and have the cluster \
     replace the node by itself";

/// The error for a file that holds what it must not hold.
pub(super) fn invalid(path: &Path, cause: &str, cure: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {cause}; {cure}", path.display()))
}

/// The error for a file of a format that this program does not read.
pub(super) fn other_format(path: &Path, format: u32) -> io::Error {
    let cure = match format < FORMAT {
        true => "start the program version that wrote it: this one does not convert it",
        false => "start the program version that wrote it, or a newer one",
    };
    let cause = format!("it has format {format} and this program reads format {FORMAT}");
    invalid(path, &cause, cure)
}

/// The error of an operation on `path`, with its usual cure.
pub(super) fn file_error(doing: &str, path: &Path, error: &io::Error) -> io::Error {
    let cure = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full: free some space and start again"
        }
        io::ErrorKind::ReadOnlyFilesystem => "mount the file system for writing",
        io::ErrorKind::PermissionDenied => "give the user of this process access to it",
        io::ErrorKind::NotFound => "is the path right?",
        io::ErrorKind::NotADirectory => "a part of the path is a file: name another directory",
        _ => "check the disk, then start again",
    };
    io::Error::new(error.kind(), format!("{doing} {}: {error}; {cure}", path.display()))
}

/// Makes creations, renames and deletions in `directory` durable.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    File::open(directory)
        .and_then(|opened| opened.sync_all())
        .map_err(|error| file_error("syncing the directory", directory, &error))
}

/// The little-endian word at `at`. The caller has checked that it is there.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The little-endian double word at `at`. The caller has checked that it is there.
pub(super) fn double_word(bytes: &[u8], at: usize) -> u64 {
    u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..16]), &bytes[HEADER_BYTES..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: &[u8; 8] = b"testfile";

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        assert_eq!(read::<u64>(&path, MAGIC).unwrap(), None);
        replace(&path, MAGIC, &7_u64).unwrap();
        replace(&path, MAGIC, &8_u64).unwrap();
        assert_eq!(read::<u64>(&path, MAGIC).unwrap(), Some(8));
    }

    #[test]
    fn no_flipped_byte_goes_unnoticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        replace(&path, MAGIC, &"some text".to_owned()).unwrap();
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            fs::write(&path, &bad).unwrap();
            let error = read::<String>(&path, MAGIC).unwrap_err().to_string();
            assert!(error.contains(path.to_str().unwrap()), "byte {at}: {error}");
        }
    }

    #[test]
    fn another_format_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for (format, cure) in
            [(1, "does not convert it"), (2, "does not convert it"), (9, "or a newer one")]
        {
            replace(&path, MAGIC, &1_u64).unwrap();
            let mut bytes = fs::read(&path).unwrap();
            bytes[8] = format;
            let crc = checksum(&bytes);
            bytes[16..20].copy_from_slice(&crc.to_le_bytes());
            fs::write(&path, &bytes).unwrap();
            let error = read::<u64>(&path, MAGIC).unwrap_err().to_string();
            let cause = format!("format {format} ");
            assert!(error.contains(&cause) && error.contains(cure), "{error}");
        }
    }
}
