//! Stories that every checker must judge right.
//!
//! A line is `op(client, start, end, input, reply)`; `lost` is an operation whose reply never came.

use crate::checker::specifications::{
    AppendList, AppendListInput, AppendListReply, Counter, CounterInput, StringKey, StringKeyInput,
    StringKeyReply,
};
use crate::checker::{
    ClientId, History, Operation, Outcome, Specification, Timestamp, Verdict, Violation, check,
};

use StringKeyInput::{Del, Get, Incr};
use StringKeyReply::{Deleted, Integer, Ok, Swapped};

type Line<I, R> = Operation<&'static str, I, R>;

fn op<I, R>(client: u64, start: u64, end: u64, input: I, reply: R) -> Line<I, R> {
    let outcome = Outcome::Returned { reply, end: Timestamp(end) };
    Operation { client: ClientId(client), key: "x", input, start: Timestamp(start), outcome }
}

fn lost<I, R>(client: u64, start: u64, input: I) -> Line<I, R> {
    let outcome = Outcome::Unknown;
    Operation { client: ClientId(client), key: "x", input, start: Timestamp(start), outcome }
}

fn refused<I, R>(client: u64, start: u64, input: I) -> Line<I, R> {
    Operation { outcome: Outcome::Failed, ..lost(client, start, input) }
}

fn set(value: &str) -> StringKeyInput {
    StringKeyInput::Set(value.to_owned())
}

fn cas(expected: &str, new: &str) -> StringKeyInput {
    StringKeyInput::Cas { expected: Some(expected.to_owned()), new: new.to_owned() }
}

fn value(text: &str) -> StringKeyReply {
    StringKeyReply::Value(Some(text.to_owned()))
}

fn none() -> StringKeyReply {
    StringKeyReply::Value(None)
}

fn judge<S: Specification>(
    specification: &S,
    lines: impl IntoIterator<Item = Line<S::Input, S::Reply>>,
) -> Verdict<&'static str> {
    let mut history = History::new();
    for line in lines {
        history.push(line).unwrap();
    }
    check(specification, &history)
}

#[track_caller]
fn accepted<const N: usize>(lines: [Line<StringKeyInput, StringKeyReply>; N]) {
    let verdict = judge(&StringKey, lines);
    assert!(matches!(verdict, Verdict::Linearizable), "{verdict}");
}

/// Asserts a violation at the line `stuck`.
#[track_caller]
fn rejected<const N: usize>(
    stuck: usize,
    lines: [Line<StringKeyInput, StringKeyReply>; N],
) -> Violation<&'static str> {
    match judge(&StringKey, lines) {
        Verdict::Violation(violation) => {
            assert_eq!(violation.stuck, stuck, "{violation}");
            violation
        }
        verdict => panic!("{verdict}"),
    }
}

#[test]
fn nothing_happened() {
    accepted([]);
    accepted([lost(1, 1, set("a")), refused(2, 1, set("b"))]);
}

#[test]
fn one_after_the_other() {
    accepted([
        op(1, 1, 2, Get, none()),
        op(1, 3, 4, set("a"), Ok),
        op(2, 5, 6, Get, value("a")),
        op(2, 7, 8, Del, Deleted(true)),
        op(1, 9, 10, Incr, Integer(1)),
    ]);
}

#[test]
fn concurrent_reads_see_a_write_or_not() {
    accepted([
        op(1, 1, 10, set("a"), Ok),
        op(2, 2, 3, Get, none()),
        op(3, 4, 5, Get, value("a")),
        op(2, 6, 7, Get, value("a")),
    ]);
}

/// Setting the value that is already there is no read: here it undoes a concurrent write.
#[test]
fn a_write_of_the_same_value_may_come_later() {
    accepted([
        op(1, 1, 2, set("a"), Ok),
        op(2, 3, 10, set("a"), Ok),
        op(3, 4, 9, set("b"), Ok),
        op(4, 5, 6, Get, value("b")),
        op(4, 11, 12, Get, value("a")),
    ]);
}

#[test]
fn equal_stamps_are_concurrent() {
    accepted([op(1, 1, 2, set("a"), Ok), op(2, 2, 3, Get, none())]);
    accepted([op(1, 5, 5, Get, value("a")), op(2, 5, 5, set("a"), Ok)]);
}

#[test]
fn stale_read() {
    rejected(
        2,
        [op(1, 1, 2, set("a"), Ok), op(1, 3, 4, set("b"), Ok), op(2, 5, 6, Get, value("a"))],
    );
}

#[test]
fn lost_update() {
    rejected(
        3,
        [
            op(1, 1, 2, set("5"), Ok),
            op(1, 3, 10, Incr, Integer(6)),
            op(2, 3, 10, Incr, Integer(7)),
            op(3, 11, 12, Get, value("6")),
        ],
    );
}

#[test]
fn lost_acknowledged_write() {
    rejected(1, [op(1, 1, 2, set("a"), Ok), op(2, 3, 4, Get, none())]);
}

