//! What is true of a run: who voted for what, what was proposed, and which configuration a round has.
//!
//! The judge sees records when they become durable and messages when they leave, and keeps its own
//! books. Properties have the names of `docs/invariants.md`; each is judged when a fact arrives that
//! could break it, and stays broken.

mod registry;
mod votes;

use std::collections::{BTreeMap, BTreeSet};

use matchmaker::matchmaker::MatchmakerRecord;
use matchmaker::message::{
    DecreeA, Epoch, FromMatchmaker, Generation, Message, Progress, Successor, ToApplication,
    ToMatchmaker, ToProposer,
};
use matchmaker::node::NodeRecord;
use paxos::acceptor::AcceptorRecord;
use paxos::actor::{Actor, NodeId};
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::message::{ToAcceptor, ToReplica};
use paxos::round::Round;
use paxos::slot::Slot;

use crate::cast::CastRecord;
use crate::hashed::Hashed;
use crate::lift::Ghost;
use registry::Registry;
use votes::Votes;

/// Something that counts.
#[derive(Clone, Debug, Hash)]
pub enum Fact {
    /// A configuration was asked to be registered for a round.
    Asked(Round, Hashed<Configuration>),
    /// Phase 1 of a round has begun.
    Phase1(Round),
    /// A value was proposed.
    Proposed(Slot, Round, Hashed<Value>),
    /// A promise became durable.
    Promised(NodeId, Round),
    /// A vote became durable.
    Voted(NodeId, Slot, Round, Hashed<Value>),
    /// An acceptor knows that slots below are persisted.
    Persisted(NodeId, Slot),
    /// A value was told as chosen.
    Told(Slot, Hashed<Value>),
    /// A matchmaker registered a round.
    Registered(NodeId, Round),
    /// A matchmaker answered for a round, and showed these from the watermark on.
    Matched(NodeId, Epoch, Round, Round, BTreeSet<Round>),
    /// Lower rounds were asked to be forgotten.
    Garbage(Round),
    /// A matchmaker forgot lower rounds.
    Collected(NodeId, Round),
    /// A matchmaker told that it did.
    Forgot(NodeId, Epoch, Round),
    /// A matchmaker answers no proposer of this generation any more.
    Stopped(NodeId, Epoch),
    /// A matchmaker serves in this generation, or knows of it.
    Began(NodeId, Hashed<Successor>, bool),
    /// A value was proposed in the decree of a generation.
    Decreed(Epoch, Round, Hashed<Value>),
    /// An operator was told that rounds below are collected, and that these may go.
    Retired(Round, BTreeSet<NodeId>),
}

/// The truth.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Truth {
    /// About acceptors.
    pub votes: Votes,
    /// About matchmakers.
    pub registry: Registry,
    /// Properties that are broken.
    pub broken: BTreeSet<&'static str>,
}

impl Truth {
    /// Of a cluster that was founded with these matchmakers.
    pub fn new(founding: Generation) -> Self {
        let (votes, registry) = (Votes::default(), Registry::new(founding));
        Self { votes, registry, broken: BTreeSet::new() }
    }

    /// Whether the property that `name` begins with holds.
    pub fn holds(&self, name: &str) -> bool {
        self.broken.iter().all(|broken| !broken.starts_with(name))
    }

    fn expect(&mut self, holds: bool, name: &'static str) {
        if !holds {
            self.broken.insert(name);
        }
    }

    /// A7: rounds that a majority has registered, and that nobody has collected, were asked.
    fn is_licensed(&self, round: Round) -> bool {
        let watermark = self.registry.collected();
        let earlier =
            self.registry.matched().filter(|earlier| (watermark..round).contains(earlier));
        let mut earlier = earlier.filter_map(|earlier| self.votes.rounds.get(&earlier));
        earlier.all(|configuration| self.votes.has_promises(configuration, round))
    }

