//! Keys as such, whatever their values.

use bytes::Bytes;

use super::strings::length_of;
use super::{Reader, Refusal, SYNTAX_ERROR, Writer};
use crate::resp;

impl Reader<'_> {
    /// A key named twice counts twice.
    pub(super) fn exists(&self, keys: &[&[u8]]) -> Bytes {
        let is_present = |key: &&&[u8]| self.keyspace.item(key, self.now_ms).is_some();
        length_of(keys.iter().filter(is_present).count())
    }

    /// Every value is a string.
    pub(super) fn type_of(&self, key: &[u8]) -> Bytes {
        match self.keyspace.item(key, self.now_ms) {
            Some(_) => Bytes::from_static(b"+string\r\n"),
            None => Bytes::from_static(b"+none\r\n"),
        }
    }

    pub(super) fn size(&self) -> Bytes {
        length_of(self.keyspace.count(self.now_ms))
    }

    /// Random enough: the key is picked by the time, so that every replica picks the same.
    pub(super) fn random_key(&self) -> Bytes {
        let picked = self.keyspace.pick(self.now_ms.cast_unsigned(), self.now_ms);
        picked.map_or(resp::NULL, |item| resp::bulk(&item.key))
    }
}

impl Writer<'_> {
    pub(super) fn delete(&mut self, keys: &[&[u8]]) -> Bytes {
        let now_ms = self.now_ms;
        length_of(keys.iter().filter(|key| self.keyspace.take(key, now_ms).is_some()).count())
    }

    /// The value moves with its deadline.
    pub(super) fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<Bytes, Refusal> {
        if self.keyspace.item(from, self.now_ms).is_none() {
            return Err("ERR no such key".into());
        }
        if from != to
            && let Some(item) = self.keyspace.take(from, self.now_ms)
        {
            self.keyspace.put_owned(to, item.value, item.deadline_ms, self.version);
        }
        Ok(resp::OK)
    }

    pub(super) fn flush(&mut self, options: &[&[u8]]) -> Result<Bytes, Refusal> {
        match options {
            [] => {}
            [word] if word.eq_ignore_ascii_case(b"SYNC") => {}
            [word] if word.eq_ignore_ascii_case(b"ASYNC") => {}
            _ => return Err(SYNTAX_ERROR.into()),
        }
        self.keyspace.clear();
        Ok(resp::OK)
    }
}
