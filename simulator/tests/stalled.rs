//! A process whose disk stands still costs itself what it misses, and the others neither disk nor memory.

use simulator::MS;
use simulator::plan::{Fault, Plan, Planned, Shape, Target};
use simulator::workload::Objects;
use simulator::world::World;

/// The process with that disk.
const STALLED: usize = 2;

/// For so long one sync takes.
const STALL_US: u64 = 8000 * MS;

/// When it begins.
const FROM_US: u64 = 3000 * MS;

/// How often it is looked at what the others hold.
const LOOK_US: u64 = 100 * MS;

const COMPACT_ABOVE_BYTES: u64 = 32 << 10;

/// With a state of less than that, and half of it for growth: three times the state and the growth.
const LOG_BYTES_MAX: u64 = 5 * COMPACT_ABOVE_BYTES;

/// Values without a snapshot are a part of the log that has grown.
const VALUES_BYTES_MAX: usize = COMPACT_ABOVE_BYTES as usize;

/// A few for each client and acceptor.
const WAITING_MAX: usize = 50;

/// A cluster under load in which the disk of a process stands still.
fn world(seed: u64, mut faults: Vec<Planned<Fault>>) -> World<Objects> {
    let mut plan = Plan::quiet(seed, Shape::Three);
    plan.compact_above_bytes = COMPACT_ABOVE_BYTES;
    let snapshots = &mut plan.options.snapshots;
    (snapshots.chunk_bytes, snapshots.window, snapshots.tail_bytes) = (2000, 4, 4000);
    (plan.clients, plan.think_us) = (2, MS..5 * MS);
    let (target, for_us) = (Target::Process(STALLED), STALL_US - MS);
    let what = Fault::SlowDisk { target, sync_us: STALL_US, for_us };
    faults.push(Planned { at_us: FROM_US, what });
    plan.faults = faults;
    World::new(plan, Objects::default(), None)
}

/// The others stay within stated bounds as long as it lasts, and the process catches up afterwards.
fn check(case: &str, mut world: World<Objects>) {
    world.advance(FROM_US).expect("no property is broken");
    let others = (0..3).filter(|process| *process != STALLED);
    for _ in 0..STALL_US / LOOK_US {
        world.advance(LOOK_US).expect("no property is broken");
        for process in others.clone() {
            let held = world.held(process);
            let is_within = held.log_bytes <= LOG_BYTES_MAX
                && held.values_bytes <= VALUES_BYTES_MAX
                && held.waiting_count <= WAITING_MAX;
            assert!(is_within, "{case}: p{process} holds {held:?}");
        }
    }
    let executed = others.map(|process| world.held(process).executed_count).max();
    assert!(executed > Some(1000), "{case}: clients were served, {executed:?}");
    // One that began just before the end lasts as long.
    world.advance(STALL_US + 4000 * MS).expect("no property is broken");
    let held = world.held(STALLED);
    assert!(Some(held.executed_count) >= executed, "{case}: {held:?} of {executed:?}");
    assert!(held.log_bytes <= LOG_BYTES_MAX, "{case}: {held:?}");
}

#[test]
fn a_disk_that_stands_still_costs_the_others_nothing() {
    for seed in 0..2 {
        check(&format!("seed {seed}"), world(seed, vec![]));
    }
}

/// It was dead until what it misses was gone at the others, and its disk stands still within the snapshot
/// that it is given: whoever gives one is not kept from compacting its own log.
#[test]
fn a_disk_that_stands_still_within_a_snapshot_costs_the_others_nothing() {
    for seed in 0..2 {
        let target = Target::Process(STALLED);
        let what = Fault::Crash { target, is_power_cut: true, down_us: 2200 * MS };
        check(&format!("seed {seed}"), world(seed, vec![Planned { at_us: 1000 * MS, what }]));
    }
}
