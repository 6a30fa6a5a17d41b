//! Makes a failing run smaller: fewer faults, wishes, clients, calls, time and processes, as long as it
//! breaks the same property.

use std::collections::BTreeSet;

use crate::MS;
use crate::mutation::Mutation;
use crate::plan::{Plan, ProtocolName, Reduction, Shape};
use crate::properties::Failure;
use crate::swarm::run_seed;
use crate::world::Report;

/// A failing run, and what was left out of it.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What is left.
    pub reduction: Reduction,
    /// How it fails.
    pub failure: Failure,
    /// Runs that were tried.
    pub run_count: u64,
    /// Whether more runs might have made it smaller.
    pub is_exhausted: bool,
}

/// The search for a smaller run.
struct Search<'a> {
    protocol: ProtocolName,
    seed: u64,
    mutation: Option<Mutation>,
    runs_max: u64,
    run_count: u64,
    best: Reduction,
    /// How the smallest run fails: in the same way as the first.
    failure: Failure,
    /// Calls that were made in it.
    call_count: u64,
    /// Whether a run was wanted when no more were allowed.
    is_exhausted: bool,
    on_smaller: &'a mut dyn FnMut(&Reduction, u64),
}

/// Shrinks the run of a seed, or what is left of it already, with at most `runs_max` runs;
/// `on_smaller` is told of each smaller one.
/// None if the seed does not fail: there is nothing to shrink then.
///
/// Every reduction that is returned was run, and broke the same property.
pub fn shrink(
    (protocol, seed, start): (ProtocolName, u64, &Reduction),
    mutation: Option<Mutation>,
    runs_max: u64,
    on_smaller: &mut dyn FnMut(&Reduction, u64),
) -> Option<Shrunk> {
    let Report { failure, summary, .. } = run_seed(protocol, seed, start, mutation);
    let failure = failure?;
    let mut search = Search {
        protocol,
        seed,
        mutation,
        runs_max,
        run_count: 1,
        best: start.clone(),
        failure,
        call_count: summary.calls,
        is_exhausted: false,
        on_smaller,
    };
    search.run();
    let Search { best: reduction, failure, run_count, is_exhausted, .. } = search;
    Some(Shrunk { reduction, failure, run_count, is_exhausted })
}

