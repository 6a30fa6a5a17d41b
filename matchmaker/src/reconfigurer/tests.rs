//! One step at a time: state and exact effects; and two drivers on one generation.

use std::collections::VecDeque;

use paxos::actor::{Incarnation, Seat, TimerChange};
use paxos::configuration::Configuration;
use paxos::message::{FromAcceptor, Nack, Phase1A, ToAcceptor};
use paxos::quorum::QuorumSystem;
use paxos::slot::Slot;

use super::*;
use crate::matchmaker::Matchmaker;
use crate::message::{
    ActivateB, AnnounceA, DecreeA, DecreeB, FromMatchmaker, MatchA, SucceededA, SucceededB,
};

const OPERATOR: NodeId = node(90);
const DRIVER: NodeId = node(1);
const OTHER: NodeId = node(2);

const fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

fn nodes(seats: impl IntoIterator<Item = u32>) -> BTreeSet<NodeId> {
    seats.into_iter().map(node).collect()
}

fn founding() -> Generation {
    Generation { epoch: Epoch(0), members: nodes(11..14) }
}

fn options() -> ReconfigurerOptions {
    let ms = Duration::from_millis;
    ReconfigurerOptions { resend: ms(60)..ms(90), patience: ms(400)..ms(600) }
}

fn driver(at: NodeId) -> Reconfigurer {
    Reconfigurer::new(at, [DRIVER, OTHER].into(), options())
}

fn configuration(version: u64) -> Configuration {
    Configuration::new(version, QuorumSystem::Majority, nodes(21..24)).expect("three members")
}

fn round(number: u64) -> Round {
    Round { number, owner: OTHER, step: 0 }
}

fn step(driver: &mut Reconfigurer, from: u32, m: impl Into<ToReconfigurer>) -> Fx {
    let mut fx = Fx::new();
    driver.on_message(node(from), m.into(), &founding(), &mut fx);
    fx
}

fn handover(token: u64, seats: impl IntoIterator<Item = u32>) -> HandoverA {
    HandoverA { token, members: nodes(seats) }
}

fn told(token: u64, progress: HandoverProgress) -> (NodeId, Message) {
    (OPERATOR, ToApplication::HandoverB(Box::new(HandoverB { token, progress })).into())
}

fn stop_b(rounds: &[u64], watermark: u64) -> StopB {
    let log: BTreeMap<Round, Configuration> =
        rounds.iter().map(|number| (round(*number), configuration(*number))).collect();
    let newest = log.last_key_value().map(|(round, c)| (*round, c.clone()));
    StopB { epoch: Epoch(0), log, watermark: round(watermark), newest }
}

fn successor(rounds: &[u64], watermark: u64, seats: impl IntoIterator<Item = u32>) -> Successor {
    let StopB { log, watermark, newest, .. } = stop_b(rounds, watermark);
    let generation = Generation { epoch: Epoch(1), members: nodes(seats) };
    Successor { generation, previous: founding().members, log, watermark, newest }
}

/// Whether a driver tries again later.
fn is_beaten(fx: &Fx) -> bool {
    let retry = ReconfigurerTimer::Decree(SynodTimer::Retry);
    let is_retry =
        |change: &TimerChange<_>| matches!(change, TimerChange::Set(t, _) if *t == retry);
    fx.timers.iter().any(is_retry)
}

/// A driver that was asked for the matchmakers 13 to 15, which are there.
fn stopping() -> Reconfigurer {
    let mut driver = driver(DRIVER);
    step(&mut driver, 90, handover(7, 13..16));
    for seat in [14, 15] {
        step(&mut driver, seat, ReachB { nonce: 1 });
    }
    driver
}

/// The same, once its successor is chosen.
fn installing() -> Reconfigurer {
    let mut driver = stopping();
    let chosen = Some(successor(&[2], 2, 13..16));
    let m = Stopped { epoch: Epoch(0), successor: chosen };
    driver.on_stopped(node(11), m, &founding(), &mut Fx::new());
    driver
}

