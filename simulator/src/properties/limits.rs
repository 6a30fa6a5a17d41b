//! What waits in a process stays within its limits.
//!
//! | | |
//! |---|---|
//! | property | D3 limits |
//! | paper | the options of every role |
//! | module | `paxos::session`, `matchmaker::leader` |
//! | model | - |

use std::collections::BTreeMap;

use paxos::actor::NodeId;
use paxos::round::Round;
use paxos::slot::Slot;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "D3",
    name: "limits",
    statement: "What waits in a process stays within its limits.",
    paper: "the options of every role",
    module: "`paxos::session`, `matchmaker::leader`",
};

/// Messages that may wait in one process, for the disk or for its next turn. The roles bound what they
/// keep in bytes; this bounds what they may cause.
const WAITING_MAX: usize = 50_000;

/// So many messages wait in a process.
pub fn check_limits(name: &str, waiting_count: usize) -> Verdict {
    if waiting_count <= WAITING_MAX {
        return Ok(());
    }
    fail(PROPERTY, format!("{waiting_count} messages wait in {name}"))
}

/// How far proposals run ahead of what is chosen.
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    /// All slots below are chosen.
    chosen_watermark: Slot,
    /// The highest slot that was proposed in each leadership.
    highest: BTreeMap<(u64, NodeId), Slot>,
}

impl Ghost {
    /// A slot that no earlier leader has touched is proposed only if few are under way.
    pub(super) fn check_pipeline(&mut self, slot: Slot, round: Round) -> Verdict {
        let pipeline = &mut self.pipeline;
        while self.chosen.contains_key(&pipeline.chosen_watermark) {
            pipeline.chosen_watermark = pipeline.chosen_watermark.next();
        }
        let here = pipeline.highest.entry((round.number, round.owner)).or_insert(slot);
        *here = slot.max(*here);
        let mut earlier = pipeline.highest.range(..(round.number, round.owner));
        let is_inherited = earlier.any(|(_, highest)| slot <= *highest);
        let count = pipeline.chosen_watermark.until(slot);
        if is_inherited || count < self.pipeline_max {
            return Ok(());
        }
        fail(PROPERTY, format!("slot {slot} of {round} has {count} slots under way before it"))
    }
}
