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
//! Nodes serve in *epochs*. One that is told to stop answers no question of its epoch any more, and is a
//! Paxos acceptor instead, of the decree on who comes after and what they begin with
//! (`message/handover.rs`).
//!
//! *Paper*: Bipartisan Paxos, the dependency service. Recovery by blocks and epochs are our own.
//!
//! *Durable*: a watermark above the vertex before the `DependencyB` for it; that it has stopped before
//! `FreezeB`; promise and vote before `DecreeB`; how its epoch began before `BeginB` and its first answer.
//!
//! *Repeat*: computed anew. What is added since are later vertices, which is as good.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::num::NonZeroUsize;

use matchmaker::message::{Epoch, Generation};
use paxos::acceptor::{Acceptor, AcceptorRecord};
use paxos::actor::{Effects, NodeId};
use paxos::message::ToAcceptor;
use paxos::mutant::{self, Mutant};
use paxos::slot::Slot;
use paxos::wire::{Decode, Encode, Frame};

use crate::column::COLUMNS_MAX;
use crate::conflict::ConflictIndex;
use crate::message::{
    BeginA, BeginB, Behind, DecreeA, DecreeB, DependencyA, DependencyB, FreezeA, FreezeB, Frozen,
    Message, ReachB, Succeeded, Successor, ToDependencyNode,
};
use crate::vertex::{Column, VertexSet};

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
    /// Uses of keys by columns that are remembered, at least; from twice as many on, those that were
    /// chosen are let go of.
    pub uses_max: usize,
}

impl Default for DependencyOptions {
    fn default() -> Self {
        let latest_max = NonZeroUsize::MIN.saturating_add(7);
        Self { latest_max, block: 128, uses_max: 1 << 16 }
    }
}

/// A durable fact of a dependency node. Each is about the epoch that the facts before it speak of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub enum DependencyRecord {
    /// It may have received vertices of the column below the watermark, and none above.
    Received(Column, Slot),
    /// It answers no question of this epoch from now on.
    Frozen(Epoch),
    /// A promise or vote in the decree on what comes after this epoch.
    Decree(AcceptorRecord),
    /// This epoch has begun like that, with or without this node.
    Begun(Successor),
}

/// What a node does in the newest epoch that it knows of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Mode {
    /// It does not serve.
    Outside,
    /// It answers.
    Serving,
    /// It answers no more, and votes on the successor.
    Stopped(Box<Acceptor>),
}

/// The state of a dependency node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DependencyNode {
    /// This actor.
    node: NodeId,
    options: DependencyOptions,
    /// The newest epoch that it knows of, and how that began. Durable but for the founding one.
    origin: Successor,
    /// What it does in that. Durable.
    mode: Mode,
    /// What it has received since it started.
    index: ConflictIndex,
    /// By column: slots below may have been received in this epoch. Durable; at least what the index has.
    reserved: BTreeMap<Column, Slot>,
}

type Fx = Effects<Message, Infallible, DependencyRecord>;

impl DependencyNode {
    /// The actor at `node`, in a cluster that is founded with the dependency service `generation`.
    pub fn new(node: NodeId, generation: Generation, options: DependencyOptions) -> Self {
        let is_member = generation.members.contains(&node);
        let mode = if is_member { Mode::Serving } else { Mode::Outside };
        let index = ConflictIndex::new(options.latest_max, options.uses_max);
        let origin = Successor { generation, previous: [].into(), base: VertexSet::new() };
        Self { node, options, origin, mode, index, reserved: BTreeMap::new() }
    }

    /// The newest epoch that it knows of, and who serves in it.
    pub fn generation(&self) -> &Generation {
        &self.origin.generation
    }

    /// Uses of keys by columns that it remembers.
    pub fn use_count(&self) -> usize {
        self.index.use_count()
    }

    /// Folds one durable record.
    pub fn restore(&mut self, record: DependencyRecord) {
        match record {
            DependencyRecord::Received(column, watermark) => {
                let reserved = self.reserved.entry(column).or_default();
                *reserved = (*reserved).max(watermark);
            }
            DependencyRecord::Frozen(_) if matches!(self.mode, Mode::Stopped(_)) => {}
            DependencyRecord::Frozen(_) => self.mode = Mode::Stopped(Box::default()),
            DependencyRecord::Decree(record) => {
                if let Mode::Stopped(acceptor) = &mut self.mode {
                    acceptor.restore(record);
                }
            }
            // Repeated by a checkpoint, of which a crash may have kept no more than this.
            DependencyRecord::Begun(successor)
                if successor.generation.epoch <= self.origin.generation.epoch
                    && !mutant::is_on(Mutant::EpochBeginsAnew) => {}
            DependencyRecord::Begun(successor) => {
                let is_member = successor.generation.members.contains(&self.node);
                self.mode = if is_member { Mode::Serving } else { Mode::Outside };
                self.index = ConflictIndex::new(self.options.latest_max, self.options.uses_max);
                let is_lost = mutant::is_on(Mutant::EpochBeginsEmpty);
                for (column, slots) in successor.base.columns().filter(|_| !is_lost) {
                    self.index.fill(column, slots.end());
                }
                self.reserved.clear();
                self.origin = successor;
            }
        }
    }

