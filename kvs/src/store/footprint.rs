//! Which keys an entry touches: what a protocol needs that orders only what conflicts.
//!
//! | entry | reads | writes |
//! |---|---|---|
//! | question | its keys | |
//! | command, transaction, versions | | its keys, those that are watched included |
//! | `DBSIZE`, `KEYS`, `SCAN`, `RANDOMKEY`, `FLUSHALL`, `FLUSHDB`, tick, deadline, statistics | the whole key space | |
//! | bytes that are no entry | | |
//!
//! A command that only reads counts as a writer as soon as it is proposed, because it removes what is
//! due by its stamp. Questions remove nothing, so they do not conflict with each other.

use std::collections::BTreeSet;

use bytes::Bytes;
use paxos::state_machine::{Conflicts, Footprint};
use paxos::wire::Payload;

use super::{Store, checked_command};
use crate::commands::{self, Kind};
use crate::log_entry::{Entry, Invocation, Request, decode, question};

impl Conflicts for Store {
    fn footprint(command: &Bytes) -> Footprint {
        match question(command) {
            Some(query) => footprint_of_question(&command.slice_ref(query)),
            None => footprint(command, |touched| Footprint::Keys {
                reads: BTreeSet::new(),
                writes: touched,
            }),
        }
    }
}

/// What the question whether `query` can be answered touches.
pub(crate) fn footprint_of_question(query: &Bytes) -> Footprint {
    footprint(query, |touched| Footprint::Keys { reads: touched, writes: BTreeSet::new() })
}

fn footprint(entry: &Bytes, of_keys: impl FnOnce(BTreeSet<Payload>) -> Footprint) -> Footprint {
    let Some(Entry { request, .. }) = decode(entry) else { return Footprint::empty() };
    let Some(touched) = keys(&request) else { return Footprint::Everything };
    of_keys(touched.into_iter().map(|key| Payload(entry.slice_ref(key))).collect())
}

/// The keys that `request` touches; `None` if it may be any.
pub(super) fn keys<'a>(request: &Request<'a>) -> Option<Vec<&'a [u8]>> {
    match request {
        Request::Command(invocation) => keys_of(invocation),
        Request::Transaction { watched, invocations } => {
            let mut keys: Vec<&[u8]> = watched.iter().map(|(key, _)| *key).collect();
            for invocation in invocations {
                keys.extend(keys_of(invocation)?);
            }
            Some(keys)
        }
        Request::Versions(keys) => Some(keys.clone()),
        Request::Tick | Request::Deadline | Request::Statistics => None,
    }
}

/// The same for one command. One that is refused whatever the state touches nothing.
pub(super) fn keys_of<'a>(invocation: &Invocation<'a>) -> Option<Vec<&'a [u8]>> {
    let Some(command) = checked_command(invocation) else { return Some(Vec::new()) };
    if !matches!(command.kind, Kind::Read | Kind::Write) {
        return Some(Vec::new());
    }
    if command.keys == commands::Keys::NONE {
        return None;
    }
    let count = invocation.arguments.len() + 1;
    let arguments = (1..).zip(&invocation.arguments);
    let keys = arguments.filter(|(index, _)| command.keys.contains(*index, count));
    Some(keys.map(|(_, key)| *key).collect())
}
