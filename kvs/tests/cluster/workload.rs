//! Concurrent clients that record what they saw, for the linearizability checker.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use simulator::checker::specifications::{StringKey, StringKeyInput, StringKeyReply};
use simulator::checker::{Call, ClientId, Clock, History, Recording, Verdict, check};

use crate::client::{Client, Reply};
use crate::harness::{Cluster, eventually};

/// Clients at each server.
const CLIENTS: u64 = 3;
/// Keys that they share.
const KEYS: u64 = 4;
/// Operations of one client at most, so that no history becomes too long to check.
const OPERATIONS_MAX: usize = 4000;

pub(crate) type KeyHistory = History<String, StringKeyInput, StringKeyReply>;
type KeyRecording = Recording<String, StringKeyInput, StringKeyReply>;

/// What the clients of a workload share.
#[derive(Default)]
pub(crate) struct Workload {
    clock: Clock,
    completed: AtomicU64,
    is_stopped: AtomicBool,
}

/// Clients at work.
pub(crate) struct Running<'scope> {
    workload: &'scope Workload,
    clients: Vec<ScopedJoinHandle<'scope, KeyRecording>>,
}

impl Workload {
    /// Starts clients at every server of `cluster`.
    pub(crate) fn start<'scope>(
        &'scope self,
        cluster: &'scope Cluster,
        scope: &'scope Scope<'scope, '_>,
    ) -> Running<'scope> {
        let servers = cluster.servers();
        let clients = (0..CLIENTS * servers.len() as u64).map(|number| {
            let server = servers[number as usize % servers.len()].clone();
            scope.spawn(move || self.run(cluster, &server, number))
        });
        Running { workload: self, clients: clients.collect() }
    }

    /// Runs random operations at `server`, or at another one if that is not there, until told to stop.
    fn run(&self, cluster: &Cluster, server: &str, number: u64) -> KeyRecording {
        let mut recording = Recording::new(ClientId(number));
        let mut random = Random(number + 1);
        let mut operation_count = 0;
        let (mut server, mut turn) = (server.to_owned(), number as usize);
        while !self.is_stopped.load(Ordering::Relaxed) && operation_count < OPERATIONS_MAX {
            let Ok(mut client) = Client::connect(cluster.address(&server)) else {
                // It may be down for a while, or gone for good.
                let servers = cluster.servers();
                turn += 1;
                server.clone_from(&servers[turn % servers.len()]);
                std::thread::yield_now();
                continue;
            };
            while !self.is_stopped.load(Ordering::Relaxed) && operation_count < OPERATIONS_MAX {
                operation_count += 1;
                if self.step(&mut client, &mut recording, &mut random).is_err() {
                    break;
                }
                self.completed.fetch_add(1, Ordering::Relaxed);
            }
        }
        recording
    }

    /// One random operation. An error ends the connection and leaves its outcome unknown.
    fn step(
        &self,
        client: &mut Client,
        recording: &mut KeyRecording,
        random: &mut Random,
    ) -> std::io::Result<()> {
        let key = format!("key-{}", random.below(KEYS));
        let value = random.below(1_000_000).to_string();
        match random.below(6) {
            0 | 1 => self.record(client, recording, &key, StringKeyInput::Get, &["GET", &key]),
            2 => {
                let input = StringKeyInput::Set(value.clone());
                self.record(client, recording, &key, input, &["SET", &key, &value])
            }
            3 | 4 => self.record(client, recording, &key, StringKeyInput::Incr, &["INCR", &key]),
            _ => self.swap(client, recording, &key, value),
        }
    }

    fn record(
        &self,
        client: &mut Client,
        recording: &mut KeyRecording,
        key: &str,
        input: StringKeyInput,
        command: &[&str],
    ) -> std::io::Result<()> {
        let call = recording.invoke(key.to_owned(), input, self.clock.now());
        let reply = client.command(command)?;
        self.settle(recording, call, reply)
    }

    /// Sets the key to `new` if it did not change since it was read: WATCH, GET, MULTI, SET, EXEC.
    fn swap(
        &self,
        client: &mut Client,
        recording: &mut KeyRecording,
        key: &str,
        new: String,
    ) -> std::io::Result<()> {
        if let Reply::Error(text) = client.command(&["WATCH", key])? {
            return refused(&text);
        }
        let call = recording.invoke(key.to_owned(), StringKeyInput::Get, self.clock.now());
        let reply = client.command(&["GET", key])?;
        self.settle(recording, call, reply.clone())?;
        let expected = match reply {
            Reply::Bulk(expected) => expected,
            _ => {
                client.command(&["UNWATCH"])?;
                return Ok(());
            }
        };
        client.command(&["MULTI"])?;
        client.command(&["SET", key, &new])?;
        let input = StringKeyInput::Cas { expected, new };
        let call = recording.invoke(key.to_owned(), input, self.clock.now());
        match client.command(&["EXEC"])? {
            // Another version was there: nothing was done, which says nothing about the value.
            Reply::Array(None) => recording.failed(call).map_err(std::io::Error::other),
            Reply::Array(Some(_)) => recording
                .returned(call, StringKeyReply::Swapped(true), self.clock.now())
                .map_err(std::io::Error::other),
            other => self.settle(recording, call, other),
        }
    }

    fn settle(
        &self,
        recording: &mut KeyRecording,
        call: Call,
        reply: Reply,
    ) -> std::io::Result<()> {
        let reply = match reply {
            Reply::Simple(_) => StringKeyReply::Ok,
            Reply::Bulk(value) => StringKeyReply::Value(value),
            Reply::Integer(value) => StringKeyReply::Integer(value),
            Reply::Error(text) if text.starts_with("AMBIGUOUS") => return Ok(()),
            Reply::Error(text) => {
                refused(&text)?;
                return recording.failed(call).map_err(std::io::Error::other);
            }
            Reply::Array(_) => panic!("{reply:?} to a single command"),
        };
        recording.returned(call, reply, self.clock.now()).map_err(std::io::Error::other)
    }
}

