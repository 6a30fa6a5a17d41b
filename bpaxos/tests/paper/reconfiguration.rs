//! The acceptors of a column are replaced while its commands are in flight.

use std::time::Duration;

use bpaxos::message::Message;
use bpaxos::vertex::Column;
use matchmaker::message::{Change, Progress, ReconfigureA, ToApplication, ToProposer};
use paxos::actor::NodeId;
use paxos::membership::Membership;
use paxos::message::ToAcceptor;
use paxos::quorum::QuorumSystem;

use crate::cluster::{A, ARCHIVES, B, NEW_REPLICA, PROPOSERS, REPLICAS, SESSIONS};
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

/// Asks the leader of each column for other acceptors.
fn reconfigure_all(world: &mut World, members: [NodeId; 3]) {
    for proposer in PROPOSERS {
        let (system, members) = (QuorumSystem::Majority, members.into());
        let m = ReconfigureA { token: 1, system, members, change: None };
        world.tell(proposer, Column(proposer), ToProposer::ReconfigureA(Box::new(m)));
    }
}

/// How many columns have come to `is_wanted`.
fn progress_count(world: &World, is_wanted: fn(&Progress) -> bool) -> usize {
    let progress = world.told.iter().filter_map(|message| match message {
        ToApplication::ReconfigureB(m) => Some(&m.progress),
        _ => None,
    });
    progress.filter(|progress| is_wanted(progress)).count()
}

/// No promise is asked for.
fn is_phase1a(_: NodeId, _: NodeId, message: &Message) -> bool {
    let Message::Column(m) = message else { return false };
    matches!(m.inner, matchmaker::message::Message::Acceptor(ToAcceptor::Phase1A(_)))
}

/// Matchmaker Paxos, section 6: BPaxos inherits reconfiguration from the consensus that it is made of. No
/// command is lost or becomes a noop, there is no Phase 1, and the old acceptors may be switched off.
#[test]
fn acceptors_of_all_columns_are_replaced_under_load() {
    let mut world = World::founded();
    world.barriers.push(is_phase1a);
    for step in 0..40 {
        for session in SESSIONS {
            world.call(session, &format!("a+{step}.{}", session.seat.0));
        }
        if step == 20 {
            reconfigure_all(&mut world, B);
        }
        world.run_for(Duration::from_micros(130));
    }
    assert!(world.run_until_returned(SECOND / 5), "{:?}", world.told);
    assert_eq!(progress_count(&world, |progress| matches!(progress, Progress::Active { .. })), 3);
    assert!(world.ghost.chosen.values().all(|proposal| proposal.is_some()));
    world.run_for(SECOND);
    assert_eq!(progress_count(&world, |p| matches!(p, Progress::Collected { .. })), 3);
    A.into_iter().for_each(|acceptor| world.crash(acceptor));
    world.call(SESSIONS[0], "a+last");
    assert!(world.run_until_returned(SECOND));
    world.barriers.clear();
    world.crash(PROPOSERS[0]);
    world.call(SESSIONS[1], "a+after the last");
    assert!(world.run_until_returned(5 * SECOND));
    world.ghost.check();
}

/// Columns move by themselves: one does not wait for another.
#[test]
fn a_column_moves_while_another_cannot() {
    let mut world = World::founded();
    let (system, members) = (QuorumSystem::Majority, B.into());
    let m = ReconfigureA { token: 1, system, members, change: None };
    world.tell(PROPOSERS[1], Column(PROPOSERS[1]), ToProposer::ReconfigureA(Box::new(m)));
    world.run_for(SECOND / 10);
    assert_eq!(progress_count(&world, |progress| matches!(progress, Progress::Active { .. })), 1);
    let members = |proposer: NodeId| {
        let leader = world.proposer(proposer).leader(Column(proposer)).expect("its own");
        leader.newest().members().to_vec()
    };
    assert_eq!(PROPOSERS.map(members), [A.to_vec(), B.to_vec(), A.to_vec()]);
}

/// Changes who takes part in every column, beside the acceptors.
fn change_all(world: &mut World, token: u64, change: impl Fn(&mut Membership)) {
    for proposer in PROPOSERS {
        let column = Column(proposer);
        let newest = world.proposer(proposer).leader(column).expect("its own").newest().clone();
        let mut membership = Membership::clone(newest.membership());
        change(&mut membership);
        let change = Some(Change { seen: newest.version(), membership });
        let (system, members) = (QuorumSystem::Majority, A.into());
        let m = ReconfigureA { token, system, members, change };
        world.tell(proposer, column, ToProposer::ReconfigureA(Box::new(m)));
    }
}

/// A replica joins when all archives have let go of what was first, gets a snapshot of another one, and
/// takes the place of one that leaves. Two of the three that are left then suffice.
#[test]
fn replicas_come_and_go() {
    let mut world = World::founded();
    for step in 0..20 {
        SESSIONS.iter().for_each(|session| {
            world.call(*session, &format!("a+{step}.{}", session.seat.0));
        });
        world.run_for(Duration::from_micros(300));
    }
    assert!(world.run_until_returned(SECOND));
    ARCHIVES.into_iter().for_each(|archive| world.compact(archive));
    world.run_for(SECOND);
    assert_eq!(world.compactions, 3);
    let [replica, archive] = NEW_REPLICA;
    world.restart(archive);
    world.restart(replica);
    change_all(&mut world, 1, |membership| {
        membership.replicas.insert(replica);
        membership.joining.insert(archive);
    });
    world.run_for(5 * SECOND);
    assert!(world.ghost.transfers.iter().any(|(_, to)| *to == replica));
    let executed = |world: &World, node: NodeId| world.replica(node).executed().clone();
    assert_eq!(executed(&world, replica), executed(&world, REPLICAS[1]));
    change_all(&mut world, 2, |membership| {
        membership.replicas.remove(&REPLICAS[0]);
        membership.archives = [ARCHIVES[1], ARCHIVES[2], archive].into();
        membership.joining.clear();
    });
    world.run_for(2 * SECOND);
    world.crash(REPLICAS[0]);
    world.crash(REPLICAS[1]);
    world.call(SESSIONS[2], "a+last");
    assert!(world.run_until_returned(2 * SECOND));
    world.run_for(2 * SECOND);
    assert_eq!(executed(&world, replica), executed(&world, REPLICAS[2]));
    let lists = [replica, REPLICAS[2]].map(|node| world.replica(node).machine().lists().clone());
    assert_eq!(lists[0], lists[1]);
    let persisted = |column: Column| {
        let archive = world.archive(archive).column(column).expect("known");
        archive.persisted_watermark()
    };
    assert!(PROPOSERS.map(Column).into_iter().all(|column| persisted(column).0 > 0));
    world.ghost.check();
}
