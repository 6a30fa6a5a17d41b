//! The bytes of a log: entries, each a record or the seal that ends what is durable, and what a crash
//! can have done to them.
//!
//! This is the part of the durable log that touches no file. The log on a real disk and the one of a
//! simulated disk are written and read by it.
//!
//! ```text
//!   0      4        8         9      10     12         20              28     32
//!   │ len  │ crc32c │ version │ kind │ zero │ sequence │ synced below  │ seat │ body (len bytes)
//! ```
//!
//! The checksum covers everything but itself, and starts from the salt of the segment: bytes that
//! were written for another segment never validate. *Synced below* is exclusive: every record with
//! a lower sequence was durable when this entry was written. It is what tells damage from a torn
//! tail.
//!
//! # A torn tail, and damage
//!
//! An append writes its records with one write and syncs once. A crash may leave any part of the
//! records of that one append on disk, not only a prefix: the disk orders pages as it likes. None of
//! them was promised, so they are cut off. Damage to a record whose append had returned is another
//! matter: something was promised on it.
//!
//! The two are told apart by what follows. If the first record that is missing or bad is below what
//! any valid entry behind it says was durable, its append had returned: the log is damaged and
//! refused. If not, it belongs to the last append, which had not returned: torn.
//!
//! ```text
//!    …  r7(5)  r8(8)  ░░░░░  r10(8)            ░ = r9, bad; (n) = synced below n
//!    r10 does not prove that r9 was durable: torn, the log ends at r8.
//!
//!    …  r7(5)  r8(8)  ░░░░░  r10(10)           r10 was written after r9 was durable: damage.
//! ```
//!
//! So that the last append proves itself as well, the log puts a [`seal`] behind it once it is
//! durable: the seal is not synced and costs no more than a copy into the page cache. The next append
//! is written over it. So of two faults at once, a crash that destroys the seal and a bad byte in the
//! very append before it, the second is taken for the first.

use std::fmt;

use bytes::Bytes;

use crate::actor::Seat;
use crate::storage::Tagged;
use crate::wire::{self, Decode, ENCODED_BYTES_MAX, Encode, Frame, WIRE_VERSION, WireError};

/// Bytes before the body.
pub const ENTRY_HEADER_BYTES: usize = 32;

/// What a segment holds, from some byte on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan<R> {
    /// The records, in order.
    pub records: Vec<Tagged<R>>,
    /// First byte after the last record.
    pub end: usize,
    /// The position in the log of the record that would be next.
    pub next: u64,
    /// What follows the last record.
    pub rest: Rest,
}

/// What follows the last record of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing but a seal or zeros.
    Clean,
    /// So many bytes of an append that a crash interrupted. Nothing was promised on them.
    Torn(usize),
    /// The next record is missing or bad, and the entry at this byte proves that it was durable.
    Damaged(usize),
}

/// A record that is intact, and that this program cannot read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its first byte.
    pub at: usize,
    /// Why.
    pub cause: UnreadableCause,
}

/// Why an intact record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnreadableCause {
    /// It has a version that this program does not read.
    Version(u8),
    /// It is no value of the expected type.
    Decode(WireError),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        match &self.cause {
            UnreadableCause::Version(version) => write!(
                f,
                "the record at byte {at} has version {version} and this program reads {WIRE_VERSION}"
            ),
            UnreadableCause::Decode(error) => {
                write!(f, "the record at byte {at} is intact but does not decode: {error}")
            }
        }
    }
}

impl std::error::Error for Unreadable {}

/// Reads the records of a segment from the byte `from` on; the first is expected to be number
/// `next` of the log. Never panics, whatever the bytes.
///
/// *Errors*: a record is intact, and not for this program.
/// *Cost*: O(bytes).
pub fn scan<R: Decode<Frame>>(
    bytes: &[u8],
    from: usize,
    seed: u32,
    mut next: u64,
) -> Result<Scan<R>, Unreadable> {
    let (mut records, mut end) = (Vec::new(), from);
    while let Some(entry) = next_record(bytes, end, seed, next) {
        records.push(record(bytes, entry)?);
        end = entry.end;
        next += 1;
    }
    let rest = match find_proof(bytes, end, seed, next) {
        Some(proof) => Rest::Damaged(proof),
        None => torn(bytes, end, seed, next),
    };
    Ok(Scan { records, end, next, rest })
}

/// The record `sequence`, if it is the entry at `at`.
fn next_record(bytes: &[u8], at: usize, seed: u32, sequence: u64) -> Option<Entry> {
    read(bytes, at, seed).filter(|entry| {
        entry.kind == Kind::Record && entry.sequence == sequence && entry.synced_below <= sequence
    })
}

