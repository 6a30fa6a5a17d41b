//! Putting a snapshot together: the one that the archive beside found on its disk after a restart, or
//! one of another replica, when the values that are missing are gone everywhere.
//!
//! The state is built beside the present one, which goes on to serve, and takes its place with the last
//! chunk: at once, or not at all. Chunks of another replica are written down by the archive as those
//! of a snapshot of its own are; the next one is asked for when one is durable. If the source falls
//! silent, it is asked again for what is missing, then another one is, from the start.

use std::ops::Range;
use std::time::Duration;

use super::{ANSWER_DELAY, FromReplica, Fx, Replica, ReplicaTimer};
use crate::actor::NodeId;
use crate::history::History;
use crate::message::{Cut, Keep, Kept, RestoreA, SnapshotA, SnapshotB};
use crate::mutant::{self, Mutant};
use crate::session_table::SessionTableBuilder;
use crate::slot::Slot;
use crate::snapshot::{Chunk, Inbound, Part};
use crate::state_machine::StateMachine;
use crate::wire;

/// Questions in a row without an answer after which another source is asked.
const SILENCE_MAX: u32 = 8;

/// After a restart each chunk is taken in a turn of its own, so that other actors come in between.
const NEXT_TURN: Range<Duration> = Duration::ZERO..Duration::from_micros(1);

/// A snapshot that is being put together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Incoming<S> {
    /// The archive beside, or another replica.
    source: NodeId,
    /// None before the first chunk.
    inbound: Option<Inbound>,
    history: History,
    sessions: SessionTableBuilder,
    machine: S,
    /// Questions without an answer.
    silence_count: u32,
    /// Whether it is also the snapshot that the archive wants: it began after the archive said so.
    is_wanted: bool,
}

impl<S: StateMachine> Replica<S> {
    /// The values that are missing are gone at the one that was asked: a snapshot is needed. A view
    /// that was being read for the archive is given up, it is an old one.
    pub(super) fn on_cut(&mut self, from: NodeId, m: Cut, fx: &mut Fx) {
        if m.first != self.executed_watermark || self.incoming.is_some() {
            return;
        }
        if let Some(scan) = self.scan.as_ref().filter(|scan| scan.is_for_archive()) {
            self.wanted = self.wanted.max(Some(scan.slot()));
            self.stop_scan();
        }
        let is_own = from == self.surroundings.archive;
        self.incoming = Some(Incoming {
            source: if is_own { from } else { m.replica },
            inbound: None,
            history: History::default(),
            sessions: SessionTableBuilder::default(),
            machine: self.machine.empty(),
            silence_count: 0,
            is_wanted: false,
        });
        self.is_fetching = true;
        self.ask_for_chunk(fx);
    }

    fn ask_for_chunk(&mut self, fx: &mut Fx) {
        let Some(incoming) = &self.incoming else { return };
        let (source, inbound) = (incoming.source, incoming.inbound.as_ref());
        let next = inbound.map_or(0, Inbound::next);
        if source == self.surroundings.archive {
            return fx.sends.push((source, FromReplica::RestoreA(RestoreA { number: next })));
        }
        let slot = inbound.map(Inbound::slot);
        let m = SnapshotA { executed_watermark: self.executed_watermark, slot, next };
        fx.sends.push((source, FromReplica::SnapshotA(m)));
        fx.set_timer(ReplicaTimer::Fetch, ANSWER_DELAY);
    }

    /// Time for the next chunk after a restart; or the source is silent.
    pub(super) fn on_transfer_timer(&mut self, fx: &mut Fx) {
        let Some(incoming) = &mut self.incoming else { return };
        if incoming.source != self.surroundings.archive {
            incoming.silence_count += 1;
            let is_begun = incoming.inbound.is_some();
            if incoming.silence_count >= if is_begun { SILENCE_MAX } else { 1 } {
                return self.give_up_transfer(fx);
            }
        }
        self.ask_for_chunk(fx);
    }

    fn give_up_transfer(&mut self, fx: &mut Fx) {
        self.incoming = None;
        self.is_fetching = false;
        self.arm_fetch(fx);
    }

