//! Three replicas of raft-rs with its storage in memory.

use raft::prelude::{ConfState, Config, Entry, Message};
use raft::storage::MemStorage;
use raft::{RawNode, StateRole};
use slog::{Discard, Logger, o};

/// The replicas, and how many commands each has applied.
pub(crate) struct Cluster {
    replicas: Vec<RawNode<MemStorage>>,
    applied: Vec<usize>,
    mail: Vec<Message>,
}

impl Cluster {
    /// A cluster whose first replica leads.
    pub(crate) fn with_leader() -> Self {
        let logger = Logger::root(Discard, o!());
        let start = |id: u64| {
            let storage = MemStorage::new_with_conf_state(ConfState::from((vec![1, 2, 3], vec![])));
            let config = Config {
                id,
                election_tick: 10,
                heartbeat_tick: 3,
                max_size_per_msg: u64::MAX,
                max_inflight_msgs: 1 << 16,
                ..Default::default()
            };
            RawNode::new(&config, storage, &logger).expect("a possible cluster")
        };
        let replicas = (1..=3).map(start).collect();
        let mut cluster = Self { replicas, applied: vec![0; 3], mail: Vec::new() };
        cluster.replicas[0].campaign().expect("it may");
        while cluster.replicas[0].raft.state != StateRole::Leader {
            cluster.turn();
        }
        cluster
    }

    /// Has `count` commands decided and applied at all replicas, with at most `window` of them in
    /// flight.
    pub(crate) fn execute(&mut self, count: usize, window: usize) {
        let goal = self.applied[0] + count;
        let mut sent = self.applied[0];
        while self.applied.iter().any(|applied| *applied < goal) {
            while sent < goal && sent - self.applied[0] < window {
                let command = b"sixteen-byte-cmd".to_vec();
                self.replicas[0].propose(Vec::new(), command).expect("the leader takes it");
                sent += 1;
            }
            // What all have learned so far is told with the next message, or a heartbeat.
            if self.mail.is_empty() && !self.replicas.iter().any(RawNode::has_ready) {
                self.replicas[0].ping();
            }
            self.turn();
        }
    }

    /// Delivers all that is on its way, and applies what was decided.
    fn turn(&mut self) {
        for message in std::mem::take(&mut self.mail) {
            let to = message.to as usize - 1;
            // One that comes too late is not taken, as it should be.
            let _ = self.replicas[to].step(message);
        }
        for (replica, applied) in self.replicas.iter_mut().zip(&mut self.applied) {
            if replica.has_ready() {
                *applied += work(replica, &mut self.mail);
            }
        }
    }
}

/// Does what a replica wants done; returns how many commands it applied.
fn work(replica: &mut RawNode<MemStorage>, mail: &mut Vec<Message>) -> usize {
    let store = replica.raft.raft_log.store.clone();
    let mut ready = replica.ready();
    mail.extend(ready.take_messages());
    let mut count = commands(&ready.take_committed_entries());
    if !ready.entries().is_empty() {
        store.wl().append(ready.entries()).expect("it fits");
    }
    if let Some(state) = ready.hs() {
        store.wl().set_hardstate(state.clone());
    }
    mail.extend(ready.take_persisted_messages());
    let mut light = replica.advance(ready);
    if let Some(commit) = light.commit_index() {
        store.wl().mut_hard_state().set_commit(commit);
    }
    mail.extend(light.take_messages());
    count += commands(&light.take_committed_entries());
    replica.advance_apply();
    count
}

/// The entry of a new leader is empty, and no command.
fn commands(entries: &[Entry]) -> usize {
    entries.iter().filter(|entry| !entry.get_data().is_empty()).count()
}
