//! The hash that orders the keyspace: SipHash-1-3, the same on every machine and in every version.
//!
//! The order must be the same at every replica, so that a SCAN may go on at another; and nobody must
//! be able to cheaply name many keys with one hash, which are returned together.

/// Bits of a hash that are used. Some clients keep a cursor in a double, which holds 53.
const HASH_BITS: u32 = 52;

/// Where `key` stands in the order of the keyspace, below 2^52.
pub(super) fn hash(key: &[u8]) -> u64 {
    siphash_1_3(key) >> (u64::BITS - HASH_BITS)
}

/// SipHash with one round per word, three at the end and a key of zeros.
fn siphash_1_3(data: &[u8]) -> u64 {
    let mut v = [0x736f6d6570736575, 0x646f72616e646f6d, 0x6c7967656e657261, 0x7465646279746573];
    let (words, tail) = data.as_chunks::<8>();
    for word in words {
        compress(&mut v, u64::from_le_bytes(*word));
    }
    let mut last = (data.len() as u64) << 56;
    for (index, byte) in tail.iter().enumerate() {
        last |= u64::from(*byte) << (8 * index);
    }
    compress(&mut v, last);
    v[2] ^= 0xff;
    for _ in 0..3 {
        round(&mut v);
    }
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn compress(v: &mut [u64; 4], word: u64) {
    v[3] ^= word;
    round(v);
    v[0] ^= word;
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hasher};

    use super::*;

    #[test]
    fn it_is_the_hash_of_the_standard_library_today() {
        for length in 0..64 {
            let data: Vec<u8> = (0..length).collect();
            let mut hasher = DefaultHasher::new();
            hasher.write(&data);
            assert_eq!(siphash_1_3(&data), hasher.finish());
        }
    }

    #[test]
    fn it_never_changes() {
        assert_eq!(siphash_1_3(b""), 0xd1fba762150c532c);
        assert!(hash(b"key") < 1 << HASH_BITS);
    }
}
