//! The verdict on a history.
//!
//! Linearizability is local: a history is linearizable if and only if, for each key, the operations
//! on it are (Herlihy and Wing, theorem 1). So keys are judged one at a time, each by a search of
//! its own, and a violation on any of them outweighs a key on which the search gave up.

use std::fmt::{self, Debug};
use std::hash::Hash;

use super::history::{History, Operation};
use super::search::{DeadEnd, Ending, Search};

/// What a single copy of an object answers to operations that run one after the other.
///
/// Given the reply, the next state must be a function of state, input and reply. The only freedom
/// of choice is whether and when an operation of unknown outcome takes effect.
pub trait Specification {
    /// What the object remembers. States are copied often.
    type State: Clone + Eq + Hash + Debug;
    /// What it is asked. Operations of equal input must have equal effects.
    type Input: Eq + Hash + Debug;
    /// What it answers.
    type Reply: Debug;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// The state after `input` was executed in `state`, or none if it could not have answered
    /// `reply` there. Without a reply (nobody saw it) the operation takes its effect in full.
    fn step(
        &self,
        state: &Self::State,
        input: &Self::Input,
        reply: Option<&Self::Reply>,
    ) -> Option<Self::State>;

    /// Whether `input`, if it answers `reply`, leaves every state as it is. This spares the search
    /// much work; it is safe to say no.
    fn is_read(&self, _input: &Self::Input, _reply: &Self::Reply) -> bool {
        false
    }
}

/// When to give up, per key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The configurations to remember; this bounds memory, at some hundred bytes each.
    pub states_max: usize,
    /// The calls of [`Specification::step`]; this bounds time, at some tens of nanoseconds each.
    pub steps_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { states_max: 1_000_000, steps_max: 200_000_000 }
    }
}

/// What the checker found.
#[derive(Clone, Debug)]
#[must_use]
pub enum Verdict<K> {
    /// On every key there is an order of the operations that explains all replies.
    Linearizable,
    /// On this key there is none.
    Violation(Violation<K>),
    /// The search met its [`Limits`] on this key and knows nothing: neither a pass nor a violation.
    GaveUp {
        /// The key that could not be judged. There may be others; none has a known violation.
        key: K,
        /// The configurations remembered when the limit was met.
        states: usize,
    },
}

/// Why no order of the operations on one key explains all replies.
///
/// Operations are named by their position in [`History::operations`]. `Display` gives the whole as
/// text for people.
#[derive(Clone, Debug)]
pub struct Violation<K> {
    /// The key whose history is not linearizable.
    pub key: K,
    /// A longest order that can be explained; every other order gets stuck no later.
    pub prefix: Vec<usize>,
    /// The operation that must come next, because it is the first to end, and cannot, whatever
    /// concurrent operations are put before it.
    pub stuck: usize,
    /// The operations that run at the same time as `stuck` and are not in `prefix`.
    pub concurrent: Vec<usize>,
    /// States in which the longest orders end; at most [`Violation::STATES_SHOWN_MAX`] of them.
    pub states: Vec<String>,
    /// The explanation for people.
    text: String,
}

impl<K> Violation<K> {
    /// The number of states that an explanation lists.
    pub const STATES_SHOWN_MAX: usize = 16;
    /// The number of operations of the prefix, counted from its end, that the text shows.
    pub const PREFIX_SHOWN_MAX: usize = 20;
}

impl<K> fmt::Display for Violation<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<K: Debug> fmt::Display for Verdict<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linearizable => f.write_str("linearizable"),
            Self::Violation(violation) => fmt::Display::fmt(violation, f),
            Self::GaveUp { key, states } => {
                write!(f, "gave up on key {key:?} after {states} configurations: not a pass")
            }
        }
    }
}

/// Judges a history within the default [`Limits`].
pub fn check<S: Specification, K: Ord + Clone + Debug>(
    specification: &S,
    history: &History<K, S::Input, S::Reply>,
) -> Verdict<K> {
    check_within(specification, history, Limits::default())
}

/// Judges a history, one key after the other, each within `limits`.
///
/// *Cost*: for a correct system about one step of the specification per operation and operation
/// concurrent with it on the same key. To prove a violation all orders must be ruled out, which
/// is exponential in the number of operations on one key that change its state concurrently.
pub fn check_within<S: Specification, K: Ord + Clone + Debug>(
    specification: &S,
    history: &History<K, S::Input, S::Reply>,
    limits: Limits,
) -> Verdict<K> {
    let operations = history.operations();
    let mut verdict = Verdict::Linearizable;
    for (key, members) in history.by_key() {
        match Search::new(specification, operations, &members, limits).run() {
            Ending::Ordered => {}
            Ending::Refuted(dead_end) => {
                return Verdict::Violation(explain(key, operations, dead_end));
            }
            Ending::LimitMet { states } => {
                if matches!(verdict, Verdict::Linearizable) {
                    verdict = Verdict::GaveUp { key: key.clone(), states };
                }
            }
        }
    }
    verdict
}

/// Turns the end of a search into words.
fn explain<K: Clone + Debug, I: Debug, R: Debug>(
    key: &K,
    operations: &[Operation<K, I, R>],
    dead_end: DeadEnd,
) -> Violation<K> {
    let DeadEnd { prefix, stuck, concurrent, states } = dead_end;
    let mut text = format!("the history of key {key:?} is not linearizable\n");
    text +=
        &format!("the longest order of operations that explains all replies has {}", prefix.len());
    let hidden = prefix.len().saturating_sub(Violation::<K>::PREFIX_SHOWN_MAX);
    text += &if hidden > 0 { format!(", not shown the first {hidden}:\n") } else { ":\n".into() };
    list(&mut text, operations, &prefix[hidden..]);
    text += "after it the state can be:\n";
    for state in &states {
        text += &format!("    {state}\n");
    }
    text += "the next operation to end fits nowhere:\n";
    list(&mut text, operations, &[stuck]);
    text += "the operations concurrent with it do not help:\n";
    list(&mut text, operations, &concurrent);
    Violation { key: key.clone(), prefix, stuck, concurrent, states, text }
}

/// Adds one line per operation.
fn list<K: Debug, I: Debug, R: Debug>(
    text: &mut String,
    operations: &[Operation<K, I, R>],
    indexes: &[usize],
) {
    if indexes.is_empty() {
        text.push_str("    none\n");
    }
    for operation in indexes.iter().filter_map(|index| operations.get(*index)) {
        text.push_str(&format!("    {operation}\n"));
    }
}