    /// Adds the next chunk.
    ///
    /// *Repeat*: a chunk before the next one is ignored, and one after it waits for its turn. A first
    /// chunk of a later snapshot starts over: its source did.
    pub(super) fn on_snapshot_b(&mut self, from: NodeId, m: SnapshotB, fx: &mut Fx) {
        let SnapshotB { chunk } = m;
        let Some(incoming) = self.incoming.as_mut().filter(|incoming| incoming.source == from)
        else {
            return;
        };
        let known = incoming.inbound.as_ref().map(Inbound::slot);
        if known > Some(chunk.slot) {
            return;
        }
        if chunk.slot <= self.executed_watermark && !mutant::is_on(Mutant::InstallOlderSnapshot) {
            if known.is_some() {
                // What was missing came in another way.
                self.give_up_transfer(fx);
            }
            return;
        }
        if known.is_none() || chunk.number == 0 && known < Some(chunk.slot) {
            incoming.inbound = Some(Inbound::new(chunk.slot));
            incoming.history = History::default();
            incoming.sessions = SessionTableBuilder::default();
            incoming.machine = self.machine.empty();
        }
        if let Some(inbound) = &mut incoming.inbound {
            inbound.hold(chunk, self.options.window);
        }
        while let Some(incoming) = &mut self.incoming
            && let Some(chunk) = incoming.inbound.as_mut().and_then(Inbound::take_next)
        {
            if let Err(error) = incoming.install(&chunk) {
                fx.violation("A22 snapshot truth", format!("{from} sent a foreign chunk: {error}"));
                return self.give_up_transfer(fx);
            }
            self.pass_on(from, chunk, fx);
        }
    }

    /// Has the chunk written down unless it comes from the disk, and goes on.
    fn pass_on(&mut self, from: NodeId, chunk: Chunk, fx: &mut Fx) {
        let (slot, number, is_last) = (chunk.slot, chunk.number, chunk.is_last);
        let archive = self.surroundings.archive;
        if from != archive {
            fx.sends.push((archive, FromReplica::Keep(Keep { chunk })));
        }
        let is_enough = from != archive && self.wanted.is_some_and(|wanted| wanted <= slot);
        if let Some(incoming) = self.incoming.as_mut().filter(|_| number == 0) {
            incoming.is_wanted = is_enough;
        }
        if is_last {
            if from != archive {
                let (executed_watermark, next) = (self.executed_watermark, number + 1);
                let m = SnapshotA { executed_watermark, slot: Some(slot), next };
                fx.sends.push((from, FromReplica::SnapshotA(m)));
            }
            return self.finish_transfer(slot, fx);
        }
        fx.set_timer(ReplicaTimer::Fetch, if from == archive { NEXT_TURN } else { ANSWER_DELAY });
    }

    /// A chunk of another replica is durable here: there is room for the next one.
    pub(super) fn on_transfer_kept(&mut self, m: Kept, fx: &mut Fx) {
        let Some(incoming) = &self.incoming else { return };
        let is_present = incoming.inbound.as_ref().map(Inbound::slot) == Some(m.slot);
        if is_present {
            let (slot, next) = (Some(m.slot), m.number + 1);
            let ask = SnapshotA { executed_watermark: self.executed_watermark, slot, next };
            fx.sends.push((incoming.source, FromReplica::SnapshotA(ask)));
        }
    }

    /// The snapshot takes the place of the present state, and the log goes on from there.
    fn finish_transfer(&mut self, slot: Slot, fx: &mut Fx) {
        let Some(incoming) = self.incoming.take() else { return };
        self.stop_scan();
        let is_own = incoming.source == self.surroundings.archive;
        if incoming.is_wanted {
            self.wanted = None;
        }
        self.machine = incoming.machine;
        self.history = incoming.history;
        self.sessions = incoming.sessions.finish();
        self.executed_watermark = slot;
        self.execute_buffered(fx);
        self.answer_queries(fx);
        self.is_fetching = false;
        match is_own {
            true => self.fetch_from(self.surroundings.archive, fx),
            false => self.arm_fetch(fx),
        }
    }
}

impl<S: StateMachine> Incoming<S> {
    fn install(&mut self, chunk: &Chunk) -> Result<(), String> {
        self.silence_count = 0;
        if chunk.is_last {
            return Ok(());
        }
        match wire::decode(&chunk.bytes.0).map_err(|error| error.to_string())? {
            Part::History(history) => self.history = history,
            Part::Sessions(parts) => parts.into_iter().for_each(|part| self.sessions.add(part)),
            Part::Machine(bytes) => {
                self.machine.install_chunk(&bytes.0).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}
