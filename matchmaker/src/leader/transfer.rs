//! Handing the leadership on, because an operator wants it so or because the leader was removed.
//!
//! The leader asks one proposer to campaign, and leads on until that one is heard of: its promise of a
//! higher round ends the present one. So nothing waits for an election, and if the other one is dead
//! nothing has happened.
//!
//! *Paper*: Matchmaker Paxos, section 5 (proposers may come and go at any time).

use paxos::actor::NodeId;
use paxos::mutant::{self, Mutant};

use super::{Fx, Leader, Phase};
use crate::message::{TakeOver, ToProposer, TransferA};

impl Leader {
    /// Whether this proposer may lead, as far as it knows. One that is not in the newest membership,
    /// not yet or not any more, leaves the others alone.
    pub fn is_proposer(&self) -> bool {
        self.newest.1.membership().proposers.contains(&self.node)
            || mutant::is_on(Mutant::RemovedCampaigns)
    }

    /// Asks a proposer of the present membership to campaign.
    pub(super) fn on_transfer_a(&mut self, m: TransferA, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &self.phase else { return };
        let proposers = &phase2.configuration.membership().proposers;
        if m.to != self.node && proposers.contains(&m.to) {
            fx.send(m.to, ToProposer::TakeOver(TakeOver { round: phase2.round }));
        }
    }

    /// Campaigns in the place of a leader that wants to go. A higher round of its own is of a campaign
    /// that failed, and says nothing of that leader.
    pub(super) fn on_take_over(&mut self, from: NodeId, m: TakeOver, fx: &mut Fx) {
        let is_present = m.round >= self.seen || self.seen.owner == self.node;
        let is_own = m.round.owner == from;
        if self.phase == Phase::Idle && is_present && is_own && self.is_proposer() {
            self.seen = self.seen.max(m.round);
            self.campaign(fx);
        }
    }

    /// A leader that is not a proposer any more asks one after the other to take over, once nothing of
    /// the earlier rounds is left to collect.
    pub(super) fn leave_if_removed(&mut self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &self.phase else { return };
        let proposers = &phase2.configuration.membership().proposers;
        if proposers.is_empty() || proposers.contains(&self.node) || !phase2.is_collected() {
            return;
        }
        let turn = phase2.reads.question_count() as usize % proposers.len();
        if let Some(next) = proposers.iter().nth(turn) {
            fx.send(*next, ToProposer::TakeOver(TakeOver { round: phase2.round }));
        }
    }
}
