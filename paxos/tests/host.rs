//! The host keeps the driver contract: what waits for the disk, what does not, and what an error ends.
#![cfg(feature = "runtime")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use paxos::actor::{Actor, EffectsOf, Incarnation, NodeId, RestoreError, Seat};
use paxos::runtime::{
    ChannelTransport, Host, HostHandle, HostOptions, HostStats, Network, SendError,
};
use paxos::storage::{Storage, Tagged};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;

const AT_ONCE: Range<Duration> = Duration::ZERO..Duration::from_micros(1);
const NEVER: Range<Duration> = Duration::from_secs(3600)..Duration::from_secs(3601);

fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(0xa))
}

const CLIENT: u32 = 100;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Word {
    /// Answer at once, writing nothing.
    Echo(u64),
    /// Write the number, then answer.
    Write(u64),
    /// Pass `Echo` on to another actor.
    Relay(NodeId, u64),
    /// Say everything written so far.
    Tell,
    /// Arm two timers and cancel one.
    Arm,
    /// Keep the number until the end of the turn.
    Collect(u64),
    /// Report an impossible message.
    Lie,
    /// The answer.
    Said(Vec<u64>),
}

/// Writes what it is told and answers the client.
#[derive(Default)]
struct Toy {
    written: Vec<u64>,
    collected: Vec<u64>,
    /// A record that must be written before what is before a checkpoint may go.
    wanted: Option<u64>,
}

/// The largest number that has a checkpoint of its own need: compaction waits for the double of it.
const NEEDS_MORE: u64 = 50;

impl Actor for Toy {
    type Message = Word;
    type Timer = &'static str;
    type Record = u64;

    fn restore(&mut self, record: u64) {
        self.written.push(record);
    }

    fn on_start(&mut self, fx: &mut EffectsOf<Self>) {
        fx.send(node(CLIENT), Word::Said(vec![]));
    }

    fn on_message(&mut self, _from: NodeId, message: Word, fx: &mut EffectsOf<Self>) {
        match message {
            Word::Echo(number) => fx.send(node(CLIENT), Word::Said(vec![number])),
            Word::Write(number) => {
                self.written.push(number);
                self.wanted.take_if(|wanted| *wanted == number);
                fx.record(number);
                fx.send(node(CLIENT), Word::Said(vec![number]));
            }
            Word::Relay(to, number) => fx.send(to, Word::Echo(number)),
            Word::Tell => fx.send(node(CLIENT), Word::Said(self.written.clone())),
            Word::Arm => {
                fx.set_timer("late", NEVER);
                fx.set_timer("never", AT_ONCE);
                fx.cancel_timer("never");
                fx.set_timer("late", AT_ONCE);
            }
            Word::Collect(number) => self.collected.push(number),
            Word::Lie => fx.violation("toy", "impossible"),
            Word::Said(_) => {}
        }
    }

    fn on_timer(&mut self, timer: &'static str, fx: &mut EffectsOf<Self>) {
        assert_eq!(timer, "late");
        fx.send(node(CLIENT), Word::Said(vec![777]));
    }

    fn on_turn_end(&mut self, fx: &mut EffectsOf<Self>) {
        if !self.collected.is_empty() {
            fx.send(node(CLIENT), Word::Said(std::mem::take(&mut self.collected)));
        }
    }

    fn on_compaction(&mut self, fx: &mut EffectsOf<Self>) {
        let largest = self.written.iter().max().copied().unwrap_or(0);
        if largest >= NEEDS_MORE {
            self.wanted = Some(largest * 2);
            fx.send(node(CLIENT), Word::Said(vec![1000]));
        }
    }

    fn is_compact(&self) -> bool {
        self.wanted.is_none()
    }

    fn check_restored(&self) -> Result<(), RestoreError> {
        let is_broken = self.written.contains(&BROKEN);
        if is_broken { Err(RestoreError("the other half is missing".into())) } else { Ok(()) }
    }

    fn checkpoint(&self) -> Vec<u64> {
        self.written.clone()
    }
}

/// A record that no actor may be left with.
const BROKEN: u64 = 666;

#[derive(Debug, PartialEq)]
enum DiskEvent {
    Asked,
    Appended(Vec<u64>),
    Checkpoint(Vec<u64>),
    Forgotten(Vec<u64>),
}

#[derive(Default)]
struct Script {
    is_held: bool,
    is_broken: bool,
}