    fn propose(&mut self, slot: Slot, round: Round, value: &Hashed<Value>) {
        let is_first = !self.votes.has_proposed_in(round);
        let is_matched = self.registry.is_matched(round);
        self.expect(is_matched, self.registry.unmatched());
        let is_licensed = !is_first || round.step > 0 || self.is_licensed(round);
        self.expect(is_licensed, "A7 proposal licence");
        self.expect(self.votes.is_open(slot, round), "A17 slot discipline");
        let is_one = self.votes.propose(slot, round, value);
        self.expect(is_one, "A3 one value per round");
        self.expect(self.votes.is_safe(slot), "A2 safe proposals");
    }

    fn vote(&mut self, node: NodeId, slot: Slot, round: Round, value: &Hashed<Value>) {
        self.expect(self.votes.is_valid(node, slot, round, value), "A5 vote validity");
        let is_kept = self.votes.promise(node, round);
        self.expect(is_kept, "A6 promise");
        self.votes.vote(node, slot, round);
        self.expect(self.votes.is_agreed(slot), "A1 agreement");
        self.expect(self.votes.is_safe(slot), "A2 safe proposals");
    }

    fn retire(&mut self, watermark: Round, retirable: &BTreeSet<NodeId>) {
        let is_collected = self.registry.collected() >= watermark;
        self.expect(is_collected, "A11 retirement");
        self.registry.retired.extend(retirable);
    }

    fn check_retired(&mut self) {
        let is_gone = self.registry.is_without_retired(&self.votes.rounds);
        self.expect(is_gone, "A11 retirement");
    }
}

impl Fact {
    /// What follows from a record that became durable.
    pub fn of_record(node: NodeId, record: &NodeRecord) -> Option<Self> {
        Some(match record.clone() {
            NodeRecord::Acceptor(AcceptorRecord::Promised(round)) => Self::Promised(node, round),
            NodeRecord::Acceptor(AcceptorRecord::Voted(vote)) => {
                Self::Voted(node, vote.slot, vote.round, Hashed::new(vote.value))
            }
            NodeRecord::Acceptor(AcceptorRecord::Persisted(slot)) => Self::Persisted(node, slot),
            NodeRecord::Matchmaker(MatchmakerRecord::Registered(round, _)) => {
                Self::Registered(node, round)
            }
            NodeRecord::Matchmaker(MatchmakerRecord::Collected(round)) => {
                Self::Collected(node, round)
            }
            NodeRecord::Matchmaker(MatchmakerRecord::Stopped(epoch)) => Self::Stopped(node, epoch),
            NodeRecord::Matchmaker(MatchmakerRecord::Activated(successor)) => {
                Self::Began(node, Hashed::new(*successor), true)
            }
            NodeRecord::Matchmaker(MatchmakerRecord::Succeeded(successor)) => {
                Self::Began(node, Hashed::new(*successor), false)
            }
            _ => return None,
        })
    }

    /// What follows from a message that leaves.
    pub fn of_message(from: NodeId, message: &Message) -> Option<Self> {
        Some(match message.clone() {
            Message::Matchmaker(ToMatchmaker::MatchA(m)) => {
                Self::Asked(m.round, Hashed::new(m.configuration))
            }
            Message::Matchmaker(ToMatchmaker::GarbageA(m)) => Self::Garbage(m.round),
            Message::Matchmaker(ToMatchmaker::DecreeA(m)) => {
                let DecreeA { epoch, message } = *m;
                let ToAcceptor::Phase2A(m) = message else { return None };
                Self::Decreed(epoch, m.round, Hashed::new(m.value))
            }
            Message::Acceptor(ToAcceptor::Phase1A(m)) => Self::Phase1(m.round),
            Message::Acceptor(ToAcceptor::Phase2A(m)) => {
                Self::Proposed(m.slot, m.round, Hashed::new(m.value))
            }
            Message::Proposer(ToProposer::Matchmaker(FromMatchmaker::MatchB(m))) => {
                let shown = m.history.into_keys().collect();
                Self::Matched(from, m.epoch, m.round, m.watermark, shown)
            }
            Message::Proposer(ToProposer::Matchmaker(FromMatchmaker::GarbageB(m))) => {
                Self::Forgot(from, m.epoch, m.watermark)
            }
            Message::Replica(ToReplica::Chosen(m)) => Self::Told(m.slot, Hashed::new(m.value)),
            Message::Application(ToApplication::ReconfigureB(m)) => {
                let Progress::Collected { watermark, retirable } = m.progress else { return None };
                Self::Retired(watermark, retirable)
            }
            _ => return None,
        })
    }
}

