//! The lift: any [`Actor`] of the workspace, as it is, under the model checker.
//!
//! ```text
//!   state = seats (actor, armed timers, what is durable, whether it is up)
//!         + messages that were ever sent      each may arrive now, again, or never
//!         + ghost                             what became durable and what left, for the properties
//!   step  = one message arrives | one timer fires | one actor crashes | one recovers
//! ```
//!
//! A step is a turn with one input: the handler, [`Actor::on_turn_end`], then everything that was
//! recorded becomes durable and everything that was sent leaves, at once. A crash loses all but what is
//! durable; recovery folds [`Actor::checkpoint`], so that equal states look equal.
//!
//! Loss needs no step of its own, as no message must ever arrive; nor does a message that arrives twice
//! or late, as none ever goes. Time does not exist: an armed timer may fire at any moment.
//!
//! An actor is deterministic, so what it does in a state upon an input is computed once and looked up
//! from then on ([`Memo`]): the product of all actors is walked without running them again.
//!
//! *Left out, and why that is sound*: a turn with several inputs is what several turns with one input do,
//! but for batches, which only put commands together. What is written but not yet durable is left to
//! the simulator's disk and to the tests of the host, which hold back what was sent until then.

mod memo;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

use paxos::actor::{Actor, EffectsOf, NodeId, TimerChange, Violation};
use stateright::{Model, Property};

use crate::hashed::Hashed;
use memo::Memo;

/// What is true of a run, as opposed to what its actors believe.
pub trait Ghost<A: Actor>: Clone + Debug + Eq + Hash + Send + Sync + 'static {
    /// Something that counts for the properties.
    type Fact: Clone + Debug + Send + Sync;

    /// What follows from a record that became durable.
    fn recorded(node: NodeId, record: &A::Record) -> Option<Self::Fact>;

    /// What follows from a message that leaves.
    fn sent(from: NodeId, to: NodeId, message: &A::Message) -> Option<Self::Fact>;

    /// Takes a fact.
    fn take(&mut self, fact: &Self::Fact);
}

/// A message on its way, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Envelope<M> {
    /// Its sender.
    pub from: NodeId,
    /// Its receiver.
    pub to: NodeId,
    /// What it says.
    pub message: M,
}

/// An actor and what a driver knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seat<A: Actor> {
    /// The actor; as it will recover, if it is down.
    pub actor: A,
    /// Timers that may fire.
    pub timers: BTreeSet<A::Timer>,
    /// The least list of records with the fold of all that is durable.
    pub durable: Vec<A::Record>,
    /// Whether it takes part.
    pub is_up: bool,
}

/// A state of the whole.
#[derive(Debug)]
pub struct State<A: Actor, G> {
    /// In the order of the cast.
    pub seats: Vec<Hashed<Seat<A>>>,
    /// All that was ever sent, ordered and without repeats.
    pub network: Vec<Hashed<Envelope<A::Message>>>,
    /// What is true.
    pub ghost: G,
    /// Crashes so far.
    pub crash_count: usize,
    /// What an actor complained of, or how it failed. Nothing follows such a state.
    pub complaint: Option<Hashed<String>>,
}

impl<A: Actor, G: Clone> Clone for State<A, G> {
    fn clone(&self) -> Self {
        Self {
            seats: self.seats.clone(),
            network: self.network.clone(),
            ghost: self.ghost.clone(),
            crash_count: self.crash_count,
            complaint: self.complaint.clone(),
        }
    }
}

impl<A: Actor, G: PartialEq> PartialEq for State<A, G> {
    fn eq(&self, other: &Self) -> bool {
        (&self.seats, &self.network, &self.ghost, self.crash_count, &self.complaint)
            == (&other.seats, &other.network, &other.ghost, other.crash_count, &other.complaint)
    }
}

impl<A: Actor, G: Hash> Hash for State<A, G> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.seats.hash(state);
        self.network.hash(state);
        self.ghost.hash(state);
        self.crash_count.hash(state);
        self.complaint.hash(state);
    }
}

/// What one actor is confronted with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input<M, T> {
    /// This arrives.
    Message(Hashed<Envelope<M>>),
    /// This fires.
    Timer(T),
    /// It loses all that is not durable.
    Crash,
    /// It comes back.
    Recover,
}

impl<M, T: Hash> Input<M, T> {
    /// What stands for it.
    fn id(&self) -> u64 {
        match self {
            Self::Message(envelope) => envelope.id(),
            Self::Timer(timer) => {
                let mut hasher = DefaultHasher::new();
                timer.hash(&mut hasher);
                hasher.finish()
            }
            Self::Crash => 1,
            Self::Recover => 2,
        }
    }
}

