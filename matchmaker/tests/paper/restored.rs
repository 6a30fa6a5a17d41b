//! A cluster that is founded from a snapshot. The paper has no snapshots; the claim is that of section
//! 4.1, of a leader that begins with a log of which all slots below one are chosen.

use paxos::slot::Slot;

use crate::cluster::*;
use crate::steps::*;

/// No slot below that of the snapshot is ever proposed, whether or not the archives have told the leader
/// what they hold: replicas would take no notice of what is chosen there.
#[test]
fn a_leader_goes_on_where_the_snapshot_ends() {
    let mut world = World::restored(Slot(7), "old");
    world.campaign(ONE);
    world.settle_but(|envelope| ARCHIVES.contains(&envelope.from));
    assert_eq!(world.leader(ONE).leads_in(), Some(round(0)));
    let fx = propose(&mut world, 0, "new");
    let proposed: Vec<_> = fx.sends.iter().map(|(_, message)| message.clone()).collect();
    assert_eq!(proposed, vec![phase2a(round(0), 7, batch(0, "new")); 3]);
    world.emit(ONE, fx);
    world.settle();
    world.campaign(TWO);
    world.settle();
    let fx = world.step(TWO, SESSION, request(1, "newer"));
    assert!(fx.is_empty());
    let fx = world.end_turn(TWO);
    let round = world.leader(TWO).leads_in().expect("it leads");
    assert!(fx.sends.iter().any(|(_, m)| *m == phase2a(round, 8, batch(1, "newer"))), "{fx:?}");
}
