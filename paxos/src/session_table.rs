//! Exactly once: what every replica remembers of every session.
//!
//! Commands of a session are numbered without gaps, and are executed in that order and no other: a
//! command that stands in the log before its predecessor is passed over, and its session submits it
//! again. So one number per session tells what has been executed, and a command that stands in
//! several slots has an effect in the first of them only.

use std::collections::{BTreeMap, VecDeque};

use crate::actor::NodeId;
use crate::command::Submitted;
use crate::mutant::{self, Mutant};
use crate::round::Round;
use crate::snapshot::SessionPart;
use crate::wire::Payload;

/// Replies kept for one session at most. More than any session has in flight.
const REPLIES_MAX: usize = 1 << 16;

/// What is known of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Entry {
    /// The latest life that had a command executed.
    life: u64,
    /// The number of the next command to execute; all below were executed.
    next: u64,
    /// Replies of the commands right below `next` that the session has not acknowledged.
    replies: VecDeque<Payload>,
}

/// The table of all sessions. Part of the replicated state: the same at every replica that has
/// executed the same slots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SessionTable {
    entries: BTreeMap<NodeId, Entry>,
}

impl SessionTable {
    /// Executes through `apply` the commands of `submission` that are next in turn, and gives to `answer`
    /// the replies of all its commands that were executed, now or before, as far as they are kept: of
    /// consecutive commands, each with its number.
    ///
    /// A submission of an earlier life of the session is passed over: that life has ended.
    pub fn execute(
        &mut self,
        submission: &Submitted<'_>,
        mut apply: impl FnMut(&[u8]) -> Payload,
        mut answer: impl FnMut(u64, &Payload),
    ) {
        let session = submission.session;
        let entry = self.entries.entry(key(session.node)).or_default();
        if entry.life < session.life {
            *entry = Entry { life: session.life, ..Entry::default() };
        }
        if entry.life > session.life && !mutant::is_on(Mutant::ExecuteEndedLife) {
            return;
        }
        entry.forget_below(submission.acknowledged);
        for (sequence, command) in (submission.first..).zip(&submission.commands) {
            if sequence > entry.next {
                break;
            }
            if sequence == entry.next {
                entry.replies.push_back(apply(command));
                entry.next += 1;
            }
            if let Some(reply) = entry.reply(sequence) {
                answer(sequence, reply);
            }
        }
        let kept = if mutant::is_on(Mutant::ForgetReplies) { 1 } else { REPLIES_MAX as u64 };
        entry.forget_below(entry.next.saturating_sub(kept));
    }

    /// All that is known, in pieces of `bytes_max` at most. Replies are shared, not copied.
    ///
    /// *Cost*: O(replies that are kept), which the windows of the sessions bound.
    pub fn parts(&self, bytes_max: usize) -> VecDeque<SessionPart> {
        let mut parts = VecDeque::new();
        for (node, entry) in &self.entries {
            parts.push_back(SessionPart::Session {
                node: *node,
                life: entry.life,
                next: entry.next,
            });
            for reply in &entry.replies {
                let mut rest = reply.0.clone();
                while rest.len() > bytes_max.max(1) {
                    let part = rest.split_to(bytes_max.max(1));
                    parts.push_back(SessionPart::ReplyPart(Payload(part)));
                }
                parts.push_back(SessionPart::Reply(Payload(rest)));
            }
        }
        parts
    }

    /// The number of the next command of the session at `node`, and its life.
    pub fn next(&self, node: NodeId) -> Option<(u64, u64)> {
        self.entries.get(&node).map(|entry| (entry.life, entry.next))
    }
}

/// Puts a table together again from its [`parts`](SessionTable::parts).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SessionTableBuilder {
    table: SessionTable,
    /// The session whose replies come next.
    node: Option<NodeId>,
    /// The beginning of the next reply.
    begun: Vec<u8>,
}

impl SessionTableBuilder {
    /// Adds the next part. What cannot follow is passed over: a digest vouches for the order.
    pub fn add(&mut self, part: SessionPart) {
        match part {
            SessionPart::Session { node, life, next } => {
                let entry = Entry { life, next, replies: VecDeque::new() };
                self.table.entries.insert(node, entry);
                self.node = Some(node);
            }
            SessionPart::ReplyPart(bytes) => self.begun.extend_from_slice(&bytes.0),
            SessionPart::Reply(bytes) => {
                let Some(entry) = self.node.and_then(|node| self.table.entries.get_mut(&node))
                else {
                    return;
                };
                // A copy: the reply must not keep its whole chunk in memory.
                self.begun.extend_from_slice(&bytes.0);
                entry.replies.push_back(Payload::new(std::mem::take(&mut self.begun)));
                entry.next = entry.next.max(entry.replies.len() as u64);
            }
        }
    }

