//! The boundary of an actor: what it is told, and what it may do about it.
//!
//! A protocol participant is written once, as a deterministic state machine, and runs unchanged in
//! production ([`runtime`](crate), real time), in the simulator (seeded time) and under the model
//! checker (all interleavings). It owns no clock, no socket, no file and no random numbers: it is
//! handed messages, timers and its own durable records, and answers with [`Effects`].

use std::fmt;
use std::fmt::Debug;
use std::hash::Hash;
use std::mem;
use std::ops::Range;
use std::time::Duration;

use crate::wire::{Decode, Encode};

/// A place that an actor can have in a deployment. It outlives the actor: whoever sits there after
/// a disk was lost has the same seat and another [`Incarnation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Seat(pub u32);

/// A number that is drawn once for each data directory and is never zero.
///
/// A node whose disk was wiped comes back with another incarnation: it remembers nothing of what
/// its predecessor promised, so it must not be mistaken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Incarnation(pub u64);

/// The identity of one actor: a seat, and the data directory that remembers for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct NodeId {
    /// Where the actor sits.
    pub seat: Seat,
    /// Which memory it has.
    pub incarnation: Incarnation,
}

impl NodeId {
    /// The actor at `seat` whose memory is `incarnation`.
    pub const fn new(seat: Seat, incarnation: Incarnation) -> Self {
        Self { seat, incarnation }
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{:x}", self.seat.0, self.incarnation.0)
    }
}

/// A change of one named timer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TimerChange<T> {
    /// Fire once after a delay that the driver draws from the range. Setting a name that is already
    /// armed replaces it.
    Set(T, Range<Duration>),
    /// Do not fire. Harmless if the timer is not armed.
    Cancel(T),
}

/// Something a peer said that the protocol makes impossible.
///
/// The simulator and the model checker stop on it; production logs it, counts it and drops the
/// message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Violation {
    /// The invariant that is broken, by its name in `docs/invariants.md` or in the role.
    pub invariant: &'static str,
    /// Who said what.
    pub detail: String,
}

/// What the steps of one actor want done.
///
/// *Contract*: every record of a step is durable before any message of that or of a later step of
/// the same actor leaves. Drivers keep it; roles may forget it. It costs nothing to a role that
/// persists nothing, and it batches: a driver may run many steps, append once, and then release all
/// sends in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects<M, T, R> {
    /// Facts to make durable, in order.
    pub records: Vec<R>,
    /// Messages to send, in order.
    pub sends: Vec<(NodeId, M)>,
    /// Timer changes, in order.
    pub timers: Vec<TimerChange<T>>,
    /// Impossible messages that were received and dropped.
    pub violations: Vec<Violation>,
}

/// A part that several protocols have.
pub trait Role {
    /// What it says.
    type Message;
    /// How it names its timers.
    type Timer;
    /// What it records.
    type Record;
}

/// The effects of a role by itself.
pub type OwnEffects<R> = Effects<<R as Role>::Message, <R as Role>::Timer, <R as Role>::Record>;

/// Where the effects of a step of `R` go: into effects of its own, or at once into those of a protocol
/// that has such a part. The contract of [`Effects`] holds.
pub trait Outbox<R: Role> {
    /// Makes `record` durable before anything that is sent from now on.
    fn record(&mut self, record: R::Record);

    /// Sends `message` to `to`.
    fn send(&mut self, to: NodeId, message: impl Into<R::Message>);

    /// Arms `timer` to fire after a delay within `delay`.
    fn set_timer(&mut self, timer: R::Timer, delay: Range<Duration>);

