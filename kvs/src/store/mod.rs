//! The state machine: what every replica does with the log, entry by entry.
//!
//! Replicas agree because an answer and a state follow from the entries alone. Time, too: log time is
//! the largest stamp so far, and expiry looks at nothing else. So a key may live on a little after its
//! deadline has passed on a server's clock, until the next entry comes; a server that is asked for
//! such a key in between gets no answer from [`Store::query`] and asks through the log instead, which
//! moves log time. That makes every read exact: no client sees a key after its deadline by the clock
//! of the server it asked, and no two clients see it go and come back.
//!
//! # Where commands come in different orders
//!
//! Under a protocol that orders only what conflicts, replicas agree if an answer, and what an entry does,
//! follow from the entry and from the keys of its footprint (`footprint.rs`), and from nothing that other
//! entries may change. So a store for [such a protocol](Store::partially_ordered) has no log time: an
//! entry is executed by its own stamp. It begins with removing those of its keys that are due by that.
//! What it found absent is then absent for all after it, whatever their stamps are. A *question* removes
//! nothing; if a key is due by its stamp and still there, it gets no answer and is proposed. So no two
//! clients see a key go and come back here either.
//!
//! Any bytes may stand in the log. What makes no sense is answered with an error.

mod decimal;
mod expiry;
mod extended;
mod footprint;
mod glob;
mod hash;
mod keys;
mod keyspace;
mod numbers;
mod scan;
mod set;
mod snapshot;
mod strings;

use std::borrow::Cow;

use bytes::Bytes;
use paxos::state_machine::{ForeignChunk, Position, StateMachine};

use crate::commands::{self, Command, Kind, Verb};
use crate::log_entry::{
    Entry, Invocation, Request, Version, decode, encode_version_answer, question,
};
use crate::resp;
use keyspace::Keyspace;
use snapshot::Frozen;

pub(crate) use footprint::footprint_of_question;
pub(crate) use glob::matches;
pub use snapshot::{Counts, count_items};

/// Keys that one entry removes at most because they are due.
const REMOVED_PER_ENTRY_MAX: usize = 32;
/// Keys that one tick removes at most because they are due.
const REMOVED_PER_TICK_MAX: usize = 1024;
/// Later stamps count as this, so that sums of times do not overflow.
const STAMP_MS_MAX: u64 = 1 << 56;

const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
const SYNTAX_ERROR: &str = "ERR syntax error";
const TOO_LONG: &str = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
const UNKNOWN_ENTRY: &str = "ERR the log entry is not known to this version of the server";

/// Limits that the replicas must agree on, because answers depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoreLimits {
    /// Bytes to which APPEND and SETRANGE may grow a value.
    pub value_bytes_max: usize,
    /// Bytes of one answer. A read that exceeds it is answered with an error.
    pub reply_bytes_max: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self { value_bytes_max: 1024 * 1024, reply_bytes_max: 64 * 1024 * 1024 }
    }
}

/// In which orders replicas execute the entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Order {
    /// In one, the same everywhere.
    #[default]
    Total,
    /// In any that have entries that conflict in the same order.
    Partial,
}

/// The key-value store that is replicated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Store {
    limits: StoreLimits,
    order: Order,
    keyspace: Keyspace,
    /// Log time: the largest stamp so far, unix ms. Monotone; zero for ever in a partial order.
    now_ms: i64,
    /// The snapshot that is being read.
    frozen: Option<Frozen>,
}

/// Where and when an entry is executed.
#[derive(Clone, Copy, Debug)]
struct Place {
    position: Position,
    now_ms: i64,
}

/// What a command that changes the store is given.
struct Writer<'a> {
    keyspace: &'a mut Keyspace,
    limits: StoreLimits,
    /// The position of the entry, which becomes the version of what it changes.
    version: Position,
    now_ms: i64,
}

/// What a command that only reads is given.
struct Reader<'a> {
    keyspace: &'a Keyspace,
    limits: StoreLimits,
    now_ms: i64,
}

/// Why a command was refused: the text of the error reply.
type Refusal = Cow<'static, str>;

