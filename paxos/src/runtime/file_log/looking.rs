//! Reading a log that nobody goes on with.

use std::io;
use std::path::Path;

use super::segment::{self, Access, Owner, Place};
use super::{MANIFEST_MAGIC, Manifest, recovery};
use crate::runtime::data_dir::Identity;
use crate::runtime::durable_file::{self, DAMAGED, invalid};
use crate::storage::Tagged;
use crate::wire::{Decode, Frame};

/// All records of the log in the data directory at `path`, which belongs to `identity`. What an append
/// left behind that a crash interrupted is passed over; nothing is changed on the disk.
///
/// *Errors*: as when the log is opened and loaded.
pub(in crate::runtime) fn look<R: Decode<Frame>>(
    path: &Path,
    identity: &Identity,
) -> io::Result<Vec<Tagged<R>>> {
    let directory = path.join("log");
    let manifest_path = directory.join("manifest");
    let Some(manifest) = durable_file::read::<Manifest>(&manifest_path, MANIFEST_MAGIC)? else {
        return Err(invalid(&manifest_path, "it is gone, and the log had one", DAMAGED));
    };
    let first = Place(manifest.first_segment);
    let mut places = segment::list(&directory, Access::Read)?;
    places.retain(|place| *place >= first);
    let numbers = (first, manifest.first_sequence, manifest.synced_below);
    let owner = Owner::of(identity);
    let recovered = recovery::recover(&directory, owner, &places, Access::Read, numbers)?;
    Ok(recovered.records)
}
