//! One process: its actors, and the driver contract of `paxos::actor`, kept to the letter.
//!
//! A turn takes everything that is ready, runs the steps and what follows from them inside the
//! process, and ends the turn of each actor that ran. Records join one shared log. Sends of an actor
//! that has unsynced records wait, in order, until those are durable; so do its messages to actors
//! of the same process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use matchmaker::message::Message;
use matchmaker::node::{Node, NodeRecord, NodeTimer};
use paxos::actor::{Actor, Effects, NodeId, TimerChange, Violation};

use super::disk::Disk;
use super::machine::Counter;
use super::places::{self, ACTORS, APPLICATION};
use super::random::Random;

/// A message on its way.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Vouched for by the network.
    pub from: NodeId,
    pub to: NodeId,
    pub message: Message,
}

/// What an actor is given.
#[expect(clippy::large_enum_variant, reason = "it lives for one step, on the stack")]
pub enum Input {
    Start,
    Message(NodeId, Message),
    Timer(NodeTimer),
    TurnEnd,
}

/// What a step of the process means for the world around it.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Everything that leaves its actor now, to wherever.
    pub left: Vec<Envelope>,
    /// When timers are due that were set.
    pub wakes: Vec<u64>,
    /// What actors complained about.
    pub violations: Vec<(NodeId, Violation)>,
    /// Steps taken.
    pub steps: u64,
}

/// One process of the cluster. It is up if it has actors.
pub struct Process {
    pub index: usize,
    pub actors: Vec<Node<Counter>>,
    pub disk: Disk,
    /// Sends of each actor that wait until the log is durable up to a length.
    held: Vec<VecDeque<(usize, Envelope)>>,
    /// Length of the log after the last record of each actor.
    awaited: Vec<usize>,
    has_run: Vec<bool>,
    timers: BTreeMap<(usize, NodeTimer), u64>,
    /// Messages from outside and from the application that wait for the next turn.
    pub inbox: VecDeque<Envelope>,
    /// Messages between actors of this process.
    loopback: VecDeque<Envelope>,
    /// How fast the clock runs, in thousandths.
    pub clock: u64,
    /// Tells events of this life from earlier ones.
    pub life: u64,
    /// The process does not run before this time.
    pub paused_until: u64,
    /// Places of acceptors that are switched off: they hear nothing.
    pub off: BTreeSet<usize>,
    /// Mutation: sends do not wait for the disk.
    pub is_hasty: bool,
}

