//! Virtual time, processors with queues, and links that lose nothing.
//!
//! A processor takes *turns*, as the host does that is shipped: all that waits when a turn begins is taken,
//! one message after the other; then each actor that got something ends its turn. Each message takes up its
//! receiver and its sender for as long as [`Costs`] says, and leaves when its sender has come so far. What
//! comes meanwhile waits. Records are durable at once: the disk is not what is measured.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use paxos::actor::{Actor, Effects, EffectsOf, NodeId, TimerChange};
use paxos::wire;

use super::clients::{Clients, Load};
use super::cluster::Cluster;
use super::costs::{Costs, Price, Role, TurnCost};
use super::stopwatch::{Part, Stopwatch};
use super::subject::{Heard, Subject, Submitted};
use crate::random::{Purpose, Random};

type MessageOf<S> = <<S as Subject>::Actor as Actor>::Message;
type TimerOf<S> = <<S as Subject>::Actor as Actor>::Timer;

/// What links and hosts are like.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// How long a message travels, in nanoseconds.
    pub link_ns: u64,
    /// By how much messages of some kinds are later, in nanoseconds.
    pub late: BTreeMap<String, u64>,
    /// Whether a message between two actors of one process costs as much as any other.
    pub has_local_sockets: bool,
}

impl Default for Surroundings {
    /// 50 us, as within one hall.
    fn default() -> Self {
        Self { link_ns: 50_000, late: BTreeMap::new(), has_local_sockets: false }
    }
}

/// A message that has arrived at a processor, or is about to.
#[derive(Debug)]
struct Arrival<M> {
    from: NodeId,
    /// Whose it is, by place.
    to: usize,
    message: M,
    /// What it costs to take it.
    receive_ns: u64,
}

#[derive(Debug)]
enum Event<M> {
    Arrive(Arrival<M>),
    /// A client gets a message.
    Hear {
        at: usize,
        from: NodeId,
        message: M,
    },
    /// A processor takes a turn.
    Turn(usize),
    /// A timer of a processor may be due.
    Wake(usize),
}

/// An actor, and what it waits for.
#[derive(Debug)]
struct Running<A: Actor> {
    actor: A,
    timers: BTreeMap<A::Timer, u64>,
    /// Whether it has got something in this turn.
    has_run: bool,
}

/// What a processor does in one go.
#[derive(Debug)]
struct Turn<M> {
    /// How far it has come.
    at_ns: u64,
    /// What it has yet to take.
    local: VecDeque<Arrival<M>>,
}

type TurnOf<S> = Turn<MessageOf<S>>;

/// A step that was taken.
#[derive(Clone, Copy, Debug)]
struct Taken {
    /// How long it really took, if somebody watches.
    took_ns: u64,
    /// Messages that were sent.
    sends: u64,
}

/// A server with a queue.
#[derive(Debug)]
struct Processor<M> {
    /// Its actors, by place.
    actors: Vec<usize>,
    inbox: VecDeque<Arrival<M>>,
    free_at_ns: u64,
    /// How long it was at work.
    busy_ns: u64,
    has_turn: bool,
    wakes_at_ns: Option<u64>,
}

/// A cluster at work.
#[derive(Debug)]
pub(super) struct World<'a, S: Subject> {
    cluster: Cluster,
    costs: &'a Costs,
    surroundings: Surroundings,
    actors: Vec<Running<S::Actor>>,
    processors: Vec<Processor<MessageOf<S>>>,
    pub clients: Clients,
    /// When, and in which order those of one time come: the key of what happens.
    calendar: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event<MessageOf<S>>>,
    event_count: u64,
    random: Random,
    now_ns: u64,
    /// Messages that have left their sender, and those of them whose kind has no cost of its own.
    pub messages: u64,
    pub unpriced: BTreeMap<(Role, String), u64>,
    stopwatch: Option<&'a mut Stopwatch>,
    fx: EffectsOf<S::Actor>,
}

