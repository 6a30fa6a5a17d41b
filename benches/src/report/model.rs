//! What was found in virtual time: tables, files and a page with plots.

use std::collections::BTreeMap;

use super::html::page;
use super::plot::{Plot, Scale, Series, escaped};
use super::table::{aligned, ms, whole};
use crate::error::Outcome;
use crate::model::{Model, Point, Sheet, scaling_rows};

/// The text of the JSON file.
///
/// *Errors*: none for numbers.
pub(crate) fn sheet_json(sheet: &Sheet) -> Outcome<String> {
    Ok(serde_json::to_string_pretty(sheet)? + "\n")
}

/// A line for each run.
pub(crate) fn sheet_csv(sheet: &Sheet) -> String {
    let head = "system,proposers,hot_percent,commands_per_second,p50_ms,p99_ms,max_ms,gap_ms,\
                messages_per_command,bottleneck,busiest_permille,paper";
    let lines = sheet.points.iter().map(|point| {
        let busiest = point.usage.first().map(|usage| usage.busiest_permille).unwrap_or_default();
        let paper = point.paper.map(|rate| rate.to_string()).unwrap_or_default();
        format!(
            "\"{}\",{},{},{},{},{},{},{},{},{},{busiest},{paper}",
            point.system,
            point.proposers,
            point.hot_percent,
            point.commands_per_second,
            point.p50_ms,
            point.p99_ms,
            point.max_ms,
            point.gap_ms,
            point.messages_per_command,
            point.bottleneck,
        )
    });
    std::iter::once(head.to_owned()).chain(lines).map(|line| line + "\n").collect()
}

/// The page of a sheet.
pub(crate) fn sheet_html(sheet: &Sheet) -> String {
    let rows = match sheet.model {
        Model::Scaling => scaling_rows(&sheet.points),
        Model::Conflicts | Model::Delays => point_rows(sheet.model, &sheet.points),
    };
    let plots = match sheet.model {
        Model::Scaling => vec![rates(&sheet.points, proposers), beside_paper(&sheet.points)],
        Model::Conflicts => vec![rates(&sheet.points, |point| point.hot_percent)],
        Model::Delays => courses(&sheet.points),
    };
    let mut body: String = plots.iter().map(Plot::svg).collect();
    body += &format!("<h2>Figures</h2>\n<pre>{}</pre>\n", escaped(&aligned(&rows)));
    page(&sheet.command, "in virtual time: what messages cost is in the JSON file", &body)
}

/// A row for each run, where the share of conflicts differs, or what happens meanwhile.
pub(crate) fn point_rows(model: Model, points: &[Point]) -> Vec<Vec<String>> {
    let last = match model {
        Model::Scaling | Model::Conflicts => "paper cmds/s",
        Model::Delays => "paper, at most",
    };
    let mut head =
        ["", "commands/s", "lowest window", "p50 ms", "p99", "max", "longest gap", "bottleneck"]
            .map(String::from)
            .to_vec();
    head.push(last.to_owned());
    let row = |point: &Point| {
        let name = match model {
            Model::Scaling | Model::Conflicts => {
                format!("{:>3} % to one key: {}", point.hot_percent, point.system)
            }
            Model::Delays => point.system.clone(),
        };
        let lowest = point.windows.iter().copied().min_by(f64::total_cmp);
        let mut row =
            vec![name, whole(point.commands_per_second), lowest.map_or("-".into(), whole)];
        row.extend([point.p50_ms, point.p99_ms, point.max_ms, point.gap_ms].map(ms));
        row.push(point.bottleneck.clone());
        row.push(match model {
            Model::Scaling | Model::Conflicts => point.paper.map_or("-".into(), whole),
            Model::Delays => seen(point).to_owned(),
        });
        row
    };
    std::iter::once(head).chain(points.iter().map(row)).collect()
}

/// What the authors of the ablation saw.
fn seen(point: &Point) -> &'static str {
    match point.system.contains("acceptors") {
        true => "no spike",
        false if point.system.contains("leader") => "~500 ms without optimisations",
        false => "-",
    }
}

fn proposers(point: &Point) -> f64 {
    point.proposers as f64
}

fn series(points: impl Iterator<Item = (String, (f64, f64))>) -> Vec<Series> {
    let mut lines: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    points.for_each(|(name, at)| lines.entry(name).or_default().push(at));
    let line = |(name, points)| Series { name, points, has_dots: true };
    lines.into_iter().map(line).collect()
}

