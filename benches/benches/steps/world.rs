//! All actors of a cluster in one thread: messages are delivered at once, records are durable at once.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
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
    fn apply(&mut self, _: Position, command: &Bytes) -> Bytes {
        self.0 += command.len() as u64;
        Bytes::new()
    }

    fn query(&self, _: &Bytes) -> Option<Bytes> {
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
    /// Where each actor is in `actors`.
    places: HashMap<NodeId, usize>,
    /// Messages that are on their way: to whom, from whom, what.
    queue: VecDeque<(NodeId, NodeId, Message)>,
    /// What each actor waits for, by time.
    timers: BTreeMap<(Duration, usize, NodeTimer), ()>,
    now: Duration,
    /// The application of the first node, and the session beside it.
    application: NodeId,
    session: NodeId,
    /// The last call.
    token: u64,
    /// Calls that were answered.
    answered: usize,
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
        let places = actors.iter().enumerate().map(|(place, (node, _))| (*node, place)).collect();
        let mut world = Self {
            actors,
            places,
            queue: VecDeque::new(),
            timers: BTreeMap::new(),
            now: Duration::ZERO,
            application: first.node,
            session: first.session,
            token: 0,
            answered: 0,
        };
        (0..world.actors.len()).for_each(|place| world.step(place, |node, fx| node.on_start(fx)));
        world
    }

    /// Has `count` commands executed, with at most `window` of them in flight.
    pub(crate) fn execute(&mut self, count: usize, window: usize) {
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
    }

    fn invoke(&mut self) {
        self.token += 1;
        let command = Payload::new(Bytes::from_static(b"sixteen-byte-cmd"));
        let invoke = Invoke { token: self.token, operation: Operation::Propose(command) };
        let message = Message::Session(ToSession::Invoke(invoke));
        self.queue.push_back((self.session, self.application, message));
    }

    /// Delivers all that is on its way, and ends the turn of each actor that got something. If nothing is,
    /// time goes on to the next timer.
    fn turn(&mut self) {
        if self.queue.is_empty() {
            return self.fire();
        }
        let mut ran = BTreeSet::new();
        for (to, from, message) in std::mem::take(&mut self.queue) {
            match self.places.get(&to) {
                Some(place) => {
                    ran.insert(*place);
                    self.step(*place, |node, fx| node.on_message(from, message, fx));
                }
                None => self.hear(message),
            }
        }
        ran.into_iter().for_each(|place| self.step(place, |node, fx| node.on_turn_end(fx)));
    }

    fn fire(&mut self) {
        let ((due, place, timer), ()) = self.timers.pop_first().expect("somebody waits");
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
        let mut fx = Effects::new();
        let (from, node) = &mut self.actors[place];
        step(node, &mut fx);
        assert!(fx.violations.is_empty(), "{:?}", fx.violations);
        self.queue.extend(fx.sends.into_iter().map(|(to, message)| (to, *from, message)));
        for change in fx.timers {
            let (TimerChange::Set(timer, _) | TimerChange::Cancel(timer)) = &change;
            self.timers.retain(|(_, at, armed), ()| (*at, armed) != (place, timer));
            if let TimerChange::Set(timer, delay) = change {
                self.timers.insert((self.now + delay.start, place, timer), ());
            }
        }
    }
}
