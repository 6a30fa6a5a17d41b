//! A deterministic world: virtual time, one queue of events, and chance that follows from a seed.
//!
//! It runs the very actors that production runs through what a plan holds for them, and judges every
//! step (`properties`). Then all faults stop, and the cluster must become well (`healing`).
//!
//! | file | holds |
//! |---|---|
//! | `process` | the actors of a process and the contract of their driver |
//! | `disk` | a log of real bytes, of which a crash loses what was not synced |
//! | `network` | links that are late, lossy, repeating, or cut |
//! | `clients` | calls, one at a time for each client |
//! | `faults`, `ambush` | what strikes, at a time or at a moment |
//! | `hidden_round`, `former_life` | coincidences that are brought about step by step |
//! | `start`, `judging` | what is found after a crash, and what becomes durable |
//! | `protocol` | what differs from protocol to protocol |
//! | `matchmaker`, `bpaxos` | that: actors, operator, judge, and the end of a run |

mod ambush;
mod bpaxos;
mod clients;
mod disk;
mod faults;
mod former_life;
mod hidden_round;
mod judging;
mod matchmaker;
mod messages;
mod network;
mod process;
mod protocol;
mod start;
mod summary;

use std::collections::BTreeMap;

use paxos::actor::NodeId;
use paxos::round::Round;

use crate::coverage::Situation;
use crate::digest::Digest;
use crate::hosted::Hosted;
use crate::mutation::Mutation;
use crate::panics;
use crate::plan::{Place, Places, Plan, Role};
use crate::properties::{self, Calls, Failure, Verdict};
use crate::random::{Purpose, Random};
use crate::trace::{Recorder, Trace};
use crate::workload::{Observed, Workload};

use ambush::Ambushes;
pub use bpaxos::Bpaxos;
use clients::Client;
use faults::{FailingDisk, SlowDisk};
pub use judging::Held;
pub use matchmaker::Matchmaker;
use network::Network;
pub use process::Envelope;
use process::{Process, Status};
pub use protocol::Protocol;
use protocol::{EventOf, MessageOf, OutboxOf};
pub use summary::{Report, Summary};

/// What happens next.
#[derive(Debug)]
enum Event<M, E> {
    /// A message arrives; its number in the trace.
    Deliver(Envelope<M>, u64),
    /// A process may run.
    Turn { process: usize, life: u64 },
    /// A sync ends.
    Synced { process: usize, life: u64 },
    /// A process dies, for so long.
    Kill { process: usize, life: u64, down_us: u64 },
    /// A process comes back.
    Start(usize),
    /// The fault of that number strikes.
    Strike(usize),
    /// The wish of that number is made.
    Wish(usize),
    /// A client may call.
    Call(usize),
    /// What the protocol has planned.
    Own(E),
}

/// The world.
#[derive(Debug)]
pub struct World<W: Workload, P: Protocol<W> = Matchmaker> {
    plan: Plan,
    places: Places,
    workload: W,
    /// What all durable records make of each actor, by process and place.
    folds: Vec<Vec<P::Actor>>,
    /// In microseconds.
    now: u64,
    /// Numbers events: those at one time happen in the order in which they were planned.
    sequence: u64,
    queue: BTreeMap<(u64, u64), EventOf<W, P>>,
    processes: Vec<Process<P::Actor>>,
    disk_random: Vec<Random>,
    network: Network,
    /// What the operator and the judge of the protocol remember.
    own: P,
    /// Chance of the operator.
    operator_random: Random,
    calls: Calls,
    clients: Vec<Client>,
    /// Commands that the replica of each process has executed and the judge has seen.
    seen: Vec<usize>,
    /// How slow the disk of each process is.
    slow_disks: Vec<SlowDisk>,
    /// Processes whose next sync fails.
    failing_disks: Vec<Option<FailingDisk>>,
    /// Who lies in wait.
    ambushes: Ambushes<MessageOf<W, P>>,
    /// Whether clients make calls.
    is_busy: bool,
    next_token: u64,
    mutation: Option<Mutation>,
    recorder: Option<Recorder>,
    digest: Digest,
    scratch: Vec<u8>,
    summary: Summary,
}

