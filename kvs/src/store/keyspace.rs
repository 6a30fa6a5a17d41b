//! The keys and their values, in the order of the keys' hashes, and the deadlines in their order.
//!
//! ```text
//!  buckets     hash ─► item (, items of other keys with the same hash: next to never)
//!  deadlines   (deadline, hash, key)          exactly one for each item that has a deadline
//! ```
//!
//! An item whose deadline is at or before the time that a method is given is *due*. It is absent for
//! every reader, even before it is removed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use paxos::frozen::FrozenView;
use paxos::state_machine::Position;

use super::hash::hash;

/// A value and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Item {
    /// The key.
    pub(super) key: Bytes,
    /// The value.
    pub(super) value: Bytes,
    /// The position of the command that last changed the value or the deadline.
    pub(super) version: Position,
    /// Unix time in ms from which on the key is absent.
    pub(super) deadline_ms: Option<i64>,
}

impl Item {
    /// Whether the item is absent at `now_ms`.
    pub(super) fn is_due(&self, now_ms: i64) -> bool {
        self.deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms)
    }
}

/// The items with one hash, in the order of their keys, whatever the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bucket {
    first: Item,
    rest: Vec<Item>,
}

impl Bucket {
    /// All items, in their order.
    pub(super) fn into_items(self) -> impl Iterator<Item = Item> {
        std::iter::once(self.first).chain(self.rest)
    }

    fn items(&self) -> impl Iterator<Item = &Item> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Adds an item whose key is not there.
    fn add(&mut self, mut item: Item) {
        if item.key < self.first.key {
            std::mem::swap(&mut item, &mut self.first);
        }
        let place = self.rest.partition_point(|other| other.key < item.key);
        self.rest.insert(place, item);
    }

    fn item_mut(&mut self, key: &[u8]) -> Option<&mut Item> {
        if self.first.key == key {
            return Some(&mut self.first);
        }
        self.rest.iter_mut().find(|item| item.key == key)
    }
}

/// Every key with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Keyspace {
    buckets: BTreeMap<u64, Bucket>,
    deadlines: BTreeSet<(i64, u64, Bytes)>,
    /// How many items there are, due ones included.
    item_count: usize,
    /// The buckets as they were when a snapshot began. Told before each change.
    view: FrozenView<u64, Bucket>,
}

impl Keyspace {
    /// The item of `key`, unless it is due.
    pub(super) fn item(&self, key: &[u8], now_ms: i64) -> Option<&Item> {
        self.find(key).filter(|item| !item.is_due(now_ms))
    }

    /// The deadline of `key`, due or not.
    pub(super) fn deadline(&self, key: &[u8]) -> Option<i64> {
        // Most stores have no deadlines at all, and then the key need not be looked up.
        if self.deadlines.is_empty() {
            return None;
        }
        self.find(key)?.deadline_ms
    }

    fn find(&self, key: &[u8]) -> Option<&Item> {
        self.buckets.get(&hash(key))?.items().find(|item| item.key == key)
    }

    /// Gives `key` a value and a deadline, whatever it had. Both are copied.
    pub(super) fn put(
        &mut self,
        key: &[u8],
        value: &[u8],
        deadline_ms: Option<i64>,
        version: Position,
    ) {
        self.put_owned(key, Bytes::copy_from_slice(value), deadline_ms, version);
    }

    /// As [`Keyspace::put`], with a value that shares its memory with nothing large.
    pub(super) fn put_owned(
        &mut self,
        key: &[u8],
        value: Bytes,
        deadline_ms: Option<i64>,
        version: Position,
    ) {
        let hash = hash(key);
        self.keep(hash);
        let new_item =
            |value| Item { key: Bytes::copy_from_slice(key), value, version, deadline_ms: None };
        let item = match self.buckets.entry(hash) {
            Entry::Vacant(place) => {
                self.item_count += 1;
                &mut place.insert(Bucket { first: new_item(value), rest: Vec::new() }).first
            }
            Entry::Occupied(place) => {
                let bucket = place.into_mut();
                if bucket.item_mut(key).is_none() {
                    self.item_count += 1;
                    bucket.add(new_item(value));
                } else if let Some(item) = bucket.item_mut(key) {
                    item.value = value;
                    item.version = version;
                }
                match bucket.item_mut(key) {
                    Some(item) => item,
                    None => return,
                }
            }
        };
        change_deadline(&mut self.deadlines, item, hash, deadline_ms);
    }