    /// The least list of records with the same fold.
    pub fn checkpoint(&self) -> Vec<DependencyRecord> {
        let is_founding = self.origin.previous.is_empty();
        let begun = (!is_founding).then(|| DependencyRecord::Begun(self.origin.clone()));
        let received = self.reserved.iter();
        let received =
            received.map(|(column, watermark)| DependencyRecord::Received(*column, *watermark));
        let mut records: Vec<DependencyRecord> = begun.into_iter().chain(received).collect();
        if let Mode::Stopped(acceptor) = &self.mode {
            records.push(DependencyRecord::Frozen(self.origin.generation.epoch));
            records.extend(acceptor.checkpoint().into_iter().map(DependencyRecord::Decree));
        }
        records
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
            ToDependencyNode::DependencyA(m) if self.is_present(from, m.epoch, fx) => {
                self.on_dependency_a(from, m, fx);
            }
            ToDependencyNode::ReachA(m) => fx.send(from, ReachB { epoch: m.epoch }),
            ToDependencyNode::FreezeA(m) if self.is_present(from, m.epoch, fx) => {
                self.on_freeze_a(from, m, fx);
            }
            ToDependencyNode::DecreeA(m) if self.is_present(from, m.epoch, fx) => {
                self.on_decree_a(from, m, fx);
            }
            ToDependencyNode::BeginA(m) => self.on_begin_a(from, m, fx),
            // Of another epoch.
            ToDependencyNode::DependencyA(_)
            | ToDependencyNode::FreezeA(_)
            | ToDependencyNode::DecreeA(_) => {}
        }
    }

    /// Whether `epoch` is the present one. Who asks in an earlier one is sent on, and who asks in a later
    /// one has to tell how that has begun.
    fn is_present(&self, from: NodeId, epoch: Epoch, fx: &mut Fx) -> bool {
        let present = self.origin.generation.epoch;
        if epoch < present {
            fx.send(from, Succeeded { successor: self.origin.clone() });
        }
        if epoch > present {
            fx.send(from, Behind { epoch });
        }
        epoch == present
    }

    fn on_dependency_a(&mut self, from: NodeId, m: DependencyA, fx: &mut Fx) {
        match &self.mode {
            Mode::Serving => {}
            Mode::Outside => return,
            Mode::Stopped(_) if mutant::is_on(Mutant::FrozenStillAnswers) => {}
            Mode::Stopped(_) => return fx.send(from, Frozen { epoch: m.epoch }),
        }
        let Column(owner) = m.vertex.column;
        if owner != from {
            return fx.violation("B1 one owner", format!("{from} allocates {}", m.vertex));
        }
        if m.chosen > m.vertex.slot {
            return fx.violation("B4 values", format!("{} is chosen before it is asked", m.vertex));
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
            self.write(DependencyRecord::Received(m.vertex.column, watermark), fx);
        }
        self.index.learn_chosen(m.vertex.column, m.chosen);
        let dependencies = self.index.add(m.vertex, &m.footprint);
        assert!(!dependencies.contains(m.vertex), "{} depends on itself", m.vertex);
        fx.send(from, DependencyB { epoch: m.epoch, vertex: m.vertex, dependencies });
    }

    /// Stops, and tells what it has received.
    ///
    /// *Repeat*: told again; after a restart it may be more, which is as good.
    fn on_freeze_a(&mut self, from: NodeId, m: FreezeA, fx: &mut Fx) {
        match self.mode {
            Mode::Outside => return,
            Mode::Serving => self.write(DependencyRecord::Frozen(m.epoch), fx),
            Mode::Stopped(_) => {}
        }
        fx.send(from, FreezeB { epoch: m.epoch, received: self.index.ends() });
    }

    /// Votes on the successor, once it has stopped.
    fn on_decree_a(&mut self, from: NodeId, m: DecreeA, fx: &mut Fx) {
        let Mode::Stopped(acceptor) = &mut self.mode else { return };
        if matches!(m.message, ToAcceptor::PersistedA(_)) {
            return fx.violation("decree acceptors", format!("{from} wants votes dropped"));
        }
        let mut inner = Effects::<_, Infallible, AcceptorRecord>::new();
        acceptor.on_message(from, m.message, &mut inner);
        inner.records.into_iter().for_each(|record| fx.record(DependencyRecord::Decree(record)));
        for (to, message) in inner.sends {
            fx.send(to, DecreeB { epoch: m.epoch, message });
        }
        fx.violations.extend(inner.violations);
    }

    /// Goes on in a later epoch.
    fn on_begin_a(&mut self, from: NodeId, m: BeginA, fx: &mut Fx) {
        let epoch = m.successor.generation.epoch;
        if epoch > self.origin.generation.epoch {
            self.write(DependencyRecord::Begun(m.successor), fx);
        }
        fx.send(from, BeginB { epoch });
    }

    fn write(&mut self, record: DependencyRecord, fx: &mut Fx) {
        fx.record(record.clone());
        self.restore(record);
    }
}

#[cfg(test)]
mod tests;
