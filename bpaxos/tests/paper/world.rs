//! A cluster in a world with a clock of its own. Each message takes a time that the world draws, or is
//! lost or repeated; processes stop and start again with their disks. Everything follows from a seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bpaxos::column::Columns;
use bpaxos::dependency_node::{DependencyNode, DependencyOptions};
use bpaxos::message::{Message, ServiceA, ServiceB, ToApplication, ToProposer, ToSession};
use bpaxos::node::{Node, NodeRecord, NodeTimer};
use bpaxos::proposer::{Proposer, ProposerOptions};
use bpaxos::replica::{Replica, Surroundings};
use bpaxos::session::{Session, SessionOptions};
use bpaxos::vertex::{Column, Vertex};
use matchmaker::leader::Deployment;
use matchmaker::matchmaker::Matchmaker;
use matchmaker::message::{Epoch, Generation};
use paxos::acceptor::Acceptor;
use paxos::actor::{Actor, Effects, Incarnation, NodeId, Seat, TimerChange};
use paxos::archive::Archive;
use paxos::configuration::Configuration;
use paxos::membership::Membership;
use paxos::message::{Invoke, Operation, Outcome, Return};
use paxos::quorum::QuorumSystem;
use paxos::slot::Slot;
use paxos::snapshot::SnapshotOptions;
use paxos::wire::Payload;

use crate::ghost::Ghost;
use crate::machine::Lists;

pub(crate) const PROPOSERS: [NodeId; 3] = [node(1), node(2), node(3)];
pub(crate) const MATCHMAKERS: [NodeId; 3] = [node(11), node(12), node(13)];
/// The acceptors of a new cluster.
pub(crate) const A: [NodeId; 3] = [node(21), node(22), node(23)];
pub(crate) const B: [NodeId; 3] = [node(31), node(32), node(33)];
pub(crate) const REPLICAS: [NodeId; 3] = [node(51), node(52), node(53)];
pub(crate) const ARCHIVES: [NodeId; 3] = [node(61), node(62), node(63)];
pub(crate) const SESSIONS: [NodeId; 3] = [node(71), node(72), node(73)];
pub(crate) const DEPENDENCY_NODES: [NodeId; 3] = [node(81), node(82), node(83)];
/// Dependency nodes that may serve later.
pub(crate) const SPARE_DEPENDENCY_NODES: [NodeId; 3] = [node(84), node(85), node(86)];
/// Applications and operators: no actors, but somewhere to send to.
pub(crate) const OUTSIDE: NodeId = node(91);

pub(crate) const fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

pub(crate) const fn vertex(proposer: NodeId, slot: u64) -> Vertex {
    Vertex { column: Column(proposer), slot: Slot(slot) }
}

/// How the network behaves.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// Microseconds that a message takes.
    pub(crate) delay: std::ops::Range<u64>,
    /// One of so many messages is lost; none if zero.
    pub(crate) loss: u64,
    /// One of so many messages arrives twice; none if zero.
    pub(crate) repeat: u64,
}

impl Weather {
    /// Nothing is lost, and everything takes the same time.
    pub(crate) const CALM: Self = Self { delay: 100..101, loss: 0, repeat: 0 };
}

/// Whether a message is kept from its receiver.
pub(crate) type Barrier = fn(NodeId, NodeId, &Message) -> bool;

#[derive(Clone, Debug)]
enum Event {
    Message(NodeId, NodeId, Box<Message>),
    Timer(NodeId, NodeTimer, u64),
}

/// The world.
pub(crate) struct World {
    /// Microseconds.
    now: u64,
    chance: u64,
    /// Counts events, and tells timers that were set again from what they were.
    sequence: u64,
    queue: BTreeMap<(u64, u64), Event>,
    timers: BTreeMap<(NodeId, NodeTimer), u64>,
    nodes: BTreeMap<NodeId, Node<Lists>>,
    disks: BTreeMap<NodeId, Vec<NodeRecord>>,
    options: Options,
    pub(crate) weather: Weather,
    pub(crate) barriers: Vec<Barrier>,
    pub(crate) ghost: Ghost,
    /// What the calls came to, by token.
    pub(crate) returns: BTreeMap<u64, Outcome>,
    /// What operators were told, in order.
    pub(crate) told: Vec<matchmaker::message::ToApplication>,
    /// What operators were told of dependency services, in order.
    pub(crate) services: Vec<ServiceB>,
    calls: u64,
    /// Calls that have not returned, each with its session.
    pending: BTreeMap<u64, NodeId>,
}

