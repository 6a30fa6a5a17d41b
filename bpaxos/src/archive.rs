//! The archive: makes the values of all columns durable, beside a replica, and the snapshots that take
//! their place.
//!
//! The values of each column are kept by an archive of `paxos`, as those of any log. A snapshot is of all
//! columns: so its chunks are kept here. With the last one it stands for a prefix of every column, which
//! the archives of the columns then let go of. Slots that the replica has executed after a gap stay as
//! values until a later snapshot covers them without one.
//!
//! *Paper*: the durable half of a replica in Matchmaker Paxos, section 4.5, one for each column.
//!
//! *Durable*: values of a column below its persisted watermark, as such or in a snapshot, before the
//! `ArchivedB` that says so. The last chunk of a snapshot before anything that it covers may go from the
//! disk. No value is let go of that no durable snapshot covers, so what f + 1 archives have told as durable
//! they have, in one of the two forms, for as long as they live: that is why acceptors need it no more.
//!
//! *Limits*: as an archive of `paxos`, for each column. Chunks are not kept in memory once they are
//! recorded.

use std::collections::VecDeque;

use matchmaker::message::Message as ColumnMessage;
use paxos::actor::{Effects, NodeId, OwnEffects, RestoreError};
use paxos::archive::FromArchive;
use paxos::archive::{Archive as ColumnArchive, ArchiveRecord as ColumnRecord, ArchiveTimer};
use paxos::message::{Keep, Kept, RestoreA, SnapshotB, ToArchive as ToColumnArchive};
use paxos::mutant::{self, Mutant};
use paxos::slot::Slot;
use paxos::snapshot::{Chunk, Sequence, SnapshotOptions};
use paxos::wire;

use crate::column::{Columns, InColumn, nest_in};
use crate::message::{ContentsA, ContentsB, Covered, Message, SnapshotWanted, ToArchive};
use crate::snapshot::{Header, Part};
use crate::vertex::{Column, Vertex, VertexSet};

/// A durable fact of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ArchiveRecord {
    /// Of the archive of one column: a value.
    Column(InColumn<ColumnRecord>),
    /// The next chunk of a snapshot. The first one discards a snapshot that has not come to its end; the
    /// last one makes this the snapshot that counts.
    Chunk(Chunk),
}

impl From<InColumn<ColumnRecord>> for ArchiveRecord {
    fn from(record: InColumn<ColumnRecord>) -> Self {
        Self::Column(record)
    }
}

/// A snapshot that has not come to its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Partial {
    sequence: Sequence,
    /// The vertices that it covers, as its first chunk says.
    executed: VertexSet,
}

impl Partial {
    /// Goes past `chunk`, if it is the next one.
    fn takes(&mut self, chunk: &Chunk) -> bool {
        if !self.sequence.takes(chunk) {
            return false;
        }
        if let Ok(Part::Header(Header { executed, .. })) = wire::decode(&chunk.bytes.0) {
            self.executed = executed;
        }
        true
    }
}

/// Whether what is before the last checkpoint of the log is needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Compaction {
    /// It is not.
    Done,
    /// It is, until a snapshot is written down that begins after the checkpoint and covers all of this.
    Wanted(VertexSet),
    /// Such a snapshot has begun.
    Running { wanted: VertexSet, snapshot: Slot },
}

/// The state of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Archive {
    /// The replica of the same process.
    replica: NodeId,
    /// The values of each column.
    columns: Columns<ColumnArchive>,
    /// The number of the durable snapshot; zero if there is none. Never decreases.
    snapshot: Slot,
    /// How much of a snapshot is recorded that has not come to its end.
    partial: Option<Partial>,
    compaction: Compaction,
    /// After a restart: the snapshot, until the replica has taken it.
    restored: VecDeque<Chunk>,
    /// During recovery: the chunks of `partial`.
    arriving: VecDeque<Chunk>,
}

type Fx = Effects<Message, InColumn<ArchiveTimer>, ArchiveRecord>;

/// What the archive of one column wants done.
type ColumnFx = OwnEffects<ColumnArchive>;

