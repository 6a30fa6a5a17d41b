//! Reading and changing values as strings of bytes.

use bytes::{Bytes, BytesMut};

use super::{NOT_AN_INTEGER, REPLY_TOO_LARGE, Reader, Refusal, TOO_LONG, Writer};
use crate::resp::{self, parse_integer};

impl Reader<'_> {
    pub(super) fn get(&self, key: &[u8]) -> Bytes {
        self.keyspace.item(key, self.now_ms).map_or(resp::NULL, |item| resp::bulk(&item.value))
    }

    pub(super) fn get_many(&self, keys: &[&[u8]]) -> Result<Bytes, Refusal> {
        let mut out = Vec::new();
        resp::array_header(keys.len(), &mut out);
        for key in keys {
            match self.keyspace.item(key, self.now_ms) {
                Some(item) => resp::bulk_into(&item.value, &mut out),
                None => out.extend_from_slice(&resp::NULL),
            }
            if out.len() > self.limits.reply_bytes_max {
                return Err(REPLY_TOO_LARGE.into());
            }
        }
        Ok(Bytes::from(out))
    }

    pub(super) fn length(&self, key: &[u8]) -> Bytes {
        length_of(self.keyspace.item(key, self.now_ms).map_or(0, |item| item.value.len()))
    }

    /// GETRANGE: both ends inclusive, negative ones count from the end of the value.
    pub(super) fn range(&self, key: &[u8], start: &[u8], end: &[u8]) -> Result<Bytes, Refusal> {
        let start = parse_integer(start).ok_or(NOT_AN_INTEGER)?;
        let end = parse_integer(end).ok_or(NOT_AN_INTEGER)?;
        let Some(item) = self.keyspace.item(key, self.now_ms) else {
            return Ok(resp::EMPTY_BULK);
        };
        let length = i64::try_from(item.value.len()).unwrap_or(i64::MAX);
        if start < 0 && end < 0 && start > end {
            return Ok(resp::EMPTY_BULK);
        }
        let from_front =
            |index: i64| if index < 0 { (length + index.max(-length)).max(0) } else { index };
        let (start, end) = (from_front(start), from_front(end).min(length - 1));
        if start > end {
            return Ok(resp::EMPTY_BULK);
        }
        let (Ok(start), Ok(end)) = (usize::try_from(start), usize::try_from(end)) else {
            return Ok(resp::EMPTY_BULK);
        };
        Ok(resp::bulk(item.value.get(start..=end).unwrap_or_default()))
    }
}

impl Writer<'_> {
    pub(super) fn get_set(&mut self, key: &[u8], value: &[u8]) -> Bytes {
        let former = self.reader().get(key);
        self.keyspace.put(key, value, None, self.version);
        former
    }

    pub(super) fn get_del(&mut self, key: &[u8]) -> Bytes {
        self.keyspace.take(key, self.now_ms).map_or(resp::NULL, |item| resp::bulk(&item.value))
    }

    pub(super) fn append(&mut self, key: &[u8], suffix: &[u8]) -> Result<Bytes, Refusal> {
        let length = self.keyspace.item(key, self.now_ms).map_or(0, |item| item.value.len());
        self.check_length(length, suffix.len())?;
        let (mut value, deadline_ms) = self.take_value(key);
        value.extend_from_slice(suffix);
        let length = value.len();
        self.keyspace.put_owned(key, value.freeze(), deadline_ms, self.version);
        Ok(length_of(length))
    }

    pub(super) fn set_range(
        &mut self,
        key: &[u8],
        offset: &[u8],
        part: &[u8],
    ) -> Result<Bytes, Refusal> {
        let offset = parse_integer(offset).ok_or(NOT_AN_INTEGER)?;
        let Ok(offset) = usize::try_from(offset) else {
            return Err("ERR offset is out of range".into());
        };
        if part.is_empty() {
            return Ok(self.reader().length(key));
        }
        self.check_length(offset, part.len())?;
        let (mut value, deadline_ms) = self.take_value(key);
        let end = offset + part.len();
        if value.len() < end {
            value.resize(end, 0);
        }
        if let Some(place) = value.get_mut(offset..end) {
            place.copy_from_slice(part);
        }
        let length = value.len();
        self.keyspace.put_owned(key, value.freeze(), deadline_ms, self.version);
        Ok(length_of(length))
    }

    fn check_length(&self, length: usize, more: usize) -> Result<(), Refusal> {
        match length.checked_add(more) {
            Some(sum) if sum <= self.limits.value_bytes_max => Ok(()),
            _ => Err(TOO_LONG.into()),
        }
    }

    /// Removes the value of `key` to change it in place, without a copy if nobody else holds it.
    fn take_value(&mut self, key: &[u8]) -> (BytesMut, Option<i64>) {
        match self.keyspace.take(key, self.now_ms) {
            None => (BytesMut::new(), None),
            Some(item) => (BytesMut::from(item.value), item.deadline_ms),
        }
    }
}

/// A length as the integer of a reply.
pub(super) fn length_of(length: usize) -> Bytes {
    resp::integer(i64::try_from(length).unwrap_or(i64::MAX))
}
