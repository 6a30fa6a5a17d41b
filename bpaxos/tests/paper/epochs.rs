//! The nodes of the dependency service are replaced while commands are in flight.

use std::time::Duration;

use bpaxos::message::{Message, ToDependencyNode};
use matchmaker::message::Epoch;
use paxos::actor::NodeId;

use crate::cluster::{DEPENDENCY_NODES, PROPOSERS, SESSIONS, SPARE_DEPENDENCY_NODES};
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

fn load(world: &mut World, step: u64) {
    for session in SESSIONS {
        world.call(session, &format!("a+{step}.{}", session.seat.0));
    }
    world.run_for(Duration::from_micros(130));
}

/// Everything computed in the new epoch depends on all that was computed before; the old nodes may go.
#[test]
fn the_service_moves_under_load() {
    let mut world = World::founded();
    for step in 0..40 {
        load(&mut world, step);
        if step == 20 {
            world.move_service(PROPOSERS[1], SPARE_DEPENDENCY_NODES);
        }
    }
    assert!(world.run_until_returned(SECOND));
    assert_eq!(world.services.len(), 1);
    let generation = &world.services[0].generation;
    assert_eq!(generation.epoch, Epoch(1));
    assert_eq!(generation.members, SPARE_DEPENDENCY_NODES.into());
    DEPENDENCY_NODES.into_iter().for_each(|node| world.crash(node));
    load(&mut world, 100);
    assert!(world.run_until_returned(SECOND));
    world.ghost.check();
}

/// The successor is not told to anybody.
fn is_begin_a(_: NodeId, _: NodeId, message: &Message) -> bool {
    matches!(message, Message::DependencyNode(ToDependencyNode::BeginA(_)))
}

/// Whoever finds the service stopped finishes the handover; the decree has chosen who comes after.
#[test]
fn another_proposer_finishes_what_a_dead_one_has_begun() {
    let mut world = World::founded();
    world.barriers.push(is_begin_a);
    world.move_service(PROPOSERS[1], SPARE_DEPENDENCY_NODES);
    world.run_for(SECOND / 20);
    world.crash(PROPOSERS[1]);
    world.barriers.clear();
    load(&mut world, 1);
    assert!(world.run_until_returned(5 * SECOND));
    DEPENDENCY_NODES.into_iter().for_each(|node| world.crash(node));
    load(&mut world, 2);
    assert!(world.run_until_returned(5 * SECOND));
    world.ghost.check();
}

/// Only the last of the next nodes is told that it serves, and those that have stopped are.
fn is_begin_a_to_most(_: NodeId, to: NodeId, message: &Message) -> bool {
    is_begin_a(to, to, message) && SPARE_DEPENDENCY_NODES[..2].contains(&to)
}

/// Proposers that are sent on by the old nodes see to it that the next ones have begun.
#[test]
fn nodes_that_were_not_told_to_begin_are_told_by_whoever_asks_them() {
    let mut world = World::founded();
    world.barriers.push(is_begin_a_to_most);
    world.move_service(PROPOSERS[1], SPARE_DEPENDENCY_NODES);
    world.run_for(SECOND / 20);
    world.crash(PROPOSERS[1]);
    load(&mut world, 1);
    world.run_for(SECOND / 20);
    world.barriers.clear();
    assert!(world.run_until_returned(5 * SECOND));
    DEPENDENCY_NODES.into_iter().for_each(|node| world.crash(node));
    world.crash(SPARE_DEPENDENCY_NODES[2]);
    load(&mut world, 2);
    assert!(world.run_until_returned(5 * SECOND));
    world.ghost.check();
}

/// A node that was down when its epoch began is told by whoever asks it.
#[test]
fn a_node_that_was_down_takes_part_when_it_is_back() {
    let mut world = World::founded();
    world.crash(SPARE_DEPENDENCY_NODES[0]);
    world.move_service(PROPOSERS[1], SPARE_DEPENDENCY_NODES);
    world.run_for(5 * SECOND);
    world.restart(SPARE_DEPENDENCY_NODES[0]);
    load(&mut world, 1);
    assert!(world.run_until_returned(SECOND));
    world.run_for(SECOND);
    world.crash(SPARE_DEPENDENCY_NODES[2]);
    load(&mut world, 2);
    assert!(world.run_until_returned(5 * SECOND));
    world.ghost.check();
}

/// Nodes that are not there stop nobody.
#[test]
fn a_service_that_does_not_answer_is_not_moved_to() {
    let mut world = World::founded();
    SPARE_DEPENDENCY_NODES[1..].iter().for_each(|node| world.crash(*node));
    world.move_service(PROPOSERS[1], SPARE_DEPENDENCY_NODES);
    load(&mut world, 1);
    assert!(world.run_until_returned(SECOND));
    assert!(world.services.is_empty());
}
