//! Who plays in the models of BPaxos: the nodes of production, each alone on a seat.
//!
//! Nothing is added but what is asked of them from outside, and when: each wish is uttered once, at any
//! time and in any order. A proposer that restarts utters them anew, and wants something else: one that
//! repeated itself would hide that it forgot.

use std::time::Duration;

use bpaxos::command::Command;
use bpaxos::message::{Message, Recover, Request, ToProposer};
use bpaxos::node::{Node, NodeRecord, NodeTimer};
use bpaxos::vertex::Vertex;
use paxos::actor::{Actor, EffectsOf, NodeId};
use paxos::command::SessionId;
use paxos::wire::Payload;

use super::journal::Journal;
use crate::cast::node;

/// Whose commands all are, and whom replicas tell that they were executed. Not in the cast.
pub const SESSION: NodeId = node(71);

/// Something that is asked of a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    /// A command: its number in the session, and what it says. It conflicts with those that begin with the same
    /// word.
    Command(u64, &'static str),
    /// To see to a vertex. A replica asks for this when it waits for the vertex; here it may at any time.
    Recover(Vertex),
}

/// A node, and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Player {
    /// The node.
    pub node: Node<Journal>,
    /// What is asked of it.
    pub wishes: Vec<Wish>,
    /// Whether it has been at work before.
    pub is_restarted: bool,
}

/// A timer of a player.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PlayerTimer {
    /// This wish is uttered.
    Wish(usize),
    /// Of the node.
    Node(NodeTimer),
}

impl From<NodeTimer> for PlayerTimer {
    fn from(timer: NodeTimer) -> Self {
        Self::Node(timer)
    }
}

impl Player {
    /// A node of which nothing is asked.
    pub fn idle(node: Node<Journal>) -> Self {
        Self { node, wishes: Vec::new(), is_restarted: false }
    }

    fn utter(&self, wish: &Wish) -> ToProposer {
        match wish {
            Wish::Recover(vertex) => ToProposer::Recover(Recover { vertex: *vertex }),
            Wish::Command(number, text) => {
                let again = if self.is_restarted { " again" } else { "" };
                let number = number + if self.is_restarted { 100 } else { 0 };
                let payload = Payload::new(format!("{text}{again}").into_bytes());
                let session = SessionId { node: SESSION, life: 1 };
                let command = Command { session, number, acknowledged: 0, payload };
                ToProposer::Request(Request { command })
            }
        }
    }
}

impl Actor for Player {
    type Message = Message;
    type Timer = PlayerTimer;
    type Record = NodeRecord;

    fn restore(&mut self, record: NodeRecord) {
        self.is_restarted = true;
        self.node.restore(record);
    }

    fn on_start(&mut self, fx: &mut EffectsOf<Self>) {
        fx.lend(|fx| self.node.on_start(fx));
        for wish in 0..self.wishes.len() {
            fx.set_timer(PlayerTimer::Wish(wish), Duration::ZERO..Duration::ZERO);
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, fx: &mut EffectsOf<Self>) {
        fx.lend(|fx| self.node.on_message(from, message, fx));
    }

    fn on_timer(&mut self, timer: PlayerTimer, fx: &mut EffectsOf<Self>) {
        match timer {
            PlayerTimer::Node(timer) => fx.lend(|fx| self.node.on_timer(timer, fx)),
            PlayerTimer::Wish(wish) => {
                let message = Message::Proposer(self.utter(&self.wishes[wish]));
                fx.lend(|fx| self.node.on_message(SESSION, message, fx));
            }
        }
    }

    fn on_turn_end(&mut self, fx: &mut EffectsOf<Self>) {
        fx.lend(|fx| self.node.on_turn_end(fx));
    }

    fn checkpoint(&self) -> Vec<NodeRecord> {
        self.node.checkpoint()
    }
}
