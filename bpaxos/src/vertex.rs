//! Vertices: the positions of the graph of commands, and sets of them.
//!
//! A column is the log of one proposer, and a vertex is a slot of a column. Sets of vertices are mostly
//! "all of this column up to here, and a few more", so that is what they are made of: a watermark for
//! each column, and what is above it one by one. A set that depends on millions of vertices takes a few
//! bytes.
//!
//! *Paper*: Bipartisan Paxos, vertices and the compaction of dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use paxos::actor::NodeId;
use paxos::slot::Slot;
use paxos::wire::bincode::de::Decoder;
use paxos::wire::bincode::error::DecodeError;
use paxos::wire::{Decode, Encode, bincode};

/// The vertices of one proposer: a log of its own. A proposer that lost its disk is a new one, with
/// another incarnation and so with another column.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Column(pub NodeId);

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A position of the graph.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct Vertex {
    /// In whose log.
    pub column: Column,
    /// Where in that log.
    pub slot: Slot,
}

impl fmt::Debug for Vertex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.column, self.slot)
    }
}

impl fmt::Display for Vertex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// A set of slots of one column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Encode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct SlotSet {
    /// Exclusive; all slots below are in the set, and this one is not.
    watermark: Slot,
    /// The others. All are above `watermark`.
    rest: BTreeSet<Slot>,
}

impl SlotSet {
    /// All slots below `watermark`.
    pub fn below(watermark: Slot) -> Self {
        Self { watermark, rest: BTreeSet::new() }
    }

    /// Whether `slot` is in the set.
    pub fn contains(&self, slot: Slot) -> bool {
        slot < self.watermark || self.rest.contains(&slot)
    }

    /// All slots below are in the set, and this one is not.
    pub fn watermark(&self) -> Slot {
        self.watermark
    }

    /// The slot after the largest one.
    pub fn end(&self) -> Slot {
        self.rest.last().map_or(self.watermark, |slot| slot.next())
    }

    /// The slots that are kept one by one: all are above the watermark.
    pub fn rest(&self) -> impl Iterator<Item = Slot> {
        self.rest.iter().copied()
    }

    /// Whether it has no slot.
    pub fn is_empty(&self) -> bool {
        self.end() == Slot::ZERO
    }

    /// How many slots are kept one by one.
    pub fn rest_count(&self) -> usize {
        self.rest.len()
    }

    /// Adds `slot`. Returns whether it is new.
    pub fn insert(&mut self, slot: Slot) -> bool {
        if self.contains(slot) {
            return false;
        }
        self.rest.insert(slot);
        self.absorb();
        true
    }

    /// Adds all slots below `watermark`.
    pub fn fill(&mut self, watermark: Slot) {
        if watermark > self.watermark {
            self.watermark = watermark;
            self.rest = self.rest.split_off(&watermark);
            self.absorb();
        }
    }

    /// Adds all slots of `other`.
    pub fn union(&mut self, other: &Self) {
        self.fill(other.watermark);
        for slot in other.rest.range(self.watermark..) {
            self.rest.insert(*slot);
        }
        self.absorb();
    }

    /// Takes `slot` out.
    ///
    /// *Cost*: O(slots between it and the watermark), which are kept one by one from then on.
    pub fn remove(&mut self, slot: Slot) {
        if slot < self.watermark {
            self.rest.extend((slot.next().0..self.watermark.0).map(Slot));
            self.watermark = slot;
        } else {
            self.rest.remove(&slot);
        }
    }

    /// The first slot from `from` on that is in this set and not in `other`.
    pub fn first_missing(&self, from: Slot, other: &Self) -> Option<Slot> {
        let from = from.max(other.watermark);
        let mut below = (from.0..self.watermark.0).map(Slot);
        below.find(|slot| !other.rest.contains(slot)).or_else(|| {
            let mut above = self.rest.range(from..);
            above.find(|slot| !other.rest.contains(slot)).copied()
        })
    }

    fn absorb(&mut self) {
        while let Some(first) = self.rest.first().copied().filter(|slot| *slot <= self.watermark) {
            self.rest.remove(&first);
            self.watermark = self.watermark.max(first.next());
        }
    }
}

impl<C> Decode<C> for SlotSet {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (watermark, rest) = Decode::decode(decoder)?;
        let mut set = Self { watermark, rest };
        set.absorb();
        Ok(set)
    }
}

bincode::impl_borrow_decode!(SlotSet);

/// A set of vertices.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Encode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct VertexSet {
    /// By column. None of them is empty.
    columns: BTreeMap<Column, SlotSet>,
}

