//! The search and the brute force must agree.

use std::fmt::Debug;

use super::brute_force::is_linearizable;
use super::random::{Random, Workload, mutated};
use crate::checker::specifications::{
    AppendList, AppendListInput, AppendListReply, CompareAndSet, CompareAndSetInput,
    CompareAndSetReply, Counter, CounterInput, Register, RegisterInput, RegisterReply, StringKey,
};
use crate::checker::{
    ClientId, History, Operation, Outcome, Specification, Timestamp, Verdict, check,
};

/// A specification that does not say which operations are reads.
struct Plain<'s, S>(&'s S);

impl<S: Specification> Specification for Plain<'_, S> {
    type State = S::State;
    type Input = S::Input;
    type Reply = S::Reply;

    fn initial(&self) -> S::State {
        self.0.initial()
    }

    fn step(
        &self,
        state: &S::State,
        input: &S::Input,
        reply: Option<&S::Reply>,
    ) -> Option<S::State> {
        self.0.step(state, input, reply)
    }
}

/// Judges with both and returns whether the history is linearizable.
fn agreed<S: Specification>(
    specification: &S,
    history: &History<u64, S::Input, S::Reply>,
    seed: u64,
) -> bool
where
    S::Input: Debug,
{
    let expected = is_linearizable(specification, history);
    let verdict = check(specification, history);
    let actual = match &verdict {
        Verdict::Linearizable => true,
        Verdict::Violation(violation) => {
            assert!(violation.states.iter().all(|state| !state.is_empty()));
            assert!(!violation.prefix.contains(&violation.stuck), "{verdict}");
            assert_prefix(specification, history, &violation.prefix);
            false
        }
        Verdict::GaveUp { .. } => panic!("seed {seed}: {verdict}"),
    };
    assert_eq!(actual, expected, "seed {seed}: {verdict}\n{:#?}", history.operations());
    let plain = check(&Plain(specification), history);
    assert_eq!(matches!(plain, Verdict::Linearizable), expected, "seed {seed}: {plain}");
    actual
}

/// The prefix that a violation shows must itself be a legal order.
fn assert_prefix<S: Specification>(
    specification: &S,
    history: &History<u64, S::Input, S::Reply>,
    prefix: &[usize],
) {
    let mut state = specification.initial();
    for index in prefix {
        let Operation { input, outcome, .. } = &history.operations()[*index];
        let reply = match outcome {
            Outcome::Returned { reply, .. } => Some(reply),
            Outcome::Failed => panic!("a failed operation is in the prefix"),
            Outcome::Unknown => None,
        };
        state = specification.step(&state, input, reply).unwrap();
    }
}

/// A history whose operations and replies are drawn one by one.
fn drawn<I, R>(
    random: &mut Random,
    mut draw: impl FnMut(&mut Random) -> (I, R),
) -> History<u64, I, R> {
    let mut history = History::new();
    for client in 0..random.within(3..8) {
        let (input, reply) = draw(random);
        let start = random.within(0..16);
        let outcome = match random.within(0..20) {
            0 => Outcome::Failed,
            1..5 => Outcome::Unknown,
            _ => Outcome::Returned { reply, end: Timestamp(start + random.within(0..8)) },
        };
        let client = ClientId(client);
        history
            .push(Operation { client, key: 0, input, start: Timestamp(start), outcome })
            .unwrap();
    }
    history
}

/// Compares on many drawn histories; both verdicts must be common.
fn compare<S: Specification>(
    specification: &S,
    mut draw: impl FnMut(&mut Random) -> (S::Input, S::Reply),
) {
    const HISTORIES: u64 = 3_000;
    let mut linearizable_count = 0;
    for seed in 1..=HISTORIES {
        let history = drawn(&mut Random::new(seed), &mut draw);
        linearizable_count += u64::from(agreed(specification, &history, seed));
    }
    println!("{linearizable_count} of {HISTORIES} linearizable");
    assert!(linearizable_count > HISTORIES / 20, "{linearizable_count}");
    assert!(linearizable_count < HISTORIES * 19 / 20, "{linearizable_count}");
}

#[test]
fn registers() {
    compare(&Register, |random| {
        let value = random.within(0..3);
        match random.chance(50) {
            true => (RegisterInput::Get, RegisterReply::Value(value)),
            false => (RegisterInput::Set(value), RegisterReply::Ok),
        }
    });
}

#[test]
fn compare_and_sets() {
    compare(&CompareAndSet, |random| {
        let (expected, new) = (random.within(0..2), random.within(0..3));
        match random.within(0..4) {
            0 => (CompareAndSetInput::Get, CompareAndSetReply::Value(new)),
            1 => (CompareAndSetInput::Set(new), CompareAndSetReply::Ok),
            _ => {
                let swapped = CompareAndSetReply::Swapped(random.chance(50));
                (CompareAndSetInput::CompareAndSet { expected, new }, swapped)
            }
        }
    });
}

#[test]
fn counters() {
    compare(&Counter, |random| match random.chance(30) {
        true => (CounterInput::Get, random.within(0..4)),
        false => (CounterInput::Increment, random.within(1..5)),
    });
}

#[test]
fn lists() {
    compare(&AppendList, |random| match random.chance(35) {
        true => {
            let mut seen = vec![1, 2, 3];
            seen.truncate(random.within(0..4) as usize);
            (AppendListInput::Get, AppendListReply::Elements(seen))
        }
        false => (AppendListInput::Append(random.within(1..4)), AppendListReply::Ok),
    });
}

/// Simulates a correct object, then falsifies one reply. A wrong reply that another order explains
/// is no violation, so the brute force says which ones must be found; most must.
fn compare_falsified(workload: &Workload) {
    let (mut falsified, mut found) = (0, 0);
    for seed in 1..=2_000 {
        let random = &mut Random::new(seed);
        let history = workload.correct(random);
        assert!(agreed(&StringKey, &history, seed), "seed {seed}");
        let Some(history) = mutated(&history, random) else {
            continue;
        };
        falsified += 1;
        found += u64::from(!agreed(&StringKey, &history, seed));
    }
    println!("{falsified} falsified, {found} not linearizable");
    assert!(falsified > 500, "{falsified}");
    assert!(found * 2 > falsified, "{found} of {falsified}");
}

#[test]
fn falsified_replies_of_a_correct_object() {
    compare_falsified(&Workload::small(7));
}

#[test]
fn falsified_replies_among_many_unknown_outcomes() {
    compare_falsified(&Workload { unknown_percent: 45, ..Workload::small(7) });
}

#[test]
fn falsified_replies_among_recognisable_writes() {
    compare_falsified(&Workload { texts: 100, clients: 5, ..Workload::small(7) });
}
