//! What is true of a run of BPaxos: what dependency nodes said, what was proposed and chosen in each vertex,
//! and what replicas have executed.
//!
//! Each column is a log, and what is true of it is what is true of a log ([`Truth`]).
//! Properties have the names of `docs/invariants.md`.

use std::collections::{BTreeMap, BTreeSet};

use bpaxos::command::Proposal;
use bpaxos::invariants::{self, ChosenVertices};
use bpaxos::message::{Message, ToProposer, ToSession};
use bpaxos::node::NodeRecord;
use bpaxos::vertex::{Column, Vertex, VertexSet};
use matchmaker::message::{Epoch, Generation, Message as ColumnMessage};
use matchmaker::node::NodeRecord as ColumnRecord;
use paxos::actor::NodeId;
use paxos::command::{SessionId, Value};
use paxos::message::ToArchive as ToColumnArchive;
use paxos::slot::Slot;
use paxos::wire::Payload;

use super::cast::Player;
use super::journal::Journal;
use crate::ghost::{Fact, Truth};
use crate::hashed::Hashed;
use crate::lift::Ghost;

/// Something that counts.
#[derive(Clone, Debug, Hash)]
pub enum GraphFact {
    /// In the log of a column.
    Column(Column, Fact),
    /// A dependency node has said what a vertex depends on.
    Answered(NodeId, Epoch, Vertex, VertexSet),
    /// A replica has learned a vertex, and all before it in its column.
    Learned(NodeId, Vertex),
    /// A replica has executed a command, with this reply.
    Executed(NodeId, SessionId, u64, Payload),
}

/// What dependency nodes have said of a vertex: each in each epoch, once or more often.
type Answers = BTreeMap<(Epoch, NodeId), BTreeSet<VertexSet>>;

/// The truth.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GraphTruth {
    /// What each column begins with.
    founding: Generation,
    /// How many answers of one epoch make dependencies.
    quorum: usize,
    /// Of each column.
    pub columns: BTreeMap<Column, Truth>,
    /// Of vertices without a proposal.
    answers: BTreeMap<Vertex, Answers>,
    /// The commands that were proposed.
    pub proposed: BTreeMap<Vertex, Hashed<Value>>,
    /// What is chosen, nothing being a noop.
    pub chosen: Hashed<ChosenVertices>,
    /// How far each replica has learned each column.
    pub learned: BTreeMap<(NodeId, Column), Slot>,
    /// What each replica has said to each command.
    pub replies: BTreeMap<(NodeId, SessionId, u64), Payload>,
    /// Properties that are broken.
    broken: BTreeSet<&'static str>,
}

impl GraphTruth {
    /// Of a cluster whose columns have these matchmakers, and whose dependency service has such quorums.
    pub fn new(founding: Generation, quorum: usize) -> Self {
        Self {
            founding,
            quorum,
            columns: BTreeMap::new(),
            answers: BTreeMap::new(),
            proposed: BTreeMap::new(),
            chosen: Hashed::new(ChosenVertices::new()),
            learned: BTreeMap::new(),
            replies: BTreeMap::new(),
            broken: BTreeSet::new(),
        }
    }

    /// Whether the property that `name` begins with holds, here and in each column.
    pub fn holds(&self, name: &str) -> bool {
        self.broken.iter().all(|broken| !broken.starts_with(name))
            && self.columns.values().all(|truth| truth.holds(name))
    }

    fn find_chosen(&self) -> ChosenVertices {
        let columns = self.columns.iter();
        let chosen = columns.flat_map(|(column, truth)| {
            truth.votes.chosen().map(|(slot, _, value)| (Vertex { column: *column, slot }, value))
        });
        // What is no proposal was found out when it was proposed.
        chosen.map(|(vertex, value)| (vertex, Proposal::of_value(value).ok().flatten())).collect()
    }

    fn expect(&mut self, holds: bool, name: &'static str) {
        if !holds {
            self.broken.insert(name);
        }
    }

    /// B3, B4 and B10: a command is proposed with the union of what enough nodes have said, and never another
    /// one in its place.
    fn propose(&mut self, vertex: Vertex, value: &Hashed<Value>) {
        let known = self.proposed.get(&vertex);
        if **value == Value::Noop || known == Some(value) {
            return;
        }
        let is_only = known.is_none();
        self.expect(is_only, "B4 values");
        let Ok(Some(proposal)) = Proposal::of_value(value) else {
            return self.expect(false, "B4 values");
        };
        let answers = self.answers.remove(&vertex).unwrap_or_default();
        let epochs: BTreeSet<Epoch> = answers.keys().map(|(epoch, _)| *epoch).collect();
        let is_computed = epochs.into_iter().any(|epoch| {
            let of_epoch = answers.iter().filter(|((other, _), _)| *other == epoch);
            is_union(&proposal.dependencies, of_epoch.map(|(_, sets)| sets), self.quorum)
        });
        self.expect(is_computed || !is_only, "B4 values");
        self.expect(!proposal.dependencies.contains(vertex), "B10 no loop");
        self.proposed.insert(vertex, value.clone());
        let proposed = self.proposed.iter();
        let proposed = proposed
            .map(|(vertex, value)| (*vertex, Proposal::of_value(value).ok().flatten()))
            .collect();
        let is_ordered = invariants::dependency_defect::<Journal>(&proposed).is_none();
        self.expect(is_ordered, "B3 dependency service");
    }

