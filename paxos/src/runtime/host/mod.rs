//! The driver of production: runs the actors of one process over a transport and a storage.
//!
//! ```text
//!   transport ─┐
//!   handles ───┼─► turn: every ready input ► steps ► on_turn_end ► local messages ► … until none
//!   timers ────┘      │ records of the turn                │ sends of actors without unsynced records
//!                     ▼                                    ▼
//!                disk thread ──► durable up to batch n ──► sends that waited, in order
//! ```
//!
//! *Contract* ([`Actor`], "Driver contract"). Each step's records join the batch of the turn, and its
//! sends are tagged with the newest batch that holds a record of that actor. A send leaves once that
//! batch is durable: at once, if it already is. An actor's sends therefore leave in order, and an
//! actor that writes nothing never waits for one beside it that does.
//!
//! *Latency*. A message between actors of this process is taken in the turn that sent it, and the
//! records that it causes join the same batch. `on_turn_end` runs when no local message is left, and
//! again if what it sends makes an actor run again: each time that is a turn of its own to the
//! actor, and several turns share one append, which the contract allows. While a sync runs the loop
//! goes on; batches that are collected meanwhile become the next append. A batch of records that
//! [may wait](Actor::may_wait) is kept open for others to join it, for [`HostOptions::patience`] at most.
//!
//! *Limits*. A turn takes a bounded number of inputs and steps. Records that are not yet durable are
//! bounded: above the limit the loop takes no inputs until the disk has caught up.
//!
//! *Compaction* ([`Actor`], "Compaction"). When the log has grown, the checkpoints of all actors begin a new
//! part of it; when all actors are compact, what is before that part goes. The actors and the disk
//! thread go on meanwhile.
//!
//! *Errors*. Any error of the storage ends the host with that error, and nothing more is sent. An
//! actor's broken invariant panics; the program must then end, and must not start the actor again
//! in the same process.

mod disk;
mod handle;
mod timers;
mod turn;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

use self::disk::{Disk, Done};
use self::handle::Counts;
pub use self::handle::{HostHandle, HostStats, Port, SendError};
use self::timers::Timers;
use super::data_dir::random_u64;
use crate::actor::{Actor, EffectsOf, NodeId, RestoreError, Seat};
use crate::storage::{Storage, Tagged};
use crate::transport::{Envelope, Transport};

/// Limits of a host.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Inputs of each kind that a turn takes at most.
    pub inputs_max: usize,
    /// Messages from the application that may wait at most.
    pub queue_max: usize,
    /// Records that may wait for the disk; above it the host takes no inputs.
    pub unsynced_records_max: usize,
    /// How long records that may wait are kept back for others to share their sync.
    pub patience: Duration,
    /// The log is compacted when it has grown by more than this many bytes since the start or the last
    /// compaction, and by more than half of what that left.
    pub compact_above_bytes: u64,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            inputs_max: 1024,
            queue_max: 65_536,
            unsynced_records_max: 65_536,
            patience: Duration::from_millis(1),
            compact_above_bytes: 128 << 20,
        }
    }
}

/// The actors of one process, ready to run.
pub struct Host<A: Actor, T> {
    actors: Vec<Seated<A>>,
    ports: Vec<Port<A::Message>>,
    /// Who sits where in this process, sorted by seat.
    places: Vec<(NodeId, Place)>,
    transport: T,
    disk: Disk<A::Record>,
    timers: Timers<A::Timer>,
    /// Draws the delays of timers.
    rng: Xoshiro256PlusPlus,
    options: HostOptions,
    handle: HostHandle<A::Message>,
    inputs: mpsc::Receiver<Envelope<A::Message>>,
    stopped: mpsc::Receiver<()>,

    /// Messages between actors of this process, in the order in which they were sent.
    loopback: VecDeque<Envelope<A::Message>>,
    /// Inputs of the turn. Reused.
    incoming: Vec<Envelope<A::Message>>,
    /// Effects of the step. Reused.
    fx: EffectsOf<A>,
    /// Records of the turn, and of those before it that may wait.
    records: Vec<Tagged<A::Record>>,
    /// When `records` are handed over at the latest, if all of them may wait.
    kept_until: Option<Instant>,
    /// Whether one of `records` may not wait.
    is_urgent: bool,
    /// Number of the batch that `records` will be.
    batch: u64,
    /// Inclusive: all batches up to it are durable. Monotone.
    durable_batch: u64,
    /// Records handed to the disk thread that are not durable yet.
    unsynced_records: usize,
    compaction: Compaction,

    counts: Counts,
    stats: Arc<HostStats>,
}

/// One actor, and the sends that wait for its records.
struct Seated<A: Actor> {
    node: NodeId,
    actor: A,
    /// Whether it took an input since its last turn end.
    has_run: bool,
    /// The newest batch that holds a record of it; zero if there is none.
    batch: u64,
    /// Each with the batch that it waits for. Batches never decrease.
    held: VecDeque<(u64, NodeId, A::Message)>,
}

