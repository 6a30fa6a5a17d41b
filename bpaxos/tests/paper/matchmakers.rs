//! The matchmakers of all columns are replaced while commands are in flight.

use std::time::Duration;

use bpaxos::message::{MatchmakersOutcome, Message};
use bpaxos::vertex::{Column, Vertex};
use matchmaker::message::{Message as ColumnMessage, ReconfigureA, ToMatchmaker, ToProposer};
use paxos::actor::NodeId;
use paxos::quorum::QuorumSystem;

use crate::cluster::{B, MATCHMAKERS, NEWCOMER, PROPOSERS, SESSIONS, SPARE_MATCHMAKERS};
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

fn load(world: &mut World, step: u64) {
    for session in SESSIONS {
        world.call(session, &format!("a+{step}.{}", session.seat.0));
    }
    world.run_for(Duration::from_micros(130));
}

fn is_moved(outcome: &MatchmakersOutcome) -> bool {
    matches!(outcome, MatchmakersOutcome::Moved { unaware } if unaware.is_empty())
}

/// One proposer is asked, and those of all columns are replaced; the old ones may be switched off.
#[test]
fn matchmakers_of_all_columns_are_replaced_under_load() {
    let mut world = World::founded();
    for step in 0..40 {
        load(&mut world, step);
        if step == 10 {
            world.move_matchmakers(PROPOSERS[1], SPARE_MATCHMAKERS);
        }
    }
    assert!(world.run_until_returned(SECOND));
    world.run_for(SECOND);
    assert!(world.moves.len() == 1 && is_moved(&world.moves[0]), "{:?}", world.moves);
    for (node, proposer) in SPARE_MATCHMAKERS.into_iter().zip(PROPOSERS) {
        let matchmaker = world.registry(node).column(Column(proposer)).expect("known");
        assert!(matchmaker.is_active());
    }
    MATCHMAKERS.into_iter().for_each(|node| world.crash(node));
    for proposer in PROPOSERS {
        let (system, members) = (QuorumSystem::Majority, B.into());
        let m = ReconfigureA { token: 1, system, members, change: None };
        world.tell(proposer, Column(proposer), ToProposer::ReconfigureA(Box::new(m)));
    }
    load(&mut world, 100);
    assert!(world.run_until_returned(SECOND));
    world.crash(PROPOSERS[0]);
    load(&mut world, 101);
    assert!(world.run_until_returned(8 * SECOND), "its column is taken over");
    world.ghost.check();
}

/// A proposer that is gone has left a column. It moves as well, though nobody leads it.
#[test]
fn the_column_of_a_dead_proposer_moves_too() {
    let mut world = World::founded();
    load(&mut world, 0);
    assert!(world.run_until_returned(SECOND));
    world.crash(PROPOSERS[0]);
    world.move_matchmakers(PROPOSERS[2], SPARE_MATCHMAKERS);
    world.run_for(8 * SECOND);
    let unaware = [PROPOSERS[0]].into();
    assert_eq!(world.moves, [MatchmakersOutcome::Moved { unaware }]);
    MATCHMAKERS.into_iter().for_each(|node| world.crash(node));
    for step in 1..4 {
        load(&mut world, step);
    }
    assert!(world.run_until_returned(8 * SECOND));
    let column = Column(PROPOSERS[0]);
    let found = SPARE_MATCHMAKERS.map(|node| world.registry(node).column(column).is_some());
    assert!(found.iter().filter(|is_known| **is_known).count() >= 2);
    world.ghost.check();
}

/// Matchmakers that are not there stop nobody.
#[test]
fn matchmakers_that_do_not_answer_are_not_moved_to() {
    let mut world = World::founded();
    SPARE_MATCHMAKERS[1..].iter().for_each(|node| world.crash(*node));
    world.move_matchmakers(PROPOSERS[0], SPARE_MATCHMAKERS);
    load(&mut world, 0);
    assert!(world.run_until_returned(SECOND));
    world.run_for(5 * SECOND);
    let silent = SPARE_MATCHMAKERS[1..].iter().copied().collect();
    assert_eq!(world.moves, [MatchmakersOutcome::Unreachable { silent }]);
}

