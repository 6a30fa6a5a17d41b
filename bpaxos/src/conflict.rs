//! Which earlier vertices conflict with a command.
//!
//! For each key the index knows who reads and who writes it: the latest vertices of each column one by
//! one, and all that is older as "everything below". So what it says is small: at worst too much, never
//! too little.
//!
//! Keys come and go, and are forgotten in the same way: when it knows of too many, the index takes all
//! vertices that are chosen for such that conflict with everything, and lets go of them. That is a
//! prefix of each column, as its proposer tells. Whatever conflicts with a vertex that was let go of is
//! told to depend on it as before, and others are told so in vain: they need not wait for it, since it is
//! chosen.
//!
//! *Paper*: Bipartisan Paxos, the compaction of dependencies. Naming only the latest conflicting vertex
//! of a column, and trusting that it depends on the older ones, is the shortcut of EPaxos. It is unsafe:
//! the one in the middle may become a noop, which depends on nothing, and then nothing orders the outer
//! two.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use paxos::mutant::{self, Mutant};
use paxos::slot::Slot;
use paxos::state_machine::Footprint;
use paxos::wire::Payload;

use crate::vertex::{Column, SlotSet, Vertex, VertexSet};

/// Vertices of one column that do the same to the same key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Users {
    /// Exclusive; all slots below count, whether or not they do.
    filled: Slot,
    /// The latest ones, one by one.
    latest: BTreeSet<Slot>,
}

impl Users {
    fn add(&mut self, slot: Slot, latest_max: NonZeroUsize) {
        if slot < self.filled {
            return;
        }
        self.latest.insert(slot);
        while self.latest.len() > latest_max.get() {
            let Some(oldest) = self.latest.pop_first() else { return };
            if !mutant::is_on(Mutant::OlderConflictsForgotten) {
                self.filled = oldest.next();
            }
        }
    }

    /// Lets go of what is below `watermark`. Returns whether anything is left.
    fn forget_below(&mut self, watermark: Slot) -> bool {
        self.latest = self.latest.split_off(&watermark);
        !self.latest.is_empty() || self.filled > watermark
    }
}

/// Vertices that do the same to the same key, by column.
type UsersByColumn = BTreeMap<Column, Users>;

/// What is known of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Key {
    readers: UsersByColumn,
    writers: UsersByColumn,
}

/// The index of a dependency node.
///
/// *Limits*: memory grows with the uses of keys by columns that it remembers: the most there may be
/// before it lets go of some, or twice as many as were not chosen the last time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConflictIndex {
    /// How many vertices of a key and column are kept one by one.
    latest_max: NonZeroUsize,
    keys: BTreeMap<Payload, Key>,
    /// Vertices that touch the whole key space.
    everything: UsersByColumn,
    /// By column: the slot after the highest one that was ever added.
    ends: BTreeMap<Column, Slot>,
    /// All of these count as conflicting with everything.
    base: VertexSet,
    /// By column: slots below are chosen.
    chosen: BTreeMap<Column, Slot>,
    /// How often a column is noted for a key, as one that reads or as one that writes it.
    use_count: usize,
    /// How many of those there are at least before some are let go of.
    uses_max: usize,
    /// From so many on they are.
    limit: usize,
}

impl ConflictIndex {
    /// An empty index that keeps `latest_max` vertices of each key and column one by one, and `uses_max`
    /// uses of keys by columns before it lets go of what is chosen.
    pub fn new(latest_max: NonZeroUsize, uses_max: usize) -> Self {
        Self {
            latest_max,
            keys: BTreeMap::new(),
            everything: BTreeMap::new(),
            ends: BTreeMap::new(),
            base: VertexSet::new(),
            chosen: BTreeMap::new(),
            use_count: 0,
            uses_max,
            limit: uses_max,
        }
    }

    /// Uses of keys by columns that it remembers.
    pub fn use_count(&self) -> usize {
        self.use_count
    }

    /// Notes that all slots of `column` below `watermark` are chosen.
    pub fn learn_chosen(&mut self, column: Column, watermark: Slot) {
        let known = self.chosen.entry(column).or_default();
        *known = (*known).max(watermark);
    }

    /// Lets all that is chosen conflict with everything, and lets go of it.
    ///
    /// *Cost*: O(n), n = uses that it remembers; once for as many new ones.
    fn collect(&mut self) {
        for (column, watermark) in &self.chosen {
            if !mutant::is_on(Mutant::IndexForgetsPrefix) {
                self.base.fill(*column, *watermark);
            }
        }
        let (chosen, mut left) = (&self.chosen, 0);
        let mut forget = |users: &mut UsersByColumn| {
            users.retain(|column, users| {
                users.forget_below(chosen.get(column).copied().unwrap_or_default())
            });
            left += users.len();
            !users.is_empty()
        };
        self.keys.retain(|_, key| {
            let is_read = forget(&mut key.readers);
            forget(&mut key.writers) || is_read
        });
        forget(&mut self.everything);
        self.use_count = left;
        self.limit = self.uses_max.max(2 * left);
    }

