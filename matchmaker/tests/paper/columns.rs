//! A leader takes values from beside it, in the order of the slots.

use matchmaker::leader::LeaderOptions;
use paxos::command::Value;
use paxos::slot::Slot;
use paxos::wire::Payload;

use crate::cluster::*;
use crate::steps::*;

#[test]
fn a_value_from_beside_the_leader_takes_the_next_slot() {
    let mut world = World::led();
    propose(&mut world, 0, "a");
    let mut leader = world.leader(ONE).clone();
    assert_eq!(leader.next_slot(), Some(Slot(1)));
    let mut fx = Fx::new();
    assert_eq!(leader.propose(batch(1, "b"), &mut fx), Some(Slot(1)));
    assert_eq!(proposals(&fx), A.map(|acceptor| (acceptor, round(0), 1)));
    assert_eq!((fx.records.len(), leader.next_slot()), (0, Some(Slot(2))));
}

#[test]
fn who_does_not_lead_takes_nothing() {
    let world = World::led();
    let mut follower = world.leader(TWO).clone();
    let mut fx = Fx::new();
    assert_eq!((follower.next_slot(), follower.propose(batch(0, "a"), &mut fx)), (None, None));
    assert_eq!(fx, Fx::new());
}

/// As much again as the tail may have, and no more.
#[test]
fn what_an_archive_may_wait_for_has_room_beyond_the_tail() {
    let mut leader = World::led().leader(ONE).clone();
    let large = || Value::Batch(Payload::new(vec![0; LeaderOptions::default().tail_bytes_max]));
    let mut fx = Fx::new();
    assert_eq!((leader.is_full(), leader.propose(large(), &mut fx)), (false, Some(Slot(0))));
    assert_eq!((leader.is_full(), leader.propose(batch(0, "a"), &mut fx)), (true, None));
    assert_eq!(leader.propose_needed(large(), &mut fx), Some(Slot(1)));
    assert_eq!(leader.propose_needed(batch(0, "a"), &mut fx), None);
}