impl Truth {
    /// Takes a fact.
    pub fn judge(&mut self, fact: &Fact) {
        match fact {
            Fact::Asked(round, configuration) => {
                let is_one = self.votes.ask(*round, configuration);
                self.expect(is_one, "A4 one configuration per round");
            }
            Fact::Phase1(round) => {
                let is_matched = self.registry.is_matched(*round);
                self.expect(is_matched, self.registry.unmatched());
            }
            Fact::Proposed(slot, round, value) => self.propose(*slot, *round, value),
            Fact::Promised(node, round) => {
                let is_higher = self.votes.promise(*node, *round);
                self.expect(is_higher, "A6 promise");
            }
            Fact::Voted(node, slot, round, value) => self.vote(*node, *slot, *round, value),
            Fact::Persisted(node, slot) => self.votes.persist(*node, *slot),
            Fact::Told(slot, value) => {
                let is_true = self.votes.is_chosen(*slot, value);
                self.expect(is_true, "A13 chosen truth");
            }
            Fact::Registered(node, round) => {
                let is_above = self.registry.register(*node, *round);
                self.expect(is_above, "A9 registry");
                self.check_retired();
            }
            Fact::Matched(node, epoch, round, watermark, shown) => {
                let is_serving = self.registry.is_serving(*node, *epoch);
                self.expect(is_serving, "H3 stopped");
                let is_whole = self.registry.answer(*node, *epoch, *round, *watermark, shown);
                self.expect(is_whole, "A8 match completeness");
            }
            Fact::Garbage(round) => {
                self.expect(self.votes.may_collect(*round), "A10 collection licence");
            }
            Fact::Collected(node, round) => {
                self.registry.collect(*node, *round);
                self.check_retired();
            }
            Fact::Forgot(node, epoch, watermark) => {
                let is_serving = self.registry.is_serving(*node, *epoch);
                self.expect(is_serving, "H3 stopped");
                let is_so = self.registry.forget(*node, *epoch, *watermark);
                self.expect(is_so, "A9 registry");
            }
            Fact::Stopped(node, epoch) => self.registry.stop(*node, *epoch),
            Fact::Began(node, successor, is_member) => {
                self.expect(self.registry.is_only(successor), "H1 one successor");
                self.expect(self.registry.is_heir(successor), "H2 handed over");
                self.registry.begin(*node, successor, *is_member);
                self.check_retired();
            }
            Fact::Decreed(epoch, round, value) => {
                let is_one = self.registry.decree(*epoch, *round, value);
                self.expect(is_one, "H5 one value per decree round");
            }
            Fact::Retired(watermark, retirable) => {
                self.retire(*watermark, retirable);
                self.check_retired();
            }
        }
    }
}

impl<A> Ghost<A> for Truth
where
    A: Actor<Message = Message, Record = CastRecord>,
{
    type Fact = Fact;

    fn recorded(node: NodeId, record: &CastRecord) -> Option<Fact> {
        let CastRecord::Node(record) = record else { return None };
        Fact::of_record(node, record)
    }

    fn sent(from: NodeId, _: NodeId, message: &Message) -> Option<Fact> {
        Fact::of_message(from, message)
    }

    fn take(&mut self, fact: &Fact) {
        self.judge(fact);
    }
}

/// Configurations by round.
pub type Rounds = BTreeMap<Round, Hashed<Configuration>>;
