//! Matchmaking, and what a new leader learns in Phase 1.

use std::collections::BTreeSet;

use matchmaker::message::{Message, NewestB, ToProposer};
use paxos::actor::NodeId;
use paxos::command::Value;
use paxos::message::ToAcceptor;
use paxos::quorum::QuorumSystem;
use paxos::round::Round;

use crate::cluster::*;
use crate::steps::*;

/// Matchmaker Paxos, section 3.4: H is the union over f + 1 matchmakers, without the rounds below the
/// largest of their watermarks.
#[test]
fn the_history_is_a_union_from_the_highest_watermark_on() {
    let mut world = World::new();
    world.campaign(TWO);
    world.lose(|_| true);
    let newest = NewestB { epoch: EPOCH, newest: None, round: Some(round(9)) };
    let newest: Message = ToProposer::Matchmaker(newest.into()).into();
    world.step(TWO, MATCHMAKERS[0], newest.clone());
    world.step(TWO, MATCHMAKERS[1], newest);
    let used = Round { number: 1, owner: TWO, step: 0 };
    let one = [(round(0), majority(1, A)), (round(2), majority(3, C))];
    let two = [(round(1), majority(2, B))];
    world.step(TWO, MATCHMAKERS[0], match_b(used, Round::ZERO, &one));
    let fx = world.step(TWO, MATCHMAKERS[1], match_b(used, round(1), &two));
    let asked: BTreeSet<NodeId> = B.into_iter().chain(C).collect();
    assert_eq!(receivers(&fx, is_phase1a), asked);
}

/// Matchmaker Paxos, section 3.2: Phase 1 needs a quorum of every configuration in H; one of their
/// union is not enough.
#[test]
fn phase_1_needs_a_quorum_of_each_configuration() {
    let mut world = World::new();
    let used = in_phase1(&mut world, &[(round(0), majority(1, A)), (round(1), majority(2, B))]);
    for acceptor in [A[0], A[1], A[2], B[0]] {
        assert!(world.step(TWO, acceptor, phase1b(used, 0, &[])).is_empty());
    }
    assert_eq!(world.leader(TWO).leads_in(), None);
    world.step(TWO, B[2], phase1b(used, 0, &[]));
    assert_eq!(world.leader(TWO).leads_in(), Some(used));
}

/// Matchmaker Paxos, section 3.2: an acceptor of several configurations answers for all of them.
#[test]
fn one_promise_counts_for_every_configuration_of_the_acceptor() {
    let mut world = World::new();
    let overlapping = majority(2, [A[0], A[1], B[0]]);
    let used = in_phase1(&mut world, &[(round(0), majority(1, A)), (round(1), overlapping)]);
    world.step(TWO, A[0], phase1b(used, 0, &[]));
    world.step(TWO, A[1], phase1b(used, 0, &[]));
    assert_eq!(world.leader(TWO).leads_in(), Some(used));
}

/// Matchmaker Paxos, section 3.2: if nothing was registered below, nothing can have been chosen, and
/// Phase 1 asks nobody.
#[test]
fn without_a_history_there_is_no_phase_1() {
    let mut world = World::new();
    let used = in_phase1(&mut world, &[]);
    assert_eq!(world.leader(TWO).leads_in(), Some(used));
}

/// Matchmaker Paxos, section 3.2: acceptors are asked only when matchmaking is complete. A promise
/// made earlier says nothing about what a lower leader told the acceptor in between.
#[test]
fn phase_1_begins_when_matchmaking_is_complete() {
    let mut world = World::led();
    world.campaign(TWO);
    let last = MATCHMAKERS[1..].to_vec();
    world.settle_but(|envelope| envelope.touches(&last) && envelope.touches(&[TWO]));
    assert!(!world.delivered.iter().any(|envelope| is_phase1a(&envelope.message)));
    world.settle();
    assert!(world.delivered.iter().any(|envelope| is_phase1a(&envelope.message)));
}

