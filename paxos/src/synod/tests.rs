//! Each step of the proposer, by its state and all its effects.

use super::*;
use crate::acceptor::Acceptor;
use crate::actor::{Incarnation, OwnEffects, Seat, TimerChange, Violation};
use crate::quorum::QuorumSystem;
use crate::wire::Payload;

fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

fn round(number: u64, owner: u32) -> Round {
    Round { number, owner: node(owner), step: 0 }
}

fn value(text: &'static str) -> Value {
    Value::Batch(Payload::new(text.as_bytes()))
}

fn acceptors() -> [NodeId; 3] {
    [node(11), node(12), node(13)]
}

fn synod(seat: u32) -> Synod {
    let configuration = Configuration::new(1, QuorumSystem::Majority, acceptors());
    Synod::new(node(seat), configuration.expect("three members"), SynodOptions::default())
}

fn proposed(synod: &mut Synod, text: &'static str) -> Fx {
    let mut fx = Fx::new();
    synod.propose(value(text), &mut fx);
    fx
}

fn step(synod: &mut Synod, from: u32, message: impl Into<FromAcceptor>) -> Fx {
    let mut fx = Fx::new();
    synod.on_message(node(from), message.into(), &mut fx);
    fx
}

fn fire(synod: &mut Synod, timer: SynodTimer) -> Fx {
    let mut fx = Fx::new();
    synod.on_timer(timer, &mut fx);
    fx
}

fn resend() -> TimerChange<SynodTimer> {
    TimerChange::Set(SynodTimer::Resend, SynodOptions::default().resend)
}

fn expected(
    records: &[Round],
    to: &[u32],
    message: impl Into<ToAcceptor>,
    timers: Vec<TimerChange<SynodTimer>>,
) -> Fx {
    let mut fx = Fx::new();
    fx.records = records.iter().map(|used| SynodRecord { used: *used }).collect();
    let to: Vec<NodeId> = to.iter().map(|seat| node(*seat)).collect();
    fx.broadcast(&to, message);
    fx.timers = timers;
    fx
}

fn phase1a(round: Round) -> Phase1A {
    Phase1A { round, first: SLOT }
}

fn phase2a(round: Round, text: &'static str) -> Phase2A {
    Phase2A { round, slot: SLOT, value: value(text) }
}

