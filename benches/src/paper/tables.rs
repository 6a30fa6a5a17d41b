//! Our figures beside the published ones.

use super::Experiment;
use super::figures::{ACCEPTORS, Figure, GROWTH, MATCHMAKERS, OUTAGES, Published};
use crate::report::{RunReport, ms, whole};
use crate::statistics::Spread;
use crate::timeline::Phase;

/// Before and during reconfigurations, and while somebody is dead.
pub(crate) fn change_rows(
    experiment: Experiment,
    failures: u16,
    run: &RunReport,
) -> Vec<Vec<String>> {
    let head = [
        "",
        "ms before",
        "(P75-P50)",
        "IQR",
        "during",
        "(P75-P50)",
        "IQR",
        "ratio",
        "cmds/s before",
        "(P75-P50)",
        "IQR",
        "during",
        "(P75-P50)",
        "IQR",
        "ratio",
        "one dead",
        "ratio",
    ];
    let table = match experiment {
        Experiment::Matchmakers => &MATCHMAKERS,
        Experiment::Acceptors | Experiment::Leader | Experiment::Growth => &ACCEPTORS,
    };
    let clients = run.workload.clients;
    let published = table.iter().find(|row| (row.failures, row.clients) == (failures, clients));
    let mut rows = vec![head.map(String::from).to_vec(), measured(run)];
    rows.extend(published.map(published_row));
    rows
}

fn measured(run: &RunReport) -> Vec<String> {
    let phases = run.timeline.as_ref().map(|timeline| timeline.phases.as_slice());
    let phases = phases.unwrap_or_default();
    let spread =
        |place: usize, of: fn(&Phase) -> Spread| phases.get(place).map(of).unwrap_or_default();
    let mut row = vec![format!("here, {}", run.workload.label())];
    for (of, shown) in
        [(latency as fn(&Phase) -> Spread, ms as fn(f64) -> String), (throughput, whole)]
    {
        let [before, during] = [spread(0, of), spread(1, of)];
        for spread in [&before, &during] {
            row.extend([spread.median, spread.upper_half_iqr(), spread.iqr()].map(shown));
        }
        row.push(ratio(before.median, during.median));
    }
    let named = |name: &str| phases.iter().find(|phase| phase.name.starts_with(name));
    let dead = named("after kill").or_else(|| named("kill"));
    let before = spread(0, throughput).median;
    let dead = dead.map(|phase| phase.throughput.median);
    row.extend([
        dead.map_or("-".into(), whole),
        dead.map_or("-".into(), |dead| ratio(before, dead)),
    ]);
    row
}

fn latency(phase: &Phase) -> Spread {
    phase.latency
}

fn throughput(phase: &Phase) -> Spread {
    phase.throughput
}

fn published_row(published: &Published) -> Vec<String> {
    let mut row = vec!["paper".to_owned()];
    for (figures, shown) in
        [(published.latency, ms as fn(f64) -> String), (published.throughput, whole)]
    {
        for Figure { median, upper } in figures {
            row.extend([shown(median), upper.map_or("-".into(), shown), "-".into()]);
        }
        row.push(ratio(figures[0].median, figures[1].median));
    }
    let before = published.throughput[0].median;
    row.push(published.dead.map_or("-".into(), whole));
    row.push(published.dead.map_or("-".into(), |dead| ratio(before, dead)));
    row
}

/// The outage when the leader dies.
pub(crate) fn outage_rows(run: &RunReport) -> Vec<Vec<String>> {
    let mut rows =
        vec![vec![String::new(), "outage ms".into(), "cmds/s before".into(), "after".into()]];
    let timeline = run.timeline.as_ref();
    let gap = timeline.map_or(0.0, |timeline| timeline.longest_gap_ms);
    let phase = |name: &str| {
        let found = timeline
            .and_then(|timeline| timeline.phases.iter().find(|phase| phase.name.starts_with(name)));
        found.map_or("-".into(), |phase| whole(phase.throughput.median))
    };
    rows.push(vec![
        format!("here, {}", run.workload.label()),
        ms(gap),
        phase("quiet"),
        phase("after"),
    ]);
    let published = OUTAGES.iter().find(|(clients, _)| *clients == run.workload.clients);
    rows.extend(
        published.map(|(_, seconds)| vec!["paper, election timeout 5 s".into(), ms(seconds * 1e3)]),
    );
    rows
}

/// Latency and throughput by the number of clients.
pub(crate) fn growth_rows(runs: &[RunReport]) -> Vec<Vec<String>> {
    let head = [
        "clients",
        "p50 ms",
        "cmds/s",
        "paper, to a quorum: ms",
        "cmds/s",
        "paper, to all: ms",
        "cmds/s",
    ];
    let mut rows = vec![head.map(String::from).to_vec()];
    for run in runs {
        let clients = run.workload.clients;
        let mut row =
            vec![clients.to_string(), ms(run.latency.at(50.0)), whole(run.throughput.median)];
        if let Some((_, some, all)) = GROWTH.iter().find(|row| row.0 == clients) {
            row.extend([ms(some[0]), whole(some[1]), ms(all[0]), whole(all[1])]);
        }
        rows.push(row);
    }
    rows
}

/// The second to the first.
fn ratio(before: f64, after: f64) -> String {
    if before > 0.0 { format!("{:.3}", after / before) } else { "-".into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::run;

    #[test]
    fn each_run_stands_beside_the_published_one() {
        let rows = change_rows(Experiment::Acceptors, 1, &run("kvs", 4));
        assert_eq!((rows.len(), rows[2][1].as_str()), (3, "0.317"));
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{rows:?}");
        assert_eq!(rows[2].last().map(String::as_str), Some("0.211"));
        let rows = change_rows(Experiment::Matchmakers, 2, &run("kvs", 8));
        assert_eq!(rows[2][1], "0.677");
    }

    #[test]
    fn what_was_not_published_has_no_row() {
        assert_eq!(change_rows(Experiment::Acceptors, 1, &run("kvs", 3)).len(), 2);
        assert_eq!(outage_rows(&run("kvs", 2)).len(), 2);
        assert_eq!(growth_rows(&[run("kvs", 3)])[1].len(), 3);
        assert_eq!(growth_rows(&[run("kvs", 500)])[1].len(), 7);
    }
}
