//! A readable trace of a run, in replay mode.

use std::fmt;

use matchmaker::message::{Message, ToProposer};
use matchmaker::node::NodeRecord;
use paxos::actor::NodeId;
use paxos::message::{FromAcceptor, FromSession, ToAcceptor, ToReplica, ToSession};

use super::World;
use super::places::name;
use super::process::Envelope;

impl World {
    /// Notes something that is no message.
    pub(super) fn note(&self, text: fmt::Arguments<'_>) {
        if self.is_traced {
            println!("{:>10.3} ms ** {text}", self.now as f64 / 1000.0);
        }
    }

    /// Notes a message that leaves, unless it is one of the many that keep a quiet cluster alive.
    pub(super) fn trace_message(&self, envelope: &Envelope) {
        let Envelope { from, to, message } = envelope;
        if self.is_traced && !is_dull(message) {
            let (from, to) = (name(*from), name(*to));
            self.line(format_args!("{from:>8} -> {to:<8} {}", shown(message)));
        }
    }

    /// Notes a record that became durable.
    pub(super) fn trace_record(&self, node: NodeId, record: &NodeRecord) {
        if self.is_traced {
            self.line(format_args!("{:>8} wrote       {}", name(node), shown(record)));
        }
    }

    fn line(&self, text: fmt::Arguments<'_>) {
        println!("{:>10.3} ms {text}", self.now as f64 / 1000.0);
    }
}

fn is_dull(message: &Message) -> bool {
    match message {
        Message::Acceptor(m) => matches!(m, ToAcceptor::ReadA(_) | ToAcceptor::ProbeA(_)),
        Message::Proposer(ToProposer::Acceptor(m)) => {
            matches!(m, FromAcceptor::ReadB(_) | FromAcceptor::ProbeB(_))
        }
        Message::Proposer(m) => {
            matches!(m, ToProposer::Heartbeat(_) | ToProposer::Session(FromSession::ReadIndexA(_)))
        }
        Message::Replica(m) => matches!(m, ToReplica::ChosenWatermark(_)),
        Message::Session(m) => matches!(m, ToSession::Leading(_)),
        Message::Matchmaker(_) | Message::Archive(_) | Message::Application(_) => false,
    }
}

fn shown(what: &impl fmt::Debug) -> String {
    const SHOWN: usize = 230;
    let text = format!("{what:?}");
    text.chars().take(SHOWN).collect()
}
