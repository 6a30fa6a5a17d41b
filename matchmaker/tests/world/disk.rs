//! The disk of a process: a log whose tail a crash may lose.

use matchmaker::node::NodeRecord;

use super::random::Random;

/// A record and the place of the actor that wrote it.
pub type Placed = (usize, NodeRecord);

/// A shared log. Records become durable when the world says so, in order.
#[derive(Debug, Default)]
pub struct Disk {
    log: Vec<Placed>,
    /// Exclusive; records below survive a crash.
    durable_len: usize,
    /// Exclusive; what the running sync will make durable.
    syncing: Option<usize>,
}

impl Disk {
    /// Adds records to the unsynced tail.
    pub fn append(&mut self, place: usize, records: Vec<NodeRecord>) {
        self.log.extend(records.into_iter().map(|record| (place, record)));
    }

    /// Length of the log.
    pub fn len(&self) -> usize {
        self.log.len()
    }

    /// Records below survive a crash.
    pub fn durable_len(&self) -> usize {
        self.durable_len
    }

    /// What survives a crash.
    pub fn durable(&self) -> &[Placed] {
        &self.log[..self.durable_len]
    }

    /// Starts a sync of all that was written so far; false if there is nothing, or one runs.
    pub fn start_sync(&mut self) -> bool {
        let is_needed = self.syncing.is_none() && self.durable_len < self.log.len();
        if is_needed {
            self.syncing = Some(self.log.len());
        }
        is_needed
    }

    /// Ends the sync, and returns what is durable now and was not before.
    pub fn finish_sync(&mut self) -> Vec<Placed> {
        let Some(end) = self.syncing.take() else { return Vec::new() };
        let start = std::mem::replace(&mut self.durable_len, end);
        self.log[start..end].to_vec()
    }

    /// Loses a random part of the unsynced tail, and returns the part that got through.
    pub fn crash(&mut self, random: &mut Random) -> Vec<Placed> {
        let unsynced = self.log.len() - self.durable_len;
        let start = self.durable_len;
        self.durable_len += random.index(unsynced + 1);
        self.log.truncate(self.durable_len);
        self.syncing = None;
        self.log[start..].to_vec()
    }

    /// Replaces everything, atomically and durably.
    pub fn rewrite(&mut self, log: Vec<Placed>) {
        self.durable_len = log.len();
        self.log = log;
        self.syncing = None;
    }
}