/// What a local node is; the number is its index.
#[derive(Clone, Copy, Debug)]
enum Place {
    Actor(usize),
    Port(usize),
}

/// Where compaction stands.
#[derive(Clone, Copy, Debug)]
enum Compaction {
    /// The log may grow to so many bytes.
    Above(u64),
    /// The next turn hands over the checkpoints.
    Wanted,
    /// The disk thread has them; what is before them goes when every actor is compact.
    Begun,
    /// It is going.
    Forgetting,
}

/// Why the loop woke up.
enum Wake {
    /// There is something to do.
    Work,
    /// The program asked the host to end.
    Stop,
}

impl<A, T> Host<A, T>
where
    A: Actor,
    A::Record: Send + 'static,
    T: Transport<A::Message>,
{
    /// Loads `storage`, restores `actors` from it, and starts the disk thread. Blocks while it loads.
    ///
    /// *Errors*: the storage does not load; it has records of a seat that no actor here has (they
    /// would be forgotten), or lacks some; two actors have the same seat.
    pub fn new<S: Storage<A::Record> + Send + 'static>(
        actors: Vec<(NodeId, A)>,
        transport: T,
        mut storage: S,
        options: HostOptions,
    ) -> io::Result<Self> {
        let (handle, (inputs, stopped)) = HostHandle::new(options.queue_max);
        let records = storage.load()?;
        let log_bytes = storage.size_bytes();
        let mut host = Self {
            actors: Vec::with_capacity(actors.len()),
            ports: Vec::new(),
            places: Vec::new(),
            transport,
            disk: Disk::start(storage)?,
            timers: Timers::new(),
            rng: Xoshiro256PlusPlus::seed_from_u64(random_u64()?),
            handle,
            inputs,
            stopped,
            loopback: VecDeque::new(),
            incoming: Vec::new(),
            fx: EffectsOf::<A>::new(),
            records: Vec::new(),
            kept_until: None,
            is_urgent: false,
            batch: 1,
            durable_batch: 0,
            unsynced_records: 0,
            compaction: Compaction::Above(log_bytes.saturating_add(options.compact_above_bytes)),
            options,
            counts: Counts { log_bytes, ..Counts::default() },
            stats: Arc::new(HostStats::default()),
        };
        for (node, actor) in actors {
            host.take_seat(node, Place::Actor(host.actors.len()))?;
            let held = VecDeque::new();
            host.actors.push(Seated { node, actor, has_run: false, batch: 0, held });
        }
        for Tagged { seat, record } in records {
            match host.place(seat) {
                Some((_, Place::Actor(index))) => host.actors[index].actor.restore(record),
                _ => return Err(orphan(seat)),
            }
        }
        for seated in &host.actors {
            seated.actor.check_restored().map_err(|error| incomplete(seated.node, &error))?;
        }
        Ok(host)
    }

    /// Hands the messages that actors of this process send to `node` to `port`, once the records
    /// of their senders are durable.
    ///
    /// *Errors*: the seat is taken.
    pub fn add_port(&mut self, node: NodeId, port: Port<A::Message>) -> io::Result<()> {
        self.take_seat(node, Place::Port(self.ports.len()))?;
        self.ports.push(port);
        Ok(())
    }

    /// A handle to send to the actors and to stop the host.
    pub fn handle(&self) -> HostHandle<A::Message> {
        self.handle.clone()
    }

    /// The counters of this host.
    pub fn stats(&self) -> Arc<HostStats> {
        Arc::clone(&self.stats)
    }

    /// Runs until [`HostHandle::stop`]. The storage is closed on return.
    ///
    /// *Errors*: the storage failed, or the transport closed. The program must end: what its
    /// actors remember may no longer be what is on disk.
    pub async fn run(mut self) -> io::Result<()> {
        let outcome = self.run_until_stopped().await;
        if outcome.is_ok() {
            self.hand_over_records();
        }
        self.disk.close();
        // A failed disk thread ends by itself; its error was returned, so nothing is released.
        while let Some(done) = self.disk.done().await {
            if outcome.is_ok() {
                self.on_durable(done?);
            }
        }
        if outcome.is_ok() {
            self.transport.flush();
        }
        self.counts.publish(&self.stats);
        outcome
    }

    async fn run_until_stopped(&mut self) -> io::Result<()> {
        let mut alarm = Box::pin(tokio::time::sleep(Duration::ZERO));
        self.start();
        loop {
            match poll_fn(|context| self.poll_inputs(context, alarm.as_mut())).await? {
                Wake::Work => self.turn(Instant::now()),
                Wake::Stop => return Ok(()),
            }
            if !self.loopback.is_empty() {
                // The turn reached its limit: let other tasks of the program run in between.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Collects what is ready; pending if nothing is.
    fn poll_inputs(
        &mut self,
        context: &mut Context<'_>,
        mut alarm: Pin<&mut Sleep>,
    ) -> Poll<io::Result<Wake>> {
        if self.stopped.poll_recv(context).is_ready() {
            return Poll::Ready(Ok(Wake::Stop));
        }
        let mut is_ready = false;
        while let Poll::Ready(done) = self.disk.poll_done(context) {
            let Some(done) = done else {
                return Poll::Ready(Err(io::Error::other("the disk thread died")));
            };
            self.on_durable(done?);
            is_ready = true;
        }
        if self.unsynced_records > self.options.unsynced_records_max {
            // What was released must leave, though no input is taken.
            if is_ready {
                self.transport.flush();
            }
            return Poll::Pending;
        }
        let limit = self.options.inputs_max.max(1);
        match self.transport.poll_receive(context, &mut self.incoming, limit) {
            Poll::Ready(0) => {
                let error = io::Error::new(io::ErrorKind::NotConnected, "the transport closed");
                return Poll::Ready(Err(error));
            }
            Poll::Ready(_) => is_ready = true,
            Poll::Pending => {}
        }
        // The host has a handle itself, so the queue of inputs is never closed.
        is_ready |= self.inputs.poll_recv_many(context, &mut self.incoming, limit).is_ready();
        is_ready |= !self.loopback.is_empty();
        while !is_ready && let Some(deadline) = self.next_deadline() {
            // An alarm that rings too early is set again; that is rarer than a timer that moves.
            if alarm.deadline() > deadline || alarm.is_elapsed() {
                alarm.as_mut().reset(deadline);
            }
            if alarm.as_mut().poll(context).is_pending() {
                break;
            }
            is_ready = deadline <= Instant::now();
        }
        if is_ready { Poll::Ready(Ok(Wake::Work)) } else { Poll::Pending }
    }

    /// When there is something to do though nothing comes.
    fn next_deadline(&self) -> Option<Instant> {
        self.timers.next_deadline().into_iter().chain(self.kept_until).min()
    }

    /// Releases the sends that waited for `done`, in order.
    fn on_durable(&mut self, done: Done<A::Record>) {
        assert!(done.batch > self.durable_batch, "batches become durable in order");
        assert!(done.batch < self.batch, "only what was handed over becomes durable");
        self.durable_batch = done.batch;
        self.unsynced_records = self.unsynced_records.saturating_sub(done.appended_count);
        if self.records.is_empty() && self.records.capacity() == 0 {
            self.records = done.spare;
        }
        self.counts.log_bytes = done.size_bytes;
        if done.has_forgotten {
            self.counts.compactions += 1;
            let growth = self.options.compact_above_bytes.max(done.size_bytes / 2);
            self.compaction = Compaction::Above(done.size_bytes.saturating_add(growth));
            tracing::info!(bytes = done.size_bytes, "compacted the log");
        } else if let Compaction::Above(limit) = self.compaction
            && done.size_bytes > limit
        {
            self.compaction = Compaction::Wanted;
        }
        for index in 0..self.actors.len() {
            let from = self.actors[index].node;
            while let Some((to, message)) = self.actors[index].release(self.durable_batch) {
                self.route(Envelope { from, to, message });
            }
        }
    }

    fn take_seat(&mut self, node: NodeId, place: Place) -> io::Result<()> {
        match self.places.binary_search_by_key(&node.seat, |(taken, _)| taken.seat) {
            Ok(_) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("seat {} is given to two nodes: give each its own", node.seat.0),
            )),
            Err(at) => {
                self.places.insert(at, (node, place));
                Ok(())
            }
        }
    }

    fn place(&self, seat: Seat) -> Option<(NodeId, Place)> {
        let at = self.places.binary_search_by_key(&seat, |(node, _)| node.seat).ok()?;
        Some(self.places[at])
    }
}

impl<A: Actor> Seated<A> {
    /// Takes the next send that waits for nothing after `durable_batch`.
    fn release(&mut self, durable_batch: u64) -> Option<(NodeId, A::Message)> {
        let (batch, _, _) = self.held.front()?;
        if *batch > durable_batch {
            return None;
        }
        self.held.pop_front().map(|(_, to, message)| (to, message))
    }
}

fn incomplete(node: NodeId, error: &RestoreError) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "records of the actor {node} are missing from the log: {error}; leave the process stopped \
             unless the undamaged files can be put back"
        ),
    )
}

fn orphan(seat: Seat) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "the log holds records of seat {}, and no actor of this process has it: start the \
             process with all roles that it had, so that none of its promises is forgotten",
            seat.0
        ),
    )
}
