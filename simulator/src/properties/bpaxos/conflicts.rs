//! Vertices whose commands conflict: which they are, and whether each pair of them is ordered.
//!
//! A run has tens of thousands of vertices and few keys, so most pairs conflict. Almost all that
//! conflict with a new vertex are below the watermarks of its dependencies, and few depend on vertices
//! that are not there yet; so neither are looked at one by one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bpaxos::vertex::{Column, Vertex, VertexSet};
use paxos::slot::Slot;
use paxos::state_machine::Footprint;
use paxos::wire::Payload;

/// Slots of each column.
type Slots = BTreeMap<Column, BTreeSet<Slot>>;

/// Vertices by what their commands touch.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    /// What the command of each touches, and what it depends on.
    vertices: HashMap<Vertex, (Footprint, VertexSet)>,
    all: Slots,
    readers: HashMap<Payload, Slots>,
    writers: HashMap<Payload, Slots>,
    /// Those that conflict with all.
    total: Slots,
    /// Those that depend on something of a column, by the end (exclusive) of that.
    reaching: BTreeMap<Column, BTreeMap<Slot, Vec<Vertex>>>,
}

impl Ordered {
    /// Adds a vertex. Returns one that conflicts with it although neither depends on the other, and how many
    /// of those that conflict depend on it as it does on them.
    ///
    /// *Cost*: O(vertices that conflict and are above the watermarks of `dependencies`, and those that depend
    /// on later vertices of its column).
    pub(super) fn add(
        &mut self,
        vertex: Vertex,
        footprint: Footprint,
        dependencies: VertexSet,
    ) -> (Option<Vertex>, usize) {
        let unordered = self.unordered(vertex, &footprint, &dependencies);
        let cyclic_count = self.cyclic_count(vertex, &footprint, &dependencies);
        self.insert(vertex, &footprint);
        for (column, slots) in dependencies.columns() {
            let reaching = self.reaching.entry(column).or_default();
            reaching.entry(slots.end()).or_default().push(vertex);
        }
        self.vertices.insert(vertex, (footprint, dependencies));
        (unordered, cyclic_count)
    }

    fn depends(&self, one: Vertex, other: Vertex) -> bool {
        self.vertices.get(&one).is_some_and(|(_, known)| known.contains(other))
    }

    fn unordered(
        &self,
        vertex: Vertex,
        footprint: &Footprint,
        dependencies: &VertexSet,
    ) -> Option<Vertex> {
        self.conflicting(footprint).into_iter().flatten().find_map(|(column, slots)| {
            let named = dependencies.column(*column);
            let above = slots.range(named.map_or(Slot::ZERO, |named| named.watermark())..);
            let mut others = above
                .filter(|slot| named.is_none_or(|named| !named.contains(**slot)))
                .map(|slot| Vertex { column: *column, slot: *slot });
            others.find(|other| !self.depends(*other, vertex))
        })
    }

    /// Vertices that conflict with a command that touches this.
    fn conflicting(&self, footprint: &Footprint) -> Vec<&Slots> {
        match footprint {
            Footprint::Everything => vec![&self.all],
            Footprint::Keys { reads, writes } => {
                let written = reads.iter().chain(writes).filter_map(|key| self.writers.get(key));
                let read = writes.iter().filter_map(|key| self.readers.get(key));
                written.chain(read).chain([&self.total]).collect()
            }
        }
    }

    fn cyclic_count(
        &self,
        vertex: Vertex,
        footprint: &Footprint,
        dependencies: &VertexSet,
    ) -> usize {
        let reaching = self.reaching.get(&vertex.column).into_iter();
        let others =
            reaching.flat_map(|ends| ends.range(vertex.slot.next()..)).flat_map(|end| end.1);
        let is_cyclic = |other: &&Vertex| {
            dependencies.contains(**other)
                && self.vertices.get(*other).is_some_and(|(touched, known)| {
                    known.contains(vertex) && touched.conflicts_with(footprint)
                })
        };
        others.filter(is_cyclic).count()
    }

    fn insert(&mut self, vertex: Vertex, footprint: &Footprint) {
        let Vertex { column, slot } = vertex;
        let add = |slots: &mut Slots| slots.entry(column).or_default().insert(slot);
        add(&mut self.all);
        match footprint {
            Footprint::Everything => {
                add(&mut self.total);
            }
            Footprint::Keys { reads, writes } => {
                for key in reads {
                    add(self.readers.entry(key.clone()).or_default());
                }
                for key in writes {
                    add(self.writers.entry(key.clone()).or_default());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use paxos::actor::{Incarnation, NodeId, Seat};

    use super::*;

    fn vertex(slot: u64) -> Vertex {
        Vertex { column: Column(NodeId::new(Seat(1), Incarnation(1))), slot: Slot(slot) }
    }

    fn on(reads: &[&str], writes: &[&str]) -> Footprint {
        let keys =
            |keys: &[&str]| keys.iter().map(|key| Payload::new(key.as_bytes().to_vec())).collect();
        Footprint::Keys { reads: keys(reads), writes: keys(writes) }
    }

    #[test]
    fn vertices_that_conflict_must_be_ordered() {
        let mut ordered = Ordered::default();
        let after = |slots: &[u64]| slots.iter().map(|slot| vertex(*slot)).collect::<VertexSet>();
        assert_eq!(ordered.add(vertex(0), on(&[], &["a"]), after(&[])), (None, 0));
        assert_eq!(ordered.add(vertex(1), on(&[], &["b"]), after(&[])), (None, 0));
        assert_eq!(ordered.add(vertex(2), on(&["a"], &[]), after(&[0])), (None, 0));
        assert_eq!(ordered.add(vertex(3), on(&["a"], &[]), after(&[0])), (None, 0));
        assert_eq!(ordered.add(vertex(4), on(&[], &["a"]), after(&[0, 2])), (Some(vertex(3)), 0));
        assert_eq!(
            ordered.add(vertex(5), Footprint::Everything, after(&[0, 1, 2, 3, 4])),
            (None, 0)
        );
        assert_eq!(ordered.add(vertex(6), on(&["c"], &[]), after(&[])), (Some(vertex(5)), 0));
        assert_eq!(ordered.add(vertex(7), on(&[], &["d"]), after(&[5, 8])), (None, 0));
        assert_eq!(ordered.add(vertex(8), on(&[], &["d"]), after(&[5, 7])), (None, 1));
    }
}
