//! Deleting segments that nobody needs, beside the log: a file system may take its time for large ones.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

/// A thread that deletes segments. Dropping it waits until it is done.
#[derive(Debug)]
pub(super) struct Deletion {
    /// `None` once it was joined.
    thread: Option<JoinHandle<()>>,
}

impl Deletion {
    /// Begins to delete the files at `paths`. What cannot be deleted is only lost space, and is tried
    /// again when the log is next opened.
    pub(super) fn start(paths: Vec<PathBuf>) -> io::Result<Self> {
        let delete = move || {
            for path in paths {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        tracing::warn!(file = %path.display(), %error, "a segment is left over");
                    }
                    _ => {}
                }
            }
        };
        let thread = thread::Builder::new().name("log-delete".into()).spawn(delete)?;
        Ok(Self { thread: Some(thread) })
    }
}

impl Drop for Deletion {
    fn drop(&mut self) {
        // A panic in there would only leave files behind.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
