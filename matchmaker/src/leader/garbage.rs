//! Garbage collection of configurations: earlier acceptors become unnecessary, and are told so.
//!
//! `GarbageA(j)` makes the matchmakers forget all rounds below j, so no later Phase 1 asks their
//! acceptors. It is sent only when no slot needs them:
//!
//! - slots from `first_free` on: nothing was proposed there in any round below j, nor will be;
//! - slots below: chosen, durable on f + 1 archives, *and* a Phase 2 quorum of the configuration of
//!   **j** was told so. Having told the configuration before it does not count, nor does one
//!   acceptor that knew it already.
//!
//! It needs no client traffic to finish, and delays none.
//!
//! *Paper*: Matchmaker Paxos, sections 3.5 (scenarios 2 and 3) and 4.5; the rules for adjacent rounds
//! are in `docs/architecture.md`.

use std::collections::{BTreeMap, BTreeSet};

use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::message::{ArchivedA, PersistedA, PersistedB, ToAcceptor, ToArchive};
use paxos::mutant::{self, Mutant};
use paxos::round::Round;
use paxos::slot::Slot;

use super::matching::Requester;
use super::phase2::Phase2;
use super::{Fx, Leader, LeaderTimer, Phase};
use crate::message::{
    CollectedA, GarbageA, GarbageB, Progress, ReconfigureB, ToApplication, ToMatchmaker,
};

/// Operators that wait for the end of a collection, at most; the earliest is forgotten beyond that.
const WATCHERS_MAX: usize = 1024;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// Waits until all slots below `first_free` are durable on f + 1 archives.
    Persisting {
        /// Whether the archives were asked to hurry.
        is_asked: bool,
    },
    /// Tells the acceptors so.
    Telling,
    /// Tells the matchmakers to forget.
    Collecting {
        /// Matchmakers that have.
        answers: BTreeSet<NodeId>,
    },
    /// All earlier rounds are collected.
    Done,
}

/// How far the collection is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Garbage {
    stage: Stage,
    /// Up to where each acceptor of the present configuration was told that slots are persisted.
    told: BTreeMap<NodeId, Slot>,
    /// The highest watermark that was sent to the present configuration.
    sent: Slot,
    /// Rounds below are collected, as far as this leader knows.
    collected_watermark: Round,
    /// Those with a part in the collected rounds that have none in the present configuration.
    retirable: BTreeSet<NodeId>,
    /// Operators that wait for the end.
    watchers: Vec<Requester>,
}

impl Garbage {
    pub(super) fn new(collected_watermark: Round) -> Self {
        Self {
            stage: Stage::Persisting { is_asked: false },
            told: BTreeMap::new(),
            sent: Slot::ZERO,
            collected_watermark,
            retirable: BTreeSet::new(),
            watchers: Vec::new(),
        }
    }
}

impl Phase2 {
    /// Rounds below are collected, as far as this leader knows.
    pub(super) fn collected_watermark(&self) -> Round {
        self.garbage.collected_watermark
    }

    /// Whether all earlier rounds are collected.
    pub(super) fn is_collected(&self) -> bool {
        self.garbage.stage == Stage::Done
    }

    /// Tells `requester` when all earlier rounds are collected, now if they are.
    pub(super) fn watch_collection(&mut self, requester: Requester, fx: &mut Fx) {
        let is_earlier = self.garbage.collected_watermark > Round::ZERO;
        let is_hasty = is_earlier && mutant::is_on(Mutant::EarlierCollectionReported);
        if self.garbage.stage == Stage::Done || is_hasty {
            return self.report_collected(requester, fx);
        }
        if !self.garbage.watchers.contains(&requester) {
            self.garbage.watchers.push(requester);
        }
        if self.garbage.watchers.len() > WATCHERS_MAX {
            self.garbage.watchers.remove(0);
        }
    }

    fn report_collected(&self, requester: Requester, fx: &mut Fx) {
        let progress = Progress::Collected {
            watermark: self.garbage.collected_watermark,
            retirable: self.garbage.retirable.clone(),
        };
        let m = ReconfigureB { token: requester.token, progress };
        fx.send(requester.node, ToApplication::from(m));
    }

