//! The operator: asks the leader of each column for other acceptors, and a proposer for other matchmakers
//! or dependency nodes.

use std::collections::{BTreeMap, BTreeSet};

use bpaxos::column::InColumn;
use bpaxos::message::{
    MatchmakersA, MatchmakersOutcome, Message, ServiceA, ToApplication, ToProposer,
};
use bpaxos::vertex::Column;
use matchmaker::message::{
    Message as ConsensusMessage, Progress, ReconfigureA, ReconfigureB, StatusA, StatusB,
    ToApplication as ToOperator, ToProposer as ToLeader,
};
use paxos::actor::NodeId;
use paxos::quorum::QuorumSystem;
use paxos::state_machine::Conflicts;

use super::{Bpaxos, Seated};
use crate::coverage::Situation;
use crate::plan::{OPERATOR, Role, Wish};
use crate::trace::Kind;
use crate::workload::Workload;
use crate::world::process::Envelope;
use crate::world::{Event, World};

/// What the operator asked for.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// Other acceptors of every column.
    Acceptors(QuorumSystem, BTreeSet<NodeId>),
    /// Other matchmakers of every column, and which proposer is asked.
    Matchmakers(BTreeSet<NodeId>, usize),
    /// Other dependency nodes, and which proposer is asked.
    Service(BTreeSet<NodeId>, usize),
}

/// What the operator remembers.
#[derive(Debug, Default)]
pub(super) struct Operator {
    /// Every request, by its token less one.
    pub(super) requests: Vec<Request>,
    /// Columns in which a request for acceptors became active.
    pub(super) active: BTreeSet<(u64, Column)>,
    /// Columns in which the collection of a request was reported.
    pub(super) collected: BTreeSet<(u64, Column)>,
    /// Requests for matchmakers or dependency nodes that have come to their end.
    pub(super) done: BTreeSet<u64>,
    /// What the leader of each column answered last for its status.
    pub(super) status: BTreeMap<Column, StatusB>,
}

impl<W: Workload<Machine: Conflicts>> World<W, Bpaxos> {
    /// Asks for something. Returns the token of the request.
    pub(super) fn wish(&mut self, wish: Wish) -> u64 {
        let request = match wish {
            Wish::Acceptors { system, acceptors } => {
                Request::Acceptors(system, self.named(Role::Acceptor, &acceptors))
            }
            Wish::Matchmakers { matchmakers, drivers } => {
                let driver = drivers.first().copied().unwrap_or_default();
                Request::Matchmakers(self.named(Role::Matchmaker, &matchmakers), driver)
            }
            Wish::Service { dependency_nodes, driver } => {
                Request::Service(self.named(Role::DependencyNode, &dependency_nodes), driver)
            }
            Wish::Exchange(_) | Wish::Transfer(_) => return 0,
        };
        self.own.operator.requests.push(request);
        let token = self.own.operator.requests.len() as u64;
        if self.recorder.is_some() {
            let text = format!("request {token}: {}", self.shown(token));
            self.note(None, Kind::Wish, text);
        }
        self.send_request(token);
        token
    }

    fn named(&self, role: Role, numbers: &[usize]) -> BTreeSet<NodeId> {
        let all = self.places.every(role);
        numbers.iter().filter_map(|number| all.get(*number)).copied().collect()
    }

    /// A request in words.
    pub(super) fn shown(&self, token: u64) -> String {
        let names = |nodes: &BTreeSet<NodeId>| {
            let names: Vec<String> = nodes.iter().map(|node| self.places.name(*node)).collect();
            names.join(" ")
        };
        match &self.own.operator.requests[token as usize - 1] {
            Request::Acceptors(system, members) => {
                format!("{system:?} of {} for every column", names(members))
            }
            Request::Matchmakers(members, _) => format!("matchmakers {}", names(members)),
            Request::Service(members, _) => format!("dependency nodes {}", names(members)),
        }
    }

    /// Every column of the cluster.
    pub(super) fn columns(&self) -> Vec<Column> {
        self.places.every(Role::Proposer).into_iter().map(Column).collect()
    }

