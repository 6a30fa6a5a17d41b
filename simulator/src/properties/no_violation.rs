//! No actor is told what the protocol makes impossible, and none fails an assertion of its own.
//!
//! | | |
//! |---|---|
//! | property | D5 no impossible message |
//! | paper | - |
//! | module | every role |
//! | model | every model |

use super::{Property, Verdict, fail_as};
use crate::panics::Panic;

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "D5",
    name: "no impossible message",
    statement: "No actor is told what the protocol makes impossible, and none fails an assertion of its own.",
    paper: "-",
    module: "every role",
};

/// An actor complained, or failed: of what, and in which words.
pub fn violated(kind: &str, detail: String) -> Verdict {
    fail_as(PROPERTY, kind, detail)
}

/// What fails if nothing is wrong with the cluster. No property of it, and in no catalogue.
pub const SIMULATOR: Property = Property {
    id: "S0",
    name: "the simulator itself",
    statement: "The simulator does not fail. If it does, a run tells nothing about the cluster.",
    paper: "-",
    module: "`simulator`",
};

/// An actor panicked, or the simulator.
pub(crate) fn panicked(panic: &Panic) -> Verdict {
    let Panic { place, text, is_of_actor } = panic;
    let property = if *is_of_actor { PROPERTY } else { SIMULATOR };
    fail_as(property, place, format!("a panic at {place}: {text}"))
}
