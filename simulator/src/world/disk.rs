//! The disk of a process: the bytes of a log, of which a crash may lose what was not synced.
//!
//! It works as the disk thread of a real host does: what turns hand over while a sync runs is written
//! and synced as one append afterwards. The bytes are those of the real log (`paxos::log_format`), and
//! are read by the same code, so that a torn tail and a flipped bit are met as they are in production.

use bytes::Bytes;
use matchmaker::node::NodeRecord;
use paxos::actor::Seat;
use paxos::log_format::{self, Rest, Scan};

use crate::mutation::Mutation;
use crate::random::Random;

/// A record and the place of the actor that wrote it.
pub(super) type Placed = (usize, NodeRecord);

/// What an append or a rewrite holds, until it is durable.
#[derive(Debug, Default)]
struct Job {
    /// Inclusive: this batch and all before it are durable afterwards.
    batch: u64,
    records: Vec<Placed>,
    /// Whether they replace the log.
    is_rewrite: bool,
}

/// Why a process cannot start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub String);

/// What a process finds when it starts.
#[derive(Debug)]
pub(super) struct Loaded {
    /// All records of the log.
    pub records: Vec<Placed>,
    /// Those of them that a crash left and of which nobody knew that they are durable.
    pub survivors: usize,
    /// Bytes of an interrupted append that were cut off.
    pub torn_bytes: usize,
}

/// What became durable.
#[derive(Debug, Default)]
pub(super) struct Synced {
    /// Records of appends.
    pub records: Vec<Placed>,
    /// Whether the log was replaced.
    pub is_rewrite: bool,
}

/// One log.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// As a reader sees it while the machine has power.
    bytes: Vec<u8>,
    /// Exclusive: where the next record goes.
    end: usize,
    /// Exclusive: bytes below survive a power cut.
    synced_end: usize,
    /// The number of the next record.
    next: u64,
    /// Exclusive: records below are durable.
    synced_below: u64,
    /// The salt of the present generation.
    generation: u32,
    /// The number of the first record of the generation.
    first: u64,
    /// Where the last append begins that ended.
    last_append: usize,
    /// Whether the seal behind it is certainly there: it proves that the append was durable.
    is_sealed: bool,
    /// Where the entries of the running append begin.
    entries: Vec<usize>,
    /// What is being written and synced.
    running: Option<Job>,
    /// What waits for that.
    waiting: Vec<Job>,
    /// Inclusive: this batch and all before it are durable.
    durable_batch: u64,
    /// Whether a bit was flipped.
    is_corrupt: bool,
    /// Mutation: what the log was before the last rewrite.
    old: Option<Box<Disk>>,
    /// Mutation: which bug the disk has.
    pub mutation: Option<Mutation>,
}

impl Disk {
    /// Hands over the records of a turn.
    pub(super) fn append(&mut self, batch: u64, records: Vec<Placed>) {
        match self.waiting.last_mut() {
            Some(last) if !last.is_rewrite => {
                last.batch = batch;
                last.records.extend(records);
            }
            _ => self.waiting.push(Job { batch, records, is_rewrite: false }),
        }
    }

    /// Has everything before `batch` replaced by `records`.
    pub(super) fn rewrite(&mut self, batch: u64, records: Vec<Placed>) {
        self.waiting.push(Job { batch, records, is_rewrite: true });
    }

    /// Inclusive: this batch and all before it are durable.
    pub(super) fn durable_batch(&self) -> u64 {
        self.durable_batch
    }

