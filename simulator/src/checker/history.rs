//! What clients did and saw.
//!
//! A history holds operations in no particular order; only their time stamps relate them. One
//! operation precedes another if it ended *before* the other started; with equal stamps they count
//! as concurrent, so that a coarse clock can hide a violation and never invents one. Stamps may be
//! simulated time, the counter of a [`Clock`], or nanoseconds of one machine's monotonic clock: all
//! that matters is that the start is taken before the request can leave and the end after the reply
//! has arrived, all by the same clock.
//!
//! The outcome of an operation is unknown until something better is recorded. A client that timed
//! out, crashed, or whose thread panicked therefore leaves the right history behind by doing
//! nothing. Clients are names for the reader: the checker does not mind one that pipelines.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A name for the client that invoked an operation; only explanations use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// A point in time, in any unit, comparable with the other stamps of the same history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {}", self.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is known of the end of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<R> {
    /// It took effect exactly once, between its start and `end`, and answered `reply`.
    Returned {
        /// What the client was told.
        reply: R,
        /// When the client was told, inclusive.
        end: Timestamp,
    },
    /// It certainly did not take effect and never will: it was refused or never sent.
    Failed,
    /// It takes effect at any time after its start, at most once, or never.
    Unknown,
}

/// One operation of one client on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<K, I, R> {
    /// Who invoked it.
    pub client: ClientId,
    /// The object it acts on. Objects are independent: an operation touches no other.
    pub key: K,
    /// What was asked.
    pub input: I,
    /// When it was invoked, inclusive.
    pub start: Timestamp,
    /// How it ended.
    pub outcome: Outcome<R>,
}

impl<K: fmt::Debug, I: fmt::Debug, R: fmt::Debug> fmt::Display for Operation<K, I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, key, input, start, outcome } = self;
        match outcome {
            Outcome::Returned { reply, end } => {
                write!(f, "[{start}..{end}] {client}: {key:?} {input:?} -> {reply:?}")
            }
            Outcome::Failed => write!(f, "[{start}..] {client}: {key:?} {input:?} failed"),
            Outcome::Unknown => write!(f, "[{start}..] {client}: {key:?} {input:?} -> ?"),
        }
    }
}

/// Why an operation cannot be part of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryError {
    /// The response carries a stamp before that of the invocation.
    EndBeforeStart {
        /// The stamp of the invocation.
        start: Timestamp,
        /// The stamp of the response.
        end: Timestamp,
    },
    /// The call was not invoked through a recording of this client.
    NoSuchCall,
    /// The call has an outcome already.
    AlreadyEnded,
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndBeforeStart { start, end } => {
                write!(f, "the operation ends at {end}, before it starts at {start}")
            }
            Self::NoSuchCall => f.write_str("the call belongs to another client"),
            Self::AlreadyEnded => f.write_str("the call has an outcome already"),
        }
    }
}

impl std::error::Error for HistoryError {}

/// A counter that many threads share to stamp their operations.
///
/// *Guarantee*: if one call of [`Clock::now`] returns before another begins, its stamp is smaller.
#[derive(Debug, Default)]
pub struct Clock {
    /// The next stamp, strictly increasing.
    next: AtomicU64,
}

impl Clock {
    /// A clock that starts at zero.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: AtomicU64::new(0) }
    }

    /// A stamp that no other call returns.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.next.fetch_add(1, Ordering::SeqCst))
    }
}

/// Names an operation in the [`Recording`] that invoked it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The client of the recording.
    client: ClientId,
    /// The position in the recording.
    index: usize,
}

/// The operations of one client, filled by one thread and then added to a [`History`].
#[derive(Clone, Debug)]
pub struct Recording<K, I, R> {
    /// Who invokes.
    client: ClientId,
    /// In the order of invocation.
    operations: Vec<Operation<K, I, R>>,
}

impl<K, I, R> Recording<K, I, R> {
    /// An empty recording of `client`.
    #[must_use]
    pub const fn new(client: ClientId) -> Self {
        Self { client, operations: Vec::new() }
    }

    /// Records that an operation begins; call it before the request can leave the client.
    ///
    /// The outcome is [`Outcome::Unknown`] until the call is said to have returned or failed.
    pub fn invoke(&mut self, key: K, input: I, start: Timestamp) -> Call {
        let call = Call { client: self.client, index: self.operations.len() };
        let outcome = Outcome::Unknown;
        self.operations.push(Operation { client: self.client, key, input, start, outcome });
        call
    }

    /// Records that `call` returned `reply`; stamp it after the reply has arrived.
    ///
    /// # Errors
    /// The call is of another client or has ended, or `end` is before its start.
    pub fn returned(&mut self, call: Call, reply: R, end: Timestamp) -> Result<(), HistoryError> {
        let operation = self.open(call)?;
        let start = operation.start;
        if end < start {
            return Err(HistoryError::EndBeforeStart { start, end });
        }
        operation.outcome = Outcome::Returned { reply, end };
        Ok(())
    }

