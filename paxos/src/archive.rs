//! The archive: makes chosen values durable, beside a replica, off every client's path.
//!
//! It takes the values that its replica has executed, in slot order, writes them down a few
//! milliseconds later in one go with whatever else the process writes then, and tells the proposers
//! how far it is. Once f + 1 archives hold a prefix of the log, the acceptors' votes on it are not
//! needed any more, and with them earlier configurations. It also hands the values to replicas that
//! missed them.
//!
//! *Paper*: the durable half of a replica in Matchmaker Paxos, section 4.5.
//!
//! *Durable*: all values below `persisted_watermark` before the `ArchivedB` that says so.
//!
//! *Limits*: the whole log is kept, in memory and on disk, for as long as there are no snapshots.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::time::Duration;

use crate::actor::{Effects, NodeId};
use crate::command::Value;
use crate::message::{
    ArchivedA, ArchivedB, Chosen, FETCH_BYTES_MAX, FETCH_VALUES_MAX, FetchA, FetchB, Store,
    ToArchive,
};
use crate::slot::Slot;
use crate::wire::{Decode, Encode, Frame};

/// Values that wait to be written are written at once when they are this large together, in bytes.
const UNWRITTEN_BYTES_MAX: usize = 1 << 20;

/// How long a value may wait to be written together with others.
const FLUSH_DELAY: Range<Duration> = Duration::from_millis(4)..Duration::from_millis(6);

/// A durable fact of an archive: a chosen value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode", decode_context = "Frame")]
pub struct ArchiveRecord {
    /// Where; one record for each slot, in order.
    pub slot: Slot,
    /// What.
    pub value: Value,
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
}

/// The state of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Archive {
    /// Who is told how far this archive is.
    proposers: BTreeSet<NodeId>,
    /// The chosen values of all slots from zero on.
    values: VecDeque<Value>,
    /// Exclusive; values below have a record. Never decreases.
    persisted_watermark: Slot,
    /// Size of the values without a record, in bytes.
    unwritten_bytes: usize,
}

type Fx = Effects<FromArchive, ArchiveTimer, ArchiveRecord>;

impl Archive {
    /// An empty archive that reports to `proposers`.
    pub fn new(proposers: BTreeSet<NodeId>) -> Self {
        Self {
            proposers,
            values: VecDeque::new(),
            persisted_watermark: Slot::ZERO,
            unwritten_bytes: 0,
        }
    }

    /// All values below are durable, or will be before anything is sent.
    pub fn persisted_watermark(&self) -> Slot {
        self.persisted_watermark
    }

    /// Folds one durable record.
    pub fn restore(&mut self, record: ArchiveRecord) {
        if record.slot == self.persisted_watermark {
            self.values.truncate(record.slot.0 as usize);
            self.values.push_back(record.value);
            self.persisted_watermark = record.slot.next();
        }
    }

    /// The least list of records with the same fold. *Cost*: O(length of the log).
    pub fn checkpoint(&self) -> Vec<ArchiveRecord> {
        let written = self.values.iter().take(self.persisted_watermark.0 as usize);
        let slots = (0..).map(Slot);
        slots
            .zip(written)
            .map(|(slot, value)| ArchiveRecord { slot, value: value.clone() })
            .collect()
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: ToArchive, fx: &mut Fx) {
        match message {
            ToArchive::Store(m) => self.on_store(m, fx),
            ToArchive::FetchA(m) => self.on_fetch_a(from, m, fx),
            ToArchive::ArchivedA(m) => self.on_archived_a(from, m, fx),
        }
        assert!(self.persisted_watermark <= self.end(), "more is written than is there");
    }

    /// Takes one timer.
    pub fn on_timer(&mut self, timer: ArchiveTimer, fx: &mut Fx) {
        match timer {
            ArchiveTimer::Flush => {
                self.write_down(fx);
                let m = self.progress();
                fx.sends.extend(
                    self.proposers.iter().map(|node| (*node, FromArchive::ArchivedB(m.clone()))),
                );
            }
        }
    }

    fn end(&self) -> Slot {
        Slot(self.values.len() as u64)
    }

    fn progress(&self) -> ArchivedB {
        ArchivedB { persisted_watermark: self.persisted_watermark, executed_watermark: self.end() }
    }

    /// Keeps the next value. A repeated one is ignored; a later one cannot come from a replica that
    /// executes in order.
    fn on_store(&mut self, m: Store, fx: &mut Fx) {
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
        self.values.push_back(m.value);
        if self.unwritten_bytes > UNWRITTEN_BYTES_MAX {
            self.write_down(fx);
        }
        if !had_unwritten {
            fx.set_timer(ArchiveTimer::Flush, FLUSH_DELAY);
        }
    }

    fn on_fetch_a(&mut self, from: NodeId, m: FetchA, fx: &mut Fx) {
        let first = usize::try_from(m.first.0).unwrap_or(usize::MAX).min(self.values.len());
        let mut page_bytes = 0;
        let mut values = Vec::new();
        for value in self.values.range(first..).take(FETCH_VALUES_MAX) {
            page_bytes += value.size_bytes();
            if page_bytes > FETCH_BYTES_MAX && !values.is_empty() {
                break;
            }
            values.push(value.clone());
        }
        fx.sends.push((from, FromArchive::FetchB(FetchB { first: m.first, values })));
    }