fn phase1b(round: Round, vote: Option<(Round, &'static str)>) -> Phase1B {
    let votes = vote.map(|(round, text)| Vote { slot: SLOT, round, value: value(text) });
    let votes = votes.into_iter().collect();
    Phase1B { round, first: SLOT, persisted_watermark: SLOT, votes, next: None }
}

fn phase2b(round: Round) -> Phase2B {
    Phase2B { round, slot: SLOT, persisted_watermark: SLOT }
}

#[test]
fn a_round_is_recorded_before_its_first_message() {
    let mut synod = synod(1);
    let fx = proposed(&mut synod, "x");
    let r = round(1, 1);
    assert_eq!(fx, expected(&[r], &[11, 12, 13], phase1a(r), vec![resend()]));
    assert!(proposed(&mut synod, "y").is_empty());
    assert_eq!(synod.chosen(), None);
}

#[test]
fn a_free_decree_takes_the_own_value() {
    let mut synod = synod(1);
    proposed(&mut synod, "x");
    let r = round(1, 1);
    assert!(step(&mut synod, 11, phase1b(r, None)).is_empty());
    assert!(step(&mut synod, 11, phase1b(r, None)).is_empty());
    let fx = step(&mut synod, 12, phase1b(r, None));
    assert_eq!(fx, expected(&[], &[11, 12, 13], phase2a(r, "x"), vec![resend()]));
    assert!(step(&mut synod, 13, phase2b(r)).is_empty());
    assert!(step(&mut synod, 13, phase2b(r)).is_empty());
    assert_eq!(synod.chosen(), None);
    let fx = step(&mut synod, 11, phase2b(r));
    assert_eq!(fx.timers, vec![TimerChange::Cancel(SynodTimer::Resend)]);
    assert!(fx.sends.is_empty() && fx.records.is_empty());
    assert_eq!(synod.chosen(), Some(&value("x")));
    assert!(step(&mut synod, 12, phase2b(r)).is_empty());
}

#[test]
fn the_vote_of_the_highest_round_is_adopted() {
    let mut synod = synod(2);
    synod.restore(SynodRecord { used: round(7, 2) });
    proposed(&mut synod, "own");
    let r = round(8, 2);
    step(&mut synod, 11, phase1b(r, Some((round(5, 1), "higher"))));
    let fx = step(&mut synod, 12, phase1b(r, Some((round(3, 3), "lower"))));
    assert_eq!(fx, expected(&[], &[11, 12, 13], phase2a(r, "higher"), vec![resend()]));
}

#[test]
fn answers_of_strangers_and_of_other_rounds_count_for_nothing() {
    let mut synod = synod(1);
    proposed(&mut synod, "x");
    let r = round(1, 1);
    step(&mut synod, 11, phase1b(r, None));
    assert!(step(&mut synod, 99, phase1b(r, None)).is_empty());
    assert!(step(&mut synod, 12, phase1b(round(0, 1), None)).is_empty());
    assert!(step(&mut synod, 12, phase2b(r)).is_empty());
    step(&mut synod, 12, phase1b(r, None));
    step(&mut synod, 11, phase2b(r));
    assert!(step(&mut synod, 99, phase2b(r)).is_empty());
    assert!(step(&mut synod, 12, phase2b(round(2, 1))).is_empty());
    assert_eq!(synod.chosen(), None);
}

#[test]
fn only_the_silent_are_asked_again() {
    let mut synod = synod(1);
    assert!(fire(&mut synod, SynodTimer::Resend).is_empty());
    proposed(&mut synod, "x");
    let r = round(1, 1);
    step(&mut synod, 12, phase1b(r, None));
    let fx = fire(&mut synod, SynodTimer::Resend);
    assert_eq!(fx, expected(&[], &[11, 13], phase1a(r), vec![resend()]));
    step(&mut synod, 13, phase1b(r, None));
    step(&mut synod, 11, phase2b(r));
    let fx = fire(&mut synod, SynodTimer::Resend);
    assert_eq!(fx, expected(&[], &[12, 13], phase2a(r, "x"), vec![resend()]));
    step(&mut synod, 12, phase2b(r));
    assert!(fire(&mut synod, SynodTimer::Resend).is_empty());
}

#[test]
fn a_defeat_backs_off_and_then_goes_above() {
    let mut synod = synod(1);
    proposed(&mut synod, "x");
    let mut used = round(1, 1);
    let SynodOptions { backoff, backoff_doublings_max, .. } = SynodOptions::default();
    for defeat in 0..backoff_doublings_max + 3 {
        let promised = round(used.number, 2);
        let fx = step(&mut synod, 11, Nack { round: used, promised });
        let factor = 1 << defeat.min(backoff_doublings_max);
        let delay = backoff.start * factor..backoff.end * factor;
        let retry = TimerChange::Set(SynodTimer::Retry, delay);
        let mut beaten = Fx::new();
        beaten.timers = vec![TimerChange::Cancel(SynodTimer::Resend), retry];
        assert_eq!(fx, beaten);
        assert!(step(&mut synod, 12, Nack { round: used, promised }).is_empty());
        assert!(step(&mut synod, 13, phase1b(used, None)).is_empty());
        let next = round(used.number + 1, 1);
        let fx = fire(&mut synod, SynodTimer::Retry);
        assert_eq!(fx, expected(&[next], &[11, 12, 13], phase1a(next), vec![resend()]));
        used = next;
    }
}

#[test]
fn stale_refusals_are_dropped() {
    let mut synod = synod(1);
    synod.restore(SynodRecord { used: round(4, 1) });
    proposed(&mut synod, "x");
    let own = Nack { round: round(4, 1), promised: round(5, 1) };
    assert!(step(&mut synod, 11, own).is_empty());
    let lower = Nack { round: round(4, 1), promised: round(4, 2) };
    assert!(step(&mut synod, 11, lower).is_empty());
    assert!(fire(&mut synod, SynodTimer::Retry).is_empty());
}

#[test]
fn a_restart_never_reuses_a_round() {
    let mut synod1 = synod(1);
    let fx = proposed(&mut synod1, "x");
    step(&mut synod1, 11, Nack { round: round(1, 1), promised: round(3, 2) });
    let again = fire(&mut synod1, SynodTimer::Retry);
    let mut restarted = synod(1);
    fx.records.into_iter().chain(again.records).for_each(|record| restarted.restore(record));
    assert_eq!(restarted.checkpoint(), vec![SynodRecord { used: round(4, 1) }]);
    let fx = proposed(&mut restarted, "y");
    let r = round(5, 1);
    assert_eq!(fx, expected(&[r], &[11, 12, 13], phase1a(r), vec![resend()]));
}

#[test]
fn impossible_answers_are_reported_and_not_counted() {
    let mut synod = synod(1);
    synod.restore(SynodRecord { used: round(2, 1) });
    proposed(&mut synod, "x");
    let r = round(3, 1);
    let invariants = |fx: Fx| -> Vec<&'static str> {
        assert!(fx.records.is_empty() && fx.sends.is_empty() && fx.timers.is_empty());
        fx.violations.iter().map(|Violation { invariant, .. }| *invariant).collect()
    };
    let fx = step(&mut synod, 11, phase1b(r, Some((r, "y"))));
    assert_eq!(invariants(fx), vec!["A5 vote validity"]);
    let mut dropped = phase1b(r, None);
    dropped.persisted_watermark = Slot(1);
    assert_eq!(invariants(step(&mut synod, 11, dropped)), vec!["decree acceptors"]);
    step(&mut synod, 11, phase1b(r, Some((round(1, 2), "y"))));
    let fx = step(&mut synod, 12, phase1b(r, Some((round(1, 2), "z"))));
    assert_eq!(invariants(fx), vec!["A3 one value per round"]);
    step(&mut synod, 12, phase1b(r, None));
    let dropped = Phase2B { persisted_watermark: Slot(1), ..phase2b(r) };
    assert_eq!(invariants(step(&mut synod, 12, dropped)), vec!["decree acceptors"]);
    assert_eq!(synod.chosen(), None);
}

