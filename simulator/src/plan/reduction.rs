//! What is left out of a plan.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use super::{Plan, Shape};

/// The parts of a plan that are kept. The default keeps everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reduction {
    /// Faults that strike, by their number in the plan; all if none are named.
    pub faults: Option<BTreeSet<usize>>,
    /// Wishes of the operator, likewise.
    pub wishes: Option<BTreeSet<usize>>,
    /// Clients of each application.
    pub clients: Option<usize>,
    /// Calls of each client.
    pub calls: Option<u64>,
    /// When the faults stop, in microseconds.
    pub faulty_us: Option<u64>,
    /// Another cluster. Faults and wishes are then drawn for that, and numbered anew.
    pub shape: Option<Shape>,
}

impl Plan {
    /// What a reduction names and the plan does not have, in words.
    pub fn unknown(self, reduction: &Reduction) -> Option<String> {
        let seed = self.seed;
        let shape = Reduction { shape: reduction.shape, ..Reduction::default() };
        let plan = self.reduced(&shape);
        let highest = |kept: &Option<BTreeSet<usize>>| kept.as_ref()?.last().copied();
        let all = [
            ("fault", highest(&reduction.faults), plan.faults.len()),
            ("wish", highest(&reduction.wishes), plan.wishes.len()),
        ];
        all.into_iter().find_map(|(what, number, count)| {
            let number = number.filter(|number| *number >= count)?;
            Some(format!("seed {seed} has no {what} {number}: it has {count}, counted from 0"))
        })
    }

    /// What is left of a plan.
    pub fn reduced(mut self, reduction: &Reduction) -> Self {
        if let Some(shape) = reduction.shape.filter(|shape| *shape != self.shape) {
            self = self.with_shape(shape);
        }
        keep(&mut self.faults, reduction.faults.as_ref());
        keep(&mut self.wishes, reduction.wishes.as_ref());
        self.clients = reduction.clients.unwrap_or(self.clients).min(self.clients);
        self.calls_max = reduction.calls.unwrap_or(self.calls_max).min(self.calls_max);
        self.faulty_us = reduction.faulty_us.unwrap_or(self.faulty_us).min(self.faulty_us);
        self
    }
}

fn keep<T>(all: &mut Vec<T>, kept: Option<&BTreeSet<usize>>) {
    if let Some(kept) = kept {
        let mut index = 0..;
        all.retain(|_| index.next().is_some_and(|index| kept.contains(&index)));
    }
}

/// The options of the command line that reduce a plan likewise.
impl fmt::Display for Reduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |set: &BTreeSet<usize>| {
            if set.is_empty() {
                return "none".to_owned();
            }
            let mut text = String::new();
            for (index, number) in set.iter().enumerate() {
                let comma = if index > 0 { "," } else { "" };
                write!(text, "{comma}{number}").expect("writing to a string does not fail");
            }
            text
        };
        if let Some(shape) = self.shape {
            write!(f, " --shape {shape}")?;
        }
        if let Some(faults) = &self.faults {
            write!(f, " --faults {}", list(faults))?;
        }
        if let Some(wishes) = &self.wishes {
            write!(f, " --wishes {}", list(wishes))?;
        }
        if let Some(clients) = self.clients {
            write!(f, " --clients {clients}")?;
        }
        if let Some(calls) = self.calls {
            write!(f, " --calls {calls}")?;
        }
        if let Some(faulty_us) = self.faulty_us {
            write!(f, " --faulty-us {faulty_us}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_changes_nothing_else() {
        let plan = Plan::draw(3);
        let reduction = Reduction { faults: Some([0, 2].into()), ..Reduction::default() };
        let reduced = plan.clone().reduced(&reduction);
        assert_eq!(reduced.faults, [plan.faults[0].clone(), plan.faults[2].clone()]);
        assert_eq!(reduced.wishes, plan.wishes);
        assert_eq!(reduced.clocks, plan.clocks);
    }

    #[test]
    fn it_reads_as_options() {
        let reduction = Reduction {
            faults: Some(BTreeSet::new()),
            wishes: Some([1, 4].into()),
            clients: Some(1),
            ..Reduction::default()
        };
        assert_eq!(reduction.to_string(), " --faults none --wishes 1,4 --clients 1");
    }
}
