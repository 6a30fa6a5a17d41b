//! Each step of the proposer, by its state and all its effects.

use super::*;
use paxos::actor::{Incarnation, Seat, TimerChange};
use paxos::message::{Nack, Vote};
use paxos::quorum::QuorumSystem;
use paxos::wire::Payload;

use crate::message::{Generation, MatchNack};

const EPOCH: Epoch = Epoch(0);
const MATCHMAKERS: [u32; 3] = [11, 12, 13];

fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

fn nodes(seats: impl IntoIterator<Item = u32>) -> BTreeSet<NodeId> {
    seats.into_iter().map(node).collect()
}

fn round(number: u64, owner: u32) -> Round {
    Round { number, owner: node(owner), step: 0 }
}

fn value(text: &'static str) -> Value {
    Value::Batch(Payload::new(text.as_bytes()))
}

/// The three acceptors from `first` on.
fn configuration(first: u32) -> Configuration {
    Configuration::new(1, QuorumSystem::Majority, nodes(first..first + 3)).expect("three members")
}

fn proposer(seat: u32) -> SingleProposer {
    SingleProposer::new(node(seat), EPOCH, nodes(MATCHMAKERS))
}

fn proposed(proposer: &mut SingleProposer, text: &'static str, first: u32) -> Fx {
    let mut fx = Fx::new();
    proposer.propose(value(text), configuration(first), &mut fx);
    fx
}

fn from_matchmaker(
    proposer: &mut SingleProposer,
    from: u32,
    message: impl Into<FromMatchmaker>,
) -> Fx {
    let mut fx = Fx::new();
    proposer.on_matchmaker(node(from), message.into(), &mut fx);
    fx
}

fn from_acceptor(proposer: &mut SingleProposer, from: u32, message: impl Into<FromAcceptor>) -> Fx {
    let mut fx = Fx::new();
    proposer.on_acceptor(node(from), message.into(), &mut fx);
    fx
}

fn fire(proposer: &mut SingleProposer, timer: SingleTimer) -> Fx {
    let mut fx = Fx::new();
    proposer.on_timer(timer, &mut fx);
    fx
}

/// `sends` to the seats, and the resend timer armed as often.
fn expected(records: &[Round], sends: Vec<(Vec<u32>, Message)>) -> Fx {
    let mut fx = Fx::new();
    fx.records = records.iter().map(|used| SingleRecord { used: *used }).collect();
    for (seats, message) in sends {
        fx.broadcast(&nodes(seats), message);
        fx.set_timer(SingleTimer::Resend, RESEND);
    }
    fx
}

fn match_a(round: Round, first: u32) -> Message {
    let configuration = configuration(first);
    Message::Matchmaker(MatchA { epoch: EPOCH, round, configuration }.into())
}

fn garbage_a(round: Round) -> Message {
    Message::Matchmaker(GarbageA { epoch: EPOCH, round }.into())
}

fn phase1a(round: Round) -> Message {
    Message::Acceptor(Phase1A { round, first: SLOT }.into())
}

fn phase2a(round: Round, text: &'static str) -> Message {
    Message::Acceptor(Phase2A { round, slot: SLOT, value: value(text) }.into())
}

fn match_b(round: Round, watermark: Round, history: &[(Round, u32)]) -> MatchB {
    let history = history.iter().map(|(round, first)| (*round, configuration(*first))).collect();
    MatchB { epoch: EPOCH, round, watermark, history, newest: None }
}

fn garbage_b(watermark: Round) -> GarbageB {
    GarbageB { epoch: EPOCH, watermark }
}

