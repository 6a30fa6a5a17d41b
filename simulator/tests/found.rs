//! Bugs that were found and mended, each put back in: a seed shows it again, and will.
//!
//! The bugs are those of the last table of `docs/invariants.md`. The seeds are of the present generator:
//! when plans are drawn in another way, `simulator run --mutation ID` finds new ones, for here and there.

use simulator::mutation::Mutation;
use simulator::plan::{ProtocolName, Reduction};
use simulator::swarm::run_seed;

/// A bug that is put back in, a seed that shows it, and the property that it breaks.
const FOUND: [(&str, u64, &str); 4] = [
    // The finished collection of the round before was reported at a switch.
    ("R43b", 0, "A11"),
    // What was read back from the page cache was taken for durable.
    ("R69", 93, "D2"),
    // Candidates outdid each other while they read the votes of a long log.
    ("R78d", 145, "L1"),
    // A matchmaker that was off as a spare was replaced as soon as it was put in place.
    ("R103b", 1425, "A26"),
];

const DOCUMENT: &str = include_str!("../../docs/invariants.md");

#[test]
fn each_bug_that_was_found_is_found_again() {
    for (id, seed, property) in FOUND {
        let mutation = Mutation::find(id).expect("it is in the catalogue");
        let report =
            run_seed(ProtocolName::Matchmaker, seed, &Reduction::default(), Some(mutation));
        let broken = report.failure.as_ref().map(|failure| failure.property.id);
        assert_eq!(broken, Some(property), "{id} in seed {seed}: {:?}", report.failure);
    }
}

#[test]
fn their_seeds_are_documented() {
    for (id, seed, property) in FOUND {
        let text = format!("{id}, seed {seed}: {property}");
        assert!(DOCUMENT.contains(&text), "{text:?} is not in the table of bugs that were found");
    }
}
