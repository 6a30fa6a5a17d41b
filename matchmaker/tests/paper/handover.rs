//! Replacing the matchmakers, section 5: what leaders and matchmakers make of it. The drivers are in
//! `matchmaker::reconfigurer`.

use matchmaker::leader::{LeaderOptions, LeaderRecord, LeaderTimer};
use matchmaker::matchmaker::Matchmaker;
use matchmaker::message::{
    ActivateA, Epoch, FromMatchmaker, GarbageA, GarbageB, Generation, Heartbeat, MatchA, MatchB,
    Message, NewestA, StopA, StopB, Stopped, SucceededA, Successor, ToMatchmaker, ToProposer,
    ToReconfigurer,
};
use paxos::actor::{Effects, NodeId};
use paxos::configuration::Configuration;
use paxos::round::Round;

use crate::cluster::*;
use crate::steps::*;

const NEXT: [NodeId; 3] = [node(13), node(14), node(15)];

fn generation(epoch: u64, members: [NodeId; 3]) -> Generation {
    Generation { epoch: Epoch(epoch), members: members.into() }
}

/// The generation after that of the founding.
fn next() -> Successor {
    Successor {
        generation: generation(1, NEXT),
        previous: MATCHMAKERS.into(),
        log: [].into(),
        watermark: Round::ZERO,
        newest: None,
    }
}

/// A matchmaker of the founding sends on whoever asks.
fn sent_on() -> Message {
    ToProposer::Matchmaker(Stopped { epoch: EPOCH, successor: Some(next()) }.into()).into()
}

fn match_a_in(epoch: u64, round: Round, configuration: Configuration) -> Message {
    ToMatchmaker::MatchA(Box::new(MatchA { epoch: Epoch(epoch), round, configuration })).into()
}

fn match_b_in(epoch: u64, round: Round, history: &[(Round, Configuration)]) -> Message {
    let history = history.iter().cloned().collect();
    let (epoch, watermark) = (Epoch(epoch), Round::ZERO);
    let m = MatchB { epoch, round, watermark, history, newest: None };
    ToProposer::Matchmaker(m.into()).into()
}

fn garbage_b_in(epoch: u64, watermark: Round) -> Message {
    ToProposer::Matchmaker(GarbageB { epoch: Epoch(epoch), watermark }.into()).into()
}

fn garbage_a_in(epoch: u64, round: Round) -> Message {
    ToMatchmaker::GarbageA(GarbageA { epoch: Epoch(epoch), round }).into()
}

fn follows() -> LeaderRecord {
    LeaderRecord::Matchmakers(generation(1, NEXT))
}

/// The second proposer, on its way to register the returned round.
fn candidate(world: &mut World) -> Round {
    world.campaign(TWO);
    world.settle_but(|envelope| {
        matches!(&envelope.message, Message::Matchmaker(ToMatchmaker::MatchA(_)))
    });
    let sent = world.network.iter().find_map(|envelope| match &envelope.message {
        Message::Matchmaker(ToMatchmaker::MatchA(m)) => Some(m.round),
        _ => None,
    });
    world.lose(|_| true);
    sent.expect("it registers a round")
}

/// "A matchmaker that is told to stop stops processing all other requests", and shows what it knows.
#[test]
fn a_stopped_matchmaker_processes_no_other_requests() {
    let mut matchmaker = founded();
    let c = majority(1, A);
    matchmaker_step(
        &mut matchmaker,
        MatchA { epoch: EPOCH, round: round(0), configuration: c.clone() },
    );
    let mut fx = Effects::new();
    matchmaker.on_message(ONE, StopA { epoch: EPOCH }.into(), &mut fx);
    let log = [(round(0), c.clone())].into();
    let newest = Some((round(0), c.clone()));
    let stop_b = StopB { epoch: EPOCH, log, watermark: Round::ZERO, newest };
    assert_eq!(
        fx.sends,
        [(ONE, ToProposer::Reconfigurer(ToReconfigurer::StopB(Box::new(stop_b))))]
    );
    let stopped = FromMatchmaker::Stopped(Box::new(Stopped { epoch: EPOCH, successor: None }));
    let again = MatchA { epoch: EPOCH, round: round(0), configuration: c };
    assert_eq!(matchmaker_step(&mut matchmaker, again), stopped);
    let m = GarbageA { epoch: EPOCH, round: round(0) };
    assert_eq!(matchmaker_step(&mut matchmaker, m), stopped);
}