    /// Changes the deadline of `key`, if it is there.
    pub(super) fn set_deadline(&mut self, key: &[u8], deadline_ms: Option<i64>, version: Position) {
        let hash = hash(key);
        self.keep(hash);
        let Some(item) = self.buckets.get_mut(&hash).and_then(|bucket| bucket.item_mut(key)) else {
            return;
        };
        item.version = version;
        change_deadline(&mut self.deadlines, item, hash, deadline_ms);
    }

    /// Removes `key`; returns its item unless that was due.
    pub(super) fn take(&mut self, key: &[u8], now_ms: i64) -> Option<Item> {
        self.remove(hash(key), key).filter(|item| !item.is_due(now_ms))
    }

    fn remove(&mut self, hash: u64, key: &[u8]) -> Option<Item> {
        self.keep(hash);
        let Entry::Occupied(mut place) = self.buckets.entry(hash) else {
            return None;
        };
        let bucket = place.get_mut();
        let item = if bucket.first.key != key {
            let index = bucket.rest.iter().position(|item| item.key == key)?;
            bucket.rest.remove(index)
        } else if bucket.rest.is_empty() {
            place.remove().first
        } else {
            let next = bucket.rest.remove(0);
            std::mem::replace(&mut bucket.first, next)
        };
        self.item_count -= 1;
        if let Some(deadline_ms) = item.deadline_ms {
            self.deadlines.remove(&(deadline_ms, hash, item.key.clone()));
        }
        Some(item)
    }

    /// Removes items that are due, `count_max` at most, the earliest first.
    pub(super) fn remove_due(&mut self, now_ms: i64, count_max: usize) {
        for _ in 0..count_max {
            match self.deadlines.first() {
                Some((deadline_ms, hash, key)) if *deadline_ms <= now_ms => {
                    let (hash, key) = (*hash, key.clone());
                    self.remove(hash, &key);
                }
                Some(_) | None => return,
            }
        }
    }

    /// Removes everything.
    pub(super) fn clear(&mut self) {
        self.view.keep_all(&mut self.buckets);
        self.deadlines.clear();
        self.item_count = 0;
    }

    /// The bucket of `hash` is about to change.
    fn keep(&mut self, hash: u64) {
        if self.view.is_open() {
            self.view.keep(&hash, self.buckets.get(&hash));
        }
    }

    /// Freezes a view of all items.
    pub(super) fn freeze(&mut self) {
        self.view.start();
    }

    /// Gives the view up.
    pub(super) fn unfreeze(&mut self) {
        self.view.stop();
    }

    /// The next bucket of the view.
    pub(super) fn next_frozen(&mut self) -> Option<Bucket> {
        self.view.next(&self.buckets).map(|(_, bucket)| bucket)
    }

    /// The earliest deadline, due or not.
    pub(super) fn earliest_deadline(&self) -> Option<i64> {
        self.deadlines.first().map(|(deadline_ms, _, _)| *deadline_ms)
    }

    /// How many keys there are. *Cost*: O(items that are due).
    pub(super) fn count(&self, now_ms: i64) -> usize {
        self.item_count - self.due_count(now_ms)
    }

    /// How many keys have a deadline. *Cost*: O(items that are due).
    pub(super) fn deadline_count(&self, now_ms: i64) -> usize {
        self.deadlines.len() - self.due_count(now_ms)
    }

    fn due_count(&self, now_ms: i64) -> usize {
        self.deadlines.iter().take_while(|(deadline_ms, _, _)| *deadline_ms <= now_ms).count()
    }

