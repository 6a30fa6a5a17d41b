//! The archive: makes chosen values durable, beside a replica, off every client's path.
//!
//! It takes the values that its replica has executed, in slot order, writes them down a few
//! milliseconds later in one go with whatever else the process writes then, and tells the leader how
//! far it is. Once f + 1 archives hold a prefix of the log, the acceptors' votes on it are not needed any
//! more, and with them earlier configurations. It also hands the values to replicas that missed them.
//!
//! When the log has grown it asks its replica for a snapshot and writes that down, chunk by chunk. With
//! the last chunk the snapshot stands for the values below it.
//!
//! ```text
//!         first      base          persisted        end
//!    ··· ───┬──────────┬───────────────┬─────────────┐
//!     gone  │ tail, in │ durable as    │ not written │
//!           │ memory   │ values        │ down yet    │
//!    ··· ───┴──────────┴───────────────┴─────────────┘
//!    ─ durable as ───►│
//!      a snapshot
//! ```
//!
//! *Paper*: the durable half of a replica in Matchmaker Paxos, section 4.5. Snapshots are not in it.
//!
//! *Durable*: all values below `persisted_watermark`, as such or in a snapshot, before the `ArchivedB`
//! that says so. The last chunk of a snapshot before anything that it covers may go from the disk.
//!
//! *Limits*: values in memory are those above the last snapshot, and a tail of
//! [`SnapshotOptions::tail_bytes`]; chunks are not kept in memory once they are recorded.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use crate::actor::{NodeId, Outbox, RestoreError, Role};
use crate::command::Value;
use crate::message::{
    ArchivedA, ArchivedB, Chosen, Cut, FETCH_BYTES_MAX, FETCH_VALUES_MAX, FetchA, FetchB, Keep,
    Kept, RestoreA, SnapshotB, SnapshotWanted, Store, ToArchive,
};
use crate::mutant::{self, Mutant};
use crate::slot::Slot;
use crate::snapshot::{Chunk, Sequence, SnapshotOptions};
use crate::wire::{Decode, Encode, Frame};

/// Values that wait to be written are written at once when they are this large together, in bytes.
const UNWRITTEN_BYTES_MAX: usize = 1 << 20;

/// How long a value may wait to be written together with others.
const FLUSH_DELAY: Range<Duration> = Duration::from_millis(4)..Duration::from_millis(6);

/// A durable fact of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub enum ArchiveRecord {
    /// A chosen value.
    Value {
        /// Where; one record for each slot, in order, but for slots that a snapshot covers.
        slot: Slot,
        /// What.
        value: Value,
    },
    /// The next chunk of a snapshot. The first one discards a snapshot that has not come to its end; the
    /// last one makes this the snapshot that counts.
    Chunk(Chunk),
}

/// A timer of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ArchiveTimer {
    /// Write down what waits.
    Flush,
}

/// What an archive says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromArchive {
    /// To a proposer.
    ArchivedB(ArchivedB),
    /// To a replica.
    FetchB(FetchB),
    /// To a replica.
    Cut(Cut),
    /// To its replica.
    SnapshotWanted(SnapshotWanted),
    /// To its replica.
    Kept(Kept),
    /// To its replica.
    SnapshotB(SnapshotB),
}

/// Whether what is before the last checkpoint of the log is needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Compaction {
    /// It is not.
    Done,
    /// It is, until a snapshot is written down that begins after the checkpoint and holds all slots
    /// below this one.
    Wanted(Slot),
    /// Such a snapshot, of the second slot, has begun; the first one is that of `Wanted`.
    Running(Slot, Slot),
}

/// The state of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Archive {
    /// The replica of the same process.
    replica: NodeId,
    options: SnapshotOptions,
    /// The last one that asked how far this archive is: who leads, as a rule.
    asker: Option<NodeId>,
    /// Exclusive; a durable snapshot covers the values below. Never decreases.
    base: Slot,
    /// The slot of the first value. At most `base`.
    first: Slot,
    /// Chosen values, of consecutive slots.
    values: VecDeque<Value>,
    /// Size of `values` in bytes.
    values_bytes: usize,
    /// Exclusive; values below have a record, or a snapshot covers them. Never decreases.
    persisted_watermark: Slot,
    /// Size of the values without a record, in bytes.
    unwritten_bytes: usize,
    /// How much of a snapshot is recorded that has not come to its end.
    partial: Option<Sequence>,
    compaction: Compaction,
    /// After a restart: the snapshot at `base`, until the replica has taken it.
    restored: VecDeque<Chunk>,
    /// During recovery: the chunks of `partial`.
    arriving: VecDeque<Chunk>,
}

