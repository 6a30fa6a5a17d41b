//! Reading a snapshot from the machine, for the archive, for a replica that lags, or for a backup.
//!
//! A view is frozen when a component is executed that holds a vertex for snapshots, and at no other
//! time: so it is the same cut through the graph for all replicas. Who wants one has a proposer make such
//! a vertex. There is one view at a time; who comes second waits for the next vertex, or asks elsewhere.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use paxos::actor::NodeId;
use paxos::message::{Keep, Kept, SnapshotA, SnapshotB};
use paxos::mutant::{self, Mutant};
use paxos::snapshot::{Chunk, Outbound, Pace};
use paxos::state_machine::StateMachine;
use paxos::wire::{self, Payload};

use super::{Fx, Replica, ReplicaTimer};
use crate::message::SnapshotWanted;
use crate::snapshot::{Header, Part, SessionPart};
use crate::vertex::VertexSet;

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
    /// What the first chunk says.
    header: Header,
    /// Whether the first chunk is cut.
    is_begun: bool,
    /// Parts of the session table as it was that are not cut yet.
    sessions: VecDeque<SessionPart>,
}

impl<S: StateMachine> Replica<S> {
    /// The log has grown.
    pub(super) fn on_snapshot_wanted(&mut self, m: SnapshotWanted, fx: &mut Fx) {
        self.want(&m.vertices, fx);
    }

    /// Has a snapshot written down that covers `vertices`.
    pub(super) fn want(&mut self, vertices: &VertexSet, fx: &mut Fx) {
        self.wanted.get_or_insert_default().union(vertices);
        self.ask_for_snapshot(fx);
    }