    /// The table of all parts.
    pub fn finish(self) -> SessionTable {
        self.table
    }
}

/// Under which name the session at `node` is known.
fn key(node: NodeId) -> NodeId {
    if mutant::is_on(Mutant::OneNumberingForAll) { Round::ZERO.owner } else { node }
}

impl Entry {
    fn first_kept(&self) -> u64 {
        self.next - self.replies.len() as u64
    }

    fn reply(&self, sequence: u64) -> Option<&Payload> {
        let index = sequence.checked_sub(self.first_kept())?;
        self.replies.get(usize::try_from(index).ok()?)
    }

    fn forget_below(&mut self, acknowledged: u64) {
        while self.first_kept() < acknowledged && self.replies.pop_front().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::{Incarnation, Seat};
    use crate::command::SessionId;

    const NODE: NodeId = NodeId::new(Seat(1), Incarnation(1));

    fn submission(
        life: u64,
        first: u64,
        acknowledged: u64,
        commands: &[&'static str],
    ) -> Submitted<'static> {
        let session = SessionId { node: NODE, life };
        let commands = commands.iter().map(|text| text.as_bytes()).collect();
        Submitted { session, first, acknowledged, commands }
    }

    /// The number of the first command that is answered, and the replies from there on.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Replies {
        first: u64,
        replies: Vec<Payload>,
    }

    fn execute(table: &mut SessionTable, submission: &Submitted<'_>) -> (Vec<Payload>, Replies) {
        let (mut applied, mut answered) = (Vec::new(), Vec::new());
        let apply = |command: &[u8]| {
            applied.push(Payload::new(command.to_vec()));
            Payload::new(command.to_vec())
        };
        table.execute(submission, apply, |number, reply| answered.push((number, reply.clone())));
        let first = answered.first().map_or(submission.first, |(number, _)| *number);
        assert!(answered.iter().map(|(number, _)| *number).eq((first..).take(answered.len())));
        let replies = answered.into_iter().map(|(_, reply)| reply).collect();
        (applied, Replies { first, replies })
    }

    fn payloads(texts: &[&'static str]) -> Vec<Payload> {
        texts.iter().map(|text| Payload::new(text.as_bytes())).collect()
    }

    #[test]
    fn a_command_in_two_slots_is_executed_once_and_answered_twice() {
        let mut table = SessionTable::default();
        let once = submission(1, 0, 0, &["a", "b"]);
        let expected = Replies { first: 0, replies: payloads(&["a", "b"]) };
        assert_eq!(execute(&mut table, &once), (payloads(&["a", "b"]), expected.clone()));
        assert_eq!(execute(&mut table, &once), (vec![], expected));
    }

    #[test]
    fn a_command_ahead_of_its_turn_is_passed_over() {
        let mut table = SessionTable::default();
        let (applied, replies) = execute(&mut table, &submission(1, 1, 0, &["b"]));
        assert!(applied.is_empty() && replies.replies.is_empty());
        let (applied, _) = execute(&mut table, &submission(1, 0, 0, &["a", "b", "c"]));
        assert_eq!(applied, payloads(&["a", "b", "c"]));
    }

    #[test]
    fn acknowledged_replies_are_forgotten() {
        let mut table = SessionTable::default();
        execute(&mut table, &submission(1, 0, 0, &["a", "b"]));
        let (applied, replies) = execute(&mut table, &submission(1, 0, 1, &["a", "b", "c"]));
        assert_eq!(applied, payloads(&["c"]));
        assert_eq!(replies, Replies { first: 1, replies: payloads(&["b", "c"]) });
    }

    #[test]
    fn a_new_life_ends_the_old_one() {
        let mut table = SessionTable::default();
        execute(&mut table, &submission(1, 0, 0, &["a"]));
        let (applied, _) = execute(&mut table, &submission(2, 0, 0, &["x"]));
        assert_eq!(applied, payloads(&["x"]));
        let (applied, replies) = execute(&mut table, &submission(1, 1, 0, &["b"]));
        assert!(applied.is_empty() && replies.replies.is_empty());
        assert_eq!(table.next(NODE), Some((2, 1)));
    }

    #[test]
    fn a_table_is_put_together_from_its_parts() {
        let mut table = SessionTable::default();
        execute(&mut table, &submission(1, 0, 0, &["a", "a longer reply", "", "d"]));
        let mut elsewhere = submission(3, 0, 0, &["x"]);
        elsewhere.session.node = NodeId::new(Seat(2), Incarnation(7));
        execute(&mut table, &elsewhere);
        for bytes_max in [0, 1, 4, 1000] {
            let mut builder = SessionTableBuilder::default();
            table.parts(bytes_max).into_iter().for_each(|part| builder.add(part));
            assert_eq!(builder.finish(), table);
        }
    }
}
