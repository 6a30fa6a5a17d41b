//! Each call returns once, unless its process dies.
//!
//! | | |
//! |---|---|
//! | property | D4 one outcome |
//! | paper | the contract of `paxos::message::Return` |
//! | module | `paxos::session` |
//! | model | `one_outcome` |

use std::collections::BTreeMap;

use paxos::message::{Outcome, RequestError};

use super::{Ledger, Property, Verdict, fail, late};
use crate::workload::{CallOutcome, CallRecord, Request};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "D4",
    name: "one outcome",
    statement: "Each call returns once, unless its process dies.",
    paper: "the contract of `paxos::message::Return`",
    module: "`paxos::session`",
};

/// Calls of clients, under way and ended.
#[derive(Debug, Default)]
pub struct Calls {
    records: Vec<CallRecord>,
    /// Positions of the calls that have not returned, by token.
    open: BTreeMap<u64, usize>,
    /// From then on every new call must succeed, in microseconds.
    pub strict_from: Option<u64>,
    /// Calls that returned a result.
    pub done_count: u64,
    /// Calls that failed, or of which nobody knows.
    pub failed_count: u64,
}

impl Calls {
    /// A call begins.
    pub fn invoke(&mut self, token: u64, client: u64, request: Request, now: u64) {
        self.open.insert(token, self.records.len());
        let outcome = CallOutcome::Unknown;
        self.records.push(CallRecord { client, request, invoked_at: now, outcome });
    }

    /// The process of a call died before it returned: nobody knows what came of it.
    pub fn forget(&mut self, token: u64) {
        self.failed_count += u64::from(self.open.remove(&token).is_some());
    }

    /// The call that waits longest.
    pub fn oldest(&self) -> Option<(u64, &CallRecord)> {
        let (token, index) = self.open.iter().min_by_key(|(_, index)| **index)?;
        Some((*token, &self.records[*index]))
    }

    /// All calls, in the order in which they began.
    pub fn records(&self) -> &[CallRecord] {
        &self.records
    }

    /// A call returns.
    pub fn complete(
        &mut self,
        token: u64,
        outcome: &Outcome,
        now: u64,
        ledger: &mut Ledger,
    ) -> Verdict {
        let Some(index) = self.open.remove(&token) else {
            return fail(PROPERTY, format!("call {token} returns twice, or from the dead"));
        };
        let record = &mut self.records[index];
        let error = match outcome {
            Outcome::Done(payload) => {
                record.outcome = CallOutcome::Returned(payload.0.clone(), now);
                self.done_count += 1;
                return Ok(());
            }
            Outcome::NeedsLog => {
                record.outcome = CallOutcome::Failed;
                self.failed_count += 1;
                return Ok(());
            }
            Outcome::Failed(error) => *error,
        };
        self.failed_count += 1;
        // A full queue is an answer, and at its limit the right one.
        let is_strict = self.strict_from.is_some_and(|from| record.invoked_at >= from);
        if is_strict && error != RequestError::Overloaded {
            return late(format!("call {token} ({record:?}) fails as {error:?} at {now}"));
        }
        if error == RequestError::Ambiguous {
            return Ok(());
        }
        record.outcome = CallOutcome::Failed;
        match record.request {
            Request::Propose(_) => ledger.refuse(token),
            Request::Read(_) => Ok(()),
        }
    }
}