/// What differs from test to test.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) latest_max: usize,
    pub(crate) block: u64,
    pub(crate) batch_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { latest_max: 2, block: 4, batch_max: 1 }
    }
}

/// Actors that stop and start together, by the seat of one of them.
fn process(node: NodeId) -> u32 {
    match node.seat.0 {
        seat @ 51..=79 => 50 + seat % 10,
        seat => seat,
    }
}

impl World {
    /// A cluster that has just been started, in calm weather.
    pub(crate) fn new(seed: u64, options: Options) -> Self {
        let mut world = Self {
            now: 0,
            chance: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            sequence: 0,
            queue: BTreeMap::new(),
            timers: BTreeMap::new(),
            nodes: BTreeMap::new(),
            disks: BTreeMap::new(),
            options,
            weather: Weather::CALM,
            barriers: Vec::new(),
            ghost: Ghost::default(),
            returns: BTreeMap::new(),
            told: Vec::new(),
            services: Vec::new(),
            calls: 0,
            pending: BTreeMap::new(),
        };
        let all = [PROPOSERS, MATCHMAKERS, A, B, ARCHIVES, REPLICAS, SESSIONS, DEPENDENCY_NODES];
        for node in all.into_iter().flatten().chain(SPARE_DEPENDENCY_NODES) {
            world.start(node);
        }
        world
    }

    /// A cluster whose columns are all led.
    pub(crate) fn founded() -> Self {
        let mut world = Self::new(1, Options::default());
        world.run_for(Duration::from_millis(100));
        world
    }

