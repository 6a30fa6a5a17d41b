//! What the papers claim, one test for each claim.
//!
//! "Matchmaker Paxos" is Whittaker et al., *Matchmaker Paxos: A Reconfigurable Consensus Protocol*.
//! Claims about adjacent rounds replace its sections 4.3 and 4.4: this leader enters the adjacent
//! round without Phase 1, by proposing the same values there.

mod support;

use std::collections::BTreeSet;

use matchmaker::leader::{LeaderOptions, LeaderRecord, LeaderTimer};
use matchmaker::matchmaker::Matchmaker;
use matchmaker::message::{
    FromMatchmaker, GarbageA, GarbageB, Heartbeat, MatchA, MatchB, Message, NewestA, NewestB,
    Progress, ReconfigureB, ToApplication, ToMatchmaker, ToProposer,
};
use paxos::actor::{Effects, NodeId, TimerChange};
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::message::{
    ArchivedA, ArchivedB, Chosen, ChosenWatermark, FromAcceptor, FromSession, Leading, Nack,
    PersistedA, PersistedB, Phase2B, ReadA, ReadB, ReadIndexA, ReadIndexB, ToAcceptor, ToArchive,
    ToReplica, ToSession,
};
use paxos::quorum::QuorumSystem;
use paxos::round::Round;
use paxos::slot::Slot;

use support::*;

/// Begins a reconfiguration to [`B`]; nothing of it is delivered.
fn start_reconfiguration(world: &mut World) {
    world.step(ONE, OPERATOR, reconfigure(7, B));
}

/// The answers of two matchmakers to the registration of the adjacent round; the effects of the
/// second are only returned.
fn switch(world: &mut World, from: u64) -> Fx {
    let history = [(round(from), majority(from + 1, A))];
    let first = world.step(ONE, MATCHMAKERS[0], match_b(round(from + 1), Round::ZERO, &history));
    assert!(first.is_empty(), "one answer is not enough: {first:?}");
    world.step(ONE, MATCHMAKERS[1], match_b(round(from + 1), Round::ZERO, &history))
}

/// Proposes command `number`; its effects are only returned.
fn propose(world: &mut World, number: u64, text: &'static str) -> Fx {
    assert!(world.step(ONE, SESSION, request(number, text)).is_empty());
    world.end_turn(ONE)
}

fn vote(world: &mut World, from: NodeId, round: Round, slot: u64) -> Fx {
    world.step(ONE, from, phase2b(round, slot))
}

fn to_all(nodes: &[NodeId], message: impl Into<Message>) -> Vec<(NodeId, Message)> {
    let message = message.into();
    nodes.iter().map(|node| (*node, message.clone())).collect()
}

fn sends_of(fx: &Fx, wanted: impl Fn(&Message) -> bool) -> Vec<(NodeId, Message)> {
    fx.sends.iter().filter(|(_, message)| wanted(message)).cloned().collect()
}

fn is_phase1a(message: &Message) -> bool {
    matches!(message, Message::Acceptor(ToAcceptor::Phase1A(_)))
}

fn is_persisted_a(message: &Message) -> bool {
    matches!(message, Message::Acceptor(ToAcceptor::PersistedA(_)))
}

fn is_read_a(message: &Message) -> bool {
    matches!(message, Message::Acceptor(ToAcceptor::ReadA(_)))
}

fn is_chosen(message: &Message) -> bool {
    matches!(message, Message::Replica(ToReplica::Chosen(_)))
}

fn chosen(slot: u64, value: Value) -> Vec<(NodeId, Message)> {
    to_all(&REPLICAS, Message::Replica(Chosen { slot: Slot(slot), value }.into()))
}

fn collected(world: &World) -> Vec<(Round, BTreeSet<NodeId>)> {
    let collected = |report: &ToApplication| match report {
        ToApplication::ReconfigureB(ReconfigureB {
            progress: Progress::Collected { watermark, retirable },
            ..
        }) => Some((*watermark, retirable.clone())),
        _ => None,
    };
    world.reports.iter().filter_map(collected).collect()
}

/// What a matchmaker answers to the first proposer.
fn matchmaker_step(
    matchmaker: &mut Matchmaker,
    message: impl Into<ToMatchmaker>,
) -> FromMatchmaker {
    let mut fx = Effects::new();
    matchmaker.on_message(ONE, message.into(), &mut fx);
    assert_eq!((fx.sends.len(), fx.violations.len()), (1, 0));
    fx.sends.remove(0).1
}

