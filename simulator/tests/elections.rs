//! Directed runs: who may depose a leader, and who must.

use std::ops::Range;

use paxos::mutant::{self, Mutant};
use paxos::round::Round;
use simulator::MS;
use simulator::plan::{Plan, Shape, Wish};
use simulator::workload::Objects;
use simulator::world::World;

/// Long enough for any election, many times over.
const LONG: u64 = 5000 * MS;

/// A cut that outlasts every run.
const FOR_EVER: u64 = u64::MAX;

const SEEDS: Range<u64> = 0..20;

/// A cluster of three at rest, with a leader.
struct Rest {
    world: World<Objects>,
    /// The process that leads.
    leader: usize,
    /// The others.
    others: [usize; 2],
}

impl Rest {
    fn new(seed: u64) -> Self {
        let plan = Plan::quiet(seed, Shape::Three);
        let mut world = World::new(plan, Objects::default(), None);
        world.advance(1500 * MS).expect("nothing is broken");
        let leader = world.leading_process().expect("somebody leads");
        let others = [(leader + 1) % 3, (leader + 2) % 3];
        Self { world, leader, others }
    }

    fn cut_both(&mut self, one: usize, other: usize) {
        self.world.cut(one, other, FOR_EVER);
        self.world.cut(other, one, FOR_EVER);
    }

    fn pass(&mut self) {
        self.world.advance(LONG).expect("no property is broken");
    }

    /// Lets time pass and says whether the leader was left alone all the while.
    fn is_undisturbed(&mut self, change: impl FnOnce(&mut Self)) -> bool {
        let before: Option<Round> = self.world.leads_in(self.leader);
        change(self);
        self.pass();
        before.is_some() && self.world.leads_in(self.leader) == before
    }

    fn is_led_by_another(&self) -> bool {
        let is_led = |process: &usize| self.world.leads_in(*process).is_some();
        self.world.leads_in(self.leader).is_none() && self.others.iter().any(is_led)
    }

    /// Partial partition: one follower cannot hear the leader, but hears all that the leader hears.
    fn survives_a_follower_that_cannot_hear_it(mut self) -> bool {
        self.is_undisturbed(|rest| rest.cut_both(rest.leader, rest.others[0]))
    }

    /// A node is alone for a while, and comes back with whatever it did meanwhile.
    fn survives_a_node_that_was_cut_off(mut self) -> bool {
        self.is_undisturbed(|rest| {
            let [alone, other] = rest.others;
            rest.cut_both(alone, rest.leader);
            rest.cut_both(alone, other);
            rest.pass();
            rest.world.heal_network();
        })
    }

    fn survives_a_restart_of_a_follower(mut self) -> bool {
        self.is_undisturbed(|rest| {
            rest.world.crash(rest.others[0], true, 100 * MS).expect("no property is broken");
        })
    }

    /// Quorum loss: the leader is heard, and hears nobody. Followers get its heartbeats, so it must
    /// step down by itself.
    fn makes_way_when_it_hears_nobody(mut self) -> bool {
        for other in self.others {
            self.world.cut(other, self.leader, FOR_EVER);
        }
        self.pass();
        self.is_led_by_another()
    }

    /// The leader reaches nobody and nobody reaches it.
    fn makes_way_when_it_is_alone(mut self) -> bool {
        for other in self.others {
            self.cut_both(self.leader, other);
        }
        self.pass();
        self.is_led_by_another()
    }
}

fn always(holds: impl Fn(Rest) -> bool) {
    for seed in SEEDS {
        assert!(holds(Rest::new(seed)), "seed {seed}");
    }
}

#[test]
fn no_leader_is_deposed_by_a_node_that_merely_cannot_hear_it() {
    always(Rest::survives_a_follower_that_cannot_hear_it);
}

#[test]
fn a_partitioned_or_restarted_node_does_not_disturb_a_working_leader() {
    always(Rest::survives_a_node_that_was_cut_off);
    always(Rest::survives_a_restart_of_a_follower);
}

#[test]
fn a_leader_without_a_quorum_makes_way_for_one_that_has_it() {
    always(Rest::makes_way_when_it_hears_nobody);
    always(Rest::makes_way_when_it_is_alone);
}

#[test]
fn bugs_in_elections_are_noticed() {
    for mutant in [Mutant::CampaignOnSilence, Mutant::CampaignWithoutQuorum] {
        assert!(mutant::select(Some(mutant)), "tests are built with the bugs");
        let is_noticed = |seed: &u64| {
            !Rest::new(*seed).survives_a_follower_that_cannot_hear_it()
                || !Rest::new(*seed).survives_a_node_that_was_cut_off()
        };
        let noticed = SEEDS.into_iter().find(is_noticed);
        mutant::select(None);
        assert!(noticed.is_some(), "{mutant:?}");
    }
}

/// A configuration in which both members must write loses one of them. Nothing can be written until
/// others take their place, and that must be possible.
fn leaves_a_configuration_that_cannot_write(seed: u64) -> bool {
    use paxos::quorum::QuorumSystem;

    let mut rest = Rest::new(seed);
    let acceptors = rest.world.places().every(simulator::plan::Role::Acceptor);
    let wish =
        |system, acceptors: &[usize]| Wish::Acceptors { system, acceptors: acceptors.to_vec() };
    let both = rest.world.wish(wish(QuorumSystem::WriteAll, &[0, 2]));
    rest.pass();
    assert!(rest.world.is_active(both));
    rest.world.switch_off_for_good(acceptors[2]);
    rest.pass();
    let others = rest.world.wish(wish(QuorumSystem::Majority, &[1, 3, 5]));
    rest.world.switch_off_for_good(acceptors[2]);
    for _ in 0..10 {
        rest.world.advance(500 * MS).expect("no property is broken");
        rest.world.send_request(others);
    }
    rest.world.is_active(others)
}

#[test]
fn a_configuration_that_cannot_write_can_be_left() {
    assert!(leaves_a_configuration_that_cannot_write(1));
    assert!(mutant::select(Some(Mutant::CampaignByPhase2Quorum)), "tests are built with the bugs");
    let is_left = leaves_a_configuration_that_cannot_write(1);
    mutant::select(None);
    assert!(!is_left, "a proposer that needs a Phase 2 quorum cannot leave it");
}
