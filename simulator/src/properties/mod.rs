//! What must be true of every run, judged from outside, one file for each property.
//!
//! The judge sees each record when it becomes durable and each message when it leaves its sender, and
//! keeps ghost state that no actor has. Properties have the names of the catalogue in
//! `docs/invariants.md`.

mod adoption;
mod agreement;
pub mod bpaxos;
mod chain;
mod chosen_slot;
mod chosen_truth;
mod collection;
mod counted;
mod decree;
mod exactly_once;
mod fold;
mod generations;
mod giving_up;
mod handed_over;
mod healing;
mod ledger;
mod licence;
mod limits;
mod linearizability;
mod liveness;
mod log_prefix;
mod match_completeness;
mod newest;
mod no_violation;
mod one_configuration;
mod one_outcome;
mod one_successor;
mod one_value;
mod persisted;
mod promise;
mod quarantine;
mod reachability;
mod read_licence;
mod registry;
mod retirement;
mod shown_votes;
mod slot_discipline;
mod snapshot_truth;
mod sources;
mod standing;
mod stopped;
#[cfg(test)]
mod tests;
mod unmixed;
mod vote_validity;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use matchmaker::leader::{Deployment, LeaderRecord};
use matchmaker::message::{
    FromMatchmaker, Message, ToApplication, ToMatchmaker, ToProposer, ToReconfigurer,
};
use matchmaker::node::NodeRecord;
use matchmaker::reconfigurer::ReconfigurerRecord;
use paxos::acceptor::AcceptorRecord;
use paxos::actor::NodeId;
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::message::{FromAcceptor, FromSession, ToAcceptor, ToReplica, ToSession};
use paxos::round::Round;
use paxos::session::SessionRecord;
use paxos::slot::Slot;
use paxos::snapshot::Sequence;

use crate::plan::Places;
pub use fold::{check_archive_fold, check_checkpoint, check_fold, check_refusal, check_restart};
pub use limits::{check_archive, check_leader, check_limits, check_log, check_session};
pub use linearizability::check_history;
pub use liveness::late;
pub use log_prefix::Ledger;
pub(crate) use no_violation::panicked;
pub use no_violation::{SIMULATOR, violated};
pub use one_outcome::{Caller, Calls, Room};
pub use snapshot_truth::{check_left, check_machines};

/// A property of every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its place in the catalogue.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub statement: &'static str,
    /// Where the papers say so.
    pub paper: &'static str,
    /// Which code upholds it.
    pub module: &'static str,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.name)
    }
}

/// All properties, in the order of the catalogue.
pub const ALL: [Property; 41] = [
    agreement::PROPERTY,
    chosen_slot::PROPERTY,
    one_value::PROPERTY,
    one_configuration::PROPERTY,
    vote_validity::PROPERTY,
    promise::PROPERTY,
    licence::PROPERTY,
    match_completeness::PROPERTY,
    registry::PROPERTY,
    collection::PROPERTY,
    retirement::PROPERTY,
    persisted::PROPERTY,
    chosen_truth::PROPERTY,
    log_prefix::PROPERTY,
    exactly_once::PROPERTY,
    linearizability::PROPERTY,
    slot_discipline::PROPERTY,
    reachability::PROPERTY,
    read_licence::PROPERTY,
    adoption::PROPERTY,
    shown_votes::PROPERTY,
    counted::PROPERTY,
    standing::PROPERTY,
    quarantine::PROPERTY,
    sources::PROPERTY,
    healing::PROPERTY,
    giving_up::PROPERTY,
    one_successor::PROPERTY,
    handed_over::PROPERTY,
    stopped::PROPERTY,
    unmixed::PROPERTY,
    decree::PROPERTY,
    newest::PROPERTY,
    chain::PROPERTY,
    snapshot_truth::PROPERTY,
    ledger::PROPERTY,
    fold::PROPERTY,
    limits::PROPERTY,
    one_outcome::PROPERTY,
    no_violation::PROPERTY,
    liveness::PROPERTY,
];

/// A broken property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub property: Property,
    /// In which way, if there are several: two failures of one kind may have one cause, others have not.
    pub kind: String,
    /// What was seen.
    pub detail: String,
}

impl Failure {
    /// Whether `other` may have the same cause.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.property, &self.kind) == (other.property, &other.kind)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.detail)
    }
}

/// The outcome of a check. The failure is boxed: it is rare, and verdicts are everywhere.
pub type Verdict<T = ()> = Result<T, Box<Failure>>;