impl Archive {
    /// An empty archive beside `replica`.
    pub fn new(replica: NodeId, options: SnapshotOptions) -> Self {
        Self {
            replica,
            columns: Columns::new(ColumnArchive::new(replica, options)),
            snapshot: Slot::ZERO,
            partial: None,
            compaction: Compaction::Done,
            restored: VecDeque::new(),
            arriving: VecDeque::new(),
        }
    }

    /// The archive of one column, if it was ever heard of.
    pub fn column(&self, column: Column) -> Option<&ColumnArchive> {
        self.columns.get(column)
    }

    /// The number of the durable snapshot; zero if there is none.
    pub fn snapshot(&self) -> Slot {
        self.snapshot
    }

    /// Whether part of a snapshot is recorded that has not come to its end.
    pub fn is_within_snapshot(&self) -> bool {
        self.partial.is_some()
    }

    /// Folds one durable record.
    pub fn restore(&mut self, record: ArchiveRecord) {
        match record {
            ArchiveRecord::Column(InColumn { column, inner }) => {
                if let Some(archive) = self.columns.of(column) {
                    archive.restore(inner);
                }
            }
            ArchiveRecord::Chunk(chunk) => self.restore_chunk(chunk),
        }
    }

    fn restore_chunk(&mut self, chunk: Chunk) {
        if !self.takes(&chunk) {
            self.partial = None;
            return;
        }
        if chunk.number == 0 {
            self.arriving.clear();
        }
        let (slot, is_last) = (chunk.slot, chunk.is_last);
        self.arriving.push_back(chunk);
        if is_last {
            let arrived = std::mem::take(&mut self.arriving);
            if slot >= self.snapshot {
                self.restored = arrived;
            }
            self.finish(slot);
        }
    }

    /// Goes past `chunk` if it is the next one, or the first one of a snapshot.
    fn takes(&mut self, chunk: &Chunk) -> bool {
        if chunk.number == 0 {
            let (sequence, executed) = (Sequence::new(chunk.slot), VertexSet::new());
            self.partial = Some(Partial { sequence, executed });
        }
        self.partial.as_mut().is_some_and(|partial| partial.takes(chunk))
    }

    /// The snapshot is recorded to its end and stands for all that it covers.
    fn finish(&mut self, snapshot: Slot) {
        let Some(Partial { executed, .. }) = self.partial.take() else { return };
        if snapshot < self.snapshot {
            return;
        }
        self.snapshot = snapshot;
        for (column, slots) in executed.columns() {
            if let Some(archive) = self.columns.of(column) {
                archive.cover(slots.watermark());
            }
        }
        // One that began before the checkpoint does not count.
        if matches!(&self.compaction, Compaction::Running { snapshot: running, .. }
            if *running == snapshot)
        {
            self.compaction = Compaction::Done;
        }
    }

    /// Whether the records that were folded tell all columns from their start.
    ///
    /// *Errors*: slots are neither in a complete snapshot nor there as values.
    pub fn check_restored(&self) -> Result<(), RestoreError> {
        self.columns.iter().try_for_each(|(_, archive)| archive.check_restored())
    }

    /// Begins to take part. What is left of a snapshot that a crash interrupted is of no use.
    pub fn on_start(&mut self) {
        self.partial = None;
        self.arriving.clear();
        self.columns.iter_mut().for_each(|(_, archive)| archive.on_start());
    }

    /// Begins to make what is in the log before its next checkpoint dispensable: by a snapshot of all
    /// that is durable now, or more. If nothing is durable and no snapshot has begun, nothing is needed;
    /// one that has begun loses its first chunks, so another one must follow it.
    pub fn on_compaction(&mut self, fx: &mut Fx) {
        let vertices = self.persisted();
        if vertices.is_empty() && self.partial.is_none() {
            return;
        }
        self.compaction = Compaction::Wanted(vertices.clone());
        fx.send(self.replica, SnapshotWanted { vertices });
    }

    /// All that is durable: a prefix of each column.
    fn persisted(&self) -> VertexSet {
        let mut vertices = VertexSet::new();
        for (column, archive) in self.columns.iter() {
            vertices.fill(column, archive.persisted_watermark());
        }
        vertices
    }

