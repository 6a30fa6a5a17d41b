//! The operator: replaces acceptors as planned, and switches off machines when told that it may.

use std::collections::BTreeSet;

use matchmaker::message::{
    Message, Progress, ReconfigureA, ReconfigureB, StatusA, StatusB, ToApplication, ToProposer,
};
use paxos::actor::NodeId;
use paxos::quorum::QuorumSystem;
use paxos::round::Round;

use super::Seated;
use super::exchanges::IN_FLIGHT_US;
use crate::coverage::Situation;
use crate::plan::{OPERATOR, Wish};
use crate::trace::Kind;
use crate::world::process::Envelope;
use crate::world::{Event, Role, Workload, World};

/// What the operator remembers.
#[derive(Debug, Default)]
pub(super) struct Operator {
    /// Every request, by its token less one.
    pub(super) requests: Vec<ReconfigureA>,
    /// When the last one was made for each token.
    sent_at: Vec<u64>,
    /// The token of the last wish for acceptors.
    pub(super) last_wish: u64,
    /// Tokens that became active.
    pub(super) active: BTreeSet<u64>,
    /// Tokens of which the collection was reported.
    pub(super) collected: BTreeSet<u64>,
    /// The last answer to a question for the status.
    pub(super) status: Option<StatusB>,
}

impl Operator {
    /// Gives a request a token of its own, at a time.
    pub(super) fn add_request(&mut self, make: impl FnOnce(u64) -> ReconfigureA, now: u64) -> u64 {
        let token = self.requests.len() as u64 + 1;
        self.requests.push(make(token));
        self.sent_at.push(now);
        token
    }

    /// Whether each request for one of `nodes` as an acceptor was outdone by a later one, which was made
    /// when the earlier one could no more be on its way. None if only time can tell.
    pub(super) fn is_out_of_limbo(&self, nodes: &BTreeSet<NodeId>, now: u64) -> Option<bool> {
        let times = || self.requests.iter().zip(&self.sent_at);
        let wanting = times().filter(|(m, _)| m.change.is_none() && !m.members.is_disjoint(nodes));
        let Some(last) = wanting.map(|(_, at)| at + IN_FLIGHT_US).max() else { return Some(true) };
        if last > now {
            return None;
        }
        let mut later = times().filter(|(_, at)| **at > last);
        Some(later.any(|(m, _)| self.collected.contains(&m.token)))
    }
}

impl<W: Workload> World<W> {
    /// Asks for other acceptors or matchmakers. Returns the token of the request; the two are counted
    /// apart.
    pub fn wish(&mut self, wish: Wish) -> u64 {
        match wish {
            Wish::Acceptors { system, acceptors } => self.wish_acceptors(system, &acceptors),
            Wish::Matchmakers { matchmakers, drivers } => {
                self.own.handovers.last_wish = self.hand_over(&matchmakers, drivers);
                self.own.handovers.last_wish
            }
            Wish::Exchange(intent) => {
                self.exchange(intent);
                0
            }
            Wish::Transfer(process) => {
                self.transfer(process);
                0
            }
            // There are no dependency nodes.
            Wish::Service { .. } => 0,
        }
    }

    fn wish_acceptors(&mut self, system: QuorumSystem, acceptors: &[usize]) -> u64 {
        let members = self.pick_available(Role::Acceptor, acceptors);
        let make = |token| ReconfigureA { token, system, members: members.clone(), change: None };
        let token = self.own.operator.add_request(make, self.now);
        if self.recorder.is_some() {
            let names: Vec<String> = members.iter().map(|node| self.places.name(*node)).collect();
            let text = format!("request {token}: {system:?} of {}", names.join(" "));
            self.note(None, Kind::Wish, text);
        }
        self.own.operator.last_wish = token;
        self.send_request(token);
        token
    }

    /// Sends the request of `token`, for the first time or again.
    pub fn send_request(&mut self, token: u64) {
        let index = token as usize - 1;
        self.own.operator.sent_at[index] = self.now;
        let m = self.own.operator.requests[index].clone();
        for node in &m.members {
            self.switch(*node, None);
        }
        self.tell_proposers(&ToProposer::ReconfigureA(Box::new(m)));
    }

    /// Whether the request of `token` became active.
    pub fn is_active(&self, token: u64) -> bool {
        self.own.operator.active.contains(&token)
    }

    /// Switches the machine of an acceptor off for ever, whatever the cluster says.
    pub fn switch_off_for_good(&mut self, node: NodeId) {
        self.switch(node, Some(Round { number: u64::MAX, ..Round::ZERO }));
    }

