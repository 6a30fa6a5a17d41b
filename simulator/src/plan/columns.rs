//! Plans for BPaxos: what is drawn beside what every plan has.

use std::num::NonZeroUsize;

use bpaxos::dependency_node::DependencyOptions;
use bpaxos::proposer::ProposerOptions;
use bpaxos::session::SessionOptions;

use paxos::actor::NodeId;

use super::draw::{CALM_US, faults, stall_and_kill};
use super::hunt::hunt_columns;
use super::{Place, Places, Plan, Planned, ProtocolName, Role, Shape, Wish};
use crate::MS;
use crate::random::{Purpose, Random};

/// What actors are told that only BPaxos has. What their leaders are told is as elsewhere.
#[derive(Clone, Debug, Default)]
pub struct ColumnOptions {
    /// Of proposers.
    pub proposer: ProposerOptions,
    /// Of dependency nodes.
    pub dependencies: DependencyOptions,
    /// Of sessions.
    pub session: SessionOptions,
}

impl Plan {
    /// The plan of `seed` for `protocol`.
    pub fn draw_for(protocol: ProtocolName, seed: u64) -> Self {
        match protocol {
            ProtocolName::Matchmaker => Self::draw(seed),
            ProtocolName::Bpaxos => Self::draw_bpaxos(seed),
        }
    }

    /// The plan of `seed` for BPaxos: the disks, links, clocks and clients of that for Matchmaker MultiPaxos.
    fn draw_bpaxos(seed: u64) -> Self {
        let mut plan = Self::draw(seed);
        let mut random = Random::stream(seed, (Purpose::Plan, 6));
        plan.protocol = ProtocolName::Bpaxos;
        plan.earlier = None;
        plan.options.columns = options(&mut random, plan.options.leader.pipeline_max);
        plan.options.columns.proposer.leader = plan.options.leader.clone();
        plan.options.columns.proposer.leader.healing.is_on = false;
        // An exchange of processes changes the members of one log; here there are many.
        let shape = if plan.shape == Shape::Pool { Shape::Three } else { plan.shape };
        plan.with_columns(shape)
    }

    /// The same run on another cluster.
    pub(super) fn with_columns(mut self, shape: Shape) -> Self {
        let mut random = Random::stream(self.seed, (Purpose::Plan, 7));
        let places = Places::of(ProtocolName::Bpaxos, shape);
        let count = places.process_count();
        self.shape = shape;
        let drift = random.pick([1, 100, 350, 600]);
        self.clocks =
            (0..count).map(|_| random.within(1000 - drift.min(500)..1000 + drift + 1)).collect();
        let mortal = random.permille(250).then(|| random.index(count));
        self.faults = faults(&mut random, count, mortal, self.faulty_us);
        stall_and_kill(self.seed, count, &mut self.faults);
        self.faults.extend(hunt_columns(self.seed, count, self.faulty_us));
        self.faults.sort_by_key(|fault| fault.at_us);
        self.wishes = wishes(&mut random, &places, mortal, self.faulty_us);
        self
    }
}

fn options(random: &mut Random, pipeline_max: u64) -> ColumnOptions {
    // What a restart leaves unused is filled with nothing, as many vertices at a time as may be under way.
    let is_tight = pipeline_max < 16;
    let mut block = |sizes: [u64; 4]| random.pick(sizes).min(if is_tight { 4 } else { u64::MAX });
    let (block, received) = (block([1, 4, 32, 1024]), block([1, 4, 32, 128]));
    let (proposer, session) = (ProposerOptions::default(), SessionOptions::default());
    let latest_max = random.pick([1, 1, 2, 3, 8]);
    ColumnOptions {
        proposer: ProposerOptions {
            batch_max: random.pick([1, 2, 64]),
            window_max: random.pick([1, 4, 4096]),
            block,
            ..proposer
        },
        dependencies: DependencyOptions {
            latest_max: NonZeroUsize::new(latest_max).unwrap_or(NonZeroUsize::MIN),
            block: received,
            uses_max: random.pick([0, 2, 16, 1 << 16]),
        },
        session: SessionOptions { window_max: random.pick([4, 16, 16_384]), ..session },
    }
}

/// Wishes for other acceptors of all columns, other matchmakers and other dependency nodes, now and then
/// several in a row.
fn wishes(
    random: &mut Random,
    places: &Places,
    mortal: Option<usize>,
    until: u64,
) -> Vec<Planned<Wish>> {
    let mut wishes = Vec::new();
    let mut at_us = CALM_US;
    while at_us < until {
        let is_burst = random.permille(300);
        at_us += random.within(if is_burst { 100..4 * MS } else { 50 * MS..900 * MS });
        let is_spread = mortal.is_some();
        let what = match random.within(0..10) {
            0..4 => {
                let pool = Wish::pool(random, (places, Role::Acceptor), is_spread, None);
                Wish::draw(random, pool)
            }
            4..6 => Wish::handover(random, places, is_spread, None),
            _ => Wish::service(random, places, is_spread, None),
        };
        wishes.push(Planned { at_us, what });
    }
    wishes
}

impl Wish {
    /// Three or five random dependency nodes, and the proposer that is asked for them: at most one of each process
    /// if a process may be lost for good, and none of the process `lost` if enough others are there.
    pub fn service(
        random: &mut Random,
        places: &Places,
        is_spread: bool,
        lost: Option<usize>,
    ) -> Self {
        let mut pool = Self::pool(random, (places, Role::DependencyNode), is_spread, lost);
        if pool.len() < 3 {
            pool = Self::pool(random, (places, Role::DependencyNode), is_spread, None);
        }
        let count = if pool.len() >= 5 && random.permille(300) { 5 } else { 3 };
        let dependency_nodes = (0..count).map(|_| pool.remove(random.index(pool.len()))).collect();
        let proposers = places.every(Role::Proposer);
        let is_lost = |node: &NodeId| {
            let at: Option<Place> = places.find(*node);
            lost.is_some() && at.map(|at| at.process) == lost
        };
        let living: Vec<usize> =
            (0..proposers.len()).filter(|index| !is_lost(&proposers[*index])).collect();
        let driver = random.pick([0, 1, 2]) % living.len();
        Self::Service { dependency_nodes, driver: living[driver] }
    }
}
