//! A cluster in a world with a clock of its own. Each message takes a time that the world draws, or is
//! lost or repeated; processes stop and start again with their disks. Everything follows from a seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bpaxos::archive::Archive;
use bpaxos::message::{
    MatchmakersA, MatchmakersOutcome, Message, ServiceA, ServiceB, ToApplication, ToProposer,
    ToSession,
};
use bpaxos::node::{Node, NodeRecord, NodeTimer};
use bpaxos::proposer::Proposer;
use bpaxos::registry::Registry;
use bpaxos::replica::Replica;
use bpaxos::vertex::Column;
use paxos::actor::{Actor, Effects, NodeId, TimerChange};
use paxos::message::{Invoke, Operation, Outcome, Return};
use paxos::wire::Payload;

use crate::cluster::{
    A, ARCHIVES, B, DEPENDENCY_NODES, MATCHMAKERS, OUTSIDE, Options, PROPOSERS, REPLICAS, SESSIONS,
    SPARE_DEPENDENCY_NODES, SPARE_MATCHMAKERS, fresh, process,
};
use crate::disk::Disk;
use crate::ghost::Ghost;
use crate::machine::Lists;

/// How the network behaves.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// Microseconds that a message takes.
    pub(crate) delay: std::ops::Range<u64>,
    /// One of so many messages is lost; none if zero.
    pub(crate) loss: u64,
    /// One of so many messages arrives twice; none if zero.
    pub(crate) repeat: u64,
    /// Microseconds that a sync takes at most; none if zero.
    pub(crate) sync: u64,
}

impl Weather {
    /// Nothing is lost, and everything takes the same time.
    pub(crate) const CALM: Self = Self { delay: 100..101, loss: 0, repeat: 0, sync: 0 };
}

/// Whether a message is kept from its receiver.
pub(crate) type Barrier = fn(NodeId, NodeId, &Message) -> bool;

