//! What actors do, computed once.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use paxos::actor::Actor;

use super::{Ghost, Outcome};

/// Tables that share the load of the checker's threads.
const SHARDS: usize = 64;

/// A seat, what is on it, and what it is confronted with.
pub(super) type Key = (usize, u64, u64);

type Shard<A, G> = RwLock<HashMap<Key, Arc<Outcome<A, G>>>>;

/// All steps of single actors so far. There are far fewer than steps of the whole.
pub(super) struct Memo<A: Actor, G: Ghost<A>> {
    shards: Vec<Shard<A, G>>,
}

impl<A: Actor, G: Ghost<A>> Default for Memo<A, G> {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect() }
    }
}

impl<A: Actor, G: Ghost<A>> Memo<A, G> {
    /// The outcome known for `key`, or the one that `run` has.
    pub(super) fn look_up(
        &self,
        key: Key,
        run: impl FnOnce() -> Outcome<A, G>,
    ) -> Arc<Outcome<A, G>> {
        let shard = &self.shards[(key.1 ^ key.2) as usize % SHARDS];
        if let Some(outcome) = shard.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(outcome);
        }
        let outcome = Arc::new(run());
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shard.entry(key).or_insert(outcome))
    }
}
