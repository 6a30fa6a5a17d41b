//! Computing what vertices depend on.
//!
//! ```text
//!       front                     next            reserved
//!    ─────┼────────────────────────┼──────────────────┼──────
//!  proposed│ wait for f + 1 replies,│ durably reserved │
//!          │ or hold nothing        │                  │
//! ```
//!
//! Whoever comes first in the column is proposed first. So the log of the column has no holes, and what
//! comes after it at any time is exactly what was never proposed.
//!
//! *Paper*: Bipartisan Paxos, the dependency service as seen by a proposer.

use std::collections::{BTreeSet, VecDeque};

use matchmaker::leader::Leader;
use paxos::actor::NodeId;
use paxos::command::Value;
use paxos::mutant::{self, Mutant};
use paxos::slot::Slot;
use paxos::state_machine::{Conflicts, Footprint};

use super::{Fx, Proposer, ProposerOptions, ProposerRecord, ProposerTimer};
use crate::command::{Command, Content, Proposal};
use crate::message::{DependencyA, DependencyB, ToDependencyNode};
use crate::vertex::{Vertex, VertexSet};

/// Vertices that are asked about again in one go, at most.
const RESEND_MAX: usize = 64;

/// What a vertex is going to hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Allocation {
    /// Nothing.
    Noop,
    /// This, once enough nodes have told what it depends on.
    Collecting {
        content: Content,
        footprint: Footprint,
        /// Who has answered, in the present epoch.
        replied: BTreeSet<NodeId>,
        /// The union of what they said.
        dependencies: VertexSet,
    },
    /// This: enough nodes of one epoch have told, and no later epoch changes that.
    Collected(Proposal),
}

impl Allocation {
    /// Goes on to the proposal when `quorum` nodes have answered.
    fn complete(&mut self, quorum: usize) {
        if let Self::Collecting { content, replied, dependencies, .. } = self
            && replied.len() >= quorum
        {
            let (content, dependencies) = (content.clone(), std::mem::take(dependencies));
            *self = Self::Collected(Proposal { content, dependencies });
        }
    }
}

/// Commands on their way from a request to a proposal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Collection {
    /// Commands without a vertex.
    requests: VecDeque<Command>,
    /// Size of `requests` in bytes.
    requests_bytes: usize,
    /// Whether a replica waits for a place where it can take a snapshot.
    is_snapshot_wanted: bool,
    /// The slot of the first allocation, while this proposer leads its column.
    front: Option<Slot>,
    /// What vertices are going to hold, from `front` on.
    allocations: VecDeque<Allocation>,
    /// Exclusive; slots below may be known to dependency nodes. At most `reserved`.
    used: Slot,
    /// Exclusive; the last block of slots ends here. Durable.
    reserved: Slot,
    /// Exclusive; somebody waits for slots below.
    needed: Slot,
}

impl Collection {
    /// Folds the reservation of a block: all of it may have been used.
    pub(super) fn restore(&mut self, reserved: Slot) {
        self.reserved = self.reserved.max(reserved);
        if !mutant::is_on(Mutant::VertexReusedAfterRestart) {
            self.used = self.reserved;
        }
    }

    pub(super) fn reserved(&self) -> Slot {
        self.reserved
    }

    pub(super) fn has_requests(&self) -> bool {
        self.is_snapshot_wanted || !self.requests.is_empty()
    }

    /// Gives the next vertex to snapshots, before any command that waits.
    pub(super) fn want_snapshot(&mut self) {
        self.is_snapshot_wanted = true;
    }

