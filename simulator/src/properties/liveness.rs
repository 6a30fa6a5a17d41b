//! Once faults stop, every call returns, every reconfiguration and collection ends, and all replicas catch up.
//!
//! | | |
//! |---|---|
//! | property | L1 liveness |
//! | paper | Matchmaker Paxos, section 3.3 |
//! | module | every role |
//! | model | `sometimes` companions |

use super::{Property, Verdict, fail_as};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "L1",
    name: "liveness",
    statement: "Once faults stop, every call returns, every reconfiguration and collection ends, and all replicas catch up.",
    paper: "Matchmaker Paxos, section 3.3",
    module: "every role",
};

/// Something did not happen in time: of which kind, and what.
pub fn late(kind: &str, detail: String) -> Verdict {
    fail_as(PROPERTY, kind, detail)
}
