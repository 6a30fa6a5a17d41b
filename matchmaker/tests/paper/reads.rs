//! Linearizable reads, which the paper leaves open.

use matchmaker::leader::LeaderTimer;
use matchmaker::message::{Message, ToProposer};
use paxos::message::{FromAcceptor, FromSession, ReadA, ReadB, ReadIndexA, ReadIndexB};
use paxos::quorum::QuorumSystem;
use paxos::round::Round;
use paxos::slot::Slot;

use crate::cluster::*;
use crate::steps::*;

fn read_index_a(nonce: u64) -> Message {
    ToProposer::Session(FromSession::ReadIndexA(ReadIndexA { nonce })).into()
}

fn read_b(round: Round, nonce: u64) -> Message {
    ToProposer::Acceptor(FromAcceptor::ReadB(ReadB { round, nonce })).into()
}

/// A read asks a Phase 2 quorum whether its leader still leads, and nobody writes anything.
#[test]
fn a_read_asks_a_phase_2_quorum_and_writes_nothing() {
    let mut world = World::led();
    world.post(SESSION, ONE, request(0, "x"));
    world.settle();
    assert!(world.step(ONE, SESSION, read_index_a(5)).is_empty());
    let fx = world.end_turn(ONE);
    let question = Message::Acceptor(ReadA { round: round(0), nonce: 2 }.into());
    assert_eq!(fx, Fx { sends: to_all(&A, question), ..Fx::new() });

    assert!(world.step(ONE, A[0], read_b(round(0), 2)).is_empty());
    assert!(world.step(ONE, A[0], read_b(round(0), 2)).is_empty());
    assert!(world.step(ONE, A[1], read_b(round(0), 1)).is_empty(), "an earlier question");
    assert!(world.step(ONE, B[1], read_b(round(0), 2)).is_empty(), "no acceptor of the round");
    let fx = world.step(ONE, A[2], read_b(round(0), 2));
    let answer = ReadIndexB { nonce: 5, watermark: Slot(1) };
    assert_eq!(fx.sends, to_all(&[SESSION], Message::Session(answer.into())));
    assert!(fx.records.is_empty());
}

/// With unanimous writes the Phase 2 quorum is everyone: one acceptor, though it is a Phase 1
/// quorum, cannot vouch for the leader.
#[test]
fn a_phase_1_quorum_does_not_confirm_a_read() {
    let pair = configuration(1, QuorumSystem::WriteAll, [A[0], A[1]]);
    let mut world = World::with(pair);
    world.campaign(ONE);
    world.settle();
    world.step(ONE, SESSION, read_index_a(5));
    world.end_turn(ONE);
    assert!(world.step(ONE, A[0], read_b(round(0), 2)).is_empty());
    assert_eq!(world.step(ONE, A[1], read_b(round(0), 2)).sends.len(), 1);
}

/// Clients may have been told of what an earlier leader got chosen, so reads wait until all that was
/// inherited is chosen again.
#[test]
fn reads_wait_for_inherited_slots() {
    let mut world = World::new();
    let used = in_phase1(&mut world, &[(round(0), majority(1, A))]);
    world.step(TWO, A[0], phase1b(used, 0, &[(0, round(0), batch(0, "x"))]));
    world.step(TWO, A[1], phase1b(used, 0, &[]));
    assert_eq!(world.leader(TWO).leads_in(), Some(used));
    world.step(TWO, SESSION, read_index_a(5));
    assert!(world.end_turn(TWO).is_empty());
    // A heartbeat asks too, and does not take the read along.
    let fx = world.timer(TWO, LeaderTimer::Heartbeat);
    assert_eq!(receivers(&fx, is_read_a), A.into());
    for acceptor in A {
        let fx = world.step(TWO, acceptor, read_b(used, 2));
        assert_eq!(sends_of(&fx, |m| matches!(m, Message::Session(_))), []);
    }
    world.step(TWO, A[0], phase2b(used, 0));
    world.step(TWO, A[1], phase2b(used, 0));
    let fx = world.end_turn(TWO);
    let question = Message::Acceptor(ReadA { round: used, nonce: 3 }.into());
    assert_eq!(fx.sends, to_all(&A, question));
}

/// A read that was asked in round i is confirmed by the acceptors of round i + 1 after the switch,
/// and by no others: writes of the new round do not reach the old acceptors.
#[test]
fn a_read_in_flight_is_confirmed_by_the_new_configuration() {
    let mut world = World::led();
    world.step(ONE, SESSION, read_index_a(5));
    world.end_turn(ONE);
    let new = [A[2], B[0], B[1]];
    world.step(ONE, OPERATOR, reconfigure(7, new));
    answer_probes(&mut world, 1, &new[1..]);
    world.step(ONE, A[0], read_b(round(0), 2));
    let fx = switch(&mut world, 0);
    assert_eq!(receivers(&fx, is_read_a), new.into());
    assert!(world.step(ONE, A[1], read_b(round(0), 2)).is_empty());
    assert!(world.step(ONE, A[2], read_b(round(0), 2)).is_empty(), "an answer in the old round");
    assert!(world.step(ONE, A[0], read_b(round(1), 3)).is_empty(), "no acceptor of the round");
    assert!(world.step(ONE, B[0], read_b(round(1), 3)).is_empty());
    let fx = world.step(ONE, B[1], read_b(round(1), 3));
    let answer = ReadIndexB { nonce: 5, watermark: Slot(0) };
    assert_eq!(fx.sends, to_all(&[SESSION], Message::Session(answer.into())));
}

/// The same after two leaders gave one version to two configurations: the later registration is the
/// newest, also to a proposer that has heard of the earlier one.
#[test]
fn of_two_configurations_with_one_version_the_later_one_is_the_newest() {
    let mut world = World::led();
    // The first leader registers B with one matchmaker, and fails before it hears so.
    let fx = world.step(ONE, OPERATOR, reconfigure(7, B));
    world.emit(ONE, fx);
    world.settle_but(|envelope| envelope.to != MATCHMAKERS[0]);
    world.lose(|_| true);
    world.crash(&[ONE]);
    // The second proposer hears of B there, and gives up.
    world.campaign(TWO);
    world.settle_but(|envelope| envelope.touches(&[MATCHMAKERS[2]]));
    world.lose(|_| true);
    assert_eq!(world.leader(TWO).newest(), &majority(2, B));
    // The first is back, does not reach that matchmaker, and moves to C instead.
    world.restart(ONE);
    let cut_off = |envelope: &Envelope| envelope.touches(&[MATCHMAKERS[0]]);
    world.campaign(ONE);
    world.settle_but(cut_off);
    world.post(OPERATOR, ONE, reconfigure(8, C));
    world.settle_but(cut_off);
    world.settle();
    world.collect(ONE);
    assert!(world.leader(ONE).newest().is_same_as(&majority(0, C)));
    world.crash(&[ONE]);
    world.crash(&A);
    world.crash(&B);

    for _ in 0..2 {
        world.campaign(TWO);
        world.settle();
    }
    world.post(SESSION, TWO, request(0, "x"));
    world.settle();
    assert_eq!(world.executed(REPLICAS[0]), ["x"]);
}
