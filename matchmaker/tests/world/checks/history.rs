//! What clients and replicas saw: one log, each command once, and answers in real-time order.

use std::collections::{BTreeMap, BTreeSet};

use paxos::message::{Outcome, RequestError};

use super::{Verdict, fail};
use crate::world::machine::number;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Counts.
    Write,
    /// Asks for the count.
    Read,
}

/// A call that has not returned.
#[derive(Clone, Copy, Debug)]
struct Call {
    kind: Kind,
    /// The largest count that had been returned to anyone when it was invoked.
    floor: u64,
    invoked_at: u64,
}

/// Calls, and what replicas executed.
#[derive(Default)]
pub struct History {
    /// The one log: slot, place in the batch and name of every command that any replica executed.
    ledger: Vec<(u64, u32, u64)>,
    executed: BTreeSet<u64>,
    calls: BTreeMap<u64, Call>,
    /// Calls that were told never to be executed.
    refused: BTreeSet<u64>,
    /// The largest count that was returned to anyone.
    returned: u64,
    /// From then on every new call must succeed.
    pub strict_from: Option<u64>,
    /// Calls that returned a result.
    pub done_count: u64,
    /// The same, reads only.
    pub read_count: u64,
}

impl History {
    /// A call begins. Its token names the command as well.
    pub fn invoke(&mut self, token: u64, kind: Kind, now: u64) {
        self.calls.insert(token, Call { kind, floor: self.returned, invoked_at: now });
    }

    /// The process of a call died before it returned.
    pub fn forget(&mut self, tokens: &[u64]) {
        for token in tokens {
            self.calls.remove(token);
        }
    }

    /// The oldest call that has not returned.
    pub fn oldest(&self) -> Option<(u64, String)> {
        let (token, call) = self.calls.iter().min_by_key(|(_, call)| call.invoked_at)?;
        Some((call.invoked_at, format!("call {token}: {call:?}")))
    }

    /// A call returns.
    pub fn complete(&mut self, token: u64, outcome: &Outcome, now: u64) -> Verdict {
        let Some(call) = self.calls.remove(&token) else {
            return fail("one outcome", format!("call {token} returns twice, or from the dead"));
        };
        let count = match outcome {
            Outcome::Done(payload) => number(&payload.0),
            Outcome::NeedsLog => return fail("one outcome", "no read needs the log".into()),
            Outcome::Failed(error) => {
                if *error != RequestError::Ambiguous {
                    self.refused.insert(token);
                }
                if *error != RequestError::Ambiguous && self.executed.contains(&token) {
                    let detail = format!("call {token} failed as {error:?} and was executed");
                    return fail("A15 exactly once", detail);
                }
                return self.check_strict(token, call, *error, now);
            }
        };
        self.done_count += 1;
        self.read_count += u64::from(call.kind == Kind::Read);
        let is_fresh = match call.kind {
            Kind::Write => count > call.floor,
            Kind::Read => count >= call.floor,
        };
        if !is_fresh || count > self.ledger.len() as u64 {
            let detail = format!(
                "call {token} ({call:?}) returns {count} of {} after {} was returned",
                self.ledger.len(),
                call.floor
            );
            return fail("A16 linearizability", detail);
        }
        if call.kind == Kind::Write && self.ledger[count as usize - 1].2 != token {
            return fail(
                "A16 linearizability",
                format!("call {token} got another's count {count}"),
            );
        }
        self.returned = self.returned.max(count);
        Ok(())
    }

    fn check_strict(&self, token: u64, call: Call, error: RequestError, now: u64) -> Verdict {
        if self.strict_from.is_some_and(|from| call.invoked_at >= from) {
            let detail = format!("call {token} ({call:?}) fails as {error:?} at {now}");
            return fail("liveness: calls", detail);
        }
        Ok(())
    }

    /// A replica has executed all of `applied`, of which `known` were seen before. Returns how many
    /// are seen now.
    pub fn executed(
        &mut self,
        replica: usize,
        applied: &[(u64, u32, u64)],
        known: usize,
    ) -> Result<usize, super::Failure> {
        for (index, entry) in applied.iter().enumerate().skip(known) {
            if let Some(other) = self.ledger.get(index) {
                if other != entry {
                    let detail = format!(
                        "replica {replica} executes {entry:?} as number {index}, others {other:?}"
                    );
                    return fail("A14 log prefix", detail);
                }
                continue;
            }
            if !self.executed.insert(entry.2) || self.refused.contains(&entry.2) {
                let detail = format!("replica {replica} executes {entry:?} again or after refusal");
                return fail("A15 exactly once", detail);
            }
            self.ledger.push(*entry);
        }
        Ok(applied.len())
    }

    /// Commands executed anywhere.
    pub fn ledger_len(&self) -> usize {
        self.ledger.len()
    }
}
