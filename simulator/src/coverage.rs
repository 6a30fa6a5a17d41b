//! Which situations a run has met: a swarm that never reaches one of them proves nothing about it.
//!
//! Situations are told from messages, records and what the world does; no role knows of them.

mod situation;
mod snapshots;

use std::collections::{BTreeMap, BTreeSet};

use matchmaker::message::{
    Epoch, FromMatchmaker, GarbageA, MatchA, Message, Progress, ToApplication, ToMatchmaker,
    ToProposer,
};
use paxos::actor::NodeId;
use paxos::command::{SessionId, Value};
use paxos::message::{FromAcceptor, FromSession, Phase2A, ToAcceptor, ToReplica};
use paxos::quorum::QuorumSystem;
use paxos::round::Round;
use paxos::slot::Slot;

use crate::plan::ProtocolName;
use crate::properties::Ghost;
pub use situation::Situation;
use snapshots::Snapshots;

/// How often each situation was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    counts: [u64; Situation::ALL.len()],
    /// In which round each process leads, if it does.
    leads: Vec<Option<Round>>,
    /// The last round for which a collection began.
    collecting: Option<Round>,
    /// The last attempt of each session.
    attempts: BTreeMap<SessionId, u64>,
    /// The highest epoch in which each round was asked for, and in which it was collected below.
    matched_in: BTreeMap<Round, Epoch>,
    collected_in: BTreeMap<Round, Epoch>,
    /// Rounds for which a matchmaker answered, and in which epoch.
    answered: BTreeSet<(Round, Epoch)>,
    /// The drivers that were at the decree of each epoch.
    drivers: BTreeMap<Epoch, BTreeSet<NodeId>>,
    /// The process of the driver that stopped each epoch first, until the next one begins, and whether
    /// it has died.
    stoppers: BTreeMap<Epoch, (usize, bool)>,
    /// The round in which a leader has shown other members than the one before, if nothing was collected
    /// since.
    changed: Option<Round>,
    /// The last round that a leader has shown.
    shown: Option<Round>,
    /// Epochs of which a member has begun.
    begun: BTreeSet<Epoch>,
    /// Snapshots on their way.
    snapshots: Snapshots,
    /// Which replica told last what it executed, and below which slot.
    marked: Option<(Slot, NodeId)>,
}

impl Default for Coverage {
    fn default() -> Self {
        Self {
            counts: [0; Situation::ALL.len()],
            leads: Vec::new(),
            collecting: None,
            attempts: BTreeMap::new(),
            matched_in: BTreeMap::new(),
            collected_in: BTreeMap::new(),
            answered: BTreeSet::new(),
            drivers: BTreeMap::new(),
            stoppers: BTreeMap::new(),
            changed: None,
            shown: None,
            begun: BTreeSet::new(),
            snapshots: Snapshots::default(),
            marked: None,
        }
    }
}

impl Coverage {
    /// How often `situation` was met.
    pub fn count(&self, situation: Situation) -> u64 {
        self.counts[situation as usize]
    }

    /// Situations that runs of `protocol` are to meet and that were never met.
    pub fn missing(&self, protocol: ProtocolName) -> Vec<Situation> {
        let all = Situation::of(protocol).map(|(situation, _)| situation);
        all.filter(|situation| self.count(*situation) == 0).collect()
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(other.counts) {
            *sum += count;
        }
    }

    /// `situation` is met.
    pub(crate) fn meet(&mut self, situation: Situation) {
        self.counts[situation as usize] += 1;
    }

    fn meet_if(&mut self, is_met: bool, situation: Situation) {
        self.counts[situation as usize] += u64::from(is_met);
    }

    /// A process dies.
    pub(crate) fn crash(&mut self, process: usize, has_unsynced: bool) {
        self.meet_if(has_unsynced, Situation::CrashWithUnsyncedRecords);
        for (stopper, is_dead) in self.stoppers.values_mut() {
            *is_dead |= *stopper == process;
        }
        if let Some(lead) = self.leads.get_mut(process)
            && let Some(round) = lead.take()
        {
            self.meet(Situation::LeaderCrashed);
            let is_right_after = self.changed == Some(round) && self.collecting < Some(round);
            self.meet_if(is_right_after, Situation::LeaderCrashedAfterChange);
        }
    }

