//! Taking the dependency service from one epoch to the next.
//!
//! ```text
//!          ServiceA             majority of ReachB       majority of FreezeB
//!   Idle ──────────► Reaching ────────────────► Freezing ──────────────────► Deciding
//!    ▲  Frozen, and nobody goes on ───────────────▲                             │ chosen
//!    └────────────────────────── all have answered, or long enough ── Beginning ◄┘
//! ```
//!
//! Any proposer can do it, and several at once: a decree chooses one successor. One that meets a service
//! that was stopped, and waits for a while in vain, finishes the work with the nodes that serve already.
//!
//! *Durable*: rounds of decrees before they are used. The present service is only a hint: nodes that have
//! been succeeded send it on.

use std::collections::BTreeSet;

use matchmaker::message::{Epoch, Generation};
use paxos::actor::{Effects, NodeId};
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::message::ToAcceptor;
use paxos::quorum::QuorumSystem;
use paxos::round::Round;
use paxos::state_machine::Conflicts;
use paxos::synod::{Synod, SynodOptions, SynodRecord, SynodTimer};
use paxos::wire::{self, Payload};

use super::{Fx, Proposer, ProposerRecord, ProposerTimer};
use crate::message::{
    BeginA, BeginB, Behind, DecreeA, DecreeB, FreezeA, FreezeB, FromDependencyNode, Frozen,
    Message, ReachA, ReachB, ServiceA, ServiceB, Succeeded, Successor, ToApplication,
    ToDependencyNode,
};
use crate::vertex::VertexSet;

/// How often nodes that do not answer are told that an epoch has begun, once a majority knows.
const TELL_MAX: u32 = 16;

/// What an operator wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Wish {
    requester: NodeId,
    token: u64,
    members: BTreeSet<NodeId>,
}

/// How far a handover is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Phase {
    /// None is under way.
    #[default]
    Idle,
    /// Asks whether the next nodes are there: a misspelt one must not stop the service.
    Reaching { wish: Wish, answered: BTreeSet<NodeId> },
    /// Stops the present nodes.
    Freezing { wish: Option<Wish>, answered: BTreeSet<NodeId>, received: VertexSet },
    /// Has the successor chosen.
    Deciding { wish: Option<Wish>, synod: Box<Synod> },
    /// Has the next nodes begin, and the present ones point to them.
    Beginning {
        wish: Option<Wish>,
        successor: Successor,
        answered: BTreeSet<NodeId>,
        tell_count: u32,
    },
}

/// What a proposer knows of handovers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Handover {
    /// The highest round of a decree that it has used. Durable.
    pub(super) used: Round,
    phase: Phase,
    /// Whether it waits for somebody else to go on.
    is_patient: bool,
}

impl Default for Handover {
    fn default() -> Self {
        Self { used: Round::ZERO, phase: Phase::Idle, is_patient: false }
    }
}

impl<S: Conflicts> Proposer<S> {
    /// Begins a handover, unless one is under way. Its operator asks again.
    pub(super) fn on_service_a(&mut self, from: NodeId, m: ServiceA, fx: &mut Fx) {
        let is_possible = Configuration::new(0, QuorumSystem::Majority, m.members.clone()).is_ok();
        if self.service.members == m.members {
            let generation = self.service.clone();
            return fx.send(from, ToApplication::ServiceB(ServiceB { token: m.token, generation }));
        }
        if self.handover.phase == Phase::Idle && is_possible {
            let wish = Wish { requester: from, token: m.token, members: m.members };
            self.handover.phase = Phase::Reaching { wish, answered: BTreeSet::new() };
            self.ask_for_handover(fx);
        }
    }

    /// Takes what a node says about who serves.
    pub(super) fn on_service(&mut self, from: NodeId, message: FromDependencyNode, fx: &mut Fx) {
        match message {
            FromDependencyNode::ReachB(m) => self.on_reach_b(from, &m, fx),
            FromDependencyNode::FreezeB(m) => self.on_freeze_b(from, &m, fx),
            FromDependencyNode::DecreeB(m) => self.on_decree_b(from, m, fx),
            FromDependencyNode::BeginB(m) => self.on_begin_b(from, &m, fx),
            FromDependencyNode::Succeeded(m) => self.on_succeeded(m, fx),
            FromDependencyNode::Frozen(m) => self.on_frozen(&m, fx),
            FromDependencyNode::Behind(m) => self.on_behind(from, &m, fx),
        }
    }

