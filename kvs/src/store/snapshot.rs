//! The store written down in chunks, while commands go on changing it, and put together again.

use bytes::Bytes;
use paxos::slot::Slot;
use paxos::state_machine::{ForeignChunk, Position};
use paxos::wire::{self, Decode, Encode, Frame, Payload};

use super::Store;
use super::keyspace::Item;

/// Bytes of an item's encoding beside its key and its value, at most.
const ITEM_REST_BYTES: usize = 37;

/// A view of the store as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Frozen {
    /// Log time then.
    now_ms: i64,
    /// Whether a chunk has told it.
    is_told: bool,
}

/// A part of the store. There is at least one.
#[derive(Clone, Debug, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
struct StoreChunk {
    now_ms: i64,
    /// In the order of the keys' hashes.
    items: Vec<StoredItem>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
struct StoredItem {
    key: Payload,
    value: Payload,
    slot: Slot,
    index: u32,
    deadline_ms: Option<i64>,
}

/// Keys in a part of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub keys: u64,
    /// Those that have a time to live.
    pub expiring: u64,
}

impl Counts {
    /// Adds those of another part.
    pub fn add(&mut self, other: Self) {
        self.keys += other.keys;
        self.expiring += other.expiring;
    }
}

/// Counts what is in a part of a store, which [`next_chunk`](paxos::state_machine::StateMachine::next_chunk)
/// has made.
///
/// *Errors*: it is none.
pub fn count_items(chunk: &Bytes) -> Result<Counts, ForeignChunk> {
    let StoreChunk { items, .. } =
        wire::decode(chunk).map_err(|error| ForeignChunk(error.to_string()))?;
    let expiring = items.iter().filter(|item| item.deadline_ms.is_some()).count();
    Ok(Counts { keys: items.len() as u64, expiring: expiring as u64 })
}

impl Store {
    pub(super) fn freeze(&mut self) {
        self.keyspace.freeze();
        self.frozen = Some(Frozen { now_ms: self.now_ms, is_told: false });
    }

    pub(super) fn unfreeze(&mut self) {
        self.keyspace.unfreeze();
        self.frozen = None;
    }

    /// Items that are due are a part of the state until they are removed.
    pub(super) fn next_frozen(&mut self, bytes_max: usize) -> Option<Bytes> {
        let Frozen { now_ms, is_told } = self.frozen?;
        let (mut items, mut size_bytes) = (Vec::new(), 0);
        while size_bytes < bytes_max.max(1)
            && let Some(bucket) = self.keyspace.next_frozen()
        {
            for Item { key, value, version, deadline_ms } in bucket.into_items() {
                size_bytes += key.len() + value.len() + ITEM_REST_BYTES;
                let (key, value) = (Payload(key), Payload(value));
                let Position { slot, index } = version;
                items.push(StoredItem { key, value, slot, index, deadline_ms });
            }
        }
        if items.is_empty() && is_told {
            return None;
        }
        self.frozen = Some(Frozen { now_ms, is_told: true });
        Some(wire::encode(&StoreChunk { now_ms, items }))
    }

    pub(super) fn install(&mut self, chunk: &Bytes) -> Result<(), ForeignChunk> {
        let StoreChunk { now_ms, items } =
            wire::decode(chunk).map_err(|error| ForeignChunk(error.to_string()))?;
        self.now_ms = now_ms;
        for StoredItem { key, value, slot, index, deadline_ms } in items {
            // Copied: an item must not keep its whole chunk in memory.
            self.keyspace.put(&key.0, &value.0, deadline_ms, Position { slot, index });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use paxos::state_machine::StateMachine;

    use super::*;
    use crate::commands;
    use crate::log_entry::{encode_command, encode_tick};
    use crate::store::StoreLimits;

    /// Small random numbers, the same in every run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            (self.0 >> 33) % end
        }
    }

    /// A store and the log that it executes.
    struct World {
        store: Store,
        slot: u64,
        clock_ms: u64,
        random: Random,
    }

    impl World {
        fn new(seed: u64) -> Self {
            let store = Store::new(StoreLimits::default());
            Self { store, slot: 0, clock_ms: 1_000, random: Random(seed) }
        }

