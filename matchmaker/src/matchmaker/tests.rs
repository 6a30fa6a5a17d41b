//! One step at a time: state and exact effects.

use super::*;
use paxos::actor::{Incarnation, Seat};
use paxos::command::Value;
use paxos::message::{PersistedA, Phase1A, Phase1B, Phase2A, Phase2B, Vote};
use paxos::quorum::QuorumSystem;
use paxos::slot::Slot;

const EPOCH: Epoch = Epoch(0);

fn founded() -> Matchmaker {
    Matchmaker::new(Generation { epoch: EPOCH, members: (2..5).map(node).collect() })
}

fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

fn round(number: u64, step: u64) -> Round {
    Round { number, owner: node(1), step }
}

fn configuration(version: u64, first: u32) -> Configuration {
    Configuration::new(version, QuorumSystem::Majority, (first..first + 3).map(node))
        .expect("three members")
}

fn step(matchmaker: &mut Matchmaker, message: impl Into<ToMatchmaker>) -> Fx {
    let mut fx = Fx::new();
    matchmaker.on_message(node(1), message.into(), &mut fx);
    fx
}

fn match_a(round: Round, configuration: Configuration) -> MatchA {
    MatchA { epoch: EPOCH, round, configuration }
}

fn expected(records: Vec<MatchmakerRecord>, reply: impl Into<FromMatchmaker>) -> Fx {
    let mut fx = Fx::new();
    fx.records = records;
    fx.send(node(1), reply.into());
    fx
}

/// The same for an answer to a driver.
fn answer(records: Vec<MatchmakerRecord>, reply: impl Into<ToReconfigurer>) -> Fx {
    let mut fx = Fx::new();
    fx.records = records;
    fx.send(node(1), reply.into());
    fx
}

/// The generation after the first, which begins with one round.
fn successor() -> Successor {
    let first = (round(1, 0), configuration(7, 10));
    Successor {
        generation: Generation { epoch: Epoch(1), members: (3..6).map(node).collect() },
        previous: (2..5).map(node).collect(),
        log: [first.clone()].into(),
        watermark: round(1, 0),
        newest: Some(first),
    }
}

fn stopped(epoch: Epoch, successor: Option<Successor>) -> Fx {
    expected(vec![], Stopped { epoch, successor })
}

fn decree(message: impl Into<ToAcceptor>) -> DecreeA {
    DecreeA { epoch: EPOCH, message: message.into() }
}

fn restored(mut from: Matchmaker, matchmaker: &Matchmaker) -> Matchmaker {
    matchmaker.checkpoint().into_iter().for_each(|record| from.restore(record));
    from
}

fn restored_from(records: &[MatchmakerRecord]) -> Matchmaker {
    let mut matchmaker = Matchmaker::pending();
    records.iter().cloned().for_each(|record| matchmaker.restore(record));
    matchmaker
}

fn match_b(
    round: Round,
    watermark: Round,
    history: &[(Round, Configuration)],
    newest: (Round, Configuration),
) -> MatchB {
    let history = history.iter().cloned().collect();
    MatchB { epoch: EPOCH, round, watermark, history, newest: Some(newest) }
}

#[test]
fn a_registration_is_recorded_and_shows_the_rounds_below() {
    let mut matchmaker = founded();
    let (c1, c2) = (configuration(1, 10), configuration(2, 20));
    let fx = step(&mut matchmaker, match_a(round(1, 0), c1.clone()));
    let record = MatchmakerRecord::Registered(round(1, 0), c1.clone());
    let reply = match_b(round(1, 0), Round::ZERO, &[], (round(1, 0), c1.clone()));
    assert_eq!(fx, expected(vec![record], reply));
    let fx = step(&mut matchmaker, match_a(round(1, 1), c2.clone()));
    let record = MatchmakerRecord::Registered(round(1, 1), c2.clone());
    let reply = match_b(round(1, 1), Round::ZERO, &[(round(1, 0), c1)], (round(1, 1), c2));
    assert_eq!(fx, expected(vec![record], reply));
}

