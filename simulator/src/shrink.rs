//! Makes a failing run smaller: fewer faults, wishes, clients, calls, time and processes, as long as it
//! breaks the same property.

use std::collections::BTreeSet;

use crate::MS;
use crate::mutation::Mutation;
use crate::plan::{Plan, Reduction, Shape};
use crate::properties::{Failure, Property};
use crate::swarm::run_seed;

/// A failing run, and what was left out of it.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What is left.
    pub reduction: Reduction,
    /// How it fails.
    pub failure: Failure,
    /// Runs that were tried.
    pub run_count: u64,
}

/// The search for a smaller run.
struct Search<'a> {
    seed: u64,
    mutation: Option<Mutation>,
    property: Property,
    runs_max: u64,
    run_count: u64,
    best: Reduction,
    failure: Failure,
    on_smaller: &'a mut dyn FnMut(&Reduction, u64),
}

/// Shrinks the run of `seed`, with at most `runs_max` runs; `on_smaller` is told of each smaller one.
/// None if the seed does not fail: there is nothing to shrink then.
///
/// Every reduction that is returned was run, and broke the same property.
pub fn shrink(
    seed: u64,
    mutation: Option<Mutation>,
    runs_max: u64,
    on_smaller: &mut dyn FnMut(&Reduction, u64),
) -> Option<Shrunk> {
    let failure = run_seed(seed, &Reduction::default(), mutation).failure?;
    let mut search = Search {
        seed,
        mutation,
        property: failure.property,
        runs_max,
        run_count: 1,
        best: Reduction::default(),
        failure,
        on_smaller,
    };
    search.run();
    let Search { best: reduction, failure, run_count, .. } = search;
    Some(Shrunk { reduction, failure, run_count })
}

impl Search<'_> {
    fn run(&mut self) {
        for shape in [Shape::Three, Shape::Five] {
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
            if self.best == before || self.run_count >= self.runs_max {
                return;
            }
        }
    }

    /// The plan of the smallest failing run so far.
    fn plan(&self) -> Plan {
        Plan::draw(self.seed).reduced(&self.best)
    }

    /// Tries a smaller run; keeps it if it breaks the same property.
    fn accept(&mut self, reduction: Reduction) -> bool {
        if self.run_count >= self.runs_max || reduction == self.best {
            return false;
        }
        self.run_count += 1;
        match run_seed(self.seed, &reduction, self.mutation).failure {
            Some(failure) if failure.property == self.property => {
                (self.best, self.failure) = (reduction, failure);
                (self.on_smaller)(&self.best, self.run_count);
                true
            }
            _ => false,
        }
    }

    /// Ends the faults earlier.
    fn shorten(&mut self) {
        let mut step = self.plan().faulty_us / 2;
        while step > 20 * MS {
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
        let all = 0..count(&Plan::draw(self.seed).reduced(&shape));
        let mut kept: Vec<usize> = match list(&mut self.best.clone()) {
            Some(kept) => kept.iter().copied().collect(),
            None => all.collect(),
        };
        let mut size = kept.len();
        while size > 0 {
            let mut start = 0;
            while start < kept.len() {
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

    /// Lowers a number: to the least, and from there up.
    fn lower(&mut self, of: impl Fn(&Plan) -> u64, least: u64, set: impl Fn(&mut Reduction, u64)) {
        let mut candidate = least;
        while candidate < of(&self.plan()) {
            let mut reduction = self.best.clone();
            set(&mut reduction, candidate);
            if self.accept(reduction) {
                return;
            }
            candidate = (candidate * 2).max(candidate + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_healthy_run_is_not_shrunk() {
        assert!(shrink(0, None, 10, &mut |_, _| ()).is_none());
    }

    #[test]
    fn what_is_left_fails_in_the_same_way_and_is_smaller() {
        let mutation = Some(Mutation::ForgetPromise);
        let seed = (0..50)
            .find(|seed| run_seed(*seed, &Reduction::default(), mutation).failure.is_some())
            .expect("the bug is caught within fifty seeds");
        let shrunk = shrink(seed, mutation, 60, &mut |_, _| ()).expect("the seed fails");
        let again = run_seed(seed, &shrunk.reduction, mutation);
        assert_eq!(again.failure, Some(shrunk.failure));
        let (plan, left) = (Plan::draw(seed), Plan::draw(seed).reduced(&shrunk.reduction));
        assert!(left.faults.len() < plan.faults.len());
        assert!(left.faulty_us < plan.faulty_us || left.wishes.len() < plan.wishes.len());
    }
}
