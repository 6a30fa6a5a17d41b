//! Putting a snapshot together: the one that the archive beside found on its disk after a restart, or
//! one of another replica, when the values that are missing are gone everywhere.
//!
//! *Why a replica may take the state of another*: only a snapshot is taken that this replica has not come
//! to itself. Then nothing that it has executed comes after that snapshot, since that would depend on it;
//! so all of it is in the snapshot, but for vertices that hold nothing. The state of the snapshot takes the
//! place of the present one as a whole, and what is executed is the union.
//!
//! *And why it need not*, if it has come to that snapshot itself: then it has executed whatever the
//! snapshot covers and that holds anything. What it misses there holds nothing, and counts as executed.
//!
//! The state is built beside the present one, which goes on to serve, and takes its place with the last
//! chunk: at once, or not at all. Chunks of another replica are written down by the archive as those
//! of a snapshot of its own are; the next one is asked for when one is durable. If the source falls
//! silent, it is asked again for what is missing, then another one is, from the start.

use std::ops::Range;
use std::time::Duration;

use paxos::actor::NodeId;
use paxos::message::{Keep, Kept, RestoreA, SnapshotA, SnapshotB};
use paxos::mutant::{self, Mutant};
use paxos::slot::Slot;
use paxos::snapshot::{Chunk, Inbound};
use paxos::state_machine::StateMachine;
use paxos::wire;

use super::{Fx, Replica, ReplicaTimer};
use crate::message::{ContentsB, Covered};
use crate::sessions::ExecutedTableBuilder;
use crate::snapshot::{Header, Part};
use crate::vertex::{Column, VertexSet};

/// How long the answer to a question for chunks may take.
const ANSWER_DELAY: Range<Duration> = Duration::from_millis(200)..Duration::from_millis(300);

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
    header: Header,
    sessions: ExecutedTableBuilder,
    machine: S,
    /// Questions without an answer.
    silence_count: u32,
    /// Whether it is also the snapshot that the archive wants: it began after the archive said so.
    is_wanted: bool,
}

impl<S: StateMachine> Replica<S> {
    /// Takes what the archive beside found on its disk: its snapshot first, then the values of each
    /// column.
    pub(super) fn on_contents_b(&mut self, from: NodeId, m: &ContentsB, fx: &mut Fx) {
        if from != self.surroundings.archive {
            return;
        }
        for (column, _) in m.vertices.columns() {
            // Columns that are known are fetched from when the state is there.
            self.log(column);
        }
        match m.snapshot > self.snapshot && self.incoming.is_none() {
            true => self.start_transfer(from, fx),
            false => self.fetch_own(fx),
        }
    }

    /// Fetches from the archive beside whatever it has.
    pub(super) fn fetch_own(&self, fx: &mut Fx) {
        for column in self.logs.keys() {
            self.fetch(*column, self.surroundings.archive, self.first_missing(*column), fx);
        }
    }

    /// The values that are missing are gone at the one that was asked: a snapshot is needed, unless this
    /// replica has come to it already.
    pub(super) fn on_covered(&mut self, from: NodeId, m: &Covered, fx: &mut Fx) {
        let column = m.first.column;
        let is_present = m.first.slot == self.first_missing(column) && m.base > m.first.slot;
        if !is_present || self.incoming.is_some() {
            return;
        }
        if m.snapshot <= self.snapshot || mutant::is_on(Mutant::CoveredCountsAsExecuted) {
            let mut vertices = VertexSet::new();
            vertices.fill(column, m.base);
            self.want(&vertices, fx);
            self.absorb(&vertices, fx);
            return self.fetch(column, from, self.first_missing(column), fx);
        }
        self.stop_own_scan();
        let is_own = from == self.surroundings.archive;
        self.start_transfer(if is_own { from } else { m.replica }, fx);
    }

    fn start_transfer(&mut self, source: NodeId, fx: &mut Fx) {
        self.incoming = Some(Incoming {
            source,
            inbound: None,
            header: Header::default(),
            sessions: ExecutedTableBuilder::default(),
            machine: self.machine.empty(),
            silence_count: 0,
            is_wanted: false,
        });
        self.ask_for_chunk(fx);
    }

    fn ask_for_chunk(&mut self, fx: &mut Fx) {
        let Some(incoming) = &self.incoming else { return };
        let (source, inbound) = (incoming.source, incoming.inbound.as_ref());
        let next = inbound.map_or(0, Inbound::next);
        if source == self.surroundings.archive {
            fx.send(source, RestoreA { number: next });
        } else {
            let slot = inbound.map(Inbound::slot);
            fx.send(source, SnapshotA { executed_watermark: self.snapshot, slot, next });
        }
        fx.set_timer(ReplicaTimer::Chunk, ANSWER_DELAY);
    }