#[test]
fn nobody_is_stopped_before_a_majority_of_the_new_ones_answers() {
    let mut driver = driver(DRIVER);
    let fx = step(&mut driver, 90, handover(7, 13..16));
    let mut expected = Fx::new();
    expected.set_timer(ReconfigurerTimer::Patience, options().patience);
    expected.broadcast(&nodes(13..16), ToMatchmaker::ReachA(ReachA { nonce: 1 }));
    expected.set_timer(ReconfigurerTimer::Resend, options().resend);
    assert_eq!(fx, expected);
    assert!(step(&mut driver, 14, ReachB { nonce: 1 }).is_empty());
    assert!(step(&mut driver, 15, ReachB { nonce: 0 }).is_empty(), "an earlier question");
    assert!(step(&mut driver, 11, ReachB { nonce: 1 }).is_empty(), "no new matchmaker");
    let fx = step(&mut driver, 15, ReachB { nonce: 1 });
    let mut expected = Fx::new();
    expected.cancel_timer(ReconfigurerTimer::Patience);
    expected.broadcast(&founding().members, ToMatchmaker::StopA(StopA { epoch: Epoch(0) }));
    expected.set_timer(ReconfigurerTimer::Resend, options().resend);
    assert_eq!(fx, expected);
}

#[test]
fn the_operator_learns_which_new_matchmakers_are_silent() {
    let mut driver = driver(DRIVER);
    step(&mut driver, 90, handover(7, 13..16));
    step(&mut driver, 14, ReachB { nonce: 1 });
    let mut fx = Fx::new();
    driver.on_timer(ReconfigurerTimer::Patience, &founding(), &mut fx);
    assert_eq!(fx.sends, [told(7, HandoverProgress::Unreachable { silent: nodes([13, 15]) })]);
    assert!(!driver.is_busy());
    assert!(step(&mut driver, 15, ReachB { nonce: 1 }).is_empty());
}

#[test]
fn impossible_and_untimely_requests_are_refused_with_the_cause() {
    let mut driver = stopping();
    let refused = |fx: Fx| match &fx.sends[..] {
        [(OPERATOR, Message::Application(ToApplication::HandoverB(m)))] => {
            matches!(m.progress, HandoverProgress::Refused { .. })
        }
        _ => false,
    };
    assert!(refused(step(&mut driver, 90, handover(8, 11..14))));
    assert!(refused(step(&mut driver, 90, handover(9, []))));
    assert!(refused(step(&mut driver, 90, handover(9, 0..65))));
    assert!(step(&mut driver, 90, handover(7, 13..16)).is_empty(), "a repeat");
}

#[test]
fn what_a_majority_of_the_stopped_knows_is_proposed_as_one_value() {
    let mut driver = stopping();
    assert!(step(&mut driver, 11, stop_b(&[1, 2], 1)).is_empty());
    assert!(step(&mut driver, 99, stop_b(&[9], 9)).is_empty(), "a stranger");
    let late = StopB { epoch: Epoch(1), ..stop_b(&[9], 9) };
    assert!(step(&mut driver, 12, late).is_empty(), "another generation");
    let fx = step(&mut driver, 12, stop_b(&[3], 2));
    let used = Round::first_above(Round::ZERO, DRIVER);
    assert_eq!(fx.records, [ReconfigurerRecord { used }]);
    let message = ToAcceptor::Phase1A(Phase1A { round: used, first: Slot::ZERO });
    let mut expected = Fx::new();
    let m = ToMatchmaker::DecreeA(Box::new(DecreeA { epoch: Epoch(0), message }));
    expected.broadcast(&founding().members, m);
    assert_eq!(fx.sends, expected.sends);
    let answers = [(node(11), stop_b(&[1, 2], 1)), (node(12), stop_b(&[3], 2))].into();
    let merged = stopping::merge(&founding(), nodes(13..16), &answers);
    assert_eq!(merged, successor(&[2, 3], 2, 13..16));
}