    /// Takes every vertex of `column` below `watermark` for one that conflicts with everything.
    pub fn fill(&mut self, column: Column, watermark: Slot) {
        self.base.fill(column, watermark);
    }

    /// The slot after the highest one of each column that was added or filled.
    pub fn ends(&self) -> VertexSet {
        let mut ends = self.base.clone();
        for (column, end) in &self.ends {
            ends.fill(*column, *end);
        }
        ends
    }

    /// The slot after the highest one of `column` that was added or filled.
    pub fn end(&self, column: Column) -> Slot {
        let filled = self.base.column(column).map_or(Slot::ZERO, SlotSet::end);
        filled.max(self.ends.get(&column).copied().unwrap_or(Slot::ZERO))
    }

    /// Adds `vertex`, and returns the vertices that conflict with it: all that were added before and do,
    /// and perhaps more, but never the vertex itself.
    ///
    /// *Repeat*: may return later ones as well, which is as good.
    ///
    /// *Cost*: what is returned may hold one by one all vertices of the column that came before this one
    /// and have higher slots.
    pub fn add(&mut self, vertex: Vertex, footprint: &Footprint) -> VertexSet {
        let mut conflicts = self.conflicts(footprint);
        conflicts.remove(vertex);
        self.insert(vertex, footprint);
        if self.use_count > self.limit {
            self.collect();
        }
        let end = self.ends.entry(vertex.column).or_default();
        *end = (*end).max(vertex.slot.next());
        conflicts
    }

    fn conflicts(&self, footprint: &Footprint) -> VertexSet {
        let Footprint::Keys { reads, writes } = footprint else { return self.ends() };
        let mut conflicts = self.base.clone();
        self.extend(&mut conflicts, &self.everything);
        for key in reads.iter().filter_map(|key| self.keys.get(key)) {
            self.extend(&mut conflicts, &key.writers);
        }
        for key in writes.iter().filter_map(|key| self.keys.get(key)) {
            self.extend(&mut conflicts, &key.writers);
            self.extend(&mut conflicts, &key.readers);
        }
        conflicts
    }

    fn extend(&self, conflicts: &mut VertexSet, users: &UsersByColumn) {
        for (column, users) in users {
            conflicts.fill(*column, users.filled);
            for slot in &users.latest {
                conflicts.insert(Vertex { column: *column, slot: *slot });
            }
        }
    }

    fn insert(&mut self, vertex: Vertex, footprint: &Footprint) {
        let Vertex { column, slot } = vertex;
        let latest_max = self.latest_max;
        let mut new_count = 0;
        let mut add = |users: &mut UsersByColumn| {
            let before = users.len();
            users.entry(column).or_default().add(slot, latest_max);
            new_count += users.len() - before;
        };
        match footprint {
            Footprint::Keys { reads, writes } => {
                for key in reads {
                    add(&mut self.keys.entry(key.clone()).or_default().readers);
                }
                for key in writes {
                    add(&mut self.keys.entry(key.clone()).or_default().writers);
                }
            }
            Footprint::Everything => add(&mut self.everything),
        }
        self.use_count += new_count;
    }
}

#[cfg(test)]
mod tests {
    use paxos::actor::{Incarnation, NodeId, Seat};

    use super::*;

    const fn vertex(seat: u32, slot: u64) -> Vertex {
        Vertex { column: Column(NodeId::new(Seat(seat), Incarnation(1))), slot: Slot(slot) }
    }

