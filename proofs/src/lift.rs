//! The lift: any [`Actor`] of the workspace, as it is, under the model checker.
//!
//! ```text
//!   state = seats (actor, armed timers, what is durable)
//!         + inboxes: messages that were ever sent, each may arrive now, again, or never
//!         + ghost: what became durable and what left, for the properties
//!   step  = one actor takes inputs until something comes of it | one actor crashes and restarts
//! ```
//!
//! An input is a turn: the handler, [`Actor::on_turn_end`], then everything that was recorded becomes
//! durable and everything that was sent leaves, at once. A crash loses all but what is durable;
//! recovery folds [`Actor::checkpoint`], so that equal states look equal.
//!
//! Loss needs no step of its own, as no message must ever arrive; nor does a message that arrives twice
//! or late, as none ever goes. Time does not exist: an armed timer may fire at any moment.
//!
//! Six things keep the number of states small. None leaves out a behaviour that a property can see.
//!
//! - *Silent inputs wait* (`turns.rs`). An input of which nothing comes but that its actor remembers it
//!   (one vote of a quorum) can as well be taken right before the next input of that actor of which
//!   something does come: nobody else can tell, and the message is there still. So a step is any number
//!   of silent inputs and one that is not.
//! - *Answers leave at once* (`answers.rs`). An input of which messages come, and nothing else, is taken as
//!   soon as it can be: neither its actor nor what is true is another afterwards, no message must ever arrive,
//!   and so whatever could happen without those messages can happen with them.
//! - *Dead messages go* (`forget.rs`). A message that changes nothing when it arrives is dropped. That
//!   it would have changed nothing later either is not assumed: it is checked at the end, for each
//!   state that its receiver can get into ([`Lift::check_forgetting`]).
//! - *Crash and recovery are one step.* What an actor misses while it is down may arrive later, or never.
//! - *Who is not heard acts last.* Steps of an actor of which nobody hears anything (a replica that tells
//!   nobody in the cast) are taken when no other step is left: they change nothing for others, and the
//!   messages that it could have taken before are there still.
//! - *Steps are computed once.* An actor is deterministic: what it does in a state upon an input is looked
//!   up from the second time on.
//!
//! *Left out*: a turn with several inputs is what several turns with one input do, but for batches,
//! which only put commands together. What is written but not yet durable is left to the simulator's
//! disk and to the tests of the host, which hold back what was sent until then.

mod answers;
mod forget;
mod memo;
mod shown;
mod state;
mod turns;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use paxos::actor::{Actor, NodeId};
use paxos::mutant::Mutant;
use stateright::{Model, Property};

use crate::hashed::Hashed;
use answers::Answers;
use forget::Forgotten;
use memo::Memo;
pub use state::State;

/// What is true of a run, as opposed to what its actors believe.
pub trait Ghost<A: Actor>: Clone + Debug + Hash + Send + Sync + 'static {
    /// Something that counts for the properties.
    type Fact: Clone + Debug + Hash + Send + Sync;

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
    /// The actor.
    pub actor: A,
    /// Timers that may fire.
    pub timers: BTreeSet<A::Timer>,
    /// The least list of records with the fold of all that is durable.
    pub durable: Vec<A::Record>,
}

/// What may arrive at an actor, ordered and without repeats.
pub type Inbox<A> = Vec<Hashed<Envelope<<A as Actor>::Message>>>;

/// What one actor is confronted with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input<M, T> {
    /// This arrives.
    Message(Hashed<Envelope<M>>),
    /// This fires.
    Timer(T),
    /// It loses all that is not durable, and comes back.
    Restart,
}

/// An input of an actor of type `A`.
pub type InputOf<A> = Input<<A as Actor>::Message, <A as Actor>::Timer>;

/// What an input to one actor does.
pub struct Outcome<A: Actor, F> {
    before: Hashed<Seat<A>>,
    seat: Hashed<Seat<A>>,
    sent: Vec<Hashed<Envelope<A::Message>>>,
    facts: Vec<F>,
    /// What stands for what was sent and what follows.
    said: u64,
    /// Whether nobody but the actor itself can tell that something happened, now or after a crash.
    is_silent: bool,
    complaint: Option<Hashed<String>>,
}

/// A step of the whole: which seat, what it is confronted with, and what that does.
pub struct Step<A: Actor, F> {
    /// The place of the actor in the cast.
    pub seat: usize,
    /// Silent inputs, and the one that was not.
    pub inputs: Vec<InputOf<A>>,
    outcome: Arc<Outcome<A, F>>,
}

impl<A: Actor, F> Step<A, F> {
    /// What leaves.
    pub fn sent(&self) -> impl Iterator<Item = &Envelope<A::Message>> {
        self.outcome.sent.iter().map(|envelope| &**envelope)
    }
}

