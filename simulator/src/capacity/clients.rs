//! Clients: each has one command under way, and sends the next when it has its answer. They are on
//! machines of their own, whose time is not counted.

use std::collections::{BTreeMap, BTreeSet};

use paxos::actor::NodeId;
use paxos::command::SessionId;
use paxos::wire::Payload;
use serde::{Deserialize, Serialize};

use super::machine::Deed;
use super::subject::Submitted;
use crate::random::{Purpose, Random};

/// Keys that nobody writes to.
const COLD_KEYS: u64 = 10_000;

/// The key that is written to.
const HOT_KEY: u64 = u64::MAX;

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// How many there are.
    pub clients: usize,
    /// How many of a thousand commands write to the one hot key. All others read other keys.
    pub hot_permille: u64,
    /// What chance begins with.
    pub seed: u64,
}

/// A command that is not answered.
#[derive(Clone, Debug)]
struct Pending {
    client: usize,
    sent_ns: u64,
    payload: Payload,
}

/// The clients of one replica, which answers them.
#[derive(Clone, Debug)]
struct Group {
    node: NodeId,
    next: u64,
    pending: BTreeMap<u64, Pending>,
    /// How often it has sent everything again.
    attempt: u64,
}

/// An answer that a client has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// When, in virtual nanoseconds.
    pub at_ns: u64,
    /// How long it took.
    pub latency_ns: u64,
}

/// All clients.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    load: Load,
    groups: Vec<Group>,
    random: Random,
    /// Proposers that take commands, in the order in which clients choose among them.
    leaders: Vec<NodeId>,
    /// How many there must be before anybody sends anything.
    leaders_wanted: usize,
    has_begun: bool,
    /// Every answer, in order.
    pub completions: Vec<Completion>,
}

impl Clients {
    /// Clients whose answers arrive at `nodes`.
    pub(super) fn new(nodes: &[NodeId], leaders_wanted: usize, load: Load) -> Self {
        let group =
            |node: &NodeId| Group { node: *node, next: 0, pending: BTreeMap::new(), attempt: 0 };
        Self {
            load,
            groups: nodes.iter().map(group).collect(),
            random: Random::stream(load.seed, (Purpose::Client, 0)),
            leaders: Vec::new(),
            leaders_wanted,
            has_begun: false,
            completions: Vec::new(),
        }
    }

    /// Whether somebody takes commands, so that they are sent.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Who takes commands, if it is only one.
    pub(super) fn leader(&self) -> Option<NodeId> {
        match self.leaders[..] {
            [leader] => Some(leader),
            _ => None,
        }
    }

    /// A proposer says that it takes commands. What is sent now: the first command of everybody, or, if it
    /// is the only one and was not before, everything that has no answer.
    pub(super) fn hear_leader(&mut self, from: NodeId, now_ns: u64) -> Vec<(NodeId, Submitted)> {
        if self.leaders.contains(&from) {
            return Vec::new();
        }
        if self.has_begun {
            self.leaders = vec![from];
            return self.send_again();
        }
        self.leaders.push(from);
        self.leaders.sort_unstable();
        if self.leaders.len() < self.leaders_wanted {
            return Vec::new();
        }
        self.has_begun = true;
        (0..self.load.clients).map(|client| self.send(client, now_ns)).collect()
    }

    /// So many commands, from `first` on, were executed. What is sent now.
    pub(super) fn hear_executed(
        &mut self,
        at: usize,
        (first, count): (u64, u64),
        now_ns: u64,
    ) -> Vec<(NodeId, Submitted)> {
        let mut sends = Vec::new();
        for number in first..first + count {
            let Some(pending) = self.groups[at].pending.remove(&number) else { continue };
            let latency_ns = now_ns - pending.sent_ns;
            self.completions.push(Completion { at_ns: now_ns, latency_ns });
            sends.push(self.send(pending.client, now_ns));
        }
        sends
    }

    fn send(&mut self, client: usize, now_ns: u64) -> (NodeId, Submitted) {
        let is_hot = self.random.permille(self.load.hot_permille);
        let deed = match is_hot {
            true => Deed::Write(HOT_KEY),
            false => Deed::Read(self.random.within(0..COLD_KEYS)),
        };
        let at = client % self.groups.len();
        let group = &mut self.groups[at];
        let number = group.next;
        group.next += 1;
        let payload = Payload(deed.command());
        group.pending.insert(number, Pending { client, sent_ns: now_ns, payload });
        self.submission(at, number)
    }

    fn submission(&self, at: usize, number: u64) -> (NodeId, Submitted) {
        let group = &self.groups[at];
        let Pending { client, payload, .. } = &group.pending[&number];
        let acknowledged = group.pending.keys().next().copied().unwrap_or(number);
        let submitted = Submitted {
            session: SessionId { node: group.node, life: 1 },
            number,
            acknowledged,
            attempt: group.attempt,
            payload: payload.clone(),
        };
        (self.leaders[client % self.leaders.len()], submitted)
    }

    /// Whoever leads now may not have heard of any of it.
    fn send_again(&mut self) -> Vec<(NodeId, Submitted)> {
        self.groups.iter_mut().for_each(|group| group.attempt += 1);
        let numbers = |at: usize| self.groups[at].pending.keys().map(move |number| (at, *number));
        let all: BTreeSet<(usize, u64)> = (0..self.groups.len()).flat_map(numbers).collect();
        all.into_iter().map(|(at, number)| self.submission(at, number)).collect()
    }
}

#[cfg(test)]
mod tests {
    use paxos::actor::{Incarnation, Seat};

    use super::*;

    fn node(seat: u32) -> NodeId {
        NodeId::new(Seat(seat), Incarnation(1))
    }

    #[test]
    fn a_client_sends_the_next_command_when_it_has_its_answer() {
        let load = Load { clients: 3, hot_permille: 0, seed: 1 };
        let mut clients = Clients::new(&[node(8), node(9)], 2, load);
        assert!(clients.hear_leader(node(1), 0).is_empty(), "another one is missing");
        let first = clients.hear_leader(node(2), 10);
        let to: Vec<NodeId> = first.iter().map(|(to, _)| *to).collect();
        assert_eq!(to, [node(1), node(2), node(1)]);
        let next = clients.hear_executed(1, (0, 1), 25);
        assert_eq!(clients.completions, [Completion { at_ns: 25, latency_ns: 15 }]);
        assert_eq!((next.len(), next[0].0, next[0].1.number), (1, node(2), 1));
        assert!(clients.hear_executed(1, (0, 1), 26).is_empty(), "it was answered");
    }

    #[test]
    fn a_new_leader_is_told_everything() {
        let load = Load { clients: 3, hot_permille: 0, seed: 1 };
        let mut clients = Clients::new(&[node(8)], 1, load);
        assert_eq!(clients.hear_leader(node(1), 0).len(), 3);
        assert!(clients.hear_leader(node(1), 1).is_empty(), "nothing new");
        let again = clients.hear_leader(node(2), 2);
        let told: Vec<_> = again.iter().map(|(to, m)| (*to, m.number, m.attempt)).collect();
        assert_eq!(told, [(node(2), 0, 1), (node(2), 1, 1), (node(2), 2, 1)]);
    }
}