#[test]
fn a_repeated_registration_is_answered_from_the_log() {
    let mut matchmaker = founded();
    let c1 = configuration(1, 10);
    step(&mut matchmaker, match_a(round(1, 0), c1.clone()));
    step(&mut matchmaker, match_a(round(2, 0), c1.clone()));
    step(&mut matchmaker, GarbageA { epoch: EPOCH, round: round(1, 0) });
    let fx = step(&mut matchmaker, match_a(round(2, 0), c1.clone()));
    let reply = match_b(round(2, 0), round(1, 0), &[(round(1, 0), c1.clone())], (round(2, 0), c1));
    assert_eq!(fx, expected(vec![], reply));
}

#[test]
fn a_configuration_that_is_older_than_the_newest_known_is_refused() {
    let mut matchmaker = founded();
    step(&mut matchmaker, match_a(round(1, 0), configuration(7, 10)));
    let nack = MatchNack {
        epoch: EPOCH,
        round: round(2, 0),
        highest: round(1, 0),
        newest: Some((round(1, 0), configuration(7, 10))),
    };
    let fx = step(&mut matchmaker, match_a(round(2, 0), configuration(3, 20)));
    assert_eq!(fx, expected(vec![], nack));
    let fx = step(&mut matchmaker, match_a(round(2, 0), configuration(7, 10)));
    assert_eq!(fx.records.len(), 1, "a leader change registers what it knows again");
}

#[test]
fn a_lower_round_is_refused() {
    let mut matchmaker = founded();
    step(&mut matchmaker, match_a(round(3, 0), configuration(1, 10)));
    let fx = step(&mut matchmaker, match_a(round(2, 0), configuration(1, 10)));
    let nack = MatchNack {
        epoch: EPOCH,
        round: round(2, 0),
        highest: round(3, 0),
        newest: matchmaker.newest.clone(),
    };
    assert_eq!(fx, expected(vec![], nack));
}

#[test]
fn two_configurations_of_a_round_are_a_violation() {
    let mut matchmaker = founded();
    step(&mut matchmaker, match_a(round(1, 0), configuration(1, 10)));
    let fx = step(&mut matchmaker, match_a(round(1, 0), configuration(1, 20)));
    assert_eq!(fx.violations.len(), 1);
    assert!(fx.sends.is_empty() && fx.records.is_empty());
}

#[test]
fn collected_rounds_are_forgotten_and_refused_and_the_newest_configuration_is_not() {
    let mut matchmaker = founded();
    step(&mut matchmaker, match_a(round(1, 0), configuration(7, 10)));
    let fx = step(&mut matchmaker, GarbageA { epoch: EPOCH, round: round(2, 0) });
    let reply = GarbageB { epoch: EPOCH, watermark: round(2, 0) };
    let record = MatchmakerRecord::Collected(round(2, 0));
    assert_eq!(fx, expected(vec![record], reply.clone()));
    assert!(matchmaker.log().is_empty());
    let fx = step(&mut matchmaker, GarbageA { epoch: EPOCH, round: round(1, 0) });
    assert_eq!(fx, expected(vec![], reply));
    let fx = step(&mut matchmaker, match_a(round(1, 5), configuration(1, 20)));
    let nack = MatchNack {
        epoch: EPOCH,
        round: round(1, 5),
        highest: round(2, 0),
        newest: matchmaker.newest.clone(),
    };
    assert_eq!(fx, expected(vec![], nack));
    let fx = step(&mut matchmaker, NewestA { epoch: EPOCH });
    let newest = Some((round(1, 0), configuration(7, 10)));
    assert_eq!(fx, expected(vec![], NewestB { epoch: EPOCH, newest, round: None }));
}

#[test]
fn one_that_knows_nothing_of_a_generation_says_so() {
    let registration = match_a(round(1, 0), configuration(1, 10));
    for mut matchmaker in [founded(), Matchmaker::pending()] {
        let epoch = Epoch(1);
        let messages: [ToMatchmaker; 5] = [
            NewestA { epoch }.into(),
            GarbageA { epoch, round: round(1, 0) }.into(),
            MatchA { epoch, ..registration.clone() }.into(),
            StopA { epoch }.into(),
            OriginA { epoch }.into(),
        ];
        for message in messages {
            assert_eq!(step(&mut matchmaker, message), answer(vec![], Pending { epoch }));
        }
    }
}

