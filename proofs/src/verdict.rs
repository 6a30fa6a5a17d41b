//! Exploring one model, and what came of it.

use std::fmt::{self, Debug, Write};
use std::hash::Hash;
use std::time::{Duration, Instant};

use paxos::actor::Actor;
use paxos::mutant::Mutant;
use stateright::{Checker, Expectation, HasDiscoveries, Model, Path};

use crate::lift::{Ghost, Input, Lift, State, Step};
use crate::models::{Build, Instance};

/// An actor that the threads of the checker share.
trait Shared:
    Actor<Message: Send + Sync, Timer: Send + Sync, Record: Send + Sync>
    + Clone
    + Debug
    + Eq
    + Hash
    + Send
    + Sync
    + 'static
{
}

impl<A> Shared for A where
    A: Actor<Message: Send + Sync, Timer: Send + Sync, Record: Send + Sync>
        + Clone
        + Debug
        + Eq
        + Hash
        + Send
        + Sync
        + 'static
{
}

/// A run through a world.
type Run<A, G> = Path<State<A, G>, Step<A, <G as Ghost<A>>::Fact>>;

/// A state of a run, and the step that is taken there.
type Moment<A, G> = (State<A, G>, Option<Step<A, <G as Ghost<A>>::Fact>>);

/// What came of exploring a model.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// States that differ.
    pub states: usize,
    /// The longest run.
    pub depth: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether every state was seen.
    pub is_exhausted: bool,
    /// Situations that were not reached.
    pub unreached: Vec<&'static str>,
    /// The property that is broken, how many steps that takes, and which.
    pub broken: Option<(&'static str, usize, String)>,
    /// A message that was dropped and would have mattered later.
    pub forgotten: Option<String>,
}

impl Verdict {
    /// Whether the model shows what it is meant to.
    pub fn is_good(&self) -> bool {
        self.is_exhausted
            && self.unreached.is_empty()
            && self.broken.is_none()
            && self.forgotten.is_none()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, depth, elapsed, .. } = self;
        write!(f, "{states:>10} {depth:>6} {:>7.1} s  ", elapsed.as_secs_f64())?;
        match &self.broken {
            Some((property, steps, trace)) => {
                return write!(f, "{property} is broken in {steps} steps\n{trace}");
            }
            None if self.is_exhausted => write!(f, "exhausted")?,
            None => write!(f, "not exhausted")?,
        }
        if !self.unreached.is_empty() {
            write!(f, "; never: {}", self.unreached.join(", "))?;
        }
        match &self.forgotten {
            Some(message) => write!(f, "; dropped too early: {message}"),
            None => Ok(()),
        }
    }
}

/// What a fault was seen by.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The property that is broken, or the situation that is never reached any more.
    pub property: String,
    /// States that were seen until then.
    pub states: usize,
    /// How many steps the shortest run has that breaks it.
    pub steps: Option<usize>,
    /// That run.
    pub trace: String,
}

/// Explores `instance` within a time.
pub fn explore(instance: &Instance, threads: usize, limit: Duration) -> Verdict {
    match instance.build {
        Build::Log(build) => explore_world(build(None), threads, limit),
        Build::Graph(build) => explore_world(build(None), threads, limit),
    }
}

/// The shortest run that breaks a property of `instance` with a fault; or a situation that is never reached
/// with it; none within the time.
pub fn hunt(
    instance: &Instance,
    mutant: Option<Mutant>,
    threads: usize,
    limit: Duration,
) -> Option<Finding> {
    match instance.build {
        Build::Log(build) => hunt_in(build(mutant), threads, limit),
        Build::Graph(build) => hunt_in(build(mutant), threads, limit),
    }
}

/// Opens `instance` in the browser. Does not return.
pub fn serve(instance: &Instance, listen: &str) {
    match instance.build {
        Build::Log(build) => drop(build(None).checker().serve(listen)),
        Build::Graph(build) => drop(build(None).checker().serve(listen)),
    }
}

