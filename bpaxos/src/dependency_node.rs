//! The dependency node: tells which vertices conflict with a new one.
//!
//! f + 1 of 2f + 1 nodes answer for each vertex, and the union of what they say are its dependencies. Two
//! such quorums share a node, and that one heard of one of the two vertices first: so of any two that
//! conflict, one depends on the other. That is all that the service is for. It agrees on nothing, and may
//! name too much.
//!
//! A node must not forget what it has received. It would be slow to write every vertex down; so it
//! reserves blocks of slots, and takes all slots of its last block for received, by a command that
//! conflicts with everything, when it has restarted. For a while commands then depend on vertices that
//! are not used yet. Proposers fill those with nothing when a replica waits for them.
//!
//! *Paper*: Bipartisan Paxos, the dependency service. Recovery by blocks is our own.
//!
//! *Durable*: a watermark above the vertex before the `DependencyB` for it.
//!
//! *Repeat*: computed anew. What is added since are later vertices, which is as good.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::num::NonZeroUsize;

use matchmaker::message::Generation;
use paxos::actor::{Effects, NodeId};
use paxos::mutant::{self, Mutant};
use paxos::slot::Slot;
use paxos::wire::{Decode, Encode};

use crate::column::COLUMNS_MAX;
use crate::conflict::ConflictIndex;
use crate::message::{DependencyA, DependencyB, ToDependencyNode};
use crate::vertex::Column;

/// How far a vertex may be behind the latest one of its column. A proposer has fewer in flight.
const LATE_MAX: u64 = 1 << 16;

/// The limits of a dependency node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DependencyOptions {
    /// How many vertices of each key and column are named one by one; older ones are named by "all
    /// below".
    pub latest_max: NonZeroUsize,
    /// Slots of a column that one record reserves. After a restart commands may depend on as many vertices
    /// of each column that do not exist yet.
    pub block: u64,
}

impl Default for DependencyOptions {
    fn default() -> Self {
        Self { latest_max: NonZeroUsize::MIN.saturating_add(7), block: 128 }
    }
}

/// A durable fact of a dependency node: it may have received vertices of the column below the watermark,
/// and none above.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct DependencyRecord {
    /// Whose vertices.
    pub column: Column,
    /// Exclusive. Never decreases.
    pub watermark: Slot,
}

/// The state of a dependency node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DependencyNode {
    /// The epoch that it serves in, and the nodes that do.
    generation: Generation,
    options: DependencyOptions,
    /// What it has received since it started.
    index: ConflictIndex,
    /// By column: slots below may have been received. Durable; at least what the index has.
    reserved: BTreeMap<Column, Slot>,
}

type Fx = Effects<DependencyB, Infallible, DependencyRecord>;

impl DependencyNode {
    /// A node of `generation` that has received nothing.
    pub fn new(generation: Generation, options: DependencyOptions) -> Self {
        let index = ConflictIndex::new(options.latest_max);
        Self { generation, options, index, reserved: BTreeMap::new() }
    }

    /// Folds one durable record.
    pub fn restore(&mut self, record: DependencyRecord) {
        let reserved = self.reserved.entry(record.column).or_default();
        *reserved = (*reserved).max(record.watermark);
    }

    /// The least list of records with the same fold.
    pub fn checkpoint(&self) -> Vec<DependencyRecord> {
        let record = |(column, watermark): (&Column, &Slot)| DependencyRecord {
            column: *column,
            watermark: *watermark,
        };
        self.reserved.iter().map(record).collect()
    }

    /// Begins to take part: what may have been received before conflicts with everything.
    pub fn on_start(&mut self) {
        if mutant::is_on(Mutant::DependencyNodeForgets) {
            return;
        }
        for (column, watermark) in &self.reserved {
            self.index.fill(*column, *watermark);
        }
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: ToDependencyNode, fx: &mut Fx) {
        match message {
            ToDependencyNode::DependencyA(m) => self.on_dependency_a(from, m, fx),
        }
    }

