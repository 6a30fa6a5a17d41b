//! A proposer: the election says when to campaign, the leader does it, and the driver of handovers
//! replaces the matchmakers that the leader asks.

use std::convert::Infallible;

use paxos::actor::{Effects, NodeId};
use paxos::election::{Election, ElectionOptions, ElectionTimer};
use paxos::message::{FromAcceptor, ProbeA};

use crate::leader::{Deployment, Leader, LeaderOptions, LeaderRecord, LeaderTimer};
use crate::message::{FromMatchmaker, Generation, Message, ToProposer, ToReconfigurer};
use crate::reconfigurer::{
    Reconfigurer, ReconfigurerOptions, ReconfigurerRecord, ReconfigurerTimer,
};

/// A timer of a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum ProposerTimer {
    Election(ElectionTimer),
    Leader(LeaderTimer),
    Reconfigurer(ReconfigurerTimer),
}

/// A durable fact of a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ProposerRecord {
    Leader(LeaderRecord),
    Reconfigurer(ReconfigurerRecord),
}

/// The state of a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proposer {
    election: Election,
    leader: Leader,
    reconfigurer: Reconfigurer,
    /// Whether the leader replaces members by itself.
    is_healing: bool,
}

type Fx = Effects<Message, ProposerTimer, ProposerRecord>;

impl Proposer {
    /// A proposer at `node` that does not lead.
    pub fn new(
        node: NodeId,
        deployment: Deployment,
        election: ElectionOptions,
        leader: LeaderOptions,
    ) -> Self {
        let proposers = deployment.initial.membership().proposers.clone();
        let options = ReconfigurerOptions {
            resend: leader.resend.clone(),
            patience: leader.campaign.clone(),
        };
        let reconfigurer = Reconfigurer::new(node, proposers, options);
        let is_healing = leader.healing.is_on;
        let leader = Leader::new(node, deployment, leader);
        Self { election: Election::new(election), leader, reconfigurer, is_healing }
    }

    /// The leader's part.
    pub fn leader(&self) -> &Leader {
        &self.leader
    }

    /// The driver of handovers.
    pub fn reconfigurer(&self) -> &Reconfigurer {
        &self.reconfigurer
    }

    /// Folds one durable record.
    pub fn restore(&mut self, record: ProposerRecord) {
        match record {
            ProposerRecord::Leader(record) => self.leader.restore(record),
            ProposerRecord::Reconfigurer(record) => self.reconfigurer.restore(record),
        }
    }

    /// The least list of records with the same fold.
    pub fn checkpoint(&self) -> Vec<ProposerRecord> {
        let leader = self.leader.checkpoint().into_iter().map(ProposerRecord::Leader);
        let reconfigurer = self.reconfigurer.checkpoint().into_iter();
        leader.chain(reconfigurer.map(ProposerRecord::Reconfigurer)).collect()
    }

    /// Waits for a leader to be heard.
    pub fn on_start(&mut self, fx: &mut Fx) {
        self.elect(fx, |election, fx| election.follow(fx));
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: ToProposer, fx: &mut Fx) {
        if let ToProposer::Acceptor(FromAcceptor::ProbeB(m)) = &message {
            self.election.on_probe_b(from, m);
        }
        let is_sign_of_life = matches!(message, ToProposer::Heartbeat(_));
        let before = self.leader.matchmakers().epoch;
        match message {
            ToProposer::Reconfigurer(m) => {
                if let ToReconfigurer::ReachB(m) = &m {
                    self.leader.on_reach_b(from, m);
                }
                let serving = self.hand_over(fx, |reconfigurer, present, fx| {
                    reconfigurer.on_message(from, m, present, fx)
                });
                if let Some(generation) = serving {
                    fx.lend(|fx| self.leader.follow_matchmakers(generation, fx));
                }
            }
            message => {
                if let ToProposer::Matchmaker(FromMatchmaker::Stopped(m)) = &message {
                    self.hand_over(fx, |reconfigurer, present, fx| {
                        reconfigurer.on_stopped(from, m.as_ref().clone(), present, fx);
                    });
                }
                fx.lend(|fx| self.leader.on_message(from, message, fx));
            }
        }
        if self.leader.matchmakers().epoch > before {
            self.hand_over(fx, |reconfigurer, present, fx| reconfigurer.follow(present, fx));
        }
        self.settle(is_sign_of_life, fx);
    }

    /// Takes one timer.
    pub fn on_timer(&mut self, timer: ProposerTimer, fx: &mut Fx) {
        match timer {
            ProposerTimer::Leader(timer) => {
                fx.lend(|fx| self.leader.on_timer(timer, fx));
                if let Some(members) = self.leader.take_wanted_matchmakers() {
                    self.hand_over(fx, |reconfigurer, _, fx| reconfigurer.replace(members, fx));
                }
            }
            ProposerTimer::Reconfigurer(timer) => {
                self.hand_over(fx, |reconfigurer, present, fx| {
                    reconfigurer.on_timer(timer, present, fx);
                });
            }
            ProposerTimer::Election(timer) => {
                let newest = self.leader.newest().clone();
                let is_elected =
                    self.elect(fx, |election, fx| election.on_timer(timer, &newest, fx));
                if is_elected && self.leader.is_proposer() {
                    fx.lend(|fx| self.leader.campaign(fx));
                } else if !self.election.is_standing() {
                    fx.lend(|fx| self.leader.inquire(fx));
                }
            }
        }
        self.settle(false, fx);
    }

