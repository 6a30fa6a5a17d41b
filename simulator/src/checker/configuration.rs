//! The operations on one key, and how far they are ordered.
//!
//! The search of Wing and Gong (1993) builds an order from the front. Of the operations that are
//! not ordered yet, look at the one that ends first: the *deadline*. Whatever comes next must start
//! no later than the deadline ends, so the next operation is one of few. Lowe (2017) adds memory:
//! two partial orders of the same operations that lead to the same state have the same future, and
//! only one of them is pursued.
//!
//! ```text
//!           ordered          pending (all may be next)    not admitted
//!    |--a--|  |--b--|     |------c------|                      |---f---|
//!        |--d--|               |----e----|   <- deadline of c
//! ```
//!
//! A set of ordered operations is kept as what it lacks: `admitted` says how many operations, by
//! start, start before the deadline, and `pending` lists those of them that are not ordered. Its
//! size is the concurrency on the key, not the length of the history, and one client that hangs for
//! an hour costs one entry. This is what keeps a search over 100,000 operations near-linear.
//!
//! Operations of unknown outcome have no end: they are no deadline, and are used or not.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use super::history::{Operation, Outcome, Timestamp};
use super::linearizable::Specification;

/// An operation that returned. Called by its rank by end, so that the least is the deadline.
pub(super) struct Returned<'h, I, R> {
    /// Position in the history.
    pub(super) index: usize,
    pub(super) input: &'h I,
    pub(super) reply: &'h R,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    /// Whether it changes no state.
    pub(super) is_read: bool,
}

/// An operation of unknown outcome. Called by its rank by start.
pub(super) struct Unknown<'h, I> {
    /// Position in the history.
    pub(super) index: usize,
    pub(super) input: &'h I,
    pub(super) start: Timestamp,
    /// The one with the same input that starts just before, and must be used before.
    pub(super) twin: Option<u32>,
}

/// What to order next.
#[derive(Clone, Copy)]
pub(super) enum Choice {
    /// A pending operation.
    Returned(u32),
    /// One of unknown outcome.
    Unknown(u32),
}

/// Which operations are ordered, and the state after them.
#[derive(Clone)]
pub(super) struct Configuration<S> {
    /// The operations, counted by start, that start before the deadline ends.
    pub(super) admitted: usize,
    /// The admitted ones that are not ordered, ascending; the first is the deadline.
    pub(super) pending: Vec<u32>,
    /// The unknown ones that are ordered, ascending.
    pub(super) used: Rc<[u32]>,
    /// The state after all of them.
    pub(super) state: S,
    /// If the last one is unknown: the state before it, from which the next must make a difference.
    pub(super) before: Option<S>,
}

impl<S> Configuration<S> {
    /// The number of returned operations that are ordered.
    pub(super) fn ordered_count(&self) -> usize {
        self.admitted - self.pending.len()
    }
}

impl<S: Hash> Configuration<S> {
    /// A hash of all but the unknown operations, the same in every run.
    pub(super) fn fingerprint(&self) -> u64 {
        let Self { admitted, pending, used: _, state, before } = self;
        let mut hasher = DefaultHasher::new();
        (admitted, pending, state, before).hash(&mut hasher);
        hasher.finish()
    }
}

/// The operations on one key that took effect or may have.
pub(super) struct Operations<'h, S: Specification> {
    /// The operations that returned, by end.
    pub(super) returned: Vec<Returned<'h, S::Input, S::Reply>>,
    /// Ranks in `returned`, by start.
    by_start: Vec<u32>,
    /// The operations of unknown outcome, by start.
    pub(super) unknown: Vec<Unknown<'h, S::Input>>,
}

impl<'h, S: Specification> Operations<'h, S> {
    /// Sorts the operations at the positions `members`.
    pub(super) fn new<K>(
        specification: &S,
        operations: &'h [Operation<K, S::Input, S::Reply>],
        members: &[usize],
    ) -> Self {
        let mut returned = Vec::new();
        let mut unknown = Vec::new();
        for &index in members {
            let Some(Operation { input, start, outcome, .. }) = operations.get(index) else {
                continue;
            };
            let start = *start;
            match outcome {
                Outcome::Returned { reply, end } => {
                    let is_read = specification.is_read(input, reply);
                    returned.push(Returned { index, input, reply, start, end: *end, is_read });
                }
                Outcome::Failed => {}
                Outcome::Unknown => unknown.push(Unknown { index, input, start, twin: None }),
            }
        }
        returned.sort_by_key(|operation| operation.end);
        let mut by_start: Vec<u32> = (0..narrow(returned.len())).collect();
        by_start.sort_by_key(|operation| returned[*operation as usize].start);
        link_twins(&mut unknown);
        Self { returned, by_start, unknown }
    }

    /// The configuration in which nothing is ordered.
    pub(super) fn first(&self, state: S::State) -> Configuration<S::State> {
        let mut first = Configuration {
            admitted: 0,
            pending: Vec::new(),
            used: Rc::from([]),
            state,
            before: None,
        };
        self.admit(&mut first);
        first
    }

    /// The configuration after `choice`, which leads to `state`.
    pub(super) fn after(
        &self,
        current: &Configuration<S::State>,
        choice: Choice,
        state: S::State,
    ) -> Configuration<S::State> {
        let mut next = Configuration { state, before: None, ..current.clone() };
        match choice {
            Choice::Returned(operation) => {
                next.pending.retain(|pending| *pending != operation);
                self.admit(&mut next);
            }
            Choice::Unknown(operation) => {
                let mut used = current.used.to_vec();
                used.insert(used.partition_point(|other| *other < operation), operation);
                next.used = used.into();
                next.before = Some(current.state.clone());
            }
        }
        next
    }

    /// Admits operations that start no later than the deadline ends. An admitted operation may be
    /// the new deadline; those before it start no later than it does, so they stay admitted.
    pub(super) fn admit(&self, configuration: &mut Configuration<S::State>) {
        let Configuration { admitted, pending, .. } = configuration;
        while let Some(&next) = self.by_start.get(*admitted) {
            let start = self.returned[next as usize].start;
            if pending.first().is_some_and(|first| self.returned[*first as usize].end < start) {
                return;
            }
            let position = pending.partition_point(|operation| *operation < next);
            pending.insert(position, next);
            *admitted += 1;
        }
    }

    /// How many operations of unknown outcome start no later than `deadline` ends.
    pub(super) fn unknown_started(&self, deadline: u32) -> u32 {
        let end = self.returned[deadline as usize].end;
        narrow(self.unknown.partition_point(|operation| operation.start <= end))
    }

    /// The position of an operation in the history.
    pub(super) fn index(&self, choice: Choice) -> usize {
        match choice {
            Choice::Returned(operation) => self.returned[operation as usize].index,
            Choice::Unknown(operation) => self.unknown[operation as usize].index,
        }
    }
}

/// Sorts unknown operations by start and links those of the same input.
fn link_twins<I: Eq + Hash>(unknown: &mut [Unknown<'_, I>]) {
    unknown.sort_by_key(|operation| operation.start);
    let mut latest = HashMap::new();
    for (rank, operation) in (0..).zip(unknown) {
        operation.twin = latest.insert(operation.input, rank);
    }
}

/// A number of operations or nodes, of which there are always fewer than `u32::MAX`: they would not
/// fit in memory.
pub(super) fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
