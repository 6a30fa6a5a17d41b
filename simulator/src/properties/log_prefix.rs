//! All replicas execute the same commands in the same order, and a replica never goes back.
//!
//! | | |
//! |---|---|
//! | property | A14 log prefix |
//! | paper | Matchmaker Paxos, section 4 |
//! | module | `paxos::replica` |
//! | model | `log_prefix` |

use std::collections::HashSet;

use super::{Property, Verdict, fail};
use crate::workload::{Applied, Past};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A14",
    name: "log prefix",
    statement: "All replicas execute the same commands in the same order, and a replica never goes back.",
    paper: "Matchmaker Paxos, section 4",
    module: "`paxos::replica`",
};

/// The one log, as the first replica to execute each command saw it.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Vec<Applied>,
    /// After how many commands the past has which digest; none before the first.
    pub(super) pasts: Vec<Past>,
    /// Calls that some replica executed.
    pub(super) executed: HashSet<u64>,
    /// Calls that were told never to be executed.
    pub(super) refused: HashSet<u64>,
}

impl Ledger {
    /// Commands executed anywhere.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was executed anywhere.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A replica has executed all of `applied` after those in the snapshot that it was installed from;
    /// of all of them the first `known` were seen before.
    pub fn on_executed(
        &mut self,
        replica: &str,
        installed: Past,
        applied: &[Applied],
        known: usize,
    ) -> Verdict {
        self.check_installed(replica, installed)?;
        let before = installed.count as usize;
        let all = before + applied.len();
        if all < known {
            return fail(PROPERTY, format!("{replica} went back from {known} to {all} commands"));
        }
        for (entry, index) in applied.iter().zip(before..).skip(known.saturating_sub(before)) {
            match self.entries.get(index) {
                Some(other) if other == entry => {}
                Some(other) => {
                    let detail =
                        format!("{replica} executes {entry:?} as number {index}, others {other:?}");
                    return fail(PROPERTY, detail);
                }
                None => {
                    self.check_once(replica, entry)?;
                    self.entries.push(*entry);
                    let mut past = self.pasts.last().copied().unwrap_or_default();
                    past.add(*entry);
                    self.pasts.push(past);
                }
            }
        }
        Ok(())
    }
}
