//! A proposer: the election says when to campaign, the leader does it.

use std::convert::Infallible;

use paxos::actor::{Effects, NodeId};
use paxos::election::{Election, ElectionOptions, ElectionTimer};
use paxos::message::{FromAcceptor, ProbeA};

use crate::leader::{Deployment, Leader, LeaderOptions, LeaderRecord, LeaderTimer};
use crate::message::{Message, ToProposer};

/// A timer of a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum ProposerTimer {
    Election(ElectionTimer),
    Leader(LeaderTimer),
}

/// The state of a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proposer {
    election: Election,
    leader: Leader,
}

type Fx = Effects<Message, ProposerTimer, LeaderRecord>;

impl Proposer {
    /// A proposer at `node` that does not lead.
    pub fn new(
        node: NodeId,
        deployment: Deployment,
        election: ElectionOptions,
        leader: LeaderOptions,
    ) -> Self {
        Self { election: Election::new(election), leader: Leader::new(node, deployment, leader) }
    }

    /// The leader's part.
    pub fn leader(&self) -> &Leader {
        &self.leader
    }

    /// Folds one durable record.
    pub fn restore(&mut self, record: LeaderRecord) {
        self.leader.restore(record);
    }

    /// The least list of records with the same fold.
    pub fn checkpoint(&self) -> Vec<LeaderRecord> {
        self.leader.checkpoint()
    }

    /// Waits for a leader to be heard.
    pub fn on_start(&mut self, fx: &mut Fx) {
        self.elect(fx, |election, fx| election.follow(fx));
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: ToProposer, fx: &mut Fx) {
        if let ToProposer::Acceptor(FromAcceptor::ProbeB(m)) = &message {
            return self.election.on_probe_b(from, m);
        }
        let is_sign_of_life = matches!(message, ToProposer::Heartbeat(_));
        fx.nest(|fx| self.leader.on_message(from, message, fx));
        self.settle(is_sign_of_life, fx);
    }

    /// Takes one timer.
    pub fn on_timer(&mut self, timer: ProposerTimer, fx: &mut Fx) {
        match timer {
            ProposerTimer::Leader(timer) => fx.nest(|fx| self.leader.on_timer(timer, fx)),
            ProposerTimer::Election(timer) => {
                let newest = self.leader.newest().clone();
                if self.elect(fx, |election, fx| election.on_timer(timer, &newest, fx)) {
                    fx.nest(|fx| self.leader.campaign(fx));
                }
            }
        }
        self.settle(false, fx);
    }

    /// Proposes the batch of the turn.
    pub fn on_turn_end(&mut self, fx: &mut Fx) {
        fx.nest(|fx| self.leader.on_turn_end(fx));
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

impl From<Infallible> for LeaderRecord {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
