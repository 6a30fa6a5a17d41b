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

use std::collections::BTreeMap;

use paxos::command::SessionId;
use paxos::mutant::{self, Mutant};
use paxos::slot::Slot;
use paxos::wire::Payload;

use crate::command::Command;
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

    /// Whether commands of a life of a session are passed over because a later life has begun: only by a
    /// fault.
    fn is_ended(&self, session: SessionId) -> bool {
        mutant::is_on(Mutant::LaterLifeEndsEarlier)
            && self.entries.keys().any(|other| other.node == session.node && *other > session)
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
}
