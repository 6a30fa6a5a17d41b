//! Directed runs: matchmakers are replaced, and machines stay away.

use std::ops::Range;

use paxos::quorum::QuorumSystem;
use simulator::MS;
use simulator::plan::{Plan, Role, Shape, Wish};
use simulator::workload::Objects;
use simulator::world::World;

/// Long enough for any election and handover, many times over.
const LONG: u64 = 5000 * MS;

const SEEDS: Range<u64> = 0..20;

/// A cluster of three at rest, with a leader and six matchmakers: each process has one that the cluster
/// was founded with, and a spare one.
struct Rest {
    world: World<Objects>,
    /// The process that leads.
    leader: usize,
}

impl Rest {
    fn new(seed: u64) -> Self {
        let mut world = World::new(Plan::quiet(seed, Shape::Three), Objects::default(), None);
        world.advance(1500 * MS).expect("nothing is broken");
        let leader = world.leading_process().expect("somebody leads");
        Self { world, leader }
    }

    fn pass(&mut self, time_us: u64) {
        self.world.advance(time_us).expect("no property is broken");
    }

    /// Asks the proposer of `driver` for the spare matchmakers.
    fn hand_over_to_spares(&mut self, driver: usize) -> u64 {
        self.world.wish(Wish::Matchmakers { matchmakers: vec![1, 3, 5], drivers: vec![driver] })
    }

    fn switch_off_founders(&mut self) {
        for node in self.world.places().founders().members {
            self.world.switch_off_for_good(node);
        }
    }

    /// Whether acceptors can be replaced: nothing else needs the matchmakers of a leader at work.
    fn has_matchmakers(&mut self) -> bool {
        let (system, acceptors) = (QuorumSystem::Majority, vec![1, 3, 5]);
        let token = self.world.wish(Wish::Acceptors { system, acceptors });
        for _ in 0..10 {
            self.pass(500 * MS);
            self.world.send_request(token);
        }
        self.world.is_active(token)
    }
}

#[test]
fn a_leader_is_not_disturbed_and_the_old_machines_are_not_needed() {
    for seed in SEEDS {
        let mut rest = Rest::new(seed);
        let round = rest.world.leads_in(rest.leader);
        let token = rest.hand_over_to_spares((rest.leader + seed as usize) % 3);
        rest.pass(LONG);
        assert!(rest.world.is_handed_over(token), "seed {seed}");
        assert_eq!(rest.world.leads_in(rest.leader), round, "seed {seed}");
        rest.switch_off_founders();
        assert!(rest.has_matchmakers(), "seed {seed}");
        rest.world.crash(rest.leader, true, LONG).expect("no property is broken");
        rest.pass(LONG - MS);
        assert!(rest.world.leading_process().is_some_and(|p| p != rest.leader), "seed {seed}");
    }
}

#[test]
fn one_new_matchmaker_that_is_away_delays_nothing_and_two_stop_nobody() {
    for seed in SEEDS {
        let mut rest = Rest::new(seed);
        let spares = rest.world.places().every(Role::Matchmaker);
        let m = Wish::Matchmakers { matchmakers: vec![1, 3, 5], drivers: vec![0] };
        let token = rest.world.wish(m);
        rest.world.switch_off_for_good(spares[5]);
        rest.pass(LONG);
        assert!(rest.world.is_handed_over(token), "seed {seed}");
        let mut rest = Rest::new(seed);
        let token = rest.hand_over_to_spares(0);
        rest.world.switch_off_for_good(spares[3]);
        rest.world.switch_off_for_good(spares[5]);
        rest.pass(LONG);
        assert!(!rest.world.is_handed_over(token), "seed {seed}");
        assert!(rest.has_matchmakers(), "seed {seed}");
    }
}

/// The driver dies at some point, and nobody asks again. Whatever it left, matchmakers are found.
#[test]
fn a_driver_that_dies_leaves_nothing_that_others_cannot_finish() {
    for seed in SEEDS.take(6) {
        for after_us in (0..12).map(|step| 300 + step * MS) {
            let mut rest = Rest::new(seed);
            let driver = (rest.leader + 1) % 3;
            rest.hand_over_to_spares(driver);
            rest.pass(after_us);
            rest.world.crash(driver, true, 100 * LONG).expect("no property is broken");
            assert!(rest.has_matchmakers(), "seed {seed}, dead after {after_us} us");
        }
    }
}
