//! Values from beside the leader.
//!
//! A protocol of many logs numbers its values before it knows them, and hands them over in the order of
//! the slots. In everything else the log of such a leader is a log like any other.
//!
//! *Paper*: Matchmaker Paxos, section 6 (protocols that use consensus as a black box).

use paxos::command::Value;
use paxos::slot::Slot;

use super::phase2::Phase2;
use super::{Fx, Leader, LeaderOptions, Phase};

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
        phase2.has_room(&self.options).then(|| phase2.propose_next(value, fx))
    }

    /// The same for a value that an archive may be waiting for, as it must before more becomes durable: of
    /// such values twice [`LeaderOptions::tail_bytes_max`] may be under
    /// way.
    pub fn propose_needed(&mut self, value: Value, fx: &mut Fx) -> Option<Slot> {
        let Phase::Phase2(phase2) = &mut self.phase else { return None };
        phase2.has_reserve(&self.options).then(|| phase2.propose_next(value, fx))
    }

    /// Whether it leads, and values that are not durable on f + 1 archives take all the room there is.
    pub fn is_full(&self) -> bool {
        match &self.phase {
            Phase::Phase2(phase2) => phase2.tail_bytes >= self.options.tail_bytes_max,
            Phase::Idle | Phase::Asking { .. } | Phase::Matching(_) | Phase::Phase1(_) => false,
        }
    }
}

impl Phase2 {
    /// Whether the limits allow another slot for what an archive may be waiting for.
    fn has_reserve(&self, options: &LeaderOptions) -> bool {
        let is_short = self.chosen_watermark.until(self.next_slot()) < options.pipeline_max;
        is_short && self.tail_bytes < options.tail_bytes_max.saturating_mul(2)
    }

    /// Proposes `value` in the next slot.
    fn propose_next(&mut self, value: Value, fx: &mut Fx) -> Slot {
        let slot = self.push(value);
        self.propose(slot, fx);
        slot
    }
}