    /// The items with hashes from `start` on, those with one hash together, with their hash.
    pub(super) fn walk(
        &self,
        start: u64,
        now_ms: i64,
    ) -> impl Iterator<Item = (u64, impl Iterator<Item = &Item>)> {
        self.buckets.range(start..).map(move |(hash, bucket)| {
            (*hash, bucket.items().filter(move |item| !item.is_due(now_ms)))
        })
    }

    /// A key that `seed` picks, if there is any.
    pub(super) fn pick(&self, seed: u64, now_ms: i64) -> Option<&Item> {
        let start = hash(&seed.to_le_bytes());
        let later = self.walk(start, now_ms).find_map(|(_, mut items)| items.next());
        later.or_else(|| self.walk(0, now_ms).find_map(|(_, mut items)| items.next()))
    }
}

fn change_deadline(
    deadlines: &mut BTreeSet<(i64, u64, Bytes)>,
    item: &mut Item,
    hash: u64,
    deadline_ms: Option<i64>,
) {
    if item.deadline_ms == deadline_ms {
        return;
    }
    if let Some(former_ms) = item.deadline_ms {
        deadlines.remove(&(former_ms, hash, item.key.clone()));
    }
    if let Some(deadline_ms) = deadline_ms {
        deadlines.insert((deadline_ms, hash, item.key.clone()));
    }
    item.deadline_ms = deadline_ms;
}

#[cfg(test)]
mod tests {
    use paxos::slot::Slot;

    use super::*;

    const V: Position = Position { slot: Slot(1), index: 0 };

    #[test]
    fn deadlines_follow_their_items() {
        let mut keyspace = Keyspace::default();
        keyspace.put(b"a", b"1", Some(10), V);
        keyspace.put(b"b", b"2", Some(5), V);
        keyspace.put(b"c", b"3", None, V);
        assert_eq!(keyspace.earliest_deadline(), Some(5));
        assert_eq!((keyspace.count(4), keyspace.count(5), keyspace.count(10)), (3, 2, 1));
        assert!(keyspace.item(b"b", 5).is_none());
        assert!(keyspace.item(b"b", 4).is_some());
        keyspace.put(b"b", b"2", None, V);
        assert_eq!(keyspace.earliest_deadline(), Some(10));
        keyspace.set_deadline(b"c", Some(3), V);
        keyspace.remove_due(10, 1);
        assert_eq!((keyspace.count(0), keyspace.deadline_count(0)), (2, 1));
        assert!(keyspace.take(b"a", 10).is_none());
        assert_eq!(keyspace.earliest_deadline(), None);
        assert!(keyspace.take(b"b", 10).is_some());
        assert_eq!(keyspace, Keyspace::default());
    }

    #[test]
    fn keys_with_one_hash_have_one_order() {
        let item = |key: &'static str| Item {
            key: Bytes::from(key),
            value: Bytes::new(),
            version: V,
            deadline_ms: None,
        };
        for keys in [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"], ["c", "a", "b"]] {
            let mut bucket = Bucket { first: item(keys[0]), rest: Vec::new() };
            keys[1..].iter().for_each(|key| bucket.add(item(key)));
            let order: Vec<Bytes> = bucket.into_items().map(|item| item.key).collect();
            assert_eq!(order, ["a", "b", "c"]);
        }
    }

    #[test]
    fn keys_with_one_hash_live_side_by_side() {
        let item = |key: &'static str| Item {
            key: Bytes::from(key),
            value: Bytes::new(),
            version: V,
            deadline_ms: None,
        };
        let mut keyspace = Keyspace { item_count: 3, ..Keyspace::default() };
        let bucket = Bucket { first: item("a"), rest: vec![item("b"), item("c")] };
        keyspace.buckets.insert(7, bucket);
        let (_, together) = keyspace.walk(7, 0).next().unwrap();
        assert_eq!(together.count(), 3);
        assert_eq!(keyspace.remove(7, b"a").unwrap().key, "a");
        assert_eq!(keyspace.remove(7, b"c").unwrap().key, "c");
        assert_eq!(keyspace.remove(7, b"c"), None);
        assert_eq!(keyspace.remove(7, b"b").unwrap().key, "b");
        assert_eq!(keyspace, Keyspace::default());
    }
}
