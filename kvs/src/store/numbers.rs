//! Values that count.

use bytes::Bytes;

use super::decimal::Number;
use super::{NOT_AN_INTEGER, Refusal, Writer};
use crate::resp::{self, parse_integer};

const NOT_A_FLOAT: &str = "ERR value is not a valid float";

impl Writer<'_> {
    pub(super) fn increment_by(&mut self, key: &[u8], amount: &[u8]) -> Result<Bytes, Refusal> {
        self.increment(key, parse_integer(amount).ok_or(NOT_AN_INTEGER)?)
    }

    pub(super) fn decrement_by(&mut self, key: &[u8], amount: &[u8]) -> Result<Bytes, Refusal> {
        let amount = parse_integer(amount).ok_or(NOT_AN_INTEGER)?;
        self.increment(key, amount.checked_neg().ok_or("ERR decrement would overflow")?)
    }

    /// Adds `amount`. The key keeps its deadline.
    pub(super) fn increment(&mut self, key: &[u8], amount: i64) -> Result<Bytes, Refusal> {
        let (value, deadline_ms) = match self.keyspace.item(key, self.now_ms) {
            None => (0, None),
            Some(item) => (parse_integer(&item.value).ok_or(NOT_AN_INTEGER)?, item.deadline_ms),
        };
        let sum = value.checked_add(amount).ok_or("ERR increment or decrement would overflow")?;
        self.keyspace.put_owned(key, Bytes::from(sum.to_string()), deadline_ms, self.version);
        Ok(resp::integer(sum))
    }

    pub(super) fn increment_by_float(
        &mut self,
        key: &[u8],
        amount: &[u8],
    ) -> Result<Bytes, Refusal> {
        let (value, deadline_ms) = match self.keyspace.item(key, self.now_ms) {
            None => (Number::ZERO, None),
            Some(item) => (Number::parse(&item.value).ok_or(NOT_A_FLOAT)?, item.deadline_ms),
        };
        let amount = Number::parse(amount).ok_or(NOT_A_FLOAT)?;
        let sum = value.add(amount).ok_or("ERR increment would produce NaN or Infinity")?;
        let answer = resp::bulk(sum.as_bytes());
        self.keyspace.put_owned(key, Bytes::from(sum), deadline_ms, self.version);
        Ok(answer)
    }
}
