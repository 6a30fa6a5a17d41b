//! One process: its actors, and the driver contract of `paxos::actor`, kept to the letter.
//!
//! A turn takes everything that is ready, runs the steps and what follows from them inside the
//! process, and ends the turn of each actor that ran. The records of a turn are one batch for the
//! disk. Sends of an actor that has unsynced records wait, in order, until those are durable; so do its
//! messages to actors of the same process.

use std::collections::{BTreeSet, VecDeque};

use paxos::actor::{Actor, Effects, EffectsOf, NodeId, TimerChange, Violation};

use super::disk::{Disk, Loaded, Placed};
use crate::hosted::Hosted;
use crate::panics;
use crate::plan::{Place, Places};
use crate::random::Random;
use crate::steps::Taken;
use crate::workload::Observed;

/// A message on its way.
#[derive(Clone, Debug)]
pub struct Envelope<M> {
    /// Vouched for by the network.
    pub from: NodeId,
    /// For whom.
    pub to: NodeId,
    /// What.
    pub message: M,
}

/// What an actor is given.
enum Input<M, T> {
    Start,
    Message(NodeId, M),
    Timer(T),
    TurnEnd,
    Compaction,
}

/// The same for an actor of that kind.
type InputOf<A> = Input<<A as Actor>::Message, <A as Actor>::Timer>;

/// A step of an actor of that kind.
type TakenOf<A> = Taken<<A as Actor>::Message, <A as Actor>::Record>;

/// Steps of an actor that wait for a batch.
type Watched<A> = VecDeque<(u64, TakenOf<A>)>;

/// Where the compaction of the log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compaction {
    /// The log may grow to so many bytes. After a restart that is sooner than at a real host.
    Above(u64),
    /// The checkpoints were handed over; what is before them goes when every actor is compact.
    Begun,
    /// It is going.
    Forgetting,
}

/// What a step of the process means for the world around it.
#[derive(Debug)]
pub(super) struct Outbox<M, R> {
    /// Everything that leaves its actor now, to wherever.
    pub left: Vec<Envelope<M>>,
    /// What actors complained about.
    pub violations: Vec<(NodeId, Violation)>,
    /// Steps taken.
    pub steps: u64,
    /// Steps that count from now on, if somebody watches.
    pub taken: Vec<Taken<M, R>>,
}

/// What a step of a process of such actors means.
pub(super) type OutboxOf<A> = Outbox<<A as Actor>::Message, <A as Actor>::Record>;

impl<M, R> Default for Outbox<M, R> {
    fn default() -> Self {
        Self { left: Vec::new(), violations: Vec::new(), steps: 0, taken: Vec::new() }
    }
}

/// Whether a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It runs.
    Up,
    /// It may come back.
    Down,
    /// It may not: this is why.
    Lost(String),
    /// The operator has switched it off for good.
    Gone,
}

/// One process of the cluster.
#[derive(Debug)]
pub(super) struct Process<A: Actor> {
    /// Whether it runs.
    pub status: Status,
    /// Its actors by place; none while it is down.
    pub actors: Vec<A>,
    /// Its disk.
    pub disk: Disk<A::Record>,
    /// The identity of each actor.
    nodes: Vec<NodeId>,
    /// Sends of each actor that wait until a batch is durable.
    held: Vec<VecDeque<(u64, Envelope<A::Message>)>>,
    /// Steps of each actor that wait likewise, if somebody watches.
    watched: Option<Vec<Watched<A>>>,
    /// The batch with the last record of each actor.
    awaited: Vec<u64>,
    has_run: Vec<bool>,
    timers: Vec<(u64, usize, A::Timer)>,
    /// Messages from outside and from the application that wait for the next turn.
    pub inbox: VecDeque<Envelope<A::Message>>,
    /// Messages between actors of this process.
    loopback: VecDeque<Envelope<A::Message>>,
    /// Records of this turn.
    records: Vec<Placed<A::Record>>,
    /// The number of the batch of this turn.
    batch: u64,
    /// A log that has grown by so many bytes is compacted.
    compact_above_bytes: u64,
    compaction: Compaction,
    /// How fast the clock runs, in thousandths.
    clock: u64,
    pub random: Random,
    /// Tells events of this life from earlier ones.
    pub life: u64,
    /// The process does not run before this time.
    pub paused_until: u64,
    /// When it is already going to run.
    pub next_turn: Option<u64>,
    /// Places of acceptors that are switched off: they hear nothing.
    pub off: BTreeSet<usize>,
    /// Mutation: sends do not wait for the disk.
    pub is_hasty: bool,
    /// Mutation: what is before a checkpoint goes at once.
    pub is_forgetful: bool,
    fx: EffectsOf<A>,
}