    fn keys(reads: &[&'static str], writes: &[&'static str]) -> Footprint {
        let set = |keys: &[&'static str]| keys.iter().map(|key| Payload::new(*key)).collect();
        Footprint::Keys { reads: set(reads), writes: set(writes) }
    }

    fn index(latest_max: usize) -> ConflictIndex {
        ConflictIndex::new(NonZeroUsize::new(latest_max).expect("at least one"), 1000)
    }

    fn set<const N: usize>(vertices: [Vertex; N]) -> VertexSet {
        vertices.into_iter().collect()
    }

    #[test]
    fn readers_conflict_with_writers_and_writers_with_both() {
        let mut index = index(4);
        assert_eq!(index.add(vertex(1, 0), &keys(&["a"], &[])), set([]));
        assert_eq!(index.add(vertex(2, 0), &keys(&["a", "b"], &[])), set([]));
        assert_eq!(index.add(vertex(1, 1), &keys(&[], &["a"])), set([vertex(1, 0), vertex(2, 0)]));
        assert_eq!(index.add(vertex(3, 7), &keys(&["a"], &["c"])), set([vertex(1, 1)]));
        assert_eq!(index.add(vertex(2, 1), &keys(&[], &["d"])), set([]));
    }

    #[test]
    fn what_touches_everything_conflicts_with_everything() {
        let mut index = index(4);
        index.add(vertex(1, 0), &keys(&["a"], &[]));
        index.add(vertex(1, 1), &Footprint::empty());
        let all = set([vertex(1, 0), vertex(1, 1)]);
        assert_eq!(index.add(vertex(2, 0), &Footprint::Everything), all);
        assert_eq!(index.add(vertex(1, 2), &keys(&["z"], &[])), set([vertex(2, 0)]));
    }

    #[test]
    fn a_vertex_never_conflicts_with_itself() {
        let mut index = index(1);
        let write = keys(&["a"], &["a"]);
        index.add(vertex(1, 3), &write);
        assert_eq!(index.add(vertex(1, 3), &write), set([]));
        index.add(vertex(1, 5), &write);
        let (mut expected, late) = (VertexSet::new(), index.add(vertex(1, 2), &write));
        expected.fill(vertex(1, 0).column, Slot(4));
        expected.insert(vertex(1, 5));
        expected.remove(vertex(1, 2));
        assert_eq!(late, expected);
    }

    #[test]
    fn older_vertices_than_the_latest_become_a_prefix() {
        let mut index = index(2);
        for slot in [0, 10, 20] {
            index.add(vertex(1, slot), &keys(&[], &["a"]));
        }
        let conflicts = index.add(vertex(2, 0), &keys(&["a"], &[]));
        assert_eq!(conflicts, set([vertex(1, 0), vertex(1, 10), vertex(1, 20)]));
        index.add(vertex(1, 30), &keys(&[], &["a"]));
        let conflicts = index.add(vertex(2, 1), &keys(&["a"], &[]));
        let slots = conflicts.column(vertex(1, 0).column).expect("some");
        assert_eq!((slots.watermark(), slots.rest_count()), (Slot(11), 2));
    }

    #[test]
    fn what_is_chosen_is_let_go_of_and_conflicts_with_everything() {
        let mut index = ConflictIndex::new(NonZeroUsize::MIN, 3);
        for (slot, key) in (0..).zip(["a", "b", "c"]) {
            index.add(vertex(1, slot), &keys(&[], &[key]));
        }
        index.learn_chosen(column(), Slot(2));
        assert_eq!(index.use_count(), 3);
        assert_eq!(index.add(vertex(2, 0), &keys(&["x"], &[])), set([]));
        assert_eq!(index.use_count(), 2, "c and x");
        let chosen = [vertex(1, 0), vertex(1, 1)];
        assert_eq!(index.add(vertex(2, 1), &keys(&["y"], &[])), set(chosen));
        let all = [vertex(1, 0), vertex(1, 1), vertex(1, 2)];
        assert_eq!(index.add(vertex(2, 2), &keys(&["a", "c"], &[])), set(all));
        let ends: Vec<_> = [vertex(1, 2), vertex(2, 2)].map(|last| index.end(last.column)).into();
        assert_eq!(ends, [Slot(3), Slot(3)]);
    }

    const fn column() -> Column {
        vertex(1, 0).column
    }

    #[test]
    fn what_is_not_chosen_is_kept_however_much_it_is() {
        let mut index = ConflictIndex::new(NonZeroUsize::MIN, 0);
        let names: Vec<String> = (0..400).map(|number| number.to_string()).collect();
        let footprint = |name: &String| Footprint::Keys {
            reads: [].into(),
            writes: [Payload::new(name.clone().into_bytes())].into(),
        };
        for (slot, name) in (0..).zip(&names[..100]) {
            index.add(vertex(1, slot), &footprint(name));
        }
        assert_eq!(index.use_count(), 100);
        assert_eq!(index.add(vertex(2, 0), &footprint(&names[7])), set([vertex(1, 7)]));
        index.learn_chosen(column(), Slot(90));
        for (slot, name) in (100..).zip(&names[100..]) {
            index.learn_chosen(column(), Slot(slot));
            index.add(vertex(1, slot), &footprint(name));
        }
        assert!(index.use_count() < 10, "{}", index.use_count());
    }

    /// All sequences of four small commands: whichever comes second of two that conflict names the first.
    #[test]
    fn of_two_that_conflict_the_later_one_names_the_earlier_one() {
        let footprints = [
            keys(&["a"], &[]),
            keys(&[], &["a"]),
            keys(&["b"], &["a"]),
            keys(&["a"], &["b"]),
            Footprint::Everything,
            Footprint::empty(),
        ];
        let count = footprints.len();
        for word in 0..count.pow(4) {
            let mut index = index(1);
            let mut before: Vec<(Vertex, &Footprint)> = Vec::new();
            for step in 0..4 {
                let footprint = &footprints[word / count.pow(step) % count];
                let vertex = vertex(1 + step % 2, u64::from(step));
                let conflicts = index.add(vertex, footprint);
                for (earlier, other) in &before {
                    assert!(!footprint.conflicts_with(other) || conflicts.contains(*earlier));
                }
                before.push((vertex, footprint));
            }
        }
    }
}