fn phase1b(round: Round, vote: Option<(Round, &'static str)>) -> Phase1B {
    let votes = vote.map(|(round, text)| Vote { slot: SLOT, round, value: value(text) });
    let votes = votes.into_iter().collect();
    Phase1B { round, first: SLOT, persisted_watermark: SLOT, votes, next: None }
}

fn phase2b(round: Round) -> Phase2B {
    Phase2B { round, slot: SLOT, persisted_watermark: SLOT }
}

/// A proposer in Phase 1 of round `(5, 1)` over the configurations of the rounds in `history`.
fn in_phase1(history: &[(Round, u32)]) -> SingleProposer {
    let mut proposer = proposer(1);
    proposer.restore(SingleRecord { used: round(4, 1) });
    proposed(&mut proposer, "own", 20);
    for matchmaker in [11, 12] {
        from_matchmaker(&mut proposer, matchmaker, match_b(round(5, 1), Round::ZERO, history));
    }
    proposer
}

#[test]
fn a_round_is_recorded_and_registered() {
    let mut proposer = proposer(1);
    let fx = proposed(&mut proposer, "x", 20);
    let r = round(1, 1);
    assert_eq!(fx, expected(&[r], vec![(MATCHMAKERS.to_vec(), match_a(r, 20))]));
    from_matchmaker(&mut proposer, 12, match_b(r, Round::ZERO, &[]));
    let fx = fire(&mut proposer, SingleTimer::Resend);
    assert_eq!(fx, expected(&[], vec![(vec![11, 13], match_a(r, 20))]));
}

#[test]
fn it_follows_to_the_next_matchmakers_with_the_same_round_and_no_answers() {
    let mut proposer = proposer(1);
    proposed(&mut proposer, "x", 20);
    let r = round(1, 1);
    from_matchmaker(&mut proposer, 12, match_b(r, Round::ZERO, &[]));
    let generation = Generation { epoch: Epoch(1), members: nodes([12, 14, 15]) };
    let successor = Successor {
        generation,
        previous: nodes(MATCHMAKERS),
        log: [].into(),
        watermark: Round::ZERO,
        newest: None,
    };
    let stopped = Stopped { epoch: EPOCH, successor: Some(successor) };
    let fx = from_matchmaker(&mut proposer, 11, stopped.clone());
    let configuration = configuration(20);
    let m = MatchA { epoch: Epoch(1), round: r, configuration };
    assert_eq!(fx, expected(&[], vec![(vec![12, 14, 15], Message::Matchmaker(m.into()))]));
    assert!(from_matchmaker(&mut proposer, 13, stopped).is_empty(), "it knows");
    let late = match_b(r, Round::ZERO, &[]);
    assert!(from_matchmaker(&mut proposer, 12, late.clone()).is_empty(), "of the old ones");
    let next = MatchB { epoch: Epoch(1), ..late };
    assert!(from_matchmaker(&mut proposer, 12, next.clone()).is_empty());
    assert!(!from_matchmaker(&mut proposer, 14, next).is_empty());
}

#[test]
fn without_earlier_rounds_it_proposes_its_own_value_and_has_nothing_to_collect() {
    let mut proposer = proposer(1);
    proposed(&mut proposer, "x", 20);
    let r = round(1, 1);
    assert!(from_matchmaker(&mut proposer, 11, match_b(r, Round::ZERO, &[])).is_empty());
    assert!(from_matchmaker(&mut proposer, 99, match_b(r, Round::ZERO, &[])).is_empty());
    let fx = from_matchmaker(&mut proposer, 12, match_b(r, Round::ZERO, &[]));
    let (acceptors, matchmakers) = ((20..23).collect(), MATCHMAKERS.to_vec());
    let mut sends = expected(&[], vec![(acceptors, phase2a(r, "x"))]).sends;
    sends.extend(expected(&[], vec![(matchmakers, garbage_a(r))]).sends);
    assert_eq!((fx.sends, fx.records), (sends, vec![]));

    assert!(from_acceptor(&mut proposer, 20, phase2b(r)).is_empty());
    assert!(from_acceptor(&mut proposer, 20, phase2b(r)).is_empty());
    assert_eq!(proposer.chosen(), None);
    assert!(from_acceptor(&mut proposer, 22, phase2b(r)).is_empty());
    assert_eq!(proposer.chosen(), Some(&value("x")));
}

#[test]
fn it_asks_the_union_of_the_histories_from_the_highest_watermark_on() {
    let mut proposer = proposer(1);
    proposer.restore(SingleRecord { used: round(4, 1) });
    proposed(&mut proposer, "x", 20);
    let (r, low, middle, high) = (round(5, 1), round(1, 2), round(2, 2), round(3, 2));
    from_matchmaker(&mut proposer, 11, match_b(r, Round::ZERO, &[(low, 30), (high, 50)]));
    let fx = from_matchmaker(&mut proposer, 12, match_b(r, middle, &[(middle, 40)]));
    let asked = (40..43).chain(50..53).collect();
    assert_eq!(fx, expected(&[], vec![(asked, phase1a(r))]));
}

#[test]
fn it_waits_for_a_quorum_of_each_earlier_configuration() {
    let history = [(round(1, 2), 30), (round(2, 2), 40)];
    let mut proposer = in_phase1(&history);
    let r = round(5, 1);
    // Four of six, and yet no quorum of the second configuration.
    for acceptor in [30, 31, 32, 40] {
        assert!(from_acceptor(&mut proposer, acceptor, phase1b(r, None)).is_empty());
    }
    let fx = fire(&mut proposer, SingleTimer::Resend);
    assert_eq!(fx, expected(&[], vec![(vec![41, 42], phase1a(r))]));
    let fx = from_acceptor(&mut proposer, 41, phase1b(r, None));
    assert_eq!(fx.sends.len(), 6);
    assert_eq!(fx.sends[0], (node(20), phase2a(r, "own")));
}

#[test]
fn it_adopts_the_vote_of_the_highest_round_and_collects_when_that_is_chosen() {
    let mut proposer = in_phase1(&[(round(1, 2), 30), (round(2, 2), 40)]);
    let r = round(5, 1);
    from_acceptor(&mut proposer, 40, phase1b(r, Some((round(2, 2), "higher"))));
    from_acceptor(&mut proposer, 41, phase1b(r, None));
    from_acceptor(&mut proposer, 30, phase1b(r, Some((round(1, 2), "lower"))));
    let fx = from_acceptor(&mut proposer, 31, phase1b(r, None));
    // Something may be chosen below: no garbage is collected yet.
    assert_eq!(fx, expected(&[], vec![((20..23).collect(), phase2a(r, "higher"))]));
    assert!(from_acceptor(&mut proposer, 30, phase2b(r)).is_empty());
    assert!(from_acceptor(&mut proposer, 20, phase2b(r)).is_empty());
    let fx = from_acceptor(&mut proposer, 21, phase2b(r));
    assert_eq!(fx, expected(&[], vec![(MATCHMAKERS.to_vec(), garbage_a(r))]));
    assert_eq!(proposer.chosen(), Some(&value("higher")));

    assert!(from_matchmaker(&mut proposer, 11, garbage_b(round(2, 2))).is_empty());
    from_matchmaker(&mut proposer, 12, garbage_b(r));
    assert!(!proposer.has_collected());
    let fx = from_matchmaker(&mut proposer, 13, garbage_b(r));
    assert_eq!(fx.timers, vec![TimerChange::Cancel(SingleTimer::Resend)]);
    assert!(proposer.has_collected());
}

#[test]
fn it_gives_way_to_a_higher_round_and_then_goes_above_with_the_same_wish() {
    let mut proposer = proposer(1);
    proposed(&mut proposer, "x", 20);
    let refusal = MatchNack { epoch: EPOCH, round: round(1, 1), highest: round(3, 2) };
    for (refused, next, doublings) in [(1, 4, 0), (4, 7, 1)] {
        let highest = round(next - 1, 2);
        let fx = from_matchmaker(
            &mut proposer,
            11,
            MatchNack { round: round(refused, 1), highest, ..refusal.clone() },
        );
        let factor = 1 << doublings;
        let delay = BACKOFF.start * factor..BACKOFF.end * factor;
        let timers = vec![
            TimerChange::Cancel(SingleTimer::Resend),
            TimerChange::Set(SingleTimer::Retry, delay),
        ];
        assert_eq!(fx, Fx { timers, ..Fx::new() });
        assert!(fire(&mut proposer, SingleTimer::Resend).is_empty());
        let fx = fire(&mut proposer, SingleTimer::Retry);
        let r = round(next, 1);
        assert_eq!(fx, expected(&[r], vec![(MATCHMAKERS.to_vec(), match_a(r, 20))]));
    }
}

#[test]
fn a_defeat_ends_the_collection_of_its_round() {
    let mut proposer = in_phase1(&[]);
    let nack = Nack { round: round(5, 1), promised: round(5, 2) };
    from_acceptor(&mut proposer, 20, nack);
    for matchmaker in MATCHMAKERS {
        assert!(from_matchmaker(&mut proposer, matchmaker, garbage_b(round(5, 1))).is_empty());
    }
    assert!(!proposer.has_collected());
}

#[test]
fn stale_refusals_and_other_epochs_are_dropped() {
    let mut proposer = in_phase1(&[(round(1, 2), 30)]);
    let nack = |promised| Nack { round: round(4, 1), promised };
    assert!(from_acceptor(&mut proposer, 30, nack(round(5, 1))).is_empty());
    assert!(from_acceptor(&mut proposer, 30, nack(round(4, 2))).is_empty());
    let mut proposer = in_matchmaking();
    let other = MatchB { epoch: Epoch(1), ..match_b(round(1, 1), Round::ZERO, &[]) };
    for matchmaker in MATCHMAKERS {
        assert!(from_matchmaker(&mut proposer, matchmaker, other.clone()).is_empty());
    }
}

fn in_matchmaking() -> SingleProposer {
    let mut proposer = proposer(1);
    proposed(&mut proposer, "x", 20);
    proposer
}

#[test]
fn a_restart_never_reuses_a_round() {
    let mut restarted = proposer(1);
    let records = proposed(&mut proposer(1), "x", 20).records;
    records.into_iter().for_each(|record| restarted.restore(record));
    assert_eq!(restarted.checkpoint(), vec![SingleRecord { used: round(1, 1) }]);
    let fx = proposed(&mut restarted, "y", 30);
    assert_eq!(fx.records, vec![SingleRecord { used: round(2, 1) }]);
}

#[test]
fn two_configurations_of_a_round_and_two_values_of_a_round_are_reported() {
    let mut proposer = proposer(1);
    proposer.restore(SingleRecord { used: round(4, 1) });
    proposed(&mut proposer, "x", 20);
    let r = round(5, 1);
    from_matchmaker(&mut proposer, 11, match_b(r, Round::ZERO, &[(round(1, 2), 30)]));
    let fx = from_matchmaker(&mut proposer, 12, match_b(r, Round::ZERO, &[(round(1, 2), 40)]));
    assert_eq!(fx.violations[0].invariant, "A4 one configuration per round");

    let mut proposer = in_phase1(&[(round(1, 2), 30)]);
    from_acceptor(&mut proposer, 30, phase1b(r, Some((round(1, 2), "x"))));
    let fx = from_acceptor(&mut proposer, 31, phase1b(r, Some((round(1, 2), "y"))));
    assert_eq!(fx.violations[0].invariant, "A3 one value per round");
}
