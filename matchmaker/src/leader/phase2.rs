//! Phase 2: one batch into each slot, and the switch to the adjacent round.
//!
//! ```text
//!          base          chosen_watermark               next_slot
//!            │                  │                           │
//!  ──────────┼──────────────────┼───────────────────────────┼──────────
//!  durable on│ chosen, on their │ proposed; some are chosen │ free
//!  f + 1     │ way to archives  │ out of order              │
//! ```
//!
//! *Paper*: Matchmaker Paxos, sections 4.1 and 4.4.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use paxos::actor::NodeId;
use paxos::command::{Submission, Value};
use paxos::configuration::Configuration;
use paxos::message::{self, FETCH_BYTES_MAX, FETCH_VALUES_MAX};
use paxos::message::{Chosen, FetchB, Phase2A, Phase2B, Request, ToAcceptor, ToReplica};
use paxos::mutant::{self, Mutant};
use paxos::quorum::MemberSet;
use paxos::round::Round;
use paxos::slot::Slot;

use super::garbage::Garbage;
use super::histories::Histories;
use super::matching::{Matched, Matching, Requester};
use super::phase1::Phase1;
use super::reach::Reach;
use super::reads::Reads;
use super::watch::Watch;
use super::{Fx, Leader, LeaderLoad, LeaderOptions, LeaderTimer, Phase};
use crate::message::ReconfigureA;

/// Slots that are proposed again in one go, at most.
const RESEND_MAX: usize = 64;

/// A reconfiguration under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Next {
    /// The adjacent round.
    pub(super) matching: Matching,
    /// Who waits for it; nobody if the leader found out by itself.
    pub(super) requester: Option<Requester>,
    /// Whether the new acceptors are there.
    pub(super) reach: Reach,
}

/// A slot that was proposed in this leadership.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    /// What is proposed, the same in each round of this leadership.
    value: Value,
    /// Who voted in the present round.
    voters: MemberSet,
    /// Who voted in the round before. Late votes there still count, with that round's quorums.
    previous_voters: MemberSet,
    /// Whether a Phase 2 quorum has voted in one round.
    is_chosen: bool,
}

/// How far the requests of one session were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Admitted {
    life: u64,
    attempt: u64,
    next: u64,
}

/// The state of a leader at work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Phase2 {
    /// The present round.
    pub(super) round: Round,
    /// Its configuration.
    pub(super) configuration: Configuration,
    /// The round before the last switch, and its configuration.
    pub(super) previous: Option<(Round, Configuration)>,
    /// Earlier rounds that are not collected yet.
    pub(super) history: BTreeMap<Round, Configuration>,
    /// Slots from here on were free when the present round was entered, and in all rounds below.
    pub(super) first_free: Slot,
    /// Slots below were inherited from earlier leaders, or are known to be chosen.
    pub(super) inherited_end: Slot,
    /// The slot of the first entry. All below are chosen and durable on f + 1 archives.
    pub(super) base: Slot,
    entries: VecDeque<Entry>,
    /// All slots below are chosen. At least `base`.
    pub(super) chosen_watermark: Slot,
    /// Size of the values of all entries, in bytes.
    pub(super) tail_bytes: usize,
    /// What waits for a slot.
    requests: VecDeque<Submission>,
    /// Size of `requests` in bytes.
    requests_bytes: usize,
    admitted: BTreeMap<NodeId, Admitted>,
    /// Reads that wait for a quorum.
    pub(super) reads: Reads,
    /// How far the collection of earlier rounds is.
    pub(super) garbage: Garbage,
    /// What replicas have executed.
    pub(super) histories: Histories,
    /// The reconfiguration under way.
    pub(super) next: Option<Next>,
    /// The reconfiguration after it.
    pub(super) queued: Option<(ReconfigureA, Requester)>,
    /// Whose reconfiguration is the present configuration, if it is one of this leadership.
    pub(super) active: Option<Requester>,
    /// The chosen watermark when the resend timer was last set.
    resend_mark: Slot,
    /// Who is there.
    pub(super) watch: Watch,
}

