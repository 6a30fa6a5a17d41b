//! Ctrl-C and SIGTERM end a measurement in order: what it has started is stopped, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::{BenchError, Outcome};

/// Whether somebody wants the program to end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Begins to catch the signals. A second one ends the program at once.
    ///
    /// *Errors*: the system does not let signals be caught.
    pub(crate) fn watch() -> Outcome<Self> {
        const INTERRUPTED: i32 = 130;
        let is_over = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset, and sets it.
            flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&is_over))?;
            flag::register(signal, Arc::clone(&is_over))?;
        }
        Ok(Self(is_over))
    }

    /// *Errors*: the program shall end.
    pub(crate) fn check(&self) -> Outcome<()> {
        match self.0.load(Ordering::Relaxed) {
            true => Err(BenchError::new("interrupted: nothing was written")),
            false => Ok(()),
        }
    }
}
