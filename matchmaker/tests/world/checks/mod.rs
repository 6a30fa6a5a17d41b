//! What must be true of every run, judged from outside.
//!
//! The judge sees each record when it becomes durable and each message when it leaves its sender,
//! and keeps ghost state that no actor has. The names of the checks are those of the catalogue of
//! invariants (section 10.2 of the protocol notes).

mod adoption;
mod garbage;
mod history;
mod licences;
mod registry;
mod votes;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use matchmaker::leader::Deployment;
use matchmaker::matchmaker::MatchmakerRecord;
use matchmaker::message::{FromMatchmaker, Message, ToApplication, ToMatchmaker, ToProposer};
use matchmaker::node::NodeRecord;
use paxos::acceptor::AcceptorRecord;
use paxos::actor::NodeId;
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::message::{FromAcceptor, FromSession, ToAcceptor, ToReplica, ToSession};
use paxos::round::Round;
use paxos::slot::Slot;

use super::places;
pub use history::{History, Kind};

/// A broken invariant.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its name.
    pub check: &'static str,
    /// What was seen.
    pub detail: String,
}

/// The outcome of a check.
pub type Verdict = Result<(), Failure>;

/// Fails the check of that name.
pub fn fail<T>(check: &'static str, detail: String) -> Result<T, Failure> {
    Err(Failure { check, detail })
}

/// A value, by the order in which values were first proposed.
type ValueId = u32;

/// What is true, as opposed to what actors believe.
pub struct Ghost {
    deployment: Deployment,
    values: HashMap<Value, ValueId>,
    /// The configuration of each round, from the first `MatchA` that left.
    rounds: BTreeMap<Round, Configuration>,
    /// What was proposed in each slot and round, from the first `Phase2A` that left.
    proposals: BTreeMap<Slot, BTreeMap<Round, ValueId>>,
    /// The highest step of each leadership in which something was proposed.
    steps: BTreeMap<(u64, NodeId), u64>,
    /// Durable votes.
    votes: BTreeMap<(Slot, Round), BTreeSet<NodeId>>,
    /// The chosen value of each slot, and the rounds in which it was chosen.
    pub chosen: BTreeMap<Slot, (ValueId, BTreeSet<Round>)>,
    /// The durable promise of each acceptor.
    promised: BTreeMap<NodeId, Round>,
    /// The highest round in which each acceptor has said anything.
    told: BTreeMap<NodeId, Round>,
    /// The durable persisted watermark of each acceptor.
    persisted: BTreeMap<NodeId, Slot>,
    /// Durable length of each archive.
    archived: BTreeMap<NodeId, Slot>,
    /// Every round that each matchmaker has ever durably registered.
    registered: BTreeMap<NodeId, BTreeMap<Round, Configuration>>,
    /// The durable watermark of each matchmaker.
    collected: BTreeMap<NodeId, Round>,
    /// The last watermark that each matchmaker told.
    told_collected: BTreeMap<NodeId, Round>,
    /// Rounds for which `GarbageA` has left.
    pub garbage_rounds: BTreeSet<Round>,
    /// The round in which each leader reported a request as active.
    active: BTreeMap<(NodeId, u64), Round>,
    /// Acceptors whose machines were switched off, with the round that was the evidence.
    pub retired: BTreeMap<NodeId, Round>,
    /// What Phase 1 found.
    adoption: adoption::Adoption,
    /// What leaders may do.
    licences: licences::Licences,
    /// Calls of applications and what came of them.
    pub history: History,
}

impl Ghost {
    /// Nothing has happened yet.
    pub fn new(deployment: Deployment) -> Self {
        Self {
            deployment,
            values: HashMap::new(),
            rounds: BTreeMap::new(),
            proposals: BTreeMap::new(),
            steps: BTreeMap::new(),
            votes: BTreeMap::new(),
            chosen: BTreeMap::new(),
            promised: BTreeMap::new(),
            told: BTreeMap::new(),
            persisted: BTreeMap::new(),
            archived: BTreeMap::new(),
            registered: BTreeMap::new(),
            collected: BTreeMap::new(),
            told_collected: BTreeMap::new(),
            garbage_rounds: BTreeSet::new(),
            active: BTreeMap::new(),
            retired: BTreeMap::new(),
            adoption: adoption::Adoption::default(),
            licences: licences::Licences::default(),
            history: History::default(),
        }
    }