impl Phase2 {
    /// Takes time in proportion to the slots that are inherited.
    pub(super) fn load(&self) -> LeaderLoad {
        let inherited_count = self.base.until(self.inherited_end) as usize;
        let values = self.entries.iter().take(inherited_count).map(|entry| &entry.value);
        let inherited_bytes = values.map(Value::size_bytes).sum();
        let (tail_bytes, requests_bytes) = (self.tail_bytes, self.requests_bytes);
        LeaderLoad { tail_bytes, inherited_bytes, requests_bytes }
    }

    /// The slot after the last one proposed.
    pub(super) fn next_slot(&self) -> Slot {
        self.base.plus(self.entries.len() as u64)
    }

    fn entry_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        let index = usize::try_from(slot.0.checked_sub(self.base.0)?).ok()?;
        self.entries.get_mut(index)
    }

    /// Chosen values from `first` on, as far as they are contiguous and still here.
    pub(super) fn page(&self, first: Slot) -> FetchB {
        let mut values = Vec::new();
        let mut page_bytes = 0;
        if first >= self.base {
            let chosen = self.base.until(self.chosen_watermark) as usize;
            let skipped = self.base.until(first);
            let entries = self.entries.iter().take(chosen);
            for entry in entries.skip(usize::try_from(skipped).unwrap_or(usize::MAX)) {
                page_bytes += entry.value.size_bytes();
                let is_full = page_bytes > FETCH_BYTES_MAX || values.len() == FETCH_VALUES_MAX;
                if is_full && !values.is_empty() {
                    break;
                }
                values.push(entry.value.clone());
            }
        }
        FetchB { first, values }
    }

    /// Takes a request if it continues what was taken, or starts over. Anything else is a repeat, or
    /// follows on one that was lost: its session will start over.
    fn admit(&mut self, m: Request, requests_bytes_max: usize) {
        let submission = m.submission;
        let session = submission.session;
        let known = self.admitted.get(&session.node);
        let is_next = known.is_none_or(|known| {
            let (attempt, known_attempt) = ((session.life, m.attempt), (known.life, known.attempt));
            attempt > known_attempt || (attempt == known_attempt && submission.first == known.next)
        });
        let size_bytes = submission.size_bytes();
        let is_full = self.requests_bytes + size_bytes > requests_bytes_max;
        if !is_next || (is_full && !mutant::is_on(Mutant::NoBackPressure)) {
            return;
        }
        let admitted = Admitted { life: session.life, attempt: m.attempt, next: submission.end() };
        self.admitted.insert(session.node, admitted);
        self.requests_bytes += size_bytes;
        self.requests.push_back(submission);
    }

    /// The next batch, if something waits.
    fn take_batch(&mut self, batch_bytes_max: usize) -> Option<Value> {
        let mut submissions = Vec::new();
        let mut batch_bytes = 0;
        while let Some(submission) = self.requests.front() {
            let size_bytes = submission.size_bytes();
            if batch_bytes + size_bytes > batch_bytes_max && !submissions.is_empty() {
                break;
            }
            batch_bytes += size_bytes;
            self.requests_bytes -= size_bytes;
            submissions.extend(self.requests.pop_front());
        }
        (!submissions.is_empty()).then(|| Value::batch(&submissions))
    }

    /// Whether the limits allow another slot.
    pub(super) fn has_room(&self, options: &LeaderOptions) -> bool {
        let is_short = self.chosen_watermark.until(self.next_slot()) < options.pipeline_max;
        let is_small = self.tail_bytes < options.tail_bytes_max;
        (is_short && is_small) || mutant::is_on(Mutant::NoBackPressure)
    }

    /// Adds the next slot.
    pub(super) fn push(&mut self, value: Value) -> Slot {
        let slot = self.next_slot();
        self.tail_bytes += value.size_bytes();
        let (voters, previous_voters) = (MemberSet::EMPTY, MemberSet::EMPTY);
        self.entries.push_back(Entry { value, voters, previous_voters, is_chosen: false });
        slot
    }

    pub(super) fn propose(&self, slot: Slot, fx: &mut Fx) {
        let index = self.base.until(slot) as usize;
        let value = self.entries[index].value.clone();
        if let Some((round, configuration)) = self.open_still(slot) {
            let m = Phase2A { round: *round, slot, value: value.clone() };
            fx.broadcast(configuration.members(), ToAcceptor::Phase2A(m));
            if mutant::is_on(Mutant::OldRoundGoesOn) {
                return;
            }
        }
        let m = ToAcceptor::Phase2A(Phase2A { round: self.round, slot, value });
        fx.broadcast(self.configuration.members(), m);
    }

    /// The round before, if a new slot is proposed there still: only by a fault.
    fn open_still(&self, slot: Slot) -> Option<&(Round, Configuration)> {
        let is_open = mutant::is_on(Mutant::OldRoundGoesOn) || mutant::is_on(Mutant::LateSameValue);
        self.previous.as_ref().filter(|_| is_open && slot >= self.first_free)
    }

    /// Where chosen values are durable: until earlier rounds are collected, their archives may be
    /// the only ones that have some.
    pub(super) fn archives(&self) -> BTreeSet<NodeId> {
        let history = self.history.values().filter(|_| !mutant::is_on(Mutant::FetchFromNewOnly));
        let earlier = history.flat_map(|earlier| &earlier.membership().archives);
        earlier.chain(&self.configuration.membership().archives).copied().collect()
    }

    /// Whether each slot below `slot` has a vote.
    pub(super) fn has_votes_below(&self, slot: Slot) -> bool {
        let count = self.base.until(slot) as usize;
        let mut entries = self.entries.iter().take(count);
        entries.all(|entry| entry.is_chosen || entry.voters.count() > 0)
    }

    /// Counts a vote; the value, if that has made it chosen.
    fn count(&mut self, from: NodeId, m: &Phase2B) -> Option<Value> {
        let is_present = m.round == self.round || mutant::is_on(Mutant::EarlierVoteCounts);
        let configuration = if is_present {
            &self.configuration
        } else {
            let (round, configuration) = self.previous.as_ref()?;
            (m.round == *round).then_some(configuration)?
        };
        let position = configuration.position(from)?;
        let index = usize::try_from(m.slot.0.checked_sub(self.base.0)?).ok()?;
        let entry = self.entries.get_mut(index).filter(|entry| !entry.is_chosen)?;
        let voters = if is_present { &mut entry.voters } else { &mut entry.previous_voters };
        voters.insert(if mutant::is_on(Mutant::CountMessages) { voters.count() } else { position });
        entry.is_chosen = configuration.is_phase2(*voters);
        entry.is_chosen.then(|| entry.value.clone())
    }

    /// Raises the chosen watermark over what is chosen without a gap.
    fn advance(&mut self) {
        while let Some(entry) = self.entries.get(self.base.until(self.chosen_watermark) as usize) {
            if !entry.is_chosen {
                break;
            }
            self.chosen_watermark = self.chosen_watermark.next();
        }
    }

    /// Drops what is durable on f + 1 archives: it is chosen, whether or not this leader saw it.
    fn trim(&mut self, persisted_watermark: Slot) {
        while self.base < persisted_watermark {
            let Some(entry) = self.entries.pop_front() else { break };
            self.tail_bytes -= entry.value.size_bytes();
            self.base = self.base.next();
        }
        self.chosen_watermark = self.chosen_watermark.max(self.base);
        self.advance();
    }

    /// Settles at a switch what is free in the adjacent round: all that was never proposed.
    fn close(&mut self) {
        if mutant::is_on(Mutant::ProposedSlotFreed) {
            self.entries.truncate(self.base.until(self.chosen_watermark) as usize);
        }
        if mutant::is_on(Mutant::KnownSlotFreed) {
            (self.base, self.chosen_watermark) = (Slot::ZERO, Slot::ZERO);
            self.entries.clear();
        }
        if !mutant::is_on(Mutant::CollectByOldFreedom) {
            self.first_free = self.next_slot();
        }
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.base <= self.chosen_watermark, "{} {}", self.base, self.chosen_watermark);
        assert!(self.chosen_watermark <= self.next_slot(), "chosen and never proposed");
        if let Some(next) = &self.next {
            assert!(next.matching.round == self.round.adjacent(), "{}", next.matching.round);
        }
    }
}