    /// Answers a leader that waits: at once if it is served already, else after writing.
    fn on_archived_a(&mut self, from: NodeId, m: ArchivedA, fx: &mut Fx) {
        if self.persisted_watermark < m.watermark {
            self.write_down(fx);
        }
        fx.sends.push((from, FromArchive::ArchivedB(self.progress())));
    }

    fn write_down(&mut self, fx: &mut Fx) {
        for slot in self.persisted_watermark.0..self.end().0 {
            let value = self.values[slot as usize].clone();
            fx.record(ArchiveRecord { slot: Slot(slot), value });
        }
        self.persisted_watermark = self.end();
        self.unwritten_bytes = 0;
    }
}

impl From<Chosen> for Store {
    fn from(chosen: Chosen) -> Self {
        Self { slot: chosen.slot, value: chosen.value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::{Incarnation, Seat, TimerChange};
    use crate::wire::Payload;

    const PROPOSER: NodeId = NodeId::new(Seat(1), Incarnation(1));
    const REPLICA: NodeId = NodeId::new(Seat(2), Incarnation(1));

    fn value(text: &'static str) -> Value {
        Value::Batch(Payload::new(text.as_bytes()))
    }

    fn store(archive: &mut Archive, slot: u64, text: &'static str) -> Fx {
        let mut fx = Fx::new();
        let m = Store { slot: Slot(slot), value: value(text) };
        archive.on_message(REPLICA, ToArchive::Store(m), &mut fx);
        fx
    }

    fn archived(persisted: u64, executed: u64) -> FromArchive {
        FromArchive::ArchivedB(ArchivedB {
            persisted_watermark: Slot(persisted),
            executed_watermark: Slot(executed),
        })
    }

    #[test]
    fn values_are_written_later_and_together() {
        let mut archive = Archive::new([PROPOSER].into());
        let fx = store(&mut archive, 0, "a");
        assert_eq!(fx.timers, vec![TimerChange::Set(ArchiveTimer::Flush, FLUSH_DELAY)]);
        assert!(fx.records.is_empty());
        assert!(store(&mut archive, 1, "b").is_empty());
        let mut fx = Fx::new();
        archive.on_timer(ArchiveTimer::Flush, &mut fx);
        let records = [(0, "a"), (1, "b")]
            .map(|(slot, text)| ArchiveRecord { slot: Slot(slot), value: value(text) });
        assert_eq!(fx.records, records);
        assert_eq!(fx.sends, vec![(PROPOSER, archived(2, 2))]);
    }

    #[test]
    fn a_leader_that_waits_makes_it_write_at_once() {
        let mut archive = Archive::new([PROPOSER].into());
        store(&mut archive, 0, "a");
        let mut fx = Fx::new();
        let m = ArchivedA { watermark: Slot(0) };
        archive.on_message(PROPOSER, ToArchive::ArchivedA(m), &mut fx);
        assert_eq!((fx.records.len(), &fx.sends[..]), (0, &[(PROPOSER, archived(0, 1))][..]));
        let mut fx = Fx::new();
        let m = ArchivedA { watermark: Slot(1) };
        archive.on_message(PROPOSER, ToArchive::ArchivedA(m), &mut fx);
        assert_eq!((fx.records.len(), &fx.sends[..]), (1, &[(PROPOSER, archived(1, 1))][..]));
    }

    #[test]
    fn missed_values_are_handed_out_in_pages() {
        let mut archive = Archive::new(BTreeSet::new());
        let large = Value::Batch(Payload::new(vec![0; FETCH_BYTES_MAX / 2 + 1]));
        for slot in 0..3 {
            let m = Store { slot: Slot(slot), value: large.clone() };
            archive.on_message(REPLICA, ToArchive::Store(m), &mut Fx::new());
        }
        for (first, count) in [(1, 1), (2, 1), (3, 0), (9, 0)] {
            let mut fx = Fx::new();
            let m = FetchA { first: Slot(first) };
            archive.on_message(REPLICA, ToArchive::FetchA(m), &mut fx);
            let values = vec![large.clone(); count];
            let page = FetchB { first: Slot(first), values };
            assert_eq!(fx.sends, vec![(REPLICA, FromArchive::FetchB(page))]);
        }
    }

    #[test]
    fn repeats_are_ignored_and_gaps_reported() {
        let mut archive = Archive::new(BTreeSet::new());
        store(&mut archive, 0, "a");
        assert!(store(&mut archive, 0, "a").is_empty());
        assert_eq!(store(&mut archive, 2, "c").violations.len(), 1);
    }

    #[test]
    fn a_checkpoint_restores_what_was_written() {
        let mut archive = Archive::new(BTreeSet::new());
        store(&mut archive, 0, "a");
        archive.on_timer(ArchiveTimer::Flush, &mut Fx::new());
        let written = archive.clone();
        store(&mut archive, 1, "b");
        let mut restored = Archive::new(BTreeSet::new());
        archive.checkpoint().into_iter().for_each(|record| restored.restore(record));
        assert_eq!(restored, written);
    }
}