    /// A process leads in this round, or does not lead.
    pub(crate) fn lead(&mut self, process: usize, round: Option<Round>) {
        if self.leads.len() <= process {
            self.leads.resize(process + 1, None);
        }
        let before = std::mem::replace(&mut self.leads[process], round);
        if before == round {
            return;
        }
        match (before, round) {
            (Some(_), None) => self.meet(Situation::LeaderSteppedDown),
            (None, Some(_)) => {
                self.meet(Situation::LeaderElected);
                let leaders = self.leads.iter().filter(|lead| lead.is_some()).count();
                self.meet_if(leaders > 1, Situation::TwoLeaders);
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// The operator hears of a reconfiguration.
    pub(crate) fn on_progress(&mut self, progress: &Progress) {
        self.meet(match progress {
            Progress::Active { .. } => Situation::ReconfigurationActive,
            Progress::Collected { .. } => Situation::ReconfigurationCollected,
            Progress::Interrupted => Situation::ReconfigurationInterrupted,
            Progress::Refused { .. } => Situation::ReconfigurationRefused,
            Progress::Unreachable { .. } => Situation::NewAcceptorsSilent,
        });
    }

    /// A message leaves; the judge has not seen it yet.
    pub(crate) fn on_leave(
        &mut self,
        process: usize,
        (from, to): (NodeId, NodeId),
        message: &Message,
        ghost: &Ghost,
    ) {
        self.on_snapshot((from, to), message, ghost);
        match message {
            Message::Acceptor(ToAcceptor::Phase2A(m)) => self.on_phase2a(m, ghost),
            Message::Acceptor(ToAcceptor::Phase1A(m)) => self.on_phase1a(m.round, ghost),
            Message::Proposer(ToProposer::Acceptor(m)) => self.on_acceptor(m),
            Message::Proposer(ToProposer::Matchmaker(m)) => self.on_matchmaker(m, ghost),
            Message::Proposer(ToProposer::Session(FromSession::Request(m))) => {
                let attempt = self.attempts.insert(m.submission.session, m.attempt);
                let is_new = attempt.is_some_and(|before| before < m.attempt);
                self.meet_if(is_new, Situation::SessionRetried);
            }
            Message::Proposer(ToProposer::Marked(m)) => {
                let before = self.marked.replace((m.mark.slot, from));
                let is_other =
                    before.is_some_and(|(slot, node)| slot == m.mark.slot && node != from);
                self.meet_if(is_other, Situation::HistoriesCompared);
            }
            Message::Matchmaker(m) => self.on_to_matchmaker(process, from, m, ghost),
            Message::Application(ToApplication::Heartbeat(m)) => self.on_shown(m.round, ghost),
            Message::Replica(ToReplica::FetchB(m)) => {
                // All of a process have one directory, and so one incarnation.
                let is_foreign = from.incarnation != to.incarnation;
                self.meet_if(is_foreign && !m.values.is_empty(), Situation::ValuesFetched);
            }
            Message::Acceptor(_)
            | Message::Proposer(_)
            | Message::Replica(_)
            | Message::Archive(_)
            | Message::Session(_)
            | Message::Application(_) => {}
        }
    }

    /// A leader shows its round. One with other members than the round before has just changed over.
    fn on_shown(&mut self, round: Round, ghost: &Ghost) {
        if self.shown >= Some(round) {
            return;
        }
        self.shown = Some(round);
        let Some(step) = round.step.checked_sub(1) else { return };
        let members = |round| ghost.configuration(round).map(|known| known.membership());
        if members(round) != members(Round { step, ..round }) {
            self.changed = Some(round);
            let is_in_flight = ghost.unpersisted().any(|slot| ghost.chosen_rounds(slot).is_none());
            self.meet_if(is_in_flight, Situation::MembersChangedInFlight);
        }
    }

    fn on_phase2a(&mut self, m: &Phase2A, ghost: &Ghost) {
        self.meet_if(m.value == Value::Noop, Situation::HoleFilled);
        let Some(rounds) = ghost.proposed(m.slot) else { return };
        if rounds.contains_key(&m.round) {
            return;
        }
        let is_own = |round: &Round| (round.number, round.owner) == (m.round.number, m.round.owner);
        let is_pending = ghost.chosen_rounds(m.slot).is_none();
        let is_adjacent = rounds.keys().any(is_own) && is_pending;
        self.meet_if(is_adjacent, Situation::AdjacentProposalOfPendingSlot);
        let is_adopted = rounds.keys().any(|round| !is_own(round) && *round < m.round);
        self.meet_if(is_adopted, Situation::AdoptedVote);
    }

    fn on_to_matchmaker(&mut self, process: usize, from: NodeId, m: &ToMatchmaker, ghost: &Ghost) {
        match m {
            ToMatchmaker::MatchA(m) => self.on_match_a(m),
            ToMatchmaker::GarbageA(m) => {
                let before = self.collected_in.insert(m.round, m.epoch);
                let is_again = before.is_some_and(|before| before < m.epoch);
                self.meet_if(is_again, Situation::CollectionRestarted);
                self.on_garbage_a(m, ghost);
            }
            ToMatchmaker::StopA(m) => {
                self.stoppers.entry(m.epoch).or_insert((process, false));
            }
            ToMatchmaker::DecreeA(m) => {
                let drivers = self.drivers.entry(m.epoch).or_default();
                let is_second = drivers.insert(from) && drivers.len() == 2;
                self.meet_if(is_second, Situation::TwoDrivers);
            }
            ToMatchmaker::ActivateA(m) => {
                let epoch = m.successor.generation.epoch;
                if self.begun.insert(epoch) {
                    let stopper = self.stoppers.remove(&Epoch(epoch.0 - 1));
                    let is_replaced = stopper.is_some_and(|(p, is_dead)| is_dead && p != process);
                    self.meet_if(is_replaced, Situation::DriverReplaced);
                    self.meet_if(epoch >= Epoch(3), Situation::ThirdEpoch);
                }
            }
            ToMatchmaker::OriginA(_) => self.meet(Situation::LateMember),
            ToMatchmaker::NewestA(_) | ToMatchmaker::ReachA(_) | ToMatchmaker::SucceededA(_) => {}
        }
    }

    fn on_match_a(&mut self, m: &MatchA) {
        match m.configuration.system() {
            QuorumSystem::Majority => {}
            QuorumSystem::WriteAll => self.meet(Situation::WriteAllInUse),
            QuorumSystem::Grid { .. } => self.meet(Situation::GridInUse),
        }
        let before = self.matched_in.insert(m.round, m.epoch);
        let Some(before) = before.filter(|before| *before < m.epoch) else { return };
        self.meet_if(m.round.step > 0, Situation::HandoverInReconfiguration);
        self.meet_if(m.round.step == 0, Situation::HandoverInLeaderChange);
        let is_mixed = self.answered.contains(&(m.round, before));
        self.meet_if(is_mixed, Situation::StoppedInMatchmaking);
    }

    fn on_phase1a(&mut self, round: Round, ghost: &Ghost) {
        let count = ghost.configurations_below(round);
        self.meet_if(count == 2, Situation::PhaseOneOverTwoConfigurations);
        self.meet_if(count > 2, Situation::PhaseOneOverThreeConfigurations);
    }

    fn on_acceptor(&mut self, m: &FromAcceptor) {
        match m {
            FromAcceptor::Phase1B(m) => {
                self.meet_if(!m.votes.is_empty(), Situation::PhaseOneWithVotes);
                self.meet_if(m.next.is_some(), Situation::PhaseOneInPages);
            }
            FromAcceptor::Phase2B(m) => {
                self.meet_if(m.slot < m.persisted_watermark, Situation::VoteBelowWatermark);
            }
            FromAcceptor::Nack(_) => self.meet(Situation::ProposalRefused),
            FromAcceptor::ReadB(_) | FromAcceptor::PersistedB(_) | FromAcceptor::ProbeB(_) => {}
        }
    }

    fn on_matchmaker(&mut self, m: &FromMatchmaker, ghost: &Ghost) {
        match m {
            FromMatchmaker::MatchNack(_) => self.meet(Situation::RoundRefused),
            FromMatchmaker::MatchB(m) => {
                self.answered.insert((m.round, m.epoch));
                let own = ghost.configuration(m.round).map(|c| c.version());
                let newest = m.newest.as_ref().map(|(_, c)| c.version());
                self.meet_if(newest > own, Situation::NewerConfigurationReported);
            }
            FromMatchmaker::NewestB(_)
            | FromMatchmaker::GarbageB(_)
            | FromMatchmaker::Stopped(_) => {}
        }
    }

    fn on_garbage_a(&mut self, m: &GarbageA, ghost: &Ghost) {
        if self.collecting >= Some(m.round) {
            return;
        }
        let is_overtaken = self.collecting.is_some_and(|r| ghost.collected_watermark() < r);
        self.meet_if(is_overtaken, Situation::CollectionOvertaken);
        self.collecting = Some(m.round);
        let told = ghost.told_to_quorum(m.round).min(ghost.persisted_watermark());
        self.meet_if(told.0 > 0, Situation::CollectionByScenario3);
        let is_own = |slot| ghost.chosen_rounds(slot).is_some_and(|all| all.contains(&m.round));
        let is_earlier =
            |slot| ghost.proposed(slot).is_some_and(|all| all.range(..m.round).next().is_some());
        let is_pending = |slot| ghost.chosen_rounds(slot).is_none();
        let above = || ghost.unpersisted().filter(|slot| *slot >= told);
        let is_rechosen = above().any(|slot| is_own(slot) && is_earlier(slot));
        self.meet_if(is_rechosen, Situation::CollectionByScenario1);
        let is_free = above().any(|slot| is_pending(slot) && !is_earlier(slot));
        self.meet_if(is_free, Situation::CollectionByScenario2);
    }
}
