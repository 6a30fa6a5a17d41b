//! Having a chosen successor begin, and everyone know where matchmakers are now.
//!
//! The order keeps the new ones findable: first a majority of them serves, durably; then the old ones
//! point to them and proposers remember them; only then may the old ones be switched off.
//!
//! *Paper*: Matchmaker Paxos, section 5, where a name service stands for the proposers' memory.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use paxos::actor::NodeId;
use paxos::mutant::{self, Mutant};

use super::{Fx, Phase, Reconfigurer, ReconfigurerTimer, Requester, Wish};
use crate::message::{
    ActivateA, ActivateB, AnnounceA, AnnounceB, Epoch, Generation, HandoverProgress, SucceededA,
    SucceededB, Successor, ToMatchmaker, ToProposer, ToReconfigurer,
};

/// The pause before what some machine does not answer is sent again doubles so often at most.
const DOUBLINGS_MAX: u32 = 6;

/// How far an installation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// Too few of the new matchmakers serve.
    Beginning,
    /// A majority does. The old ones and the proposers are told.
    Telling {
        /// Whether they have had their time.
        is_late: bool,
    },
    /// That was reported. Those that have not answered are still told.
    Finished,
}

/// An installation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Installing {
    successor: Successor,
    /// Who waits for it, unless others were chosen than were asked for.
    wish: Option<Wish>,
    stage: Stage,
    /// New matchmakers that serve.
    active: BTreeSet<NodeId>,
    /// Old ones that point to them.
    informed: BTreeSet<NodeId>,
    /// Proposers that know them.
    aware: BTreeSet<NodeId>,
    /// How often it has sent again.
    resend_count: u32,
}

impl Installing {
    pub(super) fn epoch(&self) -> Epoch {
        self.successor.generation.epoch
    }

    pub(super) fn wish(&self) -> Option<Wish> {
        self.wish.clone().filter(|_| !self.is_finished())
    }

    pub(super) fn requester(&self) -> Option<Requester> {
        self.wish().and_then(|wish| wish.requester)
    }

    pub(super) fn is_finished(&self) -> bool {
        self.stage == Stage::Finished
    }

    pub(super) fn lose_patience(&mut self) {
        if let Stage::Telling { is_late } = &mut self.stage {
            *is_late = true;
        }
    }

    pub(super) fn count_resend(&mut self) {
        self.resend_count = self.resend_count.saturating_add(1);
    }

    /// Longer with each time, for what is not answered may be a machine that is gone.
    pub(super) fn backoff(&self, delay: &Range<Duration>) -> Range<Duration> {
        let factor = 1 << self.resend_count.min(DOUBLINGS_MAX);
        delay.start * factor..delay.end * factor
    }

    fn has_begun(&self) -> bool {
        let generation = &self.successor.generation;
        if mutant::is_on(Mutant::ActivationWaitsForAll) {
            return self.active.len() == generation.members.len();
        }
        self.active.len() >= generation.majority()
    }

    /// Whether nobody has to be told any more.
    fn is_over(&self, proposers: &BTreeSet<NodeId>) -> bool {
        self.is_finished()
            && self.active == self.successor.generation.members
            && self.informed == self.successor.previous
            && self.aware == *proposers
    }

    /// Whether everyone who looks for matchmakers finds the new ones: because all proposers know them;
    /// or, as long as the old ones run, because a majority of those points there.
    fn is_findable(&self, proposers: &BTreeSet<NodeId>) -> bool {
        let is_informed = self.informed.len() > self.successor.previous.len() / 2;
        let is_late = matches!(self.stage, Stage::Telling { is_late: true });
        self.aware == *proposers || (is_informed && is_late)
    }

    /// Tells those that have not answered.
    pub(super) fn ask(&self, proposers: &BTreeSet<NodeId>, fx: &mut Fx) {
        let successor = self.successor.clone();
        let generation = successor.generation.clone();
        let silent = generation.members.difference(&self.active);
        let activate = ActivateA { successor: successor.clone() };
        fx.broadcast(silent, ToMatchmaker::from(activate));
        if self.stage == Stage::Beginning {
            return;
        }
        let silent = self.successor.previous.difference(&self.informed);
        fx.broadcast(silent, ToMatchmaker::from(SucceededA { successor }));
        let m = ToProposer::from(ToReconfigurer::from(AnnounceA { generation }));
        fx.broadcast(proposers.difference(&self.aware), m);
    }

