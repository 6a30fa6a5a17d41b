//! One turn of the host: inputs, steps, turn ends, one batch of records.

use tokio::time::Instant;

use super::{Compaction, Host, Place};
use crate::actor::{Actor, EffectsOf, NodeId, TimerChange};
use crate::storage::Tagged;
use crate::transport::{Envelope, Transport};

/// Steps of a turn at most. Local messages that are left wait for the next turn.
const STEPS_MAX: u64 = 16_384;

/// What an actor is given.
enum Input<A: Actor> {
    Start,
    Message(NodeId, A::Message),
    Timer(A::Timer),
    TurnEnd,
    Compaction,
}

impl<A, T> Host<A, T>
where
    A: Actor,
    A::Record: Send + 'static,
    T: Transport<A::Message>,
{
    /// Starts every actor, as a turn of its own.
    pub(super) fn start(&mut self) {
        for index in 0..self.actors.len() {
            self.step(index, Input::Start);
        }
        self.turn(Instant::now());
    }

    /// Runs everything that is ready and what follows from it inside this process; then hands the
    /// records to the disk and lets the sends leave.
    pub(super) fn turn(&mut self, now: Instant) {
        let steps_max = self.counts.steps + STEPS_MAX;
        let mut incoming = std::mem::take(&mut self.incoming);
        for envelope in incoming.drain(..) {
            self.counts.received += 1;
            self.take(envelope);
        }
        self.incoming = incoming;
        while self.counts.steps < steps_max
            && let Some((index, timer)) = self.timers.pop_due(now)
        {
            self.step(index, Input::Timer(timer));
        }
        loop {
            while self.counts.steps < steps_max
                && let Some(envelope) = self.loopback.pop_front()
            {
                self.take(envelope);
            }
            for index in 0..self.actors.len() {
                if std::mem::take(&mut self.actors[index].has_run) {
                    self.step(index, Input::TurnEnd);
                }
            }
            if self.loopback.is_empty() || self.counts.steps >= steps_max {
                break;
            }
        }
        self.hand_over(now);
        self.transport.flush();
        self.counts.turns += 1;
        self.counts.publish(&self.stats);
    }

    /// Gives a message to whom it is for. From the application it may be for another process.
    fn take(&mut self, envelope: Envelope<A::Message>) {
        match self.place(envelope.to.seat) {
            Some((node, Place::Actor(index))) if node == envelope.to => {
                self.step(index, Input::Message(envelope.from, envelope.message));
            }
            _ => self.route(envelope),
        }
    }

    /// Sends a message that waits for nothing.
    pub(super) fn route(&mut self, envelope: Envelope<A::Message>) {
        match self.place(envelope.to.seat) {
            // Meant for whoever sat here before its disk was lost.
            Some((node, _)) if node != envelope.to => self.counts.misdirected += 1,
            Some((_, Place::Actor(_))) => {
                self.counts.local += 1;
                self.loopback.push_back(envelope);
            }
            Some((_, Place::Port(index))) => {
                self.counts.local += 1;
                (self.ports[index])(envelope.from, envelope.message);
            }
            // What a peer misdirected is not passed on: its sender is not of this process.
            None => {
                if self.place(envelope.from.seat).is_some_and(|(node, _)| node == envelope.from) {
                    self.counts.sent += 1;
                    self.transport.send(envelope);
                } else {
                    self.counts.misdirected += 1;
                }
            }
        }
    }

    fn step(&mut self, index: usize, input: Input<A>) {
        let mut fx = std::mem::take(&mut self.fx);
        let seated = &mut self.actors[index];
        let is_turn_end = matches!(input, Input::TurnEnd);
        match input {
            Input::Start => seated.actor.on_start(&mut fx),
            Input::Message(from, message) => seated.actor.on_message(from, message, &mut fx),
            Input::Timer(timer) => seated.actor.on_timer(timer, &mut fx),
            Input::TurnEnd => seated.actor.on_turn_end(&mut fx),
            Input::Compaction => seated.actor.on_compaction(&mut fx),
        }
        if !is_turn_end {
            seated.has_run = true;
            self.counts.steps += 1;
        }
        self.settle(index, &mut fx);
        self.fx = fx;
    }

    /// Does what one step wants: its records join the batch before its sends are looked at.
    fn settle(&mut self, index: usize, fx: &mut EffectsOf<A>) {
        let seated = &mut self.actors[index];
        let from = seated.node;
        if !fx.records.is_empty() {
            seated.batch = self.batch;
            self.counts.records += fx.records.len() as u64;
            self.is_urgent |= !fx.records.iter().all(A::may_wait);
            let tagged = fx.records.drain(..).map(|record| Tagged { seat: from.seat, record });
            self.records.extend(tagged);
        }
        if seated.batch > self.durable_batch {
            let batch = seated.batch;
            seated.held.extend(fx.sends.drain(..).map(|(to, message)| (batch, to, message)));
        } else {
            for (to, message) in fx.sends.drain(..) {
                self.route(Envelope { from, to, message });
            }
        }
        for change in fx.timers.drain(..) {
            match change {
                TimerChange::Set(timer, delay) => {
                    let at = Instant::now() + draw(&mut self.rng, delay);
                    self.timers.set(index, timer, at);
                }
                TimerChange::Cancel(timer) => self.timers.cancel(index, timer),
            }
        }
        for violation in fx.violations.drain(..) {
            self.counts.violations += 1;
            tracing::warn!(
                node = %from, invariant = violation.invariant, detail = violation.detail,
                "a peer said what the protocol makes impossible; the message was dropped"
            );
        }
    }

    /// Hands the records of the turn to the disk thread, and does what compaction needs next.
    fn hand_over(&mut self, now: Instant) {
        if !self.may_keep_records(now) {
            self.hand_over_records();
        }
        match self.compaction {
            Compaction::Wanted => self.begin_compaction(),
            // The disk thread keeps the order: all that makes the actors compact is durable by then.
            Compaction::Begun if self.actors.iter().all(|seated| seated.actor.is_compact()) => {
                self.disk.forget(self.batch);
                self.batch += 1;
                self.compaction = Compaction::Forgetting;
            }
            Compaction::Above(_) | Compaction::Begun | Compaction::Forgetting => {}
        }
    }

    /// Whether the records may be kept back until others join them. While compaction goes on they may
    /// not: it counts on their place in the log.
    fn may_keep_records(&mut self, now: Instant) -> bool {
        if self.is_urgent
            || self.records.is_empty()
            || self.records.len() > self.options.unsynced_records_max
            || !matches!(self.compaction, Compaction::Above(_))
        {
            return false;
        }
        now < *self.kept_until.get_or_insert(now + self.options.patience)
    }

    pub(super) fn hand_over_records(&mut self) {
        (self.kept_until, self.is_urgent) = (None, false);
        if !self.records.is_empty() {
            let records = std::mem::take(&mut self.records);
            self.unsynced_records += records.len();
            self.counts.batches += 1;
            self.disk.append(self.batch, records);
            self.batch += 1;
        }
    }

    /// Everything that the actors know was handed over; the checkpoints and what follows replace it.
    fn begin_compaction(&mut self) {
        for index in 0..self.actors.len() {
            self.step(index, Input::Compaction);
        }
        let mut records = Vec::new();
        for seated in &self.actors {
            let seat = seated.node.seat;
            let checkpoint = seated.actor.checkpoint();
            records.extend(checkpoint.into_iter().map(|record| Tagged { seat, record }));
        }
        tracing::info!(records = records.len(), "compacting the log");
        self.disk.checkpoint(self.batch, records);
        self.batch += 1;
        self.compaction = Compaction::Begun;
        self.hand_over_records();
    }
}

/// A delay within `range`, each equally likely; its start if it is empty.
fn draw(
    rng: &mut impl rand::Rng,
    range: std::ops::Range<std::time::Duration>,
) -> std::time::Duration {
    let width = range.end.saturating_sub(range.start);
    let nanos = u64::try_from(width.as_nanos()).unwrap_or(u64::MAX);
    // The high word of a product is uniform to within 2^-64 * width.
    let drawn = (u128::from(rng.next_u64()) * u128::from(nanos)) >> 64;
    range.start + std::time::Duration::from_nanos(drawn as u64)
}
