//! What is true of a run: who voted for what, what was proposed, and which configuration a round has.

use std::collections::{BTreeMap, BTreeSet};

use matchmaker::message::{Message, ToMatchmaker};
use paxos::acceptor::AcceptorRecord;
use paxos::actor::{Actor, NodeId};
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::message::ToAcceptor;
use paxos::round::Round;
use paxos::slot::Slot;

use crate::cast::CastRecord;
use crate::hashed::Hashed;
use crate::lift::Ghost;

/// Something that counts.
#[derive(Clone, Debug)]
pub enum Fact {
    /// A configuration was asked to be registered for a round.
    Asked(Round, Hashed<Configuration>),
    /// A value was proposed.
    Proposed(Slot, Round, Hashed<Value>),
    /// A vote became durable.
    Voted(NodeId, Slot, Round, Hashed<Value>),
}

/// What was broken first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Broken {
    OneValue,
    OneConfiguration,
    VoteValidity,
}

/// The truth about values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Truth {
    /// The configuration of each round that was asked for.
    pub rounds: BTreeMap<Round, Hashed<Configuration>>,
    /// What was proposed in each slot and round.
    pub proposals: BTreeMap<(Slot, Round), Hashed<Value>>,
    /// Who voted for it.
    pub votes: BTreeMap<(Slot, Round), BTreeSet<NodeId>>,
    /// Two things where one must be.
    pub broken: Option<Broken>,
}

impl Truth {
    /// The values that were chosen in each slot, with the rounds in which they were.
    pub fn chosen(&self) -> impl Iterator<Item = (Slot, Round, &Hashed<Value>)> {
        self.votes.iter().filter_map(|((slot, round), voters)| {
            let configuration = self.rounds.get(round)?;
            let is_chosen = configuration.is_phase2(configuration.members_among(voters));
            let value = self.proposals.get(&(*slot, *round))?;
            is_chosen.then_some((*slot, *round, value))
        })
    }

    /// A1: in each slot at most one value is chosen.
    pub fn is_agreed(&self) -> bool {
        let mut values = BTreeMap::new();
        self.chosen().all(|(slot, _, value)| *values.entry(slot).or_insert(value) == value)
    }

    /// A2: what is proposed above a round in which a value was chosen is that value.
    pub fn is_safe(&self) -> bool {
        self.chosen().all(|(slot, round, value)| {
            let mut later = self
                .proposals
                .iter()
                .filter(|((other, above), _)| (*other, *above) > (slot, round) && *other == slot);
            later.all(|(_, other)| other == value)
        })
    }
}

impl<A> Ghost<A> for Truth
where
    A: Actor<Message = Message, Record = CastRecord>,
{
    type Fact = Fact;

    fn recorded(node: NodeId, record: &CastRecord) -> Option<Fact> {
        let CastRecord::Acceptor(AcceptorRecord::Voted(vote)) = record else { return None };
        Some(Fact::Voted(node, vote.slot, vote.round, Hashed::new(vote.value.clone())))
    }

    fn sent(_: NodeId, _: NodeId, message: &Message) -> Option<Fact> {
        match message {
            Message::Matchmaker(ToMatchmaker::MatchA(m)) => {
                Some(Fact::Asked(m.round, Hashed::new(m.configuration.clone())))
            }
            Message::Acceptor(ToAcceptor::Phase2A(m)) => {
                Some(Fact::Proposed(m.slot, m.round, Hashed::new(m.value.clone())))
            }
            _ => None,
        }
    }

    fn take(&mut self, fact: &Fact) {
        let is_one = match fact {
            Fact::Asked(round, configuration) => {
                let known = self.rounds.entry(*round).or_insert_with(|| configuration.clone());
                (known == configuration, Broken::OneConfiguration)
            }
            Fact::Proposed(slot, round, value) => {
                let known = self.proposals.entry((*slot, *round)).or_insert_with(|| value.clone());
                (known == value, Broken::OneValue)
            }
            Fact::Voted(node, slot, round, value) => {
                self.votes.entry((*slot, *round)).or_default().insert(*node);
                let is_proposed = self.proposals.get(&(*slot, *round)) == Some(value);
                let members = self.rounds.get(round).map(|configuration| configuration.members());
                let is_member = members.is_some_and(|members| members.contains(node));
                (is_proposed && is_member, Broken::VoteValidity)
            }
        };
        if let (false, broken) = is_one {
            self.broken.get_or_insert(broken);
        }
    }
}