    /// Switches a machine off, because nothing below a round is needed any more, or on.
    fn switch(&mut self, node: NodeId, off: Option<Round>) {
        let present = self.places.find(node).filter(|_| self.places.is_present(node));
        let Some(at) = present else { return };
        let process = &mut self.processes[at.process];
        match off {
            Some(watermark) => {
                self.own.ghost.retired.insert(node, watermark);
                process.off.insert(at.place);
            }
            None => {
                if self.own.ghost.retired.remove(&node).is_some() {
                    self.summary.coverage.meet(Situation::RetiredAcceptorReturned);
                }
                process.off.remove(&at.place);
            }
        }
    }

    /// Asks for the status.
    pub(super) fn ask_status(&mut self) {
        self.own.operator.status = None;
        self.tell_proposers(&ToProposer::StatusA(StatusA { token: 0 }));
    }

    pub(super) fn tell_proposers(&mut self, m: &ToProposer) {
        for to in self.places.every(Role::Proposer) {
            self.tell_proposer(to, m);
        }
    }

    pub(super) fn tell_proposer(&mut self, to: NodeId, m: &ToProposer) {
        let envelope = Envelope { from: OPERATOR, to, message: Message::Proposer(m.clone()) };
        if let Some(delay) = self.network.operator_delay(&mut self.operator_random) {
            let number = match &mut self.recorder {
                Some(recorder) => {
                    recorder.message::<Seated<W::Machine>>(self.now, &envelope, [Some(delay), None])
                }
                None => 0,
            };
            self.push(delay, Event::Deliver(envelope, number));
        }
    }

    /// Hears an answer.
    pub(super) fn hear(&mut self, message: Message) {
        match message {
            Message::Application(ToApplication::ReconfigureB(m)) => self.hear_progress(*m),
            Message::Application(ToApplication::HandoverB(m)) => self.hear_handover(*m),
            Message::Application(ToApplication::StatusB(m)) if m.token > 0 => self.hear_look(*m),
            Message::Application(ToApplication::StatusB(m)) => {
                let known = self.own.operator.status.as_ref().map(|status| status.round);
                if known < Some(m.round) {
                    self.own.operator.status = Some(*m);
                }
            }
            Message::Application(
                ToApplication::Return(_) | ToApplication::Heartbeat(_) | ToApplication::Healing(_),
            )
            | Message::Acceptor(_)
            | Message::Matchmaker(_)
            | Message::Proposer(_)
            | Message::Replica(_)
            | Message::Archive(_)
            | Message::Session(_) => {}
        }
    }

    fn hear_progress(&mut self, m: ReconfigureB) {
        let token = m.token;
        self.summary.coverage.on_progress(&m.progress);
        match m.progress {
            Progress::Active { configuration, round, .. } => {
                let shown = self.places.show(&configuration);
                let text = format!("request {token} is active: {round} {shown}");
                self.note(None, Kind::Activation, text);
                self.own.operator.active.insert(token);
                self.summary.activations += 1;
            }
            Progress::Collected { watermark, retirable } => {
                let text = format!("request {token} is collected: below {watermark}");
                self.note(None, Kind::Collection, text);
                self.own.operator.collected.insert(token);
                let is_acceptor = |node: &NodeId| {
                    self.places.role(*node) == Some(Role::Acceptor) && self.places.is_present(*node)
                };
                for node in retirable.into_iter().filter(is_acceptor).collect::<Vec<_>>() {
                    self.retire(node, token, watermark);
                }
            }
            Progress::Interrupted => {
                self.note(None, Kind::Collection, format!("request {token} is interrupted"));
            }
            Progress::Unreachable { silent } => {
                let names: Vec<String> = silent.iter().map(|n| self.places.name(*n)).collect();
                let text = format!("request {token} is refused: {} do not answer", names.join(" "));
                self.note(None, Kind::Collection, text);
            }
            Progress::Refused { reason } => {
                self.note(None, Kind::Collection, format!("request {token} is refused: {reason}"));
            }
        }
    }

    /// Switches the machine of an acceptor off, unless a later request wants it, or one that may be
    /// on its way.
    fn retire(&mut self, node: NodeId, token: u64, watermark: Round) {
        let is_wanted = self.own.operator.requests.iter().zip(&self.own.operator.sent_at).any(
            |(request, sent_at)| {
                request.members.contains(&node)
                    && (request.token >= token || sent_at + IN_FLIGHT_US > self.now)
            },
        );
        if !is_wanted && !self.own.ghost.retired.contains_key(&node) {
            let text = format!("{} is switched off below {watermark}", self.places.name(node));
            self.note(None, Kind::Collection, text);
            self.switch(node, Some(watermark));
            self.summary.retirements += 1;
            self.summary.coverage.meet(Situation::AcceptorRetired);
        }
    }
}