    /// Proposes the batch of the turn.
    pub fn on_turn_end(&mut self, fx: &mut Fx) {
        fx.lend(|fx| self.leader.on_turn_end(fx));
    }

    /// Lets the election watch exactly while this proposer neither leads nor campaigns.
    fn settle(&mut self, is_sign_of_life: bool, fx: &mut Fx) {
        match (self.leader.is_active(), self.election.is_standing()) {
            (true, false) => self.elect(fx, |election, fx| election.stand(fx)),
            (false, true) => self.elect(fx, |election, fx| election.follow(fx)),
            (false, false) if is_sign_of_life => {
                self.elect(fx, |election, fx| election.follow(fx));
            }
            (true, true) | (false, false) => {}
        }
    }

    /// Takes a step of the driver, which looks up in the leader who the matchmakers are.
    fn hand_over<O>(
        &mut self,
        fx: &mut Fx,
        step: impl FnOnce(
            &mut Reconfigurer,
            &Generation,
            &mut Effects<Message, ReconfigurerTimer, ReconfigurerRecord>,
        ) -> O,
    ) -> O {
        let membership = self.leader.newest().membership();
        self.reconfigurer.learn_proposers(&membership.proposers);
        if self.is_healing {
            self.reconfigurer.learn_spares(&membership.matchmakers);
        }
        fx.lend(|fx| step(&mut self.reconfigurer, self.leader.matchmakers(), fx))
    }

    fn elect<O>(
        &mut self,
        fx: &mut Fx,
        step: impl FnOnce(&mut Election, &mut Effects<ProbeA, ElectionTimer, Infallible>) -> O,
    ) -> O {
        fx.nest(|fx| step(&mut self.election, fx))
    }
}

impl From<ElectionTimer> for ProposerTimer {
    fn from(timer: ElectionTimer) -> Self {
        Self::Election(timer)
    }
}

impl From<LeaderTimer> for ProposerTimer {
    fn from(timer: LeaderTimer) -> Self {
        Self::Leader(timer)
    }
}

impl From<ReconfigurerTimer> for ProposerTimer {
    fn from(timer: ReconfigurerTimer) -> Self {
        Self::Reconfigurer(timer)
    }
}

impl From<LeaderRecord> for ProposerRecord {
    fn from(record: LeaderRecord) -> Self {
        Self::Leader(record)
    }
}

impl From<ReconfigurerRecord> for ProposerRecord {
    fn from(record: ReconfigurerRecord) -> Self {
        Self::Reconfigurer(record)
    }
}

impl From<Infallible> for ProposerRecord {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use paxos::actor::{Incarnation, Seat};
    use paxos::configuration::Configuration;
    use paxos::membership::Membership;
    use paxos::quorum::QuorumSystem;
    use paxos::round::Round;
    use paxos::slot::Slot;

    use super::*;
    use crate::message::{Epoch, FromMatchmaker, NewestA, NewestB, ToMatchmaker};
    use paxos::message::ToAcceptor;

    fn node(seat: u32) -> NodeId {
        NodeId::new(Seat(seat), Incarnation(1))
    }

    fn configuration(version: u64, first: u32) -> Configuration {
        Configuration::new(version, QuorumSystem::Majority, (first..first + 3).map(node))
            .expect("three members")
    }

    fn probed(fx: &Fx) -> BTreeSet<NodeId> {
        let probes = fx
            .sends
            .iter()
            .filter(|(_, message)| matches!(message, Message::Acceptor(ToAcceptor::ProbeA(_))));
        probes.map(|(to, _)| *to).collect()
    }

    #[test]
    fn a_proposer_whose_acceptors_are_all_gone_learns_of_others_from_the_matchmakers() {
        let membership = Membership { proposers: [node(1)].into(), ..Membership::default() };
        let initial = configuration(1, 10).with_membership(membership);
        let deployment = Deployment {
            epoch: Epoch(0),
            matchmakers: [node(2)].into(),
            initial,
            first: Slot::ZERO,
        };
        let (election, leader) = (ElectionOptions::default(), LeaderOptions::default());
        let mut proposer = Proposer::new(node(1), deployment, election, leader);
        let silence = ProposerTimer::Election(ElectionTimer::Silence);
        let mut fx = Fx::new();
        proposer.on_timer(silence, &mut fx);
        assert_eq!(probed(&fx), (10..13).map(node).collect());
        let asked = Message::Matchmaker(ToMatchmaker::NewestA(NewestA { epoch: Epoch(0) }));
        assert!(fx.sends.contains(&(node(2), asked)), "{:?}", fx.sends);
        let newest = Some((Round::first_above(Round::ZERO, node(9)), configuration(2, 20)));
        let answer =
            FromMatchmaker::NewestB(Box::new(NewestB { epoch: Epoch(0), newest, round: None }));
        proposer.on_message(node(2), ToProposer::Matchmaker(answer), &mut Fx::new());
        let mut fx = Fx::new();
        proposer.on_timer(ProposerTimer::Election(ElectionTimer::Probe), &mut fx);
        assert_eq!(probed(&fx), (20..23).map(node).collect());
    }
}