/// The second proposer in Phase 1 of the returned round over `history`, whose matchmakers answered
/// with the watermark zero.
fn in_phase1(world: &mut World, history: &[(Round, Configuration)]) -> Round {
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

// Reconfiguration.

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
    assert_eq!(fx, expected);

    let fx = switch(&mut world, 0);
    let mut expected = Fx::new();
    expected.record(LeaderRecord::Newest(round(1), configuration.clone()));
    let progress = Progress::Active {
        round: round(1),
        configuration: configuration.clone(),
        history_count: 1,
    };
    expected.send(OPERATOR, ToApplication::ReconfigureB(ReconfigureB { token: 7, progress }));
    expected.broadcast(&B, ToAcceptor::ReadA(ReadA { round: round(1), nonce: 2 }));
    expected.set_timer(LeaderTimer::Garbage, LeaderOptions::default().garbage);
    let garbage_a = GarbageA { epoch: EPOCH, round: round(1) };
    expected.broadcast(&MATCHMAKERS, ToMatchmaker::GarbageA(garbage_a));
    let heartbeat = Heartbeat { round: round(1), configuration };
    expected.broadcast(&[TWO], ToProposer::Heartbeat(heartbeat));
    expected.broadcast(&[SESSION], ToSession::Leading(Leading { round: round(1) }));
    let watermark = ChosenWatermark { watermark: Slot(0) };
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
    let fx = switch(&mut world, 1);
    let again = sends_of(&fx, |m| matches!(m, Message::Acceptor(ToAcceptor::Phase2A(_))));
    assert_eq!(again, to_all(&C, phase2a(round(2), 0, batch(0, "x"))));
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

// Matchmaking and Phase 1.

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
        let pair = Configuration::new(1, QuorumSystem::WriteAll, [A[0], A[1]]);
        let mut world = World::with(pair.expect("two members"));
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

// Matchmakers.

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
    let mut matchmaker = Matchmaker::new(EPOCH);
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
    let mut matchmaker = Matchmaker::new(EPOCH);
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
    let mut matchmaker = Matchmaker::new(EPOCH);
    let garbage_a = |steps| GarbageA { epoch: EPOCH, round: round(steps) };
    let answer = FromMatchmaker::GarbageB(GarbageB { epoch: EPOCH, watermark: round(5) });
    assert_eq!(matchmaker_step(&mut matchmaker, garbage_a(5)), answer);
    assert_eq!(matchmaker_step(&mut matchmaker, garbage_a(2)), answer);
}

