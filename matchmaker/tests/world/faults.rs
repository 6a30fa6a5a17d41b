//! What breaks, and when.

use super::checks::Verdict;
use super::network::MS;
use super::places::PROCESSES;
use super::{Event, World};

/// Kinds of faults.
pub const KINDS: u64 = 9;

impl World {
    /// Breaks something of the kinds that this run has, and plans the next fault.
    pub(super) fn fault(&mut self) -> Verdict {
        let pause = self.random.within(10 * MS..self.fault_pause);
        self.push(pause, Event::Fault);
        let kind = self.random.within(0..KINDS);
        if self.kinds & (1 << kind) == 0 {
            return Ok(());
        }
        let anyone = self.random.index(PROCESSES);
        let leader = self.leading_process().unwrap_or(anyone);
        match kind {
            0 => return self.crash(anyone),
            1 => return self.crash(leader),
            2 if self.random.permille(300) => {
                return (0..PROCESSES).try_for_each(|index| self.crash(index));
            }
            2 | 3 => self.isolate(anyone),
            4 => self.isolate(leader),
            5 => self.cut_one_way(),
            6 => self.stall(leader),
            7 => self.sync_max = self.random.within(200..30 * MS),
            _ => self.network.redraw(&mut self.random),
        }
        Ok(())
    }

    pub(super) fn crash(&mut self, index: usize) -> Verdict {
        if !self.processes[index].is_up() {
            return Ok(());
        }
        self.note(format_args!("p{index} crashes"));
        self.summary.crashes += 1;
        let tokens: Vec<u64> = std::mem::take(&mut self.calls[index]).into_iter().collect();
        self.ghost.history.forget(&tokens);
        let survived = self.processes[index].disk.crash(&mut self.random);
        self.processes[index].crash();
        self.judge_records(index, survived)?;
        let is_quick = self.random.permille(500);
        let range = if is_quick { MS..20 * MS } else { 50 * MS..1500 * MS };
        let delay = self.random.within(range);
        self.push(delay, Event::Restart(index));
        Ok(())
    }

    fn isolate(&mut self, index: usize) {
        let until = self.now + self.random.within(20 * MS..1500 * MS);
        self.note(format_args!("p{index} is isolated until {} ms", until / MS));
        for other in 0..PROCESSES {
            self.network.cut(index, other, until);
            self.network.cut(other, index, until);
        }
    }

    fn cut_one_way(&mut self) {
        let (from, to) = (self.random.index(PROCESSES), self.random.index(PROCESSES));
        let until = self.now + self.random.within(20 * MS..2000 * MS);
        self.note(format_args!("p{from} does not reach p{to} until {} ms", until / MS));
        self.network.cut(from, to, until);
    }

    fn stall(&mut self, index: usize) {
        let until = self.now + self.random.within(10 * MS..1200 * MS);
        self.note(format_args!("p{index} stands still until {} ms", until / MS));
        self.processes[index].paused_until = until;
    }
}
