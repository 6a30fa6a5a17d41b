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

use super::{Property, Verdict, fail, late};
use crate::MS;
use crate::workload::{CallOutcome, CallRecord, Request};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "D4",
    name: "one outcome",
    statement: "Each call returns once, unless its process dies.",
    paper: "the contract of `paxos::message::Return`",
    module: "`paxos::session`",
};

/// What a session may hold before it refuses a call.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Calls.
    pub queue_max: usize,
    /// The same, in bytes.
    pub queue_bytes_max: usize,
}

/// Who calls, and where.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// A client makes one call at a time.
    pub client: u64,
    /// The process of its session.
    pub session: usize,
    /// The size of what the session is given, in bytes.
    pub size_bytes: usize,
}

/// A call that has not returned.
#[derive(Clone, Copy, Debug)]
struct Open {
    caller: Caller,
    /// Its position among all.
    index: usize,
}

/// Calls of clients, under way and ended.
#[derive(Debug)]
pub struct Calls {
    records: Vec<CallRecord>,
    /// By token.
    open: BTreeMap<u64, Open>,
    room: Room,
    /// From then on every new call must succeed, in microseconds.
    strict_from: Option<u64>,
    /// Calls since then that each session brought to an end, and how many of them were refused.
    strict: BTreeMap<usize, (u64, u64)>,
    /// Calls that returned a result.
    pub done_count: u64,
    /// Calls that failed, or of which nobody knows.
    pub failed_count: u64,
}

impl Calls {
    /// No calls yet, at sessions that have so much room.
    pub fn new(room: Room) -> Self {
        Self {
            records: Vec::new(),
            open: BTreeMap::new(),
            room,
            strict_from: None,
            strict: BTreeMap::new(),
            done_count: 0,
            failed_count: 0,
        }
    }

    /// From now on every new call must succeed, unless its session is full.
    pub fn expect_success(&mut self, now: u64) {
        self.strict_from = Some(now);
        self.strict.clear();
    }

    /// Calls may fail again.
    pub fn forgive(&mut self) {
        self.strict_from = None;
    }

    /// Since calls must succeed, some did at every session that was asked. (One that is full brings
    /// those to an end that fill it.)
    pub fn check_success(&self) -> Verdict {
        let refusing = self.strict.iter().find(|(_, (ended, refused))| ended == refused);
        match refusing {
            Some((session, (count, _))) => {
                let detail = format!("the session of p{session} refused all of {count} calls");
                late("refused calls", detail)
            }
            None => Ok(()),
        }
    }

    /// A call begins.
    pub fn invoke(&mut self, token: u64, caller: Caller, request: Request, now: u64) {
        self.open.insert(token, Open { caller, index: self.records.len() });
        let (client, outcome) = (caller.client, CallOutcome::Unknown);
        self.records.push(CallRecord { client, request, invoked_at: now, outcome });
    }

    /// Whether the session of a call has no room for it: whatever waits there is a call that has not
    /// returned.
    fn is_full(&self, caller: &Caller) -> bool {
        let others = self.open.values().filter(|open| open.caller.session == caller.session);
        let (count, size_bytes) =
            others.fold((0, 0), |(n, size), open| (n + 1, size + open.caller.size_bytes));
        count >= self.room.queue_max || size_bytes + caller.size_bytes > self.room.queue_bytes_max
    }

    /// The process of a call died before it returned: nobody knows what came of it.
    pub fn forget(&mut self, token: u64) {
        self.failed_count += u64::from(self.open.remove(&token).is_some());
    }

    /// Everything is gone: nobody knows what came of the calls that have not returned.
    pub fn forget_open(&mut self) {
        self.failed_count += self.open.len() as u64;
        self.open.clear();
    }

    /// The call that waits longest.
    pub fn oldest(&self) -> Option<(u64, &CallRecord)> {
        let (token, open) = self.open.iter().min_by_key(|(_, open)| open.index)?;
        Some((*token, &self.records[open.index]))
    }

    /// What was asked by a call. Calls are numbered from one, in their order.
    pub fn request(&self, token: u64) -> Option<&Request> {
        let index = usize::try_from(token).ok()?.checked_sub(1)?;
        self.records.get(index).map(|record| &record.request)
    }

    /// All calls, in the order in which they began.
    pub fn records(&self) -> &[CallRecord] {
        &self.records
    }

    /// A call returns. Says whether it was a command that has no effect, and never will.
    pub fn complete(&mut self, token: u64, outcome: &Outcome, now: u64) -> Verdict<bool> {
        let Some(Open { caller, index }) = self.open.remove(&token) else {
            return fail(PROPERTY, format!("call {token} returns twice, or from the dead"));
        };
        let is_full = self.is_full(&caller);
        let record = &mut self.records[index];
        let is_strict = self.strict_from.is_some_and(|from| record.invoked_at >= from);
        if is_strict {
            let (ended, refused) = self.strict.entry(caller.session).or_default();
            *ended += 1;
            *refused += u64::from(*outcome == Outcome::Failed(RequestError::Overloaded));
        }
        let error = match outcome {
            Outcome::Done(payload) => {
                record.outcome = CallOutcome::Returned(payload.0.clone(), now);
                self.done_count += 1;
                return Ok(false);
            }
            Outcome::NeedsLog => {
                record.outcome = CallOutcome::Failed;
                self.failed_count += 1;
                return Ok(false);
            }
            Outcome::Failed(error) => *error,
        };
        self.failed_count += 1;
        // To be refused is an answer, and at the limit the right one.
        let is_right = error == RequestError::Overloaded && is_full;
        if is_strict && !is_right {
            let Caller { client, session, .. } = caller;
            let (from, to) = (record.invoked_at / MS, now / MS);
            let detail = format!(
                "call {token} of client {client} at p{session}, made at {from} ms, fails as \
                 {error:?} at {to} ms"
            );
            late("failed call", detail)?;
        }
        if error == RequestError::Ambiguous {
            return Ok(false);
        }
        record.outcome = CallOutcome::Failed;
        Ok(matches!(record.request, Request::Propose(_)))
    }
}
