//! Vertices whose commands conflict: which they are, and whether each pair of them is ordered.

use std::collections::BTreeMap;

use bpaxos::vertex::{Vertex, VertexSet};
use paxos::state_machine::Footprint;
use paxos::wire::Payload;

/// Vertices by what their commands touch.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    dependencies: BTreeMap<Vertex, VertexSet>,
    readers: BTreeMap<Payload, Vec<Vertex>>,
    writers: BTreeMap<Payload, Vec<Vertex>>,
    /// Those that conflict with all.
    total: Vec<Vertex>,
}

impl Ordered {
    /// Adds a vertex. Returns one that conflicts with it although neither depends on the other, and how many
    /// of those that conflict depend on it as it does on them.
    ///
    /// *Cost*: O(vertices that conflict).
    pub(super) fn add(
        &mut self,
        vertex: Vertex,
        footprint: Footprint,
        dependencies: VertexSet,
    ) -> (Option<Vertex>, usize) {
        let ends = |other: &Vertex| {
            let known = self.dependencies.get(other);
            let is_before = known.is_some_and(|known| known.contains(vertex));
            (dependencies.contains(*other), is_before)
        };
        let of = |keys: &BTreeMap<Payload, Vec<Vertex>>, key| {
            keys.get(key).map(Vec::as_slice).unwrap_or_default().to_vec()
        };
        let conflicting: Vec<Vertex> = match &footprint {
            Footprint::Everything => self.dependencies.keys().copied().collect(),
            Footprint::Keys { reads, writes } => {
                let read = reads.iter().flat_map(|key| of(&self.writers, key));
                let written = writes
                    .iter()
                    .flat_map(|key| [of(&self.writers, key), of(&self.readers, key)].concat());
                read.chain(written).chain(self.total.iter().copied()).collect()
            }
        };
        let unordered = conflicting.iter().find(|other| ends(other) == (false, false)).copied();
        let cyclic_count = conflicting.iter().filter(|other| ends(other) == (true, true)).count();
        self.insert(vertex, footprint);
        self.dependencies.insert(vertex, dependencies);
        (unordered, cyclic_count)
    }

    fn insert(&mut self, vertex: Vertex, footprint: Footprint) {
        match footprint {
            Footprint::Everything => self.total.push(vertex),
            Footprint::Keys { reads, writes } => {
                for key in reads {
                    self.readers.entry(key).or_default().push(vertex);
                }
                for key in writes {
                    self.writers.entry(key).or_default().push(vertex);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bpaxos::vertex::Column;
    use paxos::actor::{Incarnation, NodeId, Seat};
    use paxos::slot::Slot;

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
