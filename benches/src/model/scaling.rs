//! Peak throughput for more and more proposers (Simple BPaxos, section 6: the scaling ablation).
//!
//! Their machines had one actor each, or, coupled, one of each role; all messages went through sockets, also
//! those to the same machine, and none was batched.

use simulator::capacity::Placement;

use super::{Frame, Point};
use crate::error::Outcome;
use crate::report::whole;

/// Proposers, and commands per second: medians of windows of a second, at 600 clients, f = 1.
const PAPER_MODULAR: [(usize, f64); 8] = [
    (3, 53_700.0),
    (4, 62_600.0),
    (5, 64_900.0),
    (6, 61_000.0),
    (7, 62_300.0),
    (8, 58_400.0),
    (9, 54_700.0),
    (10, 55_200.0),
];

/// The same of three processes with every role.
const PAPER_COUPLED: f64 = 17_800.0;

/// The same of MultiPaxos, whose roles had machines of their own as well.
pub(super) const PAPER_MULTIPAXOS: f64 = 26_900.0;

const COUPLED: &str = "coupled";
const SOCKETS: &str = "coupled, sockets within";
const MODULAR: &str = "modular";

/// Each number of proposers in each placement, and Matchmaker MultiPaxos in the same two. `tell` is told
/// what comes next.
///
/// *Errors*: a cluster gets no leader, or whoever is told says so.
pub(crate) fn scaling(
    frame: &Frame,
    proposers: &[usize],
    mut tell: impl FnMut(&str) -> Outcome<()>,
) -> Outcome<Vec<Point>> {
    let mut points = Vec::new();
    for (name, placement) in [(COUPLED, Placement::Coupled), (MODULAR, Placement::Modular)] {
        tell(&format!("Matchmaker MultiPaxos, {name}"))?;
        let setup = frame.setup(frame.size(frame.failures + 1, placement));
        let (mut point, _) = frame.multipaxos(name, &setup)?;
        point.paper = (placement == Placement::Modular).then_some(PAPER_MULTIPAXOS);
        points.push(point);
    }
    for count in proposers {
        for (name, placement) in [
            (COUPLED, Placement::Coupled),
            (SOCKETS, Placement::Coupled),
            (MODULAR, Placement::Modular),
        ] {
            tell(&format!("BPaxos with {count} proposers, {name}"))?;
            let mut setup = frame.setup(frame.size(*count, placement));
            setup.surroundings.has_local_sockets = name == SOCKETS;
            let (mut point, _) = frame.bpaxos(name, &setup)?;
            point.paper = published(name, *count, frame.failures);
            points.push(point);
        }
    }
    Ok(points)
}

fn published(name: &str, proposers: usize, failures: usize) -> Option<f64> {
    match (name, failures) {
        (SOCKETS, 1) if proposers == 3 => Some(PAPER_COUPLED),
        (MODULAR, 1) => {
            let row = PAPER_MODULAR.iter().find(|(count, _)| *count == proposers);
            row.map(|(_, rate)| *rate)
        }
        _ => None,
    }
}

/// A row for each number of proposers, with the paper's beside.
pub(crate) fn scaling_rows(points: &[Point]) -> Vec<Vec<String>> {
    let head = [
        "proposers",
        "coupled",
        "sockets within",
        "modular",
        "/ coupled",
        "/ sockets",
        "/ MultiPaxos",
        "bottleneck",
        "busy",
        "paper modular",
        "/ coupled",
        "/ MultiPaxos",
    ];
    let mut rows = vec![head.map(String::from).to_vec()];
    let find = |system: &str, proposers: Option<usize>| {
        let is_it = |point: &&Point| {
            point.system == system && proposers.is_none_or(|count| point.proposers == count)
        };
        points.iter().find(is_it)
    };
    let one_leader = find("Matchmaker MultiPaxos, modular", None);
    for modular in points.iter().filter(|point| point.system == "BPaxos, modular") {
        let of = |name: &str| find(&format!("BPaxos, {name}"), Some(modular.proposers));
        rows.push(row(modular, [of(COUPLED), of(SOCKETS), one_leader]));
    }
    for point in points.iter().filter(|point| point.system.starts_with("Matchmaker")) {
        let mut row = vec![point.system.clone()];
        row.resize(head.len(), String::new());
        let column = if point.system.ends_with(MODULAR) { 3 } else { 1 };
        row[column] = whole(point.commands_per_second);
        row[7..9].clone_from_slice(&[point.bottleneck.clone(), busy(point)]);
        row[9] = point.paper.map(whole).unwrap_or_default();
        rows.push(row);
    }
    rows
}

fn row(modular: &Point, others: [Option<&Point>; 3]) -> Vec<String> {
    let rate =
        |point: Option<&Point>| point.map_or("-".into(), |point| whole(point.commands_per_second));
    let ratio = |of: f64, to: f64| format!("{:.2}", of / to);
    let mut row = vec![modular.proposers.to_string()];
    row.extend([rate(others[0]), rate(others[1]), whole(modular.commands_per_second)]);
    row.extend(others.map(|other| {
        other.map_or("-".into(), |other| {
            ratio(modular.commands_per_second, other.commands_per_second)
        })
    }));
    row.extend([modular.bottleneck.clone(), busy(modular)]);
    row.extend(match modular.paper {
        Some(paper) => [whole(paper), ratio(paper, PAPER_COUPLED), ratio(paper, PAPER_MULTIPAXOS)],
        None => ["-"; 3].map(String::from),
    });
    row
}

fn busy(point: &Point) -> String {
    let busiest = point.usage.first().map(|usage| usage.busiest_permille).unwrap_or_default();
    format!("{:.0} %", busiest.min(1000) as f64 / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::small;

    #[test]
    fn the_table_is_the_same_each_time_and_names_a_module() {
        let run = || scaling(&small(), &[1, 3], |_| Ok(())).expect("all have leaders");
        let points = run();
        assert_eq!(points, run());
        assert_eq!(points.len(), 2 + 2 * 3);
        let rows = scaling_rows(&points);
        assert_eq!(rows.len(), 1 + 2 + 2);
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{rows:?}");
        assert_eq!((rows[1][7].as_str(), rows[2][9].as_str()), ("proposer", "53,700"));
    }
}