impl<A: Hosted> Process<A> {
    /// A process that is down and has an empty disk.
    pub(super) fn new(
        places: &Places,
        index: usize,
        (clock, compact_above_bytes): (u64, u64),
        random: Random,
    ) -> Self {
        let count = places.roles(index).len();
        let node = |place| places.node(Place { process: index, place });
        Self {
            status: Status::Down,
            actors: Vec::new(),
            disk: Disk::default(),
            nodes: (0..count).map(node).collect(),
            held: vec![VecDeque::new(); count],
            watched: None,
            awaited: vec![0; count],
            has_run: vec![false; count],
            timers: Vec::new(),
            inbox: VecDeque::new(),
            loopback: VecDeque::new(),
            records: Vec::new(),
            batch: 1,
            compact_above_bytes,
            compaction: Compaction::Above(compact_above_bytes),
            clock,
            random,
            life: 0,
            paused_until: 0,
            next_turn: None,
            off: BTreeSet::new(),
            is_hasty: false,
            is_forgetful: false,
            fx: Effects::new(),
        }
    }

    /// Whether it runs.
    pub(super) fn is_up(&self) -> bool {
        self.status == Status::Up
    }

    /// The machine of its replica, if it has one and is up.
    pub(super) fn observed(&self) -> Option<&Observed<A::Machine>> {
        self.actors.iter().find_map(A::observed)
    }

    /// Whether its archive has begun to write a snapshot down.
    pub(super) fn is_within_snapshot(&self) -> bool {
        self.actors.iter().any(A::is_within_snapshot)
    }

    /// Loses everything but the disk.
    pub(super) fn crash(&mut self) {
        self.status = Status::Down;
        self.actors.clear();
        self.held.iter_mut().for_each(VecDeque::clear);
        self.watched.iter_mut().flatten().for_each(VecDeque::clear);
        self.awaited.fill(0);
        self.has_run.fill(false);
        self.timers.clear();
        self.inbox.clear();
        self.loopback.clear();
        self.records.clear();
        self.paused_until = 0;
        self.next_turn = None;
        self.compaction = Compaction::Above(self.compact_above_bytes);
        self.life += 1;
    }

    /// Comes back as `actors`, with what the disk kept.
    pub(super) fn restore(&mut self, actors: Vec<A>, loaded: Loaded<A::Record>) {
        self.status = Status::Up;
        self.actors = actors;
        self.batch = self.disk.durable_batch() + 1;
        for (place, record) in loaded.records {
            self.actors[place].restore(record);
        }
    }

    /// Begins to take part, after that.
    pub(super) fn begin(&mut self, now: u64, out: &mut OutboxOf<A>) {
        for place in 0..self.actors.len() {
            self.step(place, Input::Start, now, out);
        }
        self.hand_over(now, out);
    }

    /// Takes a turn: all that is ready, and what follows from it here.
    pub(super) fn turn(&mut self, now: u64, out: &mut OutboxOf<A>) {
        self.loopback.append(&mut self.inbox);
        self.run_loopback(now, out);
        while let Some((place, timer)) = self.pop_due(now) {
            self.step(place, Input::Timer(timer), now, out);
        }
        loop {
            self.run_loopback(now, out);
            for place in 0..self.actors.len() {
                if std::mem::take(&mut self.has_run[place]) {
                    self.step(place, Input::TurnEnd, now, out);
                }
            }
            if self.loopback.is_empty() {
                return self.hand_over(now, out);
            }
        }
    }

