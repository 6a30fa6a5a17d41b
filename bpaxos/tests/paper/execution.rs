//! Commands are executed once, in the same order where they conflict, and in any order where not.

use std::time::Duration;

use bpaxos::message::{Message, ToDependencyNode};
use paxos::actor::NodeId;

use crate::cluster::{DEPENDENCY_NODES, Options, PROPOSERS, REPLICAS, SESSIONS, vertex};
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

/// Section 3: every proposer works in its own column, and all replicas execute everything.
#[test]
fn every_proposer_serves() {
    let mut world = World::founded();
    for session in SESSIONS {
        world.call(session, &format!("a+{}", session.seat.0));
    }
    assert!(world.run_until_returned(SECOND) && world.run_until_equal(SECOND));
    for proposer in PROPOSERS {
        assert!(world.ghost.chosen.contains_key(&vertex(proposer, 0)), "{:?}", world.ghost.chosen);
    }
    let first = world.replica(REPLICAS[0]).machine().lists().clone();
    assert_eq!(first["a"].len(), 3);
    for replica in REPLICAS {
        assert_eq!(world.replica(replica).machine().lists(), &first);
    }
    world.ghost.check();
}

/// The first proposer is not answered by dependency nodes.
fn is_question_of_first(from: NodeId, _: NodeId, message: &Message) -> bool {
    let is_question = matches!(message, Message::DependencyNode(ToDependencyNode::DependencyA(_)));
    from == PROPOSERS[0] && is_question
}

/// Section 3: there is no leader. A proposer that is stuck delays its own commands and no others.
#[test]
fn a_stuck_proposer_delays_no_other() {
    let mut world = World::founded();
    world.barriers.push(is_question_of_first);
    let sessions = SESSIONS.map(|session| world.call(session, &format!("a+{}", session.seat.0)));
    world.run_for(SECOND / 10);
    let returned = sessions.map(|token| world.answer(token).is_some());
    assert_eq!(returned.iter().filter(|is_returned| **is_returned).count(), 2, "{returned:?}");
    world.barriers.clear();
    assert!(world.run_until_returned(SECOND));
}

/// Section 3: a read sees every write that returned before it was invoked, at whichever replica.
#[test]
fn reads_see_what_returned_before() {
    let mut world = World::founded();
    for (number, writer) in SESSIONS.into_iter().cycle().take(6).enumerate() {
        world.call(writer, &format!("a+{number}"));
        assert!(world.run_until_returned(SECOND));
        let reader = SESSIONS[(number + 1) % 3];
        let read = world.call(reader, &format!("a?{number}"));
        assert!(world.run_until_returned(SECOND));
        let words = String::from_utf8_lossy(world.answer(read).expect("returned")).into_owned();
        let expected: Vec<String> = (0..=number).map(|number| number.to_string()).collect();
        assert_eq!(words, expected.join(" "));
    }
}

/// Section 3: f nodes of the dependency service may be down.
#[test]
fn a_dead_dependency_node_stops_nothing() {
    let mut world = World::founded();
    world.crash(DEPENDENCY_NODES[1]);
    world.call(SESSIONS[0], "a+1");
    assert!(world.run_until_returned(SECOND));
}

/// A dependency node that has restarted names vertices that do not exist yet. They are filled, and what
/// depends on them is executed.
#[test]
fn a_restarted_dependency_node_holds_nothing_up_for_long() {
    let mut world = World::new(1, Options { block: 50, ..Options::default() });
    world.run_for(SECOND / 10);
    world.call(SESSIONS[0], "a+1");
    assert!(world.run_until_returned(SECOND));
    world.crash(DEPENDENCY_NODES[0]);
    world.restart(DEPENDENCY_NODES[0]);
    world.crash(DEPENDENCY_NODES[1]);
    let call = world.call(SESSIONS[1], "b+2");
    assert!(world.run_until_returned(4 * SECOND));
    assert_eq!(world.answer(call), Some(&b""[..]));
    let noop_count = world.ghost.chosen.values().filter(|proposal| proposal.is_none()).count();
    assert!(noop_count > 0, "{:?}", world.ghost.chosen);
    world.ghost.check();
}
