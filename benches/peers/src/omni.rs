//! Three replicas of OmniPaxos with its storage in memory.

use bytes::Bytes;
use omnipaxos::messages::Message;
use omnipaxos::storage::{Entry, NoSnapshot};
use omnipaxos::util::LogEntry;
use omnipaxos::{ClusterConfig, OmniPaxos, ServerConfig};
use omnipaxos_storage::memory_storage::MemoryStorage;

#[derive(Clone, Debug)]
struct Command(Bytes);

impl Entry for Command {
    type Snapshot = NoSnapshot;
}

/// The replicas, and how far each has read.
pub(crate) struct Cluster {
    replicas: Vec<OmniPaxos<Command, MemoryStorage<Command>>>,
    read: Vec<usize>,
    leader: usize,
    mail: Vec<Message<Command>>,
}

impl Cluster {
    /// A cluster that has a leader.
    pub(crate) fn with_leader() -> Self {
        let nodes = vec![1, 2, 3];
        let start = |pid: &u64| {
            let cluster =
                ClusterConfig { configuration_id: 1, nodes: nodes.clone(), ..Default::default() };
            let server = ServerConfig { pid: *pid, ..Default::default() };
            cluster.build_for_server(server, MemoryStorage::default()).expect("a possible cluster")
        };
        let replicas = nodes.iter().map(start).collect();
        let mut cluster = Self { replicas, read: vec![0; 3], leader: 0, mail: Vec::new() };
        while !cluster.has_leader() {
            cluster.replicas.iter_mut().for_each(OmniPaxos::tick);
            cluster.turn();
        }
        cluster
    }

    fn has_leader(&mut self) -> bool {
        let leaders: Vec<_> = self.replicas.iter().map(OmniPaxos::get_current_leader).collect();
        match leaders[..] {
            [Some((first, true)), Some((second, true)), Some((third, true))] => {
                self.leader = first as usize - 1;
                first == second && second == third
            }
            _ => false,
        }
    }

    /// Has `count` commands decided and read at all replicas, with at most `window` of them in
    /// flight.
    pub(crate) fn execute(&mut self, count: usize, window: usize) {
        let goal = self.read[0] + count;
        let mut sent = self.read[0];
        while self.read.iter().any(|read| *read < goal) {
            while sent < goal && sent - self.read[self.leader] < window {
                let command = Command(Bytes::from_static(b"sixteen-byte-cmd"));
                self.replicas[self.leader].append(command).expect("the leader takes it");
                sent += 1;
            }
            self.turn();
        }
    }

    /// Delivers all that is on its way, and reads what was decided.
    fn turn(&mut self) {
        for replica in &mut self.replicas {
            replica.take_outgoing_messages(&mut self.mail);
        }
        for message in self.mail.drain(..) {
            let to = message.get_receiver() as usize - 1;
            self.replicas[to].handle_incoming(message);
        }
        for (replica, read) in self.replicas.iter().zip(&mut self.read) {
            if replica.get_decided_idx() > *read {
                let decided = replica.read_decided_suffix(*read).expect("it is there");
                let bytes: usize = decided.iter().map(size).sum();
                assert!(bytes > 0);
                *read += decided.len();
            }
        }
    }
}

fn size(entry: &LogEntry<Command>) -> usize {
    match entry {
        LogEntry::Decided(command) => command.0.len(),
        _ => 0,
    }
}
