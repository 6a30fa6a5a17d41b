//! The search for an order of the operations on one key.
//!
//! It goes from [`Configuration`] to configuration: Wing and Gong's search (1993), which builds an
//! order from the front, with Lowe's memory (2017), by which two partial orders of the same
//! operations that lead to the same state are pursued only once. No recursion, no randomness.
//!
//! # Which orders need not be tried
//!
//! 1. A pending read whose reply fits is ordered at once and nothing else is tried: moved to the
//!    front of any order, it disturbs nobody.
//! 2. An unknown operation is only used if the operation after it would fail or end in a different
//!    state without it; else the order without it is as good. Until that operation has come, the
//!    configuration remembers the state `before`. In particular unknown reads are never used.
//! 3. Of unknown operations with the same input the first is used first.
//! 4. A configuration is dropped if a known one differs only by having used fewer unknown ones.
//!
//! Each rule keeps an order with the least number of unknown operations, if there is any order, or
//! shows that a configuration already known has one; so together they lose nothing. The tests
//! compare with a checker that has no rules at all.
//!
//! # Which orders are tried first
//!
//! The choices of a configuration are ranked. First comes the deadline; or, if its reply does not
//! fit, operations after which it does; then other operations by end; then other unknown ones.
//! Depth first, the search would stay in the permutations behind one early mistake. It is best
//! first instead: the score of a configuration is the number of operations ordered, less
//! [`MISTAKE_WEIGHT`] times the ranks of all choices on the way. So orders that correct one recent
//! decision are tried before those that correct two or an old one.

use std::collections::BinaryHeap;
use std::collections::hash_map::{Entry, HashMap};

use super::configuration::{Choice, Configuration, Operations, Returned, narrow};
use super::history::Operation;
use super::linearizable::{Limits, Specification, Violation};

/// What may be ordered next, the preferred first, each with the state that it leads to.
type Choices<S> = Vec<(Choice, S)>;

/// The operations by which a configuration must be ahead to make up for one step down in the ranks.
/// Any weight gives the same verdicts; this one gave them fastest on simulated servers.
const MISTAKE_WEIGHT: usize = 4;

/// How a search ends.
pub(super) enum Ending {
    /// There is an order of all operations.
    Ordered,
    /// There is none.
    Refuted(DeadEnd),
    /// A limit was met first.
    LimitMet {
        /// The configurations remembered by then.
        states: usize,
    },
}

/// How far an order can be carried. Operations are positions in the history.
pub(super) struct DeadEnd {
    /// A longest order.
    pub(super) prefix: Vec<usize>,
    /// Its deadline, which cannot be met.
    pub(super) stuck: usize,
    /// What else could come next.
    pub(super) concurrent: Vec<usize>,
    /// The states after the longest orders.
    pub(super) states: Vec<String>,
}

/// A configuration that the search has reached, and how.
struct Node<S> {
    configuration: Configuration<S>,
    /// The operations ordered since the parent, as positions in the history.
    trail: Vec<usize>,
    /// The node that it continues.
    parent: Option<u32>,
    /// The sum of the ranks of the choices that led here.
    mistakes: usize,
    /// Another node whose configuration has the same hash.
    same_hash: Option<u32>,
}

/// A continuation to try: the greatest first, which is the most promising and newest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Attempt {
    /// Operations ordered, less the weight of the mistakes.
    score: i64,
    /// The node to continue.
    node: u32,
    /// Which of its choices to take; zero is the preferred one.
    rank: usize,
}

/// The search over the operations of one key.
pub(super) struct Search<'h, S: Specification> {
    specification: &'h S,
    /// What is to be ordered.
    operations: Operations<'h, S>,
    /// All configurations reached.
    nodes: Vec<Node<S::State>>,
    /// A node for each hash of a configuration without its unknown operations.
    known: HashMap<u64, u32>,
    /// The continuations left to try, one per node.
    attempts: BinaryHeap<Attempt>,
    limits: Limits,
    /// Calls of the specification so far.
    steps: u64,
}

impl<'h, S: Specification> Search<'h, S> {
    /// Prepares the search over the operations at the positions `members`.
    pub(super) fn new<K>(
        specification: &'h S,
        operations: &'h [Operation<K, S::Input, S::Reply>],
        members: &[usize],
        limits: Limits,
    ) -> Self {
        Self {
            specification,
            operations: Operations::new(specification, operations, members),
            nodes: Vec::new(),
            known: HashMap::new(),
            attempts: BinaryHeap::new(),
            limits,
            steps: 0,
        }
    }

