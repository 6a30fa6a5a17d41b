//! Reading the log after a crash, segment by segment. What is torn and what is damage is told apart by
//! `log_format`; the manifest proves the records that were durable when it was written.

use std::io;
use std::path::Path;

use super::segment::{Access, Owner, Place, SEGMENT_HEADER_BYTES, Segment};
use crate::log_format::{self, Rest, Scan, UnreadableCause};
use crate::runtime::durable_file::{DAMAGED, invalid};
use crate::storage::Tagged;
use crate::wire::{Decode, Frame};

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

/// Reads all segments from that of the manifest on. Torn bytes are overwritten durably before it returns,
/// unless the log is only looked at.
///
/// `proven` is exclusive: the manifest proves all records below.
pub(super) fn recover<R: Decode<Frame>>(
    directory: &Path,
    owner: Owner,
    places: &[Place],
    access: Access,
    (first, first_sequence, proven): (Place, u64, u64),
) -> io::Result<Recovered<R>> {
    let mut records = Vec::new();
    let mut next = first_sequence;
    let mut used_bytes = 0;
    let mut segments = Vec::new();
    let mut tail = (0, SEGMENT_HEADER_BYTES);
    for (index, place) in places.iter().enumerate() {
        let expected = Place(first.0 + index as u64);
        if *place != expected {
            return Err(invalid(
                &expected.path(directory),
                "this segment is missing, and a later one is there",
                DAMAGED,
            ));
        }
        let segment = Segment::open(directory, owner, *place, access)?;
        let bytes = segment.read()?;
        let scan: Scan<R> = log_format::scan(&bytes, SEGMENT_HEADER_BYTES, segment.seed, next)
            .map_err(|error| {
                let cure = match error.cause {
                    UnreadableCause::Version(_) => {
                        "start the program version that wrote it, or a newer one"
                    }
                    UnreadableCause::Decode(_) => "start the program that wrote it",
                };
                invalid(&segment.path, &error.to_string(), cure)
            })?;
        if !scan.records.is_empty() {
            used_bytes += (scan.end - SEGMENT_HEADER_BYTES) as u64;
            tail = (index, scan.end);
        }
        records.extend(scan.records);
        next = scan.next;
        match scan.rest {
            Rest::Clean => {}
            Rest::Torn(_) if access == Access::Read => {}
            Rest::Torn(torn_bytes) => cut_torn_tail(&segment, scan.end, next, torn_bytes)?,
            Rest::Damaged(proof) => {
                return Err(damage(directory, &places[tail.0], tail.1, next, &segment.path, proof));
            }
        }
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

/// Overwrites what an unfinished append left behind `offset`.
fn cut_torn_tail(segment: &Segment, offset: usize, next: u64, torn_bytes: usize) -> io::Result<()> {
    tracing::warn!(
        file = %segment.path.display(), offset, sequence = next, bytes = torn_bytes,
        "cut off the records of an append that a crash interrupted; nothing was promised on them"
    );
    segment.clear_from(offset as u64)
}
