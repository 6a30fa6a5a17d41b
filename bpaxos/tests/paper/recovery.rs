//! Vertices whose proposer has died.

use std::time::Duration;

use bpaxos::message::Message;
use matchmaker::message::{FromMatchmaker, ToProposer};
use paxos::actor::NodeId;
use paxos::message::{FromAcceptor, ToAcceptor};

use crate::cluster::{PROPOSERS, SESSIONS, vertex};
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

/// Nothing that the first proposer proposes arrives.
fn is_proposal_of_first(from: NodeId, _: NodeId, message: &Message) -> bool {
    let Message::Column(m) = message else { return false };
    let inner = &m.inner;
    let is_proposal =
        matches!(inner, matchmaker::message::Message::Acceptor(ToAcceptor::Phase2A(_)));
    from == PROPOSERS[0] && is_proposal
}

/// The first proposer hears of no vote.
fn is_vote_for_first(_: NodeId, to: NodeId, message: &Message) -> bool {
    let Message::Column(m) = message else { return false };
    let matchmaker::message::Message::Proposer(inner) = &m.inner else { return false };
    to == PROPOSERS[0] && matches!(inner, ToProposer::Acceptor(FromAcceptor::Phase2B(_)))
}

/// No other proposer can take over.
fn is_match_b(_: NodeId, _: NodeId, message: &Message) -> bool {
    let Message::Column(m) = message else { return false };
    let matchmaker::message::Message::Proposer(inner) = &m.inner else { return false };
    matches!(inner, ToProposer::Matchmaker(FromMatchmaker::MatchB(_)))
}

/// The session whose first proposer is the first one.
const FIRST_SESSION: NodeId = SESSIONS[1];

/// Has the first proposer put `a+lost` into its first vertex, behind `barrier`, and die.
fn first_proposer_dies(barrier: fn(NodeId, NodeId, &Message) -> bool) -> (World, u64) {
    let mut world = World::founded();
    world.barriers.push(barrier);
    let lost = world.call(FIRST_SESSION, "a+lost");
    world.run_for(SECOND / 50);
    assert!(!world.ghost.chosen.contains_key(&vertex(PROPOSERS[0], 0)));
    world.crash(PROPOSERS[0]);
    world.barriers.clear();
    (world, lost)
}

/// Section 3: a vertex that nobody voted on is filled with a noop. Its command goes into another vertex.
#[test]
fn a_vertex_that_was_never_proposed_is_filled() {
    let (mut world, lost) = first_proposer_dies(is_proposal_of_first);
    let other = world.call(SESSIONS[2], "a+other");
    assert!(world.run_until_returned(5 * SECOND));
    assert!(world.answer(lost).is_some() && world.answer(other).is_some());
    assert_eq!(world.ghost.chosen.get(&vertex(PROPOSERS[0], 0)), Some(&None));
    world.ghost.check();
}

/// Section 3: what may have been chosen is proposed again, with the dependencies that it had.
#[test]
fn a_vertex_with_votes_is_completed() {
    let (mut world, lost) = first_proposer_dies(is_vote_for_first);
    let other = world.call(SESSIONS[2], "a+other");
    assert!(world.run_until_returned(5 * SECOND));
    let chosen = world.ghost.chosen.get(&vertex(PROPOSERS[0], 0)).expect("chosen");
    let commands = chosen.as_ref().expect("no noop").commands();
    assert_eq!(&commands[0].payload.0[..], b"a+lost");
    assert!(world.answer(lost).is_some() && world.answer(other).is_some());
    world.ghost.check();
}

/// What waits for a dead proposer's vertex waits; what does not conflict with it goes on.
#[test]
fn only_what_conflicts_waits_for_recovery() {
    let (mut world, _) = first_proposer_dies(is_proposal_of_first);
    world.barriers.push(is_match_b);
    let (other, free) = (world.call(SESSIONS[2], "a+other"), world.call(SESSIONS[2], "b+free"));
    world.run_for(SECOND / 5);
    assert_eq!((world.answer(other), world.answer(free)), (None, Some(&b""[..])));
    world.barriers.clear();
    assert!(world.run_until_returned(8 * SECOND));
    assert!(world.answer(other).is_some());
}

/// A proposer that was taken for dead goes on behind all slots that it or the other one has used.
#[test]
fn an_owner_that_comes_back_uses_no_vertex_twice() {
    let (mut world, _) = first_proposer_dies(is_proposal_of_first);
    world.call(SESSIONS[2], "a+other");
    assert!(world.run_until_returned(5 * SECOND));
    world.restart(PROPOSERS[0]);
    world.run_for(SECOND);
    let next = world.proposer(PROPOSERS[0]).leader(vertex(PROPOSERS[0], 0).column);
    let next = next.and_then(|leader| leader.next_slot()).expect("it leads");
    assert!(next.0 >= 4, "a block of four was reserved: {next}");
    let before = world.ghost.chosen.len();
    // Sessions stay with whoever answers them. One that starts again begins with this proposer.
    world.crash(SESSIONS[1]);
    world.restart(SESSIONS[1]);
    for number in 0..3 {
        SESSIONS.iter().for_each(|session| {
            world.call(*session, &format!("a+{number}.{}", session.seat.0));
        });
        world.run_for(SECOND / 3);
    }
    assert!(world.run_until_returned(SECOND));
    assert!(world.ghost.chosen.len() > before);
    assert!(world.ghost.chosen.keys().any(|at| at.column.0 == PROPOSERS[0] && at.slot >= next));
    world.ghost.check();
}