    /// Reports that a peer broke `invariant`.
    fn violation(&mut self, invariant: &'static str, detail: impl Into<String>);

    /// Runs a step that wants effects of its own, and adopts them.
    fn adopt(&mut self, step: impl FnOnce(&mut OwnEffects<R>));
}

impl<R, M, T, D> Outbox<R> for Effects<M, T, D>
where
    R: Role,
    M: From<R::Message>,
    T: From<R::Timer>,
    D: From<R::Record>,
{
    #[inline]
    fn record(&mut self, record: R::Record) {
        self.records.push(record.into());
    }

    #[inline]
    fn send(&mut self, to: NodeId, message: impl Into<R::Message>) {
        self.sends.push((to, message.into().into()));
    }

    fn set_timer(&mut self, timer: R::Timer, delay: Range<Duration>) {
        self.timers.push(TimerChange::Set(timer.into(), delay));
    }

    fn violation(&mut self, invariant: &'static str, detail: impl Into<String>) {
        self.violations.push(Violation { invariant, detail: detail.into() });
    }

    fn adopt(&mut self, step: impl FnOnce(&mut OwnEffects<R>)) {
        self.nest(step);
    }
}

/// Why the records of an actor do not make a state: some that were durable are missing. The process
/// must not start.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RestoreError(pub String);

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RestoreError {}

/// The effects of an actor of type `A`.
pub type EffectsOf<A> = Effects<<A as Actor>::Message, <A as Actor>::Timer, <A as Actor>::Record>;

impl<M, T, R> Default for Effects<M, T, R> {
    fn default() -> Self {
        Self { records: Vec::new(), sends: Vec::new(), timers: Vec::new(), violations: Vec::new() }
    }
}

impl<M, T, R> Effects<M, T, R> {
    /// No effects.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `record` durable before anything that is sent from now on.
    pub fn record(&mut self, record: impl Into<R>) {
        self.records.push(record.into());
    }

    /// Sends `message` to `to`.
    pub fn send(&mut self, to: NodeId, message: impl Into<M>) {
        self.sends.push((to, message.into()));
    }

    /// Sends a copy of `message` to each of `to`.
    pub fn broadcast<'a>(&mut self, to: impl IntoIterator<Item = &'a NodeId>, message: impl Into<M>)
    where
        M: Clone,
    {
        let message = message.into();
        let mut to = to.into_iter();
        let Some(mut last) = to.next() else { return };
        for node in to {
            self.sends.push((*last, message.clone()));
            last = node;
        }
        self.sends.push((*last, message));
    }

    /// Arms `timer` to fire after a delay within `delay`.
    pub fn set_timer(&mut self, timer: impl Into<T>, delay: Range<Duration>) {
        self.timers.push(TimerChange::Set(timer.into(), delay));
    }

    /// Disarms `timer`.
    pub fn cancel_timer(&mut self, timer: impl Into<T>) {
        self.timers.push(TimerChange::Cancel(timer.into()));
    }

    /// Reports that a peer broke `invariant`.
    pub fn violation(&mut self, invariant: &'static str, detail: impl Into<String>) {
        self.violations.push(Violation { invariant, detail: detail.into() });
    }

    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.sends.is_empty()
            && self.timers.is_empty()
            && self.violations.is_empty()
    }

    /// Runs a step that was written for a smaller protocol, and adopts its effects.
    pub fn nest<M2, T2, R2, O>(&mut self, step: impl FnOnce(&mut Effects<M2, T2, R2>) -> O) -> O
    where
        M: From<M2>,
        T: From<T2>,
        R: From<R2>,
    {
        let mut inner = Effects::default();
        let outcome = step(&mut inner);
        self.records.extend(inner.records.into_iter().map(R::from));
        self.sends.extend(inner.sends.into_iter().map(|(to, message)| (to, M::from(message))));
        self.timers.extend(inner.timers.into_iter().map(TimerChange::named));
        self.violations.extend(inner.violations);
        outcome
    }

    /// Runs a step of a part that says the same messages, and adopts its effects. What it sends is not
    /// moved.
    pub fn lend<T2, R2, O>(&mut self, step: impl FnOnce(&mut Effects<M, T2, R2>) -> O) -> O
    where
        T: From<T2>,
        R: From<R2>,
    {
        let (sends, violations) = (mem::take(&mut self.sends), mem::take(&mut self.violations));
        let mut inner = Effects { records: Vec::new(), sends, timers: Vec::new(), violations };
        let outcome = step(&mut inner);
        (self.sends, self.violations) = (inner.sends, inner.violations);
        self.records.extend(inner.records.into_iter().map(R::from));
        self.timers.extend(inner.timers.into_iter().map(TimerChange::named));
        outcome
    }
}

