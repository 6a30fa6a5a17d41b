//! Reading the log after a crash: what is a torn tail, and what is damage.
//!
//! An append writes its records with one write and syncs once. A crash may leave any part of the
//! records of that one append on disk, not only a prefix: the disk orders pages as it likes. None of
//! them was promised, so they are cut off. Damage to a record whose append had returned is another
//! matter: something was promised on it.
//!
//! The two are told apart by what follows. Each entry says below which sequence everything was
//! durable when it was written. If the first record that is missing or bad is below that of any valid
//! entry behind it, its append had returned: the log is damaged and refused. If not, it belongs to the
//! last append, which had not returned: torn.
//!
//! ```text
//!    …  r7(5)  r8(8)  ░░░░░  r10(8)            ░ = r9, bad; (n) = synced below n
//!    r10 does not prove that r9 was durable: torn, the log ends at r8.
//!
//!    …  r7(5)  r8(8)  ░░░░░  r10(10)           r10 was written after r9 was durable: damage.
//! ```
//!
//! So that the last append proves itself as well, the log puts a seal behind it once it is durable
//! (`entry::seal`): the seal is not synced and costs no more than a copy into the page cache. The
//! manifest proves the records that a rewrite wrote.

use std::io;
use std::path::Path;

use bytes::Bytes;

use super::entry::{self, Entry, Kind};
use super::segment::{Owner, Place, SEGMENT_HEADER_BYTES, Segment};
use crate::runtime::durable_file::{DAMAGED, invalid};
use crate::storage::Tagged;
use crate::wire::{self, Decode, Frame, WIRE_VERSION};

/// What a log holds, and where it goes on.
#[derive(Debug)]
pub(super) struct Recovered<R> {
    pub(super) records: Vec<Tagged<R>>,
    pub(super) next_sequence: u64,
    /// The segment to append to.
    pub(super) active: Segment,
    /// Where in it.
    pub(super) offset: u64,
    /// Segments after the active one: prepared, and empty.
    pub(super) prepared: Vec<Segment>,
    /// Bytes of all records with their headers.
    pub(super) used_bytes: u64,
}

/// Reads all segments of one generation. Torn bytes are overwritten durably before it returns.
///
/// `proven` is exclusive: the manifest proves all records below.
pub(super) fn recover<R: Decode<Frame>>(
    directory: &Path,
    owner: Owner,
    places: &[Place],
    (first_sequence, proven): (u64, u64),
) -> io::Result<Recovered<R>> {
    let mut records = Vec::new();
    let mut next = first_sequence;
    let mut used_bytes = 0;
    let mut segments = Vec::new();
    let mut tail = (0, SEGMENT_HEADER_BYTES);
    for (index, place) in places.iter().enumerate() {
        if place.number != index as u64 {
            return Err(invalid(
                &Place { number: index as u64, ..*place }.path(directory),
                "this segment is missing, and a later one is there",
                DAMAGED,
            ));
        }
        let segment = Segment::open(directory, owner, *place)?;
        let bytes = segment.read()?;
        let mut offset = SEGMENT_HEADER_BYTES;
        while let Some(entry) = next_record(&bytes, offset, segment.seed, next) {
            records.push(record(&segment.path, &bytes, entry)?);
            used_bytes += (entry.end - offset) as u64;
            offset = entry.end;
            next += 1;
            tail = (index, offset);
        }
        if let Some(proof) = entry::find_proof(&bytes, offset, segment.seed, next) {
            return Err(damage(directory, &places[tail.0], tail.1, next, &segment.path, proof));
        }
        cut_torn_tail(&segment, &bytes, offset, next)?;
        segments.push(segment);
    }
    if segments.is_empty() || next < proven {
        return Err(invalid(
            directory,
            &format!("the log ends before record {next}, and its manifest proves {proven} of them"),
            DAMAGED,
        ));
    }
    let prepared = segments.split_off(tail.0 + 1);
    let Some(active) = segments.pop() else {
        return Err(invalid(directory, "the log has no segments", DAMAGED));
    };
    let offset = tail.1 as u64;
    Ok(Recovered { records, next_sequence: next, active, offset, prepared, used_bytes })
}

/// The record `sequence`, if it is the entry at `at`.
fn next_record(bytes: &[u8], at: usize, seed: u32, sequence: u64) -> Option<Entry> {
    entry::read(bytes, at, seed).filter(|entry| {
        entry.kind == Kind::Record && entry.sequence == sequence && entry.synced_below <= sequence
    })
}

fn record<R: Decode<Frame>>(path: &Path, bytes: &[u8], entry: Entry) -> io::Result<Tagged<R>> {
    let at = entry.body - entry::ENTRY_HEADER_BYTES;
    if entry.version != WIRE_VERSION {
        return Err(invalid(
            path,
            &format!(
                "the record at byte {at} has version {} and this program reads {WIRE_VERSION}",
                entry.version
            ),
            "start the program version that wrote it, or a newer one",
        ));
    }
    // A copy, so that a record that lives on does not keep its whole segment in memory.
    let body = Bytes::copy_from_slice(&bytes[entry.body..entry.end]);
    match wire::decode(&body) {
        Ok(record) => Ok(Tagged { seat: entry.seat, record }),
        Err(error) => Err(invalid(
            path,
            &format!("the record at byte {at} is intact but does not decode: {error}"),
            "start the program that wrote it",
        )),
    }
}

fn damage(
    directory: &Path,
    place: &Place,
    at: usize,
    sequence: u64,
    proof_path: &Path,
    proof: usize,
) -> io::Error {
    invalid(
        &place.path(directory),
        &format!(
            "record {sequence} at byte {at} is damaged; it was durable, because the entry at byte \
             {proof} of {} was written after it",
            proof_path.display()
        ),
        DAMAGED,
    )
}

/// Overwrites what an unfinished append left behind `offset`. A seal in its place is not torn.
fn cut_torn_tail(segment: &Segment, bytes: &[u8], offset: usize, next: u64) -> io::Result<()> {
    let rest = match entry::read(bytes, offset, segment.seed) {
        Some(entry) if entry.kind == Kind::Seal && entry.sequence == next => entry.end,
        _ => offset,
    };
    let Some(torn) = bytes.get(rest..).filter(|torn| torn.iter().any(|byte| *byte != 0)) else {
        return Ok(());
    };
    tracing::warn!(
        file = %segment.path.display(), offset, sequence = next, bytes = torn.len(),
        "cut off the records of an append that a crash interrupted; nothing was promised on them"
    );
    segment.clear_from(offset as u64)
}
