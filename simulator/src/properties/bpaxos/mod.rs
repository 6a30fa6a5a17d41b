//! What must be true of every run of BPaxos, one file for each property.
//!
//! The log of each column is judged by the properties of Matchmaker MultiPaxos as well.

mod closure;
mod columns;
mod conflicts;
mod consensus;
mod dependencies;
mod itself;
mod ledger;
mod linearizability;
mod once;
mod order;
mod persisted;
mod positions;
mod service;
mod sights;
mod snapshot_truth;
mod values;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bpaxos::column::InColumn;
use bpaxos::command::Proposal;
use bpaxos::message::{Message, ToArchive, ToProposer, ToReplica};
use bpaxos::node::NodeRecord;
use bpaxos::vertex::{Column, Vertex, VertexSet};
use matchmaker::message::{Epoch, Message as ConsensusMessage};
use paxos::actor::NodeId;
use paxos::command::Value;
use paxos::message::{ToAcceptor, ToReplica as ToLogReplica};
use paxos::slot::Slot;
use paxos::state_machine::{Conflicts, Footprint};

use super::{Property, Verdict, fail};
use crate::coverage::Situation;
use crate::plan::{Places, Plan, Role};
use crate::properties::Calls;
use crate::workload::{Applied, Observed, Request, Workload};

pub use super::fold::check_column_fold;
pub use linearizability::check_history;

/// Where a command stood: the rank of its component, and its number in that.
type Place = (Slot, u32);

/// The properties that only BPaxos has, in the order of the catalogue.
pub const ALL: [Property; 12] = [
    consensus::PROPERTY,
    dependencies::PROPERTY,
    service::PROPERTY,
    values::PROPERTY,
    order::PROPERTY,
    closure::PROPERTY,
    once::PROPERTY,
    persisted::PROPERTY,
    snapshot_truth::PROPERTY,
    itself::PROPERTY,
    linearizability::PROPERTY,
    positions::PROPERTY,
];

/// What is true, as opposed to what actors believe.
#[derive(Debug)]
pub struct Judge {
    places: Places,
    /// Archives of the founding.
    archive_count: usize,
    /// The log of each column.
    logs: columns::Logs,
    /// The value of each vertex that somebody has told or kept as chosen.
    chosen: BTreeMap<Vertex, (Value, Option<Proposal>)>,
    /// What was proposed in each vertex that is not nothing.
    proposed: BTreeMap<Vertex, Value>,
    /// What dependency nodes have said of vertices that have nothing proposed, by epoch.
    replies: BTreeMap<Vertex, BTreeMap<Epoch, values::Replies>>,
    /// The dependency nodes of each epoch.
    services: BTreeMap<Epoch, BTreeSet<NodeId>>,
    /// Vertices that are chosen.
    ordered: conflicts::Ordered,
    /// Vertices that were proposed.
    computed: conflicts::Ordered,
    /// What each replica has executed.
    executed: Vec<VertexSet>,
    /// In which order.
    orders: Vec<order::Executed>,
    order: order::Order,
    /// Calls that some replica has executed, and those that were told never to be.
    tokens: HashSet<u64>,
    refused: HashSet<u64>,
    /// Snapshots on their way, and those that were whole.
    chunks: BTreeMap<(NodeId, Slot), snapshot_truth::Chunks>,
    snapshots: BTreeMap<Slot, snapshot_truth::Contents>,
    /// What each node has durably said of itself.
    durable: BTreeMap<NodeId, ledger::Durable>,
    /// What was met.
    sights: sights::Sights,
}

impl Judge {
    /// Nothing has happened yet.
    pub fn new(plan: &Plan, places: &Places) -> Self {
        let (count, service) = (places.process_count(), places.first_service());
        Self {
            places: places.clone(),
            archive_count: places.every(Role::Archive).len(),
            logs: columns::Logs::new(places, plan.options.leader.pipeline_max),
            chosen: BTreeMap::new(),
            proposed: BTreeMap::new(),
            replies: BTreeMap::new(),
            services: [(service.epoch, service.members)].into(),
            ordered: conflicts::Ordered::default(),
            computed: conflicts::Ordered::default(),
            executed: vec![VertexSet::new(); count],
            orders: (0..count).map(|_| order::Executed::default()).collect(),
            order: order::Order::default(),
            tokens: HashSet::new(),
            refused: HashSet::new(),
            chunks: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            durable: BTreeMap::new(),
            sights: sights::Sights::new(count),
        }
    }

    /// A record became durable.
    pub fn on_durable(&mut self, node: NodeId, record: &NodeRecord) -> Verdict {
        self.note_durable(node, record);
        if let NodeRecord::DependencyNode(bpaxos::dependency_node::DependencyRecord::Begun(m)) =
            record
        {
            let generation = &m.generation;
            self.services.entry(generation.epoch).or_insert_with(|| generation.members.clone());
        }
        self.logs.on_durable(node, record)
    }