impl<T> TimerChange<T> {
    /// The same change of a timer that a larger protocol names in its own way.
    fn named<U: From<T>>(self) -> TimerChange<U> {
        match self {
            Self::Set(timer, delay) => TimerChange::Set(timer.into(), delay),
            Self::Cancel(timer) => TimerChange::Cancel(timer.into()),
        }
    }
}

/// One deterministic participant.
///
/// # Driver contract
///
/// A *turn*: take every input that is ready, run the steps, call [`on_turn_end`](Self::on_turn_end)
/// of each actor that ran, append all records once. Sends of an actor that has records which are
/// not yet durable wait, in order, until they are; sends of all other actors leave at once.
/// Recovery: [`restore`](Self::restore) each durable record in order, then
/// [`check_restored`](Self::check_restored), [`on_start`](Self::on_start), messages and timers. Messages
/// between actors of one process are delivered in order and without loss for as long as the process
/// lives; all others may be lost, delayed, duplicated and reordered.
///
/// Records that [`may_wait`](Self::may_wait) may be appended a few turns later, with the next ones that
/// may not: to the actors that is a slower disk.
///
/// *Compaction*, when the log has grown: call [`on_compaction`](Self::on_compaction) of each actor, and
/// with no other step in between append the [`checkpoint`](Self::checkpoint) of each, as the beginning
/// of a new part of the log; records that are handed over later follow it. Once every actor
/// [`is_compact`](Self::is_compact) and all records until then are durable, everything before that
/// part may go. Nothing waits meanwhile, and no actor copies its state at once.
pub trait Actor {
    /// What actors of this protocol say to each other.
    type Message: Clone + Debug + Eq + Hash + Ord;
    /// Named timers; a name may carry a key.
    type Timer: Clone + Debug + Eq + Hash + Ord;
    /// One durable fact.
    type Record: Clone + Debug + Eq + Hash;

    /// Folds one durable record into the state, during recovery.
    fn restore(&mut self, record: Self::Record);

    /// Whether the records that were folded are all that there must be.
    ///
    /// *Errors*: some are missing, and the actor must not take part.
    fn check_restored(&self) -> Result<(), RestoreError> {
        Ok(())
    }

    /// Whether nobody waits for `record` to be durable, so that it may share a sync with a later one.
    fn may_wait(record: &Self::Record) -> bool {
        let _ = record;
        false
    }

    /// Begins to take part, after recovery.
    fn on_start(&mut self, fx: &mut EffectsOf<Self>);

    /// Takes one message. `from` is vouched for by the transport.
    fn on_message(&mut self, from: NodeId, message: Self::Message, fx: &mut EffectsOf<Self>);

    /// Takes the firing of a timer that this actor set and did not cancel since.
    fn on_timer(&mut self, timer: Self::Timer, fx: &mut EffectsOf<Self>);

    /// Runs after the last ready input of a turn: the moment to propose the batch of the turn.
    fn on_turn_end(&mut self, fx: &mut EffectsOf<Self>) {
        let _ = fx;
    }

    /// Begins to make what the log holds so far dispensable, where its
    /// [`checkpoint`](Self::checkpoint) alone does not: it would be too large.
    fn on_compaction(&mut self, fx: &mut EffectsOf<Self>) {
        let _ = fx;
    }

    /// Whether the last checkpoint and the records after it have the fold of all records so far.
    fn is_compact(&self) -> bool {
        true
    }

    /// The least list of records that, with those that come until the actor
    /// [`is_compact`](Self::is_compact), have the same fold as all records so far. Folding them over
    /// those changes nothing.
    fn checkpoint(&self) -> Vec<Self::Record>;
}