    /// Up to where slots must be persisted before the collection: those above are free.
    fn required_watermark(&self) -> Slot {
        if mutant::is_on(Mutant::CollectByFirstSlot) {
            return self.first_free.min(Slot::ZERO.next());
        }
        if mutant::is_on(Mutant::CollectBehindTraffic) {
            return self.first_free.next();
        }
        self.first_free
    }

    /// Whether a Phase 2 quorum of the present configuration knows that all slots below `first_free`
    /// are persisted.
    fn is_told(&self) -> bool {
        let required = self.required_watermark();
        let told = self.garbage.told.iter();
        let informed = told.filter(|(_, slot)| **slot >= required).map(|(node, _)| node);
        let configuration = self.informed_configuration();
        let set = configuration.members_among(informed);
        let has_switched = self.previous.is_some();
        let is_skipped = mutant::is_on(Mutant::CollectUntold)
            || (mutant::is_on(Mutant::CollectUntoldAfterSwitch) && has_switched);
        let is_known = required == Slot::ZERO || configuration.is_phase2(set);
        is_known || is_skipped || self.is_licence_assumed()
    }

    /// Whether it collects without the licence of the slots that are not free: only by a fault.
    fn is_licence_assumed(&self) -> bool {
        let has_switched = self.previous.is_some();
        (mutant::is_on(Mutant::CollectAfterSwitch) && has_switched)
            || (mutant::is_on(Mutant::CollectByOldChoice)
                && has_switched
                && self.chosen_watermark >= self.first_free)
            || (mutant::is_on(Mutant::CollectAfterOneVote) && self.has_votes_below(self.first_free))
    }

    /// The acceptors that are told what is persisted.
    fn informed_configuration(&self) -> &Configuration {
        let is_old = mutant::is_on(Mutant::TellOldOnly);
        let previous = self.previous.as_ref().filter(|_| is_old);
        previous.map_or(&self.configuration, |(_, configuration)| configuration)
    }

    /// The matchmakers are others now: what a minority of the earlier ones has collected need not have
    /// come over. What a majority has, did.
    pub(super) fn collect_again(&mut self) {
        if let Stage::Collecting { answers } = &mut self.garbage.stage
            && !mutant::is_on(Mutant::CollectionSurvivesHandover)
        {
            answers.clear();
        }
    }

    fn tell(&mut self, watermark: Slot, fx: &mut Fx) {
        self.garbage.sent = watermark;
        let m = ToAcceptor::PersistedA(PersistedA { watermark });
        fx.broadcast(self.informed_configuration().members(), m);
    }
}

impl Leader {
    /// Starts over for a round that was just entered. What was told to the configuration before it
    /// counts for nothing.
    pub(super) fn start_garbage(&mut self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        phase2.garbage.stage = Stage::Persisting { is_asked: false };
        phase2.garbage.told.clear();
        phase2.garbage.sent = Slot::ZERO;
        fx.set_timer(LeaderTimer::Garbage, self.options.garbage.clone());
        self.advance_garbage(fx);
    }

    /// Takes every step that is possible now.
    pub(super) fn advance_garbage(&mut self, fx: &mut Fx) {
        let keeps_spares = self.options.healing.is_on;
        let majority = self.matchmakers.majority();
        let Phase::Phase2(phase2) = &self.phase else { return };
        if phase2.is_collected() {
            return;
        }
        let persisted_watermark = self.persisted_for_collection();
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        if let Stage::Persisting { is_asked } = phase2.garbage.stage {
            let watermark = phase2.required_watermark();
            if persisted_watermark >= watermark || phase2.is_licence_assumed() {
                phase2.garbage.stage = Stage::Telling;
                if watermark > Slot::ZERO {
                    phase2.tell(persisted_watermark, fx);
                }
            } else if phase2.chosen_watermark >= watermark && !is_asked {
                phase2.garbage.stage = Stage::Persisting { is_asked: true };
                let m = ToArchive::ArchivedA(ArchivedA { watermark });
                fx.broadcast(&phase2.configuration.membership().archives, m);
            }
        }
        if phase2.garbage.stage == Stage::Telling && phase2.is_told() {
            phase2.garbage.stage = Stage::Collecting { answers: BTreeSet::new() };
            self.resend_garbage_a(fx);
        }
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        if let Stage::Collecting { answers } = &phase2.garbage.stage
            && answers.len() >= majority
        {
            phase2.finish_collection(keeps_spares, fx);
        }
    }