    /// A message leaves its sender. Commands are those of `S`.
    pub fn on_leave<S: Conflicts>(
        &mut self,
        from: NodeId,
        to: NodeId,
        message: &Message,
    ) -> Verdict {
        self.check_ledger(from, message)?;
        self.see(from, to, message);
        match message {
            Message::Column(InColumn { column, inner }) => {
                self.on_leave_log::<S>(*column, inner)?;
                self.logs.on_leave(*column, (from, to), inner)
            }
            Message::Proposer(ToProposer::DependencyB(m)) => {
                self.note_reply(from, m);
                itself::check_itself(m)
            }
            Message::Archive(ToArchive::Keep(m)) => self.note_chunk(from, &m.chunk),
            Message::Replica(ToReplica::SnapshotB(m)) => self.note_chunk(from, &m.chunk),
            _ => Ok(()),
        }
    }

    fn on_leave_log<S: Conflicts>(&mut self, column: Column, m: &ConsensusMessage) -> Verdict {
        match m {
            ConsensusMessage::Acceptor(ToAcceptor::Phase2A(m)) if m.value != Value::Noop => {
                let vertex = Vertex { column, slot: m.slot };
                match self.propose(vertex, &m.value)? {
                    Some(proposal) => self.check_computed::<S>(vertex, &proposal),
                    None => Ok(()),
                }
            }
            ConsensusMessage::Replica(ToLogReplica::Chosen(m)) => {
                self.on_chosen::<S>(Vertex { column, slot: m.slot }, &m.value)
            }
            ConsensusMessage::Replica(ToLogReplica::FetchB(m)) => {
                for (slot, value) in (m.first.0..).map(Slot).zip(&m.values) {
                    self.on_chosen::<S>(Vertex { column, slot }, value)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn on_chosen<S: Conflicts>(&mut self, vertex: Vertex, value: &Value) -> Verdict {
        match self.learn(vertex, value)? {
            Some(Some(proposal)) => self.check_chosen_dependencies::<S>(vertex, &proposal),
            Some(None) => {
                self.meet_if(self.replies.contains_key(&vertex), Situation::NoopOverCommand);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A replica has executed the vertices `executed`, and applied the commands that `observed` tells of.
    pub fn on_executed<W: Workload<Machine: Conflicts>>(
        &mut self,
        replica: usize,
        (observed, executed): (&Observed<W::Machine>, &VertexSet),
        calls: &Calls,
    ) -> Verdict {
        if self.orders[replica].installed != observed.installed {
            let installed = observed.installed;
            self.orders[replica] = order::Executed::after(installed);
        }
        let known = self.orders[replica].tokens.len();
        for (index, entry) in observed.applied.iter().enumerate().skip(known) {
            let has_place = index >= observed.installed_count();
            self.check_applied::<W>(replica, *entry, has_place, calls)?;
        }
        self.check_closure(replica, executed)
    }

    fn check_applied<W: Workload<Machine: Conflicts>>(
        &mut self,
        replica: usize,
        (slot, index, token): Applied,
        has_place: bool,
        calls: &Calls,
    ) -> Verdict {
        let footprint = calls
            .request(token)
            .map_or(Footprint::empty(), |request: &Request| W::Machine::footprint(request.bytes()));
        self.check_once(replica, token)?;
        self.check_order(replica, token, &footprint)?;
        if has_place {
            self.check_place((replica, token), &footprint, (slot, index))
        } else {
            Ok(())
        }
    }

    /// A replica starts with nothing.
    pub fn restart(&mut self, replica: usize) {
        self.orders[replica] = order::Executed::default();
        self.sights.restart(replica);
        self.forget_executed(replica);
    }

    /// A leader tells an acceptor what is persisted: B8.
    pub fn on_persisted(
        &self,
        (from, column): (NodeId, Column),
        watermark: Slot,
        durable: &[Slot],
    ) -> Verdict {
        self.check_persisted((from, column), watermark, durable)
    }

    /// Vertices that are known to be chosen.
    pub fn chosen_count(&self) -> usize {
        self.chosen.len()
    }

    /// Commands that some replica has executed.
    pub fn executed_count(&self) -> usize {
        self.tokens.len()
    }

    /// Rounds of columns for which a collection began.
    pub fn collection_count(&self) -> usize {
        self.logs.collection_count()
    }

    /// The newest epoch of the dependency service that a node of it has begun, and its nodes.
    pub fn newest_service(&self) -> Option<(&Epoch, &BTreeSet<NodeId>)> {
        self.services.last_key_value()
    }
}