/// Runs `plan`, with a bug if `mutation` says so.
pub fn run<W: Workload, P: Protocol<W>>(
    plan: Plan,
    workload: W,
    mutation: Option<Mutation>,
) -> Report {
    World::<W, P>::founded(plan, workload, mutation).run()
}

impl<W: Workload> World<W> {
    /// A world of Matchmaker MultiPaxos in which nothing has happened yet.
    pub fn new(plan: Plan, workload: W, mutation: Option<Mutation>) -> Self {
        Self::founded(plan, workload, mutation)
    }
}

impl<W: Workload, P: Protocol<W>> World<W, P> {
    /// A world in which nothing has happened yet.
    pub fn founded(plan: Plan, workload: W, mutation: Option<Mutation>) -> Self {
        let places = plan.places();
        let count = places.process_count();
        let mut world = Self {
            now: plan.begins_us(),
            network: Network::new(&plan, count),
            processes: start::processes(&plan, &places, mutation),
            disk_random: (0..count as u64)
                .map(|number| Random::stream(plan.seed, (Purpose::Disk, number)))
                .collect(),
            clients: clients::clients(&plan, &places),
            own: P::new(&plan, &places),
            operator_random: Random::stream(plan.seed, (Purpose::Operator, 0)),
            calls: Calls::new(P::room(&plan)),
            seen: vec![0; count],
            slow_disks: vec![SlowDisk::default(); count],
            failing_disks: vec![None; count],
            plan,
            places,
            workload,
            folds: Vec::new(),
            sequence: 0,
            queue: BTreeMap::new(),
            ambushes: Ambushes::default(),
            is_busy: true,
            next_token: 1,
            mutation,
            recorder: None,
            digest: Digest::default(),
            scratch: Vec::new(),
            summary: Summary::default(),
        };
        world.folds = (0..count).map(|index| P::actors(&world, index)).collect();
        world.schedule_all();
        world
    }

    /// Keeps a trace of what happens from now on; with what each actor knows, if asked for.
    pub fn record(&mut self, has_states: bool) {
        self.recorder = Some(Recorder::new(has_states));
    }

    /// The trace so far, if one is kept.
    pub fn into_trace(self) -> Option<Trace> {
        let (protocol, places) = (self.plan.protocol, self.places);
        self.recorder.map(|recorder| recorder.finish(protocol, places, self.now))
    }

    fn schedule_all(&mut self) {
        P::found(self);
        for process in 0..self.processes.len() {
            self.push(0, Event::Start(process));
        }
        for client in 0..self.clients.len() {
            self.push(5 * crate::MS, Event::Call(client));
        }
        for index in 0..self.plan.faults.len() {
            self.push(self.plan.faults[index].at_us, Event::Strike(index));
        }
        for index in 0..self.plan.wishes.len() {
            self.push(self.plan.wishes[index].at_us, Event::Wish(index));
        }
        P::begin(self);
    }

    fn push(&mut self, delay: u64, event: EventOf<W, P>) {
        self.sequence += 1;
        self.queue.insert((self.now + delay, self.sequence), event);
    }

    /// Runs to the end of the plan.
    pub fn run(&mut self) -> Report {
        let failure = self.run_until(u64::MAX).err();
        if let (Some(failure), Some(recorder)) = (&failure, &mut self.recorder) {
            recorder.failed(self.now, failure);
        }
        self.report(failure.map(|failure| *failure))
    }

    /// Lets time pass, without the steps of the healing.
    ///
    /// *Errors*: a property is broken.
    pub fn advance(&mut self, time_us: u64) -> Verdict {
        self.queue.retain(|_, event| !matches!(event, Event::Own(own) if P::is_healing(own)));
        let until = self.now + time_us;
        self.run_until(until)?;
        self.now = until;
        Ok(())
    }

