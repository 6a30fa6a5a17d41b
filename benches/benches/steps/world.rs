//! All actors of a cluster in one thread: messages are delivered at once, records are durable at
//! once.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use kvs::deployment::{ClusterFile, Role};
use matchmaker::message::{Message, ToApplication};
use matchmaker::node::{Node, NodeRecord, NodeTimer};
use paxos::actor::{Actor, Effects, Incarnation, NodeId, TimerChange};
use paxos::message::{Invoke, Operation, Outcome, ToSession};
use paxos::runtime::Roster;
use paxos::slot::Slot;
use paxos::state_machine::{ForeignChunk, Position, StateMachine};
use paxos::wire::Payload;

/// Counts the commands that it was told to execute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Count(u64);

impl StateMachine for Count {
    fn apply(&mut self, _: Position, command: &[u8]) -> Bytes {
        self.0 += command.len() as u64;
        Bytes::new()
    }

    fn query(&self, _: &[u8]) -> Option<Bytes> {
        Some(Bytes::new())
    }

    fn empty(&self) -> Self {
        Self::default()
    }

    fn start_snapshot(&mut self) {}

    fn next_chunk(&mut self, _: usize) -> Option<Bytes> {
        None
    }

    fn stop_snapshot(&mut self) {}

    fn install_chunk(&mut self, _: &Bytes) -> Result<(), ForeignChunk> {
        Ok(())
    }
}

/// Three nodes with every role each, whose time stands still while there is anything to do.
pub(crate) struct World {
    actors: Vec<(NodeId, Node<Count>)>,
    /// Where the actor of each seat is in `actors`.
    places: Vec<Option<usize>>,
    /// What is delivered in this turn; what is sent meanwhile is in `fx`.
    inbox: Vec<(NodeId, Message)>,
    /// Who sent the messages of `inbox` and of `fx`: in order, each with the place behind its last one.
    inbox_senders: Vec<(NodeId, usize)>,
    senders: Vec<(NodeId, usize)>,
    /// The places of actors that have got something in this turn, a bit each.
    ran: u64,
    /// What each actor waits for, and until when.
    timers: HashMap<(usize, NodeTimer), Duration>,
    now: Duration,
    /// What all steps of this turn want done.
    fx: Effects<Message, NodeTimer, NodeRecord>,
    /// The application of the first node, and the session beside it.
    application: NodeId,
    session: NodeId,
    /// The last call.
    token: u64,
    /// Calls that were answered.
    answered: usize,
    /// Messages that were delivered.
    delivered: u64,
}

impl World {
    /// A cluster that has a leader, and has executed a command.
    pub(crate) fn with_leader() -> Self {
        let mut world = Self::found();
        world.execute(1, 1);
        world
    }

    fn found() -> Self {
        let mut file = ClusterFile::on_loopback("bench", 3, 3, 7000).expect("three nodes");
        // One candidate: the others would only wait for it to fail.
        file.nodes[1..].iter_mut().for_each(|node| node.roles.retain(|r| *r != Role::Proposer));
        let incarnations =
            file.nodes.iter().zip(1..).map(|(n, i)| (n.name.clone(), Incarnation(i)));
        let members = file.members(&Roster(incarnations.collect()));
        let deployment = file.deployment(&members, Slot::ZERO).expect("a possible cluster");
        let (settings, founders) = (file.settings(), members.founders());
        let mut actors = Vec::new();
        for node in &file.nodes {
            let started =
                members.start(&node.name, &deployment, Some(&founders), &settings, Count::default);
            actors.extend(started.expect("a member"));
        }
        let first = members.member(&file.nodes[0].name).expect("a member").application();
        let mut places = Vec::new();
        for (place, (node, _)) in actors.iter().enumerate() {
            let seat = node.seat.0 as usize;
            places.resize(places.len().max(seat + 1), None);
            places[seat] = Some(place);
        }
        assert!(actors.len() <= u64::BITS as usize, "a bit for each actor");
        let mut world = Self {
            ran: 0,
            actors,
            places,
            inbox: Vec::new(),
            inbox_senders: Vec::new(),
            senders: Vec::new(),
            timers: HashMap::new(),
            now: Duration::ZERO,
            fx: Effects::new(),
            application: first.node,
            session: first.session,
            token: 0,
            answered: 0,
            delivered: 0,
        };
        (0..world.actors.len()).for_each(|place| world.step(place, |node, fx| node.on_start(fx)));
        world
    }

