//! Two reports side by side.

use super::table::{aligned, ms, whole};
use super::{Report, RunReport};
use crate::error::{BenchError, Outcome};

/// The runs that two reports have in common, with the ratios of the second to the first.
///
/// *Errors*: they have no run in common.
pub(crate) fn compare(first: &Report, second: &Report) -> Outcome<String> {
    let pairs = pairs(first, second);
    if pairs.is_empty() {
        return Err(BenchError::new(
            "the two files have no load in common: measure both with the same clients, rate, values and keys",
        ));
    }
    let mut rows = vec![
        [
            "load",
            "commands/s A",
            "B",
            "B/A",
            "p50 ms A",
            "B",
            "B/A",
            "p99 ms A",
            "B",
            "B/A",
            "cpu us A",
            "B",
            "B/A",
        ]
        .map(String::from)
        .to_vec(),
    ];
    rows.extend(pairs.iter().map(|(a, b)| row(a, b)));
    let mut text = aligned(&rows);
    if first.machine.processor != second.machine.processor
        || first.machine.kernel != second.machine.kernel
    {
        text += "\n\nThe machines differ: these ratios say little about the systems.";
    } else {
        let [a, b] = [first, second].map(|report| report.machine.cpu_pressure_percent);
        let [a, b] = [a, b].map(|percent| percent.map_or("?".into(), |p| format!("{p:.0} %")));
        text += &format!(
            "\n\nMeasured at different times: somebody waited for a processor {a} of the time before A and \
             {b} before B. `bench peers` alternates its runs, so its ratios depend less on that."
        );
    }
    Ok(text)
}

/// Each run of the first with the one of the same load of the second: the same system, if there is
/// one.
fn pairs<'a>(first: &'a Report, second: &'a Report) -> Vec<(&'a RunReport, &'a RunReport)> {
    let partner = |run: &RunReport| {
        let same = || second.runs.iter().filter(|other| other.workload == run.workload);
        same().find(|other| other.system == run.system).or_else(|| same().next())
    };
    first.runs.iter().filter_map(|run| Some((run, partner(run)?))).collect()
}

fn row(a: &RunReport, b: &RunReport) -> Vec<String> {
    let name = match a.system == b.system {
        true => a.system.clone(),
        false => format!("{} -> {}", a.system, b.system),
    };
    let mut row = vec![format!("{} [{name}]", a.workload.label())];
    row.extend([whole(a.rate()), whole(b.rate()), ratio(a.rate(), b.rate())]);
    for percent in [50.0, 99.0] {
        let [a, b] = [a, b].map(|run| run.latency.at(percent));
        row.extend([ms(a), ms(b), ratio(a, b)]);
    }
    let [a, b] = [a, b].map(|run| run.resources.cpu_us_per_command());
    row.extend([format!("{a:.1}"), format!("{b:.1}"), ratio(a, b)]);
    row
}

/// The second to the first.
pub(crate) fn ratio(a: f64, b: f64) -> String {
    if a > 0.0 { format!("{:.2}", b / a) } else { "-".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_divided_by_the_first() {
        let first = crate::report::tests::report();
        let mut second = first.clone();
        second.runs[0].commands *= 3;
        let text = compare(&first, &second).expect("the same loads");
        let line = text.lines().nth(1).expect("a line for the first run");
        assert!(line.contains("3.00") && line.contains("1.00"), "{line}");
        assert!(text.contains("Measured at different times"), "{text}");
    }

    #[test]
    fn different_loads_are_not_compared() {
        let first = crate::report::tests::report();
        let mut second = first.clone();
        second.runs.iter_mut().for_each(|run| run.workload.clients += 1);
        let error = compare(&first, &second).expect_err("nothing in common");
        assert!(error.to_string().contains("no load in common"), "{error}");
    }
}
