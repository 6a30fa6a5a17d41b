//! The leader of Matchmaker MultiPaxos: gets values chosen, slot by slot, and replaces the acceptors
//! under way.
//!
//! A proposer that campaigns asks the matchmakers for the newest configuration, registers its round,
//! runs Phase 1 over every earlier configuration that may have chosen something, and then leads
//! (`matching.rs`, `phase1.rs`). A leader puts a batch into each slot (`phase2.rs`), serves reads
//! (`reads.rs`), moves to new acceptors in one round trip to the matchmakers (`matching.rs`, and the
//! switch in `phase2.rs`) and collects the old ones behind it (`garbage.rs`).
//!
//! *Paper*: Matchmaker Paxos, sections 4 and 4.5. Reconfiguration differs: the adjacent round is
//! entered without Phase 1, by proposing there the same values for slots in flight and leaving all
//! others free. It is simpler than the paper's two intermediate phases and never asks the old
//! acceptors; `docs/architecture.md` has the rules and why they are safe.
//!
//! *Durable*: a round before the first message of that round, so that no restart uses it again.

mod columns;
mod garbage;
mod handover;
mod healing;
mod histories;
mod matching;
mod options;
mod phase1;
mod phase2;
mod reach;
mod reads;
mod transfer;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use paxos::actor::{Effects, NodeId};
use paxos::configuration::Configuration;
use paxos::membership::Membership;
use paxos::message::{ArchivedB, ChosenWatermark, FetchA, FromAcceptor, FromSession, Leading};
use paxos::message::{Nack, ToReplica, ToSession};
use paxos::mutant::{self, Mutant};
use paxos::round::Round;
use paxos::slot::Slot;
use paxos::wire::{Decode, Encode};

use crate::message::{
    FromMatchmaker, Generation, Heartbeat, Message, Progress, ReconfigureB, StatusA, StatusB,
    ToApplication, ToProposer,
};
use matching::Matching;
use phase1::Phase1;
use phase2::Phase2;

pub use healing::Heal;
pub use options::{Deployment, HealingOptions, LeaderLoad, LeaderOptions};

/// A timer of a leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeaderTimer {
    /// Show itself.
    Heartbeat,
    /// No quorum was heard for too long.
    Quorum,
    /// A campaign took too long.
    Campaign,
    /// Send again what was not answered.
    Resend,
    /// Send again what garbage collection waits for.
    Garbage,
    /// New acceptors did not answer for too long.
    Reach,
    /// Ask who is there, and see who is not.
    Watch,
}

/// A durable fact of a leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub enum LeaderRecord {
    /// The highest round that this proposer has used.
    Used(Round),
    /// The newest configuration that this proposer knows of, and the last round that it knows to have
    /// it: where it would look for a leader.
    Newest(Round, Configuration),
    /// The newest generation of matchmakers that this proposer knows of.
    Matchmakers(Generation),
}

/// What a proposer does about leading.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Someone else leads, or nobody.
    Idle,
    /// Asks the matchmakers for the newest configuration.
    Asking {
        /// Who answered.
        answers: BTreeSet<NodeId>,
        /// The highest round heard of.
        highest: Round,
    },
    /// Registers its round.
    Matching(Matching),
    /// Learns what earlier rounds may have chosen.
    Phase1(Phase1),
    /// Leads.
    Phase2(Box<Phase2>),
}

/// The state of a leader, or of a proposer that may become one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Leader {
    /// This actor; owner of its rounds.
    node: NodeId,
    deployment: Deployment,
    options: LeaderOptions,
    /// The highest round that this proposer has used. Durable before its first message.
    used: Round,
    /// The newest configuration known. Durable, but only a hint: matchmakers know better.
    newest: (Round, Configuration),
    /// The newest generation of matchmakers known. Durable, but only a hint: those that have stopped
    /// send it on.
    matchmakers: Generation,
    /// The highest round heard of.
    seen: Round,
    /// What each archive last said.
    archives: BTreeMap<NodeId, ArchivedB>,
    phase: Phase,
}

/// The effects of a leader's step.
pub(crate) type Fx = Effects<Message, LeaderTimer, LeaderRecord>;

impl Leader {
    /// A proposer at `node` that does not lead.
    pub fn new(node: NodeId, deployment: Deployment, options: LeaderOptions) -> Self {
        let newest = (Round::ZERO, deployment.initial.clone());
        let (epoch, members) = (deployment.epoch, deployment.matchmakers.clone());
        Self {
            node,
            deployment,
            options,
            used: Round::ZERO,
            newest,
            matchmakers: Generation { epoch, members },
            seen: Round::ZERO,
            archives: BTreeMap::new(),
            phase: Phase::Idle,
        }
    }