/// Two operators want different matchmakers, each of another proposer: one of the two at most prevails, and
/// none of them undoes for ever what the other has done.
#[test]
fn two_requests_do_not_undo_each_other_for_ever() {
    let mut world = World::founded();
    load(&mut world, 0);
    assert!(world.run_until_returned(SECOND));
    // Each column takes its time: its driver waits for a proposer that is not there.
    world.crash(PROPOSERS[0]);
    world.move_matchmakers(PROPOSERS[1], SPARE_MATCHMAKERS);
    world.run_for(3 * SECOND / 2);
    world.move_matchmakers(
        PROPOSERS[2],
        [MATCHMAKERS[0], SPARE_MATCHMAKERS[0], SPARE_MATCHMAKERS[1]],
    );
    world.run_for(20 * SECOND);
    assert_eq!(world.moves.len(), 2, "{:?}", world.moves);
    world.moves.clear();
    world.move_matchmakers(PROPOSERS[1], SPARE_MATCHMAKERS);
    world.run_for(8 * SECOND);
    assert!(matches!(world.moves[..], [MatchmakersOutcome::Moved { .. }]), "{:?}", world.moves);
    world.ghost.check();
}

/// Nothing is activated.
fn is_activate_a(_: NodeId, _: NodeId, message: &Message) -> bool {
    let Message::Column(m) = message else { return false };
    matches!(m.inner, ColumnMessage::Matchmaker(ToMatchmaker::ActivateA(_)))
}

/// Whoever has something to ask of a column whose matchmakers have stopped finishes what was begun.
#[test]
fn what_a_dead_proposer_has_begun_is_finished_by_others() {
    let mut world = World::founded();
    load(&mut world, 0);
    world.barriers.push(is_activate_a);
    world.move_matchmakers(PROPOSERS[1], SPARE_MATCHMAKERS);
    world.run_for(SECOND / 10);
    world.crash(PROPOSERS[1]);
    world.barriers.clear();
    load(&mut world, 1);
    assert!(world.run_until_returned(5 * SECOND));
    world.move_matchmakers(PROPOSERS[0], SPARE_MATCHMAKERS);
    world.run_for(10 * SECOND);
    assert!(matches!(world.moves[..], [MatchmakersOutcome::Moved { .. }]), "{:?}", world.moves);
    MATCHMAKERS.into_iter().for_each(|node| world.crash(node));
    load(&mut world, 2);
    assert!(world.run_until_returned(8 * SECOND));
    world.ghost.check();
}

/// A proposer joins, with a column that begins at the matchmakers of its time; another one leaves for good.
/// Its column is taken over, and all vertices are executed.
#[test]
fn proposers_come_and_go() {
    let mut world = World::founded();
    load(&mut world, 0);
    world.move_matchmakers(PROPOSERS[1], SPARE_MATCHMAKERS);
    world.run_for(SECOND);
    assert!(is_moved(&world.moves[0]));
    MATCHMAKERS.into_iter().for_each(|node| world.crash(node));
    world.restart(NEWCOMER);
    world.run_for(SECOND);
    world.crash(PROPOSERS[0]);
    for step in 1..8 {
        load(&mut world, step);
        world.run_for(SECOND / 2);
    }
    assert!(world.run_until_returned(5 * SECOND) && world.run_until_equal(5 * SECOND));
    let is_used = |vertex: &Vertex| vertex.column == Column(NEWCOMER);
    assert!(world.ghost.chosen.keys().any(is_used), "sessions have found it");
    world.crash(NEWCOMER);
    load(&mut world, 8);
    assert!(world.run_until_returned(8 * SECOND), "others know where its matchmakers are");
    world.ghost.check();
}