#[test]
fn a_read_that_goes_back_in_time() {
    rejected(
        2,
        [op(1, 1, 20, set("a"), Ok), op(2, 2, 3, Get, value("a")), op(3, 4, 5, Get, none())],
    );
}

#[test]
fn incremented_twice() {
    rejected(1, [op(1, 1, 4, Incr, Integer(1)), op(2, 2, 5, Incr, Integer(1))]);
    let lines = [op(1, 1, 2, CounterInput::Increment, 1), op(2, 3, 4, CounterInput::Get, 2)];
    let verdict = judge(&Counter, lines.clone());
    assert!(matches!(&verdict, Verdict::Violation(violation) if violation.stuck == 1), "{verdict}");
    // A retry whose first attempt was lost explains it.
    let retried = [lost(1, 0, CounterInput::Increment)].into_iter().chain(lines);
    let verdict = judge(&Counter, retried);
    assert!(matches!(verdict, Verdict::Linearizable), "{verdict}");
}

#[test]
fn an_unknown_outcome_takes_effect_later() {
    accepted([
        lost(1, 1, set("a")),
        op(2, 2, 3, Get, none()),
        op(2, 4, 5, set("b"), Ok),
        op(2, 6, 7, Get, value("b")),
        op(2, 8, 9, Get, value("a")),
    ]);
}

#[test]
fn an_unknown_outcome_takes_effect_once() {
    rejected(
        3,
        [
            lost(1, 1, set("a")),
            op(2, 2, 3, Get, value("a")),
            op(2, 4, 5, set("b"), Ok),
            op(2, 6, 7, Get, value("a")),
        ],
    );
}

#[test]
fn an_unknown_outcome_before_its_invocation() {
    let violation = rejected(0, [op(2, 1, 2, Get, value("a")), lost(1, 3, set("a"))]);
    assert_eq!(violation.concurrent, Vec::<usize>::new());
}

#[test]
fn a_failed_operation_that_took_effect() {
    rejected(1, [refused(1, 1, set("a")), op(2, 2, 3, Get, value("a"))]);
}

#[test]
fn several_unknown_outcomes_in_a_row() {
    accepted([
        lost(1, 1, set("1")),
        lost(2, 1, Incr),
        lost(3, 1, Incr),
        lost(4, 1, cas("3", "z")),
        op(5, 2, 3, Get, value("z")),
    ]);
}

#[test]
fn a_split_brain_lets_both_swap() {
    rejected(
        2,
        [
            op(1, 1, 2, set("a"), Ok),
            op(2, 3, 10, cas("a", "b"), Swapped(true)),
            op(3, 4, 11, cas("a", "c"), Swapped(true)),
        ],
    );
}

#[test]
fn a_list_that_two_clients_read_in_different_orders() {
    let appended =
        |client, element| op(client, 1, 9, AppendListInput::Append(element), AppendListReply::Ok);
    let read = |client, elements: &[u64]| {
        let reply = AppendListReply::Elements(elements.to_vec());
        op(client, 2, 12, AppendListInput::Get, reply)
    };
    let verdict = judge(&AppendList, [appended(1, 1), appended(2, 2), read(3, &[1, 2])]);
    assert!(matches!(verdict, Verdict::Linearizable), "{verdict}");
    let verdict =
        judge(&AppendList, [appended(1, 1), appended(2, 2), read(3, &[1]), read(4, &[2])]);
    assert!(matches!(verdict, Verdict::Violation(_)), "{verdict}");
}

#[test]
fn keys_are_independent() {
    let elsewhere = |line| Operation { key: "y", ..line };
    accepted([op(1, 1, 2, set("a"), Ok), elsewhere(op(1, 3, 4, Get, none()))]);
    let wrong = elsewhere(op(1, 3, 4, Get, value("a")));
    assert_eq!(rejected(1, [op(1, 1, 2, set("a"), Ok), wrong]).key, "y");
}

#[test]
fn an_explanation() {
    let violation = rejected(
        2,
        [
            op(1, 1, 2, set("a"), Ok),
            op(1, 3, 4, set("b"), Ok),
            op(2, 5, 6, Get, value("a")),
            op(3, 5, 7, Incr, Integer(9)),
            lost(4, 6, set("c")),
        ],
    );
    let expected = "\
the history of key \"x\" is not linearizable
the longest order of operations that explains all replies has 2:
    [1..2] client 1: \"x\" Set(\"a\") -> ok
    [3..4] client 1: \"x\" Set(\"b\") -> ok
after it the state can be:
    Some(\"b\")
the next operation to end fits nowhere:
    [5..6] client 2: \"x\" Get -> Some(\"a\")
the operations concurrent with it do not help:
    [5..7] client 3: \"x\" Incr -> 9
    [6..] client 4: \"x\" Set(\"c\") -> ?
";
    assert_eq!(violation.to_string(), expected);
    assert_eq!((violation.prefix, violation.concurrent), (vec![0, 1], vec![3, 4]));
}
