//! Exactly once: what every replica remembers of every session.
//!
//! Commands of a session are numbered without gaps, and are executed in that order and no other: a
//! command that stands in the log before its predecessor is passed over, and its session submits it
//! again. So one number per session tells what has been executed, and a command that stands in
//! several slots has an effect in the first of them only.

use std::collections::{BTreeMap, VecDeque};

use crate::actor::NodeId;
use crate::command::Submission;
use crate::mutant::{self, Mutant};
use crate::round::Round;
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

/// Replies of consecutive commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replies {
    /// The number of the first command.
    pub first: u64,
    /// Its reply and those of its successors.
    pub replies: Vec<Payload>,
}

impl SessionTable {
    /// Executes through `apply` the commands of `submission` that are next in turn, and returns the
    /// replies of all its commands that were executed, now or before, as far as they are kept.
    ///
    /// A submission of an earlier life of the session is passed over: that life has ended.
    pub fn execute(
        &mut self,
        submission: &Submission,
        mut apply: impl FnMut(&Payload) -> Payload,
    ) -> Replies {
        let session = submission.session;
        let entry = self.entries.entry(key(session.node)).or_default();
        if entry.life < session.life {
            *entry = Entry { life: session.life, ..Entry::default() };
        }
        let mut outcome = Replies { first: submission.first, replies: Vec::new() };
        if entry.life > session.life && !mutant::is_on(Mutant::ExecuteEndedLife) {
            return outcome;
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
            match entry.reply(sequence) {
                Some(reply) => outcome.replies.push(reply.clone()),
                None => outcome.first = sequence + 1,
            }
        }
        let kept = if mutant::is_on(Mutant::ForgetReplies) { 1 } else { REPLIES_MAX as u64 };
        entry.forget_below(entry.next.saturating_sub(kept));
        outcome
    }

    /// The number of the next command of the session at `node`, and its life.
    pub fn next(&self, node: NodeId) -> Option<(u64, u64)> {
        self.entries.get(&node).map(|entry| (entry.life, entry.next))
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
    ) -> Submission {
        let session = SessionId { node: NODE, life };
        let commands = commands.iter().map(|text| Payload::new(text.as_bytes())).collect();
        Submission { session, first, acknowledged, commands }
    }

    fn execute(table: &mut SessionTable, submission: &Submission) -> (Vec<Payload>, Replies) {
        let mut applied = Vec::new();
        let replies = table.execute(submission, |command| {
            applied.push(command.clone());
            command.clone()
        });
        (applied, replies)
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
}
