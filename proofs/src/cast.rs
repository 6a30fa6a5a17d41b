//! Who plays in the models: the roles of production, each alone on a seat.
//!
//! Nothing is added but what is asked of them from outside, and when: a proposer has scripts, and the
//! next wish of a script may be uttered at any time. A proposer that restarts begins its scripts anew,
//! and wants something else: one that repeated itself would hide that it forgot.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use matchmaker::leader::{Leader, LeaderRecord};
use matchmaker::message::{
    FromMatchmaker, Generation, HandoverA, Message, ReconfigureA, ToMatchmaker, ToProposer,
    ToReconfigurer,
};
use matchmaker::node::{Node, NodeRecord, NodeTimer};
use matchmaker::proposer::ProposerTimer;
use matchmaker::reconfigurer::{Reconfigurer, ReconfigurerRecord, ReconfigurerTimer};
use matchmaker::single::{SingleProposer, SingleRecord, SingleTimer};
use paxos::actor::{Actor, Effects, EffectsOf, Incarnation, NodeId, Seat};
use paxos::command::{SessionId, Submission, Value};
use paxos::configuration::Configuration;
use paxos::message::{FromSession, Request};
use paxos::quorum::QuorumSystem;
use paxos::wire::Payload;

use crate::register::Register;

/// Who asks from outside.
const OPERATOR: NodeId = node(81);

/// The actor on a seat.
pub const fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

/// A proposer of a single decree, and what it wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wishing {
    /// The proposer.
    pub proposer: SingleProposer,
    /// Its acceptors.
    pub configuration: Configuration,
    /// What it wants the first time, and after a restart.
    pub values: [Value; 2],
}

/// Something that is asked of a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    /// To lead, if it does not.
    Campaign,
    /// A command, once it leads.
    Command(&'static str),
    /// Other acceptors, once it leads.
    Reconfigure(BTreeSet<NodeId>),
    /// Other matchmakers.
    HandOver(BTreeSet<NodeId>),
}

/// A proposer of a log, the driver of handovers beside it, and what they are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proposing {
    /// The leader.
    pub leader: Leader,
    /// The driver.
    pub reconfigurer: Reconfigurer,
    /// Its place among the sessions.
    pub session: NodeId,
    /// What is asked for, in the order of each script.
    pub scripts: Vec<Vec<Wish>>,
    /// How much of each script was uttered.
    pub uttered: Vec<usize>,
    /// Whether it has been at work before.
    pub is_restarted: bool,
    /// How far its leadership is.
    pub lead: Lead,
}

/// How far a leadership is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lead {
    /// It has used no round.
    Coming,
    /// It has used a round.
    Present,
    /// It was lost. The proposer stands still as if it had crashed, until it does.
    Lost,
}

/// A role on a seat.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Role {
    Node(Box<Node<Register>>),
    Single(Box<Wishing>),
    Proposing(Box<Proposing>),
}

/// A timer of a role.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CastTimer {
    /// The next wish of this script is uttered.
    Wish(usize),
    /// Of a proposer of a single decree.
    Single(SingleTimer),
    /// Of any other role.
    Node(NodeTimer),
}

/// A durable fact of a role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum CastRecord {
    Node(NodeRecord),
    Single(SingleRecord),
}

impl From<NodeRecord> for CastRecord {
    fn from(record: NodeRecord) -> Self {
        Self::Node(record)
    }
}

impl From<SingleRecord> for CastRecord {
    fn from(record: SingleRecord) -> Self {
        Self::Single(record)
    }
}

impl From<SingleTimer> for CastTimer {
    fn from(timer: SingleTimer) -> Self {
        Self::Single(timer)
    }
}

impl From<NodeTimer> for CastTimer {
    fn from(timer: NodeTimer) -> Self {
        Self::Node(timer)
    }
}

type Fx = EffectsOf<Role>;

/// A value for models.
pub fn value(text: &'static str) -> Value {
    Value::Batch(Payload::new(text.as_bytes()))
}

impl Proposing {
    /// Whether it asks to lead, or will.
    pub fn may_campaign(&self) -> bool {
        let scripts = self.scripts.iter().zip(&self.uttered);
        let mut ahead = scripts.flat_map(|(script, uttered)| &script[*uttered..]);
        let is_ahead = ahead.any(|wish| *wish == Wish::Campaign);
        self.lead != Lead::Lost && (is_ahead || self.lead == Lead::Coming)
    }

