//! Matchmaking: registering the configuration of a round, and learning the earlier ones.
//!
//! It happens twice: on the way to leadership, before Phase 1, and behind the back of a leader at
//! work, whose round goes on until the next one is registered.
//!
//! *Paper*: Matchmaker Paxos, sections 2.4 and 4.4.

use std::collections::BTreeMap;
use std::sync::Arc;

use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::membership::Membership;
use paxos::message::{ArchivedA, Phase1A, ToAcceptor, ToArchive};
use paxos::mutant::{self, Mutant};
use paxos::quorum::MemberSet;
use paxos::round::Round;
use paxos::slot::Slot;

use super::phase2::{Next, Phase2};
use super::reach::Reach;
use super::{Fx, Leader, LeaderRecord, LeaderTimer, Phase};
use crate::message::{
    Change, MatchA, MatchB, MatchNack, NewestA, NewestB, Progress, ReconfigureA, ReconfigureB,
    ToApplication, ToMatchmaker,
};

/// A round on its way to being registered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Matching {
    /// The round.
    pub(super) round: Round,
    /// Its configuration, the same in every retry.
    pub(super) configuration: Configuration,
    /// The answers, by matchmaker.
    pub(super) answers: BTreeMap<NodeId, MatchB>,
}

/// Who asked for a reconfiguration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Requester {
    /// Where the answer goes.
    pub(super) node: NodeId,
    /// Names the request.
    pub(super) token: u64,
}

/// What a majority of the matchmakers said together.
pub(super) struct Matched {
    /// The earlier configurations that may have chosen something.
    pub(super) history: BTreeMap<Round, Configuration>,
    /// Rounds below are collected.
    pub(super) watermark: Round,
}

impl Matching {
    pub(super) fn new(round: Round, configuration: Configuration) -> Self {
        Self { round, configuration, answers: BTreeMap::new() }
    }

    /// The union of the histories, from the highest of the watermarks on, without older configurations
    /// than that one's. The lowest would bring back rounds that others have seen collected.
    fn matched(&self) -> Matched {
        let watermarks = self.answers.values().map(|m| m.watermark);
        let lowest = watermarks.clone().min().filter(|_| mutant::is_on(Mutant::LowestWatermark));
        let watermark = lowest.or(watermarks.max()).unwrap_or(Round::ZERO);
        let heard = if mutant::is_on(Mutant::HistoryOfOne) { 1 } else { self.answers.len() };
        let mut history: BTreeMap<Round, Configuration> = self
            .answers
            .values()
            .take(heard)
            .flat_map(|m| m.history.range(watermark..))
            .map(|(round, configuration)| (*round, configuration.clone()))
            .collect();
        // A majority has registered the round of the watermark, and refuses older configurations since. One
        // that others have registered above can never be matched, and its acceptors may be gone.
        let floor = history.get(&watermark).map(Configuration::version);
        if !mutant::is_on(Mutant::AskVoidRounds) {
            history.retain(|_, configuration| Some(configuration.version()) >= floor);
        }
        Matched { history, watermark }
    }

    /// Why `m` cannot be: it shows a round that is not below, or another configuration of a round.
    fn contradiction(&self, m: &MatchB) -> Option<String> {
        if m.history.last_key_value().is_some_and(|(round, _)| *round >= m.round) {
            return Some(format!("the history of {} reaches above it", m.round));
        }
        let mut others = self.answers.values();
        others.find_map(|other| {
            let differs = |(round, configuration): &(&Round, &Configuration)| {
                other.history.get(*round).is_some_and(|known| known != *configuration)
            };
            let (round, _) = m.history.iter().find(differs)?;
            Some(format!("round {round} has two configurations"))
        })
    }
}

impl Leader {
    /// Tries to become the leader. First of all it asks which configuration is the newest: one
    /// that is long gone must not be registered again.
    pub fn campaign(&mut self, fx: &mut Fx) {
        self.phase = Phase::Asking { answers: [].into(), highest: self.seen };
        self.inquire(fx);
        // What the archives have need not be shown in Phase 1, nor be proposed again.
        let m = ArchivedA { watermark: Slot::ZERO };
        fx.broadcast(self.membership().every_archive(), ToArchive::ArchivedA(m));
        fx.set_timer(LeaderTimer::Campaign, self.options.campaign.clone());
        fx.set_timer(LeaderTimer::Resend, self.options.resend.clone());
    }

