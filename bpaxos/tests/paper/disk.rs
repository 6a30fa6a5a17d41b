//! What one node has written down, and what of it survives.

use std::collections::VecDeque;

use bpaxos::message::Message;
use bpaxos::node::NodeRecord;
use paxos::actor::NodeId;

/// The log of one node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    records: Vec<NodeRecord>,
    /// How many records survive a crash.
    synced: usize,
    /// Messages that wait for the disk, each with how many records must survive.
    held: VecDeque<(usize, NodeId, Message)>,
    /// Where the last checkpoint begins, while what is before it is needed.
    checkpoint: Option<usize>,
}

impl Disk {
    /// All records, in order.
    pub(crate) fn records(&self) -> &[NodeRecord] {
        &self.records
    }

    /// Writes records down, and lets messages wait for them.
    pub(crate) fn append(&mut self, records: Vec<NodeRecord>, sends: Vec<(NodeId, Message)>) {
        self.records.extend(records);
        let needed = self.records.len();
        self.held.extend(sends.into_iter().map(|(to, message)| (needed, to, message)));
    }

    /// Whether everything would survive.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced == self.records.len()
    }

    /// Up to where a sync that begins now reaches.
    pub(crate) fn end(&self) -> usize {
        self.records.len()
    }

    /// A sync that reached up to `end` is over: what may leave now.
    pub(crate) fn sync(&mut self, end: usize) -> Vec<(NodeId, Message)> {
        self.synced = self.synced.max(end.min(self.records.len()));
        let mut free = Vec::new();
        while let Some((_, to, message)) = self.held.pop_front_if(|held| held.0 <= self.synced) {
            free.push((to, message));
        }
        free
    }

    /// The process dies: of what is not synced, `kept` records survive by chance.
    pub(crate) fn crash(&mut self, kept: impl FnOnce(usize) -> usize) {
        let lost = self.records.len() - self.synced;
        self.records.truncate(self.synced + kept(lost).min(lost));
        self.synced = self.records.len();
        self.held.clear();
        self.checkpoint = None;
    }

    /// A checkpoint follows.
    pub(crate) fn begin_checkpoint(&mut self) {
        self.checkpoint = Some(self.records.len());
    }

    /// Drops what is before the last checkpoint, if it is compact and everything is synced.
    pub(crate) fn compact(&mut self, is_compact: bool) -> bool {
        let is_due = is_compact && self.is_synced() && self.held.is_empty();
        let Some(begin) = self.checkpoint.take_if(|_| is_due) else { return false };
        self.records.drain(..begin);
        self.synced = self.records.len();
        true
    }
}
