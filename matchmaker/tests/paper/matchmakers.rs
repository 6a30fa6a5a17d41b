//! What matchmakers remember, and the newest configuration.

use matchmaker::leader::LeaderTimer;
use matchmaker::message::{
    FromMatchmaker, GarbageA, GarbageB, MatchA, MatchB, MatchNack, Message, NewestA, NewestB,
    ToProposer,
};

use crate::cluster::*;
use crate::steps::*;

/// Matchmaker Paxos, Algorithm 1: the answer to a registration may be lost, and is given again. The
/// round stays the same.
#[test]
fn a_repeated_registration_is_answered_again() {
    let mut world = World::led();
    world.post(OPERATOR, ONE, reconfigure(7, B));
    let is_match_b = |m: &Message| {
        matches!(m, Message::Proposer(ToProposer::Matchmaker(FromMatchmaker::MatchB(_))))
    };
    world.settle_but(|envelope| is_match_b(&envelope.message));
    assert_eq!(world.network.len(), 3);
    world.lose(|_| true);
    world.fire(ONE, LeaderTimer::Resend);
    world.settle();
    assert_eq!(world.leader(ONE).leads_in(), Some(round(1)));
    assert!(MATCHMAKERS.iter().all(|node| !world.matchmaker(*node).log().is_empty()));
}

/// Matchmaker Paxos, Algorithm 1: a matchmaker refuses a round below one that it has registered or
/// collected, so a history that was told stays complete.
#[test]
fn a_history_that_was_told_stays_complete() {
    let mut matchmaker = founded();
    let register =
        |steps, configuration| MatchA { epoch: EPOCH, round: round(steps), configuration };
    matchmaker_step(&mut matchmaker, register(3, majority(1, A)));
    let FromMatchmaker::MatchNack(nack) =
        matchmaker_step(&mut matchmaker, register(2, majority(1, B)))
    else {
        panic!("a lower round is refused")
    };
    assert_eq!((nack.round, nack.highest), (round(2), round(3)));
    assert_eq!(matchmaker.log().keys().copied().collect::<Vec<_>>(), [round(3)]);
}

/// Matchmaker Paxos, Algorithm 1: the answer to a registration shows all lower rounds.
#[test]
fn a_registration_is_answered_with_all_lower_rounds() {
    let mut matchmaker = founded();
    let mut history = Vec::new();
    for (steps, members) in (0..).zip([A, B, C]) {
        let configuration = majority(steps + 1, members);
        let m = MatchA { epoch: EPOCH, round: round(steps), configuration: configuration.clone() };
        let FromMatchmaker::MatchB(m) = matchmaker_step(&mut matchmaker, m) else {
            panic!("a higher round is registered")
        };
        assert_eq!(m.history.into_iter().collect::<Vec<_>>(), history);
        history.push((round(steps), configuration));
    }
}

/// Matchmaker Paxos, section 3.4: a stale request to collect is answered with the present, larger
/// watermark, so that an old leader does not wait for ever.
#[test]
fn a_stale_collection_is_answered_with_the_present_watermark() {
    let mut matchmaker = founded();
    let garbage_a = |steps| GarbageA { epoch: EPOCH, round: round(steps) };
    let answer = FromMatchmaker::GarbageB(GarbageB { epoch: EPOCH, watermark: round(5) });
    assert_eq!(matchmaker_step(&mut matchmaker, garbage_a(5)), answer);
    assert_eq!(matchmaker_step(&mut matchmaker, garbage_a(2)), answer);
}

/// Matchmaker Paxos, section 3.4: collected rounds are not told any more. The newest configuration
/// is, whatever is collected.
#[test]
fn the_newest_configuration_survives_garbage_collection() {
    let mut matchmaker = founded();
    let register =
        |steps, configuration| MatchA { epoch: EPOCH, round: round(steps), configuration };
    matchmaker_step(&mut matchmaker, register(0, majority(4, B)));
    matchmaker_step(&mut matchmaker, GarbageA { epoch: EPOCH, round: round(1) });
    let newest = Some((round(0), majority(4, B)));
    let answer = NewestB { epoch: EPOCH, newest: newest.clone(), round: None };
    assert_eq!(matchmaker_step(&mut matchmaker, NewestA { epoch: EPOCH }), answer.into());
    let refused = matchmaker_step(&mut matchmaker, register(2, majority(1, A)));
    let highest = round(1);
    let nack = MatchNack { epoch: EPOCH, round: round(2), highest, newest: newest.clone() };
    assert_eq!(refused, nack.into());
    let answer = matchmaker_step(&mut matchmaker, register(2, majority(4, B)));
    let (history, newest) = ([].into(), Some((round(2), majority(4, B))));
    let expected = MatchB { epoch: EPOCH, round: round(2), watermark: round(1), history, newest };
    assert_eq!(answer, expected.into());
}

/// Matchmaker Paxos, section 4.2, leaves open which acceptors a new leader takes. A proposer with an
/// old idea of them learns better before it registers a round, and asks no machine that is gone.
#[test]
fn a_stale_proposer_learns_the_newest_configuration_before_it_registers() {
    let mut world = World::led();
    let cut_off = |envelope: &Envelope| envelope.touches(&[TWO]);
    world.post(SESSION, ONE, request(0, "x"));
    world.post(OPERATOR, ONE, reconfigure(7, B));
    world.settle_but(cut_off);
    for _ in 0..3 {
        world.fire(ONE, LeaderTimer::Garbage);
        world.settle_but(cut_off);
    }
    assert_eq!(collected(&world), [(round(1), A.into())]);
    world.lose(|_| true);
    world.crash(&[ONE]);
    world.crash(&A);
    assert!(world.leader(TWO).newest().is_same_as(&majority(1, A)));

    // The first campaign only learns where to look.
    let before = world.delivered.len();
    world.campaign(TWO);
    world.settle();
    assert_eq!(world.leader(TWO).newest(), &majority(2, B));
    world.campaign(TWO);
    world.settle();
    assert!(world.leader(TWO).leads_in().is_some());
    assert!(world.delivered[before..].iter().all(|envelope| !envelope.touches(&A)));
    world.post(SESSION, TWO, request(1, "y"));
    world.settle();
    assert_eq!(world.executed(REPLICAS[2]), ["x", "y"]);
}

/// The same after two reconfigurations that followed on one another: the last one is the newest.
#[test]
fn the_last_of_chained_reconfigurations_is_the_newest() {
    let mut world = World::led();
    world.post(OPERATOR, ONE, reconfigure(7, B));
    world.post(OPERATOR, ONE, reconfigure(8, C));
    world.settle();
    assert_eq!(world.leader(ONE).leads_in(), Some(round(2)));
    world.collect(ONE);
    world.crash(&[ONE]);
    world.crash(&A);
    world.crash(&B);
    for _ in 0..2 {
        world.campaign(TWO);
        world.settle();
    }
    assert!(world.leader(TWO).newest().is_same_as(&majority(0, C)));
    world.post(SESSION, TWO, request(0, "x"));
    world.settle();
    assert_eq!(world.executed(REPLICAS[0]), ["x"]);
}