/// Delivers the messages of `fx` to the acceptors in `reached`, loses the others, and takes the
/// answers back.
fn exchange(
    synod: &mut Synod,
    fx: Fx,
    acceptors: &mut [(NodeId, Acceptor)],
    reached: &[u32],
) -> Fx {
    let mut next = Fx::new();
    for (to, m) in fx.sends {
        if reached.contains(&to.seat.0) {
            let found = acceptors.iter_mut().find(|(node, _)| *node == to);
            let mut answer = OwnEffects::<Acceptor>::new();
            found.expect("an acceptor").1.on_message(synod.node, m, &mut answer);
            assert_eq!(answer.violations, vec![]);
            for (_, reply) in answer.sends {
                synod.on_message(to, reply, &mut next);
            }
        }
    }
    assert_eq!(next.violations, vec![]);
    next
}

#[test]
fn of_two_that_duel_the_later_one_adopts_what_it_meets() {
    let mut acceptors = acceptors().map(|node| (node, Acceptor::new()));
    let (mut one, mut two) = (synod(1), synod(2));
    let fx = proposed(&mut one, "x");
    let fx = exchange(&mut one, fx, &mut acceptors, &[11, 12, 13]);
    exchange(&mut one, fx, &mut acceptors, &[11]);

    // The second overtakes the first before that has a quorum, and meets its one vote.
    let fx = proposed(&mut two, "y");
    let fx = exchange(&mut two, fx, &mut acceptors, &[11, 12]);
    assert_eq!(fx.sends[0].1, phase2a(round(1, 2), "x").into());
    exchange(&mut two, fx, &mut acceptors, &[12]);

    // The first is refused, waits, and overtakes the second in turn.
    let fx = fire(&mut one, SynodTimer::Resend);
    exchange(&mut one, fx, &mut acceptors, &[12]);
    let fx = fire(&mut one, SynodTimer::Retry);
    assert_eq!(fx.records, vec![SynodRecord { used: round(2, 1) }]);
    let fx = exchange(&mut one, fx, &mut acceptors, &[12, 13]);
    let late = fire(&mut two, SynodTimer::Resend);
    exchange(&mut two, late, &mut acceptors, &[13]);
    exchange(&mut one, fx, &mut acceptors, &[12, 13]);
    assert_eq!((one.chosen(), two.chosen()), (Some(&value("x")), None));

    let fx = fire(&mut two, SynodTimer::Retry);
    assert_eq!(fx.records, vec![SynodRecord { used: round(2, 2) }]);
    let fx = exchange(&mut two, fx, &mut acceptors, &[11, 13]);
    exchange(&mut two, fx, &mut acceptors, &[11, 13]);
    assert_eq!(two.chosen(), Some(&value("x")));
}

#[test]
fn of_two_that_duel_the_earlier_one_gives_up_its_value() {
    let mut acceptors = acceptors().map(|node| (node, Acceptor::new()));
    let (mut one, mut two) = (synod(1), synod(2));
    let fx = proposed(&mut one, "x");
    let fx = exchange(&mut one, fx, &mut acceptors, &[11, 12]);
    exchange(&mut one, fx, &mut acceptors, &[11]);

    // The second does not meet the vote of 11, so nothing is chosen, and nothing ever will be.
    let fx = proposed(&mut two, "y");
    let fx = exchange(&mut two, fx, &mut acceptors, &[12, 13]);
    exchange(&mut two, fx, &mut acceptors, &[12, 13]);
    assert_eq!(two.chosen(), Some(&value("y")));

    let fx = fire(&mut one, SynodTimer::Resend);
    exchange(&mut one, fx, &mut acceptors, &[12]);
    let fx = fire(&mut one, SynodTimer::Retry);
    let fx = exchange(&mut one, fx, &mut acceptors, &[11, 12]);
    exchange(&mut one, fx, &mut acceptors, &[11, 12]);
    assert_eq!(one.chosen(), Some(&value("y")));
}