    /// Whether nothing before the last checkpoint of the log is needed.
    pub fn is_compact(&self) -> bool {
        match self.compaction {
            Compaction::Done => true,
            Compaction::Wanted(_) => false,
            Compaction::Running { .. } => mutant::is_on(Mutant::ForgetBeforeSnapshotEnds),
        }
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: ToArchive, fx: &mut Fx) {
        match message {
            ToArchive::ContentsA(ContentsA) => {
                let m = ContentsB { snapshot: self.snapshot, vertices: self.persisted() };
                fx.send(from, m);
            }
            ToArchive::Keep(m) => self.on_keep(m, fx),
            ToArchive::RestoreA(m) => self.on_restore_a(from, m, fx),
        }
    }

    /// Takes one message about the log of `column`.
    pub fn on_column(
        &mut self,
        column: Column,
        from: NodeId,
        message: ToColumnArchive,
        fx: &mut Fx,
    ) {
        let Some(archive) = self.columns.of(column) else { return };
        let mut inner = ColumnFx::new();
        archive.on_message(from, message, &mut inner);
        self.adopt(column, inner, fx);
    }

    /// Takes one timer of the archive of a column.
    pub fn on_timer(&mut self, timer: InColumn<ArchiveTimer>, fx: &mut Fx) {
        let InColumn { column, inner: timer } = timer;
        let Some(archive) = self.columns.of(column) else { return };
        nest_in(column, fx, |fx: &mut ColumnFx| archive.on_timer(timer, fx));
    }

    /// Adopts the effects of the archive of `column`. What it says of the snapshot that covers its values
    /// is said of one that covers all columns.
    fn adopt(&self, column: Column, mut inner: ColumnFx, fx: &mut Fx) {
        for (to, message) in std::mem::take(&mut inner.sends) {
            match message {
                FromArchive::Cut(m) => {
                    let first = Vertex { column, slot: m.first };
                    let (base, snapshot, replica) = (m.base, self.snapshot, m.replica);
                    fx.send(to, Covered { first, base, snapshot, replica });
                }
                message => {
                    fx.send(to, InColumn { column, inner: ColumnMessage::from(message) });
                }
            }
        }
        nest_in(column, fx, |fx| *fx = inner);
    }

    /// Writes down the next chunk of a snapshot; with the last one, the snapshot counts.
    ///
    /// *Repeat*: a chunk that is not the next one is ignored, as is a snapshot before the present one.
    fn on_keep(&mut self, Keep { chunk }: Keep, fx: &mut Fx) {
        let (slot, number, is_last) = (chunk.slot, chunk.number, chunk.is_last);
        if slot < self.snapshot || !self.takes(&chunk) {
            return;
        }
        if number == 0 {
            self.begin_compaction(slot);
        }
        fx.record(ArchiveRecord::Chunk(chunk));
        fx.send(self.replica, Kept { slot, number });
        if is_last {
            self.finish(slot);
        }
    }

    /// A snapshot begins after the checkpoint: it counts if it covers what is wanted.
    fn begin_compaction(&mut self, snapshot: Slot) {
        let Some(partial) = &self.partial else { return };
        self.compaction = match std::mem::replace(&mut self.compaction, Compaction::Done) {
            Compaction::Done => Compaction::Done,
            Compaction::Wanted(wanted) | Compaction::Running { wanted, .. }
                if wanted.first_missing(None, &partial.executed).is_none()
                    || mutant::is_on(Mutant::SmallSnapshotCompacts) =>
            {
                Compaction::Running { wanted, snapshot }
            }
            Compaction::Wanted(wanted) | Compaction::Running { wanted, .. } => {
                Compaction::Wanted(wanted)
            }
        };
    }

    /// Gives back what recovery found, once: it is not needed in memory after that.
    fn on_restore_a(&mut self, from: NodeId, m: RestoreA, fx: &mut Fx) {
        if from != self.replica {
            return;
        }
        if let Some(chunk) = self.restored.pop_front_if(|chunk| chunk.number == m.number) {
            fx.send(from, SnapshotB { chunk });
        }
    }
}

#[cfg(test)]
mod tests;
