//! Exploring one model, and what came of it.

use std::fmt::{self, Write};
use std::time::{Duration, Instant};

use paxos::mutant::Mutant;
use stateright::{Checker, Expectation, HasDiscoveries, Model, Path};

use crate::cast::Role;
use crate::ghost::Fact;
use crate::lift::{Input, Step};
use crate::models::{Instance, World, WorldState};

/// A run through a model.
type Run = Path<WorldState, Step<Role, Fact>>;

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

/// Explores `instance`, with a fault or without, within a time.
pub fn explore(instance: &Instance, threads: usize, limit: Duration) -> Verdict {
    let started = Instant::now();
    let world = (instance.build)(None);
    let checker = world.checker().threads(threads).timeout(limit);
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    // A run that was cut short says so only by the time that it took.
    let is_exhausted = started.elapsed() < limit;
    let broken = broken(&checker);
    let found = checker.discoveries();
    let is_unreached = |property: &&stateright::Property<World>| {
        matches!(property.expectation, Expectation::Sometimes) && !found.contains_key(property.name)
    };
    let properties = checker.model().properties();
    let unreached = properties.iter().filter(is_unreached).map(|property| property.name).collect();
    let forgotten = checker.model().check_forgetting().err();
    Verdict {
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        elapsed: started.elapsed(),
        is_exhausted: is_exhausted && broken.is_none(),
        unreached,
        broken: broken.map(|(name, run)| told(name, run)),
        forgotten,
    }
}

/// The shortest run that breaks a property of `instance` with a fault, and how many states were seen
/// until then; none within the time.
pub fn hunt(
    instance: &Instance,
    mutant: Option<Mutant>,
    threads: usize,
    limit: Duration,
) -> (usize, Option<(&'static str, usize, String)>) {
    let world = (instance.build)(mutant);
    let checker = world.checker().threads(threads).timeout(limit);
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let broken = broken(&checker).map(|(name, run)| told(name, run));
    (checker.unique_state_count(), broken)
}

fn broken(checker: &impl Checker<World>) -> Option<(&'static str, Run)> {
    let found = checker.discoveries().into_iter();
    let mut failed: Vec<(&'static str, Run)> = found
        .filter(|(name, _)| {
            let property = checker.model().property(name);
            matches!(property.expectation, Expectation::Always)
        })
        .collect();
    failed.sort_by_key(|(name, _)| *name);
    failed.into_iter().next()
}

fn told(name: &'static str, run: Run) -> (&'static str, usize, String) {
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
fn trace(run: &[(WorldState, Option<Step<Role, Fact>>)]) -> String {
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
