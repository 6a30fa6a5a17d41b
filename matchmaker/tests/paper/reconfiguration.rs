//! Replacing the acceptors under a leader at work.

use matchmaker::leader::{LeaderOptions, LeaderRecord, LeaderTimer};
use matchmaker::message::{
    GarbageA, Heartbeat, Message, Progress, ReconfigureB, ToApplication, ToMatchmaker, ToProposer,
};
use paxos::message::{ChosenWatermark, Leading, ReadA, ToAcceptor, ToReplica, ToSession};
use paxos::round::Round;
use paxos::slot::Slot;

use crate::cluster::*;
use crate::steps::*;

/// Matchmaker Paxos, section 4.4: new acceptors are active after one round trip to the matchmakers,
/// and the old ones are asked for nothing.
#[test]
fn a_reconfiguration_is_one_round_trip_to_the_matchmakers_and_no_message_to_the_old_acceptors() {
    let mut world = World::led();
    let fx = world.step(ONE, OPERATOR, reconfigure(7, B));
    let configuration = majority(2, B);
    let mut expected = Fx::new();
    expected.record(LeaderRecord::Used(round(1)));
    expected.sends = to_all(&MATCHMAKERS, match_a(round(1), configuration.clone()));
    expected.sends.extend(to_all(&B, probe_a(1)));
    expected.set_timer(LeaderTimer::Reach, LeaderOptions::default().campaign);
    assert_eq!(fx, expected);

    answer_probes(&mut world, 1, &B[..2]);
    let fx = switch(&mut world, 0);
    let mut expected = Fx::new();
    expected.cancel_timer(LeaderTimer::Reach);
    expected.record(LeaderRecord::Newest(round(1), configuration.clone()));
    let progress = Progress::Active {
        round: round(1),
        configuration: configuration.clone(),
        history_count: 1,
    };
    expected
        .send(OPERATOR, ToApplication::ReconfigureB(Box::new(ReconfigureB { token: 7, progress })));
    expected.broadcast(&B, ToAcceptor::ReadA(ReadA { round: round(1), nonce: 2 }));
    expected.set_timer(LeaderTimer::Garbage, LeaderOptions::default().garbage);
    let garbage_a = GarbageA { epoch: EPOCH, round: round(1) };
    expected.broadcast(&MATCHMAKERS, ToMatchmaker::GarbageA(garbage_a));
    let matchmakers = world.leader(ONE).matchmakers().clone();
    let heartbeat = Heartbeat { round: round(1), configuration, matchmakers, is_collected: false };
    expected.broadcast(&[TWO], ToProposer::Heartbeat(Box::new(heartbeat)));
    expected.broadcast(&[SESSION], ToSession::Leading(Leading { round: round(1) }));
    let watermark = ChosenWatermark { watermark: Slot(0), archives: ARCHIVES.into() };
    expected.broadcast(&REPLICAS, ToReplica::ChosenWatermark(watermark));
    assert_eq!(fx, expected);
    assert_eq!(world.leader(ONE).leads_in(), Some(round(1)));
}

/// Matchmaker Paxos, section 4.4, case 1: commands that arrive during matchmaking are processed
/// normally, in round i, by the old acceptors.
#[test]
fn the_present_round_goes_on_during_matchmaking() {
    let mut world = World::led();
    start_reconfiguration(&mut world);
    let fx = propose(&mut world, 0, "x");
    assert_eq!(fx, Fx { sends: to_all(&A, phase2a(round(0), 0, batch(0, "x"))), ..Fx::new() });
    assert!(vote(&mut world, A[0], round(0), 0).is_empty());
    let fx = vote(&mut world, A[2], round(0), 0);
    assert_eq!(sends_of(&fx, is_chosen), chosen(0, batch(0, "x")));
}

/// Matchmaker Paxos, section 4.4: no Phase2A of round i + 1 leaves before f + 1 matchmakers have
/// registered its configuration.
#[test]
fn nothing_is_proposed_in_the_next_round_before_a_majority_of_matchmakers_has_answered() {
    let mut world = World::led();
    start_reconfiguration(&mut world);
    let answer = match_b(round(1), Round::ZERO, &[(round(0), majority(1, A))]);
    for _ in 0..2 {
        assert!(world.step(ONE, MATCHMAKERS[0], answer.clone()).is_empty());
        assert!(world.step(ONE, A[0], answer.clone()).is_empty());
    }
    let fx = propose(&mut world, 0, "x");
    assert_eq!(proposals(&fx), A.map(|node| (node, round(0), 0)));
    world.timer(ONE, LeaderTimer::Resend);
    let fx = world.timer(ONE, LeaderTimer::Resend);
    assert_eq!(proposals(&fx), A.map(|node| (node, round(0), 0)));
    assert_eq!(world.leader(ONE).leads_in(), Some(round(0)));
}