impl Store {
    /// An empty store. Every replica must be given the same limits.
    pub fn new(limits: StoreLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// An empty store for a protocol that orders only what conflicts. Every replica must be given the same
    /// limits.
    pub fn partially_ordered(limits: StoreLimits) -> Self {
        Self { order: Order::Partial, ..Self::new(limits) }
    }

    /// How many keys there are at log time. *Cost*: O(keys that are due).
    pub fn key_count(&self) -> usize {
        self.keyspace.count(self.now_ms)
    }

    /// The earliest deadline of any key, unix ms.
    pub fn earliest_deadline_ms(&self) -> Option<i64> {
        self.keyspace.earliest_deadline()
    }

    fn reader(&self, now_ms: i64) -> Reader<'_> {
        Reader { keyspace: &self.keyspace, limits: self.limits, now_ms }
    }

    /// The time by which an entry with this stamp is executed. Removes what is due by then: all that is in
    /// one's way where there is log time, else only what the entry touches.
    fn pass_time(&mut self, stamp_ms: i64, request: &Request<'_>) -> i64 {
        let is_tick = *request == Request::Tick;
        if self.order == Order::Total {
            self.now_ms = self.now_ms.max(stamp_ms);
            let removed_max = if is_tick { REMOVED_PER_TICK_MAX } else { REMOVED_PER_ENTRY_MAX };
            self.keyspace.remove_due(self.now_ms, removed_max);
            return self.now_ms;
        }
        match footprint::keys(request) {
            Some(keys) => {
                for key in keys {
                    if self
                        .keyspace
                        .deadline(key)
                        .is_some_and(|deadline_ms| deadline_ms <= stamp_ms)
                    {
                        self.keyspace.take(key, stamp_ms);
                    }
                }
            }
            None if is_tick => self.keyspace.remove_due(stamp_ms, REMOVED_PER_TICK_MAX),
            // What it counts or lists must not come back for a slower clock.
            None => self.keyspace.remove_due(stamp_ms, usize::MAX),
        }
        stamp_ms
    }

    fn execute(&mut self, place: Place, invocation: &Invocation<'_>) -> Bytes {
        let arguments = invocation.arguments.as_slice();
        let Some(command) = checked_command(invocation) else {
            return resp::error(UNKNOWN_ENTRY);
        };
        let answer = match command.kind {
            Kind::Read => self.reader(place.now_ms).answer(command.verb, arguments),
            Kind::Write => Writer {
                keyspace: &mut self.keyspace,
                limits: self.limits,
                version: place.position,
                now_ms: place.now_ms,
            }
            .execute(command, arguments),
            Kind::Connection | Kind::Transaction => Err(UNKNOWN_ENTRY.into()),
        };
        answer.unwrap_or_else(|text| resp::error(&text))
    }

