//! What the papers claim of the parts that all protocols share, one test for each claim.
//!
//! "Matchmaker Paxos" is Whittaker et al., *Matchmaker Paxos: A Reconfigurable Consensus Protocol*,
//! whose section 2 is Paxos itself.

mod acceptors;
mod replicas;
mod single_decree;

use paxos::acceptor::Acceptor;
use paxos::actor::{Incarnation, NodeId, OwnEffects, Seat};
use paxos::command::Value;
use paxos::message::{Phase2A, Vote};
use paxos::round::Round;
use paxos::slot::Slot;
use paxos::wire::Payload;

const ONE: NodeId = node(1);
const TWO: NodeId = node(2);
const ACCEPTORS: [NodeId; 3] = [node(11), node(12), node(13)];

type AcceptorFx = OwnEffects<Acceptor>;

const fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

fn round(number: u64, owner: NodeId) -> Round {
    Round { number, owner, step: 0 }
}

fn value(text: &'static str) -> Value {
    Value::Batch(Payload::new(text.as_bytes()))
}

fn vote(slot: u64, round: Round, text: &'static str) -> Vote {
    Vote { slot: Slot(slot), round, value: value(text) }
}

fn phase2a(round: Round, slot: u64, text: &'static str) -> Phase2A {
    Phase2A { round, slot: Slot(slot), value: value(text) }
}