    /// Tries continuations, the most promising first, until one orders all or none is left.
    pub(super) fn run(mut self) -> Ending {
        let first = self.operations.first(self.specification.initial());
        if self.reach(first, Vec::new(), None, 0) {
            return Ending::Ordered;
        }
        while let Some(Attempt { node, rank, .. }) = self.attempts.pop() {
            if self.steps >= self.limits.steps_max || self.nodes.len() >= self.limits.states_max {
                return Ending::LimitMet { states: self.nodes.len() };
            }
            let choices = self.choices(node, rank);
            let Some((choice, state)) = choices.into_iter().nth(rank) else {
                continue;
            };
            self.attempt(node, rank + 1);
            let current = &self.nodes[node as usize].configuration;
            let next = self.operations.after(current, choice, state);
            let trail = vec![self.operations.index(choice)];
            let mistakes = self.nodes[node as usize].mistakes + rank;
            if self.reach(next, trail, Some(node), mistakes) {
                return Ending::Ordered;
            }
        }
        Ending::Refuted(self.dead_end())
    }

    /// Remembers a configuration unless a known one is as good. True if it orders all operations.
    fn reach(
        &mut self,
        mut configuration: Configuration<S::State>,
        mut trail: Vec<usize>,
        parent: Option<u32>,
        mistakes: usize,
    ) -> bool {
        self.order_reads(&mut configuration, &mut trail);
        if configuration.pending.is_empty() {
            return true;
        }
        let node = narrow(self.nodes.len());
        let same_hash = match self.known.entry(configuration.fingerprint()) {
            Entry::Vacant(vacant) => {
                vacant.insert(node);
                None
            }
            Entry::Occupied(mut occupied) => {
                if is_dominated(&self.nodes, *occupied.get(), &configuration) {
                    return false;
                }
                Some(occupied.insert(node))
            }
        };
        self.nodes.push(Node { configuration, trail, parent, mistakes, same_hash });
        self.attempt(node, 0);
        false
    }

    /// Plans to continue `node` by its choice number `rank`.
    fn attempt(&mut self, node: u32, rank: usize) {
        let Node { configuration, mistakes, .. } = &self.nodes[node as usize];
        let penalty = (mistakes + rank).saturating_mul(MISTAKE_WEIGHT);
        let score = signed(configuration.ordered_count()).saturating_sub(signed(penalty));
        self.attempts.push(Attempt { score, node, rank });
    }

    /// Rule 1: orders the pending reads whose reply fits, until there is none.
    fn order_reads(&mut self, configuration: &mut Configuration<S::State>, trail: &mut Vec<usize>) {
        loop {
            let mut rest = Vec::with_capacity(configuration.pending.len());
            for &operation in &configuration.pending {
                let Returned { index, is_read, .. } = self.operations.returned[operation as usize];
                if is_read && self.step(&configuration.state, operation).is_some() {
                    trail.push(index);
                } else {
                    rest.push(operation);
                }
            }
            if rest.len() == configuration.pending.len() {
                return;
            }
            configuration.pending = rest;
            configuration.before = None;
            self.operations.admit(configuration);
        }
    }

    /// The ways to continue `node`, the preferred first, each with the state that it leads to. It
    /// goes on no longer than needed to know the one at `rank`.
    fn choices(&mut self, node: u32, rank: usize) -> Choices<S::State> {
        let configuration = self.nodes[node as usize].configuration.clone();
        let Some(&deadline) = configuration.pending.first() else {
            return Vec::new();
        };
        let is_met = self.step(&configuration.state, deadline).is_some();
        let (mut choices, others) = if is_met {
            (self.returned_choices(&configuration), Vec::new())
        } else {
            let all = self.returned_choices(&configuration);
            self.partition_by_deadline(all, deadline)
        };
        if rank < choices.len() {
            return choices;
        }
        let unknown = self.unknown_choices(&configuration, deadline);
        let (helpful, unknown) = if is_met {
            (Vec::new(), unknown)
        } else {
            self.partition_by_deadline(unknown, deadline)
        };
        choices.extend(helpful);
        choices.extend(others);
        if rank < choices.len() {
            return choices;
        }
        for (choice, state) in unknown {
            if self.makes_a_difference(&configuration, &state, deadline) {
                choices.push((choice, state));
            }
        }
        choices
    }

    /// The pending operations that fit, by end.
    fn returned_choices(&mut self, configuration: &Configuration<S::State>) -> Choices<S::State> {
        let mut choices = Vec::new();
        for &operation in &configuration.pending {
            let Some(state) = self.step(&configuration.state, operation) else {
                continue;
            };
            if let Some(before) = &configuration.before
                && self.step(before, operation).as_ref() == Some(&state)
            {
                continue;
            }
            choices.push((Choice::Returned(operation), state));
        }
        choices
    }