    /// Asks which configuration is the newest, without campaigning: the acceptors that this proposer
    /// knows may all be gone, and then nobody else tells it of others.
    pub fn inquire(&self, fx: &mut Fx) {
        let m = NewestA { epoch: self.matchmakers.epoch };
        fx.broadcast(&self.matchmakers.members, ToMatchmaker::NewestA(m));
    }

    /// Registers a round once a majority has answered; or gives up if there are newer acceptors than
    /// those it has looked for a leader at.
    pub(super) fn on_newest_b(&mut self, from: NodeId, m: NewestB, fx: &mut Fx) {
        let majority = self.matchmakers.majority();
        if !self.is_matchmaker(from, m.epoch) {
            return;
        }
        if self.phase == Phase::Idle
            && let Some((round, newest)) = &m.newest
        {
            self.learn(*round, newest, fx);
        }
        let Phase::Asking { answers, highest } = &mut self.phase else { return };
        *highest = (*highest).max(m.round.unwrap_or(Round::ZERO));
        answers.insert(from);
        let (is_enough, highest) = (answers.len() >= majority, *highest);
        if let Some((round, newest)) = m.newest {
            let before = self.newest.1.clone();
            self.learn(round, &newest, fx);
            if self.newest.1 != before {
                return self.resign(fx);
            }
        }
        if is_enough {
            let round = Round::first_above(highest.max(self.seen), self.node);
            self.start_matching(round, self.newest.1.clone(), fx);
        }
    }

    fn start_matching(&mut self, round: Round, configuration: Configuration, fx: &mut Fx) {
        assert!(round > self.used, "{round} is not above {}", self.used);
        self.write(LeaderRecord::Used(round), fx);
        self.send_match_a(round, &configuration, fx);
        if mutant::is_on(Mutant::Phase1BeforeMatching) {
            let m = Phase1A { round, first: self.persisted_watermark() };
            fx.broadcast(configuration.members(), ToAcceptor::Phase1A(m));
        }
        self.phase = Phase::Matching(Matching::new(round, configuration));
        fx.set_timer(LeaderTimer::Campaign, self.options.campaign.clone());
        fx.set_timer(LeaderTimer::Resend, self.options.resend.clone());
    }

    fn send_match_a(&self, round: Round, configuration: &Configuration, fx: &mut Fx) {
        let m =
            MatchA { epoch: self.matchmakers.epoch, round, configuration: configuration.clone() };
        fx.broadcast(&self.matchmakers.members, ToMatchmaker::from(m));
    }

    /// Sends `MatchA` again for what is on its way.
    pub(super) fn resend_match_a(&self, matching: &Matching, fx: &mut Fx) {
        let is_other = mutant::is_on(Mutant::RetryOtherConfiguration);
        let configuration =
            if is_other { &self.deployment.initial } else { &matching.configuration };
        self.send_match_a(matching.round, configuration, fx);
    }

    /// Counts an answer for the round on its way, whichever it is.
    pub(super) fn on_match_b(&mut self, from: NodeId, m: MatchB, fx: &mut Fx) {
        if !self.is_matchmaker(from, m.epoch) {
            return;
        }
        let Some(matching) = self.matching_mut() else { return };
        if m.round != matching.round && !mutant::is_on(Mutant::EarlierMatchBCounts) {
            return;
        }
        if let Some(contradiction) = matching.contradiction(&m) {
            return fx.violation("A4 one configuration per round", contradiction);
        }
        let newest = m.newest.clone();
        matching.answers.insert(from, m);
        if let Some((round, newest)) = newest {
            self.learn(round, &newest, fx);
        }
        self.finish_matching(fx);
    }

    /// The round on its way, whichever it is.
    fn matching_mut(&mut self) -> Option<&mut Matching> {
        match &mut self.phase {
            Phase::Matching(matching) => Some(matching),
            Phase::Phase2(phase2) => phase2.next.as_mut().map(|next| &mut next.matching),
            Phase::Idle | Phase::Asking { .. } | Phase::Phase1(_) => None,
        }
    }