fn record<R: Decode<Frame>>(bytes: &[u8], entry: Entry) -> Result<Tagged<R>, Unreadable> {
    let at = entry.body - ENTRY_HEADER_BYTES;
    if entry.version != WIRE_VERSION {
        return Err(Unreadable { at, cause: UnreadableCause::Version(entry.version) });
    }
    // A copy, so that a record that lives on does not keep its whole segment in memory.
    let body = Bytes::copy_from_slice(&bytes[entry.body..entry.end]);
    match wire::decode(&body) {
        Ok(record) => Ok(Tagged { seat: entry.seat, record }),
        Err(error) => Err(Unreadable { at, cause: UnreadableCause::Decode(error) }),
    }
}

/// What an unfinished append left behind `end`. A seal in its place is not torn.
fn torn(bytes: &[u8], end: usize, seed: u32, next: u64) -> Rest {
    let from = match read(bytes, end, seed) {
        Some(entry) if entry.kind == Kind::Seal && entry.sequence == next => entry.end,
        _ => end,
    };
    match bytes.get(from..) {
        Some(torn) if torn.iter().any(|byte| *byte != 0) => Rest::Torn(torn.len()),
        _ => Rest::Clean,
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn double_word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A record of the actor at `seat`.
    Record,
    /// Says that everything below `sequence` is durable. The next record is written over it.
    Seal,
}

/// A valid entry, by its position in the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// The version of the body's encoding.
    version: u8,
    kind: Kind,
    /// The position of the record in the log; for a seal, of the record that will replace it.
    sequence: u64,
    /// Exclusive: all records below were durable when this was written.
    synced_below: u64,
    seat: Seat,
    /// First byte of the body.
    body: usize,
    /// First byte after the body.
    end: usize,
}

/// Appends the entry of a record to `into`.
///
/// *Errors*: the length of the encoding, if it is above the limit. `into` is then as it was.
pub fn write_record<R: Encode>(
    into: &mut Vec<u8>,
    seed: u32,
    (sequence, synced_below): (u64, u64),
    seat: Seat,
    record: &R,
) -> Result<(), usize> {
    let start = into.len();
    into.resize(start + ENTRY_HEADER_BYTES, 0);
    wire::encode_into(record, into);
    let body_bytes = into.len() - start - ENTRY_HEADER_BYTES;
    if body_bytes > ENCODED_BYTES_MAX {
        into.truncate(start);
        return Err(body_bytes);
    }
    finish(&mut into[start..], seed, 1, sequence, synced_below, seat.0);
    Ok(())
}

/// The seal after all records below `sequence`.
pub fn seal(seed: u32, sequence: u64) -> [u8; ENTRY_HEADER_BYTES] {
    let mut bytes = [0; ENTRY_HEADER_BYTES];
    finish(&mut bytes, seed, 2, sequence, sequence, 0);
    bytes
}

fn finish(entry: &mut [u8], seed: u32, kind: u8, sequence: u64, synced_below: u64, seat: u32) {
    let body_bytes = (entry.len() - ENTRY_HEADER_BYTES) as u32;
    entry[..4].copy_from_slice(&body_bytes.to_le_bytes());
    entry[8] = WIRE_VERSION;
    entry[9] = kind;
    entry[12..20].copy_from_slice(&sequence.to_le_bytes());
    entry[20..28].copy_from_slice(&synced_below.to_le_bytes());
    entry[28..32].copy_from_slice(&seat.to_le_bytes());
    let crc = checksum(entry, seed);
    entry[4..8].copy_from_slice(&crc.to_le_bytes());
}

fn checksum(entry: &[u8], seed: u32) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &entry[..4]), &entry[8..])
}

/// The entry that begins at `at`, if there is a valid one. Never panics, whatever the bytes.
fn read(bytes: &[u8], at: usize, seed: u32) -> Option<Entry> {
    let rest = bytes.get(at..)?;
    if rest.len() < ENTRY_HEADER_BYTES {
        return None;
    }
    let end = ENTRY_HEADER_BYTES.checked_add(word(rest, 0) as usize)?;
    let kind = match rest[9] {
        1 => Kind::Record,
        2 => Kind::Seal,
        _ => return None,
    };
    let entry = rest.get(..end)?;
    if checksum(entry, seed) != word(entry, 4) {
        return None;
    }
    Some(Entry {
        version: entry[8],
        kind,
        sequence: double_word(entry, 12),
        synced_below: double_word(entry, 20),
        seat: Seat(word(entry, 28)),
        body: at + ENTRY_HEADER_BYTES,
        end: at + end,
    })
}

