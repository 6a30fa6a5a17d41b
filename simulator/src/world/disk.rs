//! The disk of a process: the bytes of a log, of which a crash may lose what was not synced.
//!
//! It works as the disk thread of a real host does: what turns hand over while a sync runs is written
//! and synced as one append afterwards. The bytes are those of the real log (`paxos::log_format`), and
//! are read by the same code, so that a torn tail and a flipped bit are met as they are in production.

use bytes::Bytes;
use paxos::actor::Seat;
use paxos::log_format::{self, Rest, Scan};
use paxos::wire::{Decode, Encode, Frame};

use crate::mutation::Mutation;
use crate::random::Random;

/// A record and the place of the actor that wrote it.
pub(super) type Placed<R> = (usize, R);

/// What is done with the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Records are added.
    Append,
    /// The same, in a new segment.
    Checkpoint,
    /// All segments before that of the last checkpoint go.
    Forget,
}

/// Work for the disk, until it is durable.
#[derive(Clone, Debug)]
struct Job<R> {
    kind: Kind,
    /// Inclusive: this batch and all before it are durable afterwards.
    batch: u64,
    records: Vec<Placed<R>>,
}

/// A segment that nothing is added to any more. All of it is durable.
#[derive(Clone, Debug)]
struct Closed {
    bytes: Vec<u8>,
    /// Its salt.
    generation: u32,
    /// The number of its first record.
    first: u64,
}

/// Why a process cannot start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub String);

/// What a process finds when it starts.
#[derive(Debug)]
pub(super) struct Loaded<R> {
    /// All records of the log.
    pub records: Vec<Placed<R>>,
    /// Those of them that a crash left and of which nobody knew that they are durable.
    pub survivors: usize,
    /// Bytes of an interrupted append that were cut off.
    pub torn_bytes: usize,
}

/// What became durable.
#[derive(Debug)]
pub(super) struct Synced<R> {
    /// Records of appends.
    pub records: Vec<Placed<R>>,
    /// Whether what was before the last checkpoint is gone.
    pub has_forgotten: bool,
}

/// One log.
#[derive(Clone, Debug)]
pub(super) struct Disk<R> {
    /// Segments before the present one.
    closed: Vec<Closed>,
    /// The present segment, as a reader sees it while the machine has power.
    bytes: Vec<u8>,
    /// Exclusive: where the next record goes.
    end: usize,
    /// Exclusive: bytes below survive a power cut.
    synced_end: usize,
    /// The number of the next record.
    next: u64,
    /// Exclusive: records below are durable.
    synced_below: u64,
    /// The salt of the present segment.
    generation: u32,
    /// The number of its first record.
    first: u64,
    /// Where the last append begins that ended.
    last_append: usize,
    /// Whether the seal behind it is certainly there: it proves that the append was durable.
    is_sealed: bool,
    /// Where the entries of the running append begin.
    entries: Vec<usize>,
    /// What is being written and synced.
    running: Option<Job<R>>,
    /// What waits for that.
    waiting: Vec<Job<R>>,
    /// Inclusive: this batch and all before it are durable.
    durable_batch: u64,
    /// Whether a bit was flipped.
    is_corrupt: bool,
    /// Whether the unsynced end of the log is a checkpoint: it says nothing new.
    is_checkpoint: bool,
    /// Mutation: the present segment was never synced.
    is_unsynced: bool,
    /// Mutation: which bug the disk has.
    pub mutation: Option<Mutation>,
}

impl<R> Default for Disk<R> {
    fn default() -> Self {
        Self {
            closed: Vec::new(),
            bytes: Vec::new(),
            end: 0,
            synced_end: 0,
            next: 0,
            synced_below: 0,
            generation: 0,
            first: 0,
            last_append: 0,
            is_sealed: false,
            entries: Vec::new(),
            running: None,
            waiting: Vec::new(),
            durable_batch: 0,
            is_corrupt: false,
            is_checkpoint: false,
            is_unsynced: false,
            mutation: None,
        }
    }
}

impl<R: Encode + Decode<Frame>> Disk<R> {
    /// Hands over the records of a turn.
    pub(super) fn append(&mut self, batch: u64, records: Vec<Placed<R>>) {
        match self.waiting.last_mut() {
            Some(last) if last.kind == Kind::Append => {
                last.batch = batch;
                last.records.extend(records);
            }
            _ => self.waiting.push(Job { kind: Kind::Append, batch, records }),
        }
    }

    /// Has a new segment begun with `records`.
    pub(super) fn checkpoint(&mut self, batch: u64, records: Vec<Placed<R>>) {
        self.waiting.push(Job { kind: Kind::Checkpoint, batch, records });
    }

    /// Has all segments before that of the last checkpoint deleted, once everything that was handed
    /// over is durable.
    pub(super) fn forget(&mut self, batch: u64) {
        self.waiting.push(Job { kind: Kind::Forget, batch, records: Vec::new() });
    }

    /// Bytes of all durable records.
    pub(super) fn size_bytes(&self) -> u64 {
        let closed: usize = self.closed.iter().map(|segment| segment.bytes.len()).sum();
        (closed + self.end) as u64
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
        match job.kind {
            Kind::Append => self.write(&job.records),
            Kind::Checkpoint => {
                self.close_segment();
                self.write(&job.records);
            }
            Kind::Forget => {}
        }
        self.is_checkpoint = job.kind == Kind::Checkpoint;
        self.running = Some(job);
        true
    }