impl Process {
    /// A process that is down and has an empty disk.
    pub fn new(index: usize, clock: u64) -> Self {
        Self {
            index,
            actors: Vec::new(),
            disk: Disk::default(),
            held: vec![VecDeque::new(); ACTORS],
            awaited: vec![0; ACTORS],
            has_run: vec![false; ACTORS],
            timers: BTreeMap::new(),
            inbox: VecDeque::new(),
            loopback: VecDeque::new(),
            clock,
            life: 0,
            paused_until: 0,
            off: BTreeSet::new(),
            is_hasty: false,
        }
    }

    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        !self.actors.is_empty()
    }

    /// Loses everything but the disk.
    pub fn crash(&mut self) {
        self.actors.clear();
        self.held.iter_mut().for_each(VecDeque::clear);
        self.awaited.fill(0);
        self.has_run.fill(false);
        self.timers.clear();
        self.inbox.clear();
        self.loopback.clear();
        self.paused_until = 0;
        self.life += 1;
    }

    /// Comes back with what the disk kept, except the records that `is_lost`.
    pub fn restart(
        &mut self,
        machine: &Counter,
        is_lost: impl Fn(&NodeRecord) -> bool,
        random: &mut Random,
        now: u64,
        out: &mut Outbox,
    ) {
        self.actors = places::actors(self.index, machine);
        for (place, record) in self.disk.durable() {
            if !is_lost(record) {
                self.actors[*place].restore(record.clone());
            }
        }
        for place in 0..ACTORS {
            self.step(place, Input::Start, random, now, out);
        }
    }

    /// Takes a turn: all that is ready, and what follows from it here.
    pub fn turn(&mut self, random: &mut Random, now: u64, out: &mut Outbox) {
        self.loopback.extend(std::mem::take(&mut self.inbox));
        self.run_loopback(random, now, out);
        while let Some((place, timer)) = self.pop_due(now) {
            self.step(place, Input::Timer(timer), random, now, out);
        }
        loop {
            self.run_loopback(random, now, out);
            for place in 0..ACTORS {
                if std::mem::take(&mut self.has_run[place]) {
                    self.step(place, Input::TurnEnd, random, now, out);
                }
            }
            if self.loopback.is_empty() {
                return;
            }
        }
    }

    fn run_loopback(&mut self, random: &mut Random, now: u64, out: &mut Outbox) {
        while let Some(Envelope { from, to, message }) = self.loopback.pop_front() {
            let Some((_, place)) = places::seat_of(to) else { continue };
            if self.off.contains(&place) {
                continue;
            }
            self.step(place, Input::Message(from, message), random, now, out);
        }
    }

    fn pop_due(&mut self, now: u64) -> Option<(usize, NodeTimer)> {
        let due = self.timers.iter().find(|(_, at)| **at <= now).map(|(name, _)| name.clone())?;
        self.timers.remove(&due);
        Some(due)
    }

    fn step(
        &mut self,
        place: usize,
        input: Input,
        random: &mut Random,
        now: u64,
        out: &mut Outbox,
    ) {
        let mut fx = Effects::new();
        let actor = &mut self.actors[place];
        self.has_run[place] |= !matches!(input, Input::TurnEnd);
        match input {
            Input::Start => actor.on_start(&mut fx),
            Input::Message(from, message) => actor.on_message(from, message, &mut fx),
            Input::Timer(timer) => actor.on_timer(timer, &mut fx),
            Input::TurnEnd => actor.on_turn_end(&mut fx),
        }
        out.steps += 1;
        let from = places::node(self.index, place);
        out.violations.extend(fx.violations.into_iter().map(|violation| (from, violation)));
        if !fx.records.is_empty() {
            self.disk.append(place, fx.records);
            self.awaited[place] = self.disk.len();
        }
        let must_wait = self.awaited[place] > self.disk.durable_len() && !self.is_hasty;
        for (to, message) in fx.sends {
            let envelope = Envelope { from, to, message };
            if must_wait {
                self.held[place].push_back((self.awaited[place], envelope));
            } else {
                self.leave(envelope, out);
            }
        }
        for change in fx.timers {
            match change {
                TimerChange::Set(timer, delay) => {
                    let range = delay.start.as_micros() as u64..delay.end.as_micros() as u64;
                    let at = now + random.within(range) * self.clock / 1000;
                    self.timers.insert((place, timer), at);
                    out.wakes.push(at);
                }
                TimerChange::Cancel(timer) => {
                    self.timers.remove(&(place, timer));
                }
            }
        }
    }

    /// The log is durable up to `len`: what waited for it leaves.
    pub fn release(&mut self, out: &mut Outbox) {
        for place in 0..ACTORS {
            while let Some((_, envelope)) =
                self.held[place].pop_front_if(|(len, _)| *len <= self.disk.durable_len())
            {
                self.leave(envelope, out);
            }
        }
    }

    fn leave(&mut self, envelope: Envelope, out: &mut Outbox) {
        let here = places::seat_of(envelope.to).filter(|(process, _)| *process == self.index);
        if here.is_some_and(|(_, place)| place < APPLICATION) {
            self.loopback.push_back(envelope.clone());
        }
        out.left.push(envelope);
    }

    /// Whether a turn would do anything.
    pub fn has_work(&self, now: u64) -> bool {
        !self.inbox.is_empty()
            || !self.loopback.is_empty()
            || self.timers.values().any(|at| *at <= now)
    }

    /// Replaces the log by what the actors know, if all of it is durable. A real host does so when
    /// its log has grown.
    pub fn compact(&mut self) {
        if self.disk.durable_len() != self.disk.len() || self.held.iter().any(|h| !h.is_empty()) {
            return;
        }
        let mut records = Vec::new();
        for (place, actor) in self.actors.iter().enumerate() {
            records.extend(actor.checkpoint().into_iter().map(|record| (place, record)));
        }
        self.disk.rewrite(records);
        self.awaited.fill(0);
    }
}
