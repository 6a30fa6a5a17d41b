//! Ranks: a number for each component that grows along its dependencies.
//!
//! The rank of a component is one more than the highest rank of all that its vertices depend on outside
//! of it; of one that depends on nothing it is one. Of two commands that conflict the one that is executed
//! later therefore has the higher rank, or stands later in the same component. Which components there are
//! and what they depend on is fixed by consensus, so every replica computes the same ranks, in whatever
//! order it executes.
//!
//! That makes a rank, and the place of a command in its component, the
//! [`Position`](paxos::state_machine::Position) of the command.
//!
//! *Limits*: a few numbers for each vertex that was executed since [`Ranks::forget`].

use std::collections::BTreeMap;

use paxos::mutant::{self, Mutant};
use paxos::slot::Slot;

use crate::vertex::{Column, VertexSet};

/// Ranks of one column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct ColumnRanks {
    /// Of each slot that was executed and not forgotten.
    each: BTreeMap<Slot, u64>,
    /// Those of `each` that are higher than all below.
    records: BTreeMap<Slot, u64>,
}

impl ColumnRanks {
    fn insert(&mut self, slot: Slot, rank: u64) {
        self.each.insert(slot, rank);
        if self.highest_below(slot) >= rank {
            return;
        }
        let above = self.records.range(slot..).take_while(|(_, other)| **other <= rank);
        let outdone: Vec<Slot> = above.map(|(slot, _)| *slot).collect();
        for slot in outdone {
            self.records.remove(&slot);
        }
        self.records.insert(slot, rank);
    }

    /// The highest rank of the slots below `end`.
    fn highest_below(&self, end: Slot) -> u64 {
        self.records.range(..end).next_back().map_or(0, |(_, rank)| *rank)
    }
}

/// The ranks of what one replica has executed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ranks {
    columns: BTreeMap<Column, ColumnRanks>,
    /// At least the rank of all that was forgotten, and of nothing that came after it.
    floor: u64,
}

impl Ranks {
    /// One more than the highest rank in `dependencies`, as far as they were executed.
    ///
    /// *Cost*: O(log n) for each column, and for each slot that is named by itself.
    pub fn after(&self, dependencies: &VertexSet) -> u64 {
        if dependencies.is_empty() {
            return 1;
        }
        let known = dependencies.columns().filter_map(|(column, slots)| {
            let ranks = self.columns.get(&column)?;
            let named = slots.rest().filter_map(|slot| ranks.each.get(&slot).copied()).max();
            named.max(Some(ranks.highest_below(slots.watermark())))
        });
        known.max().unwrap_or(0).max(self.floor) + 1
    }

    /// Notes the rank of a slot that is executed now.
    pub fn insert(&mut self, column: Column, slot: Slot, rank: u64) {
        self.columns.entry(column).or_default().insert(slot, rank);
    }

    /// Forgets the ranks of `vertices`. Whatever is executed after them and depends on anything depends on
    /// something of rank `floor` among them, and none of them has a higher one.
    ///
    /// *Cost*: O(n), n = all that is kept.
    pub fn forget(&mut self, vertices: &VertexSet, floor: u64) {
        if !mutant::is_on(Mutant::RanksBeginAnew) {
            self.floor = self.floor.max(floor);
        }
        for (column, ranks) in &mut self.columns {
            let Some(slots) = vertices.column(*column) else { continue };
            let each = std::mem::take(&mut ranks.each);
            ranks.records.clear();
            let kept = each.into_iter().filter(|(slot, _)| !slots.contains(*slot));
            kept.for_each(|(slot, rank)| ranks.insert(slot, rank));
        }
        self.columns.retain(|_, ranks| !ranks.each.is_empty());
    }

    /// How many vertices it knows the rank of.
    pub fn count(&self) -> usize {
        self.columns.values().map(|ranks| ranks.each.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use paxos::actor::{Incarnation, NodeId, Seat};

    use super::*;
    use crate::vertex::Vertex;

    const fn column(seat: u32) -> Column {
        Column(NodeId::new(Seat(seat), Incarnation(1)))
    }

    const fn vertex(seat: u32, slot: u64) -> Vertex {
        Vertex { column: column(seat), slot: Slot(slot) }
    }

    fn set<const N: usize>(vertices: [Vertex; N]) -> VertexSet {
        vertices.into_iter().collect()
    }

    #[test]
    fn prefixes_and_single_vertices_have_the_highest_rank_in_them() {
        let mut ranks = Ranks::default();
        assert_eq!(ranks.after(&set([])), 1);
        for (slot, rank) in [(0, 3), (5, 7), (2, 9), (3, 4)] {
            ranks.insert(column(1), Slot(slot), rank);
        }
        ranks.insert(column(2), Slot(0), 5);
        let prefix = |end: u64| {
            let mut prefix = VertexSet::new();
            prefix.fill(column(1), Slot(end));
            prefix
        };
        let found = [1, 2, 3, 6].map(|end| ranks.after(&prefix(end)));
        assert_eq!(found, [4, 4, 10, 10]);
        assert_eq!(ranks.after(&set([vertex(1, 5)])), 8);
        assert_eq!(ranks.after(&set([vertex(1, 3), vertex(2, 0)])), 6);
        assert_eq!(ranks.after(&set([vertex(3, 0)])), 1);
    }

    #[test]
    fn what_is_forgotten_counts_as_the_floor() {
        let mut ranks = Ranks::default();
        for (slot, rank) in [(0, 3), (1, 6), (2, 1), (4, 8)] {
            ranks.insert(column(1), Slot(slot), rank);
        }
        ranks.forget(&set([vertex(1, 0), vertex(1, 1)]), 6);
        assert_eq!(ranks.count(), 2);
        assert_eq!(ranks.after(&set([vertex(1, 0), vertex(1, 2)])), 7);
        assert_eq!(ranks.after(&set([vertex(1, 4)])), 9);
        assert_eq!(ranks.after(&set([])), 1);
    }
}