impl Role for Archive {
    type Message = FromArchive;
    type Timer = ArchiveTimer;
    type Record = ArchiveRecord;
}

impl Archive {
    /// An empty archive beside `replica`.
    pub fn new(replica: NodeId, options: SnapshotOptions) -> Self {
        Self {
            replica,
            options,
            asker: None,
            base: Slot::ZERO,
            first: Slot::ZERO,
            values: VecDeque::new(),
            values_bytes: 0,
            persisted_watermark: Slot::ZERO,
            unwritten_bytes: 0,
            partial: None,
            compaction: Compaction::Done,
            restored: VecDeque::new(),
            arriving: VecDeque::new(),
        }
    }

    /// All values below are durable, or will be before anything is sent.
    pub fn persisted_watermark(&self) -> Slot {
        self.persisted_watermark
    }

    /// A snapshot covers the values below.
    pub fn base(&self) -> Slot {
        self.base
    }

    /// The snapshot that recovery found, until the replica has taken it.
    pub fn restored(&self) -> impl Iterator<Item = &Chunk> {
        self.restored.iter()
    }

    /// The value of `slot`, if it is in memory.
    pub fn value(&self, slot: Slot) -> Option<&Value> {
        let index = slot.0.checked_sub(self.first.0)?;
        self.values.get(usize::try_from(index).ok()?)
    }

    /// Chunks of a snapshot that are recorded, and that do not make a whole one yet.
    pub fn chunk_count(&self) -> u64 {
        self.partial.as_ref().map_or(0, Sequence::next)
    }

    /// Size of the values in memory, and of those of them above the snapshot, in bytes.
    pub fn values_bytes(&self) -> (usize, usize) {
        let covered = self.values.iter().take(self.first.until(self.base) as usize);
        (self.values_bytes, self.values_bytes - covered.map(Value::size_bytes).sum::<usize>())
    }

    /// Folds one durable record.
    ///
    /// While records are folded there may be a gap below `first`: the log may begin in the middle,
    /// with values that a snapshot further on covers. [`check_restored`](Self::check_restored) tells
    /// whether it did.
    pub fn restore(&mut self, record: ArchiveRecord) {
        match record {
            ArchiveRecord::Value { slot, .. } if slot < self.end() => {}
            ArchiveRecord::Value { slot, value } => {
                if slot > self.end() {
                    self.cut_all(slot);
                }
                self.values_bytes += value.size_bytes();
                self.values.push_back(value);
                self.persisted_watermark = slot.next();
            }
            ArchiveRecord::Chunk(chunk) => self.restore_chunk(chunk),
        }
    }

    fn restore_chunk(&mut self, chunk: Chunk) {
        if chunk.number == 0 {
            self.partial = Some(Sequence::new(chunk.slot));
            self.arriving.clear();
        }
        if !self.partial.as_mut().is_some_and(|partial| partial.takes(&chunk)) {
            self.partial = None;
            return;
        }
        let (slot, is_last) = (chunk.slot, chunk.is_last);
        self.arriving.push_back(chunk);
        if is_last {
            let arrived = std::mem::take(&mut self.arriving);
            if slot >= self.base {
                self.restored = arrived;
            }
            self.raise_base(slot);
        }
    }

    /// Whether the records that were folded tell the whole log from its start.
    ///
    /// *Errors*: slots are neither in a complete snapshot nor there as values.
    pub fn check_restored(&self) -> Result<(), RestoreError> {
        if self.first <= self.base {
            return Ok(());
        }
        Err(RestoreError(format!(
            "the snapshot ends at slot {} and the values begin at slot {}: those between are missing",
            self.base, self.first
        )))
    }

    /// Begins to take part. What is left of a snapshot that a crash interrupted is of no use.
    pub fn on_start(&mut self) {
        self.partial = None;
        self.arriving.clear();
        self.trim();
    }

