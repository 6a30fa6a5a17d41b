//! A cluster that begins with the backup of another one.
//!
//! The other one runs first, without faults, and is gone then. Of a replica that has executed all that was
//! acknowledged its state is read as an application reads it, and the new cluster has it on the disks of
//! its founders before it starts, as `kvs restore` leaves them. Calls and executions go on to be judged as
//! those of one cluster: what was acknowledged by the first one must be seen in the second.

use matchmaker::node::{Node, NodeRecord};
use paxos::actor::{Effects, NodeId};
use paxos::archive::ArchiveRecord;
use paxos::message::{SnapshotA, ToReplica};
use paxos::replica::{FromReplica, Replica, ReplicaTimer};
use paxos::slot::Slot;
use paxos::snapshot::FirstSnapshot;
use paxos::state_machine::StateMachine;
use paxos::wire::{self, Payload};

use crate::MS;
use crate::coverage::Situation;
use crate::mutation::Mutation;
use crate::plan::{Earlier, Role};
use crate::properties::Verdict;
use crate::trace::Kind;
use crate::world::{Workload, World};

/// How often one is asked meanwhile.
const ASK_US: u64 = 20 * MS;

/// The state after all slots below one.
struct Backup {
    slot: Slot,
    parts: Vec<Payload>,
}

impl<W: Workload> World<W> {
    /// Runs the cluster that was before, and prepares the disks of this one.
    pub(super) fn begin_with_backup(&mut self, earlier: Earlier) -> Verdict {
        let mut before = World::new(self.plan.before(earlier), self.workload.clone(), None);
        before.advance(earlier.for_us)?;
        let mut backup = before.back_up();
        while backup.is_none() && before.now < earlier.for_us + Earlier::OCCUPIED_MAX_US {
            before.advance(ASK_US)?;
            backup = before.back_up();
        }
        let Some(Backup { slot, parts }) = backup else { return Ok(()) };
        self.note(None, Kind::Start, format!("the cluster begins with a backup, at slot {slot}"));
        self.summary.coverage.meet(Situation::ClusterFromBackup);
        (self.workload, self.next_token) = (before.workload, before.next_token);
        (self.own.ledger, self.calls) = (before.own.ledger, before.calls);
        self.calls.forget_open();
        self.found_at(slot);
        self.prepare(slot, parts)
    }

    /// The log of the cluster goes on at `slot`.
    fn found_at(&mut self, slot: Slot) {
        self.own.ghost.found_at(slot);
        self.own.first = match self.mutation {
            Some(Mutation::RestoreAtZero) => Slot::ZERO,
            _ => slot,
        };
        self.own.charters.iter_mut().for_each(|charter| charter.first = self.own.first);
        self.folds = (0..self.processes.len()).map(|index| self.cast(index)).collect();
    }

    /// The archives of all founders have the state durably.
    fn prepare(&mut self, slot: Slot, parts: Vec<Payload>) -> Verdict {
        let founders = (0..self.processes.len()).filter(|index| self.places.is_founder(*index));
        for index in founders.collect::<Vec<_>>() {
            let mut roles = self.places.roles(index).iter();
            let Some(place) = roles.position(|role| *role == Role::Archive) else { continue };
            let is_first = self.own.ghost.snapshot_count() == 0;
            let lost = usize::from(is_first && self.mutation == Some(Mutation::RestoreInPart));
            let kept = parts.len().saturating_sub(lost);
            let (mut snapshot, begin) = FirstSnapshot::begin(slot);
            let mut chunks = vec![begin];
            chunks.extend(parts[..kept].iter().map(|part| snapshot.add(part.clone())));
            chunks.push(snapshot.end());
            let record = |chunk| (place, NodeRecord::Archive(ArchiveRecord::Chunk(chunk)));
            let disk = &mut self.processes[index].disk;
            disk.append(1, chunks.into_iter().map(record).collect());
            disk.start_sync();
            let synced = disk.finish_sync();
            self.judge_records(index, synced.records)?;
        }
        Ok(())
    }

    /// The state of a replica that has executed all that was executed anywhere; none if each of those is
    /// occupied, or nothing was executed.
    fn back_up(&self) -> Option<Backup> {
        let mut replicas = self.processes.iter().enumerate().filter_map(|(index, process)| {
            let is_replica = |actor: &&_| matches!(actor, Node::Replica(_));
            let Some(Node::Replica(replica)) = process.actors.iter().find(is_replica) else {
                return None;
            };
            let is_last = replica.machine().count() as usize == self.own.ledger.len();
            is_last.then_some((self.places.application(index), replica))
        });
        replicas.find_map(|(reader, replica)| read(reader, (**replica).clone()))
    }
}

/// Reads the state of a replica to its end, as the application `reader` beside it.
fn read<S: StateMachine>(reader: NodeId, mut replica: Replica<S>) -> Option<Backup> {
    let (mut parts, mut slot, mut next) = (Vec::new(), None, 0);
    loop {
        let mut fx = Effects::new();
        let ask = SnapshotA { executed_watermark: Slot::ZERO, slot, next };
        replica.on_message(reader, ToReplica::SnapshotA(ask), &mut fx);
        replica.on_timer(ReplicaTimer::Pace, &mut fx);
        let before = next;
        for (to, message) in fx.sends {
            let FromReplica::SnapshotB(m) = message else { continue };
            if to != reader || m.chunk.number != next {
                continue;
            }
            if m.chunk.is_last {
                return Some(Backup { slot: m.chunk.slot, parts });
            }
            (slot, next) = (Some(m.chunk.slot), next + 1);
            let part = wire::decode(&m.chunk.bytes.0).ok()?;
            parts.extend(FirstSnapshot::state(part));
        }
        if next == before {
            return None;
        }
    }
}
