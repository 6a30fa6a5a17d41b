//! Walking the keyspace.
//!
//! A cursor is the hash of the first key that was not yet returned. It needs no memory at the server,
//! it is valid at every replica and for ever, and keys that are there all the while are returned
//! exactly once, because a hash neither moves nor is returned in two parts.

use bytes::Bytes;

use super::glob::matches;
use super::{NOT_AN_INTEGER, REPLY_TOO_LARGE, Reader, Refusal, SYNTAX_ERROR};
use crate::resp::{self, parse_integer};

/// Keys that a SCAN looks at unless told otherwise.
const COUNT_DEFAULT: i64 = 10;

impl Reader<'_> {
    pub(super) fn keys(&self, pattern: &[u8]) -> Result<Bytes, Refusal> {
        let mut found = Vec::new();
        let mut count = 0;
        for (_, items) in self.keyspace.walk(0, self.now_ms) {
            for item in items.filter(|item| matches(pattern, &item.key)) {
                resp::bulk_into(&item.key, &mut found);
                count += 1;
            }
            if found.len() > self.limits.reply_bytes_max {
                return Err(REPLY_TOO_LARGE.into());
            }
        }
        let mut out = Vec::with_capacity(found.len() + 16);
        resp::array_header(count, &mut out);
        out.extend_from_slice(&found);
        Ok(Bytes::from(out))
    }

    /// Looks at COUNT keys from the cursor on, and returns those that match.
    pub(super) fn scan(&self, cursor: &[u8], options: &[&[u8]]) -> Result<Bytes, Refusal> {
        let start = parse_cursor(cursor).ok_or("ERR invalid cursor")?;
        let options = Options::parse(options)?;
        let mut found = Vec::new();
        let (mut found_count, mut seen_count) = (0, 0);
        let mut next = 0;
        for (hash, items) in self.keyspace.walk(start, self.now_ms) {
            if seen_count >= options.count || found.len() >= self.limits.reply_bytes_max / 2 {
                next = hash;
                break;
            }
            for item in items {
                seen_count += 1;
                if options.accept(&item.key) {
                    resp::bulk_into(&item.key, &mut found);
                    found_count += 1;
                }
            }
        }
        let mut out = Vec::with_capacity(found.len() + 64);
        resp::array_header(2, &mut out);
        resp::bulk_into(next.to_string().as_bytes(), &mut out);
        resp::array_header(found_count, &mut out);
        out.extend_from_slice(&found);
        Ok(Bytes::from(out))
    }
}

struct Options<'a> {
    count: i64,
    pattern: Option<&'a [u8]>,
    /// Whether keys of the type that is asked for can exist here.
    has_type: bool,
}

impl<'a> Options<'a> {
    fn parse(mut words: &[&'a [u8]]) -> Result<Self, Refusal> {
        let mut options = Self { count: COUNT_DEFAULT, pattern: None, has_type: true };
        while let [name, rest @ ..] = words {
            let [value, rest @ ..] = rest else {
                return Err(SYNTAX_ERROR.into());
            };
            words = rest;
            match name.to_ascii_uppercase().as_slice() {
                b"COUNT" => {
                    options.count = parse_integer(value).ok_or(NOT_AN_INTEGER)?;
                    if options.count < 1 {
                        return Err(SYNTAX_ERROR.into());
                    }
                }
                b"MATCH" => options.pattern = Some(value),
                b"TYPE" => options.has_type = value.eq_ignore_ascii_case(b"string"),
                _ => return Err(SYNTAX_ERROR.into()),
            }
        }
        Ok(options)
    }

    fn accept(&self, key: &[u8]) -> bool {
        self.has_type && self.pattern.is_none_or(|pattern| matches(pattern, key))
    }
}

/// An unsigned number; Redis takes none at all for zero.
fn parse_cursor(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return Some(0);
    }
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}