/// A step: which seat, and what it is confronted with.
pub type Step<A> = (usize, Input<<A as Actor>::Message, <A as Actor>::Timer>);

/// What a step of one actor does.
pub(crate) struct Outcome<A: Actor, G: Ghost<A>> {
    seat: Hashed<Seat<A>>,
    sent: Vec<Hashed<Envelope<A::Message>>>,
    facts: Vec<G::Fact>,
    complaint: Option<Hashed<String>>,
}

/// A small instance of a protocol: who takes part, what may go wrong, and what must hold.
pub struct Lift<A, G>
where
    A: Actor + Clone + Debug + Eq + Hash,
    G: Ghost<A>,
{
    /// The actors, before recovery.
    cast: Vec<(NodeId, A)>,
    ghost: G,
    /// How many crashes there may be, and whose.
    crashes: (usize, fn(NodeId) -> bool),
    /// Whether a state belongs to the instance; what follows from others is not looked at.
    bound: fn(&State<A, G>) -> bool,
    properties: Vec<Property<Self>>,
    memo: Memo<A, G>,
}

impl<A, G> Lift<A, G>
where
    A: Actor + Clone + Debug + Eq + Hash,
    G: Ghost<A>,
{
    /// These actors, without crashes, bound or properties.
    pub fn new(cast: Vec<(NodeId, A)>, ghost: G) -> Self {
        Self {
            cast,
            ghost,
            crashes: (0, |_| false),
            bound: |_| true,
            properties: Vec::new(),
            memo: Memo::default(),
        }
    }

    /// Lets so many crashes happen to those that `may` crash.
    #[must_use]
    pub fn with_crashes(mut self, count: usize, may: fn(NodeId) -> bool) -> Self {
        self.crashes = (count, may);
        self
    }

    /// Looks at states within `bound` only.
    #[must_use]
    pub fn with_bound(mut self, bound: fn(&State<A, G>) -> bool) -> Self {
        self.bound = bound;
        self
    }

    /// Must hold in every state.
    #[must_use]
    pub fn always(mut self, name: &'static str, holds: fn(&Self, &State<A, G>) -> bool) -> Self {
        self.properties.push(Property::always(name, holds));
        self
    }

    /// Must hold in some state: or the instance shows nothing.
    #[must_use]
    pub fn sometimes(mut self, name: &'static str, holds: fn(&Self, &State<A, G>) -> bool) -> Self {
        self.properties.push(Property::sometimes(name, holds));
        self
    }

    /// Who sits where.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.cast.iter().map(|(node, _)| *node)
    }

    /// The actor as it starts with these records.
    fn start(&self, index: usize, durable: &[A::Record]) -> (A, EffectsOf<A>) {
        let mut actor = self.cast[index].1.clone();
        durable.iter().for_each(|record| actor.restore(record.clone()));
        let mut fx = EffectsOf::<A>::new();
        actor.on_start(&mut fx);
        (actor, fx)
    }

    /// What the actor of a seat does, computed or looked up.
    fn outcome(&self, state: &State<A, G>, step: &Step<A>) -> std::sync::Arc<Outcome<A, G>> {
        let (index, input) = step;
        let seat = &state.seats[*index];
        self.memo.look_up((*index, seat.id(), input.id()), || self.run(*index, seat, input))
    }

    fn run(
        &self,
        index: usize,
        seat: &Hashed<Seat<A>>,
        input: &Input<A::Message, A::Timer>,
    ) -> Outcome<A, G> {
        let attempt = catch_unwind(AssertUnwindSafe(|| self.turn(index, seat, input)));
        attempt.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let text = text.unwrap_or_else(|| "a panic".to_owned());
            Outcome {
                seat: seat.clone(),
                sent: Vec::new(),
                facts: Vec::new(),
                complaint: Some(Hashed::new(text)),
            }
        })
    }

    fn turn(
        &self,
        index: usize,
        seat: &Seat<A>,
        input: &Input<A::Message, A::Timer>,
    ) -> Outcome<A, G> {
        let (mut next, mut fx) = (seat.clone(), EffectsOf::<A>::new());
        match input {
            Input::Crash => {
                next.is_up = false;
                next.timers.clear();
                // What it was does not matter any more.
                next.actor = self.cast[index].1.clone();
                return self.close(index, next, fx);
            }
            Input::Recover => {
                next.is_up = true;
                (next.actor, fx) = self.start(index, &seat.durable);
            }
            Input::Message(envelope) => {
                let Envelope { from, message, .. } = &**envelope;
                next.actor.on_message(*from, message.clone(), &mut fx);
            }
            Input::Timer(timer) => {
                next.timers.remove(timer);
                next.actor.on_timer(timer.clone(), &mut fx);
            }
        }
        next.actor.on_turn_end(&mut fx);
        self.close(index, next, fx)
    }

    /// Makes durable what was recorded, lets go what was sent.
    fn close(&self, index: usize, mut next: Seat<A>, fx: EffectsOf<A>) -> Outcome<A, G> {
        let node = self.cast[index].0;
        for change in fx.timers {
            match change {
                TimerChange::Set(timer, _) => next.timers.insert(timer),
                TimerChange::Cancel(timer) => next.timers.remove(&timer),
            };
        }
        if !fx.records.is_empty() {
            next.durable = next.actor.checkpoint();
        }
        let recorded = fx.records.iter().filter_map(|record| G::recorded(node, record));
        let sent = fx.sends.iter().filter_map(|(to, message)| G::sent(node, *to, message));
        let facts = recorded.chain(sent).collect();
        let envelopes = fx.sends.into_iter();
        let envelopes = envelopes.map(|(to, message)| Envelope { from: node, to, message });
        let complaint = fx.violations.first();
        let complaint = complaint
            .map(|Violation { invariant, detail }| Hashed::new(format!("{invariant}: {detail}")));
        Outcome {
            seat: Hashed::new(next),
            sent: envelopes.map(Hashed::new).collect(),
            facts,
            complaint,
        }
    }

    fn is_no_op(state: &State<A, G>, index: usize, outcome: &Outcome<A, G>) -> bool {
        let is_known = |message| state.network.binary_search(message).is_ok();
        state.seats[index] == outcome.seat
            && outcome.complaint.is_none()
            && outcome.facts.is_empty()
            && outcome.sent.iter().all(is_known)
    }

    fn after(&self, state: &State<A, G>, index: usize, outcome: &Outcome<A, G>) -> State<A, G> {
        let mut next = state.clone();
        next.seats[index] = outcome.seat.clone();
        for message in &outcome.sent {
            // Whoever is not in the cast receives nothing.
            if self.seat_of(message.to).is_some()
                && let Err(place) = next.network.binary_search(message)
            {
                next.network.insert(place, message.clone());
            }
        }
        outcome.facts.iter().for_each(|fact| next.ghost.take(fact));
        next.complaint = outcome.complaint.clone();
        next
    }

    /// All that may happen to a seat but for messages.
    fn inputs(&self, state: &State<A, G>, index: usize, steps: &mut Vec<Step<A>>) {
        let seat = &state.seats[index];
        if !seat.is_up {
            return steps.push((index, Input::Recover));
        }
        steps.extend(seat.timers.iter().cloned().map(|timer| (index, Input::Timer(timer))));
        let (crashes_max, may_crash) = self.crashes;
        if state.crash_count < crashes_max && may_crash(self.cast[index].0) {
            steps.push((index, Input::Crash));
        }
    }

    fn seat_of(&self, node: NodeId) -> Option<usize> {
        self.nodes().position(|other| other == node)
    }
}

