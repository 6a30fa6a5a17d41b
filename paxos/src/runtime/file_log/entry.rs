//! One entry of a segment: a record, or the seal that ends what is durable.
//!
//! ```text
//!   0      4        8         9      10     12         20              28     32
//!   │ len  │ crc32c │ version │ kind │ zero │ sequence │ synced below  │ seat │ body (len bytes)
//! ```
//!
//! The checksum covers everything but itself, and starts from the salt of the segment: bytes that
//! were written for another segment never validate. *Synced below* is exclusive: every record with
//! a lower sequence was durable when this entry was written. It is what tells damage from a torn
//! tail (`recovery`).

use crate::actor::Seat;
use crate::runtime::durable_file::{double_word, word};
use crate::wire::{self, ENCODED_BYTES_MAX, Encode, WIRE_VERSION};

/// Bytes before the body.
pub(super) const ENTRY_HEADER_BYTES: usize = 32;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A record of the actor at `seat`.
    Record,
    /// Says that everything below `sequence` is durable. The next record is written over it.
    Seal,
}

/// A valid entry, by its position in the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The version of the body's encoding.
    pub(super) version: u8,
    pub(super) kind: Kind,
    /// The position of the record in the log; for a seal, of the record that will replace it.
    pub(super) sequence: u64,
    /// Exclusive: all records below were durable when this was written.
    pub(super) synced_below: u64,
    pub(super) seat: Seat,
    /// First byte of the body.
    pub(super) body: usize,
    /// First byte after the body.
    pub(super) end: usize,
}

/// Appends the entry of a record to `into`.
///
/// *Errors*: the length of the encoding, if it is above the limit. `into` is then as it was.
pub(super) fn write_record<R: Encode>(
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
pub(super) fn seal(seed: u32, sequence: u64) -> [u8; ENTRY_HEADER_BYTES] {
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
pub(super) fn read(bytes: &[u8], at: usize, seed: u32) -> Option<Entry> {
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
pub(super) fn find_proof(bytes: &[u8], from: usize, seed: u32, sequence: u64) -> Option<usize> {
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
}
