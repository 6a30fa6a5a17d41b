//! Ctrl-C ends a swarm early, with the summary of what has run; a second one ends the program.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGINT;
use signal_hook::flag;

/// The exit code of a program that was interrupted.
pub(super) const INTERRUPTED: u8 = 130;

/// A flag that the first Ctrl-C sets.
///
/// *Errors*: the system does not let signals be caught.
pub(super) fn watch() -> io::Result<Arc<AtomicBool>> {
    let is_over = Arc::new(AtomicBool::new(false));
    // In this order: the first signal finds the flag unset, and sets it.
    flag::register_conditional_shutdown(SIGINT, INTERRUPTED.into(), Arc::clone(&is_over))?;
    flag::register(SIGINT, Arc::clone(&is_over))?;
    Ok(is_over)
}