/// "A proposer that contacts a stopped matchmaker is told of the new ones": it asks them for the same
/// round, with the same configuration.
#[test]
fn a_candidate_registers_the_same_round_with_the_next_matchmakers() {
    let mut world = World::led();
    let round = candidate(&mut world);
    world.step(TWO, MATCHMAKERS[0], match_b(round, Round::ZERO, &[]));
    let fx = world.step(TWO, MATCHMAKERS[1], sent_on());
    let mut expected = Fx::new();
    expected.record(follows());
    expected.sends = to_all(&NEXT, match_a_in(1, round, majority(1, A)));
    expected.set_timer(LeaderTimer::Campaign, LeaderOptions::default().campaign);
    assert_eq!(fx, expected);
}

/// A majority is one of a single generation. What a minority of the old ones answered counts no more,
/// and what they still say neither.
#[test]
fn answers_of_two_generations_never_count_together() {
    let mut world = World::led();
    let round = candidate(&mut world);
    world.step(TWO, MATCHMAKERS[0], match_b(round, Round::ZERO, &[]));
    world.step(TWO, MATCHMAKERS[1], sent_on());
    // This one is a member of both.
    assert!(world.step(TWO, NEXT[0], match_b_in(1, round, &[])).is_empty());
    assert!(world.step(TWO, MATCHMAKERS[1], match_b(round, Round::ZERO, &[])).is_empty());
    assert!(world.step(TWO, MATCHMAKERS[1], match_b_in(1, round, &[])).is_empty(), "no member");
    assert_eq!(world.leader(TWO).leads_in(), None);
    let earlier = [(crate::cluster::round(0), majority(1, A))];
    let fx = world.step(TWO, NEXT[1], match_b_in(1, round, &earlier));
    assert_eq!(receivers(&fx, is_phase1a), A.into());
}

/// A leader at work hardly needs matchmakers: it goes on, and remembers where they are.
#[test]
fn a_leader_at_work_is_not_disturbed() {
    let mut world = World::led();
    world.collect(ONE);
    let fx = world.step(ONE, MATCHMAKERS[0], sent_on());
    let mut expected = Fx::new();
    expected.record(follows());
    assert_eq!(fx, expected);
    assert_eq!(world.leader(ONE).leads_in(), Some(round(0)));
    assert_eq!(proposals(&propose(&mut world, 0, "x")).len(), A.len());
    // A repeat, or word of an earlier generation, changes nothing.
    assert!(world.step(ONE, MATCHMAKERS[1], sent_on()).is_empty());
    assert_eq!(world.leader(ONE).matchmakers(), &generation(1, NEXT));
}

/// A reconfiguration on its way is matched anew by the next matchmakers, in the same round, while the
/// present round goes on.
#[test]
fn a_reconfiguration_is_matched_anew_by_the_next_matchmakers() {
    let mut world = World::led();
    world.collect(ONE);
    start_reconfiguration(&mut world);
    let history = [(round(0), majority(1, A))];
    world.step(ONE, MATCHMAKERS[0], match_b(round(1), Round::ZERO, &history));
    let fx = world.step(ONE, MATCHMAKERS[1], sent_on());
    let mut expected = Fx::new();
    expected.record(follows());
    expected.sends = to_all(&NEXT, match_a_in(1, round(1), majority(2, B)));
    assert_eq!(fx, expected);
    assert_eq!(world.leader(ONE).leads_in(), Some(round(0)));
    assert_eq!(proposals(&propose(&mut world, 0, "x")).len(), A.len());
    world.step(ONE, NEXT[1], match_b_in(1, round(1), &history));
    assert_eq!(
        world.leader(ONE).leads_in(),
        Some(round(0)),
        "one answer of the next is not enough"
    );
    world.step(ONE, NEXT[2], match_b_in(1, round(1), &history));
    assert_eq!(world.leader(ONE).leads_in(), Some(round(1)));
}

