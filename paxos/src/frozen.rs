//! A frozen view of an ordered map that goes on changing.
//!
//! Freezing costs nothing: what changes afterwards is kept as it was, until the reader of the view has
//! passed it. So a state machine can be written down piece by piece while commands change it.
//!
//! ```text
//!   map      a b' c  e f'      b and f were changed, d was removed, g inserted since
//!   kept       b   d   f (g: was not there)
//!   view     a b c d e f       read from left to right; what is passed is kept no longer
//! ```

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::mutant::{self, Mutant};

/// What is needed to read a map of keys `K` and values `V` as it was. Its owner tells of every change
/// before it makes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FrozenView<K, V> {
    /// `None` while nothing is frozen.
    scan: Option<Scan<K, V>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Scan<K, V> {
    /// Inclusive; entries up to it were read.
    passed: Option<K>,
    /// Changed entries above `passed`, as they were; `None` for those that were not there.
    kept: BTreeMap<K, Option<V>>,
}

impl<K, V> Default for FrozenView<K, V> {
    fn default() -> Self {
        Self { scan: None }
    }
}

impl<K: Ord + Clone, V: Clone> FrozenView<K, V> {
    /// Freezes the map as it is now; a view that was open is given up.
    pub fn start(&mut self) {
        self.scan = Some(Scan { passed: None, kept: BTreeMap::new() });
    }

    /// Gives the view up.
    pub fn stop(&mut self) {
        self.scan = None;
    }

    /// Whether a view is open: if not, there is no need to call [`keep`](Self::keep).
    pub fn is_open(&self) -> bool {
        self.scan.is_some()
    }

    /// The entry of `key`, which is `present` now, is about to be changed, inserted or removed.
    ///
    /// *Cost*: O(log n), and a clone of the value the first time.
    pub fn keep(&mut self, key: &K, present: Option<&V>) {
        let Some(scan) = &mut self.scan else { return };
        if scan.passed.as_ref() >= Some(key) || mutant::is_on(Mutant::ChangeUnderSnapshot) {
            return;
        }
        if !scan.kept.contains_key(key) {
            scan.kept.insert(key.clone(), present.cloned());
        }
    }

    /// All entries of `map` are about to be removed; it is left empty.
    ///
    /// *Cost*: O(n), as dropping them would be.
    pub fn keep_all(&mut self, map: &mut BTreeMap<K, V>) {
        let entries = std::mem::take(map);
        let Some(scan) = &mut self.scan else { return };
        for (key, value) in entries {
            if scan.passed.as_ref() < Some(&key) {
                scan.kept.entry(key).or_insert(Some(value));
            }
        }
    }

    /// The next entry of the view, in the order of the keys; `None` at its end, and if none is open.
    ///
    /// *Cost*: O(log n), and as much for each entry that was inserted since.
    pub fn next(&mut self, map: &BTreeMap<K, V>) -> Option<(K, V)> {
        let scan = self.scan.as_mut()?;
        loop {
            let from = scan.passed.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let present = map.range((from, Bound::Unbounded)).next();
            let is_kept_next = match (scan.kept.first_key_value(), present) {
                (Some((kept, _)), Some((key, _))) => kept <= key,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if is_kept_next && let Some((key, value)) = scan.kept.pop_first() {
                scan.passed = Some(key.clone());
                match value {
                    Some(value) => return Some((key, value)),
                    None => continue,
                }
            }
            let (key, value) = present?;
            scan.passed = Some(key.clone());
            return Some((key.clone(), value.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small random numbers, the same in every run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            (self.0 >> 33) % end
        }
    }

    fn change(view: &mut FrozenView<u64, u64>, map: &mut BTreeMap<u64, u64>, random: &mut Random) {
        let key = random.below(30);
        match random.below(40) {
            0 => view.keep_all(map),
            1..15 => {
                view.keep(&key, map.get(&key));
                map.remove(&key);
            }
            _ => {
                view.keep(&key, map.get(&key));
                map.insert(key, random.below(1000));
            }
        }
    }

    #[test]
    fn whatever_changes_the_view_is_as_the_map_was() {
        for seed in 0..500 {
            let mut random = Random(seed);
            let (mut view, mut map) = (FrozenView::default(), BTreeMap::new());
            for _ in 0..20 {
                change(&mut view, &mut map, &mut random);
            }
            let frozen = map.clone();
            view.start();
            let mut read = BTreeMap::new();
            loop {
                for _ in 0..random.below(6) {
                    change(&mut view, &mut map, &mut random);
                }
                let Some((key, value)) = view.next(&map) else { break };
                assert!(read.last_key_value().is_none_or(|(last, _)| *last < key), "in order");
                read.insert(key, value);
            }
            assert_eq!(read, frozen, "seed {seed}");
            view.stop();
            assert_eq!(view, FrozenView::default());
        }
    }

    #[test]
    fn nothing_is_kept_without_a_view_or_behind_its_reader() {
        let mut map = BTreeMap::from([(1, 'a'), (2, 'b')]);
        let mut view = FrozenView::default();
        view.keep(&1, map.get(&1));
        assert_eq!(view, FrozenView::default());
        view.start();
        assert_eq!(view.next(&map), Some((1, 'a')));
        view.keep(&1, map.get(&1));
        map.insert(1, 'z');
        assert_eq!(view.next(&map), Some((2, 'b')));
        assert_eq!(view.next(&map), None);
    }
}
