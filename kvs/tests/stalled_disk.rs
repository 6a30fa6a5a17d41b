//! A leader whose disk has stalled, with real hosts and their disk threads: it hands the leadership on,
//! and commands go on at the others.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use kvs::deployment::{ClusterFile, Members};
use kvs::log_entry::encode_tick;
use kvs::store::Store;
use matchmaker::message::{Message, ToApplication};
use matchmaker::node::{Node, NodeRecord};
use paxos::actor::{Incarnation, NodeId};
use paxos::message::{Invoke, Operation, ToSession};
use paxos::runtime::{Host, HostHandle, HostOptions, Network, Roster};
use paxos::slot::Slot;
use paxos::storage::{Storage, Tagged};
use paxos::wire::Payload;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const NAMES: [&str; 3] = ["n1", "n2", "n3"];

/// Stops the disk of the process whose name is in it.
#[derive(Default)]
struct Stalls {
    stalled: Mutex<Option<&'static str>>,
    changed: Condvar,
}

impl Stalls {
    fn stalled(&self) -> MutexGuard<'_, Option<&'static str>> {
        self.stalled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, name: Option<&'static str>) {
        *self.stalled() = name;
        self.changed.notify_all();
    }

    fn pass(&self, name: &str) {
        let mut stalled = self.stalled();
        while *stalled == Some(name) {
            stalled = self.changed.wait(stalled).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A disk that keeps nothing, and is as slow as it is told.
struct Disk {
    name: &'static str,
    stalls: Arc<Stalls>,
}

impl Storage<NodeRecord> for Disk {
    fn load(&mut self) -> io::Result<Vec<Tagged<NodeRecord>>> {
        Ok(Vec::new())
    }

    fn append(&mut self, _records: &[Tagged<NodeRecord>]) -> io::Result<()> {
        self.stalls.pass(self.name);
        Ok(())
    }

    fn checkpoint(&mut self, records: &[Tagged<NodeRecord>]) -> io::Result<()> {
        self.append(records)
    }

    fn forget_before_checkpoint(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        0
    }
}

/// What the application of a process hears.
type Heard = (&'static str, ToApplication);

struct Processes {
    members: Members,
    handles: BTreeMap<&'static str, HostHandle<Message>>,
    heard: UnboundedReceiver<Heard>,
    token: u64,
}

fn start(stalls: &Arc<Stalls>) -> Processes {
    let mut file = ClusterFile::on_loopback("stalled", 3, 3, 6380).expect("three nodes");
    file.healing.suspect_after_ms = 400;
    let roster = NAMES.into_iter().zip(1..).map(|(name, one)| (name.into(), Incarnation(one)));
    let members = file.members(&Roster(roster.collect()));
    let deployment = file.deployment(&members, Slot::ZERO).expect("possible");
    let (network, (tell, heard)) = (Network::new(), unbounded_channel());
    let mut handles = BTreeMap::new();
    for name in NAMES {
        let member = members.member(name).expect("a member");
        let (founders, settings) = (members.founders(), file.settings());
        let actors: Vec<(NodeId, Node<Store>)> = members
            .start(name, &deployment, Some(&founders), &settings, Store::default)
            .expect("a member");
        let application = member.application().node;
        let nodes = actors.iter().map(|(node, _)| *node).chain([application]);
        let endpoint = network.endpoint(nodes.collect::<Vec<_>>());
        let disk = Disk { name, stalls: Arc::clone(stalls) };
        let mut host = Host::new(actors, endpoint, disk, HostOptions::default()).expect("starts");
        let tell: UnboundedSender<Heard> = tell.clone();
        let port = move |_, message| {
            if let Message::Application(message) = message {
                // The test may be over.
                let _ = tell.send((name, message));
            }
        };
        host.add_port(application, Box::new(port)).expect("a seat of its own");
        handles.insert(name, host.handle());
        tokio::spawn(host.run());
    }
    Processes { members, handles, heard, token: 0 }
}

impl Processes {
    /// Has a command executed at a process, without waiting for it. Returns its token.
    fn invoke(&mut self, name: &str) -> u64 {
        let application = self.members.member(name).expect("a member").application();
        self.token += 1;
        let operation = Operation::Propose(Payload(encode_tick(self.token)));
        let message = Message::Session(ToSession::Invoke(Invoke { token: self.token, operation }));
        let sent = self.handles[name].try_send(application.node, application.session, message);
        sent.expect("the host runs and has room");
        self.token
    }

    /// Waits until another process than `not` leads, as `at` hears it, and says which.
    async fn leader(&mut self, at: &str, not: Option<&str>) -> &'static str {
        loop {
            let (name, message) = self.heard.recv().await.expect("hosts run");
            let ToApplication::Heartbeat(m) = message else { continue };
            let owner = NAMES[m.round.owner.incarnation.0 as usize - 1];
            if name == at && Some(owner) != not {
                return owner;
            }
        }
    }

    /// Waits until the call of that token has returned.
    async fn returned(&mut self, token: u64) {
        loop {
            let (_, message) = self.heard.recv().await.expect("hosts run");
            if matches!(message, ToApplication::Return(m) if m.token == token) {
                return;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_disk_has_stalled_hands_on_and_commands_go_on() {
    let stalls = Arc::new(Stalls::default());
    let mut processes = start(&stalls);
    let leader = processes.leader("n1", None).await;
    let other = NAMES.into_iter().find(|name| *name != leader).expect("three");
    let token = processes.invoke(other);
    processes.returned(token).await;
    stalls.set(Some(leader));
    // What is written now never becomes durable there, and what the actors say after it never leaves.
    let token = processes.invoke(other);
    processes.returned(token).await;
    processes.leader(other, Some(leader)).await;
    let token = processes.invoke(other);
    processes.returned(token).await;
    stalls.set(None);
}
