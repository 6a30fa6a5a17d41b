//! Situations of snapshots.

use std::collections::BTreeMap;

use matchmaker::message::Message;
use paxos::actor::NodeId;
use paxos::command::SessionId;
use paxos::message::{Chosen, Executed, SnapshotA, ToArchive, ToReplica, ToSession};
use paxos::slot::Slot;
use paxos::snapshot::Chunk;

use super::{Coverage, Situation};
use crate::properties::Ghost;

/// What was said of snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshots {
    /// The snapshot that each replica was last given a chunk of.
    given: BTreeMap<NodeId, Slot>,
    /// The last question of each replica for a chunk of a snapshot that it does not have yet.
    asked: BTreeMap<NodeId, SnapshotA>,
    /// The last snapshot that each replica got from another one.
    installed: BTreeMap<NodeId, Slot>,
    /// The first slot of each command.
    commands: BTreeMap<(SessionId, u64), Slot>,
    /// Exclusive; commands of slots below are known.
    watermark: Slot,
}

impl Coverage {
    /// A message leaves.
    pub(super) fn on_snapshot(
        &mut self,
        (from, to): (NodeId, NodeId),
        message: &Message,
        ghost: &Ghost,
    ) {
        match message {
            Message::Archive(ToArchive::Keep(m)) if m.chunk.is_last => {
                self.on_last_chunk(from, &m.chunk, ghost);
            }
            Message::Archive(ToArchive::RestoreA(m)) => {
                self.meet_if(m.number == 0, Situation::SnapshotRestored);
            }
            Message::Replica(ToReplica::SnapshotA(m)) => self.on_snapshot_a(from, m),
            Message::Replica(ToReplica::SnapshotB(m)) => {
                self.snapshots.given.insert(to, m.chunk.slot);
            }
            Message::Replica(ToReplica::Chosen(m)) => self.snapshots.note_commands(m),
            Message::Session(ToSession::Executed(m)) => self.on_executed(from, m),
            _ => {}
        }
    }

    fn on_last_chunk(&mut self, replica: NodeId, chunk: &Chunk, ghost: &Ghost) {
        if self.snapshots.given.remove(&replica) == Some(chunk.slot) {
            self.meet(Situation::SnapshotInstalled);
            self.snapshots.asked.remove(&replica);
            self.snapshots.installed.insert(replica, chunk.slot);
        } else {
            self.meet(Situation::SnapshotTaken);
        }
        let is_collecting = self.collecting.is_some_and(|r| ghost.collected_watermark() < r);
        self.meet_if(is_collecting, Situation::SnapshotDuringReconfiguration);
    }

    fn on_snapshot_a(&mut self, replica: NodeId, m: &SnapshotA) {
        // The last question of a transfer lets go of it.
        if m.slot.is_some() && !self.snapshots.given.contains_key(&replica) {
            return;
        }
        let before = self.snapshots.asked.insert(replica, m.clone());
        let Some(before) = before.filter(|before| before.slot.is_some()) else { return };
        self.meet_if(before == *m, Situation::TransferResumed);
        let is_new = m.slot != before.slot && before.next > 0;
        self.meet_if(is_new, Situation::TransferStartedOver);
    }

    fn on_executed(&mut self, replica: NodeId, m: &Executed) {
        let Some(installed) = self.snapshots.installed.get(&replica) else { return };
        let slot = self.snapshots.commands.get(&(m.session, m.first));
        self.meet_if(slot.is_some_and(|slot| slot < installed), Situation::SessionHitAfterSnapshot);
    }
}

impl Snapshots {
    fn note_commands(&mut self, m: &Chosen) {
        if m.slot < self.watermark {
            return;
        }
        self.watermark = m.slot.next();
        for submission in m.value.submissions().unwrap_or_default() {
            for (number, _) in (submission.first..).zip(&submission.commands) {
                self.commands.entry((submission.session, number)).or_insert(m.slot);
            }
        }
    }
}