/// Looks at every position from `from` on for a valid entry which proves that the record
/// `sequence` was durable: it was written when everything below a higher sequence was.
///
/// *Cost*: one comparison a byte, less over zeros, plus a checksum at each position that looks like
/// an entry.
fn find_proof(bytes: &[u8], from: usize, seed: u32, sequence: u64) -> Option<usize> {
    const PAGE: [u8; 4096] = [0; 4096];
    let mut at = from;
    while at + ENTRY_HEADER_BYTES <= bytes.len() {
        // An entry that begins in the last bytes of a page of zeros shows its version after it.
        if bytes.get(at..at + PAGE.len()) == Some(&PAGE) {
            at += PAGE.len() - 8;
            continue;
        }
        let is_likely = bytes[at + 8] != 0
            && matches!(bytes[at + 9], 1 | 2)
            && double_word(bytes, at + 20) > sequence;
        if is_likely && read(bytes, at, seed).is_some() {
            return Some(at);
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(seed: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        for sequence in 0..3_u64 {
            write_record(&mut bytes, seed, (sequence, sequence), Seat(7), &sequence).unwrap();
        }
        bytes.extend(seal(seed, 3));
        bytes
    }

    #[test]
    fn entries_are_read_as_written_and_only_with_their_salt() {
        let bytes = entries(5);
        let first = read(&bytes, 0, 5).unwrap();
        assert_eq!((first.sequence, first.kind, first.seat), (0, Kind::Record, Seat(7)));
        let second = read(&bytes, first.end, 5).unwrap();
        assert_eq!((second.sequence, second.synced_below), (1, 1));
        assert_eq!(read(&bytes, 0, 6), None);
    }

    #[test]
    fn no_flipped_byte_validates() {
        let good = entries(5);
        let end = read(&good, 0, 5).unwrap().end;
        for at in 0..end {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert_eq!(read(&bad, 0, 5), None, "byte {at}");
        }
    }

    #[test]
    fn proof_is_found_at_any_distance() {
        for gap in [0, 1, 31, 4087, 4088, 4095, 4096, 4097, 9000] {
            let mut bytes = vec![0; gap];
            bytes.extend(entries(5));
            assert_eq!(find_proof(&bytes, 0, 5, 0), Some(gap + 40), "gap {gap}");
            assert_eq!(find_proof(&bytes, 0, 5, 2), Some(gap + 120), "gap {gap}");
            assert_eq!(find_proof(&bytes, 0, 5, 3), None);
        }
    }

    #[test]
    fn a_record_above_the_limit_leaves_no_trace() {
        let mut bytes = vec![1, 2, 3];
        let record = wire::Payload::new(vec![0; ENCODED_BYTES_MAX]);
        let length = write_record(&mut bytes, 0, (0, 0), Seat(0), &record).unwrap_err();
        assert_eq!((length, bytes.len()), (ENCODED_BYTES_MAX + 8, 3));
    }

    const SEED: u32 = 5;

    /// Three durable records one by one, then an append of eight that never ended; where each of
    /// those begins.
    fn interrupted() -> (Vec<u8>, Vec<usize>) {
        let mut bytes = Vec::new();
        for sequence in 0..3_u64 {
            write_record(&mut bytes, SEED, (sequence, sequence), Seat(7), &sequence).unwrap();
        }
        let starts = (3..11_u64).map(|sequence| {
            let start = bytes.len();
            write_record(&mut bytes, SEED, (sequence, 3), Seat(7), &sequence).unwrap();
            start
        });
        let mut starts: Vec<usize> = starts.collect();
        starts.push(bytes.len());
        (bytes, starts)
    }

    #[test]
    fn any_part_of_an_unsynced_append_is_a_torn_tail() {
        let (all, starts) = interrupted();
        for kept in 0_u32..1 << 8 {
            let mut bytes = all.clone();
            for (index, range) in starts.windows(2).enumerate() {
                if kept & (1 << index) == 0 {
                    bytes[range[0]..range[1]].fill(0);
                }
            }
            let intact = u64::from(kept.trailing_ones());
            let scan: Scan<u64> = scan(&bytes, 0, SEED, 0).unwrap();
            let records: Vec<u64> = scan.records.iter().map(|tagged| tagged.record).collect();
            assert_eq!(records, Vec::from_iter(0..3 + intact), "kept {kept:b}");
            assert_eq!(scan.next, 3 + intact);
            let is_torn = kept >> intact != 0;
            let torn = if is_torn { Rest::Torn(bytes.len() - scan.end) } else { Rest::Clean };
            assert_eq!(scan.rest, torn, "kept {kept:b}");
        }
    }

    #[test]
    fn a_bad_record_that_was_durable_is_damage() {
        let (all, starts) = interrupted();
        let durable = starts[0];
        for at in 0..durable {
            let mut bytes = all.clone();
            bytes[at] ^= 0x40;
            let scan: Scan<u64> = scan(&bytes, 0, SEED, 0).unwrap();
            assert!(matches!(scan.rest, Rest::Damaged(_)), "byte {at}: {scan:?}");
        }
        let mut sealed = all[..durable].to_vec();
        sealed.extend(seal(SEED, 3));
        let scan: Scan<u64> = scan(&sealed, 0, SEED, 0).unwrap();
        assert_eq!((scan.next, scan.rest), (3, Rest::Clean));
        sealed[durable - 1] ^= 1;
        let scan: Scan<u64> = super::scan(&sealed, 0, SEED, 0).unwrap();
        assert_eq!((scan.next, scan.rest), (2, Rest::Damaged(durable)));
    }
}