    fn on_dependency_a(&mut self, from: NodeId, m: DependencyA, fx: &mut Fx) {
        if m.epoch != self.generation.epoch {
            return;
        }
        let Column(owner) = m.vertex.column;
        if owner != from {
            return fx.violation("B1 one owner", format!("{from} allocates {}", m.vertex));
        }
        // A question that was forgotten long ago: the slot holds something by now.
        if m.vertex.slot.until(self.index.end(m.vertex.column)) > LATE_MAX {
            return;
        }
        let known = self.reserved.get(&m.vertex.column).copied();
        if known.is_none() && self.reserved.len() >= COLUMNS_MAX {
            return;
        }
        if known.is_none_or(|watermark| watermark <= m.vertex.slot) {
            let watermark = m.vertex.slot.plus(self.options.block.max(1));
            let record = DependencyRecord { column: m.vertex.column, watermark };
            fx.record(record.clone());
            self.restore(record);
        }
        let dependencies = self.index.add(m.vertex, &m.footprint);
        assert!(!dependencies.contains(m.vertex), "{} depends on itself", m.vertex);
        fx.send(from, DependencyB { epoch: m.epoch, vertex: m.vertex, dependencies });
    }
}

#[cfg(test)]
mod tests {
    use matchmaker::message::Epoch;
    use paxos::actor::{Incarnation, Seat};
    use paxos::state_machine::Footprint;
    use paxos::wire::Payload;

    use super::*;
    use crate::vertex::{Vertex, VertexSet};

    const fn node(seat: u32) -> NodeId {
        NodeId::new(Seat(seat), Incarnation(1))
    }

    const fn vertex(seat: u32, slot: u64) -> Vertex {
        Vertex { column: Column(node(seat)), slot: Slot(slot) }
    }

    fn fresh() -> DependencyNode {
        let generation = Generation { epoch: Epoch(0), members: [node(9)].into() };
        let options = DependencyOptions { block: 10, ..DependencyOptions::default() };
        DependencyNode::new(generation, options)
    }

    fn ask(service: &mut DependencyNode, vertex: Vertex) -> Fx {
        let writes = [Payload::new(&b"key"[..])].into();
        let footprint = Footprint::Keys { reads: [].into(), writes };
        let m = DependencyA { epoch: Epoch(0), vertex, footprint };
        let mut fx = Fx::new();
        service.on_message(vertex.column.0, ToDependencyNode::DependencyA(m), &mut fx);
        fx
    }

    fn reply(vertex: Vertex, records: Vec<DependencyRecord>, dependencies: VertexSet) -> Fx {
        let mut fx = Fx::new();
        fx.records = records;
        fx.send(vertex.column.0, DependencyB { epoch: Epoch(0), vertex, dependencies });
        fx
    }

    fn reserved(seat: u32, watermark: u64) -> DependencyRecord {
        DependencyRecord { column: Column(node(seat)), watermark: Slot(watermark) }
    }

    #[test]
    fn a_block_is_durable_before_the_first_reply_in_it() {
        let mut service = fresh();
        let first = ask(&mut service, vertex(1, 0));
        assert_eq!(first, reply(vertex(1, 0), vec![reserved(1, 10)], VertexSet::new()));
        let known: VertexSet = [vertex(1, 0)].into_iter().collect();
        assert_eq!(ask(&mut service, vertex(1, 9)), reply(vertex(1, 9), vec![], known.clone()));
        let other = ask(&mut service, vertex(2, 3)).records;
        assert_eq!(other, [reserved(2, 13)]);
        assert_eq!(ask(&mut service, vertex(1, 10)).records, [reserved(1, 20)]);
    }

    #[test]
    fn after_a_restart_all_that_may_have_been_received_conflicts() {
        let mut service = fresh();
        ask(&mut service, vertex(1, 0));
        let mut restarted = fresh();
        service.checkpoint().into_iter().for_each(|record| restarted.restore(record));
        assert_eq!(restarted.checkpoint(), service.checkpoint());
        restarted.on_start();
        let mut expected = VertexSet::new();
        expected.fill(Column(node(1)), Slot(10));
        let later = ask(&mut restarted, vertex(2, 0));
        assert_eq!(later, reply(vertex(2, 0), vec![reserved(2, 10)], expected.clone()));
        expected.insert(vertex(2, 0));
        expected.remove(vertex(1, 4));
        assert_eq!(ask(&mut restarted, vertex(1, 4)), reply(vertex(1, 4), vec![], expected));
    }

    #[test]
    fn another_epoch_is_not_answered_nor_one_who_asks_for_another_column() {
        let mut service = fresh();
        let m = |epoch| {
            let footprint = Footprint::empty();
            let m = DependencyA { epoch: Epoch(epoch), vertex: vertex(1, 0), footprint };
            ToDependencyNode::DependencyA(m)
        };
        let mut fx = Fx::new();
        service.on_message(node(1), m(1), &mut fx);
        assert!(fx.is_empty());
        service.on_message(node(2), m(0), &mut fx);
        assert!(fx.sends.is_empty() && !fx.violations.is_empty());
    }
}
