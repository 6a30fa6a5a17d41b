//! A snapshot holds what executing the slots below it gives, at every replica the same, and nothing that is durable is lost by it.
//!
//! | | |
//! |---|---|
//! | property | A22 snapshot truth |
//! | paper | - |
//! | module | `paxos::replica::scan`, `paxos::replica::transfer`, `paxos::archive` |
//! | model | - |

use paxos::actor::NodeId;
use paxos::slot::Slot;
use paxos::snapshot::{Chunk, Sequence};

use super::{Ghost, Ledger, Property, Verdict, fail};
use crate::workload::Past;

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A22",
    name: "snapshot truth",
    statement: "A snapshot holds what executing the slots below it gives, at every replica the same, and nothing that is durable is lost by it.",
    paper: "-",
    module: "`paxos::replica::scan`, `paxos::replica::transfer`, `paxos::archive`",
};

/// Two replicas have executed the same commands: they hold the same.
pub fn check_machines(one: &str, other: &str, are_equal: bool) -> Verdict {
    if are_equal {
        return Ok(());
    }
    fail(PROPERTY, format!("{one} and {other} executed the same commands and hold something else"))
}

/// What is left on the disk of a process after its log was compacted.
pub fn check_left(process: &str, refusal: Option<String>) -> Verdict {
    match refusal {
        None => Ok(()),
        Some(cause) => {
            fail(PROPERTY, format!("{process} could not start from what is left: {cause}"))
        }
    }
}

impl Ghost {
    /// An archive has written a chunk down; with the last one of a snapshot, all slots below it.
    pub(super) fn archive_chunk(&mut self, node: NodeId, chunk: &Chunk) -> Verdict {
        let name = self.places.name(node);
        let sequence = match chunk.number {
            0 => self.partial.entry(node).insert_entry(Sequence::new(chunk.slot)).into_mut(),
            _ => self.partial.entry(node).or_insert_with(|| Sequence::new(chunk.slot)),
        };
        if !sequence.takes(chunk) {
            let detail =
                format!("{name} keeps chunk {} of {} after {sequence:?}", chunk.number, chunk.slot);
            return fail(PROPERTY, detail);
        }
        if !chunk.is_last {
            return Ok(());
        }
        let chosen = self.chosen_prefix();
        if chunk.slot > chosen {
            let detail = format!("{name} keeps a snapshot of {}, chosen is {chosen}", chunk.slot);
            return fail(PROPERTY, detail);
        }
        let archived = self.archived.entry(node).or_default();
        *archived = (*archived).max(chunk.slot);
        let digest = *self.snapshots.entry(chunk.slot).or_insert(chunk.digest);
        if digest != chunk.digest {
            let detail = format!("{name} has another snapshot of {} than others", chunk.slot);
            return fail(PROPERTY, detail);
        }
        Ok(())
    }

    /// Snapshots that were written down, by their slots.
    pub fn snapshot_count(&self) -> usize {
        self.snapshots.len()
    }

    /// Exclusive; in all slots below a value was chosen, in this cluster or in the one that was before.
    fn chosen_prefix(&self) -> Slot {
        let first = self.deployment.first;
        let slots = self.chosen.range(first..).zip((first.0..).map(Slot));
        let known = slots.take_while(|((slot, _), expected)| *slot == expected);
        first.plus(known.count() as u64)
    }
}

impl Ledger {
    /// A replica was installed from a snapshot in which so much had been executed.
    pub(super) fn check_installed(&self, replica: &str, installed: Past) -> Verdict {
        let truth = match installed.count.checked_sub(1) {
            Some(last) => self.pasts.get(last as usize).copied(),
            None => Some(Past::default()),
        };
        if truth == Some(installed) {
            return Ok(());
        }
        fail(PROPERTY, format!("{replica} installs {installed:?}, executed was {truth:?}"))
    }
}