impl Leader {
    /// Leads: proposes what Phase 1 found, fills the holes, and serves from the slot after it.
    pub(super) fn start_phase2(&mut self, phase1: Phase1, fx: &mut Fx) {
        let base = phase1.persisted_watermark.max(self.persisted_watermark());
        let last = phase1.votes.last_key_value().map(|(slot, _)| *slot);
        let last = last.filter(|_| !mutant::is_on(Mutant::ReuseVotedSlot));
        let end = last.map_or(base, |slot| slot.next().max(base));
        let mut votes = phase1.votes;
        let mut phase2 = Phase2 {
            round: phase1.round,
            configuration: phase1.configuration,
            previous: None,
            history: phase1.history,
            first_free: if mutant::is_on(Mutant::CollectDespiteVotes) { base } else { end },
            inherited_end: end,
            base,
            entries: VecDeque::new(),
            chosen_watermark: base,
            tail_bytes: 0,
            requests: VecDeque::new(),
            requests_bytes: 0,
            admitted: BTreeMap::new(),
            reads: Reads::default(),
            garbage: Garbage::new(phase1.collected_watermark),
            histories: Histories::default(),
            next: None,
            queued: None,
            active: None,
            resend_mark: base,
            watch: Watch::new(phase1.round),
        };
        for slot in (base.0..end.0).map(Slot) {
            let vote = votes.remove(&slot).filter(|_| !mutant::is_on(Mutant::FillHolesBlindly));
            let value = vote.map_or(Value::Noop, |(_, value)| value);
            phase2.push(value);
            phase2.propose(slot, fx);
        }
        self.phase = Phase::Phase2(Box::new(phase2));
        fx.cancel_timer(LeaderTimer::Campaign);
        fx.set_timer(LeaderTimer::Heartbeat, self.options.heartbeat.clone());
        fx.set_timer(LeaderTimer::Resend, self.options.resend.clone());
        let quorum_timeout = self.options.quorum_timeout;
        fx.set_timer(LeaderTimer::Quorum, quorum_timeout..quorum_timeout);
        self.show_itself(fx);
        self.beat(fx);
        self.start_garbage(fx);
        self.start_watch(fx);
        self.follow_newest(fx);
    }

