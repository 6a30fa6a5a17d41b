//! Where the matchmakers are: following them from one generation to the next.
//!
//! A leader at work hardly needs them, so their replacement does not disturb it. What it has asked of
//! the old ones and was not answered by a majority of them, it asks of the new ones: the same round
//! with the same configuration, the same collection. Answers of two generations never count together:
//! a majority of each knows everything, a majority of both nothing in particular.
//!
//! *Paper*: Matchmaker Paxos, section 5.

use std::collections::BTreeMap;

use paxos::actor::NodeId;
use paxos::mutant::{self, Mutant};

use super::{Fx, Leader, LeaderRecord, LeaderTimer, Phase};
use crate::message::{Epoch, Generation, Stopped};

impl Leader {
    /// The newest generation of matchmakers known here.
    pub fn matchmakers(&self) -> &Generation {
        &self.matchmakers
    }

    /// Whether `from` answers as a member of the present generation.
    pub(super) fn is_matchmaker(&self, from: NodeId, epoch: Epoch) -> bool {
        epoch == self.matchmakers.epoch && self.matchmakers.members.contains(&from)
    }

    /// A matchmaker sends it on to a later generation; or to none yet, and then the driver beside this
    /// leader sees to it.
    pub(super) fn on_stopped(&mut self, m: Stopped, fx: &mut Fx) {
        if let Some(successor) = m.successor {
            self.follow_matchmakers(successor.generation, fx);
        }
    }

    /// Asks these matchmakers from now on, if they are of a later generation than those known. What was
    /// not answered by a majority of the earlier ones is asked again.
    pub fn follow_matchmakers(&mut self, generation: Generation, fx: &mut Fx) {
        if generation.epoch <= self.matchmakers.epoch || generation.members.is_empty() {
            return;
        }
        self.write(LeaderRecord::Matchmakers(generation), fx);
        self.finish_matchmaker(fx);
        match &mut self.phase {
            Phase::Idle | Phase::Phase1(_) => return,
            Phase::Asking { answers, .. } => answers.clear(),
            Phase::Matching(matching) => matching.start_over(),
            Phase::Phase2(phase2) => {
                if let Some(next) = &mut phase2.next {
                    next.matching.start_over();
                }
                phase2.collect_again();
            }
        }
        match &self.phase {
            Phase::Idle | Phase::Phase1(_) => {}
            Phase::Asking { .. } => self.inquire(fx),
            Phase::Matching(matching) => self.resend_match_a(matching, fx),
            Phase::Phase2(phase2) => {
                if let Some(next) = &phase2.next {
                    self.resend_match_a(&next.matching, fx);
                }
                self.resend_garbage_a(fx);
            }
        }
        if matches!(self.phase, Phase::Asking { .. } | Phase::Matching(_)) {
            fx.set_timer(LeaderTimer::Campaign, self.options.campaign.clone());
        }
    }
}

impl super::Matching {
    /// Forgets the answers of an earlier generation.
    fn start_over(&mut self) {
        if !mutant::is_on(Mutant::AnswersSurviveHandover) {
            self.answers = BTreeMap::new();
        }
    }
}