impl<'a, S: Subject> World<'a, S> {
    /// A cluster that has just been started.
    pub(super) fn new(
        cluster: Cluster,
        costs: &'a Costs,
        surroundings: Surroundings,
        load: Load,
        stopwatch: Option<&'a mut Stopwatch>,
    ) -> Self {
        let running = |actor| Running { actor, timers: BTreeMap::new(), has_run: false };
        let actors = cluster.seats.iter().map(|seated| running(S::actor(&cluster, seated)));
        let processor = |number: usize| Processor {
            actors: (0..cluster.seats.len())
                .filter(|place| cluster.seats[*place].processor == number)
                .collect(),
            inbox: VecDeque::new(),
            free_at_ns: 0,
            busy_ns: 0,
            has_turn: false,
            wakes_at_ns: None,
        };
        let mut world = Self {
            actors: actors.collect(),
            processors: (0..cluster.processors.len()).map(processor).collect(),
            clients: Clients::new(&cluster.clients, S::leader_count(&cluster), load),
            cluster,
            costs,
            surroundings,
            calendar: BinaryHeap::new(),
            events: BTreeMap::new(),
            event_count: 0,
            random: Random::stream(load.seed, (Purpose::Process, 0)),
            now_ns: 0,
            messages: 0,
            unpriced: BTreeMap::new(),
            stopwatch,
            fx: Effects::new(),
        };
        for place in 0..world.actors.len() {
            let mut turn = Turn { at_ns: 0, local: VecDeque::new() };
            world.step(place, 0, &mut turn, |actor, fx| actor.on_start(fx));
            world.processors[world.cluster.seats[place].processor].inbox.append(&mut turn.local);
        }
        (0..world.processors.len()).for_each(|processor| world.schedule(processor));
        world
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    pub(super) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// How long each processor was at work.
    pub(super) fn busy_ns(&self) -> Vec<u64> {
        self.processors.iter().map(|processor| processor.busy_ns).collect()
    }

    /// Lets things happen until `until_ns`.
    pub(super) fn run(&mut self, until_ns: u64) {
        while let Some(Reverse((at_ns, number))) = self.calendar.peek().copied()
            && at_ns <= until_ns
        {
            self.calendar.pop();
            self.now_ns = at_ns;
            match self.events.remove(&number) {
                Some(event) => self.happen(event),
                None => unreachable!("each entry of the calendar has its event"),
            }
        }
        self.now_ns = until_ns;
    }

    /// An operator tells all proposers something.
    pub(super) fn tell_proposers(&mut self, message: &MessageOf<S>) {
        const OPERATOR: NodeId = crate::plan::OPERATOR;
        let proposers = self.cluster.every(Role::Proposer).map(|seated| seated.node);
        let places: Vec<usize> = proposers.filter_map(|node| self.cluster.place(node)).collect();
        for to in places {
            let arrival = Arrival { from: OPERATOR, to, message: message.clone(), receive_ns: 0 };
            self.push(self.now_ns, Event::Arrive(arrival));
        }
    }

    fn push(&mut self, at_ns: u64, event: Event<MessageOf<S>>) {
        self.event_count += 1;
        self.calendar.push(Reverse((at_ns, self.event_count)));
        self.events.insert(self.event_count, event);
    }

    fn happen(&mut self, event: Event<MessageOf<S>>) {
        match event {
            Event::Arrive(arrival) => {
                let processor = self.cluster.seats[arrival.to].processor;
                self.processors[processor].inbox.push_back(arrival);
                self.schedule(processor);
            }
            Event::Hear { at, from, message } => self.hear(at, from, &message),
            Event::Turn(processor) => self.turn(processor),
            Event::Wake(processor) => {
                if self.processors[processor].wakes_at_ns == Some(self.now_ns) {
                    self.processors[processor].wakes_at_ns = None;
                    self.schedule(processor);
                }
            }
        }
    }

    /// A processor has something to do, as soon as it is free.
    fn schedule(&mut self, number: usize) {
        let processor = &mut self.processors[number];
        if !std::mem::replace(&mut processor.has_turn, true) {
            let at_ns = processor.free_at_ns.max(self.now_ns);
            self.push(at_ns, Event::Turn(number));
        }
    }

    fn turn(&mut self, number: usize) {
        let processor = &mut self.processors[number];
        processor.has_turn = false;
        let local = std::mem::take(&mut processor.inbox);
        let mut turn = Turn { at_ns: self.now_ns, local };
        self.fire(number, &mut turn);
        while !turn.local.is_empty() || self.has_run(number) {
            while let Some(arrival) = turn.local.pop_front() {
                turn.at_ns += arrival.receive_ns;
                self.take(arrival, &mut turn);
            }
            self.end_turn(number, &mut turn);
        }
        let processor = &mut self.processors[number];
        processor.busy_ns += turn.at_ns - self.now_ns;
        processor.free_at_ns = turn.at_ns;
        self.set_alarm(number);
    }

    fn has_run(&self, number: usize) -> bool {
        self.processors[number].actors.iter().any(|place| self.actors[*place].has_run)
    }

    fn fire(&mut self, number: usize, turn: &mut TurnOf<S>) {
        for index in 0..self.processors[number].actors.len() {
            let place = self.processors[number].actors[index];
            let timers = &self.actors[place].timers;
            let due = timers.iter().filter(|(_, due_ns)| **due_ns <= self.now_ns);
            let due: Vec<TimerOf<S>> = due.map(|(timer, _)| timer.clone()).collect();
            for timer in due {
                if self.actors[place].timers.remove(&timer).is_some() {
                    self.actors[place].has_run = true;
                    self.step(place, 0, turn, |actor, fx| actor.on_timer(timer, fx));
                }
            }
        }
    }

    fn take(&mut self, arrival: Arrival<MessageOf<S>>, turn: &mut TurnOf<S>) {
        let Arrival { from, to, message, .. } = arrival;
        self.actors[to].has_run = true;
        let kind = self.stopwatch.is_some().then(|| S::kind(&message));
        let taken = self.step(to, 0, turn, |actor, fx| actor.on_message(from, message, fx));
        if let (Some(stopwatch), Some(kind)) = (&mut self.stopwatch, kind) {
            let role = self.cluster.seats[to].role;
            stopwatch.note(role, Part::Step, kind.name(), taken.took_ns);
        }
    }

    fn end_turn(&mut self, number: usize, turn: &mut TurnOf<S>) {
        for index in 0..self.processors[number].actors.len() {
            let place = self.processors[number].actors[index];
            if std::mem::take(&mut self.actors[place].has_run) {
                let role = self.cluster.seats[place].role;
                let TurnCost { idle_ns, message_ns } = self.costs.turn_end(role);
                turn.at_ns += idle_ns;
                let step =
                    |actor: &mut S::Actor, fx: &mut EffectsOf<S::Actor>| actor.on_turn_end(fx);
                let Taken { took_ns, sends } = self.step(place, message_ns, turn, step);
                if let Some(stopwatch) = &mut self.stopwatch {
                    stopwatch.note_turn_end(role, took_ns, sends);
                }
            }
        }
    }

    /// An actor takes a step. Each message that it sends costs `message_ns` beside what sending costs.
    fn step(
        &mut self,
        place: usize,
        message_ns: u64,
        turn: &mut TurnOf<S>,
        step: impl FnOnce(&mut S::Actor, &mut EffectsOf<S::Actor>),
    ) -> Taken {
        let mut fx = std::mem::take(&mut self.fx);
        let actor = &mut self.actors[place].actor;
        let took_ns = match &self.stopwatch {
            Some(stopwatch) => stopwatch.time(|| step(actor, &mut fx)).1,
            None => {
                step(actor, &mut fx);
                0
            }
        };
        assert!(fx.violations.is_empty(), "nothing is lost or changed: {:?}", fx.violations);
        fx.records.clear();
        let sends = fx.sends.len() as u64;
        for (to, message) in fx.sends.drain(..) {
            turn.at_ns += message_ns;
            self.send(place, to, message, turn);
        }
        for change in fx.timers.drain(..) {
            let timers = &mut self.actors[place].timers;
            match change {
                TimerChange::Set(timer, delay) => {
                    let range = delay.start.as_nanos() as u64..delay.end.as_nanos() as u64;
                    timers.insert(timer, turn.at_ns + self.random.within(range));
                }
                TimerChange::Cancel(timer) => {
                    timers.remove(&timer);
                }
            }
        }
        self.fx = fx;
        Taken { took_ns, sends }
    }

    fn send(&mut self, place: usize, to: NodeId, message: MessageOf<S>, turn: &mut TurnOf<S>) {
        let (from, kind) = (self.cluster.seats[place], S::kind(&message));
        let Some(target) = self.cluster.place(to) else {
            if let Some(at) = self.cluster.client(to) {
                self.codec(Role::Client, kind.name(), &message);
                turn.at_ns += self.price(Role::Client, kind.name(), false).send_ns;
                let event = Event::Hear { at, from: from.node, message };
                self.push(turn.at_ns + self.travel_ns(kind.name()), event);
            }
            return;
        };
        let seated = self.cluster.seats[target];
        let is_local = seated.processor == from.processor;
        let price = self.price(seated.role, kind.name(), is_local);
        turn.at_ns += price.send_ns;
        let receive_ns = price.receive_ns;
        let arrival = Arrival { from: from.node, to: target, message, receive_ns };
        if is_local {
            turn.local.push_back(arrival);
        } else {
            self.codec(seated.role, kind.name(), &arrival.message);
            self.push(turn.at_ns + self.travel_ns(kind.name()), Event::Arrive(arrival));
        }
    }

    fn price(&mut self, to: Role, kind: &str, is_local: bool) -> Price {
        self.messages += 1;
        if !self.costs.knows(to, kind) {
            *self.unpriced.entry((to, kind.to_owned())).or_default() += 1;
        }
        match is_local && !self.surroundings.has_local_sockets {
            true => self.costs.local(to, kind),
            false => self.costs.remote(to, kind),
        }
    }

    fn travel_ns(&self, kind: &str) -> u64 {
        self.surroundings.link_ns + self.surroundings.late.get(kind).copied().unwrap_or_default()
    }

    /// Makes bytes of a message and reads them, if that is to be timed.
    fn codec(&mut self, to: Role, kind: &str, message: &MessageOf<S>) {
        let Some(stopwatch) = &mut self.stopwatch else { return };
        let (bytes, took_ns) = stopwatch.time(|| wire::encode(message));
        stopwatch.note(to, Part::Encoding, kind, took_ns);
        let (read, took_ns) = stopwatch.time(|| wire::decode::<MessageOf<S>>(&bytes));
        stopwatch.note(to, Part::Decoding, kind, took_ns);
        assert!(read.as_ref() == Ok(message), "what was encoded is read back");
    }

    fn hear(&mut self, at: usize, from: NodeId, message: &MessageOf<S>) {
        let sends = match S::heard(message) {
            Heard::Leading => self.clients.hear_leader(from, self.now_ns),
            Heard::Executed(first, count) => {
                self.clients.hear_executed(at, (first, count), self.now_ns)
            }
            Heard::Else => return,
        };
        sends.into_iter().for_each(|(to, command)| self.submit(to, command));
    }

    fn submit(&mut self, to: NodeId, command: Submitted) {
        let Some(to) = self.cluster.place(to) else { return };
        let (from, message) = (command.session.node, S::request(command));
        let kind = S::kind(&message);
        self.codec(Role::Proposer, kind.name(), &message);
        let receive_ns = self.price(Role::Proposer, kind.name(), false).receive_ns;
        let arrival = Arrival { from, to, message, receive_ns };
        self.push(self.now_ns + self.travel_ns(kind.name()), Event::Arrive(arrival));
    }

    /// Sees to it that the processor looks when its next timer is due.
    fn set_alarm(&mut self, number: usize) {
        let actors = self.processors[number].actors.iter();
        let due = actors.flat_map(|place| self.actors[*place].timers.values()).min().copied();
        let Some(due_ns) = due else { return };
        let processor = &mut self.processors[number];
        if processor.wakes_at_ns.is_none_or(|at_ns| at_ns > due_ns) {
            let at_ns = due_ns.max(self.now_ns);
            processor.wakes_at_ns = Some(at_ns);
            self.push(at_ns, Event::Wake(number));
        }
    }
}
