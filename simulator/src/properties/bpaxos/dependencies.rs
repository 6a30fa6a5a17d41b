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
use paxos::state_machine::Conflicts;

use super::{Judge, Property, Verdict, fail};

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
        match self.ordered.add(vertex, footprint, proposal.dependencies.clone()) {
            None => Ok(()),
            Some(other) => fail(
                PROPERTY,
                format!("{vertex} and {other} conflict, neither depends on the other"),
            ),
        }
    }
}