    /// Time for the next chunk after a restart; or the source is silent.
    pub(super) fn on_chunk_timer(&mut self, fx: &mut Fx) {
        let Some(incoming) = &mut self.incoming else { return };
        incoming.silence_count += 1;
        if incoming.silence_count > SILENCE_MAX {
            return self.give_up_transfer(fx);
        }
        self.ask_for_chunk(fx);
    }

    fn give_up_transfer(&mut self, fx: &mut Fx) {
        self.incoming = None;
        fx.cancel_timer(ReplicaTimer::Chunk);
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
        if chunk.slot <= self.snapshot && !mutant::is_on(Mutant::InstallOlderSnapshot) {
            // It has come there by itself.
            return self.give_up_transfer(fx);
        }
        if known.is_none() || chunk.number == 0 && known < Some(chunk.slot) {
            incoming.inbound = Some(Inbound::new(chunk.slot));
            incoming.header = Header::default();
            incoming.sessions = ExecutedTableBuilder::default();
            incoming.machine = self.machine.empty();
        }
        if let Some(inbound) = &mut incoming.inbound {
            inbound.hold(chunk, self.options.window);
        }
        while let Some(incoming) = &mut self.incoming
            && let Some(chunk) = incoming.inbound.as_mut().and_then(Inbound::take_next)
        {
            if let Err(error) = incoming.install(&chunk) {
                fx.violation("B9 snapshots", format!("{from} sent a foreign chunk: {error}"));
                return self.give_up_transfer(fx);
            }
            self.pass_on(from, chunk, fx);
        }
    }

    /// Has the chunk written down unless it comes from the disk, and goes on.
    fn pass_on(&mut self, from: NodeId, chunk: Chunk, fx: &mut Fx) {
        let (slot, number, is_last) = (chunk.slot, chunk.number, chunk.is_last);
        let archive = self.surroundings.archive;
        let is_own = from == archive;
        if !is_own {
            fx.send(archive, Keep { chunk });
        }
        if number == 0 && !is_own {
            let executed = self.incoming.as_ref().map(|incoming| &incoming.header.executed);
            let is_wanted = executed.is_some_and(|executed| self.is_wanted(executed));
            self.incoming.iter_mut().for_each(|incoming| incoming.is_wanted = is_wanted);
        }
        if is_last {
            if !is_own {
                let (known, next) = (Some(slot), number.saturating_add(1));
                fx.send(from, SnapshotA { executed_watermark: slot, slot: known, next });
            }
            return self.finish_transfer(slot, fx);
        }
        fx.set_timer(ReplicaTimer::Chunk, if is_own { NEXT_TURN } else { ANSWER_DELAY });
    }

    /// A chunk of another replica is durable here: there is room for the next one.
    pub(super) fn on_transfer_kept(&mut self, m: Kept, fx: &mut Fx) {
        let Some(incoming) = &self.incoming else { return };
        let is_present = incoming.inbound.as_ref().map(Inbound::slot) == Some(m.slot);
        if is_present {
            let (slot, next) = (Some(m.slot), m.number.saturating_add(1));
            let ask = SnapshotA { executed_watermark: self.snapshot, slot, next };
            fx.send(incoming.source, ask);
        }
    }

    /// The snapshot takes the place of the present state, and the columns go on from there.
    fn finish_transfer(&mut self, snapshot: Slot, fx: &mut Fx) {
        let Some(incoming) = self.incoming.take() else { return };
        self.stop_scan();
        fx.cancel_timer(ReplicaTimer::Chunk);
        let is_own = incoming.source == self.surroundings.archive;
        if incoming.is_wanted {
            self.wanted = None;
        }
        self.machine = incoming.machine;
        self.sessions = incoming.sessions.finish();
        self.snapshot = snapshot;
        let Header { executed, rank } = incoming.header;
        self.graph.forget_ranks(&executed, rank);
        self.store_above(&executed, fx);
        self.absorb(&executed, fx);
        if is_own {
            self.fetch_own(fx);
        }
    }

    /// Takes `vertices` for executed, and executes what has waited for them.
    fn absorb(&mut self, vertices: &VertexSet, fx: &mut Fx) {
        self.executed.union(vertices);
        self.waiting.retain(|vertex, _| !vertices.contains(*vertex));
        for component in self.graph.absorb(vertices) {
            self.execute(&component, fx);
        }
    }

    /// A durable snapshot covers `vertices`: the archive takes what is above.
    pub(super) fn store_above(&mut self, vertices: &VertexSet, fx: &mut Fx) {
        let columns: Vec<(Column, Slot)> =
            vertices.columns().map(|(column, slots)| (column, slots.watermark())).collect();
        for (column, watermark) in columns {
            let Some(log) = self.log(column) else { continue };
            if watermark > log.stored {
                log.stored = watermark;
                log.ahead = log.ahead.split_off(&watermark);
            }
            self.store(column, fx);
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
            Part::Header(header) => self.header = header,
            Part::Sessions(parts) => parts.into_iter().for_each(|part| self.sessions.add(part)),
            Part::Machine(bytes) => {
                self.machine.install_chunk(&bytes.0).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}
