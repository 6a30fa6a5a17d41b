//! The operator: replaces acceptors as planned, and switches off machines when told that it may.

use std::collections::BTreeSet;

use matchmaker::message::{
    Message, Progress, ReconfigureA, ReconfigureB, StatusA, StatusB, ToApplication, ToProposer,
};
use paxos::actor::NodeId;
use paxos::quorum::QuorumSystem;
use paxos::round::Round;

use super::process::Envelope;
use super::{Event, Plan, Role, Workload, World};
use crate::MS;
use crate::coverage::Situation;
use crate::plan::{OPERATOR, Wish};
use crate::random::{Purpose, Random};
use crate::trace::Kind;

/// What the operator remembers.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) random: Random,
    /// Every request, by its token less one.
    pub(super) requests: Vec<ReconfigureA>,
    /// When the last one was made for each token.
    sent_at: Vec<u64>,
    /// Tokens that became active.
    pub(super) active: BTreeSet<u64>,
    /// Tokens of which the collection was reported.
    pub(super) collected: BTreeSet<u64>,
    /// The last answer to a question for the status.
    pub(super) status: Option<StatusB>,
}

impl Operator {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            random: Random::stream(plan.seed, (Purpose::Operator, 0)),
            requests: Vec::new(),
            sent_at: Vec::new(),
            active: BTreeSet::new(),
            collected: BTreeSet::new(),
            status: None,
        }
    }
}

impl<W: Workload> World<W> {
    /// Asks for other acceptors or matchmakers. Returns the token of the request; the two are counted
    /// apart.
    pub fn wish(&mut self, wish: Wish) -> u64 {
        match wish {
            Wish::Acceptors { system, acceptors } => self.wish_acceptors(system, &acceptors),
            Wish::Matchmakers { matchmakers, drivers } => self.hand_over(&matchmakers, drivers),
        }
    }

    fn wish_acceptors(&mut self, system: QuorumSystem, acceptors: &[usize]) -> u64 {
        let all = self.places.every(Role::Acceptor);
        let members: BTreeSet<NodeId> = acceptors.iter().map(|index| all[*index]).collect();
        let token = self.operator.requests.len() as u64 + 1;
        if self.recorder.is_some() {
            let names: Vec<String> = members.iter().map(|node| self.places.name(*node)).collect();
            let text = format!("request {token}: {system:?} of {}", names.join(" "));
            self.note(None, Kind::Wish, text);
        }
        self.operator.requests.push(ReconfigureA { token, system, members, change: None });
        self.operator.sent_at.push(self.now);
        self.send_request(token);
        token
    }

    /// Sends the request of `token`, for the first time or again.
    pub fn send_request(&mut self, token: u64) {
        let index = token as usize - 1;
        self.operator.sent_at[index] = self.now;
        let m = self.operator.requests[index].clone();
        for node in &m.members {
            self.switch(*node, None);
        }
        self.tell_proposers(&ToProposer::ReconfigureA(m));
    }

    /// Whether the request of `token` became active.
    pub fn is_active(&self, token: u64) -> bool {
        self.operator.active.contains(&token)
    }

    /// Switches the machine of an acceptor off for ever, whatever the cluster says.
    pub fn switch_off_for_good(&mut self, node: NodeId) {
        self.switch(node, Some(Round { number: u64::MAX, ..Round::ZERO }));
    }

    /// Switches a machine off, because nothing below a round is needed any more, or on.
    fn switch(&mut self, node: NodeId, off: Option<Round>) {
        let Some(at) = self.places.find(node) else { return };
        let process = &mut self.processes[at.process];
        match off {
            Some(watermark) => {
                self.ghost.retired.insert(node, watermark);
                process.off.insert(at.place);
            }
            None => {
                if self.ghost.retired.remove(&node).is_some() {
                    self.summary.coverage.meet(Situation::RetiredAcceptorReturned);
                }
                process.off.remove(&at.place);
            }
        }
    }

    /// Asks for the status.
    pub(super) fn ask_status(&mut self) {
        self.operator.status = None;
        self.tell_proposers(&ToProposer::StatusA(StatusA { token: 0 }));
    }

    fn tell_proposers(&mut self, m: &ToProposer) {
        for to in self.places.every(Role::Proposer) {
            self.tell_proposer(to, m);
        }
    }

    pub(super) fn tell_proposer(&mut self, to: NodeId, m: &ToProposer) {
        let envelope = Envelope { from: OPERATOR, to, message: Message::Proposer(m.clone()) };
        if let Some(delay) = self.network.operator_delay(&mut self.operator.random) {
            let number = match &mut self.recorder {
                Some(recorder) => recorder.message(self.now, &envelope, [Some(delay), None]),
                None => 0,
            };
            self.push(delay, Event::Deliver(envelope, number));
        }
    }

    /// Hears an answer.
    pub(super) fn hear(&mut self, message: Message) {
        match message {
            Message::Application(ToApplication::ReconfigureB(m)) => self.hear_progress(m),
            Message::Application(ToApplication::HandoverB(m)) => self.hear_handover(m),
            Message::Application(ToApplication::StatusB(m)) => {
                let known = self.operator.status.as_ref().map(|status| status.round);
                if known < Some(m.round) {
                    self.operator.status = Some(m);
                }
            }
            Message::Application(ToApplication::Return(_) | ToApplication::Heartbeat(_))
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
                self.operator.active.insert(token);
                self.summary.activations += 1;
            }
            Progress::Collected { watermark, retirable } => {
                let text = format!("request {token} is collected: below {watermark}");
                self.note(None, Kind::Collection, text);
                self.operator.collected.insert(token);
                for node in retirable {
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
        const IN_FLIGHT: u64 = 1500 * MS;
        let is_wanted =
            self.operator.requests.iter().zip(&self.operator.sent_at).any(|(request, sent_at)| {
                request.members.contains(&node)
                    && (request.token >= token || sent_at + IN_FLIGHT > self.now)
            });
        if !is_wanted && !self.ghost.retired.contains_key(&node) {
            let text = format!("{} is switched off below {watermark}", self.places.name(node));
            self.note(None, Kind::Collection, text);
            self.switch(node, Some(watermark));
            self.summary.retirements += 1;
            self.summary.coverage.meet(Situation::AcceptorRetired);
        }
    }
}
