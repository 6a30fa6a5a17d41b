//! Answers that change nothing where they come from leave at once.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use paxos::actor::Actor;

use super::{Envelope, Ghost, Inbox, Input, Lift, Outcome, Seat, State, after};
use crate::hashed::{Hashed, id_of};

/// What a seat answers to messages in its inbox without becoming another.
pub(super) type Answers<A, G> = Vec<Arc<Outcome<A, <G as Ghost<A>>::Fact>>>;

impl<A, G> Lift<A, G>
where
    A: Actor + Clone + Debug + Eq + Hash,
    G: Ghost<A>,
{
    /// Takes every input after which nothing is different but that messages are on their way, of those seats
    /// that are not as they were `before`.
    pub(super) fn answer(&self, before: &State<A, G>, state: &mut State<A, G>) {
        let is_other = |index: &usize| {
            before.seats[*index] != state.seats[*index]
                || before.inboxes[*index] != state.inboxes[*index]
        };
        let mut open: BTreeSet<usize> = (0..self.cast.len()).filter(is_other).collect();
        while let Some(index) = open.pop_first() {
            let inboxes = state.inboxes.clone();
            self.answer_of(state, index);
            open.extend(
                (0..inboxes.len()).filter(|other| inboxes[*other] != state.inboxes[*other]),
            );
        }
    }

    /// The same of one seat.
    fn answer_of(&self, state: &mut State<A, G>, index: usize) {
        let (seat, inbox) = (&state.seats[index], &state.inboxes[index]);
        let key = (index, seat.id(), inbox.id());
        let answers = self.answers.look_up(key, || self.find_answers(index, seat, inbox));
        for outcome in answers.iter() {
            let inboxes = state.inboxes.clone();
            if !self.deliver(state, &outcome.sent) {
                continue;
            }
            // What counts for the properties is a step of its own.
            if !outcome.facts.is_empty() && after(&state.ghost, &outcome.facts) != state.ghost {
                state.inboxes = inboxes;
            }
        }
    }

    fn find_answers(
        &self,
        index: usize,
        seat: &Hashed<Seat<A>>,
        inbox: &Inbox<A>,
    ) -> Answers<A, G> {
        let inputs = inbox.iter().cloned().map(Input::Message);
        let outcomes = inputs.map(|input| self.outcome(index, seat, &input));
        let is_answer = |outcome: &Arc<Outcome<A, G::Fact>>| {
            outcome.before == outcome.seat
                && outcome.complaint.is_none()
                && !outcome.sent.is_empty()
        };
        outcomes.filter(is_answer).collect()
    }

    /// Puts messages into the inboxes of those to whom they may mean something, now or later. Whether
    /// one of them was not there.
    pub(super) fn deliver(
        &self,
        state: &mut State<A, G>,
        sent: &[Hashed<Envelope<A::Message>>],
    ) -> bool {
        let mut is_new = false;
        for message in sent {
            // Whoever is not in the cast receives nothing.
            let Some(index) = self.seat_of(message.to) else { continue };
            let (seat, inbox) = (&state.seats[index], &state.inboxes[index]);
            let key = (index, id_of((seat, inbox)), message.id());
            let after = self.deliveries.look_up(key, || self.put(index, seat, inbox, message));
            is_new |= *after != *inbox;
            state.inboxes[index] = (*after).clone();
        }
        is_new
    }

    /// The inbox with one more message, if it may mean something.
    fn put(
        &self,
        index: usize,
        seat: &Hashed<Seat<A>>,
        inbox: &Hashed<Inbox<A>>,
        message: &Hashed<Envelope<A::Message>>,
    ) -> Hashed<Inbox<A>> {
        let Err(place) = inbox.binary_search(message) else { return inbox.clone() };
        let mut more = (**inbox).clone();
        more.insert(place, message.clone());
        let kept = self.filter(index, seat, &more);
        if kept == **inbox { inbox.clone() } else { Hashed::new(kept) }
    }
}
