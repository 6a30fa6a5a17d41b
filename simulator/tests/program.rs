//! The program as its user runs it.

use std::process::{Command, Output, Stdio};

fn simulator(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simulator"))
        .args(arguments.split_whitespace())
        .output()
        .expect("the program was built for this test")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_swarm_is_summed_up() {
    let output = simulator("run --seeds 0..3");
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}");
    for part in ["3 seeds in ", "virtual hours", "a leader takes over", "no property was broken"] {
        assert!(said.contains(part), "{part:?} in {said}");
    }
}

#[test]
fn a_failing_seed_is_named_shrunk_and_replayed() {
    let found = simulator("run --seeds 0..1 --mutation R18");
    assert!(!found.status.success());
    assert!(text(&found.stdout).contains("simulator -- shrink 0 --mutation R18"));

    let shrunk = simulator("shrink 0 --mutation R18 --runs 40");
    let said = text(&shrunk.stdout);
    let replay = said.lines().find_map(|line| Some(line.split_once("-- replay ")?.1));
    let replay = replay.expect("it says how to replay");
    assert!(replay.ends_with("--expect A10"), "{replay}");
    let replayed = simulator(&format!("replay {replay}"));
    assert_eq!(replayed.status.code(), Some(1));
    let said = text(&replayed.stdout);
    assert!(said.contains("breaks A10 collection licence"), "{said}");
    assert!(said.contains("GarbageA"), "{said}");
}

#[test]
fn a_healthy_seed_has_nothing_to_shrink() {
    let output = simulator("shrink 0");
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("nothing to shrink"));
}

#[test]
fn a_run_becomes_a_page() {
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let path = directory.path().join("run.html");
    let output = simulator(&format!("show 3 --calls 3 --out {}", path.display()));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = std::fs::read_to_string(&path).expect("it was written");
    assert!(page.contains("p0.proposer") && page.contains("simulator -- replay 3 --calls 3"));

    let output = simulator("show 3 --calls 3 --out /nowhere/run.html");
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains("cannot write /nowhere/run.html"), "{said}");
}

#[test]
fn mistakes_are_told_with_their_cure() {
    for (arguments, cure) in [
        ("run --seeds 5", "write like 0..1000"),
        ("run --seeds 5..5", "5..5 has no seeds"),
        ("replay 1 --faults 2,x", "write like 0,3,4 or none"),
        ("replay 1 --mutation R999", "simulator mutations --list"),
        ("run --jobs 0", "number would be zero"),
        ("run --jobs 99999999", "1024 are the most"),
        ("replay 1 --faults 12345", "seed 1 has no fault 12345"),
        ("replay 1 --expect A99", "docs/invariants.md has them"),
        ("show 1 --out x.html --from-ms 500 --to-ms 100", "nothing to show from 500 ms to 100 ms"),
        ("mutations --write /nowhere/x.md", "/nowhere/x.md"),
    ] {
        let output = simulator(arguments);
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(cure), "{arguments}: {said}");
    }
}

#[test]
fn what_was_not_checked_is_no_success() {
    let output = simulator("run --seeds 0..3 --time 0");
    let said = text(&output.stdout);
    assert!(!output.status.success() && said.contains("0 of 3 seeds ran"), "{said}");

    let output = simulator("replay 3 --calls 3 --faults none --expect A10");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("no longer reproduces: it was to break A10"), "{said}");
}

#[test]
fn the_verdict_stands_though_nobody_reads_it() {
    for (arguments, code) in [("run --seeds 0..1 --mutation R18", 1), ("shrink 3", 0)] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_simulator"))
            .args(arguments.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program was built for this test");
        drop(child.stdout.take());
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(code), "{arguments}");
    }
}

#[test]
fn a_search_for_a_smaller_run_ends_with_its_budget() {
    let output = simulator("shrink 0 --mutation R18 --runs 3");
    let said = text(&output.stdout);
    assert!(said.contains("after 3 runs") && said.contains("The runs are used up"), "{said}");
}
