//! What one actor does: one input, or silent ones until something comes of it.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use paxos::actor::{Actor, EffectsOf, NodeId, TimerChange, Violation};
use paxos::mutant;

use super::{Envelope, Ghost, Inbox, Input, InputOf, Lift, Outcome, Seat, Step};
use crate::hashed::{Hashed, id_of};

impl<M, T: Hash> Input<M, T> {
    /// What stands for it.
    fn id(&self) -> u64 {
        match self {
            Self::Message(envelope) => envelope.id(),
            Self::Timer(timer) => id_of(timer),
            Self::Restart => 0,
        }
    }
}

impl<A: Actor, F: Hash> Outcome<A, F>
where
    A: Eq + Hash,
{
    /// Whether nobody but the actor itself can tell that something happened, now or after a crash.
    fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Whether nothing happened.
    pub(super) fn is_nothing(&self) -> bool {
        self.is_silent() && self.before == self.seat
    }

    /// Whether the same comes of it, but for what the actor itself has become.
    fn says_the_same_as(&self, other: &Self) -> bool {
        (self.said, &self.complaint) == (other.said, &other.complaint)
            && self.seat.durable == other.seat.durable
    }

    /// What stands for what comes of it.
    fn id(&self) -> u64 {
        id_of((&self.seat, self.said, &self.complaint))
    }
}

/// Silent inputs one after the other, each with the place of the one before.
struct Ways<A: Actor>(Vec<(Option<usize>, InputOf<A>)>);

impl<A: Actor> Default for Ways<A> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<A: Actor> Ways<A> {
    fn go_on(&mut self, way: Option<usize>, input: InputOf<A>) -> usize {
        self.0.push((way, input));
        self.0.len() - 1
    }

    fn inputs(&self, mut way: Option<usize>) -> Vec<InputOf<A>> {
        let mut inputs = Vec::new();
        while let Some((before, input)) = way.map(|place| &self.0[place]) {
            inputs.push(input.clone());
            way = *before;
        }
        inputs.reverse();
        inputs
    }
}

