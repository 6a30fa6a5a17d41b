//! One message on the wire.
//!
//! ```text
//!   0      4        8         9           13         17
//!   │ len  │ crc32c │ version │ from seat │ to seat  │ body (len bytes)
//! ```
//!
//! The checksum covers everything but itself. Incarnations are not sent: the hello vouches for them,
//! for all frames of the connection.

use bytes::{Bytes, BytesMut};

use crate::actor::Seat;
use crate::runtime::durable_file::word;
use crate::wire::{self, ENCODED_BYTES_MAX, Encode, WIRE_VERSION};

/// Bytes before the body.
pub(super) const FRAME_HEADER_BYTES: usize = 17;

/// Appends the frame of `message` to `into`.
///
/// *Errors*: the length of the encoding, if it is above the limit. `into` is then as it was.
pub(super) fn write<M: Encode>(
    into: &mut Vec<u8>,
    from: Seat,
    to: Seat,
    message: &M,
) -> Result<(), usize> {
    let start = into.len();
    into.resize(start + FRAME_HEADER_BYTES, 0);
    wire::encode_into(message, into);
    let body_bytes = into.len() - start - FRAME_HEADER_BYTES;
    if body_bytes > ENCODED_BYTES_MAX {
        into.truncate(start);
        return Err(body_bytes);
    }
    let frame = &mut into[start..];
    frame[..4].copy_from_slice(&(body_bytes as u32).to_le_bytes());
    frame[8] = WIRE_VERSION;
    frame[9..13].copy_from_slice(&from.0.to_le_bytes());
    frame[13..17].copy_from_slice(&to.0.to_le_bytes());
    let crc = checksum(frame);
    frame[4..8].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

/// A frame that is intact.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) from: Seat,
    pub(super) to: Seat,
    /// A slice of the buffer that it was read into.
    pub(super) body: Bytes,
}

/// Takes the first frame off `buffer`; `None` if it is not there as a whole. Never panics, whatever
/// the bytes.
///
/// *Errors*: why the bytes are not a frame. The connection is of no use after it.
pub(super) fn take(buffer: &mut BytesMut) -> Result<Option<Parsed>, String> {
    if buffer.len() < FRAME_HEADER_BYTES {
        return Ok(None);
    }
    let body_bytes = word(buffer, 0) as usize;
    if body_bytes > ENCODED_BYTES_MAX {
        return Err(format!("a frame claims {body_bytes} bytes, above the limit"));
    }
    if buffer[8] != WIRE_VERSION {
        return Err(format!("a frame has version {}, not {WIRE_VERSION}", buffer[8]));
    }
    if buffer.len() < FRAME_HEADER_BYTES + body_bytes {
        return Ok(None);
    }
    let frame = buffer.split_to(FRAME_HEADER_BYTES + body_bytes).freeze();
    if checksum(&frame) != word(&frame, 4) {
        return Err("a frame is damaged: its checksum does not match".into());
    }
    Ok(Some(Parsed {
        from: Seat(word(&frame, 9)),
        to: Seat(word(&frame, 13)),
        body: frame.slice(FRAME_HEADER_BYTES..),
    }))
}

fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_as_written_however_they_arrive() {
        let mut bytes = Vec::new();
        for number in 0..3_u64 {
            write(&mut bytes, Seat(1), Seat(2), &number).unwrap();
        }
        let mut buffer = BytesMut::new();
        let mut taken = Vec::new();
        for byte in bytes {
            buffer.extend_from_slice(&[byte]);
            while let Some(frame) = take(&mut buffer).unwrap() {
                assert_eq!((frame.from, frame.to), (Seat(1), Seat(2)));
                taken.push(wire::decode::<u64>(&frame.body).unwrap());
            }
        }
        assert_eq!(taken, [0, 1, 2]);
    }

    #[test]
    fn no_flipped_byte_is_taken() {
        let mut good = Vec::new();
        write(&mut good, Seat(1), Seat(2), &7_u64).unwrap();
        for at in 0..good.len() {
            let mut bad = BytesMut::from(&good[..]);
            bad[at] ^= 0x04;
            // Refused, or waiting for the rest of a longer frame that never comes.
            assert!(!matches!(take(&mut bad), Ok(Some(_))), "byte {at}");
        }
    }

    #[test]
    fn a_message_above_the_limit_leaves_no_trace() {
        let mut bytes = vec![9];
        let message = wire::Payload::new(vec![0; ENCODED_BYTES_MAX]);
        write(&mut bytes, Seat(0), Seat(0), &message).unwrap_err();
        assert_eq!(bytes, [9]);
    }
}
