//! The same loads on several systems, in alternation: medians over the rounds, and ratios.

use std::collections::BTreeMap;

use super::compare::ratio;
use super::table::{aligned, ms, whole};
use super::{Latency, RunReport};
use crate::statistics::Spread;

/// A value of a run that is compared, and how it is shown.
type Column = (&'static str, fn(&RunReport) -> f64, fn(f64) -> String);

const COLUMNS: [Column; 5] = [
    ("commands/s", RunReport::rate, whole),
    ("p50 ms", |run| latency(run).at(50.0), ms),
    ("p99 ms", |run| latency(run).at(99.0), ms),
    ("p99.9 ms", |run| latency(run).at(99.9), ms),
    ("cpu us/cmd", |run| run.resources.cpu_us_per_command(), ms),
];

fn latency(run: &RunReport) -> &Latency {
    &run.latency
}

/// One row for each load and system: the median of each value over all rounds, the range of the
/// rates, and the ratio of the first system to it.
pub(crate) fn rounds(runs: &[RunReport]) -> String {
    let mut head = vec!["load".to_owned(), "rounds".into()];
    for (name, ..) in COLUMNS {
        head.extend([name.to_owned(), "first/this".into()]);
    }
    head.extend(["commands/s from".to_owned(), "to".into(), "failed".into()]);
    let mut rows = vec![head];
    let mut loads: BTreeMap<(usize, String), Vec<&RunReport>> = BTreeMap::new();
    for run in runs {
        let load = (
            run.workload.clients,
            format!("{}, {:.0} % reads", run.workload.label(), run.workload.read_percent),
        );
        loads.entry(load).or_default().push(run);
    }
    for ((_, load), runs) in &loads {
        let systems = systems(runs);
        let Some((_, first)) = systems.first() else { continue };
        rows.extend(systems.iter().map(|(system, runs)| row(load, system, runs, first)));
    }
    aligned(&rows)
}

/// The runs of each system, in the order in which the systems were measured first.
fn systems<'a>(runs: &[&'a RunReport]) -> Vec<(&'a str, Vec<&'a RunReport>)> {
    let mut systems: Vec<(&str, Vec<&RunReport>)> = Vec::new();
    for run in runs {
        match systems.iter_mut().find(|(name, _)| *name == run.system) {
            Some((_, runs)) => runs.push(run),
            None => systems.push((&run.system, vec![run])),
        }
    }
    systems
}

fn row(load: &str, system: &str, runs: &[&RunReport], first: &[&RunReport]) -> Vec<String> {
    let mut row = vec![format!("{load} [{system}]"), runs.len().to_string()];
    for (_, value, shown) in COLUMNS {
        let median = |runs: &[&RunReport]| spread(runs, value).median;
        row.extend([shown(median(runs)), ratio(median(runs), median(first))]);
    }
    let rates = spread(runs, RunReport::rate);
    let failed: u64 = runs.iter().map(|run| run.failures.count()).sum();
    row.extend([whole(rates.min), whole(rates.max), failed.to_string()]);
    row
}

fn spread(runs: &[&RunReport], value: fn(&RunReport) -> f64) -> Spread {
    Spread::of(&runs.iter().map(|run| value(run)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::run;

    #[test]
    fn medians_are_over_the_rounds_and_ratios_to_the_first_system() {
        let rate = |system: &str, commands: u64| {
            let mut run = run(system, 4);
            run.commands = commands;
            run
        };
        let runs = [
            rate("kvs", 100),
            rate("redis", 50),
            rate("kvs", 900),
            rate("redis", 10),
            rate("kvs", 300),
            rate("redis", 150),
        ];
        let text = rounds(&runs);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        let words = |line: usize| lines[line].split_whitespace().collect::<Vec<_>>();
        assert!(words(1).windows(3).any(|words| words == ["3", "300", "1.00"]), "{text}");
        assert!(words(2).windows(3).any(|words| words == ["3", "50", "6.00"]), "{text}");
        assert!(lines[2].contains("10  150"), "{text}");
    }
}