fn rates(points: &[Point], across: fn(&Point) -> f64) -> Plot {
    let label = if points.iter().any(|point| point.hot_percent > 0.0) {
        "share of commands that write to one key, percent"
    } else {
        "proposers"
    };
    let at = |point: &Point| (point.system.clone(), (across(point), point.commands_per_second));
    Plot {
        title: "Peak throughput".into(),
        x: (label.into(), Scale::Linear),
        y: ("commands per second".into(), Scale::Linear),
        series: series(points.iter().map(at)),
        marks: Vec::new(),
    }
}

/// Both as multiples of the same thing: MultiPaxos with its roles apart.
fn beside_paper(points: &[Point]) -> Plot {
    let one_leader = points.iter().find(|point| point.system == "Matchmaker MultiPaxos, modular");
    let ours = one_leader.map_or(1.0, |point| point.commands_per_second);
    let theirs = one_leader.and_then(|point| point.paper).unwrap_or(1.0);
    let modular = || points.iter().filter(|point| point.system == "BPaxos, modular");
    let here = modular()
        .map(|point| ("here".to_owned(), (proposers(point), point.commands_per_second / ours)));
    let paper = modular()
        .filter_map(|point| Some(("paper".to_owned(), (proposers(point), point.paper? / theirs))));
    Plot {
        title: "BPaxos with modules apart, in multiples of MultiPaxos".into(),
        x: ("proposers".into(), Scale::Linear),
        y: ("times MultiPaxos".into(), Scale::Linear),
        series: series(here.chain(paper)),
        marks: Vec::new(),
    }
}

fn courses(points: &[Point]) -> Vec<Plot> {
    let plot = |title: &str, unit: &str, seconds: f64, of: fn(&Point) -> &Vec<f64>| {
        let line = |point: &Point| Series {
            name: point.system.clone(),
            points: (1_u32..)
                .map(|n| f64::from(n) * seconds)
                .zip(of(point).iter().copied())
                .collect(),
            has_dots: false,
        };
        Plot {
            title: title.into(),
            x: ("seconds since the load was measured".into(), Scale::Linear),
            y: (unit.into(), Scale::Linear),
            series: points.iter().map(line).collect(),
            marks: Vec::new(),
        }
    };
    vec![
        plot("Throughput", "commands per second", 0.25, |point| &point.windows),
        plot("Longest latency", "ms", 0.5, |point| &point.peaks_ms),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use simulator::capacity::{CostModel, Usage};

    use super::*;
    use crate::model::Frame;
    use crate::report::FORMAT;
    use crate::report::html::tests::check_elements;

    fn sheet(model: Model) -> Sheet {
        let point = |system: &str, proposers: usize, hot_percent: f64| Point {
            system: system.to_owned(),
            proposers,
            hot_percent,
            commands_per_second: 1000.0 * proposers as f64,
            p50_ms: 0.4,
            p99_ms: 0.9,
            max_ms: 2.0,
            gap_ms: 0.1,
            messages_per_command: 25.0,
            bottleneck: "proposer".into(),
            usage: vec![Usage {
                module: "proposer".into(),
                count: proposers,
                busiest_permille: 990,
            }],
            paper: Some(53_700.0),
            windows: vec![1000.0, 900.0],
            peaks_ms: vec![2.0],
        };
        Sheet {
            format: FORMAT,
            command: "bench paper".into(),
            model,
            frame: Frame {
                clients: 600,
                failures: 1,
                batch_max: 1,
                link: Duration::from_micros(50),
                measured: Duration::from_millis(100),
                seed: 1,
                costs: CostModel::measured(),
            },
            points: vec![
                point("Matchmaker MultiPaxos, modular", 2, 0.0),
                point("BPaxos, coupled", 3, 0.0),
                point("BPaxos, modular", 3, 2.0),
            ],
        }
    }

    #[test]
    fn every_page_is_well_formed_and_every_file_complete() {
        for model in [Model::Scaling, Model::Conflicts, Model::Delays] {
            let sheet = sheet(model);
            let page = sheet_html(&sheet);
            check_elements(&page);
            assert!(page.contains("<polyline") && !page.contains("NaN"), "{page}");
            let csv = sheet_csv(&sheet);
            let commas: Vec<usize> =
                csv.lines().map(|line| line.replace(", ", " ").matches(',').count()).collect();
            assert_eq!(commas, [commas[0]; 4]);
            let text = sheet_json(&sheet).expect("JSON");
            assert_eq!(serde_json::from_str::<Sheet>(&text).expect("read back"), sheet);
        }
    }
}
