//! No actor is told what the protocol makes impossible, and none fails an assertion of its own.
//!
//! | | |
//! |---|---|
//! | property | D5 no impossible message |
//! | paper | - |
//! | module | every role |
//! | model | every model |

use super::{Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "D5",
    name: "no impossible message",
    statement: "No actor is told what the protocol makes impossible, and none fails an assertion of its own.",
    paper: "-",
    module: "every role",
};

/// An actor complained, or failed.
pub fn violated(detail: String) -> Verdict {
    fail(PROPERTY, detail)
}