    fn close_segment(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.truncate(self.end);
        self.closed.push(Closed { bytes, generation: self.generation, first: self.first });
        self.generation += 1;
        self.first = self.next;
        (self.end, self.synced_end, self.last_append) = (0, 0, 0);
    }

    /// Writes entries behind the durable ones, over the seal if there is one.
    fn write(&mut self, records: &[Placed<R>]) {
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
    pub(super) fn finish_sync(&mut self) -> Synced<R> {
        let Some(mut job) = self.running.take() else {
            return Synced { records: Vec::new(), has_forgotten: false };
        };
        self.durable_batch = job.batch;
        if self.mutation == Some(Mutation::AcknowledgeWholeQueue) {
            self.durable_batch = self.waiting.last().map_or(job.batch, |last| last.batch);
        }
        if job.kind == Kind::Forget {
            self.closed.clear();
            return Synced { records: Vec::new(), has_forgotten: true };
        }
        self.next += job.records.len() as u64;
        self.last_append = self.end;
        self.seal();
        if std::mem::take(&mut self.is_checkpoint) {
            self.is_unsynced = self.mutation == Some(Mutation::LoseCheckpoint);
            job.records.clear();
        }
        Synced { records: std::mem::take(&mut job.records), has_forgotten: false }
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
        if std::mem::take(&mut self.is_unsynced) && is_power_cut {
            self.bytes.clear();
            (self.end, self.synced_end, self.running) = (0, 0, None);
            return;
        }
        if is_power_cut && self.synced_end < self.end {
            self.bytes.truncate(self.synced_end);
        }
        let job = self.running.take().map(|job| job.kind);
        // Another first segment is named by one rename, which the crash finds done or not.
        if job == Some(Kind::Forget) && random.permille(500) {
            self.closed.clear();
        }
        let is_append = matches!(job, Some(Kind::Append | Kind::Checkpoint));
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
        self.is_sealed &= self.running.take().is_none_or(|job| job.kind == Kind::Forget);
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
        let closed: usize = self.closed.iter().map(|segment| segment.bytes.len()).sum();
        let end = if self.is_sealed { self.synced_end } else { self.last_append };
        let mut at = ((closed + end) as u64 * at_permille / 1000) as usize;
        let segments = self.closed.iter_mut().map(|segment| &mut segment.bytes[..]);
        let mut byte = None;
        for segment in segments.chain([&mut self.bytes[..end]]) {
            if at < segment.len() {
                byte = segment.get_mut(at);
                break;
            }
            at -= segment.len();
        }
        let Some(byte) = byte else { return false };
        *byte ^= 1 << bit;
        self.is_corrupt = true;
        true
    }

    /// Reads the log, and cuts off what a crash left half-written.
    ///
    /// *Errors*: a record that was durable is damaged.
    pub(super) fn load(&mut self) -> Result<Loaded<R>, Refusal> {
        let mut records = Vec::new();
        let nexts = self.closed.iter().skip(1).map(|segment| segment.first).chain([self.first]);
        for (segment, next) in self.closed.iter().zip(nexts) {
            let bytes = Bytes::copy_from_slice(&segment.bytes);
            let scan: Scan<R> = log_format::scan(&bytes, 0, segment.generation, segment.first)
                .map_err(|error| Refusal(error.to_string()))?;
            records.extend(scan.records);
            // Records of the next segment prove that all of this one was durable.
            if scan.next != next || scan.rest != Rest::Clean {
                if self.mutation == Some(Mutation::CutOffDamage) {
                    break;
                }
                return Err(Refusal(format!("record {} is damaged", scan.next)));
            }
        }
        let bytes = Bytes::copy_from_slice(&self.bytes);
        let scan: Scan<R> = log_format::scan(&bytes, 0, self.generation, self.first)
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
        let is_new = !std::mem::take(&mut self.is_checkpoint);
        let unsynced = scan.next.saturating_sub(self.synced_below.max(self.first));
        let survivors = if is_new { unsynced } else { 0 };
        self.bytes.truncate(scan.end);
        self.last_append = 0;
        let before = (self.synced_end, self.synced_below);
        self.next = scan.next;
        self.seal();
        // The real log syncs what it found, and so does this one.
        if self.mutation == Some(Mutation::TrustPageCache) {
            (self.synced_end, self.synced_below) = before;
        }
        records.extend(scan.records);
        Ok(Loaded {
            records: records
                .into_iter()
                .map(|tagged| (tagged.seat.0 as usize, tagged.record))
                .collect(),
            survivors: survivors as usize,
            torn_bytes,
        })
    }

    /// Records that are durable.
    pub(super) fn durable_count(&self) -> u64 {
        self.synced_below - self.closed.first().map_or(self.first, |segment| segment.first)
    }

    /// Whether a bit of it was flipped.
    pub(super) fn is_corrupt(&self) -> bool {
        self.is_corrupt
    }
}

#[cfg(test)]
mod tests;
