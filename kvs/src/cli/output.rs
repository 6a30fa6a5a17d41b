//! What the program prints. Nothing here panics when nobody reads it any more.

use std::fmt::Display;
use std::io::{self, Write};

use thiserror::Error;

use super::Outcome;

/// Whoever read the output has closed it, as `head` does when it has enough: no reason to complain.
#[derive(Debug, Error)]
#[error("nobody reads the output")]
pub(crate) struct OutputClosed;

/// The program did not do everything, and that is no error: the exit code says what it found.
#[derive(Debug, Error)]
#[error("{text}")]
pub(crate) struct Undone {
    /// The exit code. Errors have another one.
    pub(crate) code: u8,
    /// What was not done, and how it would be.
    pub(super) text: String,
}

/// Prints one line, or several.
///
/// *Errors*: [`OutputClosed`]; the output cannot be written to.
pub(super) fn print(text: impl Display) -> Outcome<()> {
    let mut output = io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(OutputClosed.into()),
        Err(error) => Err(format!("cannot write the output: {error}").into()),
    }
}

/// Tells how far something is, apart from the output.
pub(super) fn tell_progress(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints for an operator who may be watching. A server goes on if there is none.
pub(super) fn tell(text: impl Display) {
    let _ = print(text);
}