#[test]
fn a_checkpoint_restores_the_durable_state() {
    let mut matchmaker = founded();
    step(&mut matchmaker, match_a(round(1, 0), configuration(7, 10)));
    step(&mut matchmaker, match_a(round(2, 0), configuration(3, 20)));
    step(&mut matchmaker, GarbageA { epoch: EPOCH, round: round(2, 0) });
    let mut restored = founded();
    matchmaker.checkpoint().into_iter().for_each(|record| restored.restore(record));
    assert_eq!(restored, matchmaker);
}

/// A log that is compacted holds the records, and behind them as much of the checkpoint as the power left.
#[test]
fn the_beginning_of_a_checkpoint_undoes_nothing() {
    let mut records = vec![MatchmakerRecord::Activated(Box::new(successor()))];
    let mut matchmaker = restored_from(&records);
    let epoch = Epoch(1);
    let promise = ToAcceptor::from(Phase1A { round: round(1, 0), first: Slot::ZERO });
    let asked = [
        MatchA { epoch, round: round(2, 0), configuration: configuration(8, 20) }.into(),
        GarbageA { epoch, round: round(2, 0) }.into(),
        MatchA { epoch, round: round(3, 0), configuration: configuration(9, 30) }.into(),
        StopA { epoch }.into(),
        ToMatchmaker::DecreeA(Box::new(DecreeA { epoch, message: promise })),
    ];
    for message in asked {
        records.extend(step(&mut matchmaker, message).records);
        let checkpoint = matchmaker.checkpoint();
        for kept in 0..=checkpoint.len() {
            let log = [&records[..], &checkpoint[..kept]].concat();
            assert_eq!(restored_from(&log), matchmaker, "{kept} of {checkpoint:?}");
        }
    }
}

#[test]
fn one_that_has_stopped_shows_all_it_knows_and_answers_proposers_no_more() {
    let mut matchmaker = founded();
    let c = configuration(7, 10);
    step(&mut matchmaker, match_a(round(1, 0), c.clone()));
    let first = (round(1, 0), c.clone());
    let log = [first.clone()].into();
    let newest = Some(first);
    let stop_b = StopB { epoch: EPOCH, log, watermark: Round::ZERO, newest };
    let fx = step(&mut matchmaker, StopA { epoch: EPOCH });
    assert_eq!(fx, answer(vec![MatchmakerRecord::Stopped(EPOCH)], stop_b.clone()));
    assert_eq!(step(&mut matchmaker, StopA { epoch: EPOCH }), answer(vec![], stop_b));
    let none = stopped(EPOCH, None);
    assert_eq!(step(&mut matchmaker, match_a(round(1, 0), c.clone())), none);
    assert_eq!(step(&mut matchmaker, match_a(round(2, 0), c)), none);
    assert_eq!(step(&mut matchmaker, GarbageA { epoch: EPOCH, round: round(1, 0) }), none);
    assert_eq!(step(&mut matchmaker, NewestA { epoch: EPOCH }), none);
    assert_eq!(restored(founded(), &matchmaker), matchmaker);
}

#[test]
fn a_decree_stops_it_and_is_voted_on_as_by_any_acceptor() {
    let mut matchmaker = founded();
    let fx = step(&mut matchmaker, decree(Phase1A { round: round(1, 0), first: Slot::ZERO }));
    let promise = Phase1B {
        round: round(1, 0),
        first: Slot::ZERO,
        persisted_watermark: Slot::ZERO,
        votes: vec![],
        next: None,
    };
    let promised = MatchmakerRecord::Decree(AcceptorRecord::Promised(round(1, 0)));
    let reply = DecreeB { epoch: EPOCH, message: promise.into() };
    assert_eq!(fx, answer(vec![MatchmakerRecord::Stopped(EPOCH), promised], reply));
    let (value, vote_round) = (Value::Noop, round(1, 0));
    let m = Phase2A { round: vote_round, slot: Slot::ZERO, value: value.clone() };
    let fx = step(&mut matchmaker, decree(m));
    let vote = Vote { slot: Slot::ZERO, round: vote_round, value };
    let voted = Phase2B { round: vote_round, slot: Slot::ZERO, persisted_watermark: Slot::ZERO };
    let reply = DecreeB { epoch: EPOCH, message: voted.into() };
    let record = MatchmakerRecord::Decree(AcceptorRecord::Voted(vote));
    assert_eq!(fx, answer(vec![record], reply));
    assert_eq!(restored(founded(), &matchmaker), matchmaker);
}

