//! What a message costs the processors at its two ends.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What an actor is, as far as its costs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Role {
    Proposer,
    DependencyNode,
    Acceptor,
    Matchmaker,
    Replica,
    Archive,
    /// Somebody outside, whose own costs are not counted.
    Client,
}

impl Role {
    /// What tables call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proposer => "proposer",
            Self::DependencyNode => "dependency node",
            Self::Acceptor => "acceptor",
            Self::Matchmaker => "matchmaker",
            Self::Replica => "replica",
            Self::Archive => "archive",
            Self::Client => "client",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One kind of message that one role receives, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageCost {
    /// The receiver's step.
    pub step_ns: u64,
    /// Making bytes of it, at the sender.
    pub encode_ns: u64,
    /// Reading the bytes, at the receiver.
    pub decode_ns: u64,
}

/// The end of a turn of one role, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnCost {
    /// If nothing is sent.
    pub idle_ns: u64,
    /// For each message that is sent then, beside what sending it costs.
    pub message_ns: u64,
}

/// What messages cost, by the role that receives them and their kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// Getting one message out of a socket, in nanoseconds.
    pub read_ns: u64,
    /// Putting one message into a socket.
    pub write_ns: u64,
    /// Ending a turn, by role.
    pub turn_ends: BTreeMap<Role, TurnCost>,
    /// Kinds of messages, by the role that receives them.
    pub messages: BTreeMap<Role, BTreeMap<String, MessageCost>>,
    /// Any other message.
    pub other: MessageCost,
}

/// The costs of both protocols. The same message may cost more in one than in the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostModel {
    /// Of Matchmaker MultiPaxos.
    pub matchmaker: Costs,
    /// Of BPaxos.
    pub bpaxos: Costs,
}

impl CostModel {
    /// The costs of docs/benchmarks.md, as `bench paper costs` measured them on an idle machine.
    pub fn measured() -> Self {
        let text = include_str!("measured.json");
        serde_json::from_str(text).expect("a test reads it")
    }

    /// The same with other costs of sockets, for each message, in nanoseconds.
    pub fn with_sockets(mut self, read_ns: u64, write_ns: u64) -> Self {
        for costs in [&mut self.matchmaker, &mut self.bpaxos] {
            (costs.read_ns, costs.write_ns) = (read_ns, write_ns);
        }
        self
    }
}

/// What one message costs on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Price {
    /// Its sender.
    pub send_ns: u64,
    /// Its receiver.
    pub receive_ns: u64,
}

impl Costs {
    /// What a message of this kind costs on its way to another processor.
    pub(super) fn remote(&self, to: Role, kind: &str) -> Price {
        let cost = self.of(to, kind);
        Price {
            send_ns: self.write_ns + cost.encode_ns,
            receive_ns: self.read_ns + cost.decode_ns + cost.step_ns,
        }
    }

    /// What it costs between two actors of one process: it is moved, and never becomes bytes.
    pub(super) fn local(&self, to: Role, kind: &str) -> Price {
        Price { send_ns: 0, receive_ns: self.of(to, kind).step_ns }
    }

    /// Whether messages of this kind have a cost of their own.
    pub(super) fn knows(&self, to: Role, kind: &str) -> bool {
        self.messages.get(&to).is_some_and(|kinds| kinds.contains_key(kind))
    }

    pub(super) fn turn_end(&self, role: Role) -> TurnCost {
        self.turn_ends.get(&role).copied().unwrap_or_default()
    }

    fn of(&self, to: Role, kind: &str) -> MessageCost {
        let kinds = self.messages.get(&to);
        kinds.and_then(|kinds| kinds.get(kind)).copied().unwrap_or(self.other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_paid_for_only_between_processors() {
        let mut costs = Costs { read_ns: 100, write_ns: 200, ..Costs::default() };
        let cost = MessageCost { step_ns: 3, encode_ns: 20, decode_ns: 10 };
        costs.messages.entry(Role::Acceptor).or_default().insert("Phase2A".into(), cost);
        let remote = Price { send_ns: 220, receive_ns: 113 };
        assert_eq!(costs.remote(Role::Acceptor, "Phase2A"), remote);
        let local = Price { send_ns: 0, receive_ns: 3 };
        assert_eq!(costs.local(Role::Acceptor, "Phase2A"), local);
        assert_eq!(costs.local(Role::Replica, "Phase2A"), Price::default());
    }
}
