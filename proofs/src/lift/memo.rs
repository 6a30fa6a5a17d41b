//! What was computed once, for all threads of the checker.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::hashed::BuildFolding;

/// Tables that share the load of the checker's threads.
const SHARDS: usize = 64;

/// What belongs to a part of a seat, by the hashes of both.
pub(super) type Key = (usize, u64, u64);

type Shard<V> = RwLock<HashMap<Key, Arc<V>, BuildFolding>>;

/// Values by key. There are far fewer than states of the whole.
pub(super) struct Memo<V> {
    shards: Vec<Shard<V>>,
}

impl<V> Default for Memo<V> {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect() }
    }
}

impl<V> Memo<V> {
    /// The value known for `key`, or the one that `run` has.
    pub(super) fn look_up(&self, key: Key, run: impl FnOnce() -> V) -> Arc<V> {
        let shard = &self.shards[(key.1 ^ key.2) as usize % SHARDS];
        if let Some(value) = shard.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(value);
        }
        let value = Arc::new(run());
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shard.entry(key).or_insert(value))
    }

    /// All values so far, with their keys, in no particular order.
    pub(super) fn all(&self) -> Vec<(Key, Arc<V>)> {
        let read = |shard: &Shard<V>| {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            shard.iter().map(|(key, value)| (*key, Arc::clone(value))).collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(read).collect()
    }
}