impl<A: Actor, F> Clone for Step<A, F> {
    fn clone(&self) -> Self {
        let (inputs, outcome) = (self.inputs.clone(), Arc::clone(&self.outcome));
        Self { seat: self.seat, inputs, outcome }
    }
}

impl<A: Actor, F> PartialEq for Step<A, F> {
    fn eq(&self, other: &Self) -> bool {
        (self.seat, &self.inputs) == (other.seat, &other.inputs)
    }
}

/// Whether a step is taken before the instance begins.
pub type Prologue<A, G> = fn(&State<A, G>, &Step<A, <G as Ghost<A>>::Fact>) -> bool;

/// A small instance of a protocol: who takes part, what may go wrong, and what must hold.
pub struct Lift<A, G>
where
    A: Actor + Clone + Debug + Eq + Hash,
    G: Ghost<A>,
{
    /// The actors, before recovery.
    cast: Vec<(NodeId, A)>,
    ghost: G,
    mutant: Option<Mutant>,
    /// How many crashes there may be, and whose.
    crashes: (usize, fn(NodeId) -> bool),
    /// Messages that never arrive.
    is_lost: fn(&A::Message) -> bool,
    /// Messages that are kept whatever they change.
    is_kept: fn(&A, &A::Message) -> bool,
    /// Messages that go when something comes of them.
    is_single: fn(&A::Message) -> bool,
    /// Timers that never fire.
    is_idle: fn(&A::Timer) -> bool,
    /// Who acts when nobody else can.
    is_last: fn(NodeId) -> bool,
    /// Which steps are taken before the instance begins.
    prologue: Prologue<A, G>,
    /// Whether a state belongs to the instance; what follows from others is not looked at.
    bound: fn(&State<A, G>) -> bool,
    properties: Vec<Property<Self>>,
    outcomes: Memo<Outcome<A, G::Fact>>,
    steps: Memo<Vec<Step<A, G::Fact>>>,
    kept: Memo<Hashed<Inbox<A>>>,
    answers: Memo<Answers<A, G>>,
    deliveries: Memo<Hashed<Inbox<A>>>,
    forgotten: Forgotten<A>,
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
            mutant: None,
            crashes: (0, |_| false),
            is_lost: |_| false,
            is_kept: |_, _| false,
            is_single: |_| false,
            is_idle: |_| false,
            is_last: |_| false,
            prologue: |_, _| false,
            bound: |_| true,
            properties: Vec::new(),
            outcomes: Memo::default(),
            steps: Memo::default(),
            kept: Memo::default(),
            answers: Memo::default(),
            deliveries: Memo::default(),
            forgotten: Forgotten::default(),
        }
    }

    /// Gives the actors a fault, if it is compiled in.
    #[must_use]
    pub fn with_mutant(mut self, mutant: Option<Mutant>) -> Self {
        self.mutant = mutant;
        self
    }

    /// Lets so many crashes happen to those that `may` crash.
    #[must_use]
    pub fn with_crashes(mut self, count: usize, may: fn(NodeId) -> bool) -> Self {
        self.crashes = (count, may);
        self
    }

    /// Loses all messages that `is_lost`.
    #[must_use]
    pub fn without_messages(mut self, is_lost: fn(&A::Message) -> bool) -> Self {
        self.is_lost = is_lost;
        self
    }

    /// Keeps all messages that `is_kept`: they may change something later though they do not now.
    #[must_use]
    pub fn keeping(mut self, is_kept: fn(&A, &A::Message) -> bool) -> Self {
        self.is_kept = is_kept;
        self
    }

    /// Lets no message that `is_single` do something twice.
    #[must_use]
    pub fn without_repeats(mut self, is_single: fn(&A::Message) -> bool) -> Self {
        self.is_single = is_single;
        self
    }

    /// Lets no timer fire that `is_idle`.
    #[must_use]
    pub fn without_timers(mut self, is_idle: fn(&A::Timer) -> bool) -> Self {
        self.is_idle = is_idle;
        self
    }

    /// Lets those act last who are heard by nobody: [complained of](State::complaint) if they are. There must
    /// be no bound, since it would cut off what they do.
    #[must_use]
    pub fn with_last(mut self, is_last: fn(NodeId) -> bool) -> Self {
        self.is_last = is_last;
        self
    }

    /// Begins where no step is left of those that belong to the prologue: one of them after the other is
    /// taken, and no other.
    #[must_use]
    pub fn with_prologue(mut self, prologue: Prologue<A, G>) -> Self {
        self.prologue = prologue;
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

    fn seat_of(&self, node: NodeId) -> Option<usize> {
        self.nodes().position(|other| other == node)
    }

    fn actions_of(
        &self,
        state: &State<A, G>,
        index: usize,
        node: NodeId,
        actions: &mut Vec<Step<A, G::Fact>>,
    ) {
        let (crashes_max, may_crash) = self.crashes;
        let steps = self.steps(index, &state.seats[index], &state.inboxes[index]);
        actions.extend(steps.iter().filter(|step| !self.is_known(state, step)).cloned());
        if state.crash_count < crashes_max && may_crash(node) {
            actions.push(self.restart(index, &state.seats[index]));
        }
    }

    fn next_of_prologue(&self, state: &State<A, G>) -> Option<Step<A, G::Fact>> {
        let mut steps = Vec::new();
        self.actions(state, &mut steps);
        steps.into_iter().find(|step| (self.prologue)(state, step))
    }

    /// Whether `step` adds nothing to `state`.
    fn is_known(&self, state: &State<A, G>, step: &Step<A, G::Fact>) -> bool {
        let Outcome { seat, sent, facts, complaint, .. } = &*step.outcome;
        let is_there = |message: &Hashed<Envelope<A::Message>>| {
            let index = self.seat_of(message.to);
            index.is_some_and(|index| state.inboxes[index].binary_search(message).is_ok())
        };
        let is_dead = |message: &Hashed<Envelope<A::Message>>| {
            let index = self.seat_of(message.to);
            index.is_none_or(|index| self.is_dead(index, &state.seats[index], message))
        };
        if state.seats[step.seat] != *seat || complaint.is_some() {
            return false;
        }
        // What was sent before is a fact already.
        let mut news = sent.iter().filter(|message| !is_there(message)).peekable();
        let is_old = news.peek().is_none();
        is_old || (news.all(is_dead) && after(&state.ghost, facts) == state.ghost)
    }

    /// Removes what does nothing twice.
    fn consume(&self, state: &mut State<A, G>, step: &Step<A, G::Fact>) {
        let is_single = |message: &Hashed<Envelope<A::Message>>| (self.is_single)(&message.message);
        let is_gone = |message: &Hashed<Envelope<A::Message>>| {
            is_single(message) && step.inputs.contains(&Input::Message(message.clone()))
        };
        let inbox = &state.inboxes[step.seat];
        if inbox.iter().any(is_gone) {
            let left = inbox.iter().filter(|message| !is_gone(message)).cloned().collect();
            state.inboxes[step.seat] = Hashed::new(left);
        }
    }

    fn after(&self, state: &State<A, G>, step: &Step<A, G::Fact>) -> State<A, G> {
        let Outcome { seat, sent, facts, complaint, .. } = &*step.outcome;
        let mut next = state.clone();
        next.seats[step.seat] = seat.clone();
        self.consume(&mut next, step);
        self.keep(&mut next, step.seat);
        self.deliver(&mut next, sent);
        if !facts.is_empty() {
            next.ghost = after(&state.ghost, facts);
        }
        next.crash_count += usize::from(step.inputs.last() == Some(&Input::Restart));
        next.complaint = complaint.clone();
        self.answer(state, &mut next);
        next
    }
}

