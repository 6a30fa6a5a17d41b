//! A small deterministic world: virtual time, one generator of chance, one queue of events.
//!
//! It runs the real actors of a cluster of three processes through crashes, partitions, pauses, slow
//! disks, late and repeated messages and reconfigurations, and judges every step ([`checks`]). Then
//! all faults stop, and the cluster must become well ([`healing`]).

pub mod checks;
mod disk;
pub mod elections;
mod faults;
pub mod healing;
mod machine;
mod mutation;
mod network;
mod operator;
mod places;
mod process;
mod random;
mod trace;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use matchmaker::message::{Message, ToApplication};
use matchmaker::node::Node;
use paxos::message::{Invoke, Operation, ToSession};
use paxos::wire::Payload;

use checks::{Failure, Ghost, Kind, Verdict, fail};
use machine::Counter;
pub use mutation::Mutation;
use network::{MS, Network};
use operator::Operator;
use places::{ACCEPTOR, APPLICATION, OPERATOR, PROCESSES, PROPOSER, REPLICA, SESSION, node};
use process::{Envelope, Outbox, Process};
use random::Random;

/// What happens next.
#[expect(clippy::large_enum_variant, reason = "most events are the large one")]
enum Event {
    /// A message arrives.
    Deliver(Envelope),
    /// A process may run.
    Turn { process: usize, life: u64 },
    /// A sync ends.
    Synced { process: usize, life: u64 },
    /// A process comes back.
    Restart(usize),
    /// Something breaks.
    Fault,
    /// An application makes calls.
    Submit(usize),
    /// The operator does something.
    Operate,
    /// A step of the healing.
    Heal(healing::Step),
}

/// What a run was like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Steps of actors and events of the world.
    pub events: u64,
    /// Calls that returned a result.
    pub done: u64,
    /// Rounds in which something was collected.
    pub collections: u64,
    /// Slots chosen.
    pub slots: u64,
    /// Crashes of processes.
    pub crashes: u64,
    /// Machines of acceptors that were switched off.
    pub retirements: u64,
    /// Reconfigurations that became active.
    pub activations: u64,
}

/// The world.
pub struct World {
    now: u64,
    sequence: u64,
    queue: BTreeMap<(u64, u64), Event>,
    random: Random,
    processes: Vec<Process>,
    network: Network,
    ghost: Ghost,
    operator: Operator,
    /// Commands that the replica of each process has executed and the judge has seen.
    seen: [usize; PROCESSES],
    /// Calls of each application that are under way.
    calls: [BTreeSet<u64>; PROCESSES],
    next_token: u64,
    /// The longest sync, in microseconds.
    sync_max: u64,
    /// The longest pause between two faults.
    fault_pause: u64,
    /// The highest number of a round when the cluster was to be well.
    settled: u64,
    /// Which kinds of faults this run has, as bits.
    kinds: u64,
    /// Whether applications make calls.
    is_busy: bool,
    mutation: Option<Mutation>,
    is_traced: bool,
    summary: Summary,
}

/// Runs one seed, with a bug if `mutation` says so.
pub fn run(seed: u64, mutation: Option<Mutation>, is_traced: bool) -> Result<Summary, Failure> {
    World::new(seed, mutation, is_traced).run()
}

impl World {
    fn new(seed: u64, mutation: Option<Mutation>, is_traced: bool) -> Self {
        let mut random = Random::new(seed);
        let mut processes: Vec<Process> =
            (0..PROCESSES).map(|p| Process::new(p, random.within(700..1400))).collect();
        processes.iter_mut().for_each(|p| p.is_hasty = mutation == Some(Mutation::SendBeforeSync));
        let network = Network::new(&mut random);
        let mut world = Self {
            now: 0,
            sequence: 0,
            queue: BTreeMap::new(),
            processes,
            network,
            fault_pause: [60 * MS, 250 * MS, 600 * MS][random.index(3)],
            kinds: random.within(1..1 << faults::KINDS),
            ghost: Ghost::new(places::deployment()),
            operator: Operator::default(),
            seen: [0; PROCESSES],
            calls: Default::default(),
            next_token: 1,
            sync_max: 2 * MS,
            settled: 0,
            is_busy: true,
            mutation,
            is_traced,
            summary: Summary::default(),
            random,
        };
        for process in 0..PROCESSES {
            world.push(0, Event::Restart(process));
            world.push(5 * MS, Event::Submit(process));
        }
        world.push(300 * MS, Event::Fault);
        world.push(400 * MS, Event::Operate);
        let healing_at = world.random.within(1500 * MS..6000 * MS);
        world.push(healing_at, Event::Heal(healing::Step::Heal));
        world
    }