#[test]
fn a_decree_is_asked_for_votes_and_nothing_else() {
    let mut matchmaker = founded();
    let fx = step(&mut matchmaker, decree(PersistedA { watermark: Slot(1) }));
    assert_eq!((fx.violations.len(), fx.sends.len(), fx.records.len()), (1, 0, 0));
    assert!(matchmaker.is_active());
}

#[test]
fn a_new_member_begins_with_what_was_handed_over() {
    let mut matchmaker = Matchmaker::pending();
    let (epoch, successor) = (Epoch(1), successor());
    let fx = step(&mut matchmaker, ActivateA { successor: successor.clone() });
    let record = MatchmakerRecord::Activated(Box::new(successor.clone()));
    assert_eq!(fx, answer(vec![record], ActivateB { epoch }));
    // Its own registrations come on top, and a repeat does not undo them.
    let c = configuration(7, 10);
    let m = MatchA { epoch, round: round(2, 0), configuration: c.clone() };
    step(&mut matchmaker, m);
    let fx = step(&mut matchmaker, ActivateA { successor: successor.clone() });
    assert_eq!(fx, answer(vec![], ActivateB { epoch }));
    assert_eq!(matchmaker.log().keys().copied().collect::<Vec<_>>(), [round(1, 0), round(2, 0)]);
    let lower = MatchA { epoch, round: round(1, 5), configuration: c.clone() };
    let fx = step(&mut matchmaker, lower);
    let nack = MatchNack {
        epoch,
        round: round(1, 5),
        highest: round(2, 0),
        newest: matchmaker.newest.clone(),
    };
    assert_eq!(fx, expected(vec![], nack));
    // What was handed over counts as registered here.
    let fx = step(&mut matchmaker, MatchA { epoch, round: round(1, 0), configuration: c.clone() });
    let newest = Some((round(2, 0), c));
    let (watermark, history) = (round(1, 0), [].into());
    let reply = MatchB { epoch, round: round(1, 0), watermark, history, newest };
    assert_eq!(fx, expected(vec![], reply));
    let fx = step(&mut matchmaker, OriginA { epoch });
    assert_eq!(fx, answer(vec![], OriginB { successor }));
    assert_eq!(restored(Matchmaker::pending(), &matchmaker), matchmaker);
}

/// The lower one may have been registered by a minority only, and the higher one without its knowledge.
#[test]
fn a_round_that_was_handed_over_below_a_higher_one_is_not_completed() {
    let mut successor = successor();
    successor.log.insert(round(2, 0), configuration(7, 20));
    let mut matchmaker = Matchmaker::pending();
    step(&mut matchmaker, ActivateA { successor });
    let epoch = Epoch(1);
    let lower = MatchA { epoch, round: round(1, 0), configuration: configuration(7, 10) };
    let nack = MatchNack {
        epoch,
        round: round(1, 0),
        highest: round(2, 0),
        newest: matchmaker.newest.clone(),
    };
    assert_eq!(step(&mut matchmaker, lower), expected(vec![], nack));
    let higher = MatchA { epoch, round: round(2, 0), configuration: configuration(7, 20) };
    let fx = step(&mut matchmaker, higher);
    let [(_, ToProposer::Matchmaker(FromMatchmaker::MatchB(m)))] = &fx.sends[..] else {
        panic!("{fx:?}")
    };
    assert_eq!(m.history.len(), 1);
}

