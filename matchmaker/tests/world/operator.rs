//! The operator: replaces acceptors at random, and switches off machines when told that it may.

use std::collections::BTreeSet;

use matchmaker::message::{
    Message, Progress, ReconfigureA, ReconfigureB, StatusA, StatusB, ToApplication, ToProposer,
};
use paxos::actor::NodeId;
use paxos::quorum::QuorumSystem;
use paxos::round::Round;

use super::checks::names;
use super::network::MS;
use super::places::{self, OPERATOR, PROCESSES, PROPOSER, node};
use super::process::Envelope;
use super::{Event, World};

/// What the operator remembers.
#[derive(Default)]
pub struct Operator {
    /// Every request, by its token less one.
    pub requests: Vec<ReconfigureA>,
    /// When the last one was made for each token.
    pub sent_at: Vec<u64>,
    /// Tokens that became active.
    pub active: BTreeSet<u64>,
    /// Tokens of which the collection was reported.
    pub collected: BTreeSet<u64>,
    /// The last answer to a question for the status.
    pub status: Option<StatusB>,
}

impl World {
    /// Asks for new acceptors, sometimes twice in a row, and plans the next time.
    pub(super) fn operate(&mut self) {
        let pause = if self.random.permille(300) {
            self.random.within(100..4 * MS)
        } else {
            self.random.within(50 * MS..900 * MS)
        };
        self.push(pause, Event::Operate);
        self.request_random();
    }

    /// A new request for random acceptors.
    pub(super) fn request_random(&mut self) {
        let mut pool = places::acceptors();
        let (system, count) = if self.random.permille(200) {
            (QuorumSystem::WriteAll, 2)
        } else if self.random.permille(200) {
            (QuorumSystem::Majority, 5)
        } else {
            (QuorumSystem::Majority, 3)
        };
        let members: BTreeSet<NodeId> =
            (0..count).map(|_| pool.remove(self.random.index(pool.len()))).collect();
        let token = self.operator.requests.len() as u64 + 1;
        self.operator.requests.push(ReconfigureA { token, system, members });
        self.operator.sent_at.push(self.now);
        self.send_request(token);
    }

    /// Sends the request of `token`, for the first time or again.
    pub(super) fn send_request(&mut self, token: u64) {
        let index = token as usize - 1;
        self.operator.sent_at[index] = self.now;
        let m = self.operator.requests[index].clone();
        for node in &m.members {
            self.ghost.retired.remove(node);
        }
        self.tell_proposers(&ToProposer::ReconfigureA(m));
    }

    /// Asks for the status.
    pub(super) fn ask_status(&mut self) {
        self.operator.status = None;
        self.tell_proposers(&ToProposer::StatusA(StatusA { token: 0 }));
    }

    fn tell_proposers(&mut self, m: &ToProposer) {
        for process in 0..PROCESSES {
            let (to, message) = (node(process, PROPOSER), Message::Proposer(m.clone()));
            let envelope = Envelope { from: OPERATOR, to, message };
            self.trace_message(&envelope);
            if let Some(delay) = self.network.operator_delay(&mut self.random) {
                self.push(delay, Event::Deliver(envelope));
            }
        }
    }

    /// Hears an answer.
    pub(super) fn hear(&mut self, message: Message) {
        match message {
            Message::Application(ToApplication::ReconfigureB(m)) => self.hear_progress(m),
            Message::Application(ToApplication::StatusB(m)) => {
                let known = self.operator.status.as_ref().map(|status| status.round);
                if known < Some(m.round) {
                    self.operator.status = Some(m);
                }
            }
            _ => {}
        }
    }

    fn hear_progress(&mut self, m: ReconfigureB) {
        match m.progress {
            Progress::Active { configuration, round, .. } => {
                self.note(format_args!(
                    "#{} is active: {round} {}",
                    m.token,
                    names(&configuration)
                ));
                self.operator.active.insert(m.token);
                self.summary.activations += 1;
            }
            Progress::Collected { watermark, retirable } => {
                self.note(format_args!("#{} is collected: below {watermark}", m.token));
                self.operator.collected.insert(m.token);
                for node in retirable {
                    self.switch_off(node, m.token, watermark);
                }
            }
            Progress::Interrupted => self.note(format_args!("#{} is interrupted", m.token)),
            Progress::Refused { reason } => {
                self.note(format_args!("#{} is refused: {reason}", m.token));
            }
        }
    }

    /// Switches the machine of an acceptor off, unless a later request wants it, or one that may be
    /// on its way.
    fn switch_off(&mut self, node: NodeId, token: u64, watermark: Round) {
        const IN_FLIGHT: u64 = 1500 * MS;
        let is_wanted =
            self.operator.requests.iter().zip(&self.operator.sent_at).any(|(request, sent_at)| {
                request.members.contains(&node)
                    && (request.token >= token || sent_at + IN_FLIGHT > self.now)
            });
        if !is_wanted && !self.ghost.retired.contains_key(&node) {
            self.note(format_args!("{} is switched off below {watermark}", places::name(node)));
            self.ghost.retired.insert(node, watermark);
            self.summary.retirements += 1;
        }
    }
}