/// The property is broken.
fn fail<T>(property: Property, detail: String) -> Verdict<T> {
    fail_as(property, "", detail)
}

/// The property is broken in one of several ways.
fn fail_as<T>(property: Property, kind: &str, detail: String) -> Verdict<T> {
    Err(Box::new(Failure { property, kind: kind.to_owned(), detail }))
}

/// A value, by the order in which values were first proposed.
type ValueId = u32;

/// A slot's chosen value, and every round in which it was chosen.
type ChosenIn = (ValueId, BTreeSet<Round>);

/// What is true, as opposed to what actors believe.
#[derive(Debug)]
pub struct Ghost {
    places: Places,
    deployment: Deployment,
    values: HashMap<Value, ValueId>,
    /// The configuration of each round, from the first `MatchA` that left.
    rounds: BTreeMap<Round, Configuration>,
    /// What was proposed in each slot and round, from the first `Phase2A` that left.
    proposals: BTreeMap<Slot, BTreeMap<Round, ValueId>>,
    /// The highest step of each leadership in which something was proposed.
    steps: BTreeMap<(u64, NodeId), u64>,
    /// Durable votes.
    votes: HashMap<(Slot, Round), BTreeSet<NodeId>>,
    /// The chosen value of each slot.
    chosen: BTreeMap<Slot, ChosenIn>,
    /// The durable promise of each acceptor.
    promised: BTreeMap<NodeId, Round>,
    /// The highest round in which each acceptor has said anything.
    told: BTreeMap<NodeId, Round>,
    /// The durable persisted watermark of each acceptor.
    persisted: BTreeMap<NodeId, Slot>,
    /// The highest round that each leader has shown.
    leading: BTreeMap<NodeId, Round>,
    /// The newest configuration that each proposer durably knows of.
    known: BTreeMap<NodeId, Configuration>,
    /// All nodes of processes that were switched off for good.
    switched_off: BTreeSet<NodeId>,
    /// Durable length of each archive.
    archived: BTreeMap<NodeId, Slot>,
    /// The generations of matchmakers.
    generations: generations::Generations,
    /// The snapshot that each archive has begun to write down.
    partial: BTreeMap<NodeId, Sequence>,
    /// The digest of each snapshot that was written down, by its slot.
    snapshots: BTreeMap<Slot, u64>,
    /// Rounds that a majority of one generation of matchmakers has durably registered.
    matched: BTreeSet<Round>,
    /// Rounds for which `GarbageA` has left.
    garbage_rounds: BTreeSet<Round>,
    /// The durable round of each proposer.
    used: BTreeMap<NodeId, Round>,
    /// The durable life of each session.
    lives: BTreeMap<NodeId, u64>,
    /// What was collected when each round was first asked for.
    floors: BTreeMap<Round, Round>,
    /// Every durable vote of each acceptor.
    voted: shown_votes::Voted,
    /// What acceptors have shown in Phase 1.
    shown: adoption::Shown,
    /// Questions about reads.
    reads: read_licence::Reads,
    /// How far proposals run ahead.
    pipeline: limits::Pipeline,
    /// How far they may.
    pipeline_max: u64,
    /// The round in which each leader reported a request as active.
    active: BTreeMap<(NodeId, u64), Round>,
    /// Acceptors whose machines were switched off, with the round that was the evidence.
    pub retired: BTreeMap<NodeId, Round>,
    /// What each leader has heard.
    hearings: BTreeMap<NodeId, healing::Hearing>,
}

impl Ghost {
    /// Nothing has happened yet.
    pub fn new(places: Places, pipeline_max: u64) -> Self {
        let mut ghost = Self {
            deployment: places.deployment(),
            places,
            values: HashMap::new(),
            rounds: BTreeMap::new(),
            proposals: BTreeMap::new(),
            steps: BTreeMap::new(),
            votes: HashMap::new(),
            chosen: BTreeMap::new(),
            promised: BTreeMap::new(),
            told: BTreeMap::new(),
            persisted: BTreeMap::new(),
            leading: BTreeMap::new(),
            known: BTreeMap::new(),
            switched_off: BTreeSet::new(),
            archived: BTreeMap::new(),
            generations: generations::Generations::default(),
            partial: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            matched: BTreeSet::new(),
            garbage_rounds: BTreeSet::new(),
            used: BTreeMap::new(),
            lives: BTreeMap::new(),
            floors: BTreeMap::new(),
            voted: shown_votes::Voted::default(),
            shown: adoption::Shown::default(),
            reads: read_licence::Reads::default(),
            pipeline: limits::Pipeline::default(),
            pipeline_max,
            active: BTreeMap::new(),
            retired: BTreeMap::new(),
            hearings: BTreeMap::new(),
        };
        ghost.found();
        ghost
    }