    /// The unknown operations that change the state, by start; rules 2 and 3.
    fn unknown_choices(
        &mut self,
        configuration: &Configuration<S::State>,
        deadline: u32,
    ) -> Choices<S::State> {
        let started = self.operations.unknown_started(deadline);
        let is_used = |operation| configuration.used.binary_search(&operation).is_ok();
        let mut choices = Vec::new();
        for operation in 0..started {
            let twin = self.operations.unknown[operation as usize].twin;
            if is_used(operation) || twin.is_some_and(|twin| !is_used(twin)) {
                continue;
            }
            let Some(state) = self.step_unknown(&configuration.state, operation) else {
                continue;
            };
            if state == configuration.state {
                continue;
            }
            if let Some(before) = &configuration.before
                && self.step_unknown(before, operation).as_ref() == Some(&state)
            {
                continue;
            }
            choices.push((Choice::Unknown(operation), state));
        }
        choices
    }

    /// Splits choices by whether `deadline` fits right after them.
    fn partition_by_deadline(
        &mut self,
        choices: Choices<S::State>,
        deadline: u32,
    ) -> (Choices<S::State>, Choices<S::State>) {
        choices.into_iter().partition(|(_, state)| self.step(state, deadline).is_some())
    }

    /// Whether some operation may follow in `state`, which an unknown operation led to, that would
    /// fail or lead elsewhere without it; rule 2.
    fn makes_a_difference(
        &mut self,
        configuration: &Configuration<S::State>,
        state: &S::State,
        deadline: u32,
    ) -> bool {
        for &operation in &configuration.pending {
            let next = self.step(state, operation);
            if next.is_some() && next != self.step(&configuration.state, operation) {
                return true;
            }
        }
        let started = self.operations.unknown_started(deadline);
        (0..started).any(|operation| {
            let next = self.step_unknown(state, operation);
            next.is_some() && next != self.step_unknown(&configuration.state, operation)
        })
    }

    /// The state after an operation that returned, if its reply fits.
    fn step(&mut self, state: &S::State, operation: u32) -> Option<S::State> {
        self.steps += 1;
        let Returned { input, reply, .. } = &self.operations.returned[operation as usize];
        self.specification.step(state, input, Some(reply))
    }

    /// The state after an operation of unknown outcome, if it can take effect.
    fn step_unknown(&mut self, state: &S::State, operation: u32) -> Option<S::State> {
        self.steps += 1;
        self.specification.step(state, self.operations.unknown[operation as usize].input, None)
    }

    /// Describes the configurations that order the most operations, when all have failed.
    fn dead_end(&self) -> DeadEnd {
        let count = |node: &Node<S::State>| node.configuration.ordered_count();
        let most = self.nodes.iter().map(count).max().unwrap_or(0);
        // Each node that ends in a speculative unknown operation has an ancestor that does not.
        let is_furthest =
            |node: &&Node<S::State>| count(node) == most && node.configuration.before.is_none();
        let furthest: Vec<_> = self.nodes.iter().filter(is_furthest).collect();
        let mut states = Vec::new();
        for node in &furthest {
            let state = format!("{:?}", node.configuration.state);
            if states.len() < Violation::<()>::STATES_SHOWN_MAX && !states.contains(&state) {
                states.push(state);
            }
        }
        let mut dead_end = DeadEnd { prefix: Vec::new(), stuck: 0, concurrent: Vec::new(), states };
        let Some(&node) = furthest.first() else {
            return dead_end;
        };
        let Configuration { pending, used, .. } = &node.configuration;
        let mut concurrent =
            pending.iter().map(|operation| &self.operations.returned[*operation as usize]);
        if let Some(stuck) = concurrent.next() {
            dead_end.stuck = stuck.index;
            dead_end.concurrent.extend(concurrent.map(|operation| operation.index));
            let unused = (0..).zip(&self.operations.unknown).filter(|(rank, operation)| {
                operation.start <= stuck.end && used.binary_search(rank).is_err()
            });
            dead_end.concurrent.extend(unused.map(|(_, operation)| operation.index));
        }
        dead_end.prefix = self.path(node);
        dead_end
    }

    /// The operations in the order that leads to `node`.
    fn path<'a>(&'a self, mut node: &'a Node<S::State>) -> Vec<usize> {
        let mut backwards = Vec::new();
        loop {
            backwards.extend(node.trail.iter().rev());
            let Some(parent) = node.parent else {
                backwards.reverse();
                return backwards;
            };
            node = &self.nodes[parent as usize];
        }
    }
}

/// A count as a term of a score.
fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Rule 4: whether `node`, or one after it with the same hash, differs from `configuration` at most
/// by having used fewer unknown operations.
fn is_dominated<S: Eq>(nodes: &[Node<S>], node: u32, configuration: &Configuration<S>) -> bool {
    let mut next = Some(node);
    while let Some(node) = next {
        let Node { configuration: known, same_hash, .. } = &nodes[node as usize];
        let is_same = known.admitted == configuration.admitted
            && known.pending == configuration.pending
            && known.state == configuration.state
            && known.before == configuration.before;
        let has_used = |operation: &u32| configuration.used.binary_search(operation).is_ok();
        if is_same && known.used.iter().all(has_used) {
            return true;
        }
        next = *same_hash;
    }
    false
}