    fn run_until(&mut self, until: u64) -> Verdict {
        while let Some(entry) = self.queue.first_entry() {
            let (at, _) = *entry.key();
            if at > until {
                break;
            }
            let event = entry.remove();
            self.now = at;
            self.summary.events += 1;
            let is_end = matches!(&event, Event::Own(own) if P::is_end(own));
            // An assertion of an actor that fails is a failure of the run like any other.
            panics::caught(|| if is_end { P::check_end(self) } else { self.take(event) })
                .unwrap_or_else(|panic| properties::panicked(&panic))?;
            if is_end {
                break;
            }
        }
        Ok(())
    }

    /// What it was like so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    fn report(&mut self, failure: Option<Failure>) -> Report {
        self.summary.virtual_us = self.now;
        self.summary.calls = self.calls.records().len() as u64;
        self.summary.done = self.calls.done_count;
        self.summary.failed = self.calls.failed_count;
        (self.summary.slots, self.summary.collections) = self.own.counts();
        let summary = self.summary.clone();
        Report { summary, digest: self.digest.value(), failure }
    }

    fn take(&mut self, event: EventOf<W, P>) -> Verdict {
        match event {
            Event::Deliver(envelope, number) => self.deliver(envelope, number),
            Event::Turn { process, life } => self.turn(process, life),
            Event::Synced { process, life } => self.synced(process, life),
            Event::Kill { process, life, down_us } if self.processes[process].life == life => {
                self.crash(process, true, down_us)
            }
            Event::Kill { .. } => Ok(()),
            Event::Start(process) => self.start(process),
            Event::Strike(index) => self.strike(self.plan.faults[index].what.clone()),
            Event::Wish(index) => {
                P::wish(self, self.plan.wishes[index].what.clone());
                Ok(())
            }
            Event::Call(client) => {
                self.call(client);
                Ok(())
            }
            Event::Own(event) => P::take(self, event),
        }
    }

    /// Has a process run when it next has something to do.
    fn schedule(&mut self, index: usize) {
        let process = &mut self.processes[index];
        let Some(work) = process.next_work(self.now).filter(|_| process.is_up()) else { return };
        let mut at = work.max(self.now);
        if work <= self.now {
            at += process.draw(self.plan.wake_us.clone());
        }
        if process.next_turn.is_some_and(|next| next <= at) {
            return;
        }
        process.next_turn = Some(at);
        let life = process.life;
        self.push(at - self.now, Event::Turn { process: index, life });
    }

    fn turn(&mut self, index: usize, life: u64) -> Verdict {
        let process = &mut self.processes[index];
        // A turn that was planned before an earlier one has nothing left to do.
        if process.life != life || process.next_turn != Some(self.now) {
            return Ok(());
        }
        if process.paused_until > self.now {
            let delay = process.paused_until - self.now;
            process.next_turn = Some(process.paused_until);
            self.push(delay, Event::Turn { process: index, life });
            return Ok(());
        }
        process.next_turn = None;
        let mut out = OutboxOf::<W, P>::default();
        process.turn(self.now, &mut out);
        self.check_limits(index)?;
        self.settle(index, &mut out)?;
        self.schedule(index);
        Ok(())
    }

    fn synced(&mut self, index: usize, life: u64) -> Verdict {
        let process = &mut self.processes[index];
        if process.life != life {
            return Ok(());
        }
        // A process that stands still does not notice.
        if process.paused_until > self.now {
            let delay = process.paused_until - self.now;
            self.push(delay, Event::Synced { process: index, life });
            return Ok(());
        }
        if let Some(failing) = self.failing_disks[index].take() {
            self.feel("failing sync");
            if self.mutation != Some(Mutation::IgnoreFailedSync) {
                return self.fail_sync(index, failing);
            }
            self.processes[index].disk.lose_running();
        }
        let synced = self.processes[index].disk.finish_sync();
        // Before anyone judges them: that may end the run.
        let taken = self.processes[index].release_steps();
        P::tell_steps(self, taken);
        self.judge_records(index, synced.records)?;
        if synced.has_forgotten {
            self.processes[index].on_forgotten();
            self.summary.coverage.meet(Situation::LogCompacted);
            self.check_left(index)?;
        }
        let mut out = OutboxOf::<W, P>::default();
        self.processes[index].release(&mut out);
        self.settle(index, &mut out)?;
        self.schedule(index);
        Ok(())
    }

    /// Carries out what a process wants done, and judges it.
    fn settle(&mut self, index: usize, out: &mut OutboxOf<W, P>) -> Verdict {
        self.summary.events += out.steps;
        P::tell_steps(self, std::mem::take(&mut out.taken));
        if let Some((node, violation)) = out.violations.first() {
            let name = self.places.name(*node);
            let detail = format!("{name}: {}: {}", violation.invariant, violation.detail);
            self.unless_watched(properties::violated(violation.invariant, detail))?;
        }
        P::judge_execution(self, index)?;
        self.observe_actors(index);
        P::on_step(self, index)?;
        for envelope in out.left.drain(..) {
            self.depart(index, envelope)?;
        }
        P::on_settled(self, index)?;
        self.start_sync(index);
        Ok(())
    }

    /// Notes who leads, and in the trace what every actor knows.
    fn observe_actors(&mut self, index: usize) {
        let leads_in = self.leads_in(index);
        self.summary.coverage.lead(index, leads_in);
        let Some(recorder) = &mut self.recorder else { return };
        recorder.lead(self.now, index, leads_in);
        if !recorder.has_states {
            return;
        }
        for (place, actor) in self.processes[index].actors.iter().enumerate() {
            let node = self.places.node(Place { process: index, place });
            recorder.state(self.now, node, actor);
        }
    }

    fn start_sync(&mut self, index: usize) {
        if !self.processes[index].disk.start_sync() {
            return;
        }
        let SlowDisk { sync_us, until, is_felt } = self.slow_disks[index];
        let is_slow = until > self.now;
        if is_slow && !is_felt {
            self.slow_disks[index].is_felt = true;
            self.feel("slow disk");
        }
        let range = if is_slow { 100..sync_us } else { self.plan.sync_us.clone() };
        let process = &mut self.processes[index];
        let (delay, life) = (process.draw(range), process.life);
        self.push(delay, Event::Synced { process: index, life });
    }

    /// The round in which the proposer of a process leads, if it does.
    pub fn leads_in(&self, process: usize) -> Option<Round> {
        self.processes[process].actors.iter().find_map(P::Actor::leads_in)
    }

    /// The process that leads in the highest round.
    pub fn leading_process(&self) -> Option<usize> {
        let leading = (0..self.processes.len()).filter_map(|p| Some((self.leads_in(p)?, p)));
        leading.max().map(|(_, process)| process)
    }

    /// The bug of this run.
    pub(crate) fn mutation(&self) -> Option<Mutation> {
        self.mutation
    }

    /// Who sits where.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// The machine of the replica of a process, if it has one, is up, and is a member.
    pub fn machine(&self, process: usize) -> Option<&W::Machine> {
        let observed = self.processes[process].observed();
        observed.filter(|_| self.own.is_serving(process)).map(Observed::machine)
    }

    /// Loses what one process sends to another until the time `until`, in microseconds.
    pub fn cut(&mut self, from: usize, to: usize, until: u64) {
        self.network.cut(from, to, until);
    }

    /// Ends what is wrong with the network.
    pub fn heal_network(&mut self) {
        self.network.heal();
    }

    /// Notes something that is no message.
    fn note(&mut self, process: Option<usize>, kind: crate::trace::Kind, text: impl Into<String>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.note(self.now, process, kind, text.into());
        }
    }

    /// Processes that have a certain role and may be up.
    fn living(&self, role: Role) -> impl Iterator<Item = usize> + '_ {
        (0..self.processes.len()).filter(move |process| {
            self.places.roles(*process).contains(&role)
                && !matches!(self.processes[*process].status, Status::Lost(_) | Status::Gone)
        })
    }

    /// The verdict, unless somebody else judges.
    fn unless_watched(&self, verdict: Verdict) -> Verdict {
        if self.own.is_watched() { Ok(()) } else { verdict }
    }

    fn node_of(&self, process: usize, role: Role) -> Option<NodeId> {
        self.places.in_process(process, role)
    }
}