#[test]
fn a_restarted_driver_uses_no_round_of_a_decree_again() {
    let mut earlier = stopping();
    step(&mut earlier, 11, stop_b(&[], 0));
    let fx = step(&mut earlier, 12, stop_b(&[], 0));
    let used = fx.records[0].used;
    let mut driver = driver(DRIVER);
    earlier.checkpoint().into_iter().for_each(|record| driver.restore(record));
    let m = Stopped { epoch: Epoch(0), successor: None };
    driver.on_stopped(node(11), m, &founding(), &mut Fx::new());
    driver.on_timer(ReconfigurerTimer::Patience, &founding(), &mut Fx::new());
    step(&mut driver, 11, stop_b(&[], 0));
    let fx = step(&mut driver, 12, stop_b(&[], 0));
    assert!(fx.records[0].used > used, "{:?} after {used}", fx.records);
}

#[test]
fn one_that_is_beaten_waits_a_while() {
    let mut driver = stopping();
    step(&mut driver, 11, stop_b(&[], 0));
    step(&mut driver, 12, stop_b(&[], 0));
    let used = Round::first_above(Round::ZERO, DRIVER);
    let nack = FromAcceptor::Nack(Nack { round: used, promised: round(9) });
    let fx = step(&mut driver, 11, DecreeB { epoch: Epoch(0), message: nack });
    assert!(fx.sends.is_empty() && is_beaten(&fx), "{fx:?}");
}

#[test]
fn the_old_ones_and_the_proposers_are_told_once_a_majority_of_the_new_ones_serves() {
    let mut driver = installing();
    assert!(step(&mut driver, 13, ActivateB { epoch: Epoch(1) }).is_empty());
    let mut fx = Fx::new();
    let m = ActivateB { epoch: Epoch(1) }.into();
    let serving = driver.on_message(node(14), m, &founding(), &mut fx);
    let successor = successor(&[2], 2, 13..16);
    let generation = successor.generation.clone();
    assert_eq!(serving.as_ref(), Some(&generation));
    let mut expected = Fx::new();
    let active = HandoverProgress::Active { generation: generation.clone() };
    expected.sends.push(told(7, active));
    expected.set_timer(ReconfigurerTimer::Patience, options().patience);
    let activate = ActivateA { successor: successor.clone() };
    expected.send(node(15), ToMatchmaker::ActivateA(Box::new(activate)));
    let succeeded = ToMatchmaker::SucceededA(Box::new(SucceededA { successor }));
    expected.broadcast(&founding().members, succeeded);
    let announce = ToReconfigurer::from(AnnounceA { generation: generation.clone() });
    expected.send(OTHER, ToProposer::from(announce));
    expected.set_timer(ReconfigurerTimer::Resend, options().resend);
    assert_eq!(fx, expected);
    let fx = step(&mut driver, 2, AnnounceB { epoch: Epoch(1) });
    let (retirable, unaware) = (nodes([11, 12]), [].into());
    let finished = HandoverProgress::Finished { generation, retirable, unaware };
    assert_eq!(fx.sends, [told(7, finished.clone())]);
    assert!(!driver.is_busy());
    let fx = step(&mut driver, 90, handover(7, 13..16));
    assert_eq!(fx.sends, [told(7, finished)], "a repeat is no other handover");
}

#[test]
fn nothing_is_retirable_while_a_proposer_is_unaware() {
    let mut driver = installing();
    for seat in [13, 14] {
        step(&mut driver, seat, ActivateB { epoch: Epoch(1) });
    }
    for seat in [11, 12] {
        assert!(step(&mut driver, seat, SucceededB { epoch: Epoch(1) }).is_empty());
    }
    let mut fx = Fx::new();
    driver.on_timer(ReconfigurerTimer::Patience, &founding(), &mut fx);
    let generation = successor(&[2], 2, 13..16).generation;
    let (retirable, unaware) = ([].into(), [OTHER].into());
    let finished = HandoverProgress::Finished { generation, retirable, unaware };
    assert_eq!(fx.sends, [told(7, finished)]);
}

#[test]
fn the_choice_of_another_is_installed_and_told() {
    let mut driver = stopping();
    let chosen = successor(&[1], 1, 11..14);
    let generation = chosen.generation.clone();
    let m = Stopped { epoch: Epoch(0), successor: Some(chosen.clone()) };
    let mut fx = Fx::new();
    driver.on_stopped(node(11), m, &founding(), &mut fx);
    let mut expected = vec![told(7, HandoverProgress::Superseded { generation })];
    let activate: Message =
        ToMatchmaker::ActivateA(Box::new(ActivateA { successor: chosen })).into();
    expected.extend((11..14).map(|seat| (node(seat), activate.clone())));
    assert_eq!(fx.sends, expected);
}

