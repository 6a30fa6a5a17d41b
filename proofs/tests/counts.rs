//! The fixed set is explored to the end, and has as many states as it had.

use std::time::Duration;

use proofs::models;
use proofs::verdict::explore;

#[test]
fn the_smallest_models_hold_and_have_the_pinned_number_of_states() {
    for instance in models::all().filter(|instance| instance.is_fixed && instance.states < 30_000) {
        let verdict = explore(instance, 2, Duration::from_secs(3600));
        assert!(verdict.is_good(), "{} {verdict}", instance.name);
        assert_eq!(verdict.states, instance.states, "{}", instance.name);
    }
}
