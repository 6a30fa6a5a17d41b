//! Random worlds: messages are lost, repeated and overtake each other, processes die and come back,
//! acceptors are replaced, and all claims hold. Then the world is healed, and everything comes to an end.

use std::collections::BTreeSet;
use std::time::Duration;

use bpaxos::message::MatchmakersOutcome;
use bpaxos::vertex::Column;
use matchmaker::message::{ReconfigureA, ToProposer};
use paxos::actor::NodeId;
use paxos::quorum::QuorumSystem;

use crate::cluster::{
    A, ARCHIVES, B, DEPENDENCY_NODES, MATCHMAKERS, NEWCOMER, Options, PROPOSERS, REPLICAS,
    SESSIONS, SPARE_DEPENDENCY_NODES, SPARE_MATCHMAKERS,
};
use crate::world::{Weather, World};

/// Nodes of which one may be down at any time without harm to liveness, group by group.
const GROUPS: [[NodeId; 3]; 8] = [
    PROPOSERS,
    MATCHMAKERS,
    A,
    B,
    REPLICAS,
    DEPENDENCY_NODES,
    SPARE_DEPENDENCY_NODES,
    SPARE_MATCHMAKERS,
];

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
    /// Replacements of the matchmakers of all columns.
    pub(crate) move_count: usize,
    /// Logs that were made short.
    pub(crate) compaction_count: u64,
    /// Snapshots that were written down.
    pub(crate) kept_count: usize,
    /// Snapshots that went from one replica to another.
    pub(crate) transfer_count: usize,
    /// Calls that returned.
    pub(crate) return_count: usize,
}

/// One fault or call.
fn disturb(world: &mut World, step: u64) {
    match world.draw(47) {
        0 => {
            let group = GROUPS[world.draw(8) as usize];
            let victim = group[world.draw(3) as usize];
            if group.iter().all(|node| world.is_up(*node)) {
                world.crash(victim);
            }
        }
        1..=3 => {
            let group = GROUPS[world.draw(8) as usize];
            group.iter().for_each(|node| {
                if !world.is_up(*node) {
                    world.restart(*node);
                }
            });
        }
        4..=5 => {
            // More than one in two is a proposer: it has the most to forget.
            let group = GROUPS[(world.draw(15) as usize).saturating_sub(7)];
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
                world.tell(*proposer, column, ToProposer::ReconfigureA(Box::new(message.clone())));
            });
        }
        16 if world.is_up(NEWCOMER) => world.crash(NEWCOMER),
        16 => world.restart(NEWCOMER),
        15 => {
            let members = if world.draw(2) == 0 { MATCHMAKERS } else { SPARE_MATCHMAKERS };
            let proposer = PROPOSERS[world.draw(3) as usize];
            world.move_matchmakers(proposer, members);
        }
        12 | 13 => {
            let archive = ARCHIVES[world.draw(3) as usize];
            world.compact(archive);
        }
        14 => {
            let group = GROUPS[world.draw(8) as usize];
            let node = group[world.draw(3) as usize];
            world.compact(node);
            // Of the checkpoint there may be the beginning only.
            if world.draw(2) == 0 && world.is_up(node) {
                world.crash(node);
                world.restart(node);
            }
        }
        kind => call(world, kind, step),
    }
}

/// One call, of some kind.
fn call(world: &mut World, kind: u64, step: u64) {
    let key = KEYS[world.draw(2) as usize];
    let command = match kind {
        8..=10 => format!("{key}?{step}"),
        11 => format!("*{step}"),
        _ => format!("{key}+{step}"),
    };
    let session = SESSIONS[world.draw(3) as usize];
    world.call(session, &command);
}

/// Runs the world of `seed`.
pub(crate) fn run(seed: u64, coverage: &mut Coverage) {
    let options = Options {
        latest_max: 1 + (seed % 3) as usize,
        block: 1 + seed % 7,
        batch_max: 1 + (seed % 2) as usize,
        tail_bytes: [0, 200][(seed % 2) as usize],
        uses_max: (seed % 5) as usize,
        is_forgetful: false,
    };
    let mut world = World::new(seed, options);
    let slowest = [200, 2_000, 20_000][world.draw(3) as usize];
    let (loss, repeat) = (10 + world.draw(30), 5 + world.draw(30));
    let sync = [0, 300, 5_000][world.draw(3) as usize];
    world.weather = Weather { delay: 50..slowest, loss, repeat, sync };
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
    world.restart(NEWCOMER);
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
    let is_moved = |outcome: &&_| matches!(outcome, MatchmakersOutcome::Moved { .. });
    coverage.move_count += world.moves.iter().filter(is_moved).count();
    coverage.compaction_count += world.compactions;
    coverage.kept_count += world.ghost.kept.len();
    coverage.transfer_count += world.ghost.transfers.len();
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
    for seed in seeds() {
        println!("seed {seed}");
        run(seed, &mut coverage);
    }
    println!("{coverage:?}");
    let is_varied = coverage.noop_count > 0 && coverage.active_count > 0;
    assert!(coverage.move_count > 0, "{coverage:?}");
    let is_cut = coverage.compaction_count > 0 && coverage.transfer_count > 0;
    assert!(is_varied && is_cut && coverage.epoch_count > 0, "{coverage:?}");
}

/// The worlds that are tried: a few, or as many as `BPAXOS_SEEDS` says, or the one of `BPAXOS_SEED`.
fn seeds() -> std::ops::RangeInclusive<u64> {
    let wanted = |name: &str| std::env::var(name).ok().and_then(|number| number.parse().ok());
    match wanted("BPAXOS_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=wanted("BPAXOS_SEEDS").unwrap_or(12),
    }
}