    fn on_reach_b(&mut self, from: NodeId, m: &ReachB, fx: &mut Fx) {
        let Phase::Reaching { wish, answered } = &mut self.handover.phase else { return };
        if m.epoch != next(self.service.epoch) || !wish.members.contains(&from) {
            return;
        }
        answered.insert(from);
        if answered.len() > wish.members.len() / 2 {
            let wish = Some(wish.clone());
            self.start_freezing(wish, fx);
        }
    }

    fn start_freezing(&mut self, wish: Option<Wish>, fx: &mut Fx) {
        let (answered, received) = (BTreeSet::new(), VertexSet::new());
        self.handover.phase = Phase::Freezing { wish, answered, received };
        self.ask_for_handover(fx);
    }

    /// Adds what a stopped node has received. The union of a majority has every vertex whose dependencies
    /// are complete.
    fn on_freeze_b(&mut self, from: NodeId, m: &FreezeB, fx: &mut Fx) {
        let service = &self.service;
        let Phase::Freezing { wish, answered, received } = &mut self.handover.phase else { return };
        if m.epoch != service.epoch || !service.members.contains(&from) {
            return;
        }
        answered.insert(from);
        received.union(&m.received);
        if answered.len() < service.majority() {
            return;
        }
        let members = wish.as_ref().map_or(&service.members, |wish| &wish.members).clone();
        let generation = Generation { epoch: next(service.epoch), members };
        let previous = service.members.clone();
        let successor = Successor { generation, previous, base: std::mem::take(received) };
        let wish = wish.take();
        self.start_deciding(successor, wish, fx);
    }

    fn start_deciding(&mut self, successor: Successor, wish: Option<Wish>, fx: &mut Fx) {
        let members = self.service.members.iter().copied();
        let Ok(configuration) = Configuration::new(0, QuorumSystem::Majority, members) else {
            return;
        };
        let resend = self.options.resend.clone();
        let options = SynodOptions { resend, ..SynodOptions::default() };
        let mut synod = Synod::new(self.node, configuration, options);
        synod.restore(SynodRecord { used: self.handover.used });
        self.handover.phase = Phase::Deciding { wish, synod: Box::new(synod) };
        let value = Value::Batch(Payload(wire::encode(&successor)));
        self.decree(fx, |synod, fx| synod.propose(value, fx));
    }

    fn on_decree_b(&mut self, from: NodeId, m: DecreeB, fx: &mut Fx) {
        if m.epoch == self.service.epoch {
            self.decree(fx, |synod, fx| synod.on_message(from, m.message, fx));
        }
    }

    /// Takes a step of the decree, and goes on when it has chosen.
    pub(super) fn decree(
        &mut self,
        fx: &mut Fx,
        step: impl FnOnce(&mut Synod, &mut Effects<ToAcceptor, SynodTimer, SynodRecord>),
    ) {
        let Phase::Deciding { wish, synod } = &mut self.handover.phase else { return };
        let mut inner = Effects::default();
        step(synod, &mut inner);
        let chosen = synod.chosen().cloned();
        let wish = wish.clone();
        for SynodRecord { used } in std::mem::take(&mut inner.records) {
            self.handover.used = used;
            fx.record(ProposerRecord::Decreed(used));
        }
        let epoch = self.service.epoch;
        for (to, message) in std::mem::take(&mut inner.sends) {
            fx.send(to, DecreeA { epoch, message });
        }
        fx.violations.append(&mut inner.violations);
        fx.nest(|fx: &mut Effects<Message, SynodTimer, ProposerRecord>| fx.timers = inner.timers);
        let Some(Value::Batch(bytes)) = chosen else { return };
        match wire::decode::<Successor>(&bytes.0) {
            Ok(successor) => self.start_beginning(successor, wish, fx),
            Err(error) => fx.violation("decree values", error.to_string()),
        }
    }

    fn start_beginning(&mut self, successor: Successor, wish: Option<Wish>, fx: &mut Fx) {
        let (answered, tell_count) = (BTreeSet::new(), 0);
        self.handover.phase = Phase::Beginning { wish, successor, answered, tell_count };
        self.ask_for_handover(fx);
    }

    /// Counts a node that knows of the epoch that has begun; follows it when a majority of its nodes does.
    fn on_begin_b(&mut self, from: NodeId, m: &BeginB, fx: &mut Fx) {
        let Phase::Beginning { wish, successor, answered, .. } = &mut self.handover.phase else {
            return;
        };
        let (successor, generation) = (successor.clone(), successor.generation.clone());
        if m.epoch != generation.epoch {
            return;
        }
        answered.insert(from);
        let begun = generation.members.intersection(answered).count();
        let is_over =
            generation.members.is_subset(answered) && successor.previous.is_subset(answered);
        if begun >= generation.majority()
            && let Some(wish) = wish.take()
        {
            let m = ServiceB { token: wish.token, generation: generation.clone() };
            fx.send(wish.requester, ToApplication::ServiceB(m));
        }
        if is_over {
            self.handover.phase = Phase::Idle;
            fx.cancel_timer(ProposerTimer::Handover);
        }
        if begun >= generation.majority() && generation.epoch > self.service.epoch {
            let proposers = self.deployment.initial.membership().proposers.iter();
            let others = proposers.filter(|other| **other != self.node);
            fx.broadcast(others, Succeeded { successor: successor.clone() });
            self.follow_service(successor, fx);
        }
    }