    /// Records that `call` certainly does not take effect, now or later.
    ///
    /// # Errors
    /// The call is of another client or has ended.
    pub fn failed(&mut self, call: Call) -> Result<(), HistoryError> {
        self.open(call)?.outcome = Outcome::Failed;
        Ok(())
    }

    /// The operation of a call that has no outcome yet.
    fn open(&mut self, call: Call) -> Result<&mut Operation<K, I, R>, HistoryError> {
        if call.client != self.client {
            return Err(HistoryError::NoSuchCall);
        }
        let operation = self.operations.get_mut(call.index).ok_or(HistoryError::NoSuchCall)?;
        match operation.outcome {
            Outcome::Unknown => Ok(operation),
            Outcome::Returned { .. } | Outcome::Failed => Err(HistoryError::AlreadyEnded),
        }
    }
}

/// Operations of any number of clients on any number of keys.
#[derive(Clone, Debug)]
pub struct History<K, I, R> {
    /// In the order of addition; every returned one ends no earlier than it starts.
    operations: Vec<Operation<K, I, R>>,
}

impl<K, I, R> Default for History<K, I, R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, I, R> History<K, I, R> {
    /// A history without operations.
    #[must_use]
    pub const fn new() -> Self {
        Self { operations: Vec::new() }
    }

    /// Adds what one thread recorded. Several recordings of one client are welcome.
    pub fn add(&mut self, recording: Recording<K, I, R>) {
        self.operations.extend(recording.operations);
    }

    /// Adds one operation, at any time and in any order.
    ///
    /// # Errors
    /// The operation ends before it starts.
    pub fn push(&mut self, operation: Operation<K, I, R>) -> Result<(), HistoryError> {
        let start = operation.start;
        if let Outcome::Returned { end, .. } = operation.outcome
            && end < start
        {
            return Err(HistoryError::EndBeforeStart { start, end });
        }
        self.operations.push(operation);
        Ok(())
    }

    /// All operations, in the order of addition. A [`Violation`](super::Violation) names them by
    /// their position in this slice.
    #[must_use]
    pub fn operations(&self) -> &[Operation<K, I, R>] {
        &self.operations
    }

    /// The positions of the operations of each key.
    pub(super) fn by_key(&self) -> BTreeMap<&K, Vec<usize>>
    where
        K: Ord,
    {
        let mut keys: BTreeMap<&K, Vec<usize>> = BTreeMap::new();
        for (index, operation) in self.operations.iter().enumerate() {
            keys.entry(&operation.key).or_default().push(index);
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_unknown_until_it_ends() {
        let mut recording = Recording::<_, _, u8>::new(ClientId(1));
        let returned = recording.invoke("k", "a", Timestamp(1));
        let failed = recording.invoke("k", "b", Timestamp(2));
        let _lost = recording.invoke("k", "c", Timestamp(3));
        recording.returned(returned, 9, Timestamp(4)).unwrap();
        recording.failed(failed).unwrap();

        let mut history = History::new();
        history.add(recording);
        let outcomes: Vec<_> = history.operations().iter().map(|o| o.outcome.clone()).collect();
        let first = Outcome::Returned { reply: 9, end: Timestamp(4) };
        assert_eq!(outcomes, [first, Outcome::Failed, Outcome::Unknown]);
    }

    #[test]
    fn odd_recordings_are_refused() {
        let mut recording = Recording::<_, _, u8>::new(ClientId(1));
        let mut other = Recording::<_, _, u8>::new(ClientId(2));
        let call = recording.invoke("k", "a", Timestamp(5));
        let foreign = other.invoke("k", "a", Timestamp(5));

        let early = HistoryError::EndBeforeStart { start: Timestamp(5), end: Timestamp(4) };
        assert_eq!(recording.returned(call, 0, Timestamp(4)), Err(early));
        assert_eq!(recording.failed(foreign), Err(HistoryError::NoSuchCall));
        recording.failed(call).unwrap();
        assert_eq!(recording.returned(call, 0, Timestamp(6)), Err(HistoryError::AlreadyEnded));

        let operation = Operation {
            client: ClientId(1),
            key: "k",
            input: "a",
            start: Timestamp(5),
            outcome: Outcome::Returned { reply: 0, end: Timestamp(4) },
        };
        assert_eq!(History::new().push(operation), Err(early));
    }

    #[test]
    fn threads_share_a_clock() {
        let clock = Clock::new();
        let mut history = History::new();
        std::thread::scope(|scope| {
            let record = |client| {
                let clock = &clock;
                move || {
                    let mut recording = Recording::new(ClientId(client));
                    for input in 0..100 {
                        let call = recording.invoke(0, input, clock.now());
                        recording.returned(call, (), clock.now()).unwrap();
                    }
                    recording
                }
            };
            let threads: Vec<_> = (0..4).map(|client| scope.spawn(record(client))).collect();
            for thread in threads {
                history.add(thread.join().unwrap());
            }
        });
        assert_eq!(history.operations().len(), 400);
        assert_eq!(clock.now(), Timestamp(800));
    }
}