    /// Moves on to a configuration that is newer than the present one: some earlier leader was on
    /// its way there.
    pub(super) fn follow_newest(&mut self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &self.phase else { return };
        let is_behind = self.newest.1.version() > phase2.configuration.version();
        if is_behind && phase2.next.is_none() {
            self.start_next(self.newest.1.clone(), None, Reach::Trusted, fx);
        }
    }

    /// Enters the adjacent round: closes the present one for good, and proposes slots in flight
    /// again, with the same values.
    ///
    /// *Deviation from the paper*: no Phase 1. Safe because the present round is settled for every
    /// slot: it has proposed one value in each slot below `next_slot` and none above, Phase 1 of the
    /// first round of this leadership excluded all else below, and nothing lies between a round and
    /// its adjacent one (`docs/architecture.md`). What was voted in the round before still counts,
    /// with its own quorums; nothing new is proposed there.
    pub(super) fn switch(
        &mut self,
        matching: Matching,
        matched: Matched,
        requester: Option<Requester>,
        fx: &mut Fx,
    ) {
        self.learn(matching.round, &matching.configuration, fx);
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        assert!(matching.round == phase2.round.adjacent(), "{} is not adjacent", matching.round);
        let round = std::mem::replace(&mut phase2.round, matching.round);
        let configuration = std::mem::replace(&mut phase2.configuration, matching.configuration);
        phase2.previous = Some((round, configuration));
        phase2.history = matched.history;
        phase2.close();
        for entry in phase2.entries.iter_mut().filter(|entry| !entry.is_chosen) {
            entry.previous_voters = std::mem::take(&mut entry.voters);
        }
        for slot in (phase2.chosen_watermark.0..phase2.next_slot().0).map(Slot) {
            if phase2.entry_mut(slot).is_some_and(|entry| !entry.is_chosen) {
                phase2.propose(slot, fx);
            }
        }
        let history_count = phase2.history.len() as u64;
        phase2.active = requester;
        if let Some(requester) = requester {
            phase2.report_active(requester, history_count, fx);
        }
        self.restart_reads(fx);
        self.start_garbage(fx);
        // Only now: before, the collection of the round that was left may have been complete.
        if let (Some(requester), Phase::Phase2(phase2)) = (requester, &mut self.phase) {
            phase2.watch_collection(requester, fx);
        }
        self.finish_acceptor(fx);
        self.show_itself(fx);
    }