    fn execute_all(
        &mut self,
        place: Place,
        watched: &[(&[u8], Version)],
        invocations: &[Invocation<'_>],
    ) -> Bytes {
        if watched.iter().any(|(key, version)| self.version(key, place.now_ms) != *version) {
            return resp::NULL_ARRAY;
        }
        let mut out = Vec::new();
        resp::array_header(invocations.len(), &mut out);
        for invocation in invocations {
            let answer = self.execute(place, invocation);
            let is_too_large = out.len() + answer.len() > self.limits.reply_bytes_max;
            out.extend_from_slice(&if is_too_large {
                resp::error(REPLY_TOO_LARGE)
            } else {
                answer
            });
        }
        Bytes::from(out)
    }

    fn version(&self, key: &[u8], now_ms: i64) -> Version {
        self.keyspace.item(key, now_ms).map(|item| item.version)
    }

    fn versions(&self, keys: &[&[u8]], now_ms: i64) -> Bytes {
        encode_version_answer(keys.iter().map(|key| self.version(key, now_ms)))
    }

    fn statistics(&self, now_ms: i64) -> Bytes {
        let mut out = Vec::new();
        resp::array_header(2, &mut out);
        for count in [self.keyspace.count(now_ms), self.keyspace.deadline_count(now_ms)] {
            out.extend_from_slice(&resp::integer(i64::try_from(count).unwrap_or(i64::MAX)));
        }
        Bytes::from(out)
    }

    fn deadline_answer(&self) -> Bytes {
        self.keyspace.earliest_deadline().map_or(resp::NULL, resp::integer)
    }

    /// Whether a deadline of any key has passed at `stamp_ms` and has not in the log.
    fn is_any_in_doubt(&self, stamp_ms: i64) -> bool {
        // Keys that are due in the log but not yet removed come first in the index and hide others.
        self.keyspace.earliest_deadline().is_some_and(|deadline_ms| deadline_ms <= stamp_ms)
            && stamp_ms > self.now_ms
    }

    /// Whether the deadline of `key` has passed at `stamp_ms` and has not in the log.
    fn is_in_doubt(&self, key: &[u8], stamp_ms: i64) -> bool {
        self.keyspace
            .deadline(key)
            .is_some_and(|deadline_ms| deadline_ms <= stamp_ms && deadline_ms > self.now_ms)
    }

    /// The time by which a query with this stamp is answered that is not in doubt.
    fn read_time(&self, stamp_ms: i64) -> i64 {
        match self.order {
            Order::Total => self.now_ms,
            Order::Partial => stamp_ms,
        }
    }

    fn query_command(&self, stamp_ms: i64, invocation: &Invocation<'_>) -> Option<Bytes> {
        let Some(command) = checked_command(invocation) else {
            return Some(resp::error(UNKNOWN_ENTRY));
        };
        if command.kind != Kind::Read {
            return None;
        }
        let arguments = invocation.arguments.as_slice();
        let is_total = self.order == Order::Total;
        let is_in_doubt = match footprint::keys_of(invocation) {
            None => self.is_any_in_doubt(stamp_ms),
            Some(keys) if command.is_time_dependent && is_total => keys.iter().any(|key| {
                self.keyspace.deadline(key).is_some_and(|deadline_ms| deadline_ms > self.now_ms)
            }),
            Some(keys) => keys.iter().any(|key| self.is_in_doubt(key, stamp_ms)),
        };
        if is_in_doubt {
            return None;
        }
        let answer = self.reader(self.read_time(stamp_ms)).answer(command.verb, arguments);
        Some(answer.unwrap_or_else(|text| resp::error(&text)))
    }
}

impl StateMachine for Store {
    fn apply(&mut self, position: Position, command: &[u8]) -> Bytes {
        if let Some(query) = question(command) {
            return self.query(query).unwrap_or_default();
        }
        let Some(Entry { stamp_ms, request }) = decode(command) else {
            return resp::error(UNKNOWN_ENTRY);
        };
        let now_ms = self.pass_time(to_millis(stamp_ms), &request);
        let place = Place { position, now_ms };
        match request {
            Request::Command(invocation) => self.execute(place, &invocation),
            Request::Transaction { watched, invocations } => {
                self.execute_all(place, &watched, &invocations)
            }
            Request::Tick => resp::OK,
            Request::Versions(keys) => self.versions(&keys, now_ms),
            Request::Deadline => self.deadline_answer(),
            Request::Statistics => self.statistics(now_ms),
        }
    }

    fn query(&self, query: &[u8]) -> Option<Bytes> {
        let Some(Entry { stamp_ms, request }) = decode(query) else {
            return Some(resp::error(UNKNOWN_ENTRY));
        };
        let stamp_ms = to_millis(stamp_ms);
        match request {
            Request::Command(invocation) => self.query_command(stamp_ms, &invocation),
            Request::Transaction { .. } | Request::Tick => None,
            Request::Versions(keys) => {
                let is_in_doubt = keys.iter().any(|key| self.is_in_doubt(key, stamp_ms));
                (!is_in_doubt).then(|| self.versions(&keys, self.read_time(stamp_ms)))
            }
            Request::Deadline => Some(self.deadline_answer()),
            Request::Statistics => Some(self.statistics(self.read_time(stamp_ms))),
        }
    }

    fn empty(&self) -> Self {
        Self { limits: self.limits, order: self.order, ..Self::default() }
    }

    fn start_snapshot(&mut self) {
        self.freeze();
    }

    fn next_chunk(&mut self, bytes_max: usize) -> Option<Bytes> {
        self.next_frozen(bytes_max)
    }

