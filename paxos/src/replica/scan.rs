//! Reading a snapshot from the machine, for the archive, for a replica that lags, or for a backup.
//!
//! The machine freezes a view of itself and goes on. The view is cut into chunks, of which a few are
//! under way at once: a chunk goes when one before it is durable, so that votes of clients come
//! in between. There is one view at a time; who comes second waits, or asks elsewhere.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::{FromReplica, Fx, Replica, ReplicaTimer};
use crate::actor::{NodeId, Outbox};
use crate::history::History;
use crate::message::{Keep, Kept, SnapshotA, SnapshotB, SnapshotWanted};
use crate::mutant::{self, Mutant};
use crate::slot::Slot;
use crate::snapshot::{Chunk, Outbound, Pace, Part, SessionPart};
use crate::state_machine::StateMachine;
use crate::wire::{self, Payload};

/// A replica that asks for no chunk for so long is not waited for.
const LEASE: Range<Duration> = Duration::from_millis(2000)..Duration::from_millis(2500);

/// Whom a snapshot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reader {
    Archive,
    /// A replica of another process, or the application beside.
    Peer(NodeId),
}

/// A snapshot that is being read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Scan {
    reader: Reader,
    outbound: Outbound,
    pace: Pace,
    /// The digest as it was, unless it is cut already.
    history: Option<History>,
    /// Parts of the session table as it was that are not cut yet.
    sessions: VecDeque<SessionPart>,
}

impl Scan {
    /// Whether the archive beside the replica is to keep it.
    pub(super) fn is_for_archive(&self) -> bool {
        self.reader == Reader::Archive
    }

    /// The slot of the snapshot.
    pub(super) fn slot(&self) -> Slot {
        self.outbound.slot()
    }
}

impl<S: StateMachine> Replica<S> {
    /// The log has grown.
    pub(super) fn on_snapshot_wanted(&mut self, m: SnapshotWanted) {
        self.wanted = Some(m.watermark);
    }

    /// Begins the snapshot that the archive wants, once nothing is in its way. While values are missing
    /// it waits: if they are gone everywhere, a later snapshot of another replica is on its way.
    pub(super) fn start_wanted_scan(&mut self, fx: &mut Fx) {
        let Some(wanted) = self.wanted else { return };
        let is_reached = wanted <= self.executed_watermark;
        let is_free = !self.is_fetching && self.scan.is_none() && self.incoming.is_none();
        if is_reached && is_free {
            self.wanted = None;
            self.start_scan(Reader::Archive, fx);
        }
    }

    fn start_scan(&mut self, reader: Reader, fx: &mut Fx) {
        self.machine.start_snapshot();
        let sessions = match mutant::is_on(Mutant::SessionsOutsideSnapshot) {
            true => VecDeque::new(),
            false => self.sessions.parts(self.options.chunk_bytes),
        };
        self.scan = Some(Scan {
            reader,
            outbound: Outbound::new(self.executed_watermark),
            pace: Pace::default(),
            history: Some(self.history),
            sessions,
        });
        self.pump(fx);
    }

    /// Gives up the view.
    pub(super) fn stop_scan(&mut self) {
        self.machine.stop_snapshot();
        self.scan = None;
    }

    /// Cuts and sends chunks while there is room for them, and time.
    fn pump(&mut self, fx: &mut Fx) {
        let Some(scan) = &mut self.scan else { return };
        while scan.pace.is_due() && scan.outbound.has_room(self.options.window) {
            let chunk = cut_chunk(scan, &mut self.machine, self.options.chunk_bytes);
            if let Some(pause) = scan.pace.cut(chunk.bytes.len(), self.options.bytes_per_second) {
                fx.set_timer(ReplicaTimer::Pace, pause);
            }
            fx.sends.push(addressed(scan.reader, self.surroundings.archive, chunk));
        }
    }

    /// A value was executed while a snapshot may be on its way.
    pub(super) fn hasten_scan(&mut self, value_bytes: usize, fx: &mut impl Outbox<Self>) {
        if let Some(scan) = &mut self.scan {
            scan.pace.execute(value_bytes);
            fx.adopt(|fx| self.pump(fx));
        }
    }

    /// The pause after a chunk is over. Of a view that was given up meanwhile, that shortens a pause.
    pub(super) fn on_pace_timer(&mut self, fx: &mut Fx) {
        if let Some(scan) = &mut self.scan {
            scan.pace.end_pause();
            self.pump(fx);
        }
    }

    /// A chunk is durable at the archive beside.
    pub(super) fn on_kept(&mut self, m: Kept, fx: &mut Fx) {
        match &mut self.scan {
            Some(scan) if scan.is_for_archive() && scan.slot() == m.slot => {
                scan.outbound.release(m.number.saturating_add(1));
                match scan.outbound.is_done() {
                    true => self.stop_scan(),
                    false => self.pump(fx),
                }
            }
            _ => self.on_transfer_kept(m, fx),
        }
    }

    /// Gives a snapshot to a replica that lags: begins one, or goes on with the one that it is being
    /// given. Without an answer it asks elsewhere.
    ///
    /// *Repeat*: the chunks that are under way are sent again.
    pub(super) fn on_snapshot_a(&mut self, from: NodeId, m: SnapshotA, fx: &mut Fx) {
        match &mut self.scan {
            Some(scan) if scan.reader != Reader::Peer(from) => return,
            Some(scan) if m.slot == Some(scan.slot()) => {
                let archive = self.surroundings.archive;
                let again = scan.outbound.ask(m.next).into_iter();
                fx.sends.extend(again.map(|chunk| addressed(scan.reader, archive, chunk)));
                if scan.outbound.is_done() {
                    fx.cancel_timer(ReplicaTimer::Lease);
                    return self.stop_scan();
                }
                self.pump(fx);
            }
            // It has another one or none: it started over, or this view is a new one to it.
            _ if self.executed_watermark <= m.executed_watermark => return,
            _ => self.start_scan(Reader::Peer(from), fx),
        }
        fx.set_timer(ReplicaTimer::Lease, LEASE);
    }

    /// The replica that was given a snapshot is silent.
    pub(super) fn on_lease_timer(&mut self) {
        if self.scan.as_ref().is_some_and(|scan| !scan.is_for_archive()) {
            self.stop_scan();
        }
    }
}

fn addressed(reader: Reader, archive: NodeId, chunk: Chunk) -> (NodeId, FromReplica) {
    match reader {
        Reader::Archive => (archive, FromReplica::Keep(Keep { chunk })),
        Reader::Peer(node) => (node, FromReplica::SnapshotB(SnapshotB { chunk })),
    }
}

/// The next chunk: the digest, then sessions, then the machine.
fn cut_chunk<S: StateMachine>(scan: &mut Scan, machine: &mut S, bytes_max: usize) -> Chunk {
    if let Some(history) = scan.history.take() {
        let history = if mutant::is_on(Mutant::HistoryOutsideSnapshot) {
            History::default()
        } else {
            history
        };
        return scan.outbound.cut(Some(Payload(wire::encode(&Part::History(history)))));
    }
    if !scan.sessions.is_empty() {
        let (mut parts, mut size_bytes) = (Vec::new(), 0);
        while size_bytes < bytes_max.max(1)
            && let Some(part) = scan.sessions.pop_front()
        {
            size_bytes += part.size_bytes();
            parts.push(part);
        }
        return scan.outbound.cut(Some(Payload(wire::encode(&Part::Sessions(parts)))));
    }
    let part = machine.next_chunk(bytes_max).map(|bytes| Part::Machine(Payload(bytes)));
    scan.outbound.cut(part.map(|part| Payload(wire::encode(&part))))
}
