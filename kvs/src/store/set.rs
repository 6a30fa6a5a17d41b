//! Giving keys their values: SET with its options, and the commands that are SET in other words.

use bytes::Bytes;

use super::expiry::{Expiry, parse_expiry};
use super::{Refusal, SYNTAX_ERROR, Writer};
use crate::commands::{Command, Verb};
use crate::resp;

/// The options of SET and GETEX.
#[derive(Clone, Copy, Debug, Default)]
struct Options<'a> {
    only_if_absent: bool,
    only_if_present: bool,
    answers_former: bool,
    lifetime: Lifetime<'a>,
}

/// What becomes of the deadline.
#[derive(Clone, Copy, Debug, Default)]
enum Lifetime<'a> {
    /// Nothing was said.
    #[default]
    Default,
    /// It stays.
    Keep,
    /// It is removed.
    Persist,
    /// It is set; the time is not parsed yet.
    Until(Expiry, &'a [u8]),
}

impl<'a> Options<'a> {
    /// Options may come in any order, and again; of several times the last counts, if all are of
    /// the same kind.
    fn parse(verb: Verb, mut words: &[&'a [u8]]) -> Option<Self> {
        let is_set = verb == Verb::Set;
        let mut options = Self::default();
        while let [word, rest @ ..] = words {
            words = rest;
            match word.to_ascii_uppercase().as_slice() {
                b"NX" if is_set && !options.only_if_present => options.only_if_absent = true,
                b"XX" if is_set && !options.only_if_absent => options.only_if_present = true,
                b"GET" if is_set => options.answers_former = true,
                b"KEEPTTL" if is_set && options.lifetime.may_become(None) => {
                    options.lifetime = Lifetime::Keep;
                }
                b"PERSIST" if !is_set && options.lifetime.may_become(None) => {
                    options.lifetime = Lifetime::Persist;
                }
                name => {
                    let expiry = Expiry::from_option(name)?;
                    let [time, rest @ ..] = words else { return None };
                    if !options.lifetime.may_become(Some(expiry)) {
                        return None;
                    }
                    options.lifetime = Lifetime::Until(expiry, time);
                    words = rest;
                }
            }
        }
        Some(options)
    }
}

impl Lifetime<'_> {
    /// Whether `expiry`, or KEEPTTL or PERSIST if that is `None`, may follow.
    fn may_become(self, expiry: Option<Expiry>) -> bool {
        match self {
            Self::Default => true,
            Self::Keep | Self::Persist => expiry.is_none(),
            Self::Until(former, _) => expiry == Some(former),
        }
    }
}

impl Writer<'_> {
    pub(super) fn set(
        &mut self,
        key: &[u8],
        value: &[u8],
        options: &[&[u8]],
    ) -> Result<Bytes, Refusal> {
        if options.is_empty() {
            self.keyspace.put(key, value, None, self.version);
            return Ok(resp::OK);
        }
        let options = Options::parse(Verb::Set, options).ok_or(SYNTAX_ERROR)?;
        let item = self.keyspace.item(key, self.now_ms);
        let deadline_ms = match options.lifetime {
            Lifetime::Default | Lifetime::Persist => None,
            Lifetime::Keep => item.and_then(|item| item.deadline_ms),
            Lifetime::Until(expiry, time) => Some(parse_expiry(expiry, time, self.now_ms, "set")?),
        };
        let is_present = item.is_some();
        let former = match item {
            Some(item) if options.answers_former => resp::bulk(&item.value),
            Some(_) | None => resp::NULL,
        };
        if options.only_if_absent && is_present || options.only_if_present && !is_present {
            return Ok(former);
        }
        self.put_until(key, value, deadline_ms);
        Ok(if options.answers_former { former } else { resp::OK })
    }

    /// Gives `key` a value; a deadline in the past removes the key at once.
    fn put_until(&mut self, key: &[u8], value: &[u8], deadline_ms: Option<i64>) {
        if deadline_ms.is_some_and(|deadline_ms| deadline_ms <= self.now_ms) {
            self.keyspace.take(key, self.now_ms);
        } else {
            self.keyspace.put(key, value, deadline_ms, self.version);
        }
    }

    pub(super) fn set_if_absent(&mut self, key: &[u8], value: &[u8]) -> Bytes {
        if self.keyspace.item(key, self.now_ms).is_some() {
            return resp::integer(0);
        }
        self.keyspace.put(key, value, None, self.version);
        resp::integer(1)
    }

    /// SETEX and PSETEX.
    pub(super) fn set_for(
        &mut self,
        command: &Command,
        key: &[u8],
        time: &[u8],
        value: &[u8],
    ) -> Result<Bytes, Refusal> {
        let expiry = if command.verb == Verb::SetEx { Expiry::SECONDS } else { Expiry::MILLIS };
        let deadline_ms = parse_expiry(expiry, time, self.now_ms, command.name)?;
        self.put_until(key, value, Some(deadline_ms));
        Ok(resp::OK)
    }

    pub(super) fn get_ex(&mut self, key: &[u8], options: &[&[u8]]) -> Result<Bytes, Refusal> {
        let options = Options::parse(Verb::GetEx, options).ok_or(SYNTAX_ERROR)?;
        let Some(item) = self.keyspace.item(key, self.now_ms) else {
            return Ok(resp::NULL);
        };
        let value = resp::bulk(&item.value);
        match options.lifetime {
            Lifetime::Default | Lifetime::Keep => {}
            Lifetime::Persist if item.deadline_ms.is_none() => {}
            Lifetime::Persist => self.keyspace.set_deadline(key, None, self.version),
            Lifetime::Until(expiry, time) => {
                let deadline_ms = parse_expiry(expiry, time, self.now_ms, "getex")?;
                self.expire_at(key, deadline_ms);
            }
        }
        Ok(value)
    }

    pub(super) fn set_many(
        &mut self,
        command: &Command,
        pairs: &[&[u8]],
    ) -> Result<Bytes, Refusal> {
        for pair in check_pairs(command, pairs)? {
            self.keyspace.put(pair[0], pair[1], None, self.version);
        }
        Ok(resp::OK)
    }

    pub(super) fn set_many_if_absent(
        &mut self,
        command: &Command,
        pairs: &[&[u8]],
    ) -> Result<Bytes, Refusal> {
        let pairs = check_pairs(command, pairs)?;
        if pairs.iter().any(|pair| self.keyspace.item(pair[0], self.now_ms).is_some()) {
            return Ok(resp::integer(0));
        }
        for pair in pairs {
            self.keyspace.put(pair[0], pair[1], None, self.version);
        }
        Ok(resp::integer(1))
    }

    /// Gives a key that is present a deadline, or removes it if that has passed.
    pub(super) fn expire_at(&mut self, key: &[u8], deadline_ms: i64) {
        if deadline_ms <= self.now_ms {
            self.keyspace.take(key, self.now_ms);
        } else {
            self.keyspace.set_deadline(key, Some(deadline_ms), self.version);
        }
    }
}

fn check_pairs<'a, 'b>(
    command: &Command,
    words: &'a [&'b [u8]],
) -> Result<&'a [[&'b [u8]; 2]], Refusal> {
    let (pairs, rest) = words.as_chunks::<2>();
    if rest.is_empty() {
        return Ok(pairs);
    }
    Err(format!("ERR wrong number of arguments for '{}' command", command.name).into())
}