/// A refusal must say that the command had no effect.
fn refused(text: &str) -> std::io::Result<()> {
    let is_named = text.starts_with("CLUSTERDOWN")
        || text.starts_with("OVERLOADED")
        || text.starts_with("AMBIGUOUS");
    assert!(is_named, "{text}");
    Ok(())
}

impl Running<'_> {
    /// Waits until `count` more operations have completed.
    pub(crate) fn wait_for(&self, count: u64) {
        let target = self.workload.completed.load(Ordering::Relaxed) + count;
        eventually("operations complete", || {
            let is_over = self.clients.iter().all(ScopedJoinHandle::is_finished);
            (is_over || self.workload.completed.load(Ordering::Relaxed) >= target).then_some(())
        });
    }

    /// Ends the clients and returns what they saw.
    pub(crate) fn finish(self) -> KeyHistory {
        self.workload.is_stopped.store(true, Ordering::Relaxed);
        let mut history = History::new();
        for client in self.clients {
            history.add(client.join().expect("no impossible reply"));
        }
        history
    }
}

/// Reads every key at every server, as operations of the history.
pub(crate) fn read_all(cluster: &Cluster, workload: &Workload, history: &mut KeyHistory) {
    for (number, server) in cluster.servers().into_iter().enumerate() {
        let mut recording = Recording::new(ClientId(1000 + number as u64));
        let mut client = cluster.client(&server);
        for key in 0..KEYS {
            let key = format!("key-{key}");
            let command = ["GET", key.as_str()];
            let read =
                workload.record(&mut client, &mut recording, &key, StringKeyInput::Get, &command);
            read.expect("all faults are over");
        }
        history.add(recording);
    }
}

/// Fails unless one copy of the data could have given all replies.
pub(crate) fn assert_linearizable(history: &KeyHistory) {
    let verdict = check(&StringKey, history);
    let count = history.operations().len();
    assert!(matches!(verdict, Verdict::Linearizable), "{count} operations: {verdict}");
}

/// A small generator; each client has its own.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % bound
    }
}