/// A collection that a majority of the old matchmakers has not acknowledged is asked of the next ones:
/// it is never given up, and never counted over two generations.
#[test]
fn a_collection_is_asked_of_the_next_matchmakers_again() {
    let mut world = World::led();
    world.post(OPERATOR, ONE, reconfigure(7, B));
    world.settle_but(|envelope| is_garbage_a(&envelope.message));
    assert_eq!(world.leader(ONE).leads_in(), Some(round(1)));
    world.lose(|_| true);
    world.step(ONE, MATCHMAKERS[2], garbage_b_in(0, round(1)));
    let fx = world.step(ONE, MATCHMAKERS[1], sent_on());
    let mut expected = Fx::new();
    expected.record(follows());
    expected.sends = to_all(&NEXT, garbage_a_in(1, round(1)));
    assert_eq!(fx, expected);
    assert!(world.step(ONE, NEXT[1], garbage_b_in(1, round(1))).is_empty());
    assert!(world.step(ONE, MATCHMAKERS[1], garbage_b_in(0, round(1))).is_empty());
    let fx = world.step(ONE, NEXT[2], garbage_b_in(1, round(1)));
    world.emit(ONE, fx);
    assert_eq!(collected(&world), [(round(1), A.into())]);
}

/// A candidate that was still asking for the newest configuration asks the next matchmakers.
#[test]
fn a_candidate_asks_the_next_matchmakers_for_the_newest_configuration() {
    let mut world = World::new();
    world.campaign(TWO);
    world.lose(|_| true);
    let fx = world.step(TWO, MATCHMAKERS[0], sent_on());
    let asked = Message::from(ToMatchmaker::NewestA(NewestA { epoch: Epoch(1) }));
    assert_eq!(fx.sends, to_all(&NEXT, asked));
}

/// Followers hear from the leader where the matchmakers are, and remember it across restarts.
#[test]
fn followers_learn_the_matchmakers_from_the_leader() {
    let mut world = World::led();
    let (configuration, matchmakers) = (majority(1, A), generation(1, NEXT));
    let m = Heartbeat {
        round: round(0),
        configuration,
        matchmakers: matchmakers.clone(),
        is_collected: true,
    };
    let fx = world.step(TWO, ONE, ToProposer::Heartbeat(Box::new(m)).into());
    assert!(fx.records.contains(&follows()), "{fx:?}");
    world.emit(TWO, fx);
    world.restart(TWO);
    assert_eq!(world.leader(TWO).matchmakers(), &matchmakers);
}

/// "Matchmakers form a chain": whoever asks any old one reaches the newest, by as many hops as there
/// are old ones that know no better.
#[test]
fn chains_of_generations_are_followed() {
    let mut first = founded();
    let mut second = Matchmaker::pending();
    let mut fx = Effects::new();
    second.on_message(ONE, ActivateA { successor: next() }.into(), &mut fx);
    first.on_message(ONE, SucceededA { successor: next() }.into(), &mut fx);
    let third =
        Successor { generation: generation(2, MATCHMAKERS), previous: NEXT.into(), ..next() };
    second.on_message(ONE, SucceededA { successor: third.clone() }.into(), &mut fx);
    let mut world = World::new();
    world.campaign(TWO);
    world.lose(|_| true);
    for matchmaker in [&mut first, &mut second] {
        let epoch = world.leader(TWO).matchmakers().epoch;
        let answer = matchmaker_step(matchmaker, NewestA { epoch });
        world.step(TWO, MATCHMAKERS[0], ToProposer::Matchmaker(answer).into());
    }
    assert_eq!(world.leader(TWO).matchmakers(), &third.generation);
}

/// What was registered in a generation still binds the next one: a lower round is refused, and the same
/// one is answered from what was handed over.
#[test]
fn the_next_matchmakers_keep_what_was_registered() {
    let mut matchmaker = Matchmaker::pending();
    let (c, mut fx) = (majority(1, A), Effects::new());
    let newest = Some((round(3), c.clone()));
    let log = [(round(3), c.clone())].into();
    let successor = Successor { log, newest, ..next() };
    matchmaker.on_message(ONE, ActivateA { successor }.into(), &mut fx);
    let register =
        |steps| MatchA { epoch: Epoch(1), round: round(steps), configuration: c.clone() };
    assert!(matches!(matchmaker_step(&mut matchmaker, register(2)), FromMatchmaker::MatchNack(_)));
    let FromMatchmaker::MatchB(m) = matchmaker_step(&mut matchmaker, register(4)) else {
        panic!("a higher round is registered")
    };
    assert_eq!(m.history.keys().copied().collect::<Vec<_>>(), [round(3)]);
    assert!(matches!(matchmaker_step(&mut matchmaker, register(3)), FromMatchmaker::MatchB(_)));
}