        /// Executes a random command, now and then one that touches many keys.
        fn step(&mut self) {
            self.clock_ms += self.random.below(20);
            let random = &mut self.random;
            let [key, other] = [random.below(40), random.below(40)].map(|key| format!("key{key}"));
            let number = random.below(1000);
            let line = match random.below(60) {
                0 => "FLUSHALL".to_owned(),
                1..10 => format!("DEL {key} {other}"),
                10..16 => format!("PEXPIRE {key} {}", number / 10),
                16..22 => format!("SET {key} {number} PX {}", number / 4 + 1),
                22..26 => format!("APPEND {key} {number}"),
                26..30 => format!("RENAME {key} {other}"),
                30..34 => format!("INCRBY {key} {number}"),
                34..38 => format!("MSET {key} {number} {other} more"),
                38..40 => format!("SETRANGE {key} 3 {number}"),
                40..42 => format!("PERSIST {key}"),
                42..45 => String::new(),
                _ => format!("SET {key} {number}"),
            };
            let mut words = line.split(' ').map(str::as_bytes);
            let entry = match words.next().and_then(commands::find) {
                Some(command) => encode_command(self.clock_ms, command.verb, words),
                None => encode_tick(self.clock_ms),
            };
            self.slot += 1;
            self.store.apply(Position { slot: Slot(self.slot), index: 0 }, &entry);
        }
    }

    fn read_all(store: &mut Store, bytes_max: usize) -> Vec<Bytes> {
        store.start_snapshot();
        let chunks = std::iter::from_fn(|| store.next_chunk(bytes_max)).collect();
        store.stop_snapshot();
        chunks
    }

    fn installed(store: &Store, chunks: &[Bytes]) -> Store {
        let mut copy = store.empty();
        chunks.iter().for_each(|chunk| copy.install_chunk(chunk).unwrap());
        copy
    }

    #[test]
    fn a_snapshot_is_the_store_as_it_was_whatever_runs_meanwhile() {
        for seed in 0..300 {
            let mut world = World::new(seed);
            (0..60).for_each(|_| world.step());
            let frozen = world.store.clone();
            world.store.start_snapshot();
            let mut chunks = Vec::new();
            while let Some(chunk) = world.store.next_chunk(1 + seed as usize * 7 % 300) {
                chunks.push(chunk);
                (0..world.random.below(8)).for_each(|_| world.step());
            }
            world.store.stop_snapshot();
            assert_eq!(installed(&world.store, &chunks), frozen, "seed {seed}");
            let mut quiet = frozen.clone();
            let undisturbed = read_all(&mut quiet, 1 + seed as usize * 7 % 300);
            assert_eq!(
                chunks, undisturbed,
                "seed {seed}: chunks follow from the frozen state alone"
            );
            assert_eq!(quiet, frozen, "a snapshot leaves no trace");
        }
    }

    #[test]
    fn an_empty_store_has_one_chunk_that_tells_the_time() {
        let mut world = World::new(0);
        let tick = encode_tick(5_000);
        world.store.apply(Position::default(), &tick);
        let chunks = read_all(&mut world.store, 1000);
        assert_eq!(chunks.len(), 1);
        assert_eq!(installed(&world.store, &chunks), world.store);
    }

    #[test]
    fn chunks_are_about_as_large_as_wanted() {
        let mut world = World::new(1);
        for key in 0..2000 {
            let words = ["key", &key.to_string(), &"v".repeat(100)].map(str::to_owned);
            let words = [words[0].clone() + &words[1], words[2].clone()];
            let verb = commands::find(b"SET").unwrap().verb;
            let entry = encode_command(0, verb, words.iter().map(String::as_bytes));
            world.store.apply(Position::default(), &entry);
        }
        let chunks = read_all(&mut world.store, 10_000);
        assert!(chunks.len() > 20, "{}", chunks.len());
        assert!(chunks.iter().all(|chunk| chunk.len() < 10_300));
    }

    #[test]
    fn bytes_of_something_else_are_refused() {
        let mut store = Store::new(StoreLimits::default());
        store.install_chunk(&Bytes::from_static(b"not a chunk")).unwrap_err();
    }
}
