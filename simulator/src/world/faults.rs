//! What strikes.

use super::disk::Disk;
use super::process::{Process, Status};
use super::protocol::{EventOf, Protocol, RecordOf};
use super::{Event, Verdict, Workload, World};
use crate::coverage::Situation;
use crate::mutation::Mutation;
use crate::plan::{Fault, Target};
use crate::properties;
use crate::random::Random;
use crate::trace::Kind;

/// A sync that takes longer than this has stalled.
const STALL_US: u64 = 900 * crate::MS;

/// A disk that is slow until some time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SlowDisk {
    /// The longest sync, in microseconds.
    pub(super) sync_us: u64,
    /// Exclusive.
    pub(super) until: u64,
    /// Whether it was used since.
    pub(super) is_felt: bool,
}

/// A disk of which the next sync fails.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailingDisk {
    /// Whether the machine loses power then.
    is_power_cut: bool,
    down_us: u64,
}

impl<W: Workload, P: Protocol<W>> World<W, P> {
    /// A fault of the plan strikes.
    pub(super) fn strike(&mut self, fault: Fault) -> Verdict {
        let kind = fault.kind();
        let struck = match fault.target() {
            Some(Target::Leader(process)) => format!(": p{}", self.struck(Target::Leader(process))),
            Some(Target::Process(_)) | None => String::new(),
        };
        self.note(None, Kind::Fault, format!("{fault}{struck}"));
        let is_felt = self.carry_out(fault)?;
        self.summary.faults[kind] += u64::from(is_felt);
        Ok(())
    }

    /// Whether the fault has an effect now: some wait for theirs, and are counted then.
    fn carry_out(&mut self, fault: Fault) -> Verdict<bool> {
        let is_felt = match fault {
            Fault::Crash { target, is_power_cut, down_us } => {
                let index = self.struck(target);
                let is_felt = self.processes[index].is_up();
                self.crash(index, is_power_cut, down_us)?;
                is_felt
            }
            Fault::CrashAll { is_power_cut, down_us, apart_us } => {
                self.crash_all(is_power_cut, down_us, apart_us)?
            }
            Fault::Isolate { target, for_us } => {
                let lonely = self.struck(target);
                self.cut_where(for_us, |from, to| from == lonely || to == lonely)
            }
            Fault::Deafen { target, for_us } => {
                let deaf = self.struck(target);
                self.cut_where(for_us, |_, to| to == deaf)
            }
            Fault::CutOneWay { from, to, for_us } => {
                self.cut_where(for_us, |one, other| (one, other) == (from, to))
            }
            Fault::Halves { members, for_us } => {
                let is_in = |process: usize| members & (1 << process) != 0;
                self.cut_where(for_us, |from, to| is_in(from) != is_in(to))
            }
            Fault::Chain { for_us } => self.cut_where(for_us, |from, to| from.abs_diff(to) > 1),
            Fault::Star { center, for_us } => {
                self.cut_where(for_us, |from, to| from != center && to != center)
            }
            Fault::SlowLink { from, to, extra_us, for_us } => {
                self.network.slow(from, to, extra_us, self.now + for_us);
                from != to
            }
            Fault::Weather { loss, repeats, late } => {
                self.network.weather = crate::plan::Weather { loss, repeats, late };
                loss + repeats + late > 0
            }
            Fault::Pause { target, for_us } => {
                let (index, until) = (self.struck(target), self.now + for_us);
                self.pause(index, until)
            }
            Fault::SlowDisk { target, sync_us, for_us } => {
                self.slow_disk(target, sync_us, self.now + for_us);
                false
            }
            Fault::FailSync { target, is_power_cut, down_us } => {
                let index = self.struck(target);
                self.failing_disks[index] = Some(FailingDisk { is_power_cut, down_us });
                false
            }
            Fault::Ambush { .. }
            | Fault::Straggler { .. }
            | Fault::Meddling { .. }
            | Fault::HiddenRound { .. }
            | Fault::FormerLife { .. } => {
                self.ambushes.wait(fault);
                false
            }
            Fault::Wipe { process } => {
                self.wipe(process);
                true
            }
            Fault::Corrupt { process, at_permille, bit } => {
                self.corrupt(process, at_permille, bit)?
            }
        };
        Ok(is_felt)
    }

    /// Every process crashes; each comes back `apart_us` after the one before. Whether one of them was up.
    fn crash_all(&mut self, is_power_cut: bool, down_us: u64, apart_us: u64) -> Verdict<bool> {
        let is_felt = self.processes.iter().any(Process::is_up);
        self.summary.coverage.meet(Situation::AllCrashed);
        for index in 0..self.processes.len() {
            self.crash(index, is_power_cut, down_us + index as u64 * apart_us)?;
        }
        Ok(is_felt)
    }

    /// Syncs take up to `sync_us` until then. It is felt with the next one.
    fn slow_disk(&mut self, target: Target, sync_us: u64, until: u64) {
        let index = self.struck(target);
        self.slow_disks[index] = SlowDisk { sync_us, until, is_felt: false };
        if let Some(recorder) = &mut self.recorder {
            recorder.slow_disk(self.now, index, until);
        }
    }

    /// A fault that waited has its effect.
    pub(super) fn feel(&mut self, kind: &str) {
        let place = Fault::KINDS.iter().position(|other| *other == kind);
        self.summary.faults[place.expect("it is one of the kinds")] += 1;
    }

    fn struck(&self, target: Target) -> usize {
        match target {
            Target::Process(process) => process,
            Target::Leader(process) => self.leading_process().unwrap_or(process),
        }
    }

