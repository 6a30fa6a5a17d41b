//! Telling what was executed, and taking no part once it differs from what others executed.
//!
//! A replica in quarantine executes nothing, answers nobody, gives and takes no snapshot. The values in
//! the archive beside it are as chosen as before, so that goes on. A restart executes the log again from
//! the last snapshot: what happened in memory only is healed by that, and what is in the snapshot is
//! noticed again, as the digest is in there too.

use super::{FromReplica, Fx, Replica};
use crate::actor::{NodeId, Outbox};
use crate::history::HistoryMark;
use crate::message::{self, Marked, Quarantined, ToReplica};
use crate::slot::Slot;
use crate::state_machine::StateMachine;

/// What a replica remembers that takes no part any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Quarantine {
    /// Exclusive: where it was noticed.
    slot: Slot,
    /// What it had executed by then.
    mark: HistoryMark,
    /// The session beside it.
    session: NodeId,
}

impl<S: StateMachine> Replica<S> {
    /// Tells the leader what was executed, at the slots at which all do.
    pub(super) fn mark(&self, fx: &mut impl Outbox<Self>) {
        let slot = self.executed_watermark;
        let is_due = slot.0.checked_rem(self.options.compare_slots) == Some(0);
        if let Some(leader) = self.leader.filter(|_| is_due) {
            let mark = HistoryMark { slot, history: self.history };
            let m = Marked { mark, quarantined_at: None };
            fx.send(leader, FromReplica::Marked(m));
        }
    }

    /// Lets go of all that is under way.
    pub(super) fn on_quarantine(&mut self, from: NodeId, m: message::Quarantine, fx: &mut Fx) {
        self.stop_scan();
        self.incoming = None;
        self.wanted = None;
        self.buffered.clear();
        self.buffered_bytes = 0;
        self.queries.clear();
        let mark = HistoryMark { slot: self.executed_watermark, history: self.history };
        let quarantine = Quarantine { slot: m.slot, mark, session: self.surroundings.session };
        self.quarantine = Some(quarantine);
        quarantine.tell(from, fx);
    }
}

impl Quarantine {
    /// Ignores everything, but reminds leaders and the session when a leader shows itself: messages may
    /// be lost, and leaders change.
    pub(super) fn on_message(self, from: NodeId, message: &ToReplica, fx: &mut Fx) {
        if matches!(message, ToReplica::ChosenWatermark(_)) {
            self.tell(from, fx);
        }
    }

    fn tell(self, leader: NodeId, fx: &mut Fx) {
        let marked = Marked { mark: self.mark, quarantined_at: Some(self.slot) };
        fx.sends.push((leader, FromReplica::Marked(marked)));
        let quarantined = Quarantined { slot: self.slot };
        fx.sends.push((self.session, FromReplica::Quarantined(quarantined)));
    }
}
