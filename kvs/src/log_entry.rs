//! What goes through the log, and what is asked of the state machine without it.
//!
//! ```text
//!  entry        kind u8 · stamp u64 · body          stamp: unix ms of the server that took the command
//!  command      invocation
//!  transaction  count · watched*  count · invocation*
//!  versions     count · bytes*                      which versions do these keys have? (WATCH)
//!  tick, deadline, statistics: no body
//!  question     kind u8 · entry                     answer if that is possible without changing anything
//!
//!  invocation   verb u8 · count · bytes*            the arguments without the name
//!  watched      bytes · version
//!  version      0, or 1 · slot u64 · index u32      absent, or the position that wrote the value
//!  bytes        count · so many bytes               count: LEB128, other numbers: little endian
//! ```
//!
//! The encoding is its own because it stays in logs for years; a kind or a verb is never reused.
//! Decoding borrows from the entry and believes nothing: any bytes either decode or are refused.

use bytes::{BufMut, Bytes};
use paxos::slot::Slot;
use paxos::state_machine::Position;

use crate::commands::Verb;

const COMMAND: u8 = 0;
const TRANSACTION: u8 = 1;
const TICK: u8 = 2;
const VERSIONS: u8 = 3;
const DEADLINE: u8 = 4;
const STATISTICS: u8 = 5;
const QUESTION: u8 = 6;

/// The version of a key: the position that wrote its value, or `None` if it is absent.
pub type Version = Option<Position>;

/// An entry, with the time at which a server took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Unix time in ms by the clock of that server.
    pub stamp_ms: u64,
    /// What is asked.
    pub request: Request<'a>,
}

/// What an entry asks of the state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// One command.
    Command(Invocation<'a>),
    /// Commands that run together, if no watched key has changed.
    Transaction {
        /// The keys with the versions that the client saw.
        watched: Vec<(&'a [u8], Version)>,
        /// The commands in order.
        invocations: Vec<Invocation<'a>>,
    },
    /// Nothing: time passes.
    Tick,
    /// The versions of these keys.
    Versions(Vec<&'a [u8]>),
    /// The earliest deadline of any key.
    Deadline,
    /// How many keys there are, and how many of them with a deadline.
    Statistics,
}

/// A verb and its arguments, without the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation<'a> {
    /// The number of the verb; nobody has checked that there is such a verb.
    pub verb: u8,
    /// The arguments.
    pub arguments: Vec<&'a [u8]>,
}

/// The entry of one command.
pub fn encode_command<'a>(
    stamp_ms: u64,
    verb: Verb,
    arguments: impl Iterator<Item = &'a [u8]> + Clone,
) -> Bytes {
    let bytes: usize = arguments.clone().map(|argument| argument.len() + 5).sum();
    let mut out = head(COMMAND, stamp_ms, bytes + 6);
    put_invocation(verb, arguments, &mut out);
    Bytes::from(out)
}

/// The entry that only lets time pass.
pub fn encode_tick(stamp_ms: u64) -> Bytes {
    Bytes::from(head(TICK, stamp_ms, 0))
}

/// The query for the earliest deadline. The answer is an integer, or null if there is none.
pub fn encode_deadline(stamp_ms: u64) -> Bytes {
    Bytes::from(head(DEADLINE, stamp_ms, 0))
}

/// The query for the number of keys and of keys with a deadline. The answer is these two integers.
pub fn encode_statistics(stamp_ms: u64) -> Bytes {
    Bytes::from(head(STATISTICS, stamp_ms, 0))
}

/// The query for the versions of `keys`; [`decode_versions`] reads the answer.
pub fn encode_versions<'a>(stamp_ms: u64, keys: impl Iterator<Item = &'a [u8]> + Clone) -> Bytes {
    let mut out = head(VERSIONS, stamp_ms, 64);
    put_count(keys.clone().count(), &mut out);
    for key in keys {
        put_bytes(key, &mut out);
    }
    Bytes::from(out)
}

/// `query` for a protocol that orders reads among the commands that they conflict with. The reply is
/// empty if the query must be proposed instead.
pub fn encode_question(query: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(1 + query.len());
    out.put_u8(QUESTION);
    out.extend_from_slice(query);
    Bytes::from(out)
}

/// What a question asks; `None` if `entry` is none.
pub fn question(entry: &[u8]) -> Option<&[u8]> {
    entry.split_first().filter(|(kind, _)| **kind == QUESTION).map(|(_, query)| query)
}

/// Collects the commands of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionBuilder {
    invocations: Vec<u8>,
    count: usize,
}

impl TransactionBuilder {
    /// Adds a command behind the others.
    pub fn push<'a>(&mut self, verb: Verb, arguments: impl Iterator<Item = &'a [u8]> + Clone) {
        put_invocation(verb, arguments, &mut self.invocations);
        self.count += 1;
    }

    /// Bytes of the commands so far.
    pub fn bytes(&self) -> usize {
        self.invocations.len()
    }

    /// How many commands there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The entry of the transaction.
    pub fn encode<'a>(
        &self,
        stamp_ms: u64,
        watched: impl ExactSizeIterator<Item = (&'a [u8], Version)>,
    ) -> Bytes {
        let mut out = head(TRANSACTION, stamp_ms, self.invocations.len() + 64);
        put_count(watched.len(), &mut out);
        for (key, version) in watched {
            put_bytes(key, &mut out);
            put_version(version, &mut out);
        }
        put_count(self.count, &mut out);
        out.extend_from_slice(&self.invocations);
        Bytes::from(out)
    }
}

/// The answer to [`Request::Versions`].
pub fn encode_version_answer(versions: impl Iterator<Item = Version>) -> Bytes {
    let mut out = vec![VERSIONS];
    for version in versions {
        put_version(version, &mut out);
    }
    Bytes::from(out)
}