    fn run_loopback(&mut self, now: u64, out: &mut OutboxOf<A>) {
        while let Some(Envelope { from, to, message }) = self.loopback.pop_front() {
            let Some(place) = self.nodes.iter().position(|node| *node == to) else { continue };
            if !self.off.contains(&place) {
                self.step(place, Input::Message(from, message), now, out);
            }
        }
    }

    fn pop_due(&mut self, now: u64) -> Option<(usize, A::Timer)> {
        let due = self.timers.iter().enumerate().filter(|(_, (at, ..))| *at <= now);
        let (index, _) = due.min_by_key(|(_, (at, ..))| *at)?;
        let (_, place, timer) = self.timers.swap_remove(index);
        Some((place, timer))
    }

    fn step(&mut self, place: usize, input: InputOf<A>, now: u64, out: &mut OutboxOf<A>) {
        let mut fx = std::mem::take(&mut self.fx);
        let is_start = matches!(input, Input::Start);
        let got = match &input {
            Input::Message(from, message) if self.watched.is_some() => {
                Some((*from, message.clone()))
            }
            _ => None,
        };
        let actor = &mut self.actors[place];
        self.has_run[place] |= !matches!(input, Input::TurnEnd);
        panics::step(|| match input {
            Input::Start => actor.on_start(&mut fx),
            Input::Message(from, message) => actor.on_message(from, message, &mut fx),
            Input::Timer(timer) => actor.on_timer(timer, &mut fx),
            Input::TurnEnd => actor.on_turn_end(&mut fx),
            Input::Compaction => actor.on_compaction(&mut fx),
        });
        out.steps += 1;
        self.watch_step(place, (is_start, got), &fx, out);
        self.settle(place, &mut fx, now, out);
        self.fx = fx;
    }

    /// Tells of every step from now on.
    pub(super) fn watch(&mut self) {
        self.watched = Some(vec![VecDeque::new(); self.nodes.len()]);
    }

    /// A step counts when its records and those before them are durable, even if its messages do not
    /// wait for that.
    fn watch_step(
        &mut self,
        place: usize,
        (is_start, got): (bool, Option<(NodeId, A::Message)>),
        fx: &EffectsOf<A>,
        out: &mut OutboxOf<A>,
    ) {
        let Some(watched) = &mut self.watched else { return };
        let actor = &self.actors[place];
        let (starts, leads) = (is_start && actor.is_proposer(), actor.leads_in());
        let (wrote, sent) = (fx.records.clone(), fx.sends.clone());
        let taken = Taken { node: self.nodes[place], starts, got, wrote, sent, leads };
        let awaited = if taken.wrote.is_empty() { self.awaited[place] } else { self.batch };
        if awaited > self.disk.durable_batch() {
            watched[place].push_back((awaited, taken));
        } else {
            out.taken.push(taken);
        }
    }

    /// Steps that waited for the batches that are durable now.
    pub(super) fn release_steps(&mut self) -> Vec<TakenOf<A>> {
        let (durable, mut released) = (self.disk.durable_batch(), Vec::new());
        for watched in self.watched.iter_mut().flatten() {
            while let Some((_, taken)) = watched.pop_front_if(|(batch, _)| *batch <= durable) {
                released.push(taken);
            }
        }
        released
    }