impl VertexSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether `vertex` is in the set.
    pub fn contains(&self, vertex: Vertex) -> bool {
        self.columns.get(&vertex.column).is_some_and(|slots| slots.contains(vertex.slot))
    }

    /// Whether it has no vertex.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The slots of `column` in it, if there are any.
    pub fn column(&self, column: Column) -> Option<&SlotSet> {
        self.columns.get(&column)
    }

    /// The slots of each column in it.
    pub fn columns(&self) -> impl Iterator<Item = (Column, &SlotSet)> {
        self.columns.iter().map(|(column, slots)| (*column, slots))
    }

    /// Adds `vertex`. Returns whether it is new.
    pub fn insert(&mut self, vertex: Vertex) -> bool {
        self.columns.entry(vertex.column).or_default().insert(vertex.slot)
    }

    /// Adds all vertices of `column` below `watermark`.
    pub fn fill(&mut self, column: Column, watermark: Slot) {
        if watermark > Slot::ZERO {
            self.columns.entry(column).or_default().fill(watermark);
        }
    }

    /// Adds all vertices of `other`.
    pub fn union(&mut self, other: &Self) {
        for (column, slots) in &other.columns {
            self.columns.entry(*column).or_default().union(slots);
        }
    }

    /// Takes `vertex` out.
    ///
    /// *Cost*: as for [`SlotSet::remove`].
    pub fn remove(&mut self, vertex: Vertex) {
        if let Some(slots) = self.columns.get_mut(&vertex.column) {
            slots.remove(vertex.slot);
            if slots.is_empty() {
                self.columns.remove(&vertex.column);
            }
        }
    }

    /// The first vertex from `from` on that is in this set and not in `other`, in the order of
    /// vertices.
    pub fn first_missing(&self, from: Option<Vertex>, other: &Self) -> Option<Vertex> {
        let nothing = SlotSet::default();
        let first = from.map(|vertex| vertex.column);
        let columns = self.columns.iter().filter(|(column, _)| first <= Some(**column));
        columns.into_iter().find_map(|(column, slots)| {
            let start = from.filter(|from| from.column == *column);
            let start = start.map_or(Slot::ZERO, |from| from.slot);
            let slot = slots.first_missing(start, other.column(*column).unwrap_or(&nothing))?;
            Some(Vertex { column: *column, slot })
        })
    }
}

impl fmt::Debug for VertexSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_set();
        for (column, slots) in &self.columns {
            if slots.watermark > Slot::ZERO {
                shown.entry(&format_args!("{column:?}:..{}", slots.watermark));
            }
            shown.entries(slots.rest.iter().map(|slot| Vertex { column: *column, slot: *slot }));
        }
        shown.finish()
    }
}

impl FromIterator<Vertex> for VertexSet {
    fn from_iter<I: IntoIterator<Item = Vertex>>(vertices: I) -> Self {
        let mut set = Self::new();
        for vertex in vertices {
            set.insert(vertex);
        }
        set
    }
}

impl<C> Decode<C> for VertexSet {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let mut columns: BTreeMap<Column, SlotSet> = Decode::decode(decoder)?;
        columns.retain(|_, slots| !slots.is_empty());
        Ok(Self { columns })
    }
}

bincode::impl_borrow_decode!(VertexSet);

#[cfg(test)]
mod tests {
    use paxos::actor::{Incarnation, Seat};
    use paxos::wire;

    use super::*;

    const fn vertex(seat: u32, slot: u64) -> Vertex {
        Vertex { column: Column(NodeId::new(Seat(seat), Incarnation(1))), slot: Slot(slot) }
    }

    fn members(set: &SlotSet) -> BTreeSet<u64> {
        (0..20).filter(|slot| set.contains(Slot(*slot))).collect()
    }

    /// Every operation on every pair of small sets, against sets of plain numbers.
    #[test]
    fn slot_sets_are_sets() {
        let set = |bits: u32| {
            let mut set = SlotSet::default();
            (0..6).rev().filter(|slot| bits & (1 << slot) != 0).for_each(|slot| {
                assert!(set.insert(Slot(slot)) && !set.insert(Slot(slot)));
            });
            set
        };
        for (one, two) in (0..64).flat_map(|one| (0..64).map(move |two| (one, two))) {
            let (left, right) = (set(one), set(two));
            let (mut union, mut without) = (left.clone(), left.clone());
            union.union(&right);
            assert_eq!(union, set(one | two));
            let from = Slot(u64::from(two % 7));
            let expected =
                (from.0..6).map(Slot).find(|slot| left.contains(*slot) && !right.contains(*slot));
            assert_eq!(left.first_missing(from, &right), expected, "{left:?} {right:?}");
            without.remove(from);
            assert_eq!(without, set(one & !(1 << from.0)));
            let mut filled = left.clone();
            filled.fill(from);
            assert_eq!(filled, set(one | ((1 << from.0) - 1)));
            assert_eq!(wire::decode::<SlotSet>(&wire::encode(&left)).as_ref(), Ok(&left));
        }
        assert_eq!(members(&set(0b01_1011)), [0, 1, 3, 4].into());
    }

    #[test]
    fn a_set_walks_from_what_is_missing_to_what_is_missing() {
        let mut set: VertexSet = [vertex(1, 4), vertex(2, 1), vertex(3, 0)].into_iter().collect();
        set.fill(vertex(1, 0).column, Slot(2));
        let executed: VertexSet = [vertex(1, 0), vertex(2, 1)].into_iter().collect();
        assert_eq!(set.first_missing(None, &executed), Some(vertex(1, 1)));
        assert_eq!(set.first_missing(Some(vertex(1, 2)), &executed), Some(vertex(1, 4)));
        assert_eq!(set.first_missing(Some(vertex(1, 5)), &executed), Some(vertex(3, 0)));
        assert_eq!(set.first_missing(Some(vertex(3, 1)), &executed), None);
        set.remove(vertex(3, 0));
        assert_eq!(set.column(vertex(3, 0).column), None);
    }

    #[test]
    fn bytes_that_no_set_encodes_to_become_the_set_they_mean() {
        let sloppy = wire::encode(&(Slot(2), BTreeSet::from([Slot(0), Slot(2), Slot(4)])));
        let set = wire::decode::<SlotSet>(&sloppy).expect("a set");
        assert_eq!((set.watermark(), members(&set)), (Slot(3), [0, 1, 2, 4].into()));
    }
}
