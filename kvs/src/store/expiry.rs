//! Deadlines: how they are given, changed and told. A deadline is unix time in ms.

use bytes::Bytes;

use super::{NOT_AN_INTEGER, Reader, Refusal, Writer};
use crate::commands::{Command, Verb};
use crate::resp::{self, parse_integer};

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expiry {
    in_seconds: bool,
    /// Counted from now, not from 1970.
    is_relative: bool,
}

impl Expiry {
    pub(super) const SECONDS: Self = Self { in_seconds: true, is_relative: true };
    pub(super) const MILLIS: Self = Self { in_seconds: false, is_relative: true };
    const UNIX_SECONDS: Self = Self { in_seconds: true, is_relative: false };
    const UNIX_MILLIS: Self = Self { in_seconds: false, is_relative: false };

    /// The meaning of an option of SET and GETEX, in upper case.
    pub(super) fn from_option(name: &[u8]) -> Option<Self> {
        match name {
            b"EX" => Some(Self::SECONDS),
            b"PX" => Some(Self::MILLIS),
            b"EXAT" => Some(Self::UNIX_SECONDS),
            b"PXAT" => Some(Self::UNIX_MILLIS),
            _ => None,
        }
    }

    fn from_verb(verb: Verb) -> Self {
        match verb {
            Verb::PExpire => Self::MILLIS,
            Verb::ExpireAt => Self::UNIX_SECONDS,
            Verb::PExpireAt => Self::UNIX_MILLIS,
            _ => Self::SECONDS,
        }
    }

    fn deadline_ms(self, time: i64, now_ms: i64) -> Option<i64> {
        let time_ms = if self.in_seconds { time.checked_mul(1000)? } else { time };
        if self.is_relative { time_ms.checked_add(now_ms) } else { Some(time_ms) }
    }
}

/// The deadline that `time` means; SET and its kind take positive times only.
pub(super) fn parse_expiry(
    expiry: Expiry,
    time: &[u8],
    now_ms: i64,
    name: &str,
) -> Result<i64, Refusal> {
    let time = parse_integer(time).ok_or(NOT_AN_INTEGER)?;
    match expiry.deadline_ms(time, now_ms) {
        Some(deadline_ms) if time > 0 => Ok(deadline_ms),
        _ => Err(invalid_expire_time(name)),
    }
}

fn invalid_expire_time(name: &str) -> Refusal {
    format!("ERR invalid expire time in '{name}' command").into()
}

/// The conditions of EXPIRE and its kind.
#[derive(Clone, Copy, Debug, Default)]
struct Conditions {
    only_if_none: bool,
    only_if_some: bool,
    only_if_later: bool,
    only_if_earlier: bool,
}

impl Conditions {
    fn parse(options: &[&[u8]]) -> Result<Self, Refusal> {
        let mut conditions = Self::default();
        for option in options {
            match option.to_ascii_uppercase().as_slice() {
                b"NX" => conditions.only_if_none = true,
                b"XX" => conditions.only_if_some = true,
                b"GT" => conditions.only_if_later = true,
                b"LT" => conditions.only_if_earlier = true,
                _ => {
                    let option = String::from_utf8_lossy(option);
                    return Err(format!("ERR Unsupported option {option}").into());
                }
            }
        }
        let Self { only_if_none, only_if_some, only_if_later, only_if_earlier } = conditions;
        if only_if_none && (only_if_some || only_if_later || only_if_earlier) {
            return Err(
                "ERR NX and XX, GT or LT options at the same time are not compatible".into()
            );
        }
        if only_if_later && only_if_earlier {
            return Err("ERR GT and LT options at the same time are not compatible".into());
        }
        Ok(conditions)
    }

    /// No deadline counts as one that never comes.
    fn allow(self, former_ms: Option<i64>, deadline_ms: i64) -> bool {
        let is_later = former_ms.is_some_and(|former_ms| deadline_ms > former_ms);
        let is_earlier = former_ms.is_none_or(|former_ms| deadline_ms < former_ms);
        !(self.only_if_none && former_ms.is_some()
            || self.only_if_some && former_ms.is_none()
            || self.only_if_later && !is_later
            || self.only_if_earlier && !is_earlier)
    }
}

impl Writer<'_> {
    pub(super) fn expire(
        &mut self,
        command: &Command,
        key: &[u8],
        time: &[u8],
        options: &[&[u8]],
    ) -> Result<Bytes, Refusal> {
        let conditions = Conditions::parse(options)?;
        let time = parse_integer(time).ok_or(NOT_AN_INTEGER)?;
        let deadline_ms = Expiry::from_verb(command.verb)
            .deadline_ms(time, self.now_ms)
            .ok_or_else(|| invalid_expire_time(command.name))?;
        let Some(item) = self.keyspace.item(key, self.now_ms) else {
            return Ok(resp::integer(0));
        };
        if !conditions.allow(item.deadline_ms, deadline_ms) {
            return Ok(resp::integer(0));
        }
        self.expire_at(key, deadline_ms);
        Ok(resp::integer(1))
    }

    pub(super) fn persist(&mut self, key: &[u8]) -> Bytes {
        match self.keyspace.item(key, self.now_ms) {
            Some(item) if item.deadline_ms.is_some() => {
                self.keyspace.set_deadline(key, None, self.version);
                resp::integer(1)
            }
            Some(_) | None => resp::integer(0),
        }
    }
}

impl Reader<'_> {
    /// TTL, PTTL, EXPIRETIME and PEXPIRETIME: -2 without the key, -1 without a deadline.
    pub(super) fn time(&self, verb: Verb, key: &[u8]) -> Bytes {
        let Some(item) = self.keyspace.item(key, self.now_ms) else {
            return resp::integer(-2);
        };
        let Some(deadline_ms) = item.deadline_ms else {
            return resp::integer(-1);
        };
        let left_ms = deadline_ms.saturating_sub(self.now_ms);
        resp::integer(match verb {
            Verb::Ttl => rounded_seconds(left_ms),
            Verb::PTtl => left_ms,
            Verb::ExpireTime => rounded_seconds(deadline_ms),
            _ => deadline_ms,
        })
    }
}

const fn rounded_seconds(millis: i64) -> i64 {
    millis.saturating_add(500) / 1000
}