/// What is true after these facts.
fn after<A: Actor, G: Ghost<A>>(ghost: &Hashed<G>, facts: &[G::Fact]) -> Hashed<G> {
    let mut next = (**ghost).clone();
    facts.iter().for_each(|fact| next.take(fact));
    Hashed::new(next)
}

impl<A, G> Model for Lift<A, G>
where
    A: Actor + Clone + Debug + Eq + Hash,
    G: Ghost<A>,
{
    type State = State<A, G>;
    type Action = Step<A, G::Fact>;

    fn init_states(&self) -> Vec<Self::State> {
        let empty = |(_, actor): &(NodeId, A)| {
            let (timers, durable) = (BTreeSet::new(), Vec::new());
            Hashed::new(Seat { actor: actor.clone(), timers, durable })
        };
        let mut state = State {
            seats: self.cast.iter().map(empty).collect(),
            inboxes: self.cast.iter().map(|_| Hashed::new(Vec::new())).collect(),
            ghost: Hashed::new(self.ghost.clone()),
            crash_count: 0,
            complaint: None,
        };
        for index in 0..self.cast.len() {
            state = self.after(&state, &self.restart(index, &state.seats[index]));
        }
        state.crash_count = 0;
        while let Some(step) = self.next_of_prologue(&state) {
            state = self.after(&state, &step);
        }
        vec![state]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>) {
        if state.complaint.is_some() {
            return;
        }
        let seats = || self.nodes().enumerate();
        seats()
            .filter(|(_, node)| !(self.is_last)(*node))
            .for_each(|(index, node)| self.actions_of(state, index, node, actions));
        if actions.is_empty() {
            seats()
                .filter(|(_, node)| (self.is_last)(*node))
                .for_each(|(index, node)| self.actions_of(state, index, node, actions));
        }
    }

    fn next_state(&self, state: &Self::State, step: Self::Action) -> Option<Self::State> {
        Some(self.after(state, &step))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        self.properties.clone()
    }

    fn within_boundary(&self, state: &Self::State) -> bool {
        (self.bound)(state)
    }
}