    fn stop_snapshot(&mut self) {
        self.unfreeze();
    }

    fn install_chunk(&mut self, chunk: &Bytes) -> Result<(), ForeignChunk> {
        self.install(chunk)
    }
}

const REPLY_TOO_LARGE: &str = "ERR the reply exceeds the limit of this server, ask for fewer keys";

impl Writer<'_> {
    fn reader(&self) -> Reader<'_> {
        Reader { keyspace: self.keyspace, limits: self.limits, now_ms: self.now_ms }
    }

    fn execute(&mut self, command: &Command, arguments: &[&[u8]]) -> Result<Bytes, Refusal> {
        match (command.verb, arguments) {
            (Verb::Set, [key, value, options @ ..]) => self.set(key, value, options),
            (Verb::SetNx, [key, value]) => Ok(self.set_if_absent(key, value)),
            (Verb::SetEx | Verb::PSetEx, [key, time, value]) => {
                self.set_for(command, key, time, value)
            }
            (Verb::GetSet, [key, value]) => Ok(self.get_set(key, value)),
            (Verb::GetDel, [key]) => Ok(self.get_del(key)),
            (Verb::GetEx, [key, options @ ..]) => self.get_ex(key, options),
            (Verb::MSet, pairs) => self.set_many(command, pairs),
            (Verb::MSetNx, pairs) => self.set_many_if_absent(command, pairs),
            (Verb::Append, [key, suffix]) => self.append(key, suffix),
            (Verb::SetRange, [key, offset, part]) => self.set_range(key, offset, part),
            (Verb::Incr, [key]) => self.increment(key, 1),
            (Verb::Decr, [key]) => self.increment(key, -1),
            (Verb::IncrBy, [key, amount]) => self.increment_by(key, amount),
            (Verb::DecrBy, [key, amount]) => self.decrement_by(key, amount),
            (Verb::IncrByFloat, [key, amount]) => self.increment_by_float(key, amount),
            (
                Verb::Expire | Verb::PExpire | Verb::ExpireAt | Verb::PExpireAt,
                [key, time, options @ ..],
            ) => self.expire(command, key, time, options),
            (Verb::Persist, [key]) => Ok(self.persist(key)),
            (Verb::Del | Verb::Unlink, keys) => Ok(self.delete(keys)),
            (Verb::Rename, [from, to]) => self.rename(from, to),
            (Verb::FlushAll | Verb::FlushDb, options) => self.flush(options),
            _ => Err(UNKNOWN_ENTRY.into()),
        }
    }
}

impl Reader<'_> {
    fn answer(&self, verb: Verb, arguments: &[&[u8]]) -> Result<Bytes, Refusal> {
        match (verb, arguments) {
            (Verb::Get, [key]) => Ok(self.get(key)),
            (Verb::MGet, keys) => self.get_many(keys),
            (Verb::StrLen, [key]) => Ok(self.length(key)),
            (Verb::GetRange | Verb::SubStr, [key, start, end]) => self.range(key, start, end),
            (Verb::Exists, keys) => Ok(self.exists(keys)),
            (Verb::Type, [key]) => Ok(self.type_of(key)),
            (Verb::Ttl | Verb::PTtl | Verb::ExpireTime | Verb::PExpireTime, [key]) => {
                Ok(self.time(verb, key))
            }
            (Verb::DbSize, []) => Ok(self.size()),
            (Verb::RandomKey, []) => Ok(self.random_key()),
            (Verb::Keys, [pattern]) => self.keys(pattern),
            (Verb::Scan, [cursor, options @ ..]) => self.scan(cursor, options),
            _ => Err(UNKNOWN_ENTRY.into()),
        }
    }
}

/// The command of an invocation, if there is such a verb and it takes so many arguments.
fn checked_command(invocation: &Invocation<'_>) -> Option<&'static Command> {
    let command = commands::with_number(invocation.verb)?;
    command.arity.allows(invocation.arguments.len() + 1).then_some(command)
}

fn to_millis(stamp_ms: u64) -> i64 {
    stamp_ms.min(STAMP_MS_MAX).cast_signed()
}

#[cfg(test)]
mod reordering;
#[cfg(test)]
mod tests;
