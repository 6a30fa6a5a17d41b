//! One measurement: a cluster, a load, and what came of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::clients::{Completion, Load};
use super::cluster::Size;
use super::costs::{Costs, Role};
use super::stopwatch::Stopwatch;
use super::subject::Subject;
use super::world::{Surroundings, World};
use crate::random::{Purpose, Random};

/// A cluster without a leader for so long never gets one.
const PATIENCE_NS: u64 = 10_000_000_000;

/// How often it is looked whether there is one.
const LOOK_NS: u64 = 10_000_000;

/// What an operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Other acceptors, drawn at random.
    Acceptors,
    /// Another leader.
    Leader,
}

/// What is measured.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The cluster.
    pub size: Size,
    /// Commands in one batch, at most.
    pub batch_max: usize,
    /// What clients do.
    pub load: Load,
    /// Links and hosts.
    pub surroundings: Surroundings,
    /// The load runs for so long before anything counts, in virtual nanoseconds.
    pub warm_up_ns: u64,
    /// What is measured after that.
    pub measured_ns: u64,
    /// What an operator wants, and when since the measured part began; in order.
    pub wishes: Vec<(u64, Wish)>,
}

/// How busy the processors of one module were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// The role, or `process` where there are several.
    pub module: String,
    /// Processors.
    pub count: usize,
    /// Of a thousand parts of the time, how many the busiest one was at work.
    pub busiest_permille: u64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Length of the measured part.
    pub measured_ns: u64,
    /// Commands that were answered in it, with times since it began.
    pub completions: Vec<Completion>,
    /// By module; the busiest first.
    pub usage: Vec<Usage>,
    /// Messages in the measured part, also within processes.
    pub messages: u64,
    /// Kinds of messages without a cost of their own, and how many there were.
    pub unpriced: BTreeMap<(Role, String), u64>,
}

impl Found {
    /// Commands per second.
    pub fn rate(&self) -> f64 {
        self.completions.len() as f64 * 1e9 / self.measured_ns as f64
    }

    /// The latency that so many of a thousand commands did not exceed; zero if there were none.
    pub fn latency_ns(&self, permille: usize) -> u64 {
        let mut all: Vec<u64> = self.completions.iter().map(|one| one.latency_ns).collect();
        all.sort_unstable();
        let rank = (all.len() * permille).div_ceil(1000).saturating_sub(1);
        all.get(rank).copied().unwrap_or_default()
    }

    /// The longest time without an answer to anybody.
    pub fn gap_ns(&self) -> u64 {
        let mut before = 0;
        let ends = self.completions.iter().map(|one| one.at_ns).chain([self.measured_ns]);
        ends.map(|at_ns| at_ns.saturating_sub(std::mem::replace(&mut before, at_ns)))
            .max()
            .unwrap_or_default()
    }

    /// The module whose processor had the least time to spare.
    pub fn bottleneck(&self) -> &str {
        self.usage.first().map_or("nobody", |usage| usage.module.as_str())
    }
}

/// Nobody leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaderless;

impl fmt::Display for Leaderless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = PATIENCE_NS / 1_000_000_000;
        write!(
            f,
            "nobody led after {seconds} virtual seconds: the costs are too high to lead at all"
        )
    }
}

impl std::error::Error for Leaderless {}

/// Starts a cluster, puts a load on it, and measures. The same setup and costs find the same.
///
/// *Errors*: the cluster gets no leader.
pub fn measure<S: Subject>(
    setup: &Setup,
    costs: &Costs,
    stopwatch: Option<&mut Stopwatch>,
) -> Result<Found, Leaderless> {
    let cluster = S::cluster(setup.size, setup.batch_max);
    let surroundings = setup.surroundings.clone();
    let mut world = World::<S>::new(cluster, costs, surroundings, setup.load, stopwatch);
    while !world.clients.has_begun() {
        if world.now_ns() >= PATIENCE_NS {
            return Err(Leaderless);
        }
        world.run(world.now_ns() + LOOK_NS);
    }
    world.run(world.now_ns() + setup.warm_up_ns);
    let (begun_ns, busy_before) = (world.now_ns(), world.busy_ns());
    let messages_before = world.messages;
    world.clients.completions.clear();
    let mut random = Random::stream(setup.load.seed, (Purpose::Operator, 0));
    for (number, (at_ns, wish)) in (1..).zip(&setup.wishes) {
        world.run(begun_ns + at_ns);
        tell(&mut world, number, *wish, &mut random);
    }
    world.run(begun_ns + setup.measured_ns);
    let busy_ns = world.busy_ns().into_iter().zip(busy_before).map(|(now, before)| now - before);
    let since = |one: &Completion| Completion { at_ns: one.at_ns - begun_ns, ..*one };
    Ok(Found {
        measured_ns: setup.measured_ns,
        completions: world.clients.completions.iter().map(since).collect(),
        usage: usage(&world.cluster().processors, busy_ns, setup.measured_ns),
        messages: world.messages - messages_before,
        unpriced: world.unpriced,
    })
}

fn tell<S: Subject>(world: &mut World<'_, S>, number: u64, wish: Wish, random: &mut Random) {
    let message = match wish {
        Wish::Acceptors => {
            let quorum = 2 * world.cluster().size.failures + 1;
            let mut pool: Vec<_> = world.cluster().nodes(Role::Acceptor).into_iter().collect();
            while pool.len() > quorum {
                pool.swap_remove(random.index(pool.len()));
            }
            S::reconfigure(number, &pool)
        }
        // It is told to those that lead already as well, who do nothing then.
        Wish::Leader => {
            let proposers: Vec<_> = world.cluster().nodes(Role::Proposer).into_iter().collect();
            let leader = world.clients.leader();
            let other = proposers.iter().find(|node| Some(**node) != leader);
            other.and_then(|node| S::transfer(*node))
        }
    };
    if let Some(message) = message {
        world.tell_proposers(&message);
    }
}

/// By module, the busiest first.
fn usage(
    modules: &[&'static str],
    busy_ns: impl Iterator<Item = u64>,
    measured_ns: u64,
) -> Vec<Usage> {
    let mut by_module: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for (module, busy_ns) in modules.iter().zip(busy_ns) {
        let (count, busiest_ns) = by_module.entry(module).or_default();
        (*count, *busiest_ns) = (*count + 1, (*busiest_ns).max(busy_ns));
    }
    let usage = by_module.into_iter().map(|(module, (count, busiest_ns))| Usage {
        module: module.to_owned(),
        count,
        busiest_permille: busiest_ns * 1000 / measured_ns.max(1),
    });
    let mut usage: Vec<Usage> = usage.collect();
    usage.sort_by_key(|usage| std::cmp::Reverse(usage.busiest_permille));
    usage
}
