//! Phase 1: learning what earlier rounds may have chosen, from every configuration that may have.
//!
//! *Paper*: Matchmaker Paxos, sections 2.4 and 4.1.

use std::collections::{BTreeMap, BTreeSet};

use paxos::actor::NodeId;
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::message::{self, Phase1A, Phase1B, ToAcceptor, Vote};
use paxos::mutant::{self, Mutant};
use paxos::round::Round;
use paxos::slot::Slot;

use super::matching::Matched;
use super::{Fx, Leader, LeaderTimer, Phase};

/// The state of Phase 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Phase1 {
    /// The round.
    pub(super) round: Round,
    /// Its configuration.
    pub(super) configuration: Configuration,
    /// Earlier rounds that may have chosen something.
    pub(super) history: BTreeMap<Round, Configuration>,
    /// Rounds below are collected.
    pub(super) collected_watermark: Round,
    /// The slot from which each acceptor's next page of votes is awaited.
    cursors: BTreeMap<NodeId, Slot>,
    /// Acceptors that promised the round and have shown all their votes.
    promises: BTreeSet<NodeId>,
    /// All slots below are chosen and durable on f + 1 archives.
    pub(super) persisted_watermark: Slot,
    /// The vote of the highest round in each slot.
    pub(super) votes: BTreeMap<Slot, (Round, Value)>,
}

impl Phase1 {
    /// Whether a Phase 1 quorum of *each* earlier configuration has promised. A quorum of their union
    /// would not do.
    fn is_complete(&self) -> bool {
        let has_majority = self.promises.len() * 2 > self.cursors.len();
        if mutant::is_on(Mutant::SkipPhase1) || mutant::is_on(Mutant::UnionQuorum) && has_majority {
            return true;
        }
        let newest = self.history.last_key_value().map(|(round, _)| *round);
        self.history
            .iter()
            .filter(|(round, _)| !is_exempt(Some(**round) == newest))
            .all(|(_, earlier)| earlier.is_phase1(earlier.members_among(&self.promises)))
    }

    /// Keeps the vote of the highest round in the slot.
    fn count(&mut self, from: NodeId, vote: Vote, fx: &mut Fx) {
        if vote.round >= self.round {
            let detail = format!("{from} voted in {} before anything was proposed", vote.round);
            return fx.violation("A5 vote validity", detail);
        }
        let known = self.votes.get(&vote.slot);
        let is_settled = mutant::is_on(Mutant::AdoptRepeatedValue)
            && known.is_some_and(|(_, value)| *value == vote.value);
        let rank = if is_settled { self.round } else { vote.round };
        match known {
            Some((round, value)) if *round == vote.round && *value != vote.value => {
                let detail = format!("slot {} has two values in {round}", vote.slot);
                fx.violation("A3 one value per round", detail);
            }
            Some((round, _)) if (*round >= rank) != mutant::is_on(Mutant::AdoptLowestVote) => {}
            Some(_) | None => {
                self.votes.insert(vote.slot, (rank, vote.value));
            }
        }
    }
}

/// Whether Phase 1 does without an earlier configuration, the newest or another: only by a fault.
fn is_exempt(is_newest: bool) -> bool {
    mutant::is_on(if is_newest { Mutant::SkipNewest } else { Mutant::AskNewestOnly })
}

impl Leader {
    /// Asks every acceptor of every earlier configuration; or nobody, if there is none: then nothing
    /// can have been chosen.
    ///
    /// Not before matchmaking is complete: a promise that was made earlier says nothing about what
    /// a lower leader did to the acceptor in between.
    pub(super) fn start_phase1(
        &mut self,
        round: Round,
        configuration: Configuration,
        matched: Matched,
        fx: &mut Fx,
    ) {
        let first = self.persisted_watermark();
        let members = matched.history.values().flat_map(|earlier| earlier.members());
        let cursors: BTreeMap<NodeId, Slot> = members.map(|node| (*node, first)).collect();
        let m = ToAcceptor::Phase1A(Phase1A { round, first });
        fx.broadcast(cursors.keys(), m);
        self.phase = Phase::Phase1(Phase1 {
            round,
            configuration,
            history: matched.history,
            collected_watermark: matched.watermark,
            cursors,
            promises: BTreeSet::new(),
            // As if an acceptor had said so: archives that report less only lag.
            persisted_watermark: first.max(self.deployment.first),
            votes: BTreeMap::new(),
        });
        fx.set_timer(LeaderTimer::Campaign, self.options.campaign.clone());
        self.finish_phase1(fx);
    }

    /// Counts a page of votes, and asks for the next one if there is more.
    ///
    /// *Repeat*: a page that is not the awaited one is ignored.
    pub(super) fn on_phase1b(&mut self, from: NodeId, m: Phase1B, fx: &mut Fx) {
        let Phase::Phase1(phase1) = &mut self.phase else { return };
        let is_early = m.round < phase1.round && mutant::is_on(Mutant::EarlierPromiseCounts);
        if (m.round != phase1.round && !is_early) || phase1.cursors.get(&from) != Some(&m.first) {
            return;
        }
        if !mutant::is_on(Mutant::ProposeBelowPersisted) {
            phase1.persisted_watermark = phase1.persisted_watermark.max(m.persisted_watermark);
        }
        for vote in m.votes {
            phase1.count(from, vote, fx);
        }
        if let Some(next) = m.next {
            if next > m.first {
                phase1.cursors.insert(from, next);
                let m = message::Phase1A { round: phase1.round, first: next };
                fx.send(from, ToAcceptor::Phase1A(m));
                // However long the log is: a campaign is given up when nothing moves.
                fx.set_timer(LeaderTimer::Campaign, self.options.campaign.clone());
            }
            return;
        }
        phase1.promises.insert(from);
        self.finish_phase1(fx);
    }

    fn finish_phase1(&mut self, fx: &mut Fx) {
        let Phase::Phase1(phase1) = &self.phase else { return };
        if !phase1.is_complete() {
            return;
        }
        if let Phase::Phase1(phase1) = std::mem::replace(&mut self.phase, Phase::Idle) {
            self.start_phase2(phase1, fx);
        }
    }

    /// Asks again where the answer is missing.
    pub(super) fn resend_phase1a(&self, phase1: &Phase1, fx: &mut Fx) {
        for (node, first) in &phase1.cursors {
            if !phase1.promises.contains(node) {
                let m = Phase1A { round: phase1.round, first: *first };
                fx.send(*node, ToAcceptor::Phase1A(m));
            }
        }
    }
}
