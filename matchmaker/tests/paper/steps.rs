//! Steps that many claims begin with, and what to look for in their effects.

use std::collections::BTreeSet;

use matchmaker::leader::LeaderRecord;
use matchmaker::matchmaker::Matchmaker;
use matchmaker::message::{
    FromMatchmaker, Message, NewestB, Progress, ToApplication, ToMatchmaker, ToProposer,
};
use paxos::actor::{Effects, NodeId};
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::message::{Chosen, FromAcceptor, ProbeA, ProbeB, ToAcceptor, ToReplica};
use paxos::round::Round;
use paxos::slot::Slot;

use crate::cluster::*;

/// Begins a reconfiguration to [`B`]; the new acceptors answer that they are there, and nothing else
/// of it is delivered.
pub(crate) fn start_reconfiguration(world: &mut World) {
    world.step(ONE, OPERATOR, reconfigure(7, B));
    answer_probes(world, 1, &B[..2]);
}

/// The question whether the acceptors of the round that `steps` reconfigurations reach are there.
pub(crate) fn probe_a(steps: u64) -> Message {
    Message::Acceptor(ToAcceptor::ProbeA(ProbeA { nonce: 1 << 63 | steps }))
}

/// The answer to it.
pub(crate) fn probe_b(steps: u64) -> Message {
    let m = ProbeB { nonce: 1 << 63 | steps, promised: Round::ZERO, beat: None, page_count: 0 };
    Message::Proposer(ToProposer::Acceptor(FromAcceptor::ProbeB(Box::new(m))))
}

/// Some of them are there, which is not enough yet to do anything.
pub(crate) fn answer_probes(world: &mut World, steps: u64, nodes: &[NodeId]) {
    for node in nodes {
        assert!(world.step(ONE, *node, probe_b(steps)).is_empty());
    }
}

/// The answers of two matchmakers to the registration of the adjacent round; the effects of the
/// second are only returned.
pub(crate) fn switch(world: &mut World, from: u64) -> Fx {
    let history = [(round(from), majority(from + 1, A))];
    let first = world.step(ONE, MATCHMAKERS[0], match_b(round(from + 1), Round::ZERO, &history));
    assert!(first.is_empty(), "one answer is not enough: {first:?}");
    world.step(ONE, MATCHMAKERS[1], match_b(round(from + 1), Round::ZERO, &history))
}

/// Proposes command `number`; its effects are only returned.
pub(crate) fn propose(world: &mut World, number: u64, text: &'static str) -> Fx {
    assert!(world.step(ONE, SESSION, request(number, text)).is_empty());
    world.end_turn(ONE)
}

pub(crate) fn vote(world: &mut World, from: NodeId, round: Round, slot: u64) -> Fx {
    world.step(ONE, from, phase2b(round, slot))
}

pub(crate) fn to_all(nodes: &[NodeId], message: impl Into<Message>) -> Vec<(NodeId, Message)> {
    let message = message.into();
    nodes.iter().map(|node| (*node, message.clone())).collect()
}

pub(crate) fn sends_of(fx: &Fx, wanted: impl Fn(&Message) -> bool) -> Vec<(NodeId, Message)> {
    fx.sends.iter().filter(|(_, message)| wanted(message)).cloned().collect()
}

pub(crate) fn is_phase1a(message: &Message) -> bool {
    matches!(message, Message::Acceptor(ToAcceptor::Phase1A(_)))
}

pub(crate) fn is_persisted_a(message: &Message) -> bool {
    matches!(message, Message::Acceptor(ToAcceptor::PersistedA(_)))
}

pub(crate) fn is_read_a(message: &Message) -> bool {
    matches!(message, Message::Acceptor(ToAcceptor::ReadA(_)))
}

pub(crate) fn is_chosen(message: &Message) -> bool {
    matches!(message, Message::Replica(ToReplica::Chosen(_)))
}

pub(crate) fn chosen(slot: u64, value: Value) -> Vec<(NodeId, Message)> {
    to_all(&REPLICAS, Message::Replica(Chosen { slot: Slot(slot), value }.into()))
}

pub(crate) fn collected(world: &World) -> Vec<(Round, BTreeSet<NodeId>)> {
    let collected = |report: &ToApplication| match report {
        ToApplication::ReconfigureB(m) => match &m.progress {
            Progress::Collected { watermark, retirable } => Some((*watermark, retirable.clone())),
            _ => None,
        },
        _ => None,
    };
    world.reports.iter().filter_map(collected).collect()
}

/// What a matchmaker answers to the first proposer.
pub(crate) fn matchmaker_step(
    matchmaker: &mut Matchmaker,
    message: impl Into<ToMatchmaker>,
) -> FromMatchmaker {
    let mut fx = Effects::new();
    matchmaker.on_message(ONE, message.into(), &mut fx);
    assert_eq!((fx.sends.len(), fx.violations.len()), (1, 0));
    match fx.sends.remove(0).1 {
        ToProposer::Matchmaker(m) => m,
        other => panic!("not for a proposer: {other:?}"),
    }
}

/// The second proposer in Phase 1 of the returned round over `history`, whose matchmakers answered
/// with the watermark zero.
pub(crate) fn in_phase1(world: &mut World, history: &[(Round, Configuration)]) -> Round {
    world.campaign(TWO);
    world.lose(|_| true);
    let newest = NewestB { epoch: EPOCH, newest: None, round: None };
    let newest: Message = ToProposer::Matchmaker(newest.into()).into();
    world.step(TWO, MATCHMAKERS[0], newest.clone());
    let fx = world.step(TWO, MATCHMAKERS[1], newest);
    let [LeaderRecord::Used(used)] = fx.records[..] else { panic!("one record: {fx:?}") };
    world.step(TWO, MATCHMAKERS[0], match_b(used, Round::ZERO, history));
    world.step(TWO, MATCHMAKERS[2], match_b(used, Round::ZERO, history));
    used
}
