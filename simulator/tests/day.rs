//! A day of virtual time in which clients overwrite a few objects, and acceptors and matchmakers are replaced
//! over and over: no process ever holds more than a stated amount.

use paxos::quorum::QuorumSystem;
use simulator::MS;
use simulator::plan::{Plan, Planned, Shape, Wish};
use simulator::random::Random;
use simulator::workload::{CallRecord, Objects, Request, Workload};
use simulator::world::World;

const HOURS: u64 = 24;

const HOUR_US: u64 = 3_600_000 * MS;

/// An operator wants other acceptors or other matchmakers every so often.
const BETWEEN_WISHES_US: u64 = 180_000 * MS;

/// How often it is looked at what processes hold.
const LOOK_US: u64 = 60_000 * MS;

const COMPACT_ABOVE_BYTES: u64 = 64 << 10;

/// What has grown since the last compaction, and what grows until the next one has ended.
const LOG_BYTES_MAX: u64 = 2 * COMPACT_ABOVE_BYTES;

/// Values without a snapshot are a part of the log that has grown.
const VALUES_BYTES_MAX: usize = COMPACT_ABOVE_BYTES as usize;

/// A few for each client and acceptor.
const WAITING_MAX: usize = 50;

/// Clients that overwrite the same few objects all day. No lists: those would grow.
#[derive(Clone, Debug, Default)]
struct Overwrites(Objects);

impl Workload for Overwrites {
    type Machine = <Objects as Workload>::Machine;

    fn machine(&self) -> Self::Machine {
        self.0.machine()
    }

    fn next(&mut self, _: u64, random: &mut Random) -> Request {
        loop {
            let request = self.0.next(0, random);
            if !self.show(&request).starts_with("List") {
                return request;
            }
        }
    }

    fn judge(&self, calls: &[CallRecord]) -> Result<(), String> {
        self.0.judge(calls)
    }

    fn show(&self, request: &Request) -> String {
        self.0.show(request)
    }
}

fn wish(number: u64) -> Planned<Wish> {
    let half = |turn: u64| match turn.is_multiple_of(2) {
        true => vec![0, 2, 4],
        false => vec![1, 3, 5],
    };
    let what = match number.is_multiple_of(2) {
        true => Wish::Acceptors { system: QuorumSystem::Majority, acceptors: half(number / 2) },
        false => Wish::Matchmakers { matchmakers: half(number / 2), drivers: vec![0] },
    };
    Planned { at_us: (number + 1) * BETWEEN_WISHES_US, what }
}

/// A cluster in which every timer takes so many times as long as in production: most of a day is heartbeats.
const SLOWNESS: u64 = 20;

fn plan() -> Plan {
    let mut plan = Plan::quiet(1, Shape::Three);
    plan.clocks = vec![1000 * SLOWNESS; 3];
    plan.compact_above_bytes = COMPACT_ABOVE_BYTES;
    let snapshots = &mut plan.options.snapshots;
    (snapshots.chunk_bytes, snapshots.window, snapshots.tail_bytes) = (2000, 4, 4000);
    (plan.clients, plan.think_us, plan.calls_max) = (1, 1000 * MS..5000 * MS, u64::MAX);
    plan.wishes = (0..HOURS * HOUR_US / BETWEEN_WISHES_US).map(wish).collect();
    plan.faulty_us = HOURS * HOUR_US;
    plan
}

#[test]
fn nothing_grows_in_a_day() {
    let mut world = World::new(plan(), Overwrites::default(), None);
    for minute in 0..HOURS * HOUR_US / LOOK_US {
        world.advance(LOOK_US).expect("no property is broken");
        for process in 0..3 {
            let held = world.held(process);
            let is_within = held.log_bytes <= LOG_BYTES_MAX
                && held.values_bytes <= VALUES_BYTES_MAX
                && held.waiting_count <= WAITING_MAX;
            assert!(is_within, "after {minute} minutes p{process} holds {held:?}");
        }
    }
    let (executed, wished) = (world.held(0).executed_count, HOURS * HOUR_US / BETWEEN_WISHES_US);
    assert!(executed > 40_000, "clients were served: {executed}");
    let activations = world.summary().activations;
    assert!(activations >= wished / 2 - 1, "acceptors were replaced: {activations} of {wished}");
}
