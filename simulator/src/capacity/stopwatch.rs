//! Times the steps of actors, on the machine that runs them.

use std::collections::BTreeMap;

use super::costs::{Costs, Role, TurnCost};

/// What was timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Step,
    Encoding,
    Decoding,
}

/// Times of each kind of message.
///
/// A time is cut off where somebody else may have had the processor: the mean is that of the lower 95 %.
#[derive(Clone, Debug)]
pub struct Stopwatch {
    /// Tells nanoseconds since some moment.
    clock: fn() -> u64,
    /// What it takes to look at the clock, which is part of every time.
    own_ns: u64,
    times: BTreeMap<(Role, Part, String), Vec<u64>>,
    /// Of the ends of turns: how long they took, and how many messages were sent.
    turn_ends: BTreeMap<Role, Vec<(u64, u64)>>,
}

impl Stopwatch {
    /// A stopwatch that looks at `clock`, which tells nanoseconds.
    pub fn new(clock: fn() -> u64) -> Self {
        const LOOKS: usize = 10_001;
        let mut looks: Vec<u64> = (0..LOOKS)
            .map(|_| {
                let begun_ns = clock();
                clock().saturating_sub(begun_ns)
            })
            .collect();
        looks.sort_unstable();
        let own_ns = looks[LOOKS / 2];
        Self { clock, own_ns, times: BTreeMap::new(), turn_ends: BTreeMap::new() }
    }

    /// Runs `work`, and tells how long it took.
    pub(super) fn time<O>(&self, work: impl FnOnce() -> O) -> (O, u64) {
        let begun_ns = (self.clock)();
        let outcome = work();
        let took_ns = (self.clock)().saturating_sub(begun_ns);
        (outcome, took_ns.saturating_sub(self.own_ns))
    }

    pub(super) fn note_turn_end(&mut self, role: Role, took_ns: u64, sends: u64) {
        self.turn_ends.entry(role).or_default().push((took_ns, sends));
    }

    pub(super) fn note(&mut self, role: Role, part: Part, kind: &str, took_ns: u64) {
        self.times.entry((role, part, kind.to_owned())).or_default().push(took_ns);
    }

    /// What was timed, with the costs of sockets as they are in `costs`. Kinds that were met fewer than a
    /// hundred times are left out.
    pub fn costs(&self, mut costs: Costs) -> Costs {
        const COUNT_MIN: usize = 100;
        for ((role, part, kind), times) in &self.times {
            if times.len() < COUNT_MIN {
                continue;
            }
            let kinds = costs.messages.entry(*role).or_default();
            let cost = kinds.entry(kind.clone()).or_default();
            let ns = lower_mean(times.clone());
            match part {
                Part::Step => cost.step_ns = ns,
                Part::Encoding => cost.encode_ns = ns,
                Part::Decoding => cost.decode_ns = ns,
            }
        }
        for (role, turns) in &self.turn_ends {
            costs.turn_ends.insert(*role, turn_cost(turns));
        }
        costs
    }
}

/// What turns cost that sent nothing, and what each message of the others adds.
fn turn_cost(turns: &[(u64, u64)]) -> TurnCost {
    let idle = turns.iter().filter(|(_, sends)| *sends == 0).map(|(took_ns, _)| *took_ns);
    let idle_ns = lower_mean(idle.collect());
    let busy = turns.iter().filter(|(_, sends)| *sends > 0);
    let each = busy.map(|(took_ns, sends)| took_ns.saturating_sub(idle_ns) / sends);
    TurnCost { idle_ns, message_ns: lower_mean(each.collect()) }
}

/// The mean of the lower 95 % of `times`; zero if there are none. Others may have had the processor in the rest.
pub fn lower_mean(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    let count = (times.len() * 95).div_ceil(100);
    times[..count].iter().sum::<u64>() / count.max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_took_does_not_count() {
        let mut times = vec![100; 99];
        times.push(4_000_000);
        assert_eq!(lower_mean(times), 100);
        let busy = [vec![80; 95], vec![4_000_000; 5]].concat();
        assert_eq!(lower_mean(busy), 80);
        assert_eq!(lower_mean(vec![7]), 7);
        assert_eq!(lower_mean(vec![]), 0);
    }

    #[test]
    fn a_turn_costs_something_and_each_message_more() {
        let cost = turn_cost(&[(30, 0), (50, 2), (70, 4), (30, 0)]);
        assert_eq!(cost, TurnCost { idle_ns: 30, message_ns: 10 });
    }

    #[test]
    fn rare_kinds_have_no_cost_of_their_own() {
        let mut stopwatch = Stopwatch::new(|| 0);
        (0..100).for_each(|_| stopwatch.note(Role::Acceptor, Part::Step, "Phase2A", 7));
        stopwatch.note(Role::Acceptor, Part::Step, "Phase1A", 7);
        let costs = stopwatch.costs(Costs::default());
        assert!(costs.knows(Role::Acceptor, "Phase2A"));
        assert!(!costs.knows(Role::Acceptor, "Phase1A"));
    }
}