impl<A, G> Lift<A, G>
where
    A: Actor + Clone + Debug + Eq + Hash,
    G: Ghost<A>,
{
    /// All that may come of what is in the inbox of a seat, and of its timers, each in one way.
    pub(super) fn steps(
        &self,
        index: usize,
        seat: &Hashed<Seat<A>>,
        inbox: &Hashed<Inbox<A>>,
    ) -> Arc<Vec<Step<A, G::Fact>>> {
        let key = (index, seat.id(), inbox.id());
        self.steps.look_up(key, || self.compute_steps(index, seat, inbox))
    }

    fn compute_steps(
        &self,
        index: usize,
        start: &Hashed<Seat<A>>,
        inbox: &Inbox<A>,
    ) -> Vec<Step<A, G::Fact>> {
        let (mut steps, mut ways) = (Vec::new(), Ways::<A>::default());
        let (mut seats, mut ends) = (BTreeSet::from([start.id()]), BTreeSet::new());
        let mut open = vec![(start.clone(), None)];
        while let Some((seat, way)) = open.pop() {
            let timers = seat.timers.iter().cloned().map(Input::Timer);
            for input in inbox.iter().cloned().map(Input::Message).chain(timers) {
                let outcome = self.outcome(index, &seat, &input);
                if outcome.is_silent() {
                    if seats.insert(outcome.seat.id()) {
                        open.push((outcome.seat.clone(), Some(ways.go_on(way, input))));
                    }
                } else if ends.insert(outcome.id()) {
                    let mut inputs = ways.inputs(way);
                    if self.is_minimal(index, start, &inputs, &input, &outcome) {
                        inputs.push(input);
                        steps.push(Step { seat: index, inputs, outcome });
                    }
                }
            }
        }
        steps
    }

    /// Whether what comes of `input` depends on each of the silent inputs before it. One on which it does
    /// not can as well wait until after it.
    fn is_minimal(
        &self,
        index: usize,
        start: &Hashed<Seat<A>>,
        path: &[InputOf<A>],
        input: &InputOf<A>,
        outcome: &Outcome<A, G::Fact>,
    ) -> bool {
        (0..path.len()).all(|left_out| {
            let mut seat = start.clone();
            for (_, earlier) in path.iter().enumerate().filter(|(number, _)| *number != left_out) {
                let outcome = self.outcome(index, &seat, earlier);
                if !outcome.is_silent() {
                    return true;
                }
                seat = outcome.seat.clone();
            }
            let sooner = self.outcome(index, &seat, input);
            let later = self.outcome(index, &sooner.seat, &path[left_out]);
            !(sooner.says_the_same_as(outcome) && later.is_silent() && later.seat == outcome.seat)
        })
    }

    /// A crash and recovery.
    pub(super) fn restart(&self, index: usize, seat: &Hashed<Seat<A>>) -> Step<A, G::Fact> {
        let outcome = self.outcome(index, seat, &Input::Restart);
        Step { seat: index, inputs: vec![Input::Restart], outcome }
    }

    /// Whether a message changes nothing when it arrives, and is not kept all the same.
    pub(super) fn is_dead(
        &self,
        index: usize,
        seat: &Hashed<Seat<A>>,
        message: &Hashed<Envelope<A::Message>>,
    ) -> bool {
        self.outcome(index, seat, &Input::Message(message.clone())).is_nothing()
            && !(self.is_kept)(&seat.actor, &message.message)
    }

    /// What the actor of a seat does, computed or looked up.
    pub(super) fn outcome(
        &self,
        index: usize,
        seat: &Hashed<Seat<A>>,
        input: &InputOf<A>,
    ) -> Arc<Outcome<A, G::Fact>> {
        self.outcomes.look_up((index, seat.id(), input.id()), || self.run(index, seat, input))
    }

    pub(super) fn run(
        &self,
        index: usize,
        seat: &Hashed<Seat<A>>,
        input: &InputOf<A>,
    ) -> Outcome<A, G::Fact> {
        mutant::select(self.mutant);
        let attempt = catch_unwind(AssertUnwindSafe(|| self.turn(index, seat, input)));
        mutant::select(None);
        attempt.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let text = text.unwrap_or_else(|| "a panic".to_owned());
            Outcome {
                before: seat.clone(),
                seat: seat.clone(),
                sent: Vec::new(),
                facts: Vec::new(),
                said: 0,
                is_silent: false,
                complaint: Some(Hashed::new(text)),
            }
        })
    }

    fn turn(
        &self,
        index: usize,
        seat: &Hashed<Seat<A>>,
        input: &InputOf<A>,
    ) -> Outcome<A, G::Fact> {
        let (mut next, mut fx) = ((**seat).clone(), EffectsOf::<A>::new());
        match input {
            Input::Restart => {
                next.timers.clear();
                next.actor = self.cast[index].1.clone();
                seat.durable.iter().for_each(|record| next.actor.restore(record.clone()));
                next.actor.on_start(&mut fx);
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
        self.close(self.cast[index].0, seat, next, fx)
    }

    /// Makes durable what was recorded, lets go what was sent.
    fn close(
        &self,
        node: NodeId,
        before: &Hashed<Seat<A>>,
        mut next: Seat<A>,
        fx: EffectsOf<A>,
    ) -> Outcome<A, G::Fact> {
        for change in fx.timers {
            match change {
                TimerChange::Set(timer, _) if (self.is_idle)(&timer) => false,
                TimerChange::Set(timer, _) => next.timers.insert(timer),
                TimerChange::Cancel(timer) => next.timers.remove(&timer),
            };
        }
        if !fx.records.is_empty() {
            next.durable = next.actor.checkpoint();
        }
        let recorded = fx.records.iter().filter_map(|record| G::recorded(node, record));
        let sent = fx.sends.iter().filter_map(|(to, message)| G::sent(node, *to, message));
        let facts: Vec<G::Fact> = recorded.chain(sent).collect();
        let envelopes = fx.sends.into_iter().filter(|(_, message)| !(self.is_lost)(message));
        let envelopes = envelopes.map(|(to, message)| Envelope { from: node, to, message });
        let envelopes = envelopes.filter(|envelope| self.seat_of(envelope.to).is_some());
        let sent: Vec<_> = envelopes.map(Hashed::new).collect();
        let complaint = fx.violations.first();
        let complaint = complaint
            .map(|Violation { invariant, detail }| Hashed::new(format!("{invariant}: {detail}")));
        let is_heard = (self.is_last)(node) && !sent.is_empty();
        let complaint =
            complaint.or_else(|| is_heard.then(|| Hashed::new(format!("{node} is heard"))));
        let is_silent = sent.is_empty()
            && facts.is_empty()
            && complaint.is_none()
            && before.durable == next.durable;
        let said = id_of((&sent, &facts));
        let (before, seat) = (before.clone(), Hashed::new(next));
        Outcome { before, seat, sent, facts, said, is_silent, complaint }
    }
}