    /// A record of the actor at `node` became durable.
    pub fn on_durable(&mut self, node: NodeId, record: &NodeRecord) -> Verdict {
        match record {
            NodeRecord::Acceptor(AcceptorRecord::Promised(round)) => {
                self.promise(node, *round);
                Ok(())
            }
            NodeRecord::Acceptor(AcceptorRecord::Voted(vote)) => {
                self.promise(node, vote.round);
                self.check_vote(node, vote)?;
                self.note_vote(node, vote);
                self.count_vote(node, vote)
            }
            NodeRecord::Acceptor(AcceptorRecord::Persisted(slot)) => {
                let persisted = self.persisted.entry(node).or_default();
                *persisted = (*persisted).max(*slot);
                Ok(())
            }
            NodeRecord::Matchmaker(record) => self.on_matchmaker(node, record),
            NodeRecord::Reconfigurer(ReconfigurerRecord { used }) => {
                let known = self.generations.used.entry(node).or_insert(*used);
                *known = (*used).max(*known);
                Ok(())
            }
            NodeRecord::Proposer(LeaderRecord::Matchmakers(generation)) => {
                self.generations.followed.insert(node, generation.epoch);
                Ok(())
            }
            NodeRecord::Archive(record) => self.archive(node, record),
            NodeRecord::Proposer(LeaderRecord::Used(round)) => {
                let used = self.used.entry(node).or_insert(*round);
                *used = (*used).max(*round);
                Ok(())
            }
            NodeRecord::Session(SessionRecord { life }) => {
                let known = self.lives.entry(node).or_default();
                *known = (*known).max(*life);
                Ok(())
            }
            NodeRecord::Proposer(LeaderRecord::Newest(_, configuration)) => {
                self.known.insert(node, configuration.clone());
                Ok(())
            }
        }
    }