    /// Begins to make what is in the log before its next checkpoint dispensable: by a snapshot of all
    /// that is durable now, or more. If nothing is durable and no snapshot has begun, nothing is needed;
    /// one that has begun loses its first chunks, so another one must follow it.
    pub fn on_compaction(&mut self, fx: &mut impl Outbox<Self>) {
        let watermark = self.persisted_watermark;
        if watermark == Slot::ZERO && self.partial.is_none() {
            return;
        }
        self.compaction = Compaction::Wanted(watermark);
        let m = SnapshotWanted { watermark };
        fx.send(self.replica, FromArchive::SnapshotWanted(m));
    }

    /// Whether nothing before the last checkpoint of the log is needed.
    pub fn is_compact(&self) -> bool {
        self.compaction == Compaction::Done
            || (mutant::is_on(Mutant::ForgetBeforeSnapshotEnds)
                && matches!(self.compaction, Compaction::Running(..)))
    }

    /// Nothing: what is durable before a checkpoint is in the snapshot after it, and until that is
    /// complete the archive is not compact.
    pub fn checkpoint(&self) -> Vec<ArchiveRecord> {
        Vec::new()
    }

    /// Takes all values below `slot` for covered: by a snapshot that is durable, or will be before anything
    /// is sent, and that its owner keeps elsewhere. Values may be missing below.
    ///
    /// *Repeat*: nothing happens.
    pub fn cover(&mut self, slot: Slot) {
        self.raise_base(slot);
        self.trim();
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: ToArchive, fx: &mut impl Outbox<Self>) {
        match message {
            ToArchive::Store(m) => self.on_store(m, fx),
            ToArchive::FetchA(m) => self.on_fetch_a(from, m, fx),
            ToArchive::ArchivedA(m) => self.on_archived_a(from, m, fx),
            ToArchive::Keep(m) => self.on_keep(m, fx),
            ToArchive::RestoreA(m) => self.on_restore_a(from, m, fx),
        }
        self.check_invariants();
    }

    /// Takes one timer.
    pub fn on_timer(&mut self, timer: ArchiveTimer, fx: &mut impl Outbox<Self>) {
        match timer {
            ArchiveTimer::Flush => {
                self.write_down(fx);
                self.report(fx);
            }
        }
    }

    fn report(&self, fx: &mut impl Outbox<Self>) {
        if let Some(asker) = self.asker {
            fx.send(asker, FromArchive::ArchivedB(self.progress()));
        }
    }

    /// The slot of the next value.
    fn end(&self) -> Slot {
        self.first.plus(self.values.len() as u64)
    }

    fn progress(&self) -> ArchivedB {
        ArchivedB {
            persisted_watermark: self.persisted_watermark,
            executed_watermark: self.end(),
            base: self.base,
            chunk_count: self.chunk_count(),
        }
    }

    /// Keeps the next value. A repeated one is ignored; a later one cannot come from a replica that
    /// executes in order.
    fn on_store(&mut self, m: Store, fx: &mut impl Outbox<Self>) {
        if m.slot < self.end() {
            return;
        }
        if m.slot > self.end() {
            return fx.violation(
                "A14 log prefix",
                format!("slot {} is stored after {}", m.slot, self.end()),
            );
        }
        let had_unwritten = self.persisted_watermark < self.end();
        self.unwritten_bytes += m.value.size_bytes();
        self.values_bytes += m.value.size_bytes();
        self.values.push_back(m.value);
        self.trim();
        if self.unwritten_bytes > UNWRITTEN_BYTES_MAX {
            self.write_down(fx);
        }
        if !had_unwritten {
            fx.set_timer(ArchiveTimer::Flush, FLUSH_DELAY);
        }
    }

    /// Hands out values, or says that a snapshot covers them.
    fn on_fetch_a(&mut self, from: NodeId, m: FetchA, fx: &mut impl Outbox<Self>) {
        if m.first < self.first {
            let cut = Cut { first: m.first, base: self.base, replica: self.replica };
            return fx.send(from, FromArchive::Cut(cut));
        }
        let skipped = usize::try_from(self.first.until(m.first)).unwrap_or(usize::MAX);
        let mut page_bytes = 0;
        let mut values = Vec::new();
        for value in self.values.range(skipped.min(self.values.len())..).take(FETCH_VALUES_MAX) {
            page_bytes += value.size_bytes();
            if page_bytes > FETCH_BYTES_MAX && !values.is_empty() {
                break;
            }
            values.push(value.clone());
        }
        fx.send(from, FromArchive::FetchB(FetchB { first: m.first, values }));
    }

