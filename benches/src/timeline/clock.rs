//! The time of a script, since the beginning of the measured part.

use std::time::{Duration, Instant};

use super::Happening;
use super::event::{Event, Script};
use crate::error::{BenchError, Outcome};
use crate::interrupt::Interrupt;

/// A wait is cut into pieces of this length, in each of which an interruption is noticed.
const NOTICE_PERIOD: Duration = Duration::from_millis(20);

/// Tells the time of a script, and whether it shall end early.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// When the measured part begins.
    start: Instant,
    interrupt: Interrupt,
}

impl Clock {
    pub(crate) fn new(start: Instant, interrupt: &Interrupt) -> Self {
        Self { start, interrupt: interrupt.clone() }
    }

    /// Time since the beginning.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// *Errors*: the program shall end.
    pub(super) fn check(&self) -> Outcome<()> {
        self.interrupt.check()
    }

    /// *Errors*: the program shall end.
    pub(super) fn wait_until(&self, at: Duration) -> Outcome<()> {
        while self.now() < at {
            self.check()?;
            std::thread::sleep(NOTICE_PERIOD.min(at.saturating_sub(self.now())));
        }
        Ok(())
    }

    /// Has each event of a script made at its time, one after the other.
    ///
    /// *Errors*: one did not work out; the text says which.
    pub(super) fn perform(
        &self,
        script: &Script,
        mut make_happen: impl FnMut(&Event) -> Outcome<Happening>,
    ) -> Outcome<Vec<Happening>> {
        let happening = |event: &Event| {
            self.wait_until(event.at)?;
            make_happen(event).map_err(|error| {
                BenchError::new(format_args!("{} at {:?}: {error}", event.action, event.at))
            })
        };
        script.events().iter().map(happening).collect()
    }
}
