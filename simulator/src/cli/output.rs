//! Standard output that may be closed at any time (`simulator run | head`): what was found counts, not who
//! reads it.

use std::io::{self, ErrorKind, Write};

/// Writes until the reader has gone, and nowhere from then on.
pub(super) struct Output<W> {
    inner: W,
    is_closed: bool,
}

impl<W> Output<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, is_closed: false }
    }

    /// What came of writing, or `nowhere` if the reader has gone.
    fn outcome<T>(&mut self, outcome: io::Result<T>, nowhere: T) -> io::Result<T> {
        match outcome {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(nowhere)
            }
            other => other,
        }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Ok(bytes.len());
        }
        let outcome = self.inner.write(bytes);
        self.outcome(outcome, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let outcome = self.inner.flush();
        self.outcome(outcome, ())
    }
}
