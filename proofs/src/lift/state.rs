//! A state of the whole: all seats, what is on its way to each, and what is true.

use std::hash::{Hash, Hasher};

use paxos::actor::Actor;

use super::{Envelope, Inbox, Seat, Step};
use crate::hashed::Hashed;

/// A state of the whole.
pub struct State<A: Actor, G> {
    /// In the order of the cast.
    pub seats: Vec<Hashed<Seat<A>>>,
    /// In the order of the cast.
    pub inboxes: Vec<Hashed<Inbox<A>>>,
    /// What is true.
    pub ghost: Hashed<G>,
    /// Crashes so far.
    pub crash_count: usize,
    /// What an actor complained of, or how it failed. Nothing follows such a state.
    pub complaint: Option<Hashed<String>>,
}

impl<A: Actor, G> State<A, G> {
    /// What was answered at once when `step` led here from `before`.
    pub fn answers<F>(
        &self,
        before: &Self,
        step: &Step<A, F>,
    ) -> impl Iterator<Item = &Envelope<A::Message>> {
        let pairs = self.inboxes.iter().zip(&before.inboxes);
        let is_new = |old: &Hashed<Inbox<A>>, message: &Hashed<Envelope<A::Message>>| {
            old.binary_search(message).is_err() && !step.outcome.sent.contains(message)
        };
        let new = pairs
            .flat_map(move |(now, old)| now.iter().filter(move |message| is_new(old, message)));
        new.map(|message| &**message)
    }
}

impl<A: Actor, G> Clone for State<A, G> {
    fn clone(&self) -> Self {
        Self {
            seats: self.seats.clone(),
            inboxes: self.inboxes.clone(),
            ghost: self.ghost.clone(),
            crash_count: self.crash_count,
            complaint: self.complaint.clone(),
        }
    }
}

impl<A: Actor, G> PartialEq for State<A, G> {
    fn eq(&self, other: &Self) -> bool {
        (&self.seats, &self.inboxes, &self.ghost, self.crash_count, &self.complaint)
            == (&other.seats, &other.inboxes, &other.ghost, other.crash_count, &other.complaint)
    }
}

impl<A: Actor, G> Hash for State<A, G> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.seats.hash(state);
        self.inboxes.hash(state);
        self.ghost.hash(state);
        self.crash_count.hash(state);
        self.complaint.hash(state);
    }
}