/// Matchmaker Paxos, section 4.1: in each slot the vote of the highest round is proposed again; a
/// hole is filled with a noop.
#[test]
fn the_highest_vote_is_adopted_and_holes_are_filled_with_noop() {
    let mut world = World::new();
    let used = in_phase1(&mut world, &[(round(0), majority(1, A)), (round(1), majority(2, B))]);
    let votes = [(0, round(0), batch(0, "old")), (2, round(0), batch(1, "z"))];
    world.step(TWO, A[0], phase1b(used, 0, &votes));
    world.step(TWO, A[1], phase1b(used, 0, &[]));
    world.step(TWO, B[0], phase1b(used, 0, &[(0, round(1), batch(0, "new"))]));
    let fx = world.step(TWO, B[1], phase1b(used, 0, &[]));
    let proposed = [batch(0, "new"), Value::Noop, batch(1, "z")];
    let expected: Vec<_> = (0..)
        .zip(proposed)
        .flat_map(|(slot, value)| to_all(&A, phase2a(used, slot, value)))
        .collect();
    let is_phase2a = |m: &Message| matches!(m, Message::Acceptor(ToAcceptor::Phase2A(_)));
    assert_eq!(sends_of(&fx, is_phase2a), expected);
}

/// Matchmaker Paxos, section 4.1: slots that an acceptor reports as persisted are chosen. They are
/// not proposed again, least of all as holes.
#[test]
fn persisted_slots_are_not_proposed_again() {
    let mut world = World::new();
    let used = in_phase1(&mut world, &[(round(0), majority(1, A))]);
    world.step(TWO, A[0], phase1b(used, 0, &[(0, round(0), batch(0, "x"))]));
    let fx = world.step(TWO, A[1], phase1b(used, 2, &[(3, round(0), batch(1, "y"))]));
    let slots: BTreeSet<u64> = proposals(&fx).into_iter().map(|(_, _, slot)| slot).collect();
    assert_eq!(slots, [2, 3].into());
}

/// Matchmaker Paxos, section 2.3: with unanimous writes f + 1 acceptors are enough, and what they
/// chose can be read from any one of them.
#[test]
fn what_f_plus_1_acceptors_chose_unanimously_is_recovered_through_any_one() {
    for survivor in [A[0], A[1]] {
        let pair = configuration(1, QuorumSystem::WriteAll, [A[0], A[1]]);
        let mut world = World::with(pair);
        world.campaign(ONE);
        world.settle();
        world.post(SESSION, ONE, request(0, "x"));
        world.settle_but(|envelope| REPLICAS.contains(&envelope.to));
        world.lose(|_| true);
        world.crash(&[ONE, if survivor == A[0] { A[1] } else { A[0] }]);
        world.campaign(TWO);
        world.settle();
        assert!(world.leader(TWO).leads_in().is_some());
        // Writes wait for a reconfiguration, and go on after it: of nothing but live acceptors.
        world.post(OPERATOR, TWO, reconfigure(7, B));
        world.settle();
        assert_eq!(world.executed(REPLICAS[0]), ["x"]);
    }
}

/// Matchmaker Paxos, section 3.1: any f matchmakers and any f acceptors of a configuration may fail.
#[test]
fn f_failures_of_each_role_stop_nothing() {
    for place in 0..3 {
        let mut world = World::new();
        world.crash(&[A[place], MATCHMAKERS[place], REPLICAS[place], ARCHIVES[place]]);
        world.campaign(ONE);
        world.settle();
        world.post(SESSION, ONE, request(0, "x"));
        world.post(OPERATOR, ONE, reconfigure(7, B));
        world.settle();
        world.collect(ONE);
        assert_eq!(world.executed(REPLICAS[(place + 1) % 3]), ["x"]);
        assert_eq!(collected(&world), [(round(1), A.into())]);
    }
}