    fn finished(
        &self,
        proposers: &BTreeSet<NodeId>,
        spares: &BTreeSet<NodeId>,
    ) -> HandoverProgress {
        let generation = self.successor.generation.clone();
        let unaware: BTreeSet<NodeId> = proposers.difference(&self.aware).copied().collect();
        let old = self.successor.previous.difference(&generation.members);
        let old = old.filter(|node| !spares.contains(node));
        let retirable = old.filter(|_| unaware.is_empty()).copied().collect();
        HandoverProgress::Finished { generation, retirable, unaware }
    }
}

impl Reconfigurer {
    /// Has the chosen `successor` begin. If it is not what was wished for, that is told.
    pub(super) fn start_installing(
        &mut self,
        successor: Successor,
        wish: Option<Wish>,
        fx: &mut Fx,
    ) {
        let generation = &successor.generation;
        let (wish, other) = match wish {
            Some(wish) if wish.members == generation.members => (Some(wish), None),
            other => (None, other),
        };
        if let Some(other) = other {
            let generation = generation.clone();
            other.tell(HandoverProgress::Superseded { generation }, fx);
        }
        self.pending.clear();
        self.phase = Phase::Installing(Box::new(Installing {
            successor,
            wish,
            stage: Stage::Beginning,
            active: BTreeSet::new(),
            informed: BTreeSet::new(),
            aware: self.proposers.iter().filter(|node| **node == self.node).copied().collect(),
            resend_count: 0,
        }));
        fx.cancel_timer(ReconfigurerTimer::Patience);
        self.ask(fx);
    }

    /// Counts a new matchmaker that serves. Returns the new generation once a majority does.
    pub(super) fn on_activate_b(
        &mut self,
        from: NodeId,
        m: ActivateB,
        fx: &mut Fx,
    ) -> Option<Generation> {
        let Phase::Installing(installing) = &mut self.phase else { return None };
        let generation = installing.successor.generation.clone();
        if m.epoch != generation.epoch || !generation.members.contains(&from) {
            return None;
        }
        installing.active.insert(from);
        if installing.stage != Stage::Beginning || !installing.has_begun() {
            self.advance_installing(fx);
            return None;
        }
        installing.stage = Stage::Telling { is_late: false };
        installing.resend_count = 0;
        if let Some(requester) = installing.requester() {
            requester.tell(HandoverProgress::Active { generation: generation.clone() }, fx);
        }
        fx.set_timer(ReconfigurerTimer::Patience, self.options.patience.clone());
        self.ask(fx);
        Some(generation)
    }

    /// Counts an old matchmaker that points to the new ones.
    pub(super) fn on_succeeded_b(&mut self, from: NodeId, m: SucceededB, fx: &mut Fx) {
        let Phase::Installing(installing) = &mut self.phase else { return };
        if m.epoch == installing.epoch() && installing.successor.previous.contains(&from) {
            installing.informed.insert(from);
            self.advance_installing(fx);
        }
    }

    /// Counts a proposer that knows the new ones.
    pub(super) fn on_announce_b(&mut self, from: NodeId, m: AnnounceB, fx: &mut Fx) {
        let Phase::Installing(installing) = &mut self.phase else { return };
        if m.epoch == installing.epoch() && self.proposers.contains(&from) {
            installing.aware.insert(from);
            self.advance_installing(fx);
        }
    }

    /// Reports the end once the new ones are found by everyone, and stops when all have answered.
    pub(super) fn advance_installing(&mut self, fx: &mut Fx) {
        let Phase::Installing(installing) = &mut self.phase else { return };
        let is_telling = matches!(installing.stage, Stage::Telling { .. });
        if is_telling && installing.is_findable(&self.proposers) {
            if let Some(requester) = installing.requester() {
                let finished = installing.finished(&self.proposers, &self.spares);
                self.last = Some((requester, finished.clone()));
                requester.tell(finished, fx);
            }
            installing.stage = Stage::Finished;
        }
        if installing.is_over(&self.proposers) {
            self.phase = Phase::Idle;
            fx.cancel_timer(ReconfigurerTimer::Resend);
            fx.cancel_timer(ReconfigurerTimer::Patience);
        }
    }
}