/// A storage that does what the test says, when the test says it.
struct FakeDisk {
    records: Vec<Tagged<u64>>,
    /// Records before the last checkpoint.
    checkpoint: usize,
    script: Arc<(Mutex<Script>, Condvar)>,
    events: UnboundedSender<DiskEvent>,
}

impl FakeDisk {
    fn wait(&self) -> io::Result<()> {
        let _ = self.events.send(DiskEvent::Asked);
        let (script, changed) = &*self.script;
        let script = changed.wait_while(script.lock().unwrap(), |script| script.is_held).unwrap();
        if script.is_broken { Err(io::Error::other("disk/7: it broke")) } else { Ok(()) }
    }
}

impl Storage<u64> for FakeDisk {
    fn load(&mut self) -> io::Result<Vec<Tagged<u64>>> {
        Ok(self.records.clone())
    }

    fn append(&mut self, records: &[Tagged<u64>]) -> io::Result<()> {
        self.wait()?;
        self.records.extend_from_slice(records);
        let _ = self.events.send(DiskEvent::Appended(numbers(records)));
        Ok(())
    }

    fn checkpoint(&mut self, records: &[Tagged<u64>]) -> io::Result<()> {
        self.wait()?;
        self.checkpoint = self.records.len();
        self.records.extend_from_slice(records);
        let _ = self.events.send(DiskEvent::Checkpoint(numbers(records)));
        Ok(())
    }

    fn forget_before_checkpoint(&mut self) -> io::Result<()> {
        self.records.drain(..self.checkpoint);
        self.checkpoint = 0;
        let _ = self.events.send(DiskEvent::Forgotten(numbers(&self.records)));
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        self.records.len() as u64
    }
}

fn numbers(records: &[Tagged<u64>]) -> Vec<u64> {
    records.iter().map(|tagged| tagged.record).collect()
}

/// A running host with actors at seats 1 and 2 and a client port.
struct World {
    handle: HostHandle<Word>,
    stats: Arc<HostStats>,
    said: UnboundedReceiver<(u32, Vec<u64>)>,
    disk: UnboundedReceiver<DiskEvent>,
    script: Arc<(Mutex<Script>, Condvar)>,
    run: JoinHandle<io::Result<()>>,
}

impl World {
    async fn start() -> Self {
        Self::start_with(vec![], &Network::new(), HostOptions::default()).await
    }

    async fn start_with(
        records: Vec<Tagged<u64>>,
        network: &Network<Word>,
        options: HostOptions,
    ) -> Self {
        let (events, disk) = mpsc::unbounded_channel();
        let script = Arc::<(Mutex<Script>, Condvar)>::default();
        let storage = FakeDisk { records, checkpoint: 0, script: Arc::clone(&script), events };
        let transport: ChannelTransport<Word> = network.endpoint([node(1), node(2), node(CLIENT)]);
        let actors = vec![(node(1), Toy::default()), (node(2), Toy::default())];
        let mut host = Host::new(actors, transport, storage, options).unwrap();
        let (sayer, said) = mpsc::unbounded_channel();
        let port = move |from: NodeId, message| {
            if let Word::Said(numbers) = message {
                let _ = sayer.send((from.seat.0, numbers));
            }
        };
        host.add_port(node(CLIENT), Box::new(port)).unwrap();
        let (handle, stats) = (host.handle(), host.stats());
        let mut world = Self { handle, stats, said, disk, script, run: tokio::spawn(host.run()) };
        assert_eq!(world.said().await, (1, vec![]));
        assert_eq!(world.said().await, (2, vec![]));
        world
    }

    fn send(&self, seat: u32, word: Word) {
        self.handle.try_send(node(CLIENT), node(seat), word).unwrap();
    }

    async fn said(&mut self) -> (u32, Vec<u64>) {
        self.said.recv().await.expect("the host says something")
    }

    async fn disk(&mut self) -> DiskEvent {
        self.disk.recv().await.expect("the disk does something")
    }

    fn set(&self, is_held: bool, is_broken: bool) {
        *self.script.0.lock().unwrap() = Script { is_held, is_broken };
        self.script.1.notify_all();
    }

    /// Waits until everything sent before was taken.
    async fn settle(&mut self, number: u64) {
        self.send(2, Word::Echo(number));
        assert_eq!(self.said().await, (2, vec![number]));
    }

    async fn stop(self) -> io::Result<()> {
        self.handle.stop();
        self.run.await.unwrap()
    }
}