#[test]
fn a_round_that_was_handed_over_below_another_is_refused_for_ever() {
    // A minority of the old matchmakers had the lower one. The higher one was registered by a majority
    // that did not know of it, so nobody will ask the acceptors of the lower one.
    let (epoch, c) = (Epoch(1), configuration(7, 10));
    let mut handed_over = successor();
    handed_over.log.insert(round(2, 0), c.clone());
    handed_over.newest = Some((round(2, 0), c.clone()));
    let mut matchmaker = Matchmaker::pending();
    step(&mut matchmaker, ActivateA { successor: handed_over });
    let fx = step(&mut matchmaker, MatchA { epoch, round: round(1, 0), configuration: c.clone() });
    let nack = MatchNack {
        epoch,
        round: round(1, 0),
        highest: round(2, 0),
        newest: matchmaker.newest.clone(),
    };
    assert_eq!(fx, expected(vec![], nack));
    let fx = step(&mut matchmaker, MatchA { epoch, round: round(2, 0), configuration: c.clone() });
    let history = [(round(1, 0), c.clone())].into();
    let newest = Some((round(2, 0), c));
    let (watermark, round) = (round(1, 0), round(2, 0));
    assert_eq!(fx, expected(vec![], MatchB { epoch, round, watermark, history, newest }));
}

#[test]
fn an_old_member_sends_on_whoever_still_asks() {
    let mut matchmaker = founded();
    step(&mut matchmaker, match_a(round(1, 0), configuration(7, 10)));
    step(&mut matchmaker, StopA { epoch: EPOCH });
    let successor = successor();
    let fx = step(&mut matchmaker, SucceededA { successor: successor.clone() });
    let record = MatchmakerRecord::Succeeded(Box::new(successor.clone()));
    assert_eq!(fx, answer(vec![record], SucceededB { epoch: Epoch(1) }));
    let fx = step(&mut matchmaker, SucceededA { successor: successor.clone() });
    assert_eq!(fx, answer(vec![], SucceededB { epoch: Epoch(1) }));
    let there = stopped(EPOCH, Some(successor.clone()));
    assert_eq!(step(&mut matchmaker, NewestA { epoch: EPOCH }), there);
    assert_eq!(step(&mut matchmaker, StopA { epoch: EPOCH }), there);
    let m = decree(Phase1A { round: round(9, 0), first: Slot::ZERO });
    assert_eq!(step(&mut matchmaker, m), there);
    assert_eq!(restored(founded(), &matchmaker), matchmaker);
    // One that is a member of both may begin at any time.
    let fx = step(&mut matchmaker, ActivateA { successor: successor.clone() });
    let record = MatchmakerRecord::Activated(Box::new(successor.clone()));
    assert_eq!(fx, answer(vec![record], ActivateB { epoch: Epoch(1) }));
    assert_eq!(step(&mut matchmaker, NewestA { epoch: EPOCH }), there);
    assert_eq!(restored(founded(), &matchmaker), matchmaker);
}

#[test]
fn the_newest_configuration_outlives_the_generation() {
    let mut matchmaker = founded();
    step(&mut matchmaker, match_a(round(3, 0), configuration(9, 20)));
    step(&mut matchmaker, ActivateA { successor: successor() });
    let fx = step(&mut matchmaker, NewestA { epoch: Epoch(1) });
    let newest = Some((round(3, 0), configuration(9, 20)));
    let reply = NewestB { epoch: Epoch(1), newest, round: Some(round(1, 0)) };
    assert_eq!(fx, expected(vec![], reply));
}

#[test]
fn a_successor_that_no_driver_can_have_made_is_a_violation() {
    let below = Successor { watermark: round(2, 0), ..successor() };
    let forgetful = Successor { newest: None, ..successor() };
    let first = Successor { previous: [].into(), ..successor() };
    for successor in [below, forgetful, first] {
        let mut matchmaker = founded();
        let fx = step(&mut matchmaker, ActivateA { successor: successor.clone() });
        assert_eq!((fx.violations.len(), fx.records.len()), (1, 0));
        let fx = step(&mut matchmaker, SucceededA { successor });
        assert_eq!((fx.violations.len(), fx.records.len()), (1, 0));
    }
}
