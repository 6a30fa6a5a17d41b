//! Directed runs: who may depose a leader, and who must.

use paxos::round::Round;

use super::network::MS;
use super::places::{PROCESSES, PROPOSER};
use super::{Event, Node, World};

/// Long enough for any election, many times over.
const LONG: u64 = 5000 * MS;

/// A cluster at rest, with a leader.
pub struct Rest {
    world: World,
    /// The process that leads.
    leader: usize,
    /// The others.
    others: [usize; 2],
}

/// A cut that outlasts every run.
const FOR_EVER: u64 = u64::MAX;

impl Rest {
    /// Starts a cluster without faults.
    pub fn new(seed: u64) -> Self {
        let mut world = World::new(seed, None, std::env::var("WORLD_TRACE").is_ok());
        world.queue.retain(|_, event| matches!(event, Event::Restart(_)));
        world.advance(1500 * MS).expect("nothing is broken");
        let leader = world.leading_process().expect("somebody leads");
        let others = [(leader + 1) % PROCESSES, (leader + 2) % PROCESSES];
        Self { world, leader, others }
    }

    fn round_of(&self, process: usize) -> Option<Round> {
        match self.world.processes[process].actors.get(PROPOSER)? {
            Node::Proposer(proposer) => proposer.leader().leads_in(),
            _ => None,
        }
    }

    fn cut(&mut self, from: usize, to: usize) {
        self.world.network.cut(from, to, FOR_EVER);
    }

    fn cut_both(&mut self, one: usize, other: usize) {
        self.cut(one, other);
        self.cut(other, one);
    }

    /// Lets time pass and says whether the leader was left alone all the while.
    fn is_undisturbed(&mut self, change: impl FnOnce(&mut Self)) -> bool {
        let before = self.round_of(self.leader);
        change(self);
        self.world.advance(LONG).expect("no promise is broken");
        before.is_some() && self.round_of(self.leader) == before
    }

    /// Partial partition: one follower cannot hear the leader, but hears all that the leader hears.
    pub fn a_follower_that_cannot_hear_the_leader_does_not_depose_it(mut self) -> bool {
        self.is_undisturbed(|rest| rest.cut_both(rest.leader, rest.others[0]))
    }

    /// A node is alone for a while, and comes back with whatever it did meanwhile.
    pub fn a_node_that_was_cut_off_does_not_disturb_the_leader(mut self) -> bool {
        self.is_undisturbed(|rest| {
            let [alone, other] = rest.others;
            rest.cut_both(alone, rest.leader);
            rest.cut_both(alone, other);
            rest.world.advance(LONG).expect("no promise is broken");
            rest.world.network.heal();
        })
    }

    /// A follower restarts.
    pub fn a_node_that_restarts_does_not_disturb_the_leader(mut self) -> bool {
        self.is_undisturbed(|rest| {
            let process = rest.others[0];
            rest.world.crash(process).expect("no promise is broken");
            rest.world.push(100 * MS, Event::Restart(process));
        })
    }

    /// Quorum loss: the leader is heard, and hears nobody. Followers get its heartbeats, so it must
    /// step down by itself. Returns whether another leads soon.
    pub fn a_leader_that_hears_no_quorum_makes_way(mut self) -> bool {
        for other in self.others {
            self.cut(other, self.leader);
        }
        self.world.advance(LONG).expect("no promise is broken");
        self.round_of(self.leader).is_none() && self.is_led_by_another()
    }

    /// The leader reaches nobody and nobody reaches it. Returns whether one of those that reach each
    /// other leads soon.
    pub fn whoever_reaches_a_quorum_leads_after_the_leader_is_lost(mut self) -> bool {
        let leader = self.leader;
        for other in self.others {
            self.cut_both(leader, other);
        }
        self.world.advance(LONG).expect("no promise is broken");
        self.round_of(leader).is_none() && self.is_led_by_another()
    }

    fn is_led_by_another(&self) -> bool {
        self.others.iter().any(|process| self.round_of(*process).is_some())
    }
}