    /// All slots below are durable on f + 1 archives of the present configuration.
    fn persisted_for_collection(&self) -> Slot {
        if mutant::is_on(Mutant::CollectByOldArchives)
            && let Phase::Phase2(phase2) = &self.phase
            && let Some((_, before)) = &phase2.previous
        {
            return self.persisted_among(&before.membership().archives);
        }
        self.persisted_watermark()
    }

    pub(super) fn on_persisted_b(&mut self, from: NodeId, m: &PersistedB, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        if phase2.informed_configuration().position(from).is_none() {
            return;
        }
        let told = phase2.garbage.told.entry(from).or_default();
        *told = (*told).max(m.watermark);
        self.advance_garbage(fx);
    }

    /// Counts a matchmaker that has forgotten all rounds below the present one.
    pub(super) fn on_garbage_b(&mut self, from: NodeId, m: GarbageB, fx: &mut Fx) {
        if !self.is_matchmaker(from, m.epoch) {
            return;
        }
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        let Stage::Collecting { answers } = &mut phase2.garbage.stage else { return };
        if m.watermark >= phase2.round {
            answers.insert(from);
        }
        self.advance_garbage(fx);
    }

    /// Asks the matchmakers to forget, if the collection is that far.
    pub(super) fn resend_garbage_a(&self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &self.phase else { return };
        if matches!(phase2.garbage.stage, Stage::Collecting { .. }) {
            let m = GarbageA { epoch: self.matchmakers.epoch, round: phase2.round };
            fx.broadcast(&self.matchmakers.members, ToMatchmaker::GarbageA(m));
        }
    }

    /// Answers at the end of the present collection, now if it has ended.
    pub(super) fn on_collected_a(&mut self, from: NodeId, m: CollectedA, fx: &mut Fx) {
        if let Phase::Phase2(phase2) = &mut self.phase {
            phase2.watch_collection(Requester { node: from, token: m.token }, fx);
        }
    }

    /// Tells acceptors how far the archives are, so that they can drop votes. Once a heartbeat.
    pub(super) fn tell_persisted(&mut self, fx: &mut Fx) {
        let watermark = self.persisted_watermark();
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        if watermark > phase2.garbage.sent {
            phase2.tell(watermark, fx);
        }
        let membership = phase2.configuration.membership();
        if watermark < phase2.chosen_watermark || !membership.joining.is_empty() {
            let m = ToArchive::ArchivedA(ArchivedA { watermark: Slot::ZERO });
            fx.broadcast(membership.every_archive(), m);
        }
    }

    /// Sends again what the present stage waits for.
    pub(super) fn on_garbage_timer(&mut self, fx: &mut Fx) {
        let watermark = self.persisted_watermark();
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        match &mut phase2.garbage.stage {
            Stage::Persisting { is_asked } => *is_asked = false,
            Stage::Telling => phase2.tell(watermark, fx),
            Stage::Collecting { .. } => self.resend_garbage_a(fx),
            Stage::Done => return,
        }
        fx.set_timer(LeaderTimer::Garbage, self.options.garbage.clone());
        self.advance_garbage(fx);
    }
}

impl Phase2 {
    /// Earlier rounds are collected. Spares that this leader may have vote again by itself are not
    /// reported as retirable.
    fn finish_collection(&mut self, keeps_spares: bool, fx: &mut Fx) {
        self.garbage.stage = Stage::Done;
        self.garbage.collected_watermark = self.round;
        let earlier = self.history.values().flat_map(Configuration::nodes);
        let spares = &self.configuration.membership().acceptors;
        let is_needed =
            |node: &NodeId| self.is_wanted(*node) || (keeps_spares && spares.contains(node));
        self.garbage.retirable = earlier.filter(|node| !is_needed(node)).copied().collect();
        self.history.clear();
        for requester in std::mem::take(&mut self.garbage.watchers) {
            self.report_collected(requester, fx);
        }
    }
}