    /// Answers a leader that waits: at once if it is served already, else after writing.
    fn on_archived_a(&mut self, from: NodeId, m: ArchivedA, fx: &mut impl Outbox<Self>) {
        self.asker = Some(from);
        if self.persisted_watermark < m.watermark {
            self.write_down(fx);
        }
        fx.send(from, FromArchive::ArchivedB(self.progress()));
    }

    /// Writes down the next chunk of a snapshot; with the last one, the snapshot counts.
    ///
    /// *Repeat*: a chunk that is not the next one is ignored, as is a snapshot below the present one.
    fn on_keep(&mut self, Keep { chunk }: Keep, fx: &mut impl Outbox<Self>) {
        let (slot, number, is_last) = (chunk.slot, chunk.number, chunk.is_last);
        if slot < self.base {
            return;
        }
        if number == 0 {
            self.partial = Some(Sequence::new(slot));
            self.compaction = match self.compaction {
                Compaction::Done => Compaction::Done,
                Compaction::Wanted(watermark) | Compaction::Running(watermark, _)
                    if slot >= watermark =>
                {
                    Compaction::Running(watermark, slot)
                }
                Compaction::Wanted(watermark) | Compaction::Running(watermark, _) => {
                    Compaction::Wanted(watermark)
                }
            };
        }
        if !self.partial.as_mut().is_some_and(|partial| partial.takes(&chunk)) {
            return;
        }
        fx.record(ArchiveRecord::Chunk(chunk));
        fx.send(self.replica, FromArchive::Kept(Kept { slot, number }));
        if is_last {
            self.raise_base(slot);
            self.trim();
            self.report(fx);
        }
    }

    /// Gives back what recovery found, once: it is not needed in memory after that.
    fn on_restore_a(&mut self, from: NodeId, m: RestoreA, fx: &mut impl Outbox<Self>) {
        if from != self.replica {
            return;
        }
        if let Some(chunk) = self.restored.pop_front_if(|chunk| chunk.number == m.number) {
            fx.send(from, FromArchive::SnapshotB(SnapshotB { chunk }));
        }
    }

    /// The snapshot at `slot` is recorded to its end and stands for all values below.
    fn raise_base(&mut self, slot: Slot) {
        self.partial = None;
        if slot < self.base {
            return;
        }
        self.base = slot;
        if slot > self.end() {
            self.cut_all(slot);
        }
        if slot > self.persisted_watermark {
            self.persisted_watermark = slot;
            let written = self.first.until(slot) as usize;
            self.unwritten_bytes = self.values.range(written..).map(Value::size_bytes).sum();
        }
        // One that began before the checkpoint does not count.
        if matches!(self.compaction, Compaction::Running(_, running) if running == slot) {
            self.compaction = Compaction::Done;
        }
    }

    /// Forgets all values; the next one is that of `slot`.
    fn cut_all(&mut self, slot: Slot) {
        self.values.clear();
        (self.values_bytes, self.unwritten_bytes) = (0, 0);
        self.first = slot;
        self.persisted_watermark = slot;
    }

    /// Forgets values that a snapshot covers, but for the tail.
    fn trim(&mut self) {
        while self.first < self.base
            && self.values_bytes > self.options.tail_bytes
            && let Some(value) = self.values.pop_front()
        {
            self.values_bytes -= value.size_bytes();
            self.first = self.first.next();
        }
    }

    fn write_down(&mut self, fx: &mut impl Outbox<Self>) {
        let written = self.first.until(self.persisted_watermark) as usize;
        let slots = (self.persisted_watermark.0..).map(Slot);
        for (slot, value) in slots.zip(self.values.range(written..)) {
            fx.record(ArchiveRecord::Value { slot, value: value.clone() });
        }
        self.persisted_watermark = self.end();
        self.unwritten_bytes = 0;
    }

    fn check_invariants(&self) {
        let (first, base, end) = (self.first, self.base, self.end());
        assert!(first <= base, "values begin at {first}, and the snapshot ends at {base}");
        assert!(self.persisted_watermark <= end, "more is written than is there");
        assert!(base <= self.persisted_watermark, "a snapshot is durable");
    }
}

impl From<Chosen> for Store {
    fn from(chosen: Chosen) -> Self {
        Self { slot: chosen.slot, value: chosen.value }
    }
}

#[cfg(test)]
mod tests;