    /// Has `count` commands executed, with at most `window` of them in flight. Returns how many
    /// messages were delivered meanwhile, to other actors of the same process as well.
    pub(crate) fn execute(&mut self, count: usize, window: usize) -> u64 {
        let before = self.delivered;
        let goal = self.answered + count;
        let mut left = count;
        while self.answered < goal {
            let in_flight = goal - left - self.answered;
            for _ in 0..(window - in_flight).min(left) {
                self.invoke();
                left -= 1;
            }
            self.turn();
        }
        self.delivered - before
    }

    fn invoke(&mut self) {
        self.token += 1;
        let command = Payload::new(Bytes::from_static(b"sixteen-byte-cmd"));
        let invoke = Invoke { token: self.token, operation: Operation::Propose(command) };
        let message = Message::Session(ToSession::Invoke(invoke));
        self.fx.sends.push((self.session, message));
        self.senders.push((self.application, self.fx.sends.len()));
    }

    /// Delivers all that is on its way, and ends the turn of each actor that got something. If
    /// nothing is, time goes on to the next timer.
    fn turn(&mut self) {
        if self.fx.sends.is_empty() {
            return self.fire();
        }
        std::mem::swap(&mut self.inbox, &mut self.fx.sends);
        std::mem::swap(&mut self.inbox_senders, &mut self.senders);
        let mut inbox = std::mem::take(&mut self.inbox);
        let mut senders = std::mem::take(&mut self.inbox_senders);
        self.delivered += inbox.len() as u64;
        let mut sender = 0;
        for (index, (to, message)) in inbox.drain(..).enumerate() {
            while senders[sender].1 <= index {
                sender += 1;
            }
            let from = senders[sender].0;
            match self.places.get(to.seat.0 as usize).copied().flatten() {
                Some(place) => {
                    self.ran |= 1 << place;
                    self.step(place, |node, fx| node.on_message(from, message, fx));
                }
                None => self.hear(message),
            }
        }
        senders.clear();
        (self.inbox, self.inbox_senders) = (inbox, senders);
        while self.ran != 0 {
            let place = self.ran.trailing_zeros() as usize;
            self.ran &= self.ran - 1;
            self.step(place, |node, fx| node.on_turn_end(fx));
        }
    }

    fn fire(&mut self) {
        let next = self.timers.iter().min_by_key(|((place, _), due)| (**due, *place));
        let ((place, timer), due) =
            next.map(|(key, due)| (key.clone(), *due)).expect("somebody waits");
        self.timers.remove(&(place, timer.clone()));
        self.now = due;
        self.step(place, |node, fx| node.on_timer(timer, fx));
        self.step(place, |node, fx| node.on_turn_end(fx));
    }

    fn hear(&mut self, message: Message) {
        if let Message::Application(ToApplication::Return(answer)) = message {
            assert!(matches!(answer.outcome, Outcome::Done(_)), "{answer:?}");
            self.answered += 1;
        }
    }

    fn step(
        &mut self,
        place: usize,
        step: impl FnOnce(&mut Node<Count>, &mut Effects<Message, NodeTimer, NodeRecord>),
    ) {
        let Self { actors, fx, senders, timers, now, .. } = self;
        let (from, node) = &mut actors[place];
        let sent = fx.sends.len();
        step(node, fx);
        assert!(fx.violations.is_empty(), "{:?}", fx.violations);
        fx.records.clear();
        if fx.sends.len() > sent {
            senders.push((*from, fx.sends.len()));
        }
        for change in fx.timers.drain(..) {
            match change {
                TimerChange::Set(timer, delay) => {
                    timers.insert((place, timer), *now + delay.start);
                }
                TimerChange::Cancel(timer) => {
                    timers.remove(&(place, timer));
                }
            }
        }
    }
}
