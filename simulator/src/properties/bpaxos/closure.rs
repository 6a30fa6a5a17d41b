//! What a replica has executed is chosen, and so is all that it depends on, and executed, too.
//!
//! | | |
//! |---|---|
//! | property | B6 closure |
//! | paper | Bipartisan Paxos, execution |
//! | module | `bpaxos::graph`, `bpaxos::replica` |
//! | model | - |

use bpaxos::vertex::{Vertex, VertexSet};

use super::{Judge, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "B6",
    name: "closure",
    statement: "What a replica has executed is chosen, and so is all that it depends on, and executed, too.",
    paper: "Bipartisan Paxos, execution",
    module: "`bpaxos::graph`, `bpaxos::replica`",
};

impl Judge {
    /// A replica has executed all of these.
    pub(super) fn check_closure(&mut self, replica: usize, executed: &VertexSet) -> Verdict {
        let known = &self.executed[replica];
        if known == executed {
            return Ok(());
        }
        let mut from = None;
        while let Some(vertex) = executed.first_missing(from, known) {
            let Some((_, proposal)) = self.chosen.get(&vertex) else {
                return fail(PROPERTY, format!("p{replica} executes {vertex}, chosen nowhere"));
            };
            let missing =
                proposal.as_ref().and_then(|p| p.dependencies.first_missing(None, executed));
            if let Some(missing) = missing {
                let detail =
                    format!("p{replica} executes {vertex} and not {missing} that it needs");
                return fail(PROPERTY, detail);
            }
            from = Some(Vertex { slot: vertex.slot.next(), ..vertex });
        }
        self.executed[replica] = executed.clone();
        Ok(())
    }

    /// A replica starts with nothing.
    pub(super) fn forget_executed(&mut self, replica: usize) {
        self.executed[replica] = VertexSet::new();
    }
}