    /// Utters the next wish of a script, if its time has come; else it is kept.
    fn utter(&mut self, script: usize, fx: &mut Fx) {
        let wish = self.scripts[script].get(self.uttered[script]);
        let wish = wish.filter(|_| self.lead != Lead::Lost).cloned();
        let is_time = match wish {
            None => return,
            Some(Wish::Campaign) => !self.leader.is_active(),
            Some(Wish::Command(_) | Wish::Reconfigure(_)) => self.leader.leads_in().is_some(),
            Some(Wish::HandOver(_)) => !self.reconfigurer.is_busy(),
        };
        if is_time {
            self.uttered[script] += 1;
        }
        let number = self.uttered.iter().sum::<usize>() as u64;
        match wish.filter(|_| is_time) {
            None => {}
            Some(Wish::Campaign) => nest(fx, |fx| self.leader.campaign(fx)),
            Some(Wish::Command(text)) => {
                let text = if self.is_restarted { format!("{text} again") } else { text.into() };
                let m = Request { attempt: number, submission: self.submission(number, text) };
                self.tell(self.session, ToProposer::Session(FromSession::Request(m)), fx);
            }
            Some(Wish::Reconfigure(members)) => {
                let system = QuorumSystem::Majority;
                let m = ReconfigureA { token: number, system, members, change: None };
                self.tell(OPERATOR, ToProposer::ReconfigureA(Box::new(m)), fx);
            }
            Some(Wish::HandOver(members)) => {
                let m = ToReconfigurer::HandoverA(HandoverA { token: number, members });
                self.tell(OPERATOR, ToProposer::Reconfigurer(m), fx);
            }
        }
        if self.uttered[script] < self.scripts[script].len() {
            fx.set_timer(CastTimer::Wish(script), Duration::ZERO..Duration::ZERO);
        }
    }

    fn submission(&self, number: u64, text: String) -> Submission {
        let session = SessionId { node: self.session, life: 1 };
        let commands = vec![Payload(Bytes::from(text))];
        Submission { session, first: number, acknowledged: 0, commands }
    }

    /// Routes as `matchmaker::proposer` does, where an election is the third part.
    fn tell(&mut self, from: NodeId, message: ToProposer, fx: &mut Fx) {
        let before = self.leader.matchmakers().epoch;
        match message {
            ToProposer::Reconfigurer(m) => {
                let serving = self.hand_over(fx, |reconfigurer, present, fx| {
                    reconfigurer.on_message(from, m, present, fx)
                });
                if let Some(generation) = serving {
                    nest(fx, |fx| self.leader.follow_matchmakers(generation, fx));
                }
            }
            message => {
                if let ToProposer::Matchmaker(FromMatchmaker::Stopped(m)) = &message {
                    self.hand_over(fx, |reconfigurer, present, fx| {
                        reconfigurer.on_stopped(from, *m.clone(), present, fx);
                    });
                }
                nest(fx, |fx| self.leader.on_message(from, message, fx));
            }
        }
        if self.leader.matchmakers().epoch > before {
            self.hand_over(fx, |reconfigurer, present, fx| reconfigurer.follow(present, fx));
        }
    }

    /// Sees where its leadership is after a step.
    fn settle(&mut self, fx: &Fx) {
        let is_used = |record: &CastRecord| {
            matches!(record, CastRecord::Node(NodeRecord::Proposer(LeaderRecord::Used(_))))
        };
        let is_asking = |(_, message): &(NodeId, Message)| {
            matches!(message, Message::Matchmaker(ToMatchmaker::NewestA(_)))
        };
        self.lead = match self.lead {
            Lead::Coming if fx.records.iter().any(is_used) => Lead::Present,
            Lead::Present if !self.leader.is_active() || fx.sends.iter().any(is_asking) => {
                Lead::Lost
            }
            lead => lead,
        };
    }

    fn on_timer(&mut self, timer: ProposerTimer, fx: &mut Fx) {
        match timer {
            ProposerTimer::Leader(timer) => nest(fx, |fx| self.leader.on_timer(timer, fx)),
            ProposerTimer::Reconfigurer(timer) => {
                self.hand_over(fx, |reconfigurer, present, fx| {
                    reconfigurer.on_timer(timer, present, fx);
                })
            }
            ProposerTimer::Election(timer) => panic!("{timer:?} without an election"),
        }
    }

    fn hand_over<O>(
        &mut self,
        fx: &mut Fx,
        step: impl FnOnce(
            &mut Reconfigurer,
            &Generation,
            &mut Effects<Message, ReconfigurerTimer, ReconfigurerRecord>,
        ) -> O,
    ) -> O {
        nest(fx, |fx: &mut Effects<Message, ProposerTimer, ReconfigurerRecord>| {
            fx.lend(|fx| step(&mut self.reconfigurer, self.leader.matchmakers(), fx))
        })
    }
}