#[derive(Clone, Debug)]
enum Event {
    Message(NodeId, NodeId, Box<Message>),
    Timer(NodeId, NodeTimer, u64),
    /// The disk of the node in this start of it is synced up to a record.
    Sync(NodeId, u64, usize),
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
    disks: BTreeMap<NodeId, Disk>,
    /// What actors of one process have said to each other.
    local: VecDeque<(NodeId, NodeId, Message)>,
    is_delivering: bool,
    /// Counts the starts of each node.
    starts: BTreeMap<NodeId, u64>,
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
    /// What came of replacements of the matchmakers, in order.
    pub(crate) moves: Vec<MatchmakersOutcome>,
    /// Logs that were made short.
    pub(crate) compactions: u64,
    calls: u64,
    /// Calls that have not returned, each with its session.
    pending: BTreeMap<u64, NodeId>,
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
            local: VecDeque::new(),
            is_delivering: false,
            starts: BTreeMap::new(),
            options,
            weather: Weather::CALM,
            barriers: Vec::new(),
            ghost: Ghost::default(),
            returns: BTreeMap::new(),
            told: Vec::new(),
            services: Vec::new(),
            moves: Vec::new(),
            compactions: 0,
            calls: 0,
            pending: BTreeMap::new(),
        };
        let all = [PROPOSERS, MATCHMAKERS, A, B, ARCHIVES, REPLICAS, SESSIONS, DEPENDENCY_NODES];
        let spares = SPARE_DEPENDENCY_NODES.into_iter().chain(SPARE_MATCHMAKERS);
        for node in all.into_iter().flatten().chain(spares) {
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

    fn start(&mut self, node: NodeId) {
        let mut actor = fresh(node, &self.options);
        let disk = self.disks.entry(node).or_default();
        disk.records().iter().for_each(|record| actor.restore(record.clone()));
        actor.check_restored().expect("nothing is missing on the disk");
        if let Node::Archive(archive) = &actor {
            self.ghost.on_restored(node, archive);
        }
        *self.starts.entry(node).or_default() += 1;
        self.nodes.insert(node, actor);
        self.step(node, |actor, fx| actor.on_start(fx));
    }

    /// Whether `node` is running.
    pub(crate) fn is_up(&self, node: NodeId) -> bool {
        self.nodes.contains_key(&node)
    }

    /// Stops the process of `node`.
    ///
    /// Of what was not synced any number of records survives.
    pub(crate) fn crash(&mut self, node: NodeId) {
        let died = self.nodes.keys().copied().filter(|other| process(*other) == process(node));
        for node in died.collect::<Vec<_>>() {
            let chance = self.draw(u64::MAX);
            if let Some(disk) = self.disks.get_mut(&node) {
                disk.crash(|lost| (chance % (lost as u64 + 1)) as usize);
            }
        }
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

    /// An operator asks `proposer` for other matchmakers of all columns.
    pub(crate) fn move_matchmakers(&mut self, proposer: NodeId, members: [NodeId; 3]) {
        let m = MatchmakersA { token: 1, members: members.into() };
        self.deliver(OUTSIDE, proposer, Message::Proposer(ToProposer::MatchmakersA(m)));
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
                Event::Sync(node, start, end) if self.starts.get(&node) == Some(&start) => {
                    self.sync(node, end);
                }
                Event::Sync(..) => {}
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
        for change in fx.timers {
            self.change_timer(node, change);
        }
        let disk = self.disks.entry(node).or_default();
        let is_idle = disk.is_synced();
        disk.append(fx.records, fx.sends);
        let (is_synced, end) = (disk.is_synced(), disk.end());
        if is_synced || self.weather.sync == 0 {
            self.sync(node, end);
        } else if is_idle {
            self.begin_sync(node, end);
        }
    }

    fn begin_sync(&mut self, node: NodeId, end: usize) {
        let at = self.now + self.draw(self.weather.sync);
        self.sequence += 1;
        let start = self.starts.get(&node).copied().unwrap_or_default();
        self.queue.insert((at, self.sequence), Event::Sync(node, start, end));
    }

    /// What `node` had recorded up to `end` is durable: what waited for that leaves.
    fn sync(&mut self, node: NodeId, end: usize) {
        if !self.is_up(node) {
            return;
        }
        let disk = self.disks.entry(node).or_default();
        let sends = disk.sync(end);
        let (is_synced, end) = (disk.is_synced(), disk.end());
        if !is_synced {
            self.begin_sync(node, end);
        }
        for (to, message) in sends {
            if !self.options.is_forgetful {
                self.ghost.on_message(node, to, &message);
            }
            if process(to) == process(node) {
                self.local.push_back((node, to, message));
            } else {
                self.send(node, to, message);
            }
        }
        let is_compact = self.nodes.get(&node).is_some_and(|actor| actor.is_compact());
        if self.disks.entry(node).or_default().compact(is_compact) {
            self.compactions += 1;
        }
        self.deliver_local();
    }

    /// Delivers what actors of one process have said to each other, in order.
    fn deliver_local(&mut self) {
        if std::mem::replace(&mut self.is_delivering, true) {
            return;
        }
        while let Some((from, to, message)) = self.local.pop_front() {
            self.deliver(from, to, message);
        }
        self.is_delivering = false;
    }

    /// The log of `node` has grown: begins to make it short.
    pub(crate) fn compact(&mut self, node: NodeId) {
        if !self.is_up(node) {
            return;
        }
        let (mut fx, mut records) = (Effects::new(), Vec::new());
        if let Some(actor) = self.nodes.get_mut(&node) {
            actor.on_compaction(&mut fx);
            records = actor.checkpoint();
        }
        let disk = self.disks.entry(node).or_default();
        disk.begin_checkpoint();
        self.step(node, |_, out| {
            *out = fx;
            out.records.extend(records);
        });
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
            Message::Application(ToApplication::MatchmakersB(m)) => {
                return self.moves.push(m.outcome);
            }
            _ if self.barriers.iter().any(|is_kept| is_kept(from, to, &message)) => return,
            _ => {}
        }
        let Weather { delay, loss, repeat, .. } = self.weather.clone();
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

    /// How long the state of each node is when it is written out, and how many records are on its disk.
    pub(crate) fn sizes(&self) -> BTreeMap<NodeId, (usize, usize)> {
        let size = |node: &NodeId, actor: &Node<Lists>| {
            let record_count = self.disks.get(node).map_or(0, |disk| disk.end());
            (*node, (format!("{actor:?}").len(), record_count))
        };
        self.nodes.iter().map(|(node, actor)| size(node, actor)).collect()
    }

    /// Begins to make the log of every node short.
    pub(crate) fn compact_all(&mut self) {
        let nodes: Vec<NodeId> = self.nodes.keys().copied().collect();
        nodes.into_iter().for_each(|node| self.compact(node));
    }

    /// The replica at `node`.
    pub(crate) fn replica(&self, node: NodeId) -> &Replica<Lists> {
        match &self.nodes[&node] {
            Node::Replica(replica) => replica,
            other => panic!("not a replica: {other:?}"),
        }
    }

    /// The archive at `node`.
    pub(crate) fn archive(&self, node: NodeId) -> &Archive {
        match &self.nodes[&node] {
            Node::Archive(archive) => archive,
            other => panic!("not an archive: {other:?}"),
        }
    }

    /// The registry at `node`.
    pub(crate) fn registry(&self, node: NodeId) -> &Registry {
        match &self.nodes[&node] {
            Node::Matchmaker(registry) => registry,
            other => panic!("not a registry: {other:?}"),
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
