//! How values become bytes: the one module that knows the codec.
//!
//! Encoding is little endian with integers of fixed width (bincode 2, legacy configuration), so a
//! value has exactly one encoding. Decoding never copies a payload: [`Payload`] is a slice of the
//! frame it came in. Hostile lengths are refused before anything is allocated for them.
//!
//! Types of the wire are append-only: the tag of an enum is the position of the variant. The golden
//! bytes in `tests/wire.rs` keep it so.

use std::fmt;

use bytes::Bytes;

#[doc(hidden)]
pub use bincode;
pub use bincode::{BorrowDecode, Decode, Encode};

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use bincode::de::read::Reader;
use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::enc::write::Writer;
use bincode::error::{DecodeError, EncodeError};

/// The version of frames and records. It is the first thing in each, outside of the codec.
pub const WIRE_VERSION: u8 = 1;

/// The largest encoded value that is accepted, in bytes.
pub const ENCODED_BYTES_MAX: usize = 32 << 20;

/// Decoding may claim this many times the memory of the encoding (rounded up to a step of
/// [`decode`]). Values are larger in memory than on the wire: a list of small options sixteen times.
const CLAIM_FACTOR: usize = 32;

const KIB: usize = 1 << 10;

const fn config<const CLAIMED_BYTES_MAX: usize>()
-> Configuration<LittleEndian, Fixint, Limit<CLAIMED_BYTES_MAX>> {
    bincode::config::legacy().with_limit::<CLAIMED_BYTES_MAX>()
}

/// The bytes that a value is decoded from; payloads are slices of it.
#[derive(Clone, Debug)]
pub struct Frame(Bytes);

/// Bytes that the library carries and does not look into.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Payload(pub Bytes);

impl Payload {
    /// Wraps `bytes` without copying.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 24;
        let shown = &self.0[..self.0.len().min(SHOWN)];
        write!(f, "{:?}", shown.escape_ascii().to_string())?;
        if self.0.len() > SHOWN { write!(f, "+{}", self.0.len() - SHOWN) } else { Ok(()) }
    }
}

impl Encode for Payload {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.0.len() as u64).encode(encoder)?;
        encoder.writer().write(&self.0)
    }
}

impl Decode<Frame> for Payload {
    fn decode<D: Decoder<Context = Frame>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let len = usize::try_from(u64::decode(decoder)?).map_err(|_| DecodeError::LimitExceeded)?;
        decoder.claim_container_read::<u8>(len)?;
        let base = decoder.context().0.as_ptr() as usize;
        let Some(rest) = decoder.reader().peek_read(len) else {
            return Err(DecodeError::UnexpectedEnd { additional: len });
        };
        let offset = rest.as_ptr() as usize - base;
        decoder.reader().consume(len);
        Ok(Self(decoder.context().0.slice(offset..offset + len)))
    }
}

bincode::impl_borrow_decode_with_context!(Payload, Frame);

/// Why bytes are not a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError(String);

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WireError {}

struct Append<'a>(&'a mut Vec<u8>);

impl Writer for Append<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Appends the encoding of `value` to `into`.
///
/// *Cost*: O(encoded length); payloads are copied once.
pub fn encode_into<V: Encode>(value: &V, into: &mut Vec<u8>) {
    bincode::encode_into_writer(value, Append(into), bincode::config::legacy())
        .expect("appending to memory does not fail, and no type of the wire refuses to encode");
}

/// The encoding of `value`.
pub fn encode<V: Encode>(value: &V) -> Bytes {
    encode_sized(value, 0)
}

/// The encoding of `value`, in one piece of memory if it has no more than `size_bytes`.
pub(crate) fn encode_sized<V: Encode>(value: &V, size_bytes: usize) -> Bytes {
    let mut bytes = Vec::with_capacity(size_bytes);
    encode_into(value, &mut bytes);
    bytes.into()
}

/// Reads one value that fills `frame` exactly.
///
/// *Errors*: a truncated, oversized or malformed value, or bytes left over.
pub fn decode<V: Decode<Frame>>(frame: &Bytes) -> Result<V, WireError> {
    decode_within(frame, Frame(frame.clone())).map(|Owned(value)| value)
}

/// Reads one value that fills `bytes` exactly, and that borrows from them.
///
/// *Errors*: as of [`decode`].
pub fn decode_borrowed<'a, V: BorrowDecode<'a, ()>>(bytes: &'a [u8]) -> Result<V, WireError> {
    decode_within(bytes, ())
}

/// A value that borrows nothing.
struct Owned<V>(V);

impl<'a, C, V: Decode<C>> BorrowDecode<'a, C> for Owned<V> {
    fn borrow_decode<D: BorrowDecoder<'a, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        V::decode(decoder).map(Self)
    }
}

fn decode_within<'a, C, V: BorrowDecode<'a, C>>(
    bytes: &'a [u8],
    context: C,
) -> Result<V, WireError> {
    if bytes.len() > ENCODED_BYTES_MAX {
        return Err(WireError(format!(
            "a value of {} bytes is larger than the limit of {ENCODED_BYTES_MAX}",
            bytes.len()
        )));
    }
    const KIB_MAX: usize = KIB - 1;
    const MIB_MAX: usize = 1024 * KIB - 1;
    let (value, read) = match bytes.len() {
        0..=KIB_MAX => decode_claiming::<C, V, { CLAIM_FACTOR * KIB }>(bytes, context),
        KIB..=MIB_MAX => decode_claiming::<C, V, { CLAIM_FACTOR * 1024 * KIB }>(bytes, context),
        _ => decode_claiming::<C, V, { CLAIM_FACTOR * ENCODED_BYTES_MAX }>(bytes, context),
    }
    .map_err(|error| WireError(error.to_string()))?;
    if read != bytes.len() {
        return Err(WireError(format!(
            "{} bytes are left over after the value",
            bytes.len() - read
        )));
    }
    Ok(value)
}

fn decode_claiming<'a, C, V: BorrowDecode<'a, C>, const CLAIMED_BYTES_MAX: usize>(
    bytes: &'a [u8],
    context: C,
) -> Result<(V, usize), DecodeError> {
    let config = config::<CLAIMED_BYTES_MAX>();
    bincode::borrow_decode_from_slice_with_context(bytes, config, context)
}
