//! What strikes.

use super::ambush::Ambush;
use super::process::Status;
use super::{Event, Verdict, Workload, World};
use crate::coverage::Situation;
use crate::mutation::Mutation;
use crate::plan::{Fault, Target};
use crate::properties;
use crate::trace::Kind;

impl<W: Workload> World<W> {
    /// A fault of the plan strikes.
    pub(super) fn strike(&mut self, fault: Fault) -> Verdict {
        self.summary.faults[fault.kind()] += 1;
        self.note(None, Kind::Fault, fault.to_string());
        let all = 0..self.processes.len();
        match fault {
            Fault::Crash { target, is_power_cut, down_us } => {
                return self.crash(self.struck(target), is_power_cut, down_us);
            }
            Fault::CrashAll { is_power_cut, down_us, apart_us } => {
                self.summary.coverage.meet(Situation::AllCrashed);
                for index in all {
                    self.crash(index, is_power_cut, down_us + index as u64 * apart_us)?;
                }
            }
            Fault::Isolate { target, for_us } => {
                let lonely = self.struck(target);
                self.cut_where(for_us, |from, to| from == lonely || to == lonely);
            }
            Fault::Deafen { target, for_us } => {
                let deaf = self.struck(target);
                self.cut_where(for_us, |_, to| to == deaf);
            }
            Fault::CutOneWay { from, to, for_us } => {
                self.cut_where(for_us, |one, other| (one, other) == (from, to));
            }
            Fault::Halves { members, for_us } => {
                let is_in = |process: usize| members & (1 << process) != 0;
                self.cut_where(for_us, |from, to| is_in(from) != is_in(to));
            }
            Fault::Chain { for_us } => self.cut_where(for_us, |from, to| from.abs_diff(to) > 1),
            Fault::Star { center, for_us } => {
                self.cut_where(for_us, |from, to| from != center && to != center);
            }
            Fault::SlowLink { from, to, extra_us, for_us } => {
                self.network.slow(from, to, extra_us, self.now + for_us);
            }
            Fault::Weather { loss, repeats, late } => {
                self.network.weather = crate::plan::Weather { loss, repeats, late };
            }
            Fault::Pause { target, for_us } => {
                let index = self.struck(target);
                self.processes[index].paused_until = self.now + for_us;
                self.trace_pause(index, self.now + for_us);
            }
            Fault::SlowDisk { target, sync_us, for_us } => {
                let index = self.struck(target);
                self.slow_disks[index] = (sync_us, self.now + for_us);
                if let Some(recorder) = &mut self.recorder {
                    recorder.slow_disk(self.now, index, self.now + for_us);
                }
            }
            Fault::FailSync { target, down_us } => {
                let index = self.struck(target);
                self.failing_disks[index] = Some(down_us);
            }
            Fault::Ambush { moment, reaches, after_us, down_us } => {
                self.ambushes.lay(Ambush { moment, reaches, after_us, down_us });
            }
            Fault::Wipe { process } => return self.wipe(process),
            Fault::Corrupt { process, at_permille, bit } => {
                return self.corrupt(process, at_permille, bit);
            }
        }
        Ok(())
    }

    fn struck(&self, target: Target) -> usize {
        match target {
            Target::Process(process) => process,
            Target::Leader(process) => self.leading_process().unwrap_or(process),
        }
    }

    fn cut_where(&mut self, for_us: u64, is_cut: impl Fn(usize, usize) -> bool) {
        let (count, until) = (self.processes.len(), self.now + for_us);
        for from in 0..count {
            for to in (0..count).filter(|to| *to != from && is_cut(from, *to)) {
                self.network.cut(from, to, until);
                if let Some(recorder) = &mut self.recorder {
                    recorder.cut(self.now, from, to, until);
                }
            }
        }
    }

    fn trace_pause(&mut self, index: usize, until: u64) {
        if let Some(recorder) = &mut self.recorder {
            recorder.paused(self.now, index, until);
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
        if !self.processes[index].is_up() {
            return;
        }
        let is_busy = !self.processes[index].disk.is_idle();
        self.summary.coverage.crash(index, is_busy);
        self.note(Some(index), Kind::Crash, "dies");
        self.lose_clients(index);
        let process = &mut self.processes[index];
        let random = &mut self.disk_random[index];
        process.disk.crash(is_power_cut, random);
        process.crash();
        self.failing_disks[index] = None;
        if let Some(recorder) = &mut self.recorder {
            recorder.lead(self.now, index, None);
        }
    }

    /// A sync ends in an error: what the disk holds is unknown, so the process stops.
    pub(super) fn fail_sync(&mut self, index: usize, down_us: u64) -> Verdict {
        self.summary.coverage.meet(Situation::SyncFailed);
        self.note(Some(index), Kind::Fault, "a sync fails: the process stops");
        self.crash(index, true, down_us)
    }

    /// A process loses its directory. It would come back as another incarnation, and its peers do not
    /// take that for the node that they know, so it takes no part any more.
    fn wipe(&mut self, index: usize) -> Verdict {
        self.kill(index, true);
        self.processes[index].disk.wipe();
        if self.mutation == Some(Mutation::RejoinWiped) {
            self.push(crate::MS, Event::Start(index));
            return Ok(());
        }
        self.summary.coverage.meet(Situation::DirectoryWiped);
        self.processes[index].status = Status::Lost("its directory was wiped".into());
        Ok(())
    }

    fn corrupt(&mut self, index: usize, at_permille: u64, bit: u32) -> Verdict {
        if matches!(self.processes[index].status, Status::Lost(_)) {
            return properties::violated(format!("p{index} is lost twice"));
        }
        self.kill(index, false);
        self.processes[index].disk.corrupt(at_permille, bit);
        self.push(crate::MS, Event::Start(index));
        Ok(())
    }
}