    /// Commands without a vertex, and vertices that were not proposed.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.requests.len() as u64, self.allocations.len() as u64)
    }

    /// Has a command wait for a vertex.
    pub(super) fn take(&mut self, command: Command, options: &ProposerOptions) {
        let requests_bytes = self.requests_bytes + command.size_bytes();
        let is_full = requests_bytes > options.requests_bytes_max;
        if self.requests.len() < options.requests_max && !is_full {
            self.requests_bytes = requests_bytes;
            self.requests.push_back(command);
        }
    }

    /// What the next vertex holds.
    fn next_content(&mut self, options: &ProposerOptions) -> Content {
        if std::mem::take(&mut self.is_snapshot_wanted) {
            return Content::Snapshot;
        }
        let mut batch = Vec::new();
        let mut batch_bytes = 0;
        while let Some(command) = self.requests.front() {
            let size_bytes = command.size_bytes();
            let is_full = batch_bytes + size_bytes > options.batch_bytes_max
                || batch.len() >= options.batch_max;
            if is_full && !batch.is_empty() {
                break;
            }
            batch_bytes += size_bytes;
            self.requests_bytes -= size_bytes;
            batch.extend(self.requests.pop_front());
        }
        Content::Commands(batch)
    }

    /// The next free slot, while this proposer leads its column.
    fn next(&self) -> Option<Slot> {
        self.front.map(|front| front.plus(self.allocations.len() as u64))
    }

    /// Lets all slots below `end` hold nothing that hold nothing yet.
    pub(super) fn skip_below(&mut self, end: Slot) {
        if mutant::is_on(Mutant::RecoveredWithoutReplies) {
            self.allocations.iter_mut().for_each(|allocation| allocation.complete(0));
        }
        while self.next().is_some_and(|next| next < end) {
            self.allocations.push_back(Allocation::Noop);
        }
    }

    /// Notes that somebody waits for all slots below `end`.
    pub(super) fn need_below(&mut self, end: Slot) {
        self.needed = self.needed.max(end);
    }

    /// Whether the first allocation is waited for.
    fn is_front_needed(&self) -> bool {
        self.front.is_some_and(|front| front < self.needed)
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.used <= self.reserved, "{} is used, {} reserved", self.used, self.reserved);
        assert!(self.front.is_some() || self.allocations.is_empty(), "a vertex without a column");
    }
}