    /// Whether it leads or campaigns.
    pub fn is_active(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// The round it leads in, if it leads.
    pub fn leads_in(&self) -> Option<Round> {
        match &self.phase {
            Phase::Phase2(phase2) => Some(phase2.round),
            Phase::Idle | Phase::Asking { .. } | Phase::Matching(_) | Phase::Phase1(_) => None,
        }
    }

    /// What it holds at present; nothing if it does not lead.
    pub fn load(&self) -> LeaderLoad {
        match &self.phase {
            Phase::Phase2(phase2) => phase2.load(),
            Phase::Idle | Phase::Asking { .. } | Phase::Matching(_) | Phase::Phase1(_) => {
                LeaderLoad::default()
            }
        }
    }

    /// The newest configuration known here.
    pub fn newest(&self) -> &Configuration {
        &self.newest.1
    }

    /// Folds one durable record.
    pub fn restore(&mut self, record: LeaderRecord) {
        match record {
            LeaderRecord::Used(round) => {
                self.used = self.used.max(round);
                self.seen = self.seen.max(round);
            }
            LeaderRecord::Newest(round, configuration) => self.newest = (round, configuration),
            LeaderRecord::Matchmakers(generation) => self.matchmakers = generation,
        }
    }

    /// The least list of records with the same fold.
    pub fn checkpoint(&self) -> Vec<LeaderRecord> {
        let used = (self.used > Round::ZERO).then_some(LeaderRecord::Used(self.used));
        let (round, configuration) = &self.newest;
        let newest =
            (*round > Round::ZERO).then(|| LeaderRecord::Newest(*round, configuration.clone()));
        let is_founding = self.matchmakers.epoch == self.deployment.epoch;
        let matchmakers =
            (!is_founding).then(|| LeaderRecord::Matchmakers(self.matchmakers.clone()));
        used.into_iter().chain(newest).chain(matchmakers).collect()
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: ToProposer, fx: &mut Fx) {
        match message {
            ToProposer::Acceptor(m) => self.on_acceptor(from, m, fx),
            ToProposer::Matchmaker(FromMatchmaker::NewestB(m)) => self.on_newest_b(from, *m, fx),
            ToProposer::Matchmaker(FromMatchmaker::MatchB(m)) => self.on_match_b(from, *m, fx),
            ToProposer::Matchmaker(FromMatchmaker::MatchNack(m)) => self.on_match_nack(*m, fx),
            ToProposer::Matchmaker(FromMatchmaker::GarbageB(m)) => self.on_garbage_b(from, m, fx),
            ToProposer::Matchmaker(FromMatchmaker::Stopped(m)) => self.on_stopped(*m, fx),
            ToProposer::Session(FromSession::Request(m)) => self.on_request(m),
            ToProposer::Session(FromSession::ReadIndexA(m)) => self.on_read_index_a(from, m),
            ToProposer::ArchivedB(m) => self.on_archived_b(from, m, fx),
            ToProposer::FetchA(m) => self.on_fetch_a(from, m, fx),
            ToProposer::Heartbeat(m) => self.on_heartbeat(*m, fx),
            ToProposer::ReconfigureA(m) => self.on_reconfigure_a(from, *m, fx),
            ToProposer::StatusA(m) => self.on_status_a(from, m, fx),
            ToProposer::CollectedA(m) => self.on_collected_a(from, m, fx),
            ToProposer::TransferA(m) => self.on_transfer_a(m, fx),
            ToProposer::TakeOver(m) => self.on_take_over(from, m, fx),
            ToProposer::Marked(m) => self.on_marked(from, m, fx),
            // For the driver of handovers beside it.
            ToProposer::Reconfigurer(_) => {}
        }
        self.check_invariants();
    }

    fn on_acceptor(&mut self, from: NodeId, message: FromAcceptor, fx: &mut Fx) {
        match message {
            FromAcceptor::Phase1B(m) => self.on_phase1b(from, *m, fx),
            FromAcceptor::Phase2B(m) => self.on_phase2b(from, &m, fx),
            FromAcceptor::Nack(m) => self.on_nack(m, fx),
            FromAcceptor::ReadB(m) => self.on_read_b(from, &m, fx),
            FromAcceptor::PersistedB(m) => self.on_persisted_b(from, &m, fx),
            FromAcceptor::ProbeB(m) => self.on_probe_b(from, &m, fx),
        }
    }

    /// Takes one timer.
    pub fn on_timer(&mut self, timer: LeaderTimer, fx: &mut Fx) {
        match timer {
            LeaderTimer::Heartbeat => self.on_heartbeat_timer(fx),
            LeaderTimer::Quorum | LeaderTimer::Campaign => self.resign(fx),
            LeaderTimer::Resend => self.on_resend(fx),
            LeaderTimer::Garbage => self.on_garbage_timer(fx),
            LeaderTimer::Reach => self.on_reach_timer(fx),
            LeaderTimer::Watch => self.on_watch_timer(fx),
        }
        self.check_invariants();
    }

    /// Proposes the batch of the turn, and asks for the reads of the turn.
    pub fn on_turn_end(&mut self, fx: &mut Fx) {
        self.propose_requests(fx);
        self.start_reads(fx);
    }

    /// Follows a leader with a higher round, and remembers its configuration.
    fn on_heartbeat(&mut self, m: Heartbeat, fx: &mut Fx) {
        self.seen = self.seen.max(m.round);
        self.learn(m.round, &m.configuration, fx);
        self.follow_matchmakers(m.matchmakers, fx);
        let round = match &self.phase {
            Phase::Idle => return,
            Phase::Asking { .. } => Round::ZERO,
            Phase::Matching(matching) => matching.round,
            Phase::Phase1(phase1) => phase1.round,
            Phase::Phase2(phase2) => phase2.round,
        };
        if m.round > round {
            self.yield_lead(fx);
        }
    }

    /// Makes way for a leader with a higher round.
    fn yield_lead(&mut self, fx: &mut Fx) {
        self.resign(fx);
        if mutant::is_on(Mutant::CampaignAtOnce) {
            self.campaign(fx);
        }
    }

    /// Steps down before a higher promise. One of a round of its own is stale by definition: this
    /// proposer knows what it did since.
    fn on_nack(&mut self, m: Nack, fx: &mut Fx) {
        if m.promised.owner == self.node {
            return;
        }
        self.seen = self.seen.max(m.promised);
        if m.round.owner == self.node && m.round <= self.used && self.is_below(m.promised) {
            self.yield_lead(fx);
        }
    }

    /// Whether the round that this proposer works in is below `round`.
    fn is_below(&self, round: Round) -> bool {
        match &self.phase {
            Phase::Idle | Phase::Asking { .. } => false,
            Phase::Matching(matching) => matching.round < round,
            Phase::Phase1(phase1) => phase1.round < round,
            Phase::Phase2(phase2) => phase2.round < round,
        }
    }

    fn on_archived_b(&mut self, from: NodeId, m: ArchivedB, fx: &mut Fx) {
        if !self.membership().every_archive().any(|archive| *archive == from) {
            return;
        }
        let known = self.archives.get(&from).map(|known| known.persisted_watermark);
        if known <= Some(m.persisted_watermark) {
            self.archives.insert(from, m);
        }
        self.hear_archive(from);
        self.raise_persisted(self.persisted_watermark(), fx);
        self.advance_garbage(fx);
    }

    /// Who takes part, as far as this proposer knows: in its round if it leads, else in the newest.
    fn membership(&self) -> &Arc<Membership> {
        match &self.phase {
            Phase::Phase2(phase2) => phase2.configuration.membership(),
            Phase::Idle | Phase::Asking { .. } | Phase::Matching(_) | Phase::Phase1(_) => {
                self.newest.1.membership()
            }
        }
    }

    /// All slots below are durable on f + 1 archives of the present membership.
    fn persisted_watermark(&self) -> Slot {
        let watermark = self.persisted_among(&self.membership().archives);
        match &self.phase {
            Phase::Phase2(phase2) if mutant::is_on(Mutant::PersistedSurvivesSwitch) => {
                watermark.max(phase2.base)
            }
            Phase::Phase2(phase2) if mutant::is_on(Mutant::TellWhenChosen) => {
                phase2.chosen_watermark
            }
            _ => watermark,
        }
    }

    /// All slots below are durable on a majority of `archives`.
    fn persisted_among(&self, archives: &BTreeSet<NodeId>) -> Slot {
        let joining = &self.membership().joining;
        let is_counted = |archive| {
            archives.contains(archive)
                || mutant::is_on(Mutant::JoiningCounts) && joining.contains(archive)
                || mutant::is_on(Mutant::StaleArchivesCount)
        };
        let known = self.archives.iter().filter(|(archive, _)| is_counted(archive));
        let watermarks = known.map(|(_, m)| m.persisted_watermark);
        let majority = archives.len() / 2 + 1;
        let required = if mutant::is_on(Mutant::TellBeforeArchived) { 1 } else { majority };
        let is_reached = |watermark: &Slot| {
            watermarks.clone().filter(|reached| reached >= watermark).count() >= required
        };
        watermarks.clone().filter(is_reached).max().unwrap_or(Slot::ZERO)
    }

    fn on_fetch_a(&mut self, from: NodeId, m: FetchA, fx: &mut Fx) {
        if let Phase::Phase2(phase2) = &self.phase {
            fx.send(from, ToReplica::FetchB(phase2.page(m.first)));
        }
    }

    fn on_status_a(&mut self, from: NodeId, m: StatusA, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &self.phase else { return };
        let status = StatusB {
            token: m.token,
            round: phase2.round,
            configuration: phase2.configuration.clone(),
            epoch: self.matchmakers.epoch,
            matchmakers: self.matchmakers.members.clone(),
            chosen_watermark: phase2.chosen_watermark,
            persisted_watermark: self.persisted_watermark(),
            collected_watermark: phase2.collected_watermark(),
            history_count: phase2.history.len() as u64,
            archives: self.archives.clone(),
            quarantined: phase2.histories.quarantined().clone(),
            disputed_at: phase2.histories.disputed_at(),
            healing: self.healing_status(),
        };
        fx.send(from, ToApplication::from(status));
    }

    fn on_heartbeat_timer(&mut self, fx: &mut Fx) {
        if self.leads_in().is_none() {
            return;
        }
        self.show_itself(fx);
        self.beat(fx);
        self.tell_persisted(fx);
        self.leave_if_removed(fx);
        fx.set_timer(LeaderTimer::Heartbeat, self.options.heartbeat.clone());
    }

    /// Tells everyone who leads.
    fn show_itself(&self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &self.phase else { return };
        let membership = phase2.configuration.membership();
        let round = phase2.round;
        let (configuration, is_collected) = (phase2.configuration.clone(), phase2.is_collected());
        let matchmakers = self.matchmakers.clone();
        let m = Heartbeat { round, configuration, matchmakers, is_collected };
        fx.broadcast(&membership.applications, ToApplication::from(m.clone()));
        let others = membership.proposers.iter().filter(|node| **node != self.node);
        fx.broadcast(others, ToProposer::from(m));
        fx.broadcast(&membership.sessions, ToSession::Leading(Leading { round }));
        let m = ChosenWatermark { watermark: phase2.chosen_watermark, archives: phase2.archives() };
        fx.broadcast(&membership.replicas, ToReplica::ChosenWatermark(m));
    }

    /// Leads no more. Whoever waits learns it from the next leader, or by timing out.
    fn resign(&mut self, fx: &mut Fx) {
        if let Phase::Phase2(phase2) = std::mem::replace(&mut self.phase, Phase::Idle) {
            for (node, token) in phase2.requesters() {
                let progress = Progress::Interrupted;
                fx.send(node, ToApplication::from(ReconfigureB { token, progress }));
            }
        }
        for timer in [
            LeaderTimer::Heartbeat,
            LeaderTimer::Quorum,
            LeaderTimer::Campaign,
            LeaderTimer::Resend,
            LeaderTimer::Garbage,
            LeaderTimer::Reach,
            LeaderTimer::Watch,
        ] {
            fx.cancel_timer(timer);
        }
    }

    /// Remembers `configuration`, registered in `round`, if it is newer than what is known. Leaders
    /// that did not know of one another may have given the same version to two configurations: the
    /// later round has the newer one then.
    fn learn(&mut self, round: Round, configuration: &Configuration, fx: &mut Fx) {
        let (known_round, known) = &self.newest;
        if (configuration.version(), round) > (known.version(), *known_round) {
            self.write(LeaderRecord::Newest(round, configuration.clone()), fx);
        }
    }

    fn write(&mut self, record: LeaderRecord, fx: &mut Fx) {
        fx.record(record.clone());
        self.restore(record);
    }

    fn check_invariants(&self) {
        match &self.phase {
            Phase::Idle | Phase::Asking { .. } => {}
            Phase::Matching(matching) => assert!(matching.round <= self.used, "unrecorded round"),
            Phase::Phase1(phase1) => assert!(phase1.round <= self.used, "unrecorded round"),
            Phase::Phase2(phase2) => {
                assert!(phase2.round <= self.used, "unrecorded round {}", phase2.round);
                phase2.check_invariants();
            }
        }
    }
}
