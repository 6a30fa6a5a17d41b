//! Once faults stop, every call returns, every reconfiguration and collection ends, and all replicas catch up.
//!
//! | | |
//! |---|---|
//! | property | L1 liveness |
//! | paper | Matchmaker Paxos, section 3.3 |
//! | module | every role |
//! | model | `sometimes` companions |

use super::{Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "L1",
    name: "liveness",
    statement: "Once faults stop, every call returns, every reconfiguration and collection ends, and all replicas catch up.",
    paper: "Matchmaker Paxos, section 3.3",
    module: "every role",
};

/// Something did not happen in time.
pub fn late(detail: String) -> Verdict {
    fail(PROPERTY, detail)
}