impl<S: Conflicts> Proposer<S> {
    /// Begins where the log of the column ends, when this proposer has come to lead it: slots that were
    /// used without being proposed hold nothing. Forgets all when it leads no more.
    ///
    /// Commands whose vertices are lost that way are sent again by their sessions.
    pub(super) fn follow_leadership(&mut self) {
        let next = self.leader(self.column()).and_then(|leader| leader.next_slot());
        match (next, self.collection.front) {
            (Some(next), None) => {
                self.collection.front = Some(next);
                self.collection.skip_below(self.collection.used);
            }
            (None, Some(_)) => {
                self.collection.front = None;
                self.collection.allocations.clear();
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// Gives what waits a vertex, and asks what it depends on. While no more can be proposed until an archive
    /// has caught up, that is only what it may need for that: a place for a snapshot.
    pub(super) fn allocate(&mut self, fx: &mut Fx) {
        self.follow_leadership();
        let is_full = self.leader(self.column()).is_some_and(Leader::is_full);
        while self.collection.has_requests()
            && self.collection.allocations.len() < self.options.window_max
            && (!is_full || self.collection.is_snapshot_wanted)
        {
            let Some(slot) = self.collection.next() else { return };
            let content = self.collection.next_content(&self.options);
            let footprint = content.footprint::<S>();
            self.reserve(slot, fx);
            let (replied, dependencies) = (BTreeSet::new(), VertexSet::new());
            self.collection.allocations.push_back(Allocation::Collecting {
                content,
                footprint: footprint.clone(),
                replied,
                dependencies,
            });
            let vertex = Vertex { column: self.column(), slot };
            let (epoch, chosen) = (self.service.epoch, self.chosen());
            let m = DependencyA { epoch, vertex, chosen, footprint };
            fx.broadcast(&self.service.members, ToDependencyNode::DependencyA(m));
            fx.set_timer(ProposerTimer::Resend, self.options.resend.clone());
        }
    }

    /// All slots of its own column below are chosen.
    fn chosen(&self) -> Slot {
        let leader = self.leader(self.column());
        leader.map_or(Slot::ZERO, |leader| leader.chosen_watermark())
    }

    /// Notes that `slot` is used, durably before anybody hears of it.
    fn reserve(&mut self, slot: Slot, fx: &mut Fx) {
        if slot >= self.collection.reserved {
            let reserved = slot.plus(self.options.block.max(1));
            fx.record(ProposerRecord::Reserved(reserved));
            self.collection.reserved = reserved;
        }
        self.collection.used = self.collection.used.max(slot.next());
    }

    /// Starts over with what is not complete: replies of two epochs never count together.
    pub(super) fn collect_again(&mut self, fx: &mut Fx) {
        let quorum = self.dependency_quorum();
        for allocation in &mut self.collection.allocations {
            if let Allocation::Collecting { replied, dependencies, .. } = allocation
                && !mutant::is_on(Mutant::RepliesSurviveEpoch)
                && !(mutant::is_on(Mutant::SmallerEpochCompletes) && replied.len() >= quorum)
            {
                replied.clear();
                *dependencies = VertexSet::new();
            }
            allocation.complete(quorum);
        }
        self.on_resend(fx);
    }

    /// Counts a reply of the present epoch.
    pub(super) fn on_dependency_b(&mut self, from: NodeId, m: DependencyB, fx: &mut Fx) {
        let is_member = m.epoch == self.service.epoch && self.service.members.contains(&from);
        let (Some(front), true) = (self.collection.front, is_member) else { return };
        if m.vertex.column != self.column() || m.vertex.slot < front {
            return;
        }
        if m.dependencies.contains(m.vertex) {
            return fx.violation("B10 no loops", format!("{from}: {} needs itself", m.vertex));
        }
        let index = usize::try_from(front.until(m.vertex.slot)).unwrap_or(usize::MAX);
        let quorum = self.dependency_quorum();
        let Some(allocation) = self.collection.allocations.get_mut(index) else { return };
        // What comes after enough replies would do no harm, and make execution wait for more.
        let Allocation::Collecting { replied, dependencies, .. } = allocation else { return };
        let is_first = replied.is_empty();
        if !replied.insert(from) {
            return;
        }
        if !is_first && mutant::is_on(Mutant::IntersectionDepended) {
            while let Some(other) = dependencies.first_missing(None, &m.dependencies) {
                dependencies.remove(other);
            }
        } else if is_first || !mutant::is_on(Mutant::FirstReplyDepended) {
            dependencies.union(&m.dependencies);
        }
        allocation.complete(quorum);
    }

    /// How many replies make the dependencies of a vertex complete.
    fn dependency_quorum(&self) -> usize {
        let missing = usize::from(mutant::is_on(Mutant::OneDependencyReply));
        self.service.majority() - missing
    }

    /// Proposes what is complete, in the order of the column: as far as somebody waits for it, also if what is
    /// not durable on f + 1 archives takes all the room. One of these archives may be the one that waits: for
    /// a snapshot, whose vertex depends on all that has one.
    pub(super) fn propose_collected(&mut self, fx: &mut Fx) {
        let column = self.column();
        while let (Some(front), Some(first)) =
            (self.collection.front, self.collection.allocations.front())
        {
            let value = match first {
                Allocation::Noop => Value::Noop,
                Allocation::Collecting { .. } => return,
                Allocation::Collected(proposal) => proposal.to_value(),
            };
            let is_needed = self.collection.is_front_needed();
            let proposed = self.lead(column, fx, |leader, fx| match is_needed {
                true => leader.propose_needed(value, fx),
                false => leader.propose(value, fx),
            });
            let proposed = proposed.flatten();
            let Some(slot) = proposed else { return };
            assert_eq!(slot, front, "the log of a column is filled in the order of its slots");
            self.collection.allocations.pop_front();
            self.collection.front = Some(front.next());
        }
    }

    /// Asks those again that have not answered.
    pub(super) fn on_resend(&mut self, fx: &mut Fx) {
        let Some(front) = self.collection.front else { return };
        let (column, epoch, chosen) = (self.column(), self.service.epoch, self.chosen());
        let slots = (front.0..).map(Slot).zip(&self.collection.allocations);
        let mut is_any = false;
        let mut left = RESEND_MAX;
        for (slot, allocation) in slots {
            let Allocation::Collecting { footprint, replied, .. } = allocation else { continue };
            is_any = true;
            if left == 0 {
                break;
            }
            left -= 1;
            let vertex = Vertex { column, slot };
            let m = DependencyA { epoch, vertex, chosen, footprint: footprint.clone() };
            let silent = self.service.members.difference(replied);
            fx.broadcast(silent, ToDependencyNode::DependencyA(m));
        }
        if is_any {
            fx.set_timer(ProposerTimer::Resend, self.options.resend.clone());
        }
    }
}