#[test]
fn a_stopped_generation_without_a_successor_is_finished_by_whoever_meets_it() {
    let mut driver = driver(OTHER);
    let m = Stopped { epoch: Epoch(0), successor: None };
    let mut fx = Fx::new();
    driver.on_stopped(node(11), m.clone(), &founding(), &mut fx);
    let mut expected = Fx::new();
    expected.set_timer(ReconfigurerTimer::Patience, options().patience);
    assert_eq!(fx, expected, "another driver may be at it");
    let mut fx = Fx::new();
    driver.on_stopped(node(12), m, &founding(), &mut fx);
    assert!(fx.is_empty());
    driver.on_timer(ReconfigurerTimer::Patience, &founding(), &mut fx);
    let mut expected = Fx::new();
    expected.broadcast(&founding().members, ToMatchmaker::StopA(StopA { epoch: Epoch(0) }));
    expected.set_timer(ReconfigurerTimer::Resend, options().resend);
    assert_eq!(fx, expected);
}

#[test]
fn a_later_generation_ends_what_was_done_to_an_earlier_one() {
    let mut driver = stopping();
    let generation = successor(&[], 0, 15..18).generation;
    let mut fx = Fx::new();
    driver.follow(&generation, &mut fx);
    assert_eq!(fx.sends, [told(7, HandoverProgress::Superseded { generation })]);
    assert!(!driver.is_busy());
}

#[test]
fn a_member_that_missed_the_beginning_is_made_to_begin_by_what_others_know() {
    let mut driver = driver(DRIVER);
    let fx = step(&mut driver, 13, Pending { epoch: Epoch(0) });
    let mut expected = Fx::new();
    let ask = ToMatchmaker::OriginA(OriginA { epoch: Epoch(0) });
    expected.broadcast(&nodes([11, 12]), ask);
    assert_eq!(fx, expected);
    let successor = successor(&[1], 1, 11..14);
    let fx = step(&mut driver, 11, crate::message::OriginB { successor: successor.clone() });
    let mut expected = Fx::new();
    expected.send(node(13), ToMatchmaker::ActivateA(Box::new(ActivateA { successor })));
    assert_eq!(fx, expected);
}

/// Drivers and matchmakers, and the messages between them; those to the operator are kept.
struct World {
    drivers: BTreeMap<NodeId, Reconfigurer>,
    matchmakers: BTreeMap<NodeId, Matchmaker>,
    network: VecDeque<(NodeId, NodeId, Message)>,
    retries: Vec<NodeId>,
    told: Vec<HandoverProgress>,
}

impl World {
    fn new() -> Self {
        let founders = (11..14).map(|seat| (node(seat), Matchmaker::new(founding())));
        let spares = (14..17).map(|seat| (node(seat), Matchmaker::pending()));
        let mut world = Self {
            drivers: [DRIVER, OTHER].map(|at| (at, driver(at))).into(),
            matchmakers: founders.chain(spares).collect(),
            network: VecDeque::new(),
            retries: Vec::new(),
            told: Vec::new(),
        };
        for matchmaker in world.matchmakers.values_mut().take(3) {
            let m = MatchA { epoch: Epoch(0), round: round(3), configuration: configuration(1) };
            matchmaker.on_message(OTHER, m.into(), &mut Effects::new());
        }
        world
    }

    fn ask(&mut self, driver: NodeId, m: HandoverA) {
        let m = ToProposer::from(ToReconfigurer::from(m)).into();
        self.network.push_back((OPERATOR, driver, m));
    }

