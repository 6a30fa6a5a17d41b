//! Replicas that execute something else than others. Not in the paper, where machines are deterministic.

use std::collections::BTreeMap;

use matchmaker::leader::LeaderTimer;
use matchmaker::message::{Message, StatusA, ToApplication, ToProposer};
use paxos::actor::NodeId;
use paxos::message::ToSession;
use paxos::slot::Slot;

use crate::cluster::*;

fn run(world: &mut World, numbers: std::ops::Range<u64>) {
    for number in numbers {
        world.post(SESSION, ONE, request(number, "x"));
        world.settle();
    }
}

/// Where each replica that takes no part was found to differ, and where all differ.
fn quarantined(world: &mut World) -> (BTreeMap<NodeId, Slot>, Option<Slot>) {
    world.post(OPERATOR, ONE, ToProposer::StatusA(StatusA { token: 1 }).into());
    world.settle();
    match world.reports.pop() {
        Some(ToApplication::StatusB(m)) => (m.quarantined, m.disputed_at),
        other => panic!("no status: {other:?}"),
    }
}

#[test]
fn a_replica_that_differs_is_put_into_quarantine_and_shown() {
    let mut world = World::led();
    world.derange(REPLICAS[2]);
    world.fire(ONE, LeaderTimer::Heartbeat);
    world.settle();
    run(&mut world, 0..1);
    assert_eq!(quarantined(&mut world), (BTreeMap::new(), None), "not compared yet");
    run(&mut world, 1..6);
    assert_eq!(quarantined(&mut world), ([(REPLICAS[2], Slot(2))].into(), None));
    let told = world
        .delivered
        .iter()
        .filter(|envelope| matches!(envelope.message, Message::Session(ToSession::Quarantined(_))));
    assert!(told.into_iter().all(|envelope| envelope.from == REPLICAS[2]));
    assert_eq!(world.executed(REPLICAS[0]).len(), 6, "the others go on");

    // The next leader is told as well.
    world.campaign(ONE);
    world.settle();
    world.fire(ONE, LeaderTimer::Heartbeat);
    world.settle();
    assert_eq!(quarantined(&mut world), ([(REPLICAS[2], Slot(2))].into(), None));

    // A restart executes the log again, with a machine that is in order now.
    world.restart(REPLICAS[2]);
    world.fire(ONE, LeaderTimer::Heartbeat);
    world.settle();
    for _ in 0..3 {
        world.fetch(REPLICAS[2]);
        world.settle();
    }
    run(&mut world, 6..8);
    assert_eq!(quarantined(&mut world), (BTreeMap::new(), None));
    assert_eq!(world.executed(REPLICAS[2]).len(), 8);
}

#[test]
fn without_a_majority_nobody_is_put_into_quarantine() {
    let mut world = World::led();
    world.derange(REPLICAS[1]);
    world.crash(&[REPLICAS[2]]);
    world.fire(ONE, LeaderTimer::Heartbeat);
    world.settle();
    run(&mut world, 0..6);
    assert_eq!(quarantined(&mut world), (BTreeMap::new(), None), "the third one may tell");
    assert_eq!(world.executed(REPLICAS[1]).len(), 6);
}
