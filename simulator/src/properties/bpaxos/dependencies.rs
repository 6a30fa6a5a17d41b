//! Of two chosen vertices whose commands conflict, one depends on the other; a vertex for snapshots conflicts with all.
//!
//! | | |
//! |---|---|
//! | property | B2 dependency invariant |
//! | paper | Bipartisan Paxos, the dependency invariant |
//! | module | `bpaxos::dependency_node`, `bpaxos::conflict`, `bpaxos::proposer` |
//! | model | `proofs`, model e |

use bpaxos::command::Proposal;
use bpaxos::vertex::Vertex;
use paxos::state_machine::{Conflicts, Footprint};

use super::{Judge, Property, Verdict, fail};
use crate::coverage::Situation;

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "B2",
    name: "dependency invariant",
    statement: "Of two chosen vertices whose commands conflict, one depends on the other; a vertex for snapshots conflicts with all.",
    paper: "Bipartisan Paxos, the dependency invariant",
    module: "`bpaxos::dependency_node`, `bpaxos::conflict`, `bpaxos::proposer`",
};

impl Judge {
    /// A vertex is known to be chosen.
    pub(super) fn check_chosen_dependencies<S: Conflicts>(
        &mut self,
        vertex: Vertex,
        proposal: &Proposal,
    ) -> Verdict {
        let footprint = proposal.content.footprint::<S>();
        let is_snapshot = footprint == Footprint::Everything;
        let (unordered, count) = self.ordered.add(vertex, footprint, proposal.dependencies.clone());
        self.meet_if(count > 1, Situation::ThreeInComponent);
        self.meet_if(is_snapshot && count > 0, Situation::SnapshotInCycle);
        match unordered {
            None => Ok(()),
            Some(other) => fail(
                PROPERTY,
                format!("{vertex} and {other} conflict, neither depends on the other"),
            ),
        }
    }
}