/// Reads the answer of the state machine to a query for versions; `None` if it is none.
pub fn decode_versions(answer: &[u8]) -> Option<Vec<Version>> {
    let mut reader = Reader { rest: answer };
    if reader.byte()? != VERSIONS {
        return None;
    }
    let mut versions = Vec::new();
    while !reader.rest.is_empty() {
        versions.push(reader.version()?);
    }
    Some(versions)
}

/// Reads an entry; `None` if the bytes are not one.
pub fn decode(entry: &[u8]) -> Option<Entry<'_>> {
    let mut reader = Reader { rest: entry };
    let kind = reader.byte()?;
    let stamp_ms = reader.u64()?;
    let request = match kind {
        COMMAND => Request::Command(reader.invocation()?),
        TRANSACTION => {
            let watched = reader.list(|reader| Some((reader.bytes()?, reader.version()?)))?;
            let invocations = reader.list(Reader::invocation)?;
            Request::Transaction { watched, invocations }
        }
        TICK => Request::Tick,
        VERSIONS => Request::Versions(reader.list(Reader::bytes)?),
        DEADLINE => Request::Deadline,
        STATISTICS => Request::Statistics,
        _ => return None,
    };
    reader.rest.is_empty().then_some(Entry { stamp_ms, request })
}

fn head(kind: u8, stamp_ms: u64, body_bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(9 + body_bytes);
    out.put_u8(kind);
    out.put_u64_le(stamp_ms);
    out
}

fn put_invocation<'a>(
    verb: Verb,
    arguments: impl Iterator<Item = &'a [u8]> + Clone,
    out: &mut Vec<u8>,
) {
    out.put_u8(verb as u8);
    put_count(arguments.clone().count(), out);
    for argument in arguments {
        put_bytes(argument, out);
    }
}

fn put_version(version: Version, out: &mut Vec<u8>) {
    match version {
        None => out.put_u8(0),
        Some(position) => {
            out.put_u8(1);
            out.put_u64_le(position.slot.0);
            out.put_u32_le(position.index);
        }
    }
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_count(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    let mut rest = count;
    while rest >= 0x80 {
        out.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}

/// Takes an entry apart from the front. Every method gives `None` at the end of the bytes.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn count(&mut self) -> Option<usize> {
        let mut count = 0usize;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            count |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(count);
            }
        }
        None
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = self.count()?;
        self.take(count)
    }

    fn version(&mut self) -> Option<Version> {
        match self.byte()? {
            0 => Some(None),
            1 => Some(Some(Position { slot: Slot(self.u64()?), index: self.u32()? })),
            _ => None,
        }
    }

    fn invocation(&mut self) -> Option<Invocation<'a>> {
        Some(Invocation { verb: self.byte()?, arguments: self.list(Self::bytes)? })
    }

    /// Every item takes a byte at least, so a count that lies cannot ask for memory.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.count()?;
        if count > self.rest.len() {
            return None;
        }
        let mut items = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Some(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSITION: Position = Position { slot: Slot(7), index: 3 };

    fn example_transaction() -> Bytes {
        let mut builder = TransactionBuilder::default();
        builder.push(Verb::Set, [b"a".as_slice(), &[b'v'; 300]].into_iter());
        builder.push(Verb::FlushAll, [].into_iter());
        assert_eq!(builder.count(), 2);
        let watched = [(b"a".as_slice(), Some(POSITION)), (b"b".as_slice(), None)];
        builder.encode(42, watched.into_iter())
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let entry = encode_command(9, Verb::Get, [b"key".as_slice()].into_iter());
        let invocation = Invocation { verb: Verb::Get as u8, arguments: vec![b"key"] };
        assert_eq!(
            decode(&entry),
            Some(Entry { stamp_ms: 9, request: Request::Command(invocation) })
        );

        let entry = example_transaction();
        let Some(Entry { stamp_ms: 42, request: Request::Transaction { watched, invocations } }) =
            decode(&entry)
        else {
            panic!("not a transaction")
        };
        assert_eq!(watched, [(b"a".as_slice(), Some(POSITION)), (b"b".as_slice(), None)]);
        assert_eq!(invocations[0].arguments[1], [b'v'; 300]);
        assert_eq!(invocations[1].verb, Verb::FlushAll as u8);

        let entry = encode_versions(1, [b"a".as_slice(), b"".as_slice()].into_iter());
        let request = Request::Versions(vec![b"a", b""]);
        assert_eq!(decode(&entry), Some(Entry { stamp_ms: 1, request }));
        assert_eq!(decode(&encode_tick(5)), Some(Entry { stamp_ms: 5, request: Request::Tick }));
    }

    #[test]
    fn versions_travel_back() {
        let versions = vec![None, Some(POSITION), None];
        let answer = encode_version_answer(versions.iter().copied());
        assert_eq!(decode_versions(&answer), Some(versions));
        assert_eq!(decode_versions(b"-ERR no\r\n"), None);
        assert_eq!(decode_versions(&answer[..answer.len() - 2]), None);
    }

    #[test]
    fn nothing_but_an_entry_decodes() {
        let entry = example_transaction();
        for length in 0..entry.len() {
            assert_eq!(decode(&entry[..length]), None, "{length}");
        }
        assert_eq!(decode(&[&entry[..], b"x"].concat()), None);
        let mut seed = 1u64;
        for _ in 0..20_000 {
            let mut garbage = entry.to_vec();
            for _ in 0..3 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let place = (seed >> 33) as usize % garbage.len();
                garbage[place] = (seed >> 20) as u8;
            }
            let _ = decode(&garbage);
        }
    }
}