    /// Whether nothing is being written or waits to be.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_none() && self.waiting.is_empty()
    }

    /// Starts to write and sync what waits; false if there is nothing, or a sync runs.
    pub(super) fn start_sync(&mut self) -> bool {
        if self.running.is_some() || self.waiting.is_empty() {
            return false;
        }
        let job = self.waiting.remove(0);
        if !job.is_rewrite {
            self.write(&job.records);
        }
        self.running = Some(job);
        true
    }

    /// Writes entries behind the durable ones, over the seal if there is one.
    fn write(&mut self, records: &[Placed]) {
        self.bytes.truncate(self.end);
        self.entries.clear();
        let next = self.next;
        for ((place, record), sequence) in records.iter().zip(next..) {
            self.entries.push(self.bytes.len());
            let numbers = (sequence, next);
            log_format::write_record(
                &mut self.bytes,
                self.generation,
                numbers,
                Seat(*place as u32),
                record,
            )
            .expect("no record of a run comes near the limit of the format");
        }
    }

    /// The sync ends.
    pub(super) fn finish_sync(&mut self) -> Synced {
        let Some(mut job) = self.running.take() else { return Synced::default() };
        self.durable_batch = job.batch;
        if self.mutation == Some(Mutation::AcknowledgeWholeQueue) {
            self.durable_batch = self.waiting.last().map_or(job.batch, |last| last.batch);
        }
        if job.is_rewrite {
            if self.mutation == Some(Mutation::LoseRewrite) {
                let old =
                    Self { bytes: self.bytes.clone(), entries: Vec::new(), ..Self::default() };
                let (generation, first) = (self.generation, self.first);
                self.old = Some(Box::new(Self { generation, first, ..old }));
            }
            self.replace(&job.records);
            return Synced { records: Vec::new(), is_rewrite: true };
        }
        self.next += job.records.len() as u64;
        self.last_append = self.end;
        self.seal();
        Synced { records: std::mem::take(&mut job.records), is_rewrite: false }
    }

    fn replace(&mut self, records: &[Placed]) {
        self.generation += 1;
        self.first = self.next;
        self.bytes.clear();
        (self.end, self.last_append) = (0, 0);
        self.write(records);
        self.next += records.len() as u64;
        self.seal();
    }

    /// All that was written is durable; the seal says so.
    fn seal(&mut self) {
        self.is_sealed = true;
        (self.end, self.synced_end) = (self.bytes.len(), self.bytes.len());
        self.synced_below = self.next;
        self.bytes.extend(log_format::seal(self.generation, self.synced_below));
    }

    /// The process dies. What it wrote stays, but for the end of a write in progress; after a power
    /// cut any part of what was not synced is lost. What waited was never written.
    pub(super) fn crash(&mut self, is_power_cut: bool, random: &mut Random) {
        self.waiting.clear();
        if let Some(old) = self.old.take().filter(|_| is_power_cut) {
            (self.generation, self.first, self.bytes) = (old.generation, old.first, old.bytes);
            self.running = None;
            return;
        }
        if is_power_cut && self.synced_end < self.end {
            self.bytes.truncate(self.synced_end);
        }
        let is_append = self.running.take().is_some_and(|job| !job.is_rewrite);
        // The seal was never synced, and is the first thing that an append writes over.
        self.is_sealed &= !is_append && !is_power_cut;
        if !is_append {
            if is_power_cut && random.permille(500) {
                self.bytes.truncate(self.synced_end);
            }
            return;
        }
        if self.bytes.len() < self.end {
            return;
        }
        if is_power_cut {
            let ends = self.entries.iter().skip(1).copied().chain([self.bytes.len()]);
            let entries: Vec<(usize, usize)> = self.entries.iter().copied().zip(ends).collect();
            let kept_permille = random.pick([0, 500, 900]);
            for (start, end) in entries {
                if !random.permille(kept_permille) {
                    let cut = start + random.index(end - start);
                    self.bytes[cut..end].fill(0);
                }
            }
        } else {
            let written = self.bytes.len() - self.end;
            self.bytes.truncate(self.end + random.index(written + 1));
        }
    }

    /// A sync ends in an error, and the process stops; the machine has power. What was written can be
    /// read, and is no more durable than before.
    pub(super) fn fail(&mut self) {
        self.waiting.clear();
        self.is_sealed &= self.running.take().is_none_or(|job| job.is_rewrite);
    }

    /// Loses everything.
    pub(super) fn wipe(&mut self) {
        *self = Self { mutation: self.mutation, ..Self::default() };
    }

    /// Mutation: what is being written never reaches the disk, and nobody notices.
    pub(super) fn lose_running(&mut self) {
        let lost = self.bytes.get_mut(self.synced_end..);
        lost.into_iter().for_each(|bytes| bytes.fill(0));
    }

    /// Flips a bit of a record that is provably durable; false if there is none. (Without its seal the
    /// last append cannot be told from one that a crash interrupted.)
    pub(super) fn corrupt(&mut self, at_permille: u64, bit: u32) -> bool {
        let end = if self.is_sealed { self.synced_end } else { self.last_append };
        let at = (end as u64 * at_permille / 1000) as usize;
        let Some(byte) = self.bytes[..end].get_mut(at) else { return false };
        *byte ^= 1 << bit;
        self.is_corrupt = true;
        true
    }

    /// Reads the log, and cuts off what a crash left half-written.
    ///
    /// *Errors*: a record that was durable is damaged.
    pub(super) fn load(&mut self) -> Result<Loaded, Refusal> {
        let bytes = Bytes::copy_from_slice(&self.bytes);
        let scan: Scan<NodeRecord> = log_format::scan(&bytes, 0, self.generation, self.first)
            .map_err(|error| Refusal(error.to_string()))?;
        let torn_bytes = match scan.rest {
            Rest::Clean => 0,
            Rest::Torn(torn_bytes) => torn_bytes,
            Rest::Damaged(_) if self.mutation == Some(Mutation::CutOffDamage) => 0,
            Rest::Damaged(proof) => {
                let next = scan.next;
                return Err(Refusal(format!(
                    "record {next} is damaged; the entry at byte {proof} proves that it was durable"
                )));
            }
        };
        let survivors = scan.next.saturating_sub(self.synced_below.max(self.first));
        self.bytes.truncate(scan.end);
        self.last_append = 0;
        let before = (self.synced_end, self.synced_below);
        self.next = scan.next;
        self.seal();
        // The real log syncs what it found, and so does this one.
        if self.mutation == Some(Mutation::TrustPageCache) {
            (self.synced_end, self.synced_below) = before;
        }
        let records = scan.records.into_iter();
        Ok(Loaded {
            records: records.map(|tagged| (tagged.seat.0 as usize, tagged.record)).collect(),
            survivors: survivors as usize,
            torn_bytes,
        })
    }

    /// Records that are durable.
    pub(super) fn durable_count(&self) -> u64 {
        self.synced_below - self.first
    }

    /// Whether a bit of it was flipped.
    pub(super) fn is_corrupt(&self) -> bool {
        self.is_corrupt
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;
    use paxos::acceptor::AcceptorRecord;
    use paxos::slot::Slot;

    fn records(numbers: std::ops::Range<u64>) -> Vec<Placed> {
        let record = |n| (0, NodeRecord::Acceptor(AcceptorRecord::Persisted(Slot(n))));
        numbers.map(record).collect()
    }

    fn synced(numbers: std::ops::Range<u64>) -> Disk {
        let mut disk = Disk::default();
        disk.append(1, records(numbers));
        assert!(disk.start_sync());
        disk.finish_sync();
        disk
    }

    #[test]
    fn a_crash_loses_part_of_the_unsynced_tail_and_nothing_else() {
        let mut outcomes = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut random = Random::stream(seed, (Purpose::Disk, 0));
            let mut disk = synced(0..4);
            disk.append(2, records(4..8));
            assert!(disk.start_sync());
            disk.append(3, records(8..9));
            disk.crash(seed % 2 == 0, &mut random);
            let loaded = disk.load().unwrap();
            assert_eq!(loaded.records, records(0..4 + loaded.survivors as u64));
            outcomes.insert((loaded.survivors, loaded.torn_bytes > 0));
        }
        assert!(outcomes.len() > 6, "{outcomes:?}");
        assert!(outcomes.iter().all(|(survivors, _)| *survivors <= 4));
    }

    #[test]
    fn appends_that_wait_are_synced_together_and_a_rewrite_in_its_turn() {
        let mut disk = synced(0..4);
        disk.append(2, records(4..5));
        assert!(disk.start_sync());
        disk.append(3, records(5..6));
        disk.append(4, records(6..7));
        disk.rewrite(5, records(6..7));
        disk.append(6, records(7..8));
        assert_eq!(disk.finish_sync().records, records(4..5));
        assert!(disk.start_sync());
        assert_eq!(disk.finish_sync().records, records(5..7));
        assert_eq!(disk.durable_batch(), 4);
        assert!(disk.start_sync());
        assert!(disk.finish_sync().is_rewrite);
        assert!(disk.start_sync());
        disk.finish_sync();
        assert!(disk.is_idle());
        assert_eq!(disk.load().unwrap().records, records(6..8));
    }

    #[test]
    fn a_rewrite_that_a_crash_interrupts_changes_nothing() {
        let mut disk = synced(0..4);
        disk.rewrite(2, records(3..4));
        assert!(disk.start_sync());
        disk.crash(true, &mut Random::stream(1, (Purpose::Disk, 0)));
        assert_eq!(disk.load().unwrap().records, records(0..4));
    }

    #[test]
    fn what_a_failed_sync_left_is_read_back_and_synced() {
        for (mutation, expected) in [(None, 6), (Some(Mutation::TrustPageCache), 4)] {
            let mut disk = synced(0..4);
            disk.mutation = mutation;
            disk.append(2, records(4..6));
            assert!(disk.start_sync());
            disk.fail();
            let loaded = disk.load().unwrap();
            assert_eq!((loaded.records, loaded.survivors), (records(0..6), 2));
            disk.crash(true, &mut Random::stream(1, (Purpose::Disk, 0)));
            assert_eq!(disk.load().unwrap().records, records(0..expected));
        }
    }

    #[test]
    fn a_flipped_bit_is_refused() {
        for at_permille in 0..1000 {
            let mut disk = synced(0..4);
            assert!(disk.corrupt(at_permille, 3));
            disk.load().unwrap_err();
        }
    }
}
