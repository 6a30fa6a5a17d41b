//! What a leader reports as persisted is durable on a majority of the archives of its configuration; those that are joining, and those of earlier configurations, do not count.
//!
//! | | |
//! |---|---|
//! | property | A24 counted archives |
//! | paper | Matchmaker Paxos, section 4.5, scenario 3 |
//! | module | `matchmaker::leader` |
//! | model | - |

use matchmaker::message::StatusB;
use paxos::actor::NodeId;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A24",
    name: "counted archives",
    statement: "What a leader reports as persisted is durable on a majority of the archives of its configuration; those that are joining, and those of earlier configurations, do not count.",
    paper: "Matchmaker Paxos, section 4.5, scenario 3",
    module: "`matchmaker::leader`",
};

impl Ghost {
    /// A leader tells the operator how things are.
    pub(super) fn check_counted(&self, from: NodeId, m: &StatusB) -> Verdict {
        let truth = self.persisted_in(&m.configuration);
        if m.persisted_watermark <= truth {
            return Ok(());
        }
        let (name, told) = (self.name(from), m.persisted_watermark);
        fail(PROPERTY, format!("{name} reports persisted {told} in {}, in truth {truth}", m.round))
    }
}