    /// B5 and B7: the same reply as everywhere, and as before.
    fn execute(&mut self, node: NodeId, session: SessionId, number: u64, reply: &Payload) {
        let known = self.replies.entry((node, session, number)).or_insert_with(|| reply.clone());
        let is_once = known == reply;
        self.expect(is_once, "B7 executed once");
        let others = self.replies.iter();
        let mut others =
            others.filter(|((_, other, count), _)| (*other, *count) == (session, number));
        let is_same = others.all(|(_, other)| other == reply);
        self.expect(is_same || !is_once, "B5 order");
    }

    fn judge_column(&mut self, column: Column, fact: &Fact) {
        if let Fact::Proposed(slot, _, value) = fact {
            self.propose(Vertex { column, slot: *slot }, value);
        }
        let founding = &self.founding;
        let truth = self.columns.entry(column).or_insert_with(|| Truth::new(founding.clone()));
        truth.judge(fact);
        if matches!(fact, Fact::Voted(..)) {
            self.chosen = Hashed::new(self.find_chosen());
            let is_ordered = invariants::dependency_defect::<Journal>(&self.chosen).is_none();
            self.expect(is_ordered, "B2 dependency invariant");
        }
    }
}

/// Whether `dependencies` is the union of what `quorum` nodes or more have said.
fn is_union<'a>(
    dependencies: &VertexSet,
    answers: impl Iterator<Item = &'a BTreeSet<VertexSet>>,
    quorum: usize,
) -> bool {
    let (mut union, mut count) = (VertexSet::new(), 0);
    for sets in answers {
        let is_part = |set: &&VertexSet| set.first_missing(None, dependencies).is_none();
        let parts: Vec<&VertexSet> = sets.iter().filter(is_part).collect();
        count += usize::from(!parts.is_empty());
        parts.into_iter().for_each(|part| union.union(part));
    }
    count >= quorum && dependencies.first_missing(None, &union).is_none()
}

impl Ghost<Player> for GraphTruth {
    type Fact = GraphFact;

    fn recorded(node: NodeId, record: &NodeRecord) -> Option<GraphFact> {
        let (column, record) = match record.clone() {
            NodeRecord::Acceptor(record) => (record.column, ColumnRecord::Acceptor(record.inner)),
            NodeRecord::Matchmaker(record) => {
                (record.column, ColumnRecord::Matchmaker(record.inner))
            }
            _ => return None,
        };
        Some(GraphFact::Column(column, Fact::of_record(node, &record)?))
    }

    fn sent(from: NodeId, _: NodeId, message: &Message) -> Option<GraphFact> {
        Some(match message {
            Message::Column(m) => match &m.inner {
                ColumnMessage::Archive(ToColumnArchive::Store(store)) => {
                    GraphFact::Learned(from, Vertex { column: m.column, slot: store.slot })
                }
                inner => GraphFact::Column(m.column, Fact::of_message(from, inner)?),
            },
            Message::Proposer(ToProposer::DependencyB(m)) => {
                GraphFact::Answered(from, m.epoch, m.vertex, m.dependencies.clone())
            }
            Message::Session(ToSession::Executed(m)) => {
                GraphFact::Executed(from, m.session, m.number, m.reply.clone())
            }
            _ => return None,
        })
    }

    fn take(&mut self, fact: &GraphFact) {
        match fact {
            GraphFact::Column(column, fact) => self.judge_column(*column, fact),
            GraphFact::Answered(node, epoch, vertex, dependencies) => {
                if !self.proposed.contains_key(vertex) {
                    let answers = self.answers.entry(*vertex).or_default();
                    let sets = answers.entry((*epoch, *node)).or_default();
                    sets.insert(dependencies.clone());
                }
            }
            GraphFact::Learned(node, vertex) => {
                self.learned.insert((*node, vertex.column), vertex.slot.next());
            }
            GraphFact::Executed(node, session, number, reply) => {
                self.execute(*node, *session, *number, reply);
            }
        }
    }
}
