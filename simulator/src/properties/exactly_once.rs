//! A command takes effect once, at the same point of the log at every replica; one that was told to have failed never does.
//!
//! | | |
//! |---|---|
//! | property | A15 exactly once |
//! | paper | Matchmaker Paxos, section 4; clients |
//! | module | `paxos::session`, `paxos::session_table` |
//! | model | `exactly_once` |

use super::{Ledger, Property, Verdict, fail};
use crate::workload::Applied;

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A15",
    name: "exactly once",
    statement: "A command takes effect once, at the same point of the log at every replica; one that was told to have failed never does.",
    paper: "Matchmaker Paxos, section 4; clients",
    module: "`paxos::session`, `paxos::session_table`",
};

impl Ledger {
    /// A command is executed for the first time by any replica.
    pub(super) fn check_once(&mut self, replica: &str, entry: &Applied) -> Verdict {
        let token = entry.2;
        if self.refused.contains(&token) {
            return fail(PROPERTY, format!("{replica} executes {entry:?}, which was told to fail"));
        }
        if !self.executed.insert(token) {
            return fail(PROPERTY, format!("{replica} executes {entry:?} again"));
        }
        Ok(())
    }

    /// A client was told that its command is not and will not be executed.
    pub fn refuse(&mut self, token: u64) -> Verdict {
        self.refused.insert(token);
        if self.executed.contains(&token) {
            return fail(PROPERTY, format!("call {token} was told to fail, and was executed"));
        }
        Ok(())
    }
}
