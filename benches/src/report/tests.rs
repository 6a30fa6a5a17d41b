//! A report for the tests of everything that shows one.

use std::time::Duration;

use super::usage::ProcessCost;
use super::*;
use crate::machine::{Cost, Limits};
use crate::workload::KeyChoice;

/// Two runs of the same load on two systems.
pub(crate) fn report() -> Report {
    let cost = Cost { p50_us: 89.0, p99_us: 134.5 };
    let limits = Limits { fdatasync_preallocated: cost, fdatasync_growing: cost, loopback: cost };
    let machine = Machine {
        processors: 2,
        processor: "<a & b>".into(),
        kernel: "6.18".into(),
        filesystem: "ext4".into(),
        cpu_pressure_percent: Some(12.5),
        limits,
    };
    let runs = vec![run("kvs, 3 processes", 4), run("redis-server", 4)];
    Report { format: FORMAT, command: "bench load".into(), machine, runs }
}

/// A run of so many clients that took a second.
pub(crate) fn run(system: &str, clients: usize) -> RunReport {
    let plan = Plan {
        workload: Workload {
            clients,
            pipeline: 1,
            rate: None,
            value_bytes: 100,
            read_percent: 0.0,
            keys: KeyChoice::Uniform,
            key_count: 10,
            seed: 1,
        },
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(1),
        commands_max: None,
        timeout: None,
        threads: 1,
        keeps_samples: false,
    };
    let mut recorder = Recorder::new(plan.measured(), false);
    for ms in 1..1000 {
        let intended = Duration::from_millis(ms);
        let pending = crate::load::Pending { intended, sent: intended };
        recorder.complete(pending, intended + Duration::from_micros(ms));
    }
    recorder.fail(b"AMBIGUOUS x");
    let process = ProcessCost {
        name: "n1".into(),
        cpu_us_per_command: Some(20.0),
        cpu_percent: Some(2.0),
        resident_bytes: Some(1 << 24),
        fdatasyncs: Some(9),
        commands_per_fdatasync: Some(111.0),
        log_bytes_per_command: None,
    };
    let processes = vec![process];
    let resources = Resources { seconds: 1.0, commands: 999, processes, ..Resources::default() };
    let window = Duration::from_millis(100);
    RunReport::new((system.into(), "on disk"), &plan, window, &recorder, resources)
}

#[test]
fn a_run_is_counted_in_windows() {
    let run = run("kvs", 4);
    assert_eq!((run.windows.len(), run.failures.count()), (10, 1));
    assert!((run.rate() - 998.0).abs() < 2.0, "{}", run.rate());
    assert!((run.throughput.median - 1000.0).abs() <= 10.0, "{:?}", run.throughput);
    assert!((run.latency.at(50.0) - 0.5).abs() < 0.01);
}

#[test]
fn a_written_report_reads_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.json");
    let report = report();
    std::fs::write(&path, report.json().expect("numbers")).expect("it can be written");
    assert_eq!(Report::read(&path).expect("just written"), report);
}

#[test]
fn what_is_no_report_is_refused_with_the_cause() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.json");
    let refused = |text: &str| {
        std::fs::write(&path, text).expect("it can be written");
        Report::read(&path).expect_err("no report").to_string()
    };
    assert!(refused("{}").contains("bench ... --json"));
    let other = Report { format: FORMAT + 1, ..report() };
    assert!(refused(&other.json().expect("numbers")).contains("measure again"));
    assert!(Report::read(directory.path()).is_err());
}