    fn settle(&mut self, mut is_lost: impl FnMut(NodeId, &Message) -> bool) {
        while let Some((from, to, message)) = self.network.pop_front() {
            if !is_lost(to, &message) {
                self.deliver(from, to, message);
            }
        }
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, message: Message) {
        match message {
            Message::Matchmaker(m) => {
                let mut fx = Effects::new();
                let matchmaker = self.matchmakers.get_mut(&to).expect("a matchmaker");
                matchmaker.on_message(from, m, &mut fx);
                let sends = fx.sends.into_iter();
                self.network.extend(sends.map(|(other, m)| (to, other, m.into())));
            }
            Message::Proposer(m) => self.drive(to, |driver, fx| match m {
                ToProposer::Reconfigurer(m) => {
                    driver.on_message(from, m, &founding(), fx);
                }
                ToProposer::Matchmaker(FromMatchmaker::Stopped(m)) => {
                    driver.on_stopped(from, *m, &founding(), fx);
                }
                other => panic!("not for a driver: {other:?}"),
            }),
            Message::Application(ToApplication::HandoverB(m)) => self.told.push(m.progress),
            other => panic!("{other:?}"),
        }
    }

    fn drive(&mut self, at: NodeId, step: impl FnOnce(&mut Reconfigurer, &mut Fx)) {
        let mut fx = Fx::new();
        step(self.drivers.get_mut(&at).expect("a driver"), &mut fx);
        assert_eq!(fx.violations, []);
        if is_beaten(&fx) {
            self.retries.push(at);
        }
        self.network.extend(fx.sends.into_iter().map(|(to, message)| (at, to, message)));
    }

    /// The generation that the active matchmakers are of.
    fn active(&self) -> BTreeSet<Generation> {
        let active = self.matchmakers.values().filter(|matchmaker| matchmaker.is_active());
        active.filter_map(|matchmaker| matchmaker.generation().cloned()).collect()
    }
}

#[test]
fn two_drivers_of_one_generation_install_the_same_successor() {
    let mut world = World::new();
    world.ask(DRIVER, handover(7, [11, 14, 15]));
    world.ask(OTHER, handover(8, [13, 14, 16]));
    world.settle(|_, _| false);
    while let Some(at) = world.retries.pop() {
        let retry = ReconfigurerTimer::Decree(SynodTimer::Retry);
        world.drive(at, |driver, fx| driver.on_timer(retry, &founding(), fx));
        world.settle(|_, _| false);
    }
    assert_eq!(world.active().len(), 1, "{:?}", world.active());
    let finished =
        |progress: &&HandoverProgress| matches!(progress, HandoverProgress::Finished { .. });
    let superseded =
        |progress: &&HandoverProgress| matches!(progress, HandoverProgress::Superseded { .. });
    assert_eq!(world.told.iter().filter(finished).count(), 1, "{:?}", world.told);
    assert_eq!(world.told.iter().filter(superseded).count(), 1, "{:?}", world.told);
    for matchmaker in world.matchmakers.values().filter(|matchmaker| matchmaker.is_active()) {
        assert_eq!(matchmaker.log().keys().copied().collect::<Vec<_>>(), [round(3)]);
    }
}

#[test]
fn a_dead_new_matchmaker_delays_nothing() {
    let mut world = World::new();
    world.ask(DRIVER, handover(7, 14..17));
    world.settle(|to, _| to == node(16));
    let finished = matches!(world.told.last(), Some(HandoverProgress::Finished { .. }));
    assert!(finished, "{:?}", world.told);
}

#[test]
fn another_finishes_what_a_dead_driver_began_with_the_value_that_may_be_chosen() {
    let mut world = World::new();
    world.ask(DRIVER, handover(7, 14..17));
    // The votes are cast; the driver dies before it hears of them.
    let is_vote = |message: &Message| {
        matches!(message, Message::Proposer(ToProposer::Reconfigurer(ToReconfigurer::DecreeB(m)))
            if matches!(m.message, FromAcceptor::Phase2B(_)))
    };
    world.settle(|_, message| is_vote(message));
    assert!(world.active().is_empty(), "all have stopped");
    world.drivers.insert(DRIVER, driver(DRIVER));
    let m = Stopped { epoch: Epoch(0), successor: None };
    world.drive(OTHER, |driver, fx| driver.on_stopped(node(11), m, &founding(), fx));
    let patience = ReconfigurerTimer::Patience;
    world.drive(OTHER, |driver, fx| driver.on_timer(patience, &founding(), fx));
    world.settle(|_, _| false);
    let generation = Generation { epoch: Epoch(1), members: nodes(14..17) };
    assert_eq!(world.active(), [generation].into());
}
