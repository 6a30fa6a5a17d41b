//! Exactly once, where commands are not executed in one order.
//!
//! Replicas execute commands that do not conflict in different orders, and so also commands of one
//! session. Three shortcuts that are right for a log are wrong here, because each lets one replica pass
//! over a command that another one has executed before:
//!
//! - to remember only the largest number of a session. Lower ones may be executed later;
//! - to take for executed what the session has a reply to. The replica that replied was a faster one;
//! - to end the earlier lives of a session with the first command of a later one.
//!
//! So each life of each session has the set of the numbers that were executed, which is a watermark and
//! few others. Replies are kept until the session has acknowledged them: no state depends on them.
//!
//! *Paper*: Bipartisan Paxos, exactly-once semantics (client tables).

use std::collections::{BTreeMap, VecDeque};

use paxos::command::SessionId;
use paxos::mutant::{self, Mutant};
use paxos::slot::Slot;
use paxos::wire::Payload;

use crate::command::Command;
use crate::snapshot::SessionPart;
use crate::vertex::SlotSet;

/// Replies kept for one session, at most. More than any session has in flight.
const REPLIES_MAX: usize = 1 << 16;

/// What is known of one life of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Entry {
    /// The numbers of the commands that were executed.
    executed: SlotSet,
    /// Replies that the session has not acknowledged, by number.
    replies: BTreeMap<u64, Payload>,
}

/// The table of all sessions of one replica.
///
/// *Limits*: it grows by one small entry with each start of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExecutedTable {
    entries: BTreeMap<SessionId, Entry>,
}

impl ExecutedTable {
    /// Executes `command` through `apply`, unless it was executed before. Returns its reply, as long as
    /// that is kept.
    pub fn execute(
        &mut self,
        command: &Command,
        apply: impl FnOnce(&Payload) -> Payload,
    ) -> Option<Payload> {
        if self.is_ended(command.session) {
            return None;
        }
        let entry = self.entries.entry(command.session).or_default();
        if mutant::is_on(Mutant::AcknowledgedCountsAsExecuted) {
            entry.executed.fill(Slot(command.acknowledged));
        }
        entry.replies = entry.replies.split_off(&command.acknowledged);
        if entry.executed.insert(Slot(command.number)) {
            if mutant::is_on(Mutant::LargestNumberOnly) {
                entry.executed.fill(Slot(command.number));
            }
            let reply = apply(&command.payload);
            entry.replies.insert(command.number, reply);
            while entry.replies.len() > REPLIES_MAX {
                entry.replies.pop_first();
            }
        }
        entry.replies.get(&command.number).cloned()
    }

    /// All that is known, in pieces of `bytes_max` at most. Replies are shared, not copied.
    ///
    /// *Cost*: O(replies that are kept and lives of sessions).
    pub fn parts(&self, bytes_max: usize) -> VecDeque<SessionPart> {
        let mut parts = VecDeque::new();
        for (session, entry) in &self.entries {
            let executed = entry.executed.clone();
            parts.push_back(SessionPart::Session { session: *session, executed });
            for (number, reply) in &entry.replies {
                let mut rest = reply.0.clone();
                let first = rest.split_to(bytes_max.max(1).min(rest.len()));
                parts.push_back(SessionPart::Reply { number: *number, reply: Payload(first) });
                while !rest.is_empty() {
                    let part = rest.split_to(bytes_max.max(1).min(rest.len()));
                    parts.push_back(SessionPart::ReplyPart(Payload(part)));
                }
            }
        }
        parts
    }

    /// How many replies are kept, and for how many lives of sessions it knows what was executed.
    pub fn counts(&self) -> (usize, usize) {
        let replies = self.entries.values().map(|entry| entry.replies.len()).sum();
        (replies, self.entries.len())
    }

    /// Whether commands of a life of a session are passed over because a later life has begun: only by a
    /// fault.
    fn is_ended(&self, session: SessionId) -> bool {
        mutant::is_on(Mutant::LaterLifeEndsEarlier)
            && self.entries.keys().any(|other| other.node == session.node && *other > session)
    }
}

/// Puts a table together again from its [`parts`](ExecutedTable::parts).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExecutedTableBuilder {
    table: ExecutedTable,
    /// The life of a session that is being put together.
    session: Option<SessionId>,
    /// The reply that is being put together, and its number.
    begun: Option<(u64, Vec<u8>)>,
}

