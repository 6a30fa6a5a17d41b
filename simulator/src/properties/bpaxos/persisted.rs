//! Acceptors are told to forget a vertex only when a majority of the archives has it durably, and all before it in its column.
//!
//! | | |
//! |---|---|
//! | property | B8 persisted vertices |
//! | paper | Bipartisan Paxos, garbage collection |
//! | module | `bpaxos::archive`, `matchmaker::leader::garbage` |
//! | model | - |

use bpaxos::vertex::Column;
use paxos::actor::NodeId;
use paxos::slot::Slot;

use super::{Judge, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "B8",
    name: "persisted vertices",
    statement: "Acceptors are told to forget a vertex only when a majority of the archives has it durably, and all before it in its column.",
    paper: "Bipartisan Paxos, garbage collection",
    module: "`bpaxos::archive`, `matchmaker::leader::garbage`",
};

impl Judge {
    /// A leader tells an acceptor that all vertices of `column` below are persisted. So many archives have
    /// them: `durable` says how far each is.
    pub(super) fn check_persisted(
        &self,
        (from, column): (NodeId, Column),
        watermark: Slot,
        durable: &[Slot],
    ) -> Verdict {
        let count = durable.iter().filter(|slot| **slot >= watermark).count();
        if watermark == Slot::ZERO || count > self.archive_count / 2 {
            return Ok(());
        }
        let name = self.places.name(from);
        fail(
            PROPERTY,
            format!("{name} tells {column:?} below {watermark} persisted, it is at {count}"),
        )
    }
}
