//! Messages that change nothing are dropped, and that this is right is checked.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use paxos::actor::Actor;

use super::{Envelope, Ghost, Inbox, Input, Lift, Seat, State};
use crate::hashed::Hashed;

/// A message that was dropped, and by which seat in which state.
type Dropped<A> = (usize, Hashed<Seat<A>>, Hashed<Envelope<<A as Actor>::Message>>);

/// All that was dropped.
pub(super) struct Forgotten<A: Actor>(Mutex<Vec<Dropped<A>>>);

impl<A: Actor> Default for Forgotten<A> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<A, G> Lift<A, G>
where
    A: Actor + Clone + Debug + Eq + Hash,
    G: Ghost<A>,
{
    /// Drops the messages to a seat that change nothing.
    pub(super) fn keep(&self, state: &mut State<A, G>, index: usize) {
        let (seat, inbox) = (&state.seats[index], &state.inboxes[index]);
        let key = (index, seat.id(), inbox.id());
        let kept = self.kept.look_up(key, || Hashed::new(self.filter(index, seat, inbox)));
        state.inboxes[index] = (*kept).clone();
    }

    pub(super) fn filter(
        &self,
        index: usize,
        seat: &Hashed<Seat<A>>,
        inbox: &Inbox<A>,
    ) -> Inbox<A> {
        let is_dead = |message: &Hashed<Envelope<A::Message>>| self.is_dead(index, seat, message);
        let (dead, kept): (Inbox<A>, Inbox<A>) = inbox.iter().cloned().partition(is_dead);
        if !dead.is_empty() {
            let mut forgotten = self.forgotten.0.lock().unwrap_or_else(PoisonError::into_inner);
            forgotten.extend(dead.into_iter().map(|message| (index, seat.clone(), message)));
        }
        kept
    }

    /// Whether each message that was dropped would have changed nothing later either: in no state that
    /// its receiver got into from there, by any way through what is known of it.
    ///
    /// *Errors*: a message that would have, and to whom.
    pub fn check_forgetting(&self) -> Result<(), String> {
        let mut later: HashMap<(usize, u64), Vec<Hashed<Seat<A>>>> = HashMap::new();
        for ((index, ..), outcome) in self.outcomes.all() {
            if outcome.before != outcome.seat {
                let key = (index, outcome.before.id());
                later.entry(key).or_default().push(outcome.seat.clone());
            }
        }
        let forgotten = self.forgotten.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open: Vec<Dropped<A>> = forgotten.clone();
        let mut seen = BTreeSet::new();
        while let Some((index, seat, message)) = open.pop() {
            if !seen.insert((index, seat.id(), message.id())) {
                continue;
            }
            if !self.run(index, &seat, &Input::Message(message.clone())).is_nothing() {
                let Envelope { from, to, message } = &*message;
                return Err(format!(
                    "{from} -> {to}: {message:?}\nwas dropped, but not by\n{seat:?}"
                ));
            }
            let next = later.get(&(index, seat.id())).into_iter().flatten();
            open.extend(next.map(|next| (index, next.clone(), message.clone())));
        }
        Ok(())
    }
}
