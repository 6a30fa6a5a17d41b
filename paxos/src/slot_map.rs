//! Values by slot, most of which lie next to each other, as those of a log do.
//!
//! ```text
//!        start                     end
//!          │ v │ v │   │ v │ v │ v │          gap          │ v │
//!    ──────┴───┴───┴───┴───┴───┴───┴───────────────────────┴───┴──
//!            in a row, by position              sparse, in a tree
//! ```
//!
//! What follows on the others with small gaps at most stands in a row and is found by its position. What
//! lies beyond a larger gap is in a tree until the gap is closed: so a slot that lies far ahead, whoever
//! names it, takes no more memory than any other.

use std::collections::{BTreeMap, VecDeque};

use crate::slot::Slot;

/// So many slots without a value may lie between two of the row, or before its first one.
const GAP_MAX: u64 = 64;

/// Values by slot, from one slot on.
///
/// *Cost*: O(1) within the row, O(log n) beyond.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotMap<V> {
    /// The first slot that may have a value. Never decreases.
    start: Slot,
    /// The values of `start` and the slots after it; the last one is there.
    row: VecDeque<Option<V>>,
    /// The rest: more than [`GAP_MAX`] after the end of the row.
    sparse: BTreeMap<Slot, V>,
}

impl<V> Default for SlotMap<V> {
    fn default() -> Self {
        Self { start: Slot::ZERO, row: VecDeque::new(), sparse: BTreeMap::new() }
    }
}

impl<V> SlotMap<V> {
    /// The value of `slot`.
    pub(crate) fn get(&self, slot: Slot) -> Option<&V> {
        let position = slot.0.checked_sub(self.start.0)?;
        match usize::try_from(position).ok().and_then(|position| self.row.get(position)) {
            Some(value) => value.as_ref(),
            None if self.sparse.is_empty() => None,
            None => self.sparse.get(&slot),
        }
    }

    /// Sets the value of `slot`, unless that lies below the start.
    pub(crate) fn insert(&mut self, slot: Slot, value: V) {
        if slot < self.start {
            return;
        }
        match self.gap(slot) {
            None => self.row[self.start.until(slot) as usize] = Some(value),
            Some(gap) if gap <= GAP_MAX => {
                self.append(gap, value);
                self.join();
            }
            Some(_) => {
                self.sparse.insert(slot, value);
            }
        }
    }

    /// Drops all below `start`, and takes none there from now on.
    pub(crate) fn drop_below(&mut self, start: Slot) {
        if start <= self.start {
            return;
        }
        let count = usize::try_from(self.start.until(start)).unwrap_or(usize::MAX);
        self.row.drain(..count.min(self.row.len()));
        self.start = start;
        if !self.sparse.is_empty() {
            self.sparse = self.sparse.split_off(&start);
            self.join();
        }
    }

    /// The value of the highest slot.
    pub(crate) fn last(&self) -> Option<&V> {
        let beyond = self.sparse.last_key_value().map(|(_, value)| value);
        beyond.or_else(|| self.row.back()?.as_ref())
    }

    /// All values from `first` on, in the order of their slots.
    pub(crate) fn range(&self, first: Slot) -> impl Iterator<Item = (Slot, &V)> {
        let skipped = usize::try_from(self.start.until(first)).unwrap_or(usize::MAX);
        let row = self.row.iter().enumerate().skip(skipped);
        let slot = |position: usize| self.start.plus(position as u64);
        let row = row.filter_map(move |(at, value)| Some((slot(at), value.as_ref()?)));
        row.chain(self.sparse.range(first..).map(|(slot, value)| (*slot, value)))
    }

    /// How many slots lie between the row and `slot`; `None` if it lies within.
    fn gap(&self, slot: Slot) -> Option<u64> {
        self.start.until(slot).checked_sub(self.row.len() as u64)
    }

    fn append(&mut self, gap: u64, value: V) {
        self.row.extend((0..gap).map(|_| None));
        self.row.push_back(Some(value));
    }

    /// Moves what follows on the row without a large gap into it.
    fn join(&mut self) {
        while let Some(entry) = self.sparse.first_entry() {
            let gap = self.start.until(*entry.key()) - self.row.len() as u64;
            if gap > GAP_MAX {
                return;
            }
            let value = entry.remove();
            self.append(gap, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slots that are far apart, near each other, and in the way of each other.
    const SLOTS: [u64; 12] = [0, 1, 3, 64, 65, 66, 130, 131, 500, 501, 10_000, u64::MAX];

    fn map(slots: &[u64]) -> SlotMap<u64> {
        let mut map = SlotMap::default();
        slots.iter().for_each(|slot| map.insert(Slot(*slot), *slot));
        map
    }

    fn contents(map: &SlotMap<u64>, first: u64) -> Vec<u64> {
        let pairs = map.range(Slot(first)).inspect(|(slot, value)| assert_eq!(slot.0, **value));
        pairs.map(|(_, value)| *value).collect()
    }

    #[test]
    fn the_order_of_insertion_makes_no_difference() {
        let forwards = map(&SLOTS);
        let mut backwards = SLOTS;
        backwards.reverse();
        assert_eq!(map(&backwards), forwards);
        assert_eq!(contents(&forwards, 0), SLOTS);
        assert_eq!(forwards.last(), Some(&u64::MAX));
        for slot in SLOTS {
            assert_eq!(forwards.get(Slot(slot)), Some(&slot));
        }
        assert_eq!(forwards.get(Slot(2)), None);
        assert_eq!(forwards.get(Slot(9999)), None);
    }

    #[test]
    fn what_is_below_the_start_goes_and_does_not_come_back() {
        for start in [0, 2, 64, 67, 200, 9_990, 20_000, u64::MAX] {
            let mut dropped = map(&SLOTS);
            dropped.drop_below(Slot(start));
            dropped.drop_below(Slot(start / 2));
            SLOTS.iter().for_each(|slot| dropped.insert(Slot(*slot), *slot));
            let left: Vec<u64> = SLOTS.into_iter().filter(|slot| *slot >= start).collect();
            assert_eq!(contents(&dropped, 0), left);
            assert_eq!(contents(&dropped, 501), contents(&dropped, 501.max(start)));
            let mut fresh = SlotMap::default();
            fresh.drop_below(Slot(start));
            left.iter().for_each(|slot| fresh.insert(Slot(*slot), *slot));
            assert_eq!(dropped, fresh);
        }
    }

    #[test]
    fn a_slot_that_is_far_ahead_takes_no_room_for_those_between() {
        let map = map(&[0, 1 << 40, 1 << 50]);
        assert_eq!((map.row.len(), map.sparse.len()), (1, 2));
        assert_eq!(contents(&map, 1), [1 << 40, 1 << 50]);
    }

    #[test]
    fn a_value_is_replaced_wherever_it_is() {
        let mut map: SlotMap<u64> = map(&[0, 1 << 40]);
        map.insert(Slot(0), 7);
        map.insert(Slot(1 << 40), 8);
        assert_eq!((map.get(Slot(0)), map.get(Slot(1 << 40))), (Some(&7), Some(&8)));
    }
}
