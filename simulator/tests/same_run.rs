//! The same seed gives the same run: in one process, in debug and release builds, on every machine.
//!
//! `fingerprints.golden` holds a fingerprint of every message and record of some runs. Any change of what
//! actors do changes them; then the lines that this test prints take their place. What must never
//! happen is that they differ between two builds of one source: the project's check runs this test in
//! both profiles.

use std::fmt::Write as _;

use simulator::plan::{ProtocolName, Reduction};
use simulator::swarm::run_seed;

const GOLDEN: &str = include_str!("fingerprints.golden");

#[test]
fn a_run_is_the_same_every_time_and_in_every_build() {
    let mut seen = String::new();
    let matchmaker = (0..12).map(|seed| (ProtocolName::Matchmaker, seed));
    let bpaxos = (0..4).map(|seed| (ProtocolName::Bpaxos, seed));
    for (protocol, seed) in matchmaker.chain(bpaxos) {
        let report = run_seed(protocol, seed, &Reduction::default(), None);
        let (digest, events) = (report.digest, report.summary.events);
        writeln!(seen, "{protocol} {seed} {digest:016x} {events}").expect("a string takes it");
    }
    assert_eq!(seen, GOLDEN, "if the actors were meant to change, put this into the file:\n{seen}");
}

#[test]
fn another_thread_sees_the_same_run() {
    let run = || run_seed(ProtocolName::Matchmaker, 5, &Reduction::default(), None);
    let other = std::thread::spawn(run).join().expect("it runs to its end");
    let here = run();
    assert_eq!((here.digest, here.summary), (other.digest, other.summary));
}