    /// Whether a snapshot of `executed` is one that the archive wants.
    pub(super) fn is_wanted(&self, executed: &VertexSet) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| {
            wanted.first_missing(None, executed).is_none()
                || mutant::is_on(Mutant::SmallSnapshotCompacts)
        })
    }

    /// A component was executed that holds vertices for snapshots, and has the rank `rank`.
    pub(super) fn pass_snapshot(&mut self, rank: u64, fx: &mut Fx) {
        self.graph.forget_ranks(&self.executed, rank);
        self.wait_count = 0;
        if self.scan.is_some() || self.incoming.is_some() {
            return;
        }
        let reader = if self.is_wanted(&self.executed) {
            self.wanted = None;
            Reader::Archive
        } else {
            let Some(peer) = self.asker.take() else { return };
            fx.set_timer(ReplicaTimer::Lease, LEASE);
            Reader::Peer(peer)
        };
        self.machine.start_snapshot();
        let sessions = match mutant::is_on(Mutant::SessionsOutsideSnapshot) {
            true => VecDeque::new(),
            false => self.sessions.parts(self.options.chunk_bytes),
        };
        let header = Header { executed: covered(&self.executed), rank };
        let outbound = Outbound::new(self.snapshot);
        let pace = Pace::default();
        self.scan = Some(Scan { reader, outbound, pace, header, is_begun: false, sessions });
        self.pump(fx);
    }

    /// Gives up the view.
    pub(super) fn stop_scan(&mut self) {
        self.machine.stop_snapshot();
        self.scan = None;
    }

    /// Gives up a view that is read for the archive: a later snapshot is on its way to it.
    pub(super) fn stop_own_scan(&mut self) {
        let is_own = |scan: &mut Scan| scan.reader == Reader::Archive;
        if let Some(scan) = self.scan.take_if(is_own) {
            self.machine.stop_snapshot();
            self.wanted.get_or_insert_default().union(&scan.header.executed);
        }
    }

    /// Cuts and sends chunks while there is room for them, and time.
    fn pump(&mut self, fx: &mut Fx) {
        let Some(scan) = &mut self.scan else { return };
        while scan.pace.is_due() && scan.outbound.has_room(self.options.window) {
            let chunk = cut_chunk(scan, &mut self.machine, self.options.chunk_bytes);
            if let Some(pause) = scan.pace.cut(chunk.bytes.len(), self.options.bytes_per_second) {
                fx.set_timer(ReplicaTimer::Pace, pause);
            }
            send(scan.reader, self.surroundings.archive, chunk, fx);
        }
    }

    /// A command was executed while a snapshot may be on its way.
    pub(super) fn hasten_scan(&mut self, command_bytes: usize, fx: &mut Fx) {
        if let Some(scan) = &mut self.scan {
            scan.pace.execute(command_bytes);
            self.pump(fx);
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
        let Some(scan) = self
            .scan
            .as_mut()
            .filter(|scan| scan.reader == Reader::Archive && scan.outbound.slot() == m.slot)
        else {
            return self.on_transfer_kept(m, fx);
        };
        scan.outbound.release(m.number.saturating_add(1));
        if !scan.outbound.is_done() {
            return self.pump(fx);
        }
        let executed = std::mem::take(&mut scan.header.executed);
        self.stop_scan();
        self.store_above(&executed, fx);
    }

    /// Gives a snapshot to a replica that lags: the next one, or the one that it is being given. Without
    /// an answer it asks elsewhere.
    ///
    /// *Repeat*: the chunks that are under way are sent again.
    pub(super) fn on_snapshot_a(&mut self, from: NodeId, m: SnapshotA, fx: &mut Fx) {
        let Some(scan) = &mut self.scan else {
            // Unless it speaks of the end of one that it has.
            if m.slot.is_none_or(|slot| slot > m.executed_watermark) {
                self.asker = Some(from);
                self.ask_for_snapshot(fx);
            }
            return;
        };
        let is_other = m.slot.is_some_and(|slot| slot != scan.outbound.slot());
        if scan.reader != Reader::Peer(from) || is_other {
            return;
        }
        if m.slot.is_none() && !scan.outbound.is_whole() {
            // It has started over.
            self.stop_scan();
            self.asker = Some(from);
            return self.ask_for_snapshot(fx);
        }
        let (reader, archive) = (scan.reader, self.surroundings.archive);
        scan.outbound.ask(m.next).into_iter().for_each(|chunk| send(reader, archive, chunk, fx));
        if scan.outbound.is_done() {
            fx.cancel_timer(ReplicaTimer::Lease);
            return self.stop_scan();
        }
        self.pump(fx);
        fx.set_timer(ReplicaTimer::Lease, LEASE);
    }

    /// The replica that was given a snapshot is silent.
    pub(super) fn on_lease_timer(&mut self) {
        if self.scan.as_ref().is_some_and(|scan| scan.reader != Reader::Archive) {
            self.stop_scan();
        }
    }
}

/// What a snapshot says that it covers: what is executed, unless there is a fault.
fn covered(executed: &VertexSet) -> VertexSet {
    let mut covered = executed.clone();
    if mutant::is_on(Mutant::SnapshotFillsHoles) {
        executed.columns().for_each(|(column, slots)| covered.fill(column, slots.end()));
    }
    covered
}

fn send(reader: Reader, archive: NodeId, chunk: Chunk, fx: &mut Fx) {
    match reader {
        Reader::Archive => fx.send(archive, Keep { chunk }),
        Reader::Peer(node) => fx.send(node, SnapshotB { chunk }),
    }
}

/// The next chunk: the header, then sessions, then the machine.
fn cut_chunk<S: StateMachine>(scan: &mut Scan, machine: &mut S, bytes_max: usize) -> Chunk {
    let part = if !scan.is_begun {
        scan.is_begun = true;
        Some(Part::Header(scan.header.clone()))
    } else if !scan.sessions.is_empty() {
        let (mut parts, mut size_bytes) = (Vec::new(), 0);
        while size_bytes < bytes_max.max(1)
            && let Some(part) = scan.sessions.pop_front()
        {
            size_bytes += part.size_bytes();
            parts.push(part);
        }
        Some(Part::Sessions(parts))
    } else {
        machine.next_chunk(bytes_max).map(|bytes| Part::Machine(Payload(bytes)))
    };
    scan.outbound.cut(part.map(|part| Payload(wire::encode(&part))))
}
