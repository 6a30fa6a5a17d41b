//! Random worlds: messages are lost, repeated and overtake each other, processes die and come back,
//! acceptors are replaced, and all claims hold. Then the world is healed, and everything comes to an end.

use std::collections::BTreeSet;
use std::time::Duration;

use bpaxos::vertex::Column;
use matchmaker::message::{ReconfigureA, ToProposer};
use paxos::actor::NodeId;
use paxos::quorum::QuorumSystem;

use crate::world::{
    A, B, DEPENDENCY_NODES, MATCHMAKERS, Options, PROPOSERS, REPLICAS, SESSIONS,
    SPARE_DEPENDENCY_NODES, Weather, World,
};

/// Nodes of which one may be down at any time without harm to liveness, group by group.
const GROUPS: [[NodeId; 3]; 7] =
    [PROPOSERS, MATCHMAKERS, A, B, REPLICAS, DEPENDENCY_NODES, SPARE_DEPENDENCY_NODES];

const KEYS: [&str; 2] = ["a", "b"];

/// What there was to see in some runs.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    /// Vertices that hold commands.
    pub(crate) command_count: usize,
    /// Vertices that hold nothing.
    pub(crate) noop_count: usize,
    /// Reconfigurations that came to be active.
    pub(crate) active_count: usize,
    /// Moves of the dependency service that were reported.
    pub(crate) epoch_count: usize,
    /// Calls that returned.
    pub(crate) return_count: usize,
}

/// One fault or call.
fn disturb(world: &mut World, step: u64) {
    match world.draw(40) {
        0 => {
            let group = GROUPS[world.draw(7) as usize];
            let victim = group[world.draw(3) as usize];
            if group.iter().all(|node| world.is_up(*node)) {
                world.crash(victim);
            }
        }
        1..=3 => {
            let group = GROUPS[world.draw(7) as usize];
            group.iter().for_each(|node| {
                if !world.is_up(*node) {
                    world.restart(*node);
                }
            });
        }
        4..=5 => {
            // More than one in two is a proposer: it has the most to forget.
            let group = GROUPS[(world.draw(13) as usize).saturating_sub(6)];
            let node = group[world.draw(3) as usize];
            if world.is_up(node) {
                world.crash(node);
                world.restart(node);
            }
        }
        7 => {
            let members =
                if world.draw(2) == 0 { DEPENDENCY_NODES } else { SPARE_DEPENDENCY_NODES };
            let proposer = PROPOSERS[world.draw(3) as usize];
            world.move_service(proposer, members);
        }
        6 => {
            let column = Column(PROPOSERS[world.draw(3) as usize]);
            let members: BTreeSet<NodeId> = if world.draw(2) == 0 { A } else { B }.into();
            let system = QuorumSystem::Majority;
            let message = ReconfigureA { token: step, system, members, change: None };
            PROPOSERS.iter().for_each(|proposer| {
                world.tell(*proposer, column, ToProposer::ReconfigureA(message.clone()));
            });
        }
        kind => {
            let key = KEYS[world.draw(2) as usize];
            let command = match kind {
                8..=10 => format!("{key}?{step}"),
                11 => format!("*{step}"),
                _ => format!("{key}+{step}"),
            };
            let session = SESSIONS[world.draw(3) as usize];
            world.call(session, &command);
        }
    }
}

/// Runs the world of `seed`.
pub(crate) fn run(seed: u64, coverage: &mut Coverage) {
    let options = Options {
        latest_max: 1 + (seed % 3) as usize,
        block: 1 + seed % 7,
        batch_max: 1 + (seed % 2) as usize,
    };
    let mut world = World::new(seed, options);
    let slowest = [200, 2_000, 20_000][world.draw(3) as usize];
    let (loss, repeat) = (10 + world.draw(30), 5 + world.draw(30));
    world.weather = Weather { delay: 50..slowest, loss, repeat };
    let pause = 500 + world.draw(5_000);
    for step in 0..200 {
        disturb(&mut world, step);
        world.run_for(Duration::from_micros(pause));
    }
    world.weather = Weather::CALM;
    for node in GROUPS.into_iter().flatten().filter(|node| !world.is_up(*node)).collect::<Vec<_>>()
    {
        world.restart(node);
    }
    world.ghost.check();
    assert!(world.run_until_returned(Duration::from_secs(30)), "a call never returns");
    assert!(world.run_until_equal(Duration::from_secs(30)), "a vertex is never executed");
    world.ghost.check();
    let states = REPLICAS.map(|node| {
        let machine = world.replica(node).machine();
        (machine.lists(), machine.versions())
    });
    assert!(states[0] == states[1] && states[1] == states[2], "{states:?}");
    let noop_count = world.ghost.chosen.values().filter(|proposal| proposal.is_none()).count();
    coverage.noop_count += noop_count;
    coverage.command_count += world.ghost.chosen.len() - noop_count;
    coverage.epoch_count += world.services.len();
    coverage.return_count += world.returns.len();
    let progress = world.told.iter().filter_map(|message| match message {
        matchmaker::message::ToApplication::ReconfigureB(m) => Some(&m.progress),
        _ => None,
    });
    let is_active =
        |progress: &&_| matches!(progress, matchmaker::message::Progress::Active { .. });
    coverage.active_count += progress.filter(is_active).count();
}

#[test]
fn all_claims_hold_in_random_worlds() {
    let mut coverage = Coverage::default();
    for seed in 1..=seed_count() {
        println!("seed {seed}");
        run(seed, &mut coverage);
    }
    println!("{coverage:?}");
    let is_varied = coverage.noop_count > 0 && coverage.active_count > 0;
    assert!(is_varied && coverage.epoch_count > 0, "{coverage:?}");
}

/// How many worlds are tried: a few, or as many as `BPAXOS_SEEDS` says.
fn seed_count() -> u64 {
    let wanted = std::env::var("BPAXOS_SEEDS").ok();
    wanted.and_then(|count| count.parse().ok()).unwrap_or(12)
}