    /// Takes commands, if it leads. Sessions find the leader by its heartbeats.
    pub(super) fn on_request(&mut self, m: Request) {
        if let Phase::Phase2(phase2) = &mut self.phase {
            phase2.admit(m, self.options.requests_bytes_max);
        }
    }

    /// Gives what waits a slot, as far as the limits allow.
    pub(super) fn propose_requests(&mut self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        while phase2.has_room(&self.options) {
            let Some(value) = phase2.take_batch(self.options.batch_bytes_max) else { return };
            let slot = phase2.push(value);
            phase2.propose(slot, fx);
        }
    }

    /// Counts a vote, and spreads the value once it is chosen.
    ///
    /// A reply from below the acceptor's persisted watermark is no vote. It teaches that everything
    /// below is chosen, which ends this leader's effort there; garbage collection takes it for no
    /// more than that, and tells the watermark to a quorum of its own (`garbage.rs`).
    pub(super) fn on_phase2b(&mut self, from: NodeId, m: &Phase2B, fx: &mut Fx) {
        if self.leads_in().is_none_or(|round| m.round > round) || m.round.owner != self.node {
            return;
        }
        self.raise_persisted(m.persisted_watermark, fx);
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        if m.slot < m.persisted_watermark {
            return self.advance_garbage(fx);
        }
        let Some(value) = phase2.count(from, m) else { return };
        let chosen = ToReplica::Chosen(Chosen { slot: m.slot, value });
        fx.broadcast(&phase2.configuration.membership().replicas, chosen);
        phase2.advance();
        self.advance_garbage(fx);
    }

    /// Drops what is durable on f + 1 archives. If that is more than was proposed here, someone else
    /// has been leading since.
    pub(super) fn raise_persisted(&mut self, watermark: Slot, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        if watermark > phase2.next_slot() {
            return self.resign(fx);
        }
        phase2.trim(watermark);
    }

    /// Sends again what nobody answered: to everyone, since an acceptor answers a repeat with what
    /// it has recorded.
    pub(super) fn on_resend(&mut self, fx: &mut Fx) {
        match &self.phase {
            Phase::Idle => return,
            Phase::Asking { .. } => self.inquire(fx),
            Phase::Matching(matching) => self.resend_match_a(matching, fx),
            Phase::Phase1(phase1) => self.resend_phase1a(phase1, fx),
            Phase::Phase2(phase2) => {
                phase2.ask_new_acceptors(fx);
                if let Some(next) = &phase2.next {
                    self.resend_match_a(&next.matching, fx);
                }
                if phase2.resend_mark == phase2.chosen_watermark {
                    phase2.propose_unchosen_again(fx);
                }
            }
        }
        if let Phase::Phase2(phase2) = &mut self.phase {
            phase2.resend_mark = phase2.chosen_watermark;
        }
        fx.set_timer(LeaderTimer::Resend, self.options.resend.clone());
    }
}

impl Phase2 {
    fn propose_unchosen_again(&self, fx: &mut Fx) {
        let unchosen = (self.chosen_watermark.0..self.next_slot().0)
            .map(Slot)
            .filter(|slot| !self.entries[self.base.until(*slot) as usize].is_chosen);
        for slot in unchosen.take(RESEND_MAX) {
            let index = self.base.until(slot) as usize;
            let entry = &self.entries[index];
            let m = message::Phase2A { round: self.round, slot, value: entry.value.clone() };
            let silent = self.configuration.members().iter().enumerate();
            let silent = silent.filter(|(position, _)| !entry.voters.contains(*position));
            fx.broadcast(silent.map(|(_, node)| node), ToAcceptor::Phase2A(m));
        }
    }
}