/// Matchmaker Paxos, section 4.3 (Phase 1 bypassing), for slots in flight: the adjacent round
/// proposes what round i proposed there, and nothing else.
#[test]
fn slots_in_flight_are_proposed_again_with_the_same_value() {
    let mut world = World::led();
    propose(&mut world, 0, "x");
    propose(&mut world, 1, "y");
    // Slot 1 is chosen before slot 0: there is nothing to repeat there.
    vote(&mut world, A[0], round(0), 1);
    vote(&mut world, A[1], round(0), 1);
    start_reconfiguration(&mut world);
    let fx = switch(&mut world, 0);
    let again = sends_of(&fx, |m| matches!(m, Message::Acceptor(ToAcceptor::Phase2A(_))));
    assert_eq!(again, to_all(&B, phase2a(round(1), 0, batch(0, "x"))));
    let fx = propose(&mut world, 2, "z");
    assert_eq!(fx.sends, to_all(&B, phase2a(round(1), 2, batch(2, "z"))));
}

/// Matchmaker Paxos, section 4.4: the round of a vote tells whose quorums it counts in. Late votes
/// of round i still count, with those of C_i only.
#[test]
fn late_votes_of_the_round_before_count_with_its_own_quorums_only() {
    let mut world = World::led();
    propose(&mut world, 0, "x");
    assert!(vote(&mut world, A[0], round(0), 0).is_empty());
    start_reconfiguration(&mut world);
    switch(&mut world, 0);
    assert!(vote(&mut world, B[0], round(1), 0).is_empty(), "one vote in each of two rounds");
    assert!(vote(&mut world, B[1], round(0), 0).is_empty(), "not an acceptor of that round");
    assert!(vote(&mut world, A[1], round(1), 0).is_empty(), "not an acceptor of that round");
    let fx = vote(&mut world, A[2], round(0), 0);
    assert_eq!(sends_of(&fx, is_chosen), chosen(0, batch(0, "x")));
}

/// Matchmaker Paxos, section 4.4: round i gets no new proposal after the leader has left it.
#[test]
fn nothing_new_is_proposed_in_a_round_that_was_left() {
    let mut world = World::led();
    propose(&mut world, 0, "x");
    start_reconfiguration(&mut world);
    let mut after = vec![switch(&mut world, 0), propose(&mut world, 1, "y")];
    after.push(vote(&mut world, A[0], round(0), 0));
    after.push(world.timer(ONE, LeaderTimer::Resend));
    after.push(world.timer(ONE, LeaderTimer::Resend));
    after.push(world.timer(ONE, LeaderTimer::Heartbeat));
    let proposed: Vec<_> = after.iter().flat_map(proposals).collect();
    assert_eq!(proposed.len(), 18);
    assert!(proposed.iter().all(|(to, r, _)| *r == round(1) && B.contains(to)), "{proposed:?}");
}

/// Matchmaker Paxos, section 4.4: a removed acceptor has no say. Neither has one that was never
/// asked.
#[test]
fn the_vote_of_a_removed_acceptor_counts_for_nothing() {
    let mut world = World::led();
    start_reconfiguration(&mut world);
    switch(&mut world, 0);
    propose(&mut world, 0, "x");
    assert!(vote(&mut world, B[0], round(1), 0).is_empty());
    for stranger in A.into_iter().chain(C) {
        assert!(vote(&mut world, stranger, round(1), 0).is_empty());
    }
    assert_eq!(sends_of(&vote(&mut world, B[2], round(1), 0), is_chosen).len(), 3);
}

/// Matchmaker Paxos, section 4.4: reconfigurations can follow one another before the first has
/// settled. Each repeats the same values, and the next one waits for the present one.
#[test]
fn reconfigurations_can_be_chained() {
    let mut world = World::led();
    propose(&mut world, 0, "x");
    start_reconfiguration(&mut world);
    assert!(world.step(ONE, OPERATOR, reconfigure(8, C)).is_empty());
    let fx = switch(&mut world, 0);
    assert_eq!(proposals(&fx), B.map(|node| (node, round(1), 0)));
    let registers = |m: &Message| matches!(m, Message::Matchmaker(ToMatchmaker::MatchA(_)));
    let queued = to_all(&MATCHMAKERS, match_a(round(2), majority(3, C)));
    assert_eq!(sends_of(&fx, registers), queued);
    answer_probes(&mut world, 2, &C[1..]);
    let fx = switch(&mut world, 1);
    let again = sends_of(&fx, |m| matches!(m, Message::Acceptor(ToAcceptor::Phase2A(_))));
    assert_eq!(again, to_all(&C, phase2a(round(2), 0, batch(0, "x"))));
}

