//! A host with two actors that do what they are told, over a disk that does so, too.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use paxos::actor::{Actor, EffectsOf, Incarnation, NodeId, RestoreError, Seat};
use paxos::runtime::{ChannelTransport, Host, HostHandle, HostOptions, HostStats, Network};
use paxos::storage::{Storage, Tagged};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;

pub(crate) const AT_ONCE: Range<Duration> = Duration::ZERO..Duration::from_micros(1);
pub(crate) const NEVER: Range<Duration> = Duration::from_secs(3600)..Duration::from_secs(3601);

pub(crate) fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(0xa))
}

pub(crate) const CLIENT: u32 = 100;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Word {
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
pub(crate) struct Toy {
    written: Vec<u64>,
    collected: Vec<u64>,
    /// A record that must be written before what is before a checkpoint may go.
    wanted: Option<u64>,
}

/// The largest number that has a checkpoint of its own need: compaction waits for the double of it.
pub(crate) const NEEDS_MORE: u64 = 50;

impl Actor for Toy {
    type Message = Word;
    type Timer = &'static str;
    type Record = u64;

    fn restore(&mut self, record: u64) {
        self.written.push(record);
    }

    fn may_wait(record: &u64) -> bool {
        *record == PATIENT
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

/// A record that nobody waits for.
pub(crate) const PATIENT: u64 = 40;

/// A record that no actor may be left with.
pub(crate) const BROKEN: u64 = 666;

#[derive(Debug, PartialEq)]
pub(crate) enum DiskEvent {
    Asked,
    Appended(Vec<u64>),
    Checkpoint(Vec<u64>),
    Forgotten(Vec<u64>),
}

#[derive(Default)]
pub(crate) struct Script {
    is_held: bool,
    is_broken: bool,
}

/// A storage that does what the test says, when the test says it.
pub(crate) struct FakeDisk {
    pub(crate) records: Vec<Tagged<u64>>,
    /// Records before the last checkpoint.
    pub(crate) checkpoint: usize,
    pub(crate) script: Arc<(Mutex<Script>, Condvar)>,
    pub(crate) events: UnboundedSender<DiskEvent>,
}

impl FakeDisk {
    pub(crate) fn wait(&self) -> io::Result<()> {
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

pub(crate) fn numbers(records: &[Tagged<u64>]) -> Vec<u64> {
    records.iter().map(|tagged| tagged.record).collect()
}

/// A running host with actors at seats 1 and 2 and a client port.
pub(crate) struct World {
    pub(crate) handle: HostHandle<Word>,
    pub(crate) stats: Arc<HostStats>,
    pub(crate) said: UnboundedReceiver<(u32, Vec<u64>)>,
    pub(crate) disk: UnboundedReceiver<DiskEvent>,
    pub(crate) script: Arc<(Mutex<Script>, Condvar)>,
    pub(crate) run: JoinHandle<io::Result<()>>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(vec![], &Network::new(), HostOptions::default()).await
    }

    pub(crate) async fn start_with(
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

    pub(crate) fn send(&self, seat: u32, word: Word) {
        self.handle.try_send(node(CLIENT), node(seat), word).unwrap();
    }

    pub(crate) async fn said(&mut self) -> (u32, Vec<u64>) {
        self.said.recv().await.expect("the host says something")
    }

    pub(crate) async fn disk(&mut self) -> DiskEvent {
        self.disk.recv().await.expect("the disk does something")
    }

    pub(crate) fn set(&self, is_held: bool, is_broken: bool) {
        *self.script.0.lock().unwrap() = Script { is_held, is_broken };
        self.script.1.notify_all();
    }

    /// Waits until everything sent before was taken.
    pub(crate) async fn settle(&mut self, number: u64) {
        self.send(2, Word::Echo(number));
        assert_eq!(self.said().await, (2, vec![number]));
    }

    /// What the disk does next, other than being asked.
    pub(crate) async fn done(&mut self) -> DiskEvent {
        loop {
            match self.disk().await {
                DiskEvent::Asked => {}
                event => return event,
            }
        }
    }

    pub(crate) async fn write(&mut self, number: u64) {
        self.send(1, Word::Write(number));
        assert_eq!(self.said().await, (1, vec![number]));
        assert_eq!(self.done().await, DiskEvent::Appended(vec![number]));
    }

    pub(crate) async fn stop(self) -> io::Result<()> {
        self.handle.stop();
        self.run.await.unwrap()
    }
}
