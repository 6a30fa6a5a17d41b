//! At most one value is chosen in each vertex, and whoever tells or keeps a value of a vertex tells that.
//!
//! | | |
//! |---|---|
//! | property | B1 vertex consensus |
//! | paper | Bipartisan Paxos, the consensus invariant |
//! | module | `bpaxos::proposer`, `matchmaker` |
//! | model | - |

use bpaxos::command::Proposal;
use bpaxos::vertex::Vertex;
use paxos::command::Value;

use super::{Judge, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "B1",
    name: "vertex consensus",
    statement: "At most one value is chosen in each vertex, and whoever tells or keeps a value of a vertex tells that.",
    paper: "Bipartisan Paxos, the consensus invariant",
    module: "`bpaxos::proposer`, `matchmaker`",
};

impl Judge {
    /// Somebody tells or keeps the value of a vertex as chosen. Returns what it holds if nobody did before.
    pub(super) fn learn(
        &mut self,
        vertex: Vertex,
        value: &Value,
    ) -> Verdict<Option<Option<Proposal>>> {
        if let Some((known, _)) = self.chosen.get(&vertex) {
            if known == value {
                return Ok(None);
            }
            let detail = format!("{vertex} holds {known:?}, and {value:?} is told as chosen");
            return fail(PROPERTY, detail);
        }
        let proposal = match Proposal::of_value(value) {
            Ok(proposal) => proposal,
            Err(error) => return fail(PROPERTY, format!("{vertex} holds no proposal: {error}")),
        };
        self.chosen.insert(vertex, (value.clone(), proposal.clone()));
        Ok(Some(proposal))
    }
}
