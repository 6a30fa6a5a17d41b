//! Values whose encoding must never change, and what is tried with their bytes.
//!
//! `tests/wire.golden` of the crate under test holds a line for each value: its name and its bytes.

use std::fmt::Debug;

use bytes::Bytes;
use paxos::wire::{self, Decode, Encode, Frame};

const GOLDEN: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire.golden"));

/// Random inputs for each type.
const NOISE_COUNT: usize = 2_000;

/// Damaged inputs for each value.
const DAMAGED_COUNT: usize = 200;

/// The values of one type whose bytes are golden.
pub(crate) struct Golden<V> {
    pub(crate) prefix: &'static str,
    /// By the name of the variant.
    pub(crate) values: Vec<(&'static str, V)>,
}

impl<V: Encode + Decode<Frame> + Debug + PartialEq> Golden<V> {
    /// Compares all values with their golden bytes, in both directions, and tries bytes that are
    /// almost theirs.
    pub(crate) fn check(&self) {
        for (name, value) in &self.values {
            let name = format!("{}::{name}", self.prefix);
            let bytes = wire::encode(value);
            let line = format!("{name} {}", hex(&bytes));
            assert!(GOLDEN.lines().any(|golden| golden == line), "not golden:\n{line}");
            assert_eq!(wire::decode::<V>(&bytes).as_ref(), Ok(value), "{name}");
            check_truncated::<V>(&name, &bytes);
            check_trailing::<V>(&name, &bytes);
            check_hostile_lengths::<V>(&bytes);
        }
        let lines = GOLDEN.lines().filter(|line| line.starts_with(&format!("{}::", self.prefix)));
        assert_eq!(lines.count(), self.values.len(), "{}", self.prefix);
    }

    /// The tag of an enum is the position of its variant: values are listed in that order, and all.
    pub(crate) fn check_tags(&self) {
        for (position, (name, value)) in (0u32..).zip(&self.values) {
            let bytes = wire::encode(value);
            assert_eq!(bytes[..4], position.to_le_bytes(), "{}::{name}", self.prefix);
        }
        let mut beyond = vec![0; 256];
        beyond[..4].copy_from_slice(&(self.values.len() as u32).to_le_bytes());
        for len in 4..beyond.len() {
            let bytes = Bytes::copy_from_slice(&beyond[..len]);
            assert!(wire::decode::<V>(&bytes).is_err(), "a variant of {} is missing", self.prefix);
        }
    }

    /// Decodes bytes of random length and content, small numbers preferred, as they are tags and lengths;
    /// and the values' bytes with one of them changed: near misses get further into the decoder. Whatever
    /// comes out is a value or an error.
    pub(crate) fn check_noise(&self, seed: u64) {
        let mut random = Xorshift(seed);
        for _ in 0..NOISE_COUNT {
            let len = random.next() % 192;
            let mask = if random.next().is_multiple_of(2) { 0x07 } else { 0xff };
            let bytes: Bytes = (0..len).map(|_| (random.next() & mask) as u8).collect();
            check_again::<V>(&bytes);
        }
        for (_, value) in &self.values {
            let bytes = wire::encode(value);
            for _ in 0..DAMAGED_COUNT {
                let mut damaged = bytes.to_vec();
                let at = random.next() as usize % damaged.len();
                damaged[at] ^= (random.next() % 255 + 1) as u8;
                check_again::<V>(&damaged.into());
            }
        }
    }
}

/// What can be decoded can be encoded, and decoded to the same.
fn check_again<V: Encode + Decode<Frame> + Debug + PartialEq>(bytes: &Bytes) {
    if let Ok(value) = wire::decode::<V>(bytes) {
        assert_eq!(wire::decode::<V>(&wire::encode(&value)), Ok(value));
    }
}

fn check_truncated<V: Decode<Frame> + Debug>(name: &str, bytes: &Bytes) {
    for len in 0..bytes.len() {
        let outcome = wire::decode::<V>(&bytes.slice(..len));
        assert!(outcome.is_err(), "{name} is whole after {len} bytes: {outcome:?}");
    }
}

fn check_trailing<V: Decode<Frame> + Debug>(name: &str, bytes: &Bytes) {
    for extra in [0, 1, 0xff] {
        let longer = Bytes::from([&bytes[..], &[extra]].concat());
        let outcome = wire::decode::<V>(&longer);
        assert!(outcome.is_err(), "{name} with another byte: {outcome:?}");
    }
}

/// Writes large numbers over everything, lengths among it. Whatever comes out, nothing may be allocated
/// for it: the largest are beyond any address space.
fn check_hostile_lengths<V: Encode + Decode<Frame> + Debug>(bytes: &Bytes) {
    for length in [u64::MAX, 1 << 63, 1 << 46, 1 << 32, 1 << 25] {
        for start in 0..bytes.len().saturating_sub(7) {
            let mut hostile = bytes.to_vec();
            hostile[start..start + 8].copy_from_slice(&length.to_le_bytes());
            let hostile = Bytes::from(hostile);
            if let Ok(value) = wire::decode::<V>(&hostile) {
                let is_as_short = wire::encode(&value).len() <= hostile.len();
                assert!(is_as_short, "a number was taken for a length: {value:?}");
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Marsaglia's xorshift: random enough for bytes, and the same in every run.
struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