fn explore_world<A, G>(world: Lift<A, G>, threads: usize, limit: Duration) -> Verdict
where
    A: Shared,
    G: Ghost<A>,
{
    let started = Instant::now();
    let checker = world.checker().threads(threads).timeout(limit);
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    // A run that was cut short says so only by the time that it took.
    let is_exhausted = started.elapsed() < limit;
    let broken = broken(&checker);
    let forgotten = checker.model().check_forgetting().err();
    Verdict {
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        elapsed: started.elapsed(),
        is_exhausted: is_exhausted && broken.is_none(),
        unreached: unreached(&checker),
        broken: broken.map(|(name, run)| told(name, run)),
        forgotten,
    }
}

fn hunt_in<A, G>(world: Lift<A, G>, threads: usize, limit: Duration) -> Option<Finding>
where
    A: Shared,
    G: Ghost<A>,
{
    let started = Instant::now();
    let checker = world.checker().threads(threads).timeout(limit);
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let is_exhausted = started.elapsed() < limit;
    let states = checker.unique_state_count();
    if let Some((name, run)) = broken(&checker) {
        let (name, steps, trace) = told(name, run);
        return Some(Finding { property: name.to_owned(), states, steps: Some(steps), trace });
    }
    let never = unreached(&checker).into_iter().next().filter(|_| is_exhausted)?;
    checker.model().check_forgetting().ok()?;
    Some(Finding { property: format!("never: {never}"), states, steps: None, trace: String::new() })
}

/// Situations that were not reached.
fn unreached<A, G>(checker: &impl Checker<Lift<A, G>>) -> Vec<&'static str>
where
    A: Shared,
    G: Ghost<A>,
{
    let found = checker.discoveries();
    let properties = checker.model().properties().into_iter();
    let sometimes = properties.filter(|p| matches!(p.expectation, Expectation::Sometimes));
    sometimes.map(|property| property.name).filter(|name| !found.contains_key(name)).collect()
}

fn broken<A, G>(checker: &impl Checker<Lift<A, G>>) -> Option<(&'static str, Run<A, G>)>
where
    A: Shared,
    G: Ghost<A>,
{
    let found = checker.discoveries().into_iter();
    let mut failed: Vec<(&'static str, Run<A, G>)> = found
        .filter(|(name, _)| {
            let property = checker.model().property(name);
            matches!(property.expectation, Expectation::Always)
        })
        .collect();
    failed.sort_by_key(|(name, _)| *name);
    failed.into_iter().next()
}

fn told<A, G>(name: &'static str, run: Run<A, G>) -> (&'static str, usize, String)
where
    A: Shared,
    G: Ghost<A>,
{
    let complaint = run.last_state().complaint.as_ref().map(|complaint| (**complaint).clone());
    let run = run.into_vec();
    let mut text = trace(&run);
    if let Some(complaint) = complaint {
        text.push_str(&complaint);
    }
    (name, run.len() - 1, text)
}

/// A run for a reader: one line for each message that arrives or timer that fires, and below it what
/// leaves, and what others answer at once.
fn trace<A: Actor, G: Ghost<A>>(run: &[Moment<A, G>]) -> String {
    let mut text = String::new();
    for (number, pair) in run.windows(2).enumerate() {
        let [(before, Some(step)), (after, _)] = pair else { continue };
        for input in &step.inputs {
            let line = match input {
                Input::Message(m) => format!("{} <- {}  {:?}", m.to, m.from, m.message),
                Input::Timer(timer) => format!("seat {}  {timer:?}", step.seat),
                Input::Restart => format!("seat {}  crashes and restarts", step.seat),
            };
            text.push_str(&format!("{number:>4}  {line}\n"));
        }
        // Writing to a string does not fail.
        for sent in step.sent() {
            let _ = writeln!(text, "        -> {}  {:?}", sent.to, sent.message);
        }
        for m in after.answers(before, step) {
            let _ = writeln!(text, "        {} -> {}  {:?}", m.from, m.to, m.message);
        }
    }
    text
}
