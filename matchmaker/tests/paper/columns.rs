//! A leader takes values from beside it, in the order of the slots.

use paxos::slot::Slot;

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