    /// A message leaves its sender.
    pub fn on_leave(&mut self, from: NodeId, to: NodeId, message: &Message) -> Verdict {
        self.check_ledger(from, message)?;
        self.note_question(from, to, message);
        match message {
            Message::Acceptor(m) => self.on_leave_to_acceptor(from, to, m),
            Message::Proposer(ToProposer::Acceptor(FromAcceptor::Phase1B(m))) => {
                self.show_votes(from, m);
                self.check_shown(from, m)?;
                self.check_answer(from, m.round)
            }
            Message::Proposer(ToProposer::Acceptor(FromAcceptor::ReadB(m))) => {
                self.on_read_b(from, m)
            }
            Message::Proposer(ToProposer::Session(FromSession::ReadIndexA(m))) => {
                self.on_read_index_a(from, m.nonce)
            }
            Message::Session(ToSession::ReadIndexB(m)) => self.check_read(from, to, m.nonce),
            // Below its persisted watermark an acceptor votes and promises nothing.
            Message::Proposer(ToProposer::Acceptor(FromAcceptor::Phase2B(m)))
                if m.slot >= m.persisted_watermark =>
            {
                self.check_answer(from, m.round)
            }
            Message::Proposer(ToProposer::Matchmaker(m)) => self.on_leave_matchmaker(from, m),
            Message::Proposer(ToProposer::Reconfigurer(ToReconfigurer::StopB(m))) => {
                self.note_stop_b(from, m.epoch);
                self.check_newest(from, m.newest.as_ref())
            }
            Message::Proposer(ToProposer::Reconfigurer(ToReconfigurer::AnnounceA(m))) => {
                self.check_announced(from, &m.generation)
            }
            Message::Matchmaker(m) => self.on_leave_to_matchmaker(from, m),
            Message::Application(ToApplication::ReconfigureB(m)) => self.check_progress(from, m),
            Message::Application(ToApplication::Heartbeat(m)) => {
                self.show_round(from, m.round);
                Ok(())
            }
            Message::Application(ToApplication::StatusB(m)) => self.check_counted(from, m),
            Message::Replica(ToReplica::Quarantine(m)) => self.check_quarantine(to, m),
            Message::Replica(ToReplica::ChosenWatermark(m)) => self.check_sources(from, m),
            Message::Replica(ToReplica::Chosen(m)) => self.check_chosen(m.slot, &m.value),
            Message::Replica(ToReplica::FetchB(m)) => {
                for (slot, value) in (m.first.0..).map(Slot).zip(&m.values) {
                    self.check_chosen(slot, value)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn on_leave_to_matchmaker(&mut self, from: NodeId, message: &ToMatchmaker) -> Verdict {
        match message {
            ToMatchmaker::MatchA(m) => {
                self.check_standing(from, m.round)?;
                self.on_match_a(m)
            }
            ToMatchmaker::GarbageA(m) => self.check_collection(m.round),
            ToMatchmaker::DecreeA(m) => self.check_decree(m),
            ToMatchmaker::SucceededA(m) => self.check_announced(from, &m.successor.generation),
            ToMatchmaker::NewestA(_)
            | ToMatchmaker::ReachA(_)
            | ToMatchmaker::StopA(_)
            | ToMatchmaker::ActivateA(_)
            | ToMatchmaker::OriginA(_) => Ok(()),
        }
    }

    fn on_leave_matchmaker(&mut self, from: NodeId, m: &FromMatchmaker) -> Verdict {
        self.check_not_stopped(from, m)?;
        match m {
            FromMatchmaker::MatchB(m) => {
                self.note_match_b(from, m);
                self.check_newest(from, m.newest.as_ref())?;
                self.check_told_watermark(m.epoch, from, m.watermark)?;
                self.check_match_b(from, m)
            }
            FromMatchmaker::NewestB(m) => self.check_newest(from, m.newest.as_ref()),
            FromMatchmaker::GarbageB(m) => self.check_told_watermark(m.epoch, from, m.watermark),
            FromMatchmaker::Stopped(m) => self.check_sent_on(from, m),
            FromMatchmaker::MatchNack(_) => Ok(()),
        }
    }

    fn on_leave_to_acceptor(&mut self, from: NodeId, to: NodeId, message: &ToAcceptor) -> Verdict {
        match message {
            ToAcceptor::Phase1A(m) => {
                self.check_unmixed(m.round)?;
                self.check_phase1(m.round)?;
                self.check_asked(m.round, to)
            }
            ToAcceptor::Phase2A(m) => {
                self.show_round(from, m.round);
                self.on_phase2a(m)
            }
            ToAcceptor::PersistedA(m) => self.check_persisted(from, m.watermark),
            ToAcceptor::ReadA(m) => self.on_read_a(m),
            ToAcceptor::ProbeA(_) => Ok(()),
        }
    }

    /// The highest number of a round that anyone has asked for.
    pub fn highest_number(&self) -> u64 {
        self.rounds.last_key_value().map_or(0, |(round, _)| round.number)
    }

    /// Slots in which a value was chosen.
    pub fn chosen_count(&self) -> usize {
        self.chosen.len()
    }

    /// Rounds for which a collection began.
    pub fn collection_count(&self) -> usize {
        self.garbage_rounds.len()
    }

    /// What was proposed in `slot`, by round.
    pub fn proposed(&self, slot: Slot) -> Option<&BTreeMap<Round, ValueId>> {
        self.proposals.get(&slot)
    }

    /// The rounds in which a value was chosen in `slot`.
    pub fn chosen_rounds(&self, slot: Slot) -> Option<&BTreeSet<Round>> {
        self.chosen.get(&slot).map(|(_, rounds)| rounds)
    }

    /// The configuration of `round`, once it was asked for.
    pub fn configuration(&self, round: Round) -> Option<&Configuration> {
        self.rounds.get(&round)
    }

    /// Rounds below `round` that are registered by a majority, not collected, and of other
    /// configurations than the one before.
    pub fn configurations_below(&self, round: Round) -> usize {
        let below = self.matched.range(self.collected_watermark().min(round)..round);
        let mut configurations: Vec<&Configuration> =
            below.filter_map(|round| self.rounds.get(round)).collect();
        configurations.dedup_by_key(|configuration| configuration.members());
        configurations.len()
    }

    /// Slots from the persisted watermark on in which something was proposed.
    pub fn unpersisted(&self) -> impl Iterator<Item = Slot> + '_ {
        self.proposals.range(self.persisted_watermark()..).map(|(slot, _)| *slot)
    }

    fn name(&self, node: NodeId) -> String {
        self.places.name(node)
    }

    fn id(&mut self, value: &Value) -> ValueId {
        let next = self.values.len() as ValueId;
        match self.values.get(value) {
            Some(id) => *id,
            None => *self.values.entry(value.clone()).or_insert(next),
        }
    }
}
