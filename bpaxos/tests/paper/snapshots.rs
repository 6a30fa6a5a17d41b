//! Logs are made short, and whoever lags behind what is gone gets a snapshot.

use std::collections::BTreeMap;
use std::time::Duration;

use paxos::actor::NodeId;

use crate::cluster::{ARCHIVES, Options, PROPOSERS, REPLICAS, SESSIONS, vertex};
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

fn load(world: &mut World, steps: std::ops::Range<u64>) {
    for step in steps {
        for session in SESSIONS {
            world.call(
                session,
                &format!("{}+{step}.{}", ["a", "b"][step as usize % 2], session.seat.0),
            );
        }
        world.run_for(Duration::from_micros(300));
    }
    assert!(world.run_until_returned(SECOND));
}

/// The values before the snapshot are gone, and a replica that starts again has the same state.
#[test]
fn a_snapshot_takes_the_place_of_the_values_of_all_columns() {
    let mut world = World::founded();
    load(&mut world, 0..20);
    world.compact(ARCHIVES[0]);
    world.run_for(SECOND);
    assert_eq!(world.compactions, 1);
    assert_eq!(world.archive(ARCHIVES[0]).snapshot().0, 1);
    for proposer in PROPOSERS {
        let column = world.archive(ARCHIVES[0]).column(vertex(proposer, 0).column).expect("known");
        assert!(column.base().0 >= 20, "{}", column.base());
    }
    load(&mut world, 20..25);
    world.crash(REPLICAS[0]);
    world.restart(REPLICAS[0]);
    assert!(world.run_until_equal(SECOND));
    assert_eq!(world.replica(REPLICAS[0]).snapshot().0, 1);
    load(&mut world, 25..30);
    world.ghost.check();
}

/// All archives have let go of what a replica needs that was away: another replica gives it a snapshot.
#[test]
fn a_replica_that_was_away_for_long_gets_a_snapshot() {
    let mut world = World::founded();
    load(&mut world, 0..5);
    world.crash(REPLICAS[2]);
    for step in 5..20 {
        SESSIONS[..2].iter().for_each(|session| {
            world.call(*session, &format!("a+{step}.{}", session.seat.0));
        });
        world.run_for(Duration::from_micros(300));
    }
    ARCHIVES[..2].iter().for_each(|archive| world.compact(*archive));
    world.run_for(SECOND);
    assert_eq!(world.compactions, 2);
    world.restart(REPLICAS[2]);
    assert!(world.run_until_equal(10 * SECOND));
    assert!(world.ghost.transfers.iter().any(|(_, to)| *to == REPLICAS[2]));
    let states = REPLICAS.map(|node| world.replica(node).machine().lists().clone());
    assert!(states[0] == states[1] && states[1] == states[2]);
    world.crash(REPLICAS[2]);
    world.restart(REPLICAS[2]);
    assert!(world.run_until_equal(SECOND), "what was taken is durable");
    load(&mut world, 20..25);
    world.ghost.check();
}

/// Commands of each session in one go.
const BURST: u64 = 100;

/// Has `count` commands executed, and all logs made short under way. The largest size of each node, when
/// nothing is in flight: how long its state is when it is written out, and how many records it has.
fn largest_sizes(world: &mut World, count: u64) -> BTreeMap<NodeId, (usize, usize)> {
    let mut largest = BTreeMap::new();
    for burst in 0..count / BURST / 3 {
        for (number, session) in (0..BURST).flat_map(|number| SESSIONS.map(|other| (number, other)))
        {
            let key = (burst * 7 + number * 31) % 500;
            world.call(session, &format!("k{key}+{burst}.{number}.{}", session.seat.0));
        }
        assert!(world.run_until_returned(10 * SECOND));
        if burst % 5 == 4 {
            world.compact_all();
            world.run_for(SECOND);
            for (node, (state, records)) in world.sizes() {
                let known = largest.entry(node).or_insert((0, 0));
                *known = (known.0.max(state), known.1.max(records));
            }
        }
    }
    largest
}

/// After so many commands no role has more than it had after a third of them, but for what chance makes of
/// the moment.
fn memory_stays_flat_over(count: u64) {
    let options =
        Options { batch_max: 64, uses_max: 200, is_forgetful: true, ..Options::default() };
    let mut world = World::new(1, options);
    world.run_for(SECOND / 10);
    let early = largest_sizes(&mut world, count / 3);
    let late = largest_sizes(&mut world, count - count / 3);
    println!("{early:?}\n{late:?}");
    for (node, (state, records)) in late {
        let (early_state, early_records) = early[&node];
        assert!(state <= early_state * 2 + 500, "{node}: {early_state}, then {state}");
        assert!(records <= early_records * 2 + 10, "{node}: {early_records}, then {records}");
    }
}

#[test]
fn memory_stays_flat() {
    memory_stays_flat_over(9_000);
}

#[test]
#[ignore = "takes a while: cargo test --release -p bpaxos --test paper memory -- --ignored"]
fn memory_stays_flat_for_long() {
    memory_stays_flat_over(200_000);
}