#[tokio::test]
async fn sends_wait_for_the_records_of_their_actor_only() {
    let mut world = World::start().await;
    world.set(true, false);
    world.send(1, Word::Echo(9));
    world.send(1, Word::Write(10));
    world.send(1, Word::Echo(11));
    world.send(2, Word::Echo(12));
    assert_eq!(world.said().await, (1, vec![9]), "it was sent before the record was written");
    assert_eq!(world.said().await, (2, vec![12]));
    assert_eq!(world.disk().await, DiskEvent::Asked);
    assert!(
        world.said.try_recv().is_err(),
        "nothing of actor 1 leaves before its record is durable"
    );
    world.set(false, false);
    assert_eq!(world.disk().await, DiskEvent::Appended(vec![10]));
    assert_eq!(world.said().await, (1, vec![10]));
    assert_eq!(world.said().await, (1, vec![11]));
    world.stop().await.unwrap();
}

#[tokio::test]
async fn batches_that_wait_for_the_disk_become_one_append() {
    let mut world = World::start().await;
    world.set(true, false);
    world.send(1, Word::Write(1));
    assert_eq!(world.disk().await, DiskEvent::Asked);
    for number in 2..5 {
        world.send(1, Word::Write(number));
        world.settle(100 + number).await;
    }
    world.set(false, false);
    assert_eq!(world.disk().await, DiskEvent::Appended(vec![1]));
    assert_eq!(world.disk().await, DiskEvent::Asked);
    assert_eq!(world.disk().await, DiskEvent::Appended(vec![2, 3, 4]));
    for number in 1..5 {
        assert_eq!(world.said().await, (1, vec![number]));
    }
    world.stop().await.unwrap();
}

#[tokio::test]
async fn an_error_of_the_storage_ends_the_host_and_nothing_more_is_sent() {
    let mut world = World::start().await;
    world.set(false, true);
    world.send(1, Word::Write(1));
    let error = (&mut world.run).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("disk/7"), "{error}");
    assert_eq!(world.said.recv().await, None);
    assert_eq!(world.handle.try_send(node(CLIENT), node(1), Word::Tell), Err(SendError::Stopped));
}

#[tokio::test]
async fn a_restarted_host_restores_each_actor_from_its_own_records() {
    let records =
        [(1, 5), (2, 6), (1, 7)].map(|(seat, record)| Tagged { seat: Seat(seat), record }).to_vec();
    let mut world = World::start_with(records, &Network::new(), HostOptions::default()).await;
    world.send(1, Word::Tell);
    world.send(2, Word::Tell);
    assert_eq!(world.said().await, (1, vec![5, 7]));
    assert_eq!(world.said().await, (2, vec![6]));
    world.stop().await.unwrap();
}

#[tokio::test]
async fn records_of_an_unknown_seat_are_not_forgotten_silently() {
    let (events, _disk) = mpsc::unbounded_channel();
    let records = vec![Tagged { seat: Seat(3), record: 1 }];
    let storage = FakeDisk { records, checkpoint: 0, script: Arc::default(), events };
    let transport = Network::new().endpoint([node(1)]);
    let actors = vec![(node(1), Toy::default())];
    let error = Host::new(actors, transport, storage, HostOptions::default()).err().unwrap();
    assert!(error.to_string().contains("seat 3"), "{error}");
}

impl World {
    /// What the disk does next, other than being asked.
    async fn done(&mut self) -> DiskEvent {
        loop {
            match self.disk().await {
                DiskEvent::Asked => {}
                event => return event,
            }
        }
    }

    async fn write(&mut self, number: u64) {
        self.send(1, Word::Write(number));
        assert_eq!(self.said().await, (1, vec![number]));
        assert_eq!(self.done().await, DiskEvent::Appended(vec![number]));
    }
}

