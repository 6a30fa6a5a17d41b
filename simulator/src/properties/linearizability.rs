//! What clients saw could have come from one copy of the data, in an order that respects real time.
//!
//! | | |
//! |---|---|
//! | property | A16 linearizability |
//! | paper | Herlihy and Wing, 1990 |
//! | module | `matchmaker::leader::reads`, `paxos::session`, `paxos::replica` |
//! | model | `linearizability` |

use super::{Property, Verdict, fail};
use crate::workload::{CallRecord, Workload};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A16",
    name: "linearizability",
    statement: "What clients saw could have come from one copy of the data, in an order that respects real time.",
    paper: "Herlihy and Wing, 1990",
    module: "`matchmaker::leader::reads`, `paxos::session`, `paxos::replica`",
};

/// Judges the history of a run that has ended.
pub fn check_history<W: Workload>(workload: &W, calls: &[CallRecord]) -> Verdict {
    workload.judge(calls).or_else(|detail| fail(PROPERTY, detail))
}