/// New acceptors that do not answer are not proposed to while the old ones could be: matchmaking alone
/// is not enough to switch, and who answers last decides.
#[test]
fn a_switch_waits_for_a_quorum_of_the_new_acceptors() {
    let mut world = World::led();
    world.step(ONE, OPERATOR, reconfigure(7, B));
    answer_probes(&mut world, 1, &B[..1]);
    assert!(switch(&mut world, 0).is_empty(), "one new acceptor is no quorum");
    let fx = propose(&mut world, 0, "x");
    assert_eq!(proposals(&fx), A.map(|node| (node, round(0), 0)));
    let fx = world.step(ONE, B[2], probe_b(1));
    assert_eq!(proposals(&fx), B.map(|node| (node, round(1), 0)));
    assert_eq!(world.leader(ONE).leads_in(), Some(round(1)));
}

/// If too few new acceptors answer, the operator learns who is silent, commands go on, and the old
/// acceptors are registered again above the round of the silent ones, which is then collected.
#[test]
fn silent_acceptors_are_passed_through() {
    let mut world = World::led();
    world.crash(&[B[0], B[2]]);
    world.post(OPERATOR, ONE, reconfigure(7, B));
    world.post(SESSION, ONE, request(0, "x"));
    world.settle();
    assert_eq!(world.leader(ONE).leads_in(), Some(round(0)));
    world.fire(ONE, LeaderTimer::Reach);
    let progress = Progress::Unreachable { silent: [B[0], B[2]].into() };
    let told = ToApplication::ReconfigureB(Box::new(ReconfigureB { token: 7, progress }));
    world.post(SESSION, ONE, request(1, "y"));
    world.settle();
    assert!(world.reports.contains(&told), "{:?}", world.reports);
    assert_eq!(world.leader(ONE).leads_in(), Some(round(2)));
    assert_eq!(world.executed(REPLICAS[0]), ["x", "y"]);
    world.collect(ONE);
    // Nobody needs the silent ones: another leader takes over from the old acceptors alone.
    world.crash(&[ONE]);
    world.campaign(TWO);
    world.settle();
    assert!(world.leader(TWO).leads_in().is_some());
    assert!(world.leader(TWO).newest().is_same_as(&majority(0, A)));
}

/// Matchmaker Paxos, section 4.3: acceptors that join need no state and no contact with others.
#[test]
fn acceptors_that_join_need_no_warm_up() {
    let mut world = World::led();
    world.post(SESSION, ONE, request(0, "x"));
    world.settle();
    world.crash(&A);
    world.post(OPERATOR, ONE, reconfigure(7, B));
    world.post(SESSION, ONE, request(1, "y"));
    world.settle();
    assert_eq!(world.executed(REPLICAS[0]), ["x", "y"]);
    let to_new = world.delivered.iter().filter(|envelope| B.contains(&envelope.to));
    assert!(to_new.into_iter().all(|envelope| envelope.from == ONE));
    assert!(B.iter().all(|node| world.acceptor(*node).vote(Slot(0)).is_none()));
}

/// Matchmaker Paxos, section 4.4: a leader that meets a higher registered round cannot stay in its
/// series of rounds. It registers above, with the acceptors it has, and runs Phase 1 again.
#[test]
fn a_leader_that_meets_a_higher_registered_round_goes_above_it() {
    let mut world = World::led();
    world.post(SESSION, ONE, request(0, "x"));
    world.settle();
    // The second proposer registers a round and dies.
    world.campaign(TWO);
    world.settle_but(|envelope| is_phase1a(&envelope.message));
    world.lose(|_| true);
    world.post(OPERATOR, ONE, reconfigure(7, B));
    world.settle();
    let now = world.leader(ONE).leads_in().expect("leads again");
    assert_eq!((now.number, now.owner, now.step), (2, ONE, 0));
    world.post(SESSION, ONE, request(1, "y"));
    world.settle();
    assert_eq!(world.executed(REPLICAS[0]), ["x", "y"]);
}
