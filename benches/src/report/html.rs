//! Reports as one page for a browser, with nothing outside of it.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::plot::{Plot, Scale, Series, escaped};
use super::table::{loads, machine_lines};
use super::{Report, RunReport, Timeline};

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #d5dbe1; --soft: #59636e; --mark: #c62828;
  --c0: #0969da; --c1: #d1570b; --c2: #1a7f37; --c3: #8250df; --c4: #bf3989; --c5: #7d6a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0f1419; --faint: #2d343c; --soft: #9aa4af;
  --mark: #ff7b72; --c0: #58a6ff; --c1: #f0883e; --c2: #56d364; --c3: #bc8cff; --c4: #f778ba; --c5: #d4a72c; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
pre { overflow-x: auto; border: 1px solid var(--faint); border-radius: 6px; padding: .8rem; font-size: 12.5px; }
.lines { white-space: pre-wrap; }
svg { width: 100%; height: auto; } svg text { fill: var(--ink); font-size: 12px; }
svg .title { font-size: 14px; font-weight: 600; } svg .tick, svg .label { fill: var(--soft); }
svg .grid { stroke: var(--faint); } svg .mark { stroke: var(--mark); stroke-dasharray: 3 3; }
svg .span { fill: var(--mark); opacity: .1; } svg .line { fill: none; stroke-width: 2; } svg .thin { stroke-width: 1; } svg .dashed { stroke-dasharray: 6 4; }
svg.key { width: 24px; height: 8px; margin-right: 6px; flex: none; }
.legend span { display: inline-flex; align-items: center; margin-right: 1.2rem; font-size: 13px; color: var(--soft); }
.c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); }
.c3 { stroke: var(--c3); } .c4 { stroke: var(--c4); } .c5 { stroke: var(--c5); }
";

/// The page of a report.
pub(crate) fn html(report: &Report) -> String {
    let mut body: String = plots(&report.runs).iter().map(|plot| plot.svg()).collect();
    for run in &report.runs {
        if let Some(timeline) = &run.timeline {
            put_timeline(run, timeline, &mut body);
        }
    }
    // Writing to a string does not fail.
    let _ = write!(body, "<h2>Figures</h2>\n<pre>{}</pre>\n", escaped(&loads(&report.runs)));
    page(&report.command, &machine_lines(&report.machine), &body)
}

/// A page about what `command` has found.
pub(super) fn page(command: &str, about: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<title>bench</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>Benchmark</h1>\n<pre class=\"lines\">{}</pre>\n\
         <pre class=\"lines\">{}</pre>\n{body}</body>\n</html>\n",
        escaped(command),
        escaped(about),
    )
}

fn put_timeline(run: &RunReport, timeline: &Timeline, page: &mut String) {
    timeline.plots(&name(run)).iter().for_each(|plot| *page += &plot.svg());
    // Writing to a string does not fail.
    let _ = writeln!(page, "<pre>{}</pre>", escaped(&timeline.table()));
}

fn plots(runs: &[RunReport]) -> Vec<Plot> {
    vec![latency_over_throughput(runs), percentiles(runs), throughput_over_time(runs)]
}

fn latency_over_throughput(runs: &[RunReport]) -> Plot {
    let mut lines: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for run in runs {
        for percent in [50.0, 99.0] {
            let line = lines.entry(format!("{}, p{percent}", run.system)).or_default();
            line.push((run.rate(), run.latency.at(percent)));
        }
    }
    let series = lines.into_iter().map(|(name, points)| Series { name, points, has_dots: true });
    Plot {
        title: "Latency over throughput, one dot for each load".into(),
        x: ("commands per second".into(), Scale::Linear),
        y: ("latency, ms".into(), Scale::Log),
        series: series.collect(),
        marks: Vec::new(),
    }
}

fn percentiles(runs: &[RunReport]) -> Plot {
    let series = runs.iter().map(|run| Series {
        name: name(run),
        points: run.latency.percentiles.clone(),
        has_dots: false,
    });
    Plot {
        title: "Latency by percentile".into(),
        x: ("percentile".into(), Scale::Percentile),
        y: ("latency, ms".into(), Scale::Log),
        series: series.collect(),
        marks: Vec::new(),
    }
}

fn throughput_over_time(runs: &[RunReport]) -> Plot {
    let series = runs.iter().map(|run| Series {
        name: name(run),
        points: (1..)
            .zip(&run.windows)
            .map(|(n, rate)| (f64::from(n) * run.window_seconds, *rate))
            .collect(),
        has_dots: false,
    });
    Plot {
        title: "Throughput over time, in windows".into(),
        x: ("seconds since the load was measured".into(), Scale::Linear),
        y: ("commands per second".into(), Scale::Linear),
        series: series.collect(),
        marks: Vec::new(),
    }
}

fn name(run: &RunReport) -> String {
    format!("{}: {}", run.system, run.workload.label())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every element is closed by its own end, and attributes are quoted.
    pub(crate) fn check_elements(page: &str) {
        const VOID: [&str; 1] = ["!DOCTYPE"];
        let mut open = Vec::new();
        for tag in page.split('<').skip(1) {
            let (tag, _) = tag.split_once('>').expect("each tag ends");
            assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
            let name = tag.split([' ', '/']).next().unwrap_or_default();
            if let Some(end) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(end), "</{end}> closes what is open");
            } else if !tag.ends_with('/') && !VOID.contains(&name) {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?} are not closed");
    }

    #[test]
    fn the_page_is_well_formed_and_stands_for_itself() {
        let page = html(&crate::report::tests::report());
        check_elements(&page);
        assert_eq!(page.matches("<svg viewBox=\"0 0 760").count(), 3);
        assert!(page.contains("&lt;a &amp; b&gt;"), "what comes from outside is escaped");
        for outside in ["http:", "https:", "src=", "url(", "<script"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