    /// A later epoch was chosen. Goes on with it when a majority of its nodes has begun, and sees to that:
    /// whoever was at it may have died. A handover of an earlier one is over.
    fn on_succeeded(&mut self, m: Succeeded, fx: &mut Fx) {
        let epoch = m.successor.generation.epoch;
        let is_begun = matches!(&self.handover.phase, Phase::Beginning { successor, .. }
            if successor.generation.epoch >= epoch);
        if epoch <= self.service.epoch || is_begun {
            return;
        }
        let wish = match std::mem::take(&mut self.handover.phase) {
            Phase::Reaching { wish, .. } => Some(wish),
            Phase::Freezing { wish, .. }
            | Phase::Deciding { wish, .. }
            | Phase::Beginning { wish, .. } => wish,
            Phase::Idle => None,
        };
        self.start_beginning(m.successor, wish, fx);
    }

    fn follow_service(&mut self, successor: Successor, fx: &mut Fx) {
        fx.record(ProposerRecord::Service(successor.clone()));
        self.service = successor.generation.clone();
        self.origin = Some(successor);
        self.collect_again(fx);
    }

    /// A node of the present epoch was not there when it began.
    fn on_behind(&self, from: NodeId, m: &Behind, fx: &mut Fx) {
        let origin = self.origin.as_ref().filter(|_| m.epoch == self.service.epoch);
        if let Some(origin) = origin.filter(|origin| origin.generation.members.contains(&from)) {
            fx.send(from, BeginA { successor: origin.clone() });
        }
    }

    /// Whoever has stopped the service may have died: waits a while, and goes on in its place.
    fn on_frozen(&mut self, m: &Frozen, fx: &mut Fx) {
        let is_idle = self.handover.phase == Phase::Idle && !self.handover.is_patient;
        if m.epoch == self.service.epoch && is_idle {
            self.handover.is_patient = true;
            fx.set_timer(ProposerTimer::Patience(m.epoch), self.options.patience.clone());
        }
    }

    pub(super) fn on_patience_timer(&mut self, epoch: Epoch, fx: &mut Fx) {
        self.handover.is_patient = false;
        if epoch == self.service.epoch && self.handover.phase == Phase::Idle {
            self.start_freezing(None, fx);
        }
    }

    /// Asks again what was not answered; but tells old nodes no more when they had their time.
    pub(super) fn on_handover_timer(&mut self, fx: &mut Fx) {
        if let Phase::Beginning { successor, tell_count, .. } = &mut self.handover.phase {
            *tell_count = tell_count.saturating_add(1);
            let has_begun = self.service.epoch >= successor.generation.epoch;
            if has_begun && *tell_count > TELL_MAX {
                self.handover.phase = Phase::Idle;
            }
        }
        self.ask_for_handover(fx);
    }

    /// Asks for what the present phase waits for, from those that have not answered.
    fn ask_for_handover(&mut self, fx: &mut Fx) {
        let (epoch, present) = (self.service.epoch, &self.service.members);
        match &self.handover.phase {
            Phase::Idle => return,
            // Asks by itself.
            Phase::Deciding { .. } => return,
            Phase::Reaching { wish, answered } => {
                let m = ToDependencyNode::ReachA(ReachA { epoch: next(epoch) });
                fx.broadcast(wish.members.difference(answered), m);
            }
            Phase::Freezing { answered, .. } => {
                let m = ToDependencyNode::FreezeA(FreezeA { epoch });
                fx.broadcast(present.difference(answered), m);
            }
            Phase::Beginning { successor, answered, .. } => {
                let m = ToDependencyNode::BeginA(BeginA { successor: successor.clone() });
                let all = successor.generation.members.union(&successor.previous);
                fx.broadcast(all.filter(|node| !answered.contains(node)), m);
            }
        }
        fx.set_timer(ProposerTimer::Handover, self.options.resend.clone());
    }
}

/// The epoch after `epoch`.
fn next(epoch: Epoch) -> Epoch {
    Epoch(epoch.0.saturating_add(1))
}