    /// Sends the request of `token`, for the first time or again.
    pub(super) fn send_request(&mut self, token: u64) {
        let proposers = self.places.every(Role::Proposer);
        match self.own.operator.requests[token as usize - 1].clone() {
            Request::Acceptors(system, members) => {
                for column in self.columns() {
                    if self.own.operator.collected.contains(&(token, column)) {
                        continue;
                    }
                    let m = ReconfigureA { token, system, members: members.clone(), change: None };
                    self.tell_leaders(column, &ToLeader::ReconfigureA(Box::new(m)));
                }
            }
            Request::Matchmakers(members, driver) => {
                let m = ToProposer::MatchmakersA(MatchmakersA { token, members });
                self.tell(proposers[driver % proposers.len()], Message::Proposer(m));
            }
            Request::Service(members, driver) => {
                let m = ToProposer::ServiceA(ServiceA { token, members });
                self.tell(proposers[driver % proposers.len()], Message::Proposer(m));
            }
        }
    }

    /// Has another proposer that is not lost see to the request from the next time on.
    pub(super) fn change_driver(&mut self, token: u64) {
        let count = self.places.every(Role::Proposer).len();
        match &mut self.own.operator.requests[token as usize - 1] {
            Request::Matchmakers(_, driver) | Request::Service(_, driver) => {
                *driver = (*driver + 1) % count;
            }
            Request::Acceptors(..) => {}
        }
    }

    /// Asks who leads each column, and how that is.
    pub(super) fn ask_status(&mut self) {
        self.own.operator.status.clear();
        for column in self.columns() {
            self.tell_leaders(column, &ToLeader::StatusA(StatusA { token: 0 }));
        }
    }

    fn tell_leaders(&mut self, column: Column, m: &ToLeader) {
        for proposer in self.places.every(Role::Proposer) {
            let inner = ConsensusMessage::Proposer(m.clone());
            self.tell(proposer, Message::Column(InColumn { column, inner }));
        }
    }

    fn tell(&mut self, to: NodeId, message: Message) {
        let envelope = Envelope { from: OPERATOR, to, message };
        if let Some(delay) = self.network.operator_delay(&mut self.operator_random) {
            let delays = [Some(delay), None];
            let number = match &mut self.recorder {
                Some(recorder) => {
                    recorder.message::<Seated<W::Machine>>(self.now, &envelope, delays)
                }
                None => 0,
            };
            self.push(delay, Event::Deliver(envelope, number));
        }
    }

    /// Hears an answer.
    pub(super) fn hear(&mut self, message: Message) {
        match message {
            Message::Column(InColumn { column, inner: ConsensusMessage::Application(m) }) => {
                self.hear_of_column(column, m);
            }
            Message::Application(ToApplication::ServiceB(m)) => {
                self.summary.coverage.meet(Situation::ServiceMoved);
                let text = format!(
                    "request {} is finished: epoch {:?} of {:?}",
                    m.token, m.generation.epoch, m.generation.members
                );
                self.note(None, Kind::Activation, text);
                let is_own = match &self.own.operator.requests[m.token as usize - 1] {
                    Request::Service(members, _) => *members == m.generation.members,
                    Request::Acceptors(..) | Request::Matchmakers(..) => false,
                };
                if is_own {
                    self.own.operator.done.insert(m.token);
                }
            }
            Message::Application(ToApplication::MatchmakersB(m)) => {
                let text = format!("request {} is finished: {:?}", m.token, m.outcome);
                self.note(None, Kind::Activation, text);
                if let MatchmakersOutcome::Moved { .. } = m.outcome {
                    self.summary.coverage.meet(Situation::HandoverFinished);
                    self.own.operator.done.insert(m.token);
                }
            }
            _ => {}
        }
    }

    fn hear_of_column(&mut self, column: Column, m: ToOperator) {
        match m {
            ToOperator::ReconfigureB(m) => self.hear_progress(column, *m),
            ToOperator::StatusB(m) => {
                let known = self.own.operator.status.get(&column).map(|status| status.round);
                if known < Some(m.round) {
                    self.own.operator.status.insert(column, *m);
                }
            }
            ToOperator::HandoverB(_)
            | ToOperator::Return(_)
            | ToOperator::Heartbeat(_)
            | ToOperator::Healing(_) => {}
        }
    }

    fn hear_progress(&mut self, column: Column, ReconfigureB { token, progress }: ReconfigureB) {
        self.summary.coverage.on_progress(&progress);
        let (kind, text) = match progress {
            Progress::Active { configuration, round, .. } => {
                self.own.operator.active.insert((token, column));
                self.summary.activations += 1;
                let shown = self.places.show(&configuration);
                (Kind::Activation, format!("is active: {round} {shown}"))
            }
            Progress::Collected { watermark, .. } => {
                self.own.operator.collected.insert((token, column));
                (Kind::Collection, format!("is collected: below {watermark}"))
            }
            other => (Kind::Collection, format!("{other:?}")),
        };
        self.note(None, kind, format!("request {token} in {column:?} {text}"));
    }
}