    fn settle(&mut self, place: usize, fx: &mut EffectsOf<A>, now: u64, out: &mut OutboxOf<A>) {
        let from = self.nodes[place];
        out.violations.extend(fx.violations.drain(..).map(|violation| (from, violation)));
        if !fx.records.is_empty() {
            self.records.extend(fx.records.drain(..).map(|record| (place, record)));
            self.awaited[place] = self.batch;
        }
        let awaited = self.awaited[place];
        let must_wait = awaited > self.disk.durable_batch() && !self.is_hasty;
        for (to, message) in fx.sends.drain(..) {
            let envelope = Envelope { from, to, message };
            if must_wait {
                self.held[place].push_back((awaited, envelope));
            } else {
                leave(&self.nodes, &mut self.loopback, envelope, out);
            }
        }
        for change in fx.timers.drain(..) {
            let (TimerChange::Set(timer, _) | TimerChange::Cancel(timer)) = &change;
            self.timers.retain(|(_, other, name)| (*other, name) != (place, timer));
            if let TimerChange::Set(timer, delay) = change {
                let range = delay.start.as_micros() as u64..delay.end.as_micros() as u64;
                let at = now + self.random.within(range) * self.clock / 1000;
                self.timers.push((at, place, timer));
            }
        }
    }

    /// Hands the records of the turn to the disk, and does what compaction needs next.
    fn hand_over(&mut self, now: u64, out: &mut OutboxOf<A>) {
        self.hand_over_records();
        match self.compaction {
            Compaction::Above(limit) if self.disk.size_bytes() > limit => {
                self.begin_compaction(now, out);
            }
            Compaction::Begun if self.is_compact() => {
                self.disk.forget(self.batch);
                self.batch += 1;
                self.compaction = Compaction::Forgetting;
            }
            Compaction::Above(_) | Compaction::Begun | Compaction::Forgetting => {}
        }
    }

    fn is_compact(&self) -> bool {
        self.is_forgetful || self.actors.iter().all(Actor::is_compact)
    }

    fn hand_over_records(&mut self) {
        if !self.records.is_empty() {
            self.disk.append(self.batch, std::mem::take(&mut self.records));
            self.batch += 1;
        }
    }

    fn begin_compaction(&mut self, now: u64, out: &mut OutboxOf<A>) {
        let mut records = Vec::new();
        for place in 0..self.actors.len() {
            self.step(place, Input::Compaction, now, out);
        }
        for (place, actor) in self.actors.iter().enumerate() {
            records.extend(actor.checkpoint().into_iter().map(|record| (place, record)));
        }
        self.disk.checkpoint(self.batch, records);
        self.batch += 1;
        self.compaction = Compaction::Begun;
        self.hand_over_records();
    }

    /// What was before the last checkpoint is gone.
    pub(super) fn on_forgotten(&mut self) {
        let left = self.disk.size_bytes();
        self.compaction = Compaction::Above(left + self.compact_above_bytes.max(left / 2));
    }

    /// How large the log may be, unless it is being compacted.
    pub(super) fn log_limit(&self) -> Option<u64> {
        match self.compaction {
            Compaction::Above(limit) => Some(limit),
            Compaction::Begun | Compaction::Forgetting => None,
        }
    }

    /// What waited for the batches that are durable now leaves.
    pub(super) fn release(&mut self, out: &mut OutboxOf<A>) {
        let durable = self.disk.durable_batch();
        for held in &mut self.held {
            while let Some((_, envelope)) = held.pop_front_if(|(batch, _)| *batch <= durable) {
                leave(&self.nodes, &mut self.loopback, envelope, out);
            }
        }
    }

    /// When it has something to do, if it has: now, or when a timer is due.
    pub(super) fn next_work(&self, now: u64) -> Option<u64> {
        if !self.inbox.is_empty() || !self.loopback.is_empty() {
            return Some(now);
        }
        self.timers.iter().map(|(at, ..)| *at).min()
    }

    /// A delay until a thing of which this process decides when.
    pub(super) fn draw(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.random.within(range)
    }

    /// Messages that wait here: for the disk, and for the next turn.
    pub(super) fn waiting_count(&self) -> usize {
        self.held.iter().map(VecDeque::len).sum::<usize>() + self.inbox.len()
    }
}

/// To an actor of the same process, or out.
fn leave<M: Clone, R>(
    nodes: &[NodeId],
    loopback: &mut VecDeque<Envelope<M>>,
    envelope: Envelope<M>,
    out: &mut Outbox<M, R>,
) {
    if nodes.contains(&envelope.to) {
        loopback.push_back(envelope.clone());
    }
    out.left.push(envelope);
}