impl Search<'_> {
    fn run(&mut self) {
        // Faults and wishes that were named are those of their own cluster.
        let is_free = self.best.faults.is_none() && self.best.wishes.is_none();
        for shape in [Shape::Three, Shape::Five].into_iter().filter(|_| is_free) {
            if self.plan().shape != shape
                && self.accept(Reduction { shape: Some(shape), ..self.best.clone() })
            {
                break;
            }
        }
        loop {
            let before = self.best.clone();
            self.shorten();
            self.drop_some(|plan| plan.faults.len(), |reduction| &mut reduction.faults);
            self.drop_some(|plan| plan.wishes.len(), |reduction| &mut reduction.wishes);
            self.lower(Plan::clients_of, 0, |reduction, n| reduction.clients = Some(n as usize));
            self.lower(Plan::calls_of, 0, |reduction, n| reduction.calls = Some(n));
            if self.best == before || self.is_exhausted {
                return;
            }
        }
    }

    /// The plan of the smallest failing run so far.
    fn plan(&self) -> Plan {
        Plan::draw_for(self.protocol, self.seed).reduced(&self.best)
    }

    /// Tries a smaller run; keeps it if it breaks the same property in the same way.
    fn accept(&mut self, reduction: Reduction) -> bool {
        self.is_exhausted |= self.run_count >= self.runs_max;
        if self.is_exhausted || reduction == self.best {
            return false;
        }
        self.run_count += 1;
        let Report { failure, summary, .. } =
            run_seed(self.protocol, self.seed, &reduction, self.mutation);
        match failure {
            Some(failure) if failure.is_like(&self.failure) => {
                (self.best, self.failure) = (reduction, failure);
                self.call_count = summary.calls;
                (self.on_smaller)(&self.best, self.run_count);
                true
            }
            _ => false,
        }
    }

    /// Ends the faults earlier.
    fn shorten(&mut self) {
        let mut step = self.plan().faulty_us / 2;
        while step > 20 * MS && !self.is_exhausted {
            let faulty_us = self.plan().faulty_us.saturating_sub(step);
            if !self.accept(Reduction { faulty_us: Some(faulty_us), ..self.best.clone() }) {
                step /= 2;
            }
        }
    }

    /// Leaves out parts of a list: halves first, then quarters, down to single ones.
    fn drop_some(
        &mut self,
        count: impl Fn(&Plan) -> usize,
        list: impl Fn(&mut Reduction) -> &mut Option<BTreeSet<usize>>,
    ) {
        let shape = Reduction { shape: self.best.shape, ..Reduction::default() };
        let all = 0..count(&Plan::draw_for(self.protocol, self.seed).reduced(&shape));
        let mut kept: Vec<usize> = match list(&mut self.best.clone()) {
            Some(kept) => kept.iter().copied().collect(),
            None => all.collect(),
        };
        let mut size = kept.len();
        while size > 0 && !self.is_exhausted {
            let mut start = 0;
            while start < kept.len() && !self.is_exhausted {
                let end = (start + size).min(kept.len());
                let fewer: Vec<usize> = [&kept[..start], &kept[end..]].concat();
                let mut reduction = self.best.clone();
                *list(&mut reduction) = Some(fewer.iter().copied().collect());
                if self.accept(reduction) {
                    kept = fewer;
                } else {
                    start = end;
                }
            }
            size /= 2;
        }
    }

    /// Lowers a number: to the least, and from there up. No number above the calls that were made
    /// makes a difference.
    fn lower(&mut self, of: impl Fn(&Plan) -> u64, least: u64, set: impl Fn(&mut Reduction, u64)) {
        let mut candidate = least;
        while candidate < of(&self.plan()).min(self.call_count) && !self.is_exhausted {
            let mut reduction = self.best.clone();
            set(&mut reduction, candidate);
            if self.accept(reduction) {
                return;
            }
            candidate = candidate.saturating_mul(2).max(candidate + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTOCOL: ProtocolName = ProtocolName::Matchmaker;

    #[test]
    fn a_healthy_run_is_not_shrunk() {
        assert!(shrink((PROTOCOL, 0, &Reduction::default()), None, 10, &mut |_, _| ()).is_none());
    }

    #[test]
    fn a_search_ends_with_its_budget_and_says_so() {
        let mutation = Some(Mutation::EarlyGarbage);
        for runs_max in [1, 4] {
            let shrunk =
                shrink((PROTOCOL, 0, &Reduction::default()), mutation, runs_max, &mut |_, _| ())
                    .expect("the seed fails");
            assert_eq!((shrunk.run_count, shrunk.is_exhausted), (runs_max, true));
        }
    }

    #[test]
    fn what_is_left_fails_in_the_same_way_and_is_smaller() {
        let mutation = Some(Mutation::ForgetPromise);
        let seed = (0..50)
            .find(|seed| {
                run_seed(PROTOCOL, *seed, &Reduction::default(), mutation).failure.is_some()
            })
            .expect("the bug is caught within fifty seeds");
        let shrunk = shrink((PROTOCOL, seed, &Reduction::default()), mutation, 60, &mut |_, _| ())
            .expect("the seed fails");
        let again = run_seed(PROTOCOL, seed, &shrunk.reduction, mutation);
        assert_eq!(again.failure, Some(shrunk.failure));
        let (plan, left) = (Plan::draw(seed), Plan::draw(seed).reduced(&shrunk.reduction));
        assert!(left.faults.len() < plan.faults.len());
        assert!(left.faulty_us < plan.faulty_us || left.wishes.len() < plan.wishes.len());
    }
}