#[tokio::test]
async fn checkpoints_replace_what_is_before_them() {
    let options = HostOptions { compact_above_bytes: 2, ..HostOptions::default() };
    let mut world = World::start_with(vec![], &Network::new(), options).await;
    for number in 1..4 {
        world.write(number).await;
    }
    assert_eq!(world.done().await, DiskEvent::Checkpoint(vec![1, 2, 3]));
    assert_eq!(world.done().await, DiskEvent::Forgotten(vec![1, 2, 3]));
    // The next one comes when the log has grown by more than half, and by more than the limit.
    for number in 4..7 {
        world.write(number).await;
    }
    assert_eq!(world.done().await, DiskEvent::Checkpoint(vec![1, 2, 3, 4, 5, 6]));
    world.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_before_a_checkpoint_stays_until_every_actor_is_compact() {
    let options = HostOptions { compact_above_bytes: 1, ..HostOptions::default() };
    let mut world = World::start_with(vec![], &Network::new(), options).await;
    world.write(NEEDS_MORE).await;
    world.write(1).await;
    assert_eq!(world.said().await, (1, vec![1000]));
    assert_eq!(world.done().await, DiskEvent::Checkpoint(vec![NEEDS_MORE, 1]));
    world.write(2).await;
    world.settle(3).await;
    world.write(2 * NEEDS_MORE).await;
    let left = vec![NEEDS_MORE, 1, 2, 2 * NEEDS_MORE];
    assert_eq!(world.done().await, DiskEvent::Forgotten(left));
    world.stop().await.unwrap();
}

#[tokio::test]
async fn an_actor_that_misses_records_does_not_start() {
    let (events, _disk) = mpsc::unbounded_channel();
    let records = vec![Tagged { seat: Seat(1), record: BROKEN }];
    let storage = FakeDisk { records, checkpoint: 0, script: Arc::default(), events };
    let transport = Network::new().endpoint([node(1)]);
    let actors = vec![(node(1), Toy::default())];
    let error = Host::new(actors, transport, storage, HostOptions::default()).err().unwrap();
    assert!(error.to_string().contains("the other half is missing"), "{error}");
}

#[tokio::test]
async fn local_messages_timers_and_turn_ends_reach_their_actor() {
    let mut world = World::start().await;
    world.send(1, Word::Relay(node(2), 3));
    assert_eq!(world.said().await, (2, vec![3]));
    world.send(1, Word::Arm);
    assert_eq!(world.said().await, (1, vec![777]));
    world.send(1, Word::Collect(1));
    world.send(1, Word::Collect(2));
    assert_eq!(world.said().await, (1, vec![1, 2]), "one turn takes all that is ready");
    world.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_meant_for_a_lost_memory_is_dropped() {
    let mut world = World::start().await;
    let before = NodeId::new(Seat(1), Incarnation(0xb));
    world.handle.try_send(node(CLIENT), before, Word::Echo(1)).unwrap();
    world.send(2, Word::Relay(before, 2));
    world.send(1, Word::Lie);
    world.settle(3).await;
    let stats = Arc::clone(&world.stats);
    world.stop().await.unwrap();
    let read =
        |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(read(&stats.misdirected), 2);
    assert_eq!(read(&stats.violations), 1);
}

#[tokio::test]
async fn a_stopping_host_finishes_what_is_on_its_way_to_the_disk() {
    let mut world = World::start().await;
    world.set(true, false);
    world.send(1, Word::Write(1));
    assert_eq!(world.disk().await, DiskEvent::Asked);
    world.handle.stop();
    world.handle.stop();
    world.set(false, false);
    assert_eq!(world.said().await, (1, vec![1]));
    world.run.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_full_queue_of_inputs_is_told_to_the_sender() {
    let (events, _disk) = mpsc::unbounded_channel();
    let storage = FakeDisk { records: vec![], checkpoint: 0, script: Arc::default(), events };
    let options = HostOptions { queue_max: 1, ..HostOptions::default() };
    let transport = Network::new().endpoint([node(1)]);
    let host = Host::new(vec![(node(1), Toy::default())], transport, storage, options).unwrap();
    let handle = host.handle();
    assert_eq!(handle.try_send(node(CLIENT), node(1), Word::Tell), Ok(()));
    assert_eq!(handle.try_send(node(CLIENT), node(1), Word::Tell), Err(SendError::Full));
}

#[tokio::test]
async fn hosts_of_one_program_reach_each_other() {
    let network = Network::new();
    let mut world = World::start_with(vec![], &network, HostOptions::default()).await;
    let far = node(9);
    let (events, _disk) = mpsc::unbounded_channel();
    let storage = FakeDisk { records: vec![], checkpoint: 0, script: Arc::default(), events };
    let transport = network.endpoint([far]);
    let host =
        Host::new(vec![(far, Toy::default())], transport, storage, HostOptions::default()).unwrap();
    let far_handle = host.handle();
    let far_run = tokio::spawn(host.run());
    // The far actor greets the client as well when it starts.
    assert_eq!(world.said().await, (9, vec![]));
    world.send(1, Word::Relay(far, 42));
    assert_eq!(world.said().await, (9, vec![42]));
    far_handle.stop();
    far_run.await.unwrap().unwrap();
    world.stop().await.unwrap();
}
