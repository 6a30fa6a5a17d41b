//! Histories of the size that a long test of a server records.
//!
//! Every client always has an operation in flight, so 64 clients on 16 keys are four at a time on
//! each key, and often ten.

use std::time::Instant;

use super::random::{Random, StringHistory, Workload};
use crate::checker::specifications::{StringKey, StringKeyInput, StringKeyReply};
use crate::checker::{
    ClientId, Limits, Operation, Outcome, Timestamp, Verdict, check, check_within,
};

/// A correct history of 64 clients.
fn recorded(keys: u64, operations: usize, seed: u64) -> StringHistory {
    let workload = Workload {
        clients: 64,
        keys,
        operations,
        texts: 1_000_000,
        unknown_percent: 1,
        failed_percent: 1,
        duration_max: 40,
    };
    workload.correct(&mut Random::new(seed))
}

/// The verdict; the time it took is printed, not asserted.
fn timed(name: &str, history: &StringHistory) -> Verdict<u64> {
    let start = Instant::now();
    let verdict = check(&StringKey, history);
    println!("{name}: {:?}", start.elapsed());
    verdict
}

#[test]
fn a_hundred_thousand_operations_on_64_keys() {
    let verdict = timed("100,000 operations, 64 keys", &recorded(64, 100_000, 1));
    assert!(matches!(verdict, Verdict::Linearizable), "{verdict}");
}

#[test]
fn a_hundred_thousand_operations_on_16_keys() {
    let verdict = timed("100,000 operations, 16 keys", &recorded(16, 100_000, 1));
    assert!(matches!(verdict, Verdict::Linearizable), "{verdict}");
}

/// One client on one key for the whole time does not make the others slow, though its operation is
/// concurrent with all of theirs.
#[test]
fn an_operation_as_long_as_the_history() {
    let mut history = recorded(64, 100_000, 2);
    let outcome = Outcome::Returned { reply: StringKeyReply::Ok, end: Timestamp(u64::MAX) };
    let input = StringKeyInput::Set("late".to_owned());
    let client = ClientId(64);
    history.push(Operation { client, key: 0, input, start: Timestamp(0), outcome }).unwrap();
    let verdict = timed("100,000 operations, one as long as the history", &history);
    assert!(matches!(verdict, Verdict::Linearizable), "{verdict}");
}

#[test]
fn a_value_that_nobody_wrote_among_ten_thousand_operations() {
    for seed in 1..=10 {
        let mut history = recorded(16, 10_000, seed);
        let stuck = history.operations().len();
        let reply = StringKeyReply::Value(Some("never".to_owned()));
        let outcome = Outcome::Returned { reply, end: Timestamp(2_010) };
        let (client, input) = (ClientId(64), StringKeyInput::Get);
        history
            .push(Operation { client, key: 3, input, start: Timestamp(2_000), outcome })
            .unwrap();
        match timed("10,000 operations, 16 keys, one wrong", &history) {
            Verdict::Violation(violation) => {
                assert_eq!((violation.key, violation.stuck), (3, stuck), "{violation}");
            }
            verdict => panic!("seed {seed}: {verdict}"),
        }
    }
}

#[test]
fn a_search_beyond_its_limits_is_not_a_pass() {
    let history = recorded(1, 1_000, 1);
    let few_states = Limits { states_max: 10, ..Limits::default() };
    let verdict = check_within(&StringKey, &history, few_states);
    assert!(matches!(verdict, Verdict::GaveUp { key: 0, states: 10 }), "{verdict}");
    let few_steps = Limits { steps_max: 100, ..Limits::default() };
    let verdict = check_within(&StringKey, &history, few_steps);
    assert!(matches!(verdict, Verdict::GaveUp { key: 0, .. }), "{verdict}");
}
