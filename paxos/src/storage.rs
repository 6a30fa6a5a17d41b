//! Where records become durable: the trait that every log implements.

use std::io;

use crate::actor::Seat;

/// A durable record and the actor that it belongs to. All actors of a process share one log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tagged<R> {
    /// The actor that wrote it.
    pub seat: Seat,
    /// The fact.
    pub record: R,
}

/// A log of records that survives a crash.
///
/// *Errors* of every function are final: the caller stops the process. A failed sync is never
/// retried, because what the disk holds is unknown after it. A crash is a case that the protocols
/// are proven for; a half-kept promise is not.
pub trait Storage<R> {
    /// All records, in the order in which they were appended. Called once, before anything else.
    ///
    /// A tail that a crash left half-written is cut off: nothing was promised on it. Damage before
    /// the tail is an error, because something was.
    fn load(&mut self) -> io::Result<Vec<Tagged<R>>>;

    /// Appends `records` and returns once they are durable. One sync, however many records.
    fn append(&mut self, records: &[Tagged<R>]) -> io::Result<()>;

    /// Begins a new part of the log with `records`, and returns once they are durable. What is before
    /// them stays until [`forget_before_checkpoint`](Self::forget_before_checkpoint).
    ///
    /// *Cost*: that of an append.
    fn checkpoint(&mut self, records: &[Tagged<R>]) -> io::Result<()>;

    /// Forgets all that is before the last checkpoint. Atomic: after a crash the log holds all of it or
    /// nothing of it. Does nothing if there was no checkpoint since the log was loaded.
    ///
    /// *Cost*: does not depend on how much is forgotten.
    fn forget_before_checkpoint(&mut self) -> io::Result<()>;

    /// Size of the log in bytes: what `load` would read. Less after something was forgotten.
    fn size_bytes(&self) -> u64;
}
