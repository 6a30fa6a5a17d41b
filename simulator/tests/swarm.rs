//! A fixed swarm, and every bug that can be put in.
//!
//! More seeds: `cargo run --release -p simulator -- run --seeds 0..2000`.
//! All bugs: `cargo test --release -p simulator --test swarm -- --ignored --nocapture`.

use std::ops::Range;

use simulator::catalogue::row;
use simulator::mutation::{Description, Mutation};
use simulator::plan::ProtocolName;
use simulator::properties;
use simulator::swarm::{Outcome, Swarm, catch};

/// Seeds of the fixed swarm: as many as it takes to meet every situation.
const SEEDS: Range<u64> = 0..170;

/// Seeds within which a bug must be caught that is not rare.
const BUG_SEEDS: u64 = 40;

/// The same for a bug that needs a rare situation.
const RARE_SEEDS: u64 = 2000;

/// Bugs that need more seeds than a quick test has.
const RARE: [&str; 13] = [
    "R69", "R107", "R07", "R32b", "R32c", "R38", "R60b", "R63c", "R74e", "R78d", "R95", "R102",
    "R104",
];

fn jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[test]
fn a_fixed_swarm_breaks_nothing_and_meets_every_situation() {
    let swarm = Swarm {
        protocol: ProtocolName::Matchmaker,
        seeds: SEEDS,
        jobs: jobs(),
        time_max: None,
        mutation: None,
        stops_at_failure: false,
    };
    let Outcome { failures, summary, elapsed, .. } = swarm.run(|_, _| ());
    println!("{} events in {elapsed:?}", summary.events);
    let failures: Vec<String> =
        failures.iter().map(|(seed, failure)| format!("seed {seed}: {failure}")).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(summary.coverage.missing(ProtocolName::Matchmaker), []);
    assert!(summary.faults.iter().all(|count| *count > 0), "{:?}", summary.faults);
}

/// What the documentation says of properties and bugs.
const DOCUMENT: &str = include_str!("../../docs/invariants.md");

/// Tries bugs, and names those that escape and those of which the documentation tells otherwise.
fn assert_caught(bugs: impl Iterator<Item = &'static Description>, seeds: u64) {
    let (mut escaped, mut outdated) = (Vec::new(), Vec::new());
    for bug in bugs {
        let tried = (bug, catch(ProtocolName::Matchmaker, bug, 0..seeds, jobs()));
        let row = row(&tried);
        println!("{row}");
        if !tried.1.is_as_meant {
            escaped.push(row.clone());
        }
        if !DOCUMENT.contains(&row) {
            outdated.push(row);
        }
    }
    assert!(escaped.is_empty(), "not caught as they should be:\n{}", escaped.join("\n"));
    let cure = "`cargo run --release -p simulator --features mutants -- mutations --seeds 0..1000 \
                --write docs/invariants.md` puts these into the table";
    assert!(outdated.is_empty(), "{cure}:\n{}", outdated.join("\n"));
}

/// Seeds of the fixed swarm of BPaxos.
const BPAXOS_SEEDS: Range<u64> = 0..12;

#[test]
fn a_fixed_swarm_of_bpaxos_breaks_nothing() {
    let swarm = Swarm {
        protocol: ProtocolName::Bpaxos,
        seeds: BPAXOS_SEEDS,
        jobs: jobs(),
        time_max: None,
        mutation: None,
        stops_at_failure: false,
    };
    let Outcome { failures, summary, elapsed, .. } = swarm.run(|_, _| ());
    println!("{} events in {elapsed:?}", summary.events);
    let failures: Vec<String> =
        failures.iter().map(|(seed, failure)| format!("seed {seed}: {failure}")).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn is_rare(bug: &Description) -> bool {
    RARE.contains(&bug.id)
}

#[test]
fn every_bug_is_caught_by_a_property_that_is_meant_for_it() {
    assert_caught(Mutation::all().filter(|bug| !is_rare(bug)), BUG_SEEDS);
}

#[test]
#[ignore = "takes minutes: cargo test --release -p simulator --test swarm rare -- --ignored"]
fn every_rare_bug_is_caught_by_a_property_that_is_meant_for_it() {
    assert_caught(Mutation::all().filter(|bug| is_rare(bug)), RARE_SEEDS);
}

#[test]
fn bugs_have_names_of_their_own() {
    let mut ids: Vec<&str> = Mutation::all().map(|bug| bug.id).collect();
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count);
    assert!(RARE.iter().all(|id| ids.contains(id)));
}

#[test]
fn every_property_and_bug_is_documented() {
    for property in properties::ALL.iter().chain(&properties::bpaxos::ALL) {
        let start = format!("| {property} | {} |", property.statement);
        assert!(DOCUMENT.contains(&start), "{start}");
    }
    for bug in Mutation::all().chain(Mutation::all_of(ProtocolName::Bpaxos)) {
        let start = format!("| {} | {} |", bug.id, bug.text);
        assert!(DOCUMENT.contains(&start), "{start}");
    }
}
