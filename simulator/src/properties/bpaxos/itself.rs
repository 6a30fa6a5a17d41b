//! No vertex depends on itself.
//!
//! | | |
//! |---|---|
//! | property | B10 no loop |
//! | paper | Bipartisan Paxos, the dependency service |
//! | module | `bpaxos::conflict` |
//! | model | `proofs`, model e |

use bpaxos::message::DependencyB;

use super::{Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "B10",
    name: "no loop",
    statement: "No vertex depends on itself.",
    paper: "Bipartisan Paxos, the dependency service",
    module: "`bpaxos::conflict`",
};

/// A dependency node answers.
pub(super) fn check_itself(m: &DependencyB) -> Verdict {
    if m.dependencies.contains(m.vertex) {
        return fail(PROPERTY, format!("{} depends on itself", m.vertex));
    }
    Ok(())
}
