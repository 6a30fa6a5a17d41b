//! When slots are said to be persisted, f + 1 archives durably hold their values, or a snapshot above them, without a gap.
//!
//! | | |
//! |---|---|
//! | property | A12 persisted truth |
//! | paper | Matchmaker Paxos, section 4.5, scenario 3 |
//! | module | `paxos::archive`, `matchmaker::leader::garbage` |
//! | model | `persisted` |

use paxos::actor::NodeId;
use paxos::archive::ArchiveRecord;
use paxos::slot::Slot;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A12",
    name: "persisted truth",
    statement: "When slots are said to be persisted, f + 1 archives durably hold their values, or a snapshot above them, without a gap.",
    paper: "Matchmaker Paxos, section 4.5, scenario 3",
    module: "`paxos::archive`, `matchmaker::leader::garbage`",
};

impl Ghost {
    /// An archive has written something down.
    pub(super) fn archive(&mut self, node: NodeId, record: &ArchiveRecord) -> Verdict {
        let (slot, value) = match record {
            ArchiveRecord::Value { slot, value } => (*slot, value),
            ArchiveRecord::Chunk(chunk) => return self.archive_chunk(node, chunk),
        };
        let name = self.places.name(node);
        let archived = self.archived.entry(node).or_default();
        if slot > *archived {
            return fail(PROPERTY, format!("{name} keeps slot {slot} after {archived}"));
        }
        *archived = (*archived).max(slot.next());
        self.check_chosen(slot, value)
    }

    /// A leader tells acceptors what is persisted.
    pub(super) fn check_persisted(&self, watermark: Slot) -> Verdict {
        let truth = self.persisted_watermark();
        if watermark <= truth {
            return Ok(());
        }
        fail(PROPERTY, format!("persisted {watermark} is told, in truth {truth}"))
    }
}
