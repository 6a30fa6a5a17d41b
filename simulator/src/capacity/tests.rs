//! Small clusters under a cost model.

use super::*;

/// Every message costs two microseconds at each of its ends, and nothing else costs anything.
fn costs() -> Costs {
    Costs { read_ns: 2000, write_ns: 2000, ..Costs::default() }
}

fn setup(proposers: usize, placement: Placement) -> Setup {
    Setup {
        size: Size { failures: 1, proposers, placement },
        batch_max: 1,
        load: Load { clients: 150, hot_permille: 0, seed: 1 },
        surroundings: Surroundings::default(),
        warm_up_ns: 6_000_000,
        measured_ns: 6_000_000,
        wishes: Vec::new(),
    }
}

fn bpaxos(setup: &Setup, costs: &Costs) -> Found {
    measure::<Bpaxos>(setup, costs, None).expect("every column has a leader")
}

fn multipaxos(setup: &Setup, costs: &Costs) -> Found {
    measure::<Matchmaker>(setup, costs, None).expect("somebody leads")
}

#[test]
fn the_same_setup_finds_the_same() {
    let setup = setup(3, Placement::Modular);
    assert_eq!(bpaxos(&setup, &costs()), bpaxos(&setup, &costs()));
    assert_eq!(multipaxos(&setup, &costs()), multipaxos(&setup, &costs()));
}

/// A proposer has 15 or 16 ends of messages for each of its commands; an acceptor and a dependency node
/// have two for each command of anybody, so eight proposers are the most that they can serve.
#[test]
fn proposers_raise_the_peak_until_another_module_is_the_bottleneck() {
    let [one, four, ten] =
        [1, 4, 10].map(|proposers| bpaxos(&setup(proposers, Placement::Modular), &costs()));
    assert_eq!([one.bottleneck(), four.bottleneck()], ["proposer"; 2]);
    assert!(four.rate() > 3.5 * one.rate(), "{} and {}", one.rate(), four.rate());
    assert!(ten.rate() > 1.5 * four.rate(), "{} and {}", four.rate(), ten.rate());
    assert!(ten.rate() < 2.4 * four.rate(), "{} and {}", four.rate(), ten.rate());
    assert!(["acceptor", "dependency node"].contains(&ten.bottleneck()), "{:?}", ten.usage);
}

#[test]
fn modules_apart_are_faster_than_together_and_than_one_leader() {
    let apart = bpaxos(&setup(5, Placement::Modular), &costs());
    let together = bpaxos(&setup(5, Placement::Coupled), &costs());
    let one_leader = multipaxos(&setup(2, Placement::Modular), &costs());
    assert!(apart.rate() > 2.0 * together.rate(), "{} and {}", apart.rate(), together.rate());
    assert!(apart.rate() > 2.0 * one_leader.rate(), "{} and {}", apart.rate(), one_leader.rate());
    assert_eq!(together.bottleneck(), "process");
    assert_eq!(one_leader.bottleneck(), "proposer");
}

#[test]
fn every_command_writes_to_one_key_and_all_are_executed() {
    let mut setup = setup(3, Placement::Modular);
    setup.load.hot_permille = 1000;
    let found = bpaxos(&setup, &costs());
    assert!(found.completions.len() > 100, "{}", found.completions.len());
    assert!(found.gap_ns() < 2_000_000, "{}", found.gap_ns());
}

#[test]
fn what_was_measured_covers_what_is_sent() {
    let CostModel { matchmaker, bpaxos: columns } = CostModel::measured();
    for (found, name) in [
        (bpaxos(&setup(3, Placement::Modular), &columns), "BPaxos"),
        (multipaxos(&setup(2, Placement::Modular), &matchmaker), "Matchmaker MultiPaxos"),
    ] {
        let unpriced: u64 = found.unpriced.values().sum();
        assert!(unpriced * 20 < found.messages, "{name}: {:?}", found.unpriced);
    }
}

#[test]
fn acceptors_are_replaced_while_answers_are_late() {
    let mut setup = setup(2, Placement::Modular);
    let late_ns = 30_000_000;
    setup.surroundings.late =
        ["MatchB", "Phase1B"].map(|kind| (kind.to_owned(), late_ns)).into_iter().collect();
    setup.load.clients = 4;
    setup.measured_ns = 80_000_000;
    setup.wishes = vec![(5_000_000, Wish::Acceptors)];
    let quiet = multipaxos(&setup, &costs());
    assert!(quiet.gap_ns() < late_ns / 10, "{}", quiet.gap_ns());
    setup.wishes = vec![(5_000_000, Wish::Leader)];
    let moved = multipaxos(&setup, &costs());
    assert!(moved.gap_ns() > late_ns, "a new leader asks and waits: {}", moved.gap_ns());
}
