//! Values from beside the leader.
//!
//! A protocol of many logs numbers its values before it knows them, and hands them over in the order of
//! the slots. In everything else the log of such a leader is a log like any other.
//!
//! *Paper*: Matchmaker Paxos, section 6 (protocols that use consensus as a black box).

use paxos::command::Value;
use paxos::slot::Slot;

use super::{Fx, Leader, Phase};

impl Leader {
    /// The slot of the next value, if it leads. Nothing was ever proposed there or above in this round,
    /// nor may anything be chosen there in rounds below.
    pub fn next_slot(&self) -> Option<Slot> {
        match &self.phase {
            Phase::Phase2(phase2) => Some(phase2.next_slot()),
            Phase::Idle | Phase::Asking { .. } | Phase::Matching(_) | Phase::Phase1(_) => None,
        }
    }

    /// All slots below are chosen, as far as it knows; nothing, if it does not lead.
    pub fn chosen_watermark(&self) -> Slot {
        match &self.phase {
            Phase::Phase2(phase2) => phase2.chosen_watermark,
            Phase::Idle | Phase::Asking { .. } | Phase::Matching(_) | Phase::Phase1(_) => {
                Slot::ZERO
            }
        }
    }

    /// Proposes `value` in the next slot, and tells in which; or does nothing, if it does not lead or its
    /// limits allow no further slot at present.
    pub fn propose(&mut self, value: Value, fx: &mut Fx) -> Option<Slot> {
        let Phase::Phase2(phase2) = &mut self.phase else { return None };
        if !phase2.has_room(&self.options) {
            return None;
        }
        let slot = phase2.push(value);
        phase2.propose(slot, fx);
        Some(slot)
    }
}
