//! What clients saw could have come from one copy of the data, in an order that respects real time.
//!
//! | | |
//! |---|---|
//! | property | B11 linearizability |
//! | paper | Bipartisan Paxos, the proof of linearizability |
//! | module | `bpaxos::replica`, `bpaxos::graph`, `bpaxos::session` |
//! | model | - |

use crate::properties::{Property, Verdict, fail};
use crate::workload::{CallRecord, Workload};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "B11",
    name: "linearizability",
    statement: "What clients saw could have come from one copy of the data, in an order that respects real time.",
    paper: "Bipartisan Paxos, the proof of linearizability",
    module: "`bpaxos::replica`, `bpaxos::graph`, `bpaxos::session`",
};

/// Judges the history of a run that has ended.
pub fn check_history<W: Workload>(workload: &W, calls: &[CallRecord]) -> Verdict {
    workload.judge(calls).or_else(|detail| fail(PROPERTY, detail))
}
