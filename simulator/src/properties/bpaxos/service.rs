//! Of two vertices that are proposed with commands that conflict, one depends on the other, whether they are chosen or not.
//!
//! | | |
//! |---|---|
//! | property | B3 dependency service |
//! | paper | Bipartisan Paxos, the invariant of the dependency service |
//! | module | `bpaxos::dependency_node`, `bpaxos::proposer` |
//! | model | `proofs`, model e |

use bpaxos::command::Proposal;
use bpaxos::vertex::Vertex;
use paxos::state_machine::Conflicts;

use super::{Judge, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "B3",
    name: "dependency service",
    statement: "Of two vertices that are proposed with commands that conflict, one depends on the other, whether they are chosen or not.",
    paper: "Bipartisan Paxos, the invariant of the dependency service",
    module: "`bpaxos::dependency_node`, `bpaxos::proposer`",
};

impl Judge {
    /// A command is proposed for the first time in a vertex.
    pub(super) fn check_computed<S: Conflicts>(
        &mut self,
        vertex: Vertex,
        proposal: &Proposal,
    ) -> Verdict {
        let footprint = proposal.content.footprint::<S>();
        let (unordered, _) = self.computed.add(vertex, footprint, proposal.dependencies.clone());
        match unordered {
            None => Ok(()),
            Some(other) => fail(
                PROPERTY,
                format!("{vertex} and {other} are computed, and neither depends on the other"),
            ),
        }
    }
}
