//! No replica that executed the same as the others is told to take no part.
//!
//! | | |
//! |---|---|
//! | property | A28 quarantine |
//! | paper | - |
//! | module | `matchmaker::leader::histories`, `paxos::replica` |
//! | model | - |

use paxos::actor::NodeId;
use paxos::message::Quarantine;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A28",
    name: "quarantine",
    statement: "No replica that executed the same as the others is told to take no part.",
    paper: "-",
    module: "`matchmaker::leader::histories`, `paxos::replica`",
};

impl Ghost {
    /// A leader tells a replica that it differs. None does here: A14 would have failed before.
    pub(super) fn check_quarantine(&self, to: NodeId, m: &Quarantine) -> Verdict {
        let name = self.name(to);
        fail(PROPERTY, format!("{name} is told that it differs from others below {}", m.slot))
    }
}