impl<A, G> Model for Lift<A, G>
where
    A: Actor + Clone + Debug + Eq + Hash,
    G: Ghost<A>,
{
    type State = State<A, G>;
    type Action = Step<A>;

    fn init_states(&self) -> Vec<Self::State> {
        let mut state = State {
            seats: Vec::new(),
            network: Vec::new(),
            ghost: self.ghost.clone(),
            crash_count: 0,
            complaint: None,
        };
        let seat = |actor: &A| Seat {
            actor: actor.clone(),
            timers: BTreeSet::new(),
            durable: Vec::new(),
            is_up: false,
        };
        state.seats = self.cast.iter().map(|(_, actor)| Hashed::new(seat(actor))).collect();
        for index in 0..self.cast.len() {
            let outcome = self.outcome(&state, &(index, Input::Recover));
            state = self.after(&state, index, &outcome);
        }
        vec![state]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>) {
        if state.complaint.is_some() {
            return;
        }
        for envelope in &state.network {
            let index = self.seat_of(envelope.to);
            let index = index.filter(|index| state.seats[*index].is_up);
            actions.extend(index.map(|index| (index, Input::Message(envelope.clone()))));
        }
        for index in 0..self.cast.len() {
            self.inputs(state, index, actions);
        }
        actions.retain(|step| !Self::is_no_op(state, step.0, &self.outcome(state, step)));
    }

    fn next_state(&self, state: &Self::State, step: Self::Action) -> Option<Self::State> {
        let outcome = self.outcome(state, &step);
        let mut next = self.after(state, step.0, &outcome);
        next.crash_count += usize::from(step.1 == Input::Crash);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        self.properties.clone()
    }

    fn within_boundary(&self, state: &Self::State) -> bool {
        (self.bound)(state)
    }
}