/// Matchmaker Paxos, section 3.4: collected rounds are not told any more. The newest configuration
/// is, whatever is collected.
#[test]
fn the_newest_configuration_survives_garbage_collection() {
    let mut matchmaker = Matchmaker::new(EPOCH);
    let register =
        |steps, configuration| MatchA { epoch: EPOCH, round: round(steps), configuration };
    matchmaker_step(&mut matchmaker, register(0, majority(4, B)));
    matchmaker_step(&mut matchmaker, GarbageA { epoch: EPOCH, round: round(1) });
    let newest = Some((round(0), majority(4, B)));
    let answer = NewestB { epoch: EPOCH, newest: newest.clone(), round: None };
    assert_eq!(matchmaker_step(&mut matchmaker, NewestA { epoch: EPOCH }), answer.into());
    let answer = matchmaker_step(&mut matchmaker, register(2, majority(1, A)));
    let history = [].into();
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

// Garbage collection.

/// A leader in round zero of which the first matchmakers know that it collected the rounds below,
/// with command "x" chosen in slot 0, and the adjacent round just entered. Nothing is persisted.
fn switched_after_one_slot() -> (World, Fx) {
    let mut world = World::led();
    propose(&mut world, 0, "x");
    vote(&mut world, A[0], round(0), 0);
    vote(&mut world, A[1], round(0), 0);
    start_reconfiguration(&mut world);
    let fx = switch(&mut world, 0);
    (world, fx)
}

/// An archive tells how much it has on disk.
fn archived(world: &mut World, archive: NodeId, watermark: u64) -> Fx {
    let watermark = Slot(watermark);
    let m = ArchivedB { persisted_watermark: watermark, executed_watermark: watermark };
    world.step(ONE, archive, ToProposer::ArchivedB(m).into())
}

/// An acceptor tells that it knows how much is persisted.
fn informed(world: &mut World, acceptor: NodeId, watermark: u64) -> Fx {
    let m = PersistedB { watermark: Slot(watermark) };
    world.step(ONE, acceptor, ToProposer::Acceptor(m.into()).into())
}

fn persisted_a(watermark: u64) -> Message {
    Message::Acceptor(PersistedA { watermark: Slot(watermark) }.into())
}

fn garbage_a(steps: u64) -> Message {
    Message::Matchmaker(GarbageA { epoch: EPOCH, round: round(steps) }.into())
}

fn garbage_b(world: &mut World, matchmaker: NodeId, steps: u64) -> Fx {
    let m = GarbageB { epoch: EPOCH, watermark: round(steps) };
    world.step(ONE, matchmaker, ToProposer::Matchmaker(m.into()).into())
}

/// Matchmaker Paxos, sections 3.5 (scenario 3) and 4.5: GarbageA leaves when every slot that is not
/// free is chosen, durable on f + 1 archives, and a Phase 2 quorum of the new configuration was told
/// so; not one answer earlier.
#[test]
fn earlier_rounds_are_collected_after_f_plus_1_archives_and_a_phase_2_quorum_know() {
    let (mut world, fx) = switched_after_one_slot();
    assert!(
        receivers(&fx, is_garbage_a).is_empty(),
        "that the new acceptors are in place is nothing"
    );
    assert_eq!(sends_of(&fx, is_persisted_a), []);
    let archived_a = Message::Archive(ToArchive::ArchivedA(ArchivedA { watermark: Slot(1) }));
    let hurries = |m: &Message| matches!(m, Message::Archive(_));
    assert_eq!(sends_of(&fx, hurries), to_all(&ARCHIVES, archived_a));

    assert!(archived(&mut world, ARCHIVES[0], 1).is_empty(), "f archives are not enough");
    assert!(archived(&mut world, ARCHIVES[1], 0).is_empty(), "nothing was said");
    let fx = archived(&mut world, ARCHIVES[2], 1);
    assert_eq!(fx.sends, to_all(&B, persisted_a(1)));

    assert!(informed(&mut world, B[0], 1).is_empty(), "one acceptor is not enough");
    assert!(informed(&mut world, B[1], 0).is_empty(), "nothing was said");
    let fx = informed(&mut world, B[2], 1);
    assert_eq!(fx.sends, to_all(&MATCHMAKERS, garbage_a(1)));

    assert!(garbage_b(&mut world, MATCHMAKERS[0], 1).is_empty(), "f matchmakers are not enough");
    assert!(garbage_b(&mut world, MATCHMAKERS[1], 0).is_empty(), "a lower watermark is none");
    let fx = garbage_b(&mut world, MATCHMAKERS[1], 1);
    let progress = Progress::Collected { watermark: round(1), retirable: A.into() };
    let report = ToApplication::ReconfigureB(ReconfigureB { token: 7, progress });
    assert_eq!(fx.sends, to_all(&[OPERATOR], report));
}

/// Matchmaker Paxos, section 4.5: it is the *new* configuration that a later Phase 1 asks, so having
/// told the old one counts for nothing.
#[test]
fn having_told_the_old_configuration_does_not_count() {
    let (mut world, _) = switched_after_one_slot();
    archived(&mut world, ARCHIVES[0], 1);
    archived(&mut world, ARCHIVES[1], 1);
    for old in A {
        assert!(informed(&mut world, old, 1).is_empty());
    }
    assert!(informed(&mut world, B[0], 1).is_empty());
    let fx = informed(&mut world, B[1], 1);
    assert_eq!(receivers(&fx, is_garbage_a), MATCHMAKERS.into());
}

/// Matchmaker Paxos, section 3.5: a vote of the new configuration is not yet a quorum of it. DPaxos
/// collects at that point and can choose two values (Matchmaker Paxos, appendix D).
#[test]
fn one_vote_in_the_new_round_does_not_collect_the_old_ones() {
    let mut world = World::led();
    propose(&mut world, 0, "x");
    start_reconfiguration(&mut world);
    switch(&mut world, 0);
    let first = vote(&mut world, B[0], round(1), 0);
    assert!(first.is_empty());
    // Chosen in the new round, and still not told to anyone that it is persisted.
    let second = vote(&mut world, B[1], round(1), 0);
    assert!(receivers(&second, is_garbage_a).is_empty());
    let later = world.timer(ONE, LeaderTimer::Garbage);
    assert!(receivers(&later, is_garbage_a).is_empty());
}

/// Matchmaker Paxos, section 4.5: an acceptor that refuses to vote because it knows a slot to be
/// persisted proves that the slot is chosen. It is one acceptor, so it proves nothing to a later
/// Phase 1: a quorum must be told before earlier configurations go.
#[test]
fn one_acceptor_that_knows_what_is_persisted_is_not_enough() {
    let mut world = World::new();
    let used = in_phase1(&mut world, &[(round(0), majority(1, A))]);
    let votes = [(0, round(0), batch(0, "x")), (1, round(0), batch(1, "y"))];
    world.step(TWO, A[1], phase1b(used, 0, &votes));
    let fx = world.step(TWO, A[2], phase1b(used, 0, &votes));
    assert_eq!(proposals(&fx).len(), 6);

    for slot in 0..2 {
        let m = Phase2B { round: used, slot: Slot(slot), persisted_watermark: Slot(2) };
        let fx = world.step(TWO, A[0], ToProposer::Acceptor(m.into()).into());
        assert!(receivers(&fx, is_garbage_a).is_empty() && receivers(&fx, is_chosen).is_empty());
    }
    // It has nothing left to propose, and asks who has the values.
    world.timer(TWO, LeaderTimer::Resend);
    assert_eq!(proposals(&world.timer(TWO, LeaderTimer::Resend)), []);
    let told = |world: &mut World, archive| {
        let m = ArchivedB { persisted_watermark: Slot(2), executed_watermark: Slot(2) };
        world.step(TWO, archive, ToProposer::ArchivedB(m).into())
    };
    told(&mut world, ARCHIVES[0]);
    let fx = told(&mut world, ARCHIVES[1]);
    assert_eq!(fx.sends, to_all(&A, persisted_a(2)));
    let knows: Message = ToProposer::Acceptor(PersistedB { watermark: Slot(2) }.into()).into();
    assert!(world.step(TWO, A[0], knows.clone()).is_empty());
    let fx = world.step(TWO, A[1], knows);
    let garbage_a = GarbageA { epoch: EPOCH, round: used };
    assert_eq!(fx.sends, to_all(&MATCHMAKERS, Message::Matchmaker(garbage_a.into())));
}

/// Matchmaker Paxos, section 3.5 (scenario 2): if nothing was proposed in any lower round, there is
/// nobody to tell.
#[test]
fn an_empty_log_is_collected_at_once() {
    let mut world = World::led();
    start_reconfiguration(&mut world);
    let fx = switch(&mut world, 0);
    assert_eq!(sends_of(&fx, is_garbage_a), to_all(&MATCHMAKERS, garbage_a(1)));
    assert_eq!(sends_of(&fx, is_persisted_a), []);
}

/// Matchmaker Paxos, section 4.5: collection goes on in the background and needs no client. At its
/// end the old machines can be switched off, and another leader manages without them.
#[test]
fn collection_needs_no_client_traffic_and_then_the_old_acceptors_can_go() {
    let mut world = World::led();
    for (number, text) in [(0, "x"), (1, "y"), (2, "z")] {
        world.post(SESSION, ONE, request(number, text));
    }
    world.settle();
    world.post(OPERATOR, ONE, reconfigure(7, B));
    world.settle();
    world.collect(ONE);
    assert_eq!(collected(&world), [(round(1), A.into())]);
    assert!(MATCHMAKERS.iter().all(|node| world.matchmaker(*node).watermark() == round(1)));

    world.crash(&A);
    world.crash(&[ONE, REPLICAS[0], ARCHIVES[0]]);
    world.campaign(TWO);
    world.settle();
    assert!(world.leader(TWO).leads_in().is_some());
    world.post(SESSION, TWO, request(3, "!"));
    world.settle();
    assert_eq!(world.executed(REPLICAS[1]), ["x", "y", "z", "!"]);
}

/// Matchmaker Paxos, sections 4.5 and 7: with collection behind every reconfiguration, matchmakers
/// return one configuration.
#[test]
fn matchmakers_return_one_configuration_in_the_steady_state() {
    let mut world = World::led();
    world.collect(ONE);
    for (token, members) in [(1, B), (2, C), (3, A), (4, B)] {
        world.post(OPERATOR, ONE, reconfigure(token, members));
        world.settle();
        world.collect(ONE);
    }
    let active = world.reports.iter().filter_map(|report| match report {
        ToApplication::ReconfigureB(ReconfigureB {
            progress: Progress::Active { history_count, .. },
            ..
        }) => Some(*history_count),
        _ => None,
    });
    assert_eq!(active.collect::<Vec<_>>(), [1, 1, 1, 1]);
    let watermarks: Vec<Round> = collected(&world).into_iter().map(|(round, _)| round).collect();
    assert_eq!(watermarks, [round(1), round(2), round(3), round(4)]);
}

// Leaders that come and go.

/// Matchmaker Paxos, section 3.2 (nacks are left out there): a higher promise of another proposer
/// ends the leadership.
#[test]
fn a_leader_steps_down_before_a_higher_promise_of_another() {
    let mut world = World::led();
    let promised = Round { number: 1, owner: TWO, step: 0 };
    let nack: Message = ToProposer::Acceptor(Nack { round: round(0), promised }.into()).into();
    let fx = world.step(ONE, A[0], nack);
    let timers = [
        LeaderTimer::Heartbeat,
        LeaderTimer::Quorum,
        LeaderTimer::Campaign,
        LeaderTimer::Resend,
        LeaderTimer::Garbage,
    ];
    assert_eq!(fx, Fx { timers: timers.map(TimerChange::Cancel).into(), ..Fx::new() });
    assert!(!world.leader(ONE).is_active());
}

/// Matchmaker Paxos, section 4.4: an acceptor of both configurations refuses round i once it has
/// heard of round i + 1. That is the leader's own doing, and no reason to step down.
#[test]
fn a_leader_ignores_refusals_for_the_sake_of_its_own_rounds() {
    let mut world = World::led();
    propose(&mut world, 0, "x");
    world.step(ONE, OPERATOR, reconfigure(7, [A[1], A[2], B[0]]));
    switch(&mut world, 0);
    let nack = Nack { round: round(0), promised: round(1) };
    assert!(world.step(ONE, A[1], ToProposer::Acceptor(nack.into()).into()).is_empty());
    assert_eq!(world.leader(ONE).leads_in(), Some(round(1)));
}

/// Matchmaker Paxos, section 3.6: rounds are unique. A leader that lost all but its disk uses none
/// again, whether anyone has heard of it or not.
#[test]
fn a_restart_never_reuses_a_round() {
    let mut world = World::led();
    world.post(OPERATOR, ONE, reconfigure(7, B));
    world.settle_but(|envelope| MATCHMAKERS.contains(&envelope.to));
    world.lose(|_| true);
    world.crash(&[ONE]);
    world.restart(ONE);
    assert_eq!(world.leader(ONE).leads_in(), None);
    // The matchmakers know of round zero only; the disk knows of the next one.
    world.campaign(ONE);
    world.settle();
    let now = world.leader(ONE).leads_in().expect("leads again");
    assert!(now > round(1), "{now}");
}

/// Matchmaker Paxos, section 2.2: what acceptors have promised and voted survives their restart, and
/// so does what the matchmakers know: nothing that was chosen is lost when all of them fail at once.
#[test]
fn what_was_chosen_survives_the_restart_of_everyone() {
    let mut world = World::led();
    world.post(SESSION, ONE, request(0, "x"));
    // Chosen, and nobody was told.
    world.settle_but(|envelope| REPLICAS.contains(&envelope.to));
    world.lose(|_| true);
    let everyone = [A, MATCHMAKERS, REPLICAS, ARCHIVES].concat();
    world.crash(&everyone);
    world.crash(&[ONE]);
    everyone.into_iter().for_each(|node| world.restart(node));
    world.settle();
    world.campaign(TWO);
    world.settle();
    assert_eq!(world.executed(REPLICAS[0]), ["x"]);
}

/// Matchmaker Paxos, section 4.2: a client sends again what was not answered. A command that fills
/// two slots is executed in the first.
#[test]
fn a_command_that_is_sent_again_is_executed_once() {
    let mut world = World::led();
    world.post(SESSION, ONE, request(0, "x"));
    world.settle();
    world.crash(&[ONE]);
    world.campaign(TWO);
    world.settle();
    world.post(SESSION, TWO, request(0, "x"));
    world.post(SESSION, TWO, request(1, "y"));
    world.settle();
    let now = world.leader(TWO).leads_in().expect("leads");
    let vote = world.acceptor(A[0]).vote(Slot(1)).cloned();
    assert_eq!(vote, Some((now, batch(0, "x"))), "the command fills a second slot");
    for replica in REPLICAS {
        assert_eq!(world.executed(replica), ["x", "y"]);
    }
}

// Linearizable reads, which the paper leaves open.

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
    let pair = Configuration::new(1, QuorumSystem::WriteAll, [A[0], A[1]]);
    let mut world = World::with(pair.expect("two members"));
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
