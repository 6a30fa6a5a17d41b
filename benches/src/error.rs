//! What ends a measurement: one kind of error, whose text names the cause and the cure.

use std::fmt::Display;
use std::io;

use thiserror::Error;

/// Why a measurement could not be made, for the person who asked for it.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct BenchError(String);

/// What most functions of the program return.
pub(crate) type Outcome<T> = Result<T, BenchError>;

impl BenchError {
    pub(crate) fn new(text: impl Display) -> Self {
        Self(text.to_string())
    }
}

impl From<io::Error> for BenchError {
    fn from(error: io::Error) -> Self {
        Self::new(error)
    }
}

impl From<serde_json::Error> for BenchError {
    fn from(error: serde_json::Error) -> Self {
        Self::new(error)
    }
}
