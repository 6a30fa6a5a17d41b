//! Each command has its effect once at most, on every replica; one that was refused has none.
//!
//! | | |
//! |---|---|
//! | property | B7 executed once |
//! | paper | Bipartisan Paxos, exactly-once semantics |
//! | module | `bpaxos::sessions` |
//! | model | - |

use super::{Judge, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "B7",
    name: "executed once",
    statement: "Each command has its effect once at most, on every replica; one that was refused has none.",
    paper: "Bipartisan Paxos, exactly-once semantics",
    module: "`bpaxos::sessions`",
};

impl Judge {
    /// A replica applies the command of a call.
    pub(super) fn check_once(&mut self, replica: usize, token: u64) -> Verdict {
        if !self.orders[replica].tokens.insert(token) {
            return fail(PROPERTY, format!("p{replica} executes call {token} twice"));
        }
        if self.refused.contains(&token) {
            return fail(PROPERTY, format!("p{replica} executes call {token}, which was refused"));
        }
        self.tokens.insert(token);
        Ok(())
    }

    /// A call was told that it has no effect, and never will.
    pub fn refuse(&mut self, token: u64) -> Verdict {
        self.refused.insert(token);
        if self.tokens.contains(&token) {
            return fail(PROPERTY, format!("call {token} was refused, and executed"));
        }
        Ok(())
    }
}