    /// A record of the actor at `node` became durable.
    pub fn on_durable(&mut self, node: NodeId, record: &NodeRecord) -> Verdict {
        match record {
            NodeRecord::Acceptor(AcceptorRecord::Promised(round)) => self.promise(node, *round),
            NodeRecord::Acceptor(AcceptorRecord::Voted(vote)) => {
                self.promise(node, vote.round);
                return self.vote(node, vote);
            }
            NodeRecord::Acceptor(AcceptorRecord::Persisted(slot)) => {
                let persisted = self.persisted.entry(node).or_default();
                *persisted = (*persisted).max(*slot);
            }
            NodeRecord::Matchmaker(MatchmakerRecord::Registered(round, configuration)) => {
                return self.register(node, *round, configuration);
            }
            NodeRecord::Matchmaker(MatchmakerRecord::Collected(round)) => {
                return self.collect(node, *round);
            }
            NodeRecord::Archive(record) => return self.archive(node, record),
            NodeRecord::Matchmaker(MatchmakerRecord::Newest(..))
            | NodeRecord::Proposer(_)
            | NodeRecord::Session(_) => {}
        }
        Ok(())
    }

    /// A message leaves its sender.
    pub fn on_leave(&mut self, from: NodeId, to: NodeId, message: &Message) -> Verdict {
        self.tick();
        match message {
            Message::Acceptor(ToAcceptor::Phase1A(m)) => {
                self.phase1a(m)?;
                self.check_asked(m.round, to)
            }
            Message::Acceptor(ToAcceptor::ReadA(m)) => {
                self.read_a(m);
                Ok(())
            }
            Message::Proposer(ToProposer::Acceptor(FromAcceptor::ReadB(m))) => {
                self.read_b(from, m);
                Ok(())
            }
            Message::Proposer(ToProposer::Session(FromSession::ReadIndexA(m))) => {
                self.read_index_a(from, m.nonce);
                Ok(())
            }
            Message::Session(ToSession::ReadIndexB(m)) => self.read_index_b(from, to, m.nonce),
            Message::Acceptor(ToAcceptor::Phase2A(m)) => self.phase2a(m),
            Message::Acceptor(ToAcceptor::PersistedA(m)) => self.persisted_a(m),
            Message::Proposer(ToProposer::Acceptor(FromAcceptor::Phase1B(m))) => {
                self.phase1b(from, m);
                self.answer(from, m.round)
            }
            // Below its persisted watermark an acceptor votes and promises nothing.
            Message::Proposer(ToProposer::Acceptor(FromAcceptor::Phase2B(m)))
                if m.slot >= m.persisted_watermark =>
            {
                self.answer(from, m.round)
            }
            Message::Proposer(ToProposer::Matchmaker(FromMatchmaker::MatchB(m))) => {
                self.match_b(from, m)
            }
            Message::Proposer(ToProposer::ArchivedB(m)) => self.archived_b(from, m),
            Message::Matchmaker(ToMatchmaker::MatchA(m)) => self.match_a(m),
            Message::Matchmaker(ToMatchmaker::GarbageA(m)) => self.garbage_a(m.round),
            Message::Application(ToApplication::ReconfigureB(m)) => self.progress(from, m),
            Message::Replica(ToReplica::Chosen(m)) => self.told_chosen(m.slot, &m.value),
            Message::Replica(ToReplica::FetchB(m)) => {
                for (slot, value) in (m.first.0..).map(Slot).zip(&m.values) {
                    self.told_chosen(slot, value)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The highest number of a round that anyone has registered.
    pub fn number(&self) -> u64 {
        self.rounds.last_key_value().map_or(0, |(round, _)| round.number)
    }

    fn id(&mut self, value: &Value) -> ValueId {
        let next = self.values.len() as ValueId;
        *self.values.entry(value.clone()).or_insert(next)
    }

    fn is_majority(&self, count: usize) -> bool {
        count > self.deployment.matchmakers.len() / 2
    }

    /// Whether a majority of the matchmakers has durably registered `round`.
    fn is_matched(&self, round: Round) -> bool {
        let registries = self.registered.values();
        self.is_majority(registries.filter(|registry| registry.contains_key(&round)).count())
    }

    /// All slots below are durable on f + 1 archives.
    fn persisted_watermark(&self) -> Slot {
        let mut watermarks: Vec<Slot> = self.archived.values().copied().collect();
        watermarks.sort_unstable_by(|one, two| two.cmp(one));
        watermarks.get(self.deployment.archives.len() / 2).copied().unwrap_or(Slot::ZERO)
    }
}

/// What a trace calls the acceptors of `configuration`.
pub fn names(configuration: &Configuration) -> String {
    let members: Vec<String> = configuration.members().iter().map(|n| places::name(*n)).collect();
    format!("v{} {:?} [{}]", configuration.version(), configuration.system(), members.join(" "))
}
