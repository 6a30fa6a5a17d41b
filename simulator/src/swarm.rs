//! Many runs, on several threads.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::mutation::{Description, Mutation};
use crate::panics::{self, Panic};
use crate::plan::{Plan, ProtocolName, Reduction};
use crate::properties::{self, Failure};
use crate::trace::Trace;
use crate::workload::Objects;
use crate::world::{self, Bpaxos, Matchmaker, Protocol, Report, Summary, World};

/// Which runs.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// What runs.
    pub protocol: ProtocolName,
    /// One run for each.
    pub seeds: Range<u64>,
    /// Threads.
    pub jobs: usize,
    /// No run begins after this time.
    pub time_max: Option<Duration>,
    /// The bug in each run.
    pub mutation: Option<Mutation>,
    /// Whether to stop at the first failure.
    pub stops_at_failure: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Runs that ended.
    pub run_count: u64,
    /// The sum of what they were like.
    pub summary: Summary,
    /// Seeds that failed, in order.
    pub failures: Vec<(u64, Failure)>,
    /// Real time.
    pub elapsed: Duration,
}

/// The run of one seed, or of what is left of it.
pub fn run_seed(
    protocol: ProtocolName,
    seed: u64,
    reduction: &Reduction,
    mutation: Option<Mutation>,
) -> Report {
    Mutation::select(mutation);
    let run = || {
        let plan = Plan::draw_for(protocol, seed).reduced(reduction);
        match protocol {
            ProtocolName::Matchmaker => {
                world::run::<_, Matchmaker>(plan, Objects::default(), mutation)
            }
            ProtocolName::Bpaxos => world::run::<_, Bpaxos>(plan, Objects::default(), mutation),
        }
    };
    panics::caught(run).unwrap_or_else(|panic| aborted(&panic))
}

/// The report of a run that did not come to its first event, or not past its last.
fn aborted(panic: &Panic) -> Report {
    let failure = properties::panicked(panic).err().map(|failure| *failure);
    Report { summary: Summary::default(), digest: 0, failure }
}

/// The same, with a trace of it; and with what each actor knew, if asked for.
pub fn trace_seed(
    protocol: ProtocolName,
    seed: u64,
    reduction: &Reduction,
    mutation: Option<Mutation>,
    has_states: bool,
) -> (Report, Option<Trace>) {
    Mutation::select(mutation);
    let run = || {
        let plan = Plan::draw_for(protocol, seed).reduced(reduction);
        match protocol {
            ProtocolName::Matchmaker => trace::<Matchmaker>(plan, mutation, has_states),
            ProtocolName::Bpaxos => trace::<Bpaxos>(plan, mutation, has_states),
        }
    };
    panics::caught(run).unwrap_or_else(|panic| (aborted(&panic), None))
}

fn trace<P: Protocol<Objects>>(
    plan: Plan,
    mutation: Option<Mutation>,
    has_states: bool,
) -> (Report, Option<Trace>) {
    let mut world = World::<_, P>::founded(plan, Objects::default(), mutation);
    world.record(has_states);
    (world.run(), world.into_trace())
}

/// A run of Matchmaker MultiPaxos, with what actors did, step by step, as lines of JSON: see
/// `simulator events --help`.
pub fn watch_seed(
    seed: u64,
    reduction: &Reduction,
    mutation: Option<Mutation>,
) -> (Report, Option<String>) {
    Mutation::select(mutation);
    let run = || {
        let plan = Plan::draw(seed).reduced(reduction);
        let mut world = World::new(plan, Objects::default(), mutation);
        world.watch();
        (world.run(), world.into_steps())
    };
    panics::caught(run).unwrap_or_else(|panic| (aborted(&panic), None))
}

impl Swarm {
    /// Runs all seeds; `on_run` is told of each that ended, from several threads.
    ///
    /// *Cost*: some hundred milliseconds for each seed and core.
    pub fn run(&self, on_run: impl Fn(u64, &Report) + Sync) -> Outcome {
        self.run_until(&AtomicBool::new(false), on_run)
    }

    /// The same, until somebody says that it is over. Runs that are under way come to their end.
    pub fn run_until(&self, is_over: &AtomicBool, on_run: impl Fn(u64, &Report) + Sync) -> Outcome {
        let start = Instant::now();
        let next = AtomicU64::new(self.seeds.start);
        let has_failed = AtomicBool::new(false);
        let outcome = Mutex::new(Outcome::default());
        thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    let is_ended = || [is_over, &has_failed].map(|f| f.load(Ordering::Relaxed));
                    while is_ended() == [false, false] {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        let is_late = self.time_max.is_some_and(|max| start.elapsed() > max);
                        if seed >= self.seeds.end || is_late {
                            break;
                        }
                        let report =
                            run_seed(self.protocol, seed, &Reduction::default(), self.mutation);
                        on_run(seed, &report);
                        let is_failure = report.failure.is_some();
                        if let Ok(mut outcome) = outcome.lock() {
                            outcome.add(seed, report);
                        }
                        if is_failure && self.stops_at_failure {
                            has_failed.store(true, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let mut outcome = outcome.into_inner().unwrap_or_default();
        outcome.failures.sort_by_key(|(seed, _)| *seed);
        outcome.elapsed = start.elapsed();
        outcome
    }
}

impl Outcome {
    fn add(&mut self, seed: u64, report: Report) {
        self.run_count += 1;
        self.summary.add(&report.summary);
        self.failures.extend(report.failure.map(|failure| (seed, failure)));
    }
}

/// What caught a bug.
#[derive(Clone, Debug)]
pub struct Caught {
    /// The first seed that failed, and how.
    pub first: Option<(u64, Failure)>,
    /// Whether a property failed that is meant for the bug.
    pub is_as_meant: bool,
}

/// Runs seeds with a bug until one fails.
pub fn catch(protocol: ProtocolName, bug: &Description, seeds: Range<u64>, jobs: usize) -> Caught {
    let mutation = Some(bug.mutation);
    let swarm = Swarm { protocol, seeds, jobs, time_max: None, mutation, stops_at_failure: true };
    let first = swarm.run(|_, _| ()).failures.into_iter().next();
    let meant = bug.caught_by;
    let is_as_meant =
        first.as_ref().is_some_and(|(_, failure)| meant.contains(&failure.property.id));
    Caught { first, is_as_meant }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Vec<serde_json::Value> {
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    #[test]
    fn watching_changes_nothing_and_tells_what_is_durable() {
        let reduction = Reduction { calls: Some(2), ..Reduction::default() };
        let (report, steps) = watch_seed(4, &reduction, None);
        let unwatched = run_seed(ProtocolName::Matchmaker, 4, &reduction, None);
        assert_eq!((report.digest, report.failure), (unwatched.digest, None));
        let events = events(&steps.expect("it was watched"));
        let wrote = |kind: &str| {
            let records = events.iter().filter_map(|event| event["wrote"].as_array()).flatten();
            records.filter(|record| record.get(kind).is_some()).count() as u64
        };
        assert!(wrote("voted") >= report.summary.slots, "each slot has votes");
        assert!(wrote("registered") > 0 && wrote("collected") > 0 && wrote("stored") > 0);
        let leads = events.iter().filter(|event| event["leads"].is_array()).count() as u64;
        assert!(leads >= report.summary.activations, "{leads} rounds were led in");
    }
}