    fn push(&mut self, delay: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now + delay, self.sequence), event);
    }

    fn run(mut self) -> Result<Summary, Failure> {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            self.now = at;
            self.summary.events += 1;
            if matches!(event, Event::Heal(healing::Step::End)) {
                self.check_end()?;
                break;
            }
            self.take(event)?;
        }
        self.summary.done = self.ghost.history.done_count;
        self.summary.collections = self.ghost.garbage_rounds.len() as u64;
        self.summary.slots = self.ghost.chosen.len() as u64;
        Ok(self.summary)
    }

    fn take(&mut self, event: Event) -> Verdict {
        match event {
            Event::Deliver(envelope) => self.deliver(envelope),
            Event::Turn { process, life } => self.turn(process, life),
            Event::Synced { process, life } => self.synced(process, life),
            Event::Restart(process) => self.restart(process),
            Event::Fault => self.fault(),
            Event::Submit(process) => {
                self.submit(process);
                Ok(())
            }
            Event::Operate => {
                self.operate();
                Ok(())
            }
            Event::Heal(step) => self.heal(step),
        }
    }

    fn deliver(&mut self, envelope: Envelope) -> Verdict {
        if envelope.to == OPERATOR {
            self.hear(envelope.message);
            return Ok(());
        }
        let Some((index, _)) = places::seat_of(envelope.to) else { return Ok(()) };
        if !self.processes[index].is_up() {
            return Ok(());
        }
        for envelope in self.mutate_arrival(envelope) {
            self.processes[index].inbox.push_back(envelope);
        }
        self.schedule_turn(index);
        Ok(())
    }

    fn schedule_turn(&mut self, index: usize) {
        let delay = self.random.within(0..60);
        let life = self.processes[index].life;
        self.push(delay, Event::Turn { process: index, life });
    }

    fn turn(&mut self, index: usize, life: u64) -> Verdict {
        let process = &mut self.processes[index];
        if process.life != life || !process.is_up() {
            return Ok(());
        }
        if process.paused_until > self.now {
            let delay = process.paused_until - self.now;
            self.push(delay, Event::Turn { process: index, life });
            return Ok(());
        }
        if !process.has_work(self.now) {
            return Ok(());
        }
        let off = self.ghost.retired.keys().filter_map(|node| places::seat_of(*node));
        process.off = off.filter(|(p, _)| *p == index).map(|(_, place)| place).collect();
        let mut out = Outbox::default();
        process.turn(&mut self.random, self.now, &mut out);
        self.settle(index, out)
    }

    fn synced(&mut self, index: usize, life: u64) -> Verdict {
        let process = &mut self.processes[index];
        if process.life != life {
            return Ok(());
        }
        let durable = process.disk.finish_sync();
        self.judge_records(index, durable)?;
        let mut out = Outbox::default();
        self.processes[index].release(&mut out);
        self.settle(index, out)?;
        if self.random.permille(5) {
            self.processes[index].compact();
        }
        self.schedule_turn(index);
        Ok(())
    }

    fn judge_records(&mut self, index: usize, records: Vec<disk::Placed>) -> Verdict {
        for (place, record) in records {
            let actor = node(index, place);
            self.trace_record(actor, &record);
            self.ghost.on_durable(actor, &record)?;
        }
        Ok(())
    }

    /// Carries out what a process wants done, and judges it.
    fn settle(&mut self, index: usize, out: Outbox) -> Verdict {
        self.summary.events += out.steps;
        let life = self.processes[index].life;
        if let Some((node, violation)) = out.violations.into_iter().next() {
            let detail =
                format!("{}: {}: {}", places::name(node), violation.invariant, violation.detail);
            return fail("no violation", detail);
        }
        for at in out.wakes {
            self.push(at.saturating_sub(self.now), Event::Turn { process: index, life });
        }
        if let Some(Node::Replica(replica)) = self.processes[index].actors.get(REPLICA) {
            let applied = &replica.machine().applied;
            self.seen[index] = self.ghost.history.executed(index, applied, self.seen[index])?;
        }
        for envelope in out.left {
            for envelope in self.mutate_departure(envelope) {
                self.trace_message(&envelope);
                self.ghost.on_leave(envelope.from, envelope.to, &envelope.message)?;
                self.carry(index, envelope)?;
            }
        }
        if self.processes[index].disk.start_sync() {
            let delay = self.random.within(100..self.sync_max);
            self.push(delay, Event::Synced { process: index, life });
        }
        Ok(())
    }

    fn carry(&mut self, from: usize, envelope: Envelope) -> Verdict {
        if envelope.to == OPERATOR {
            if let Some(delay) = self.network.operator_delay(&mut self.random) {
                self.push(delay, Event::Deliver(envelope));
            }
            return Ok(());
        }
        let Some((to, place)) = places::seat_of(envelope.to) else { return Ok(()) };
        if to != from {
            for delay in self.network.delays(from, to, self.now, &mut self.random) {
                self.push(delay, Event::Deliver(envelope.clone()));
            }
        } else if place == APPLICATION
            && let Message::Application(ToApplication::Return(m)) = envelope.message
        {
            self.calls[to].remove(&m.token);
            self.ghost.history.complete(m.token, &m.outcome, self.now)?;
        }
        Ok(())
    }

    fn restart(&mut self, index: usize) -> Verdict {
        if self.processes[index].is_up() {
            return Ok(());
        }
        self.note(format_args!("p{index} starts"));
        let machine = Counter {
            applied: Vec::new(),
            is_doubling: self.mutation == Some(Mutation::ExecuteTwice)
                && self.processes[index].life > 0,
        };
        self.seen[index] = 0;
        let mut out = Outbox::default();
        let mutation = self.mutation;
        let process = &mut self.processes[index];
        process.restart(
            &machine,
            |record| mutation.is_some_and(|mutation| mutation.forgets(record)),
            &mut self.random,
            self.now,
            &mut out,
        );
        for place in [ACCEPTOR, ACCEPTOR + 1] {
            if let Node::Acceptor(acceptor) = &process.actors[place] {
                self.ghost.restored(node(index, place), acceptor.promised())?;
            }
        }
        self.check_checkpoints(index)?;
        self.settle(index, out)?;
        self.schedule_turn(index);
        Ok(())
    }

    /// What an actor restores from its checkpoint is what it restored from its records.
    fn check_checkpoints(&self, index: usize) -> Verdict {
        use paxos::actor::Actor;
        let mut copies = places::actors(index, &Counter::default());
        for (place, actor) in self.processes[index].actors.iter().enumerate() {
            let records = actor.checkpoint();
            records.iter().for_each(|record| copies[place].restore(record.clone()));
            if copies[place].checkpoint() != records {
                let name = places::name(node(index, place));
                return fail("checkpoint", format!("{name} restores other than it wrote"));
            }
        }
        Ok(())
    }

    fn submit(&mut self, index: usize) {
        if !self.is_busy {
            return;
        }
        let pause =
            if self.random.permille(30) { 300 * MS } else { self.random.within(MS..40 * MS) };
        self.push(pause, Event::Submit(index));
        if !self.processes[index].is_up() {
            return;
        }
        for _ in 0..=self.random.within(0..3) {
            let token = self.next_token;
            self.next_token += 1;
            let kind = if self.random.permille(500) { Kind::Read } else { Kind::Write };
            self.ghost.history.invoke(token, kind, self.now);
            self.calls[index].insert(token);
            let payload = Payload(Bytes::copy_from_slice(&token.to_le_bytes()));
            let operation = match kind {
                Kind::Write => Operation::Propose(payload),
                Kind::Read => Operation::Read(payload),
            };
            let message = Message::Session(ToSession::Invoke(Invoke { token, operation }));
            let (from, to) = (node(index, APPLICATION), node(index, SESSION));
            self.processes[index].inbox.push_back(Envelope { from, to, message });
        }
        self.schedule_turn(index);
    }

    /// The process that leads in the highest round.
    fn leading_process(&self) -> Option<usize> {
        let rounds =
            self.processes.iter().filter_map(|process| match process.actors.get(PROPOSER)? {
                Node::Proposer(proposer) => Some((proposer.leader().leads_in()?, process.index)),
                _ => None,
            });
        rounds.max().map(|(_, index)| index)
    }
}

impl Summary {
    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.done += other.done;
        self.collections += other.collections;
        self.slots += other.slots;
        self.crashes += other.crashes;
        self.retirements += other.retirements;
        self.activations += other.activations;
    }
}
