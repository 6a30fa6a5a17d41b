//! The commands of one client, one after the other.

use bytes::Bytes;
use rand::SeedableRng;
use rand::rand_core::Rng;
use rand::rngs::Xoshiro256PlusPlus;

use super::Workload;
use super::keys::{KeySampler, unit};

/// One command: a read or a write of the key with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Asks for the value of a key.
    Get(u64),
    /// Gives a key the value.
    Set(u64),
}

impl Operation {
    /// The key, sixteen bytes of text.
    pub(crate) fn key(self) -> String {
        let (Self::Get(number) | Self::Set(number)) = self;
        format!("key:{number:012}")
    }
}

/// What all clients have in common.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    sampler: KeySampler,
    read_percent: f64,
    seed: u64,
    /// The value of every write. It cannot be compressed, and is text.
    pub(crate) value: Bytes,
}

impl Values {
    pub(crate) fn new(workload: &Workload) -> Self {
        const TEXT: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-";
        let mut random = Xoshiro256PlusPlus::seed_from_u64(workload.seed);
        let value: Vec<u8> =
            (0..workload.value_bytes).map(|_| TEXT[(random.next_u64() >> 58) as usize]).collect();
        Self {
            sampler: KeySampler::new(workload.keys, workload.key_count),
            read_percent: workload.read_percent,
            seed: workload.seed,
            value: value.into(),
        }
    }

    /// The commands of the client number `client`.
    pub(crate) fn of_client(&self, client: usize) -> Operations {
        let seed = self.seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ client as u64;
        Operations { values: self.clone(), random: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }
}

/// The commands of one client. Never ends.
#[derive(Debug)]
pub(crate) struct Operations {
    values: Values,
    random: Xoshiro256PlusPlus,
}

impl Operations {
    /// The next command.
    pub(crate) fn draw(&mut self) -> Operation {
        let key = self.values.sampler.draw(&mut self.random);
        let percent = self.values.read_percent;
        match percent > 0.0 && unit(&mut self.random) * 100.0 < percent {
            true => Operation::Get(key),
            false => Operation::Set(key),
        }
    }

    /// The value of every write.
    pub(crate) fn value(&self) -> &Bytes {
        &self.values.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::KeyChoice;

    fn values(read_percent: f64) -> Values {
        Values::new(&Workload {
            clients: 2,
            pipeline: 1,
            rate: None,
            value_bytes: 100,
            read_percent,
            keys: KeyChoice::Uniform,
            key_count: 1000,
            seed: 7,
        })
    }

    #[test]
    fn clients_ask_for_different_things_and_each_for_the_same_again() {
        let draw = |client| {
            let mut operations = values(50.0).of_client(client);
            (0..20).map(|_| operations.draw()).collect::<Vec<_>>()
        };
        assert_eq!(draw(0), draw(0));
        assert_ne!(draw(0), draw(1));
    }

    #[test]
    fn the_share_of_reads_is_kept() {
        for (percent, expected) in [(0.0, 0..=0), (100.0, 10_000..=10_000), (25.0, 2_300..=2_700)] {
            let mut operations = values(percent).of_client(0);
            let reads = (0..10_000).filter(|_| matches!(operations.draw(), Operation::Get(_)));
            let count = reads.count();
            assert!(expected.contains(&count), "{count} reads at {percent} %");
        }
    }

    #[test]
    fn keys_and_values_have_their_sizes() {
        let operations = values(0.0).of_client(0);
        assert_eq!(operations.value().len(), 100);
        assert_eq!(Operation::Set(42).key(), "key:000000000042");
    }
}