impl Actor for Role {
    type Message = Message;
    type Timer = CastTimer;
    type Record = CastRecord;

    fn restore(&mut self, record: CastRecord) {
        match (self, record) {
            (Self::Node(node), CastRecord::Node(record)) => node.restore(record),
            (Self::Single(wishing), CastRecord::Single(record)) => {
                wishing.proposer.restore(record);
                wishing.values.rotate_left(1);
            }
            (Self::Proposing(proposing), CastRecord::Node(record)) => {
                proposing.is_restarted = true;
                match record {
                    NodeRecord::Proposer(record) => proposing.leader.restore(record),
                    NodeRecord::Reconfigurer(record) => proposing.reconfigurer.restore(record),
                    record => panic!("the record {record:?} belongs to another role"),
                }
            }
            (role, record) => panic!("the record {record:?} belongs to another role than {role:?}"),
        }
    }

    fn on_start(&mut self, fx: &mut Fx) {
        let scripts = match self {
            Self::Node(node) => return fx.lend(|fx| node.on_start(fx)),
            Self::Single(_) => 1,
            Self::Proposing(proposing) => proposing.scripts.len(),
        };
        for script in 0..scripts {
            fx.set_timer(CastTimer::Wish(script), Duration::ZERO..Duration::ZERO);
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, fx: &mut Fx) {
        match (self, message) {
            (Self::Node(node), message) => fx.lend(|fx| node.on_message(from, message, fx)),
            (Self::Single(wishing), Message::Proposer(ToProposer::Acceptor(m))) => {
                fx.lend(|fx| wishing.proposer.on_acceptor(from, m, fx));
            }
            (Self::Single(wishing), Message::Proposer(ToProposer::Matchmaker(m))) => {
                fx.lend(|fx| wishing.proposer.on_matchmaker(from, m, fx));
            }
            (Self::Proposing(proposing), Message::Proposer(m)) => {
                if proposing.lead != Lead::Lost {
                    proposing.tell(from, m, fx);
                    proposing.settle(fx);
                }
            }
            (_, message) => fx.violation("routing", format!("{from} sent {message:?}")),
        }
    }

    fn on_timer(&mut self, timer: CastTimer, fx: &mut Fx) {
        match (self, timer) {
            (Self::Single(wishing), CastTimer::Wish(_)) => {
                let Wishing { proposer, configuration, values } = &mut **wishing;
                let (value, configuration) = (values[0].clone(), configuration.clone());
                fx.lend(|fx| proposer.propose(value, configuration, fx));
            }
            (Self::Single(wishing), CastTimer::Single(timer)) => {
                fx.lend(|fx| wishing.proposer.on_timer(timer, fx));
            }
            (Self::Proposing(proposing), CastTimer::Wish(script)) => proposing.utter(script, fx),
            (Self::Proposing(proposing), CastTimer::Node(NodeTimer::Proposer(timer))) => {
                proposing.on_timer(timer, fx);
            }
            (Self::Node(node), CastTimer::Node(timer)) => fx.lend(|fx| node.on_timer(timer, fx)),
            (role, timer) => panic!("the timer {timer:?} belongs to another role than {role:?}"),
        }
    }

    fn on_turn_end(&mut self, fx: &mut Fx) {
        match self {
            Self::Node(node) => fx.lend(|fx| node.on_turn_end(fx)),
            Self::Single(_) => {}
            Self::Proposing(proposing) => nest(fx, |fx| proposing.leader.on_turn_end(fx)),
        }
    }

    fn checkpoint(&self) -> Vec<CastRecord> {
        match self {
            Self::Node(node) => node.checkpoint().into_iter().map(CastRecord::Node).collect(),
            Self::Single(wishing) => {
                wishing.proposer.checkpoint().into_iter().map(CastRecord::Single).collect()
            }
            Self::Proposing(proposing) => {
                let leader = proposing.leader.checkpoint().into_iter().map(NodeRecord::from);
                let driver = proposing.reconfigurer.checkpoint().into_iter();
                leader.chain(driver.map(NodeRecord::from)).map(CastRecord::from).collect()
            }
        }
    }
}

/// Runs a step of a part of a proposer, and adopts its effects as those of a node.
fn nest<T, R, O>(fx: &mut Fx, step: impl FnOnce(&mut Effects<Message, T, R>) -> O) -> O
where
    NodeTimer: From<T>,
    NodeRecord: From<R>,
{
    fx.nest(|fx: &mut Effects<Message, NodeTimer, NodeRecord>| fx.nest(step))
}