    /// A number below `end`.
    pub(crate) fn draw(&mut self, end: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 11) % end.max(1)
    }

    fn fresh(&self, node: NodeId) -> Node<Lists> {
        let members = |nodes: [NodeId; 3]| Generation { epoch: Epoch(0), members: nodes.into() };
        let Options { latest_max, block, batch_max } = self.options;
        match node.seat.0 / 10 {
            0 => {
                let options = ProposerOptions { block, batch_max, ..ProposerOptions::default() };
                let service = members(DEPENDENCY_NODES);
                Node::Proposer(Box::new(Proposer::new(node, deployment(), service, options)))
            }
            1 => Node::Matchmaker(Box::new(Columns::new(Matchmaker::new(members(MATCHMAKERS))))),
            2 | 3 => Node::Acceptor(Columns::new(Acceptor::new())),
            5 => {
                let (archive, session) = (beside(node, 60), beside(node, 70));
                let surroundings = Surroundings { archive, session, proposers: PROPOSERS.into() };
                Node::Replica(Box::new(Replica::new(surroundings, Lists::default())))
            }
            6 => {
                let archive = Archive::new(beside(node, 50), SnapshotOptions::default());
                Node::Archive(Box::new(Columns::new(archive)))
            }
            7 => {
                let options = SessionOptions::default();
                Node::Session(Session::new(node, OUTSIDE, PROPOSERS.into(), options))
            }
            _ => {
                let latest_max = latest_max.try_into().expect("at least one");
                let options = DependencyOptions { latest_max, block };
                let service = members(DEPENDENCY_NODES);
                let node = DependencyNode::new(node, service, options);
                Node::DependencyNode(Box::new(node))
            }
        }
    }

    fn start(&mut self, node: NodeId) {
        let mut actor = self.fresh(node);
        for record in self.disks.get(&node).cloned().unwrap_or_default() {
            actor.restore(record);
        }
        actor.check_restored().expect("nothing is missing on the disk");
        self.nodes.insert(node, actor);
        self.step(node, |actor, fx| actor.on_start(fx));
    }

    /// Whether `node` is running.
    pub(crate) fn is_up(&self, node: NodeId) -> bool {
        self.nodes.contains_key(&node)
    }

    /// Stops the process of `node`.
    pub(crate) fn crash(&mut self, node: NodeId) {
        self.nodes.retain(|other, _| process(*other) != process(node));
        self.pending.retain(|_, session| process(*session) != process(node));
        self.timers.retain(|(other, _), _| process(*other) != process(node));
    }

    /// Starts the process of `node` again.
    pub(crate) fn restart(&mut self, node: NodeId) {
        let all = ARCHIVES.into_iter().chain(REPLICAS).chain(SESSIONS).chain([node]);
        let stopped: BTreeSet<NodeId> =
            all.filter(|other| process(*other) == process(node) && !self.is_up(*other)).collect();
        // The archive first: its replica asks it.
        stopped.into_iter().rev().for_each(|node| self.start(node));
    }

    /// Has `session` call `command`; the token of the call.
    pub(crate) fn call(&mut self, session: NodeId, command: &str) -> u64 {
        self.calls += 1;
        let operation = Operation::Propose(Payload::new(command.to_owned().into_bytes()));
        let invoke = Invoke { token: self.calls, operation };
        if self.is_up(session) {
            self.pending.insert(self.calls, session);
            self.deliver(OUTSIDE, session, Message::Session(ToSession::Invoke(invoke)));
        }
        self.calls
    }

    /// An operator says `message` to `node` about the log of `column`.
    pub(crate) fn tell(
        &mut self,
        node: NodeId,
        column: Column,
        message: impl Into<matchmaker::message::Message>,
    ) {
        let inner = message.into();
        let message = Message::Column(bpaxos::column::InColumn { column, inner });
        self.deliver(OUTSIDE, node, message);
    }

    /// An operator asks `proposer` for another dependency service.
    pub(crate) fn move_service(&mut self, proposer: NodeId, members: [NodeId; 3]) {
        let m = ServiceA { token: 1, members: members.into() };
        self.deliver(OUTSIDE, proposer, Message::Proposer(ToProposer::ServiceA(m)));
    }

    /// Lets `duration` pass.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now + u64::try_from(duration.as_micros()).expect("not for ever");
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > end {
                break;
            }
            let ((now, _), event) = entry.remove_entry();
            self.now = now;
            match event {
                Event::Message(from, to, message) => self.deliver(from, to, *message),
                Event::Timer(node, timer, sequence) => self.fire(node, timer, sequence),
            }
        }
        self.now = end;
    }

    /// Lets time pass until all calls have returned, but for those of sessions that have died; at most
    /// `duration`.
    pub(crate) fn run_until_returned(&mut self, duration: Duration) -> bool {
        self.run_until(duration, |world| world.pending.is_empty())
    }

    /// Lets time pass until all replicas have executed the same; at most `duration`.
    pub(crate) fn run_until_equal(&mut self, duration: Duration) -> bool {
        self.run_until(duration, |world| {
            let replicas = REPLICAS.map(|node| world.replica(node));
            let executed = replicas[0].executed();
            replicas.iter().all(|other| other.executed() == executed && other.waiting_count() == 0)
        })
    }

    fn run_until(&mut self, duration: Duration, is_done: impl Fn(&Self) -> bool) -> bool {
        const STEP: Duration = Duration::from_millis(10);
        let end = self.now + u64::try_from(duration.as_micros()).expect("not for ever");
        while !is_done(self) {
            if self.now >= end {
                return false;
            }
            self.run_for(STEP);
        }
        true
    }

    fn fire(&mut self, node: NodeId, timer: NodeTimer, sequence: u64) {
        let key = (node, timer);
        if self.timers.get(&key) != Some(&sequence) {
            return;
        }
        self.timers.remove(&key);
        self.step(node, |actor, fx| actor.on_timer(key.1, fx));
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, message: Message) {
        self.step(to, |actor, fx| actor.on_message(from, message, fx));
    }

    /// One turn of one actor, and of those of its process that it sends to.
    fn step(
        &mut self,
        node: NodeId,
        step: impl FnOnce(&mut Node<Lists>, &mut Effects<Message, NodeTimer, NodeRecord>),
    ) {
        let Some(actor) = self.nodes.get_mut(&node) else { return };
        let mut fx = Effects::new();
        step(actor, &mut fx);
        actor.on_turn_end(&mut fx);
        assert_eq!(fx.violations, [], "at {node}");
        if let Node::Replica(replica) = &*actor {
            self.ghost.on_replica(node, replica);
        }
        self.disks.entry(node).or_default().extend(fx.records);
        for change in fx.timers {
            self.change_timer(node, change);
        }
        let mut local = VecDeque::new();
        for (to, message) in fx.sends {
            self.ghost.on_message(&message);
            if process(to) == process(node) {
                local.push_back((to, message));
            } else {
                self.send(node, to, message);
            }
        }
        for (to, message) in local {
            self.deliver(node, to, message);
        }
    }

    fn change_timer(&mut self, node: NodeId, change: TimerChange<NodeTimer>) {
        match change {
            TimerChange::Set(timer, delay) => {
                let micros = |delay: Duration| u64::try_from(delay.as_micros()).expect("short");
                let (start, end) = (micros(delay.start), micros(delay.end));
                let at = self.now + start + self.draw(end.saturating_sub(start));
                self.sequence += 1;
                self.timers.insert((node, timer.clone()), self.sequence);
                let event = Event::Timer(node, timer, self.sequence);
                self.queue.insert((at, self.sequence), event);
            }
            TimerChange::Cancel(timer) => {
                self.timers.remove(&(node, timer));
            }
        }
    }

    fn send(&mut self, from: NodeId, to: NodeId, message: Message) {
        match message {
            Message::Application(ToApplication::Return(Return { token, outcome })) => {
                self.pending.remove(&token);
                let earlier = self.returns.insert(token, outcome);
                return assert_eq!(earlier, None, "call {token} returns twice");
            }
            Message::Column(m) if to == OUTSIDE => {
                if let matchmaker::message::Message::Application(m) = m.inner {
                    self.told.push(m);
                }
                return;
            }
            Message::Application(ToApplication::ServiceB(m)) => return self.services.push(m),
            _ if self.barriers.iter().any(|is_kept| is_kept(from, to, &message)) => return,
            _ => {}
        }
        let Weather { delay, loss, repeat } = self.weather.clone();
        if loss > 0 && self.draw(loss) == 0 {
            return;
        }
        let copies = if repeat > 0 && self.draw(repeat) == 0 { 2 } else { 1 };
        for _ in 0..copies {
            let at = self.now + delay.start + self.draw(delay.end - delay.start);
            self.sequence += 1;
            let event = Event::Message(from, to, Box::new(message.clone()));
            self.queue.insert((at, self.sequence), event);
        }
    }

    /// The replica at `node`.
    pub(crate) fn replica(&self, node: NodeId) -> &Replica<Lists> {
        match &self.nodes[&node] {
            Node::Replica(replica) => replica,
            other => panic!("not a replica: {other:?}"),
        }
    }

    /// The proposer at `node`.
    pub(crate) fn proposer(&self, node: NodeId) -> &Proposer<Lists> {
        match &self.nodes[&node] {
            Node::Proposer(proposer) => proposer,
            other => panic!("not a proposer: {other:?}"),
        }
    }

    /// What the call `token` returned.
    pub(crate) fn answer(&self, token: u64) -> Option<&[u8]> {
        match self.returns.get(&token) {
            Some(Outcome::Done(reply)) => Some(&reply.0),
            Some(Outcome::Failed(_) | Outcome::NeedsLog) | None => None,
        }
    }
}

/// The actor of the same process whose seats begin at `first`.
fn beside(other: NodeId, first: u32) -> NodeId {
    node(first + other.seat.0 % 10)
}

/// What every column begins with.
fn deployment() -> Deployment {
    let membership = Membership {
        proposers: PROPOSERS.into(),
        replicas: REPLICAS.into(),
        archives: ARCHIVES.into(),
        sessions: SESSIONS.into(),
        applications: [OUTSIDE].into(),
        ..Membership::default()
    };
    let initial = Configuration::new(1, QuorumSystem::Majority, A).expect("three members");
    Deployment {
        epoch: Epoch(0),
        matchmakers: MATCHMAKERS.into(),
        initial: initial.with_membership(membership),
        first: Slot::ZERO,
    }
}
