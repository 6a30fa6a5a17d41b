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

    /// Replaces everything by `records`, and returns once that is durable. Atomic: after a crash the
    /// log holds all of the old records or all of the new ones.
    fn rewrite(&mut self, records: &[Tagged<R>]) -> io::Result<()>;

    /// Size of the log in bytes: what `load` would read.
    fn size_bytes(&self) -> u64;
}