    /// Whether there is such a link.
    fn cut_where(&mut self, for_us: u64, is_cut: impl Fn(usize, usize) -> bool) -> bool {
        let mut is_felt = false;
        let (count, until) = (self.processes.len(), self.now + for_us);
        for from in 0..count {
            for to in (0..count).filter(|to| *to != from && is_cut(from, *to)) {
                self.network.cut(from, to, until);
                is_felt = true;
                if let Some(recorder) = &mut self.recorder {
                    recorder.cut(self.now, from, to, until);
                }
            }
        }
        is_felt
    }

    /// A process stands still, if it runs, and longer than that if it was to stand still for longer.
    fn pause(&mut self, index: usize, until: u64) -> bool {
        let process = &mut self.processes[index];
        if !process.is_up() {
            return false;
        }
        process.paused_until = process.paused_until.max(until);
        let until = process.paused_until;
        if let Some(recorder) = &mut self.recorder {
            recorder.paused(self.now, index, until);
        }
        true
    }

    /// All that stand still go on, and notice what has ended in the meantime.
    pub(super) fn end_pauses(&mut self) {
        let now = self.now;
        let is_paused: Vec<bool> =
            self.processes.iter().map(|process| process.paused_until > now).collect();
        let is_put_off = |event: &EventOf<W, P>| match event {
            Event::Synced { process, .. } => is_paused[*process],
            _ => false,
        };
        let late = self.queue.iter().filter(|(_, event)| is_put_off(event)).map(|(at, _)| *at);
        for at in late.collect::<Vec<_>>() {
            if let Some(event) = self.queue.remove(&at) {
                self.push(0, event);
            }
        }
        self.processes.iter_mut().for_each(|process| process.paused_until = 0);
    }

    /// Syncs that have stalled end.
    pub(super) fn end_stalls(&mut self) {
        let soon = (self.now + STALL_US, u64::MAX);
        let late = self.queue.range(soon..);
        let late =
            late.filter(|(_, event)| matches!(event, Event::Synced { .. })).map(|(at, _)| *at);
        for at in late.collect::<Vec<_>>() {
            if let Some(event) = self.queue.remove(&at) {
                self.push(0, event);
            }
        }
    }

    /// A process dies, and comes back after a while.
    ///
    /// *Errors*: none of its own; it is a step of the run like others.
    pub fn crash(&mut self, index: usize, is_power_cut: bool, down_us: u64) -> Verdict {
        self.kill(index, is_power_cut);
        self.push(down_us, Event::Start(index));
        Ok(())
    }

    pub(super) fn kill(&mut self, index: usize, is_power_cut: bool) {
        self.ambushes.forget(index);
        self.end_life(index, |disk, random| disk.crash(is_power_cut, random));
    }

    fn end_life(
        &mut self,
        index: usize,
        lose: impl FnOnce(&mut Disk<RecordOf<W, P>>, &mut Random),
    ) {
        if !self.processes[index].is_up() {
            return;
        }
        let is_busy = !self.processes[index].disk.is_idle();
        self.summary.coverage.crash(index, is_busy);
        if self.processes[index].is_within_snapshot() {
            self.summary.coverage.meet(Situation::CrashWithinSnapshot);
        }
        self.note(Some(index), Kind::Crash, "dies");
        self.lose_clients(index);
        let process = &mut self.processes[index];
        lose(&mut process.disk, &mut self.disk_random[index]);
        process.crash();
        self.failing_disks[index] = None;
        if let Some(recorder) = &mut self.recorder {
            recorder.lead(self.now, index, None);
        }
    }

    /// A sync ends in an error: what the disk holds is unknown, so the process stops.
    pub(super) fn fail_sync(&mut self, index: usize, failing: FailingDisk) -> Verdict {
        self.summary.coverage.meet(Situation::SyncFailed);
        self.note(Some(index), Kind::Fault, "a sync fails: the process stops");
        if failing.is_power_cut {
            return self.crash(index, true, failing.down_us);
        }
        self.summary.coverage.meet(Situation::SyncFailedWithPower);
        self.end_life(index, |disk, _| disk.fail());
        self.push(failing.down_us, Event::Start(index));
        Ok(())
    }

    /// A process loses its directory. It would come back as another incarnation, and its peers do not
    /// take that for the node that they know, so it takes no part any more.
    fn wipe(&mut self, index: usize) {
        self.kill(index, true);
        self.processes[index].disk.wipe();
        if self.mutation == Some(Mutation::RejoinWiped) {
            return self.push(crate::MS, Event::Start(index));
        }
        self.summary.coverage.meet(Situation::DirectoryWiped);
        self.processes[index].status = Status::Lost("its directory was wiped".into());
    }

    /// Whether there was a bit to flip.
    fn corrupt(&mut self, index: usize, at_permille: u64, bit: u32) -> Verdict<bool> {
        if matches!(self.processes[index].status, Status::Lost(_)) {
            properties::violated("lost twice", format!("p{index} is lost twice"))?;
        }
        self.kill(index, false);
        let is_felt = self.processes[index].disk.corrupt(at_permille, bit);
        self.push(crate::MS, Event::Start(index));
        Ok(is_felt)
    }

    /// Faults and wishes stop, what is broken works again, and what is down comes back.
    pub(super) fn stop_faults(&mut self) {
        self.queue.retain(|_, event| {
            !matches!(event, Event::Strike(_) | Event::Wish(_) | Event::Kill { .. })
        });
        self.ambushes.clear();
        self.network.heal();
        self.slow_disks.fill(SlowDisk::default());
        self.failing_disks.fill(None);
        self.end_pauses();
        self.end_stalls();
        for index in 0..self.processes.len() {
            self.push(0, Event::Start(index));
            // A turn that was put off until the end of a pause comes now.
            self.processes[index].next_turn = None;
            self.schedule(index);
        }
    }
}