impl ExecutedTableBuilder {
    /// Adds the next part. What cannot follow is passed over: a digest vouches for the order.
    pub fn add(&mut self, part: SessionPart) {
        match part {
            SessionPart::Session { session, executed } => {
                self.end_reply();
                let entry = Entry { executed, replies: BTreeMap::new() };
                self.table.entries.insert(session, entry);
                self.session = Some(session);
            }
            SessionPart::Reply { number, reply } => {
                self.end_reply();
                // A copy: the reply must not keep its whole chunk in memory.
                self.begun = Some((number, reply.0.to_vec()));
            }
            SessionPart::ReplyPart(rest) => {
                if let Some((_, begun)) = &mut self.begun {
                    begun.extend_from_slice(&rest.0);
                }
            }
        }
    }

    fn end_reply(&mut self) {
        let session = self.session.as_ref();
        let entry = session.and_then(|session| self.table.entries.get_mut(session));
        if let (Some((number, reply)), Some(entry)) = (self.begun.take(), entry) {
            entry.replies.insert(number, Payload::new(reply));
        }
    }

    /// The table of all parts.
    pub fn finish(mut self) -> ExecutedTable {
        self.end_reply();
        self.table
    }
}

#[cfg(test)]
mod tests {
    use paxos::actor::{Incarnation, NodeId, Seat};

    use super::*;

    fn command(life: u64, number: u64, acknowledged: u64) -> Command {
        let node = NodeId::new(Seat(1), Incarnation(1));
        let payload = Payload::new(format!("{life}.{number}").into_bytes());
        Command { session: SessionId { node, life }, number, acknowledged, payload }
    }

    /// What the commands are executed as, in this order.
    fn executed(commands: &[Command]) -> Vec<Payload> {
        let mut table = ExecutedTable::default();
        let mut applied = Vec::new();
        for command in commands {
            table.execute(command, |payload| {
                applied.push(payload.clone());
                payload.clone()
            });
        }
        applied
    }

    fn payloads(commands: &[Command]) -> Vec<Payload> {
        commands.iter().map(|command| command.payload.clone()).collect()
    }

    #[test]
    fn each_command_is_executed_once_in_whatever_order() {
        let [a, b, c] = [command(1, 0, 0), command(1, 1, 0), command(1, 2, 0)];
        let repeated = [c.clone(), a.clone(), c.clone(), b.clone(), a.clone()];
        assert_eq!(executed(&repeated), payloads(&[c, a, b]));
    }

    #[test]
    fn what_is_acknowledged_may_still_have_to_be_executed_here() {
        let [slow, next] = [command(1, 0, 0), command(1, 1, 1)];
        assert_eq!(executed(&[next.clone(), slow.clone()]), payloads(&[next, slow]));
    }

    #[test]
    fn a_later_life_does_not_end_an_earlier_one() {
        let [early, late] = [command(1, 0, 0), command(2, 0, 0)];
        assert_eq!(executed(&[late.clone(), early.clone()]), payloads(&[late, early]));
    }

    #[test]
    fn a_repeat_is_answered_until_it_is_acknowledged() {
        let mut table = ExecutedTable::default();
        let first = command(1, 0, 0);
        let reply = table.execute(&first, |_| Payload::new(&b"reply"[..]));
        assert_eq!(table.execute(&first, |_| unreachable!("executed twice")), reply);
        table.execute(&command(1, 1, 1), Payload::clone);
        assert_eq!(table.execute(&first, |_| unreachable!("executed twice")), None);
    }

    #[test]
    fn a_table_is_put_together_from_its_parts() {
        let mut table = ExecutedTable::default();
        let mut empty = command(1, 6, 0);
        empty.payload = Payload::default();
        for command in [command(1, 0, 0), command(1, 4, 0), empty, command(2, 1, 0)] {
            table.execute(&command, Payload::clone);
        }
        for bytes_max in [0, 1, 2, 1000] {
            let mut builder = ExecutedTableBuilder::default();
            table.parts(bytes_max).into_iter().for_each(|part| builder.add(part));
            assert_eq!(builder.finish(), table);
        }
    }
}