    /// Goes on once a majority of the matchmakers has answered, and, for new acceptors, those as well.
    pub(super) fn finish_matching(&mut self, fx: &mut Fx) {
        let majority = self.matchmakers.majority();
        let is_enough = self.matching_mut().is_some_and(|matching| {
            let missing = usize::from(mutant::is_on(Mutant::MatchWithMinority));
            matching.answers.len() + missing >= majority
        });
        if !is_enough && !mutant::is_on(Mutant::SwitchBeforeMatching) {
            return;
        }
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Matching(matching) => {
                let matched = matching.matched();
                self.start_phase1(matching.round, matching.configuration, matched, fx);
            }
            Phase::Phase2(mut phase2) => {
                let next = phase2.next.take_if(|next| next.is_decided());
                let left = phase2.configuration.clone();
                self.phase = Phase::Phase2(phase2);
                let Some(next) = next else { return };
                let matched = next.matching.matched();
                fx.cancel_timer(LeaderTimer::Reach);
                self.switch(next.matching, matched, next.requester, fx);
                self.go_on((next.reach == Reach::Silent).then_some(left), fx);
            }
            phase @ (Phase::Idle | Phase::Asking { .. } | Phase::Phase1(_)) => self.phase = phase,
        }
    }

    /// A higher round is registered, or a newer configuration than that of this one, so it never will
    /// be: campaigns anew, above it.
    ///
    /// A leader at work cannot stay in its series of adjacent rounds then; commands in flight are
    /// found by its Phase 1 or sent again by their sessions. It asks for the newest configuration
    /// first, as in any campaign: whoever has the higher round may have replaced the acceptors.
    pub(super) fn on_match_nack(&mut self, m: MatchNack, fx: &mut Fx) {
        if m.epoch != self.matchmakers.epoch {
            return;
        }
        self.seen = self.seen.max(m.highest);
        if let Some((round, newest)) = &m.newest {
            self.learn(*round, newest, fx);
        }
        let newest = self.newest.1.version();
        let Some(matching) = self.matching_mut().filter(|matching| matching.round == m.round)
        else {
            return;
        };
        if m.highest > m.round || newest > matching.configuration.version() {
            if mutant::is_on(Mutant::SwitchOverForeignRound)
                && let Phase::Phase2(phase2) = &mut self.phase
                && let Some(next) = phase2.next.take()
            {
                return self.start_next(
                    next.matching.configuration,
                    next.requester,
                    next.reach,
                    fx,
                );
            }
            self.resign(fx);
            // The newer configuration may be without this proposer.
            if self.is_proposer() {
                self.campaign(fx);
            }
        }
    }

    /// Begins a reconfiguration, or queues it behind the one under way.
    ///
    /// *Repeat*: the same request of the same operator is not begun twice. Another request for the
    /// acceptors that are in place is carried out like any other: an earlier leader may have
    /// registered others at a minority of the matchmakers, and only a newer version outdoes those.
    pub(super) fn on_reconfigure_a(&mut self, from: NodeId, m: ReconfigureA, fx: &mut Fx) {
        let requester = Requester { node: from, token: m.token };
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        if phase2.next.as_ref().is_some_and(|next| next.requester == Some(requester)) {
            return;
        }
        if phase2.next.is_none() && phase2.active == Some(requester) {
            let history_count = phase2.history.len() as u64;
            phase2.report_active(requester, history_count, fx);
            return phase2.watch_collection(requester, fx);
        }
        if phase2.next.is_some() {
            let superseded = phase2.queued.replace((m, requester));
            if let Some((_, earlier)) = superseded.filter(|(_, earlier)| *earlier != requester) {
                earlier.refuse("a later reconfiguration took its place in the queue".into(), fx);
            }
            return;
        }
        self.start_reconfiguration(m, requester, fx);
    }

    /// Registers what was asked for, unless it is not possible.
    pub(super) fn start_reconfiguration(
        &mut self,
        m: ReconfigureA,
        requester: Requester,
        fx: &mut Fx,
    ) {
        match self.next_configuration(m) {
            Ok(configuration) => {
                let asked = Reach::Asked(MemberSet::EMPTY);
                self.start_next(configuration, Some(requester), asked, fx);
            }
            Err(reason) => requester.refuse(reason, fx),
        }
    }

    /// The configuration that `m` asks for, under a version of its own.
    ///
    /// *Errors*: why it is not possible.
    fn next_configuration(&self, m: ReconfigureA) -> Result<Configuration, String> {
        let newest = self.newest.1.version();
        let configuration = Configuration::new(newest + 1, m.system, m.members)
            .map_err(|error| error.to_string())?;
        let Some(Change { seen, membership }) = m.change else {
            return Ok(configuration.with_membership(Arc::clone(self.membership())));
        };
        if seen != newest && !mutant::is_on(Mutant::SeenIgnored) {
            return Err(format!(
                "the configuration has changed from version {seen} to {newest} meanwhile: look at \
                 the status and ask again"
            ));
        }
        self.check_membership(&membership)?;
        Ok(configuration.with_membership(membership))
    }

    /// *Errors*: why the cluster could not go on with `membership`.
    fn check_membership(&self, membership: &Membership) -> Result<(), String> {
        if !membership.proposers.contains(&self.node) {
            return Err("the leader would not be among the proposers: transfer the leadership to \
                        another one first"
                .into());
        }
        if membership.archives.is_empty() || membership.replicas.is_empty() {
            return Err("nobody would execute commands: keep at least one replica".into());
        }
        let Phase::Phase2(phase2) = &self.phase else { return Ok(()) };
        // A lag that the pipeline explains is made up for within milliseconds.
        let durable = self.persisted_among(&membership.archives);
        let required = phase2.base.0.saturating_sub(self.options.pipeline_max);
        if durable < Slot(required) {
            return Err(format!(
                "a majority of the new archives is durable up to slot {durable}, which is far behind \
                 slot {}: let the new ones catch up first",
                phase2.base
            ));
        }
        Ok(())
    }

    /// Registers the adjacent round, while the present one goes on, and asks new acceptors whether they
    /// are there.
    pub(super) fn start_next(
        &mut self,
        configuration: Configuration,
        requester: Option<Requester>,
        reach: Reach,
        fx: &mut Fx,
    ) {
        let Some(present) = self.leads_in() else { return };
        let is_overtaken = mutant::is_on(Mutant::SwitchOverForeignRound) && self.seen > present;
        let round = if is_overtaken {
            Round::first_above(self.seen, self.node)
        } else {
            present.adjacent()
        };
        assert!(round > self.used, "{round} is not above {}", self.used);
        self.write(LeaderRecord::Used(round), fx);
        self.send_match_a(round, &configuration, fx);
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        let matching = Matching::new(round, configuration);
        phase2.next = Some(Next { matching, requester, reach });
        if reach != Reach::Trusted {
            phase2.ask_new_acceptors(fx);
            fx.set_timer(LeaderTimer::Reach, self.options.campaign.clone());
        }
    }
}

impl Phase2 {
    /// Tells `requester` that the present configuration is active.
    pub(super) fn report_active(&self, requester: Requester, history_count: u64, fx: &mut Fx) {
        let progress = Progress::Active {
            round: self.round,
            configuration: self.configuration.clone(),
            history_count,
        };
        let m = ReconfigureB { token: requester.token, progress };
        fx.send(requester.node, ToApplication::from(m));
    }

    /// Operators whose new acceptors are not active yet.
    pub(super) fn requesters(&self) -> Vec<(NodeId, u64)> {
        let next = self.next.as_ref().and_then(|next| next.requester);
        let queued = self.queued.as_ref().map(|(_, requester)| *requester);
        next.into_iter().chain(queued).map(|requester| (requester.node, requester.token)).collect()
    }
}

impl Requester {
    pub(super) fn refuse(self, reason: String, fx: &mut Fx) {
        let m = ReconfigureB { token: self.token, progress: Progress::Refused { reason } };
        fx.send(self.node, ToApplication::from(m));
    }
}
