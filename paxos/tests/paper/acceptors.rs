//! Acceptors.

use paxos::acceptor::{Acceptor, AcceptorRecord};
use paxos::message::*;
use paxos::round::Round;
use paxos::slot::Slot;

use super::{AcceptorFx, ONE, TWO, phase2a, round, vote};

fn acceptor_step(acceptor: &mut Acceptor, message: impl Into<ToAcceptor>) -> AcceptorFx {
    let mut fx = AcceptorFx::new();
    acceptor.on_message(ONE, message.into(), &mut fx);
    fx
}

/// One answer, behind its records.
fn answer(records: &[AcceptorRecord], reply: impl Into<FromAcceptor>) -> AcceptorFx {
    let mut fx = AcceptorFx::new();
    fx.records = records.to_vec();
    fx.send(ONE, reply);
    fx
}

fn phase1a(round: Round) -> Phase1A {
    Phase1A { round, first: Slot(0) }
}

fn phase1b(round: Round, persisted: u64, votes: &[Vote]) -> Phase1B {
    let (persisted_watermark, votes) = (Slot(persisted), votes.to_vec());
    Phase1B { round, first: Slot(0), persisted_watermark, votes, next: None }
}

fn phase2b(round: Round, slot: u64, persisted: u64) -> Phase2B {
    Phase2B { round, slot: Slot(slot), persisted_watermark: Slot(persisted) }
}

/// Matchmaker Paxos, Algorithm 2: who promised a round takes part in no lower one.
#[test]
fn a_promise_excludes_lower_rounds() {
    let mut acceptor = Acceptor::new();
    let (low, promised) = (round(1, TWO), round(2, ONE));
    let fx = acceptor_step(&mut acceptor, phase1a(promised));
    let record = AcceptorRecord::Promised(promised);
    assert_eq!(fx, answer(&[record], phase1b(promised, 0, &[])));
    let nack = Nack { round: low, promised };
    assert_eq!(acceptor_step(&mut acceptor, phase1a(low)), answer(&[], nack.clone()));
    assert_eq!(acceptor_step(&mut acceptor, phase2a(low, 0, "x")), answer(&[], nack));
}

/// Matchmaker Paxos, Algorithm 2: a vote may be cast without a promise before, and is one.
#[test]
fn a_vote_promises_its_round() {
    let mut acceptor = Acceptor::new();
    let (low, high) = (round(1, TWO), round(2, ONE));
    let fx = acceptor_step(&mut acceptor, phase2a(high, 4, "x"));
    let record = AcceptorRecord::Voted(vote(4, high, "x"));
    assert_eq!(fx, answer(&[record], phase2b(high, 4, 0)));
    let nack = Nack { round: low, promised: high };
    assert_eq!(acceptor_step(&mut acceptor, phase2a(low, 5, "y")), answer(&[], nack));
}

/// Matchmaker Paxos, Algorithm 2: the round that was promised and the one that was voted in are two
/// things. An acceptor that keeps one of them only shows its vote in a round that nobody voted in.
#[test]
fn a_promise_does_not_move_a_vote_to_its_round() {
    let mut acceptor = Acceptor::new();
    let voted = vote(0, round(1, ONE), "x");
    acceptor_step(&mut acceptor, phase2a(round(1, ONE), 0, "x"));
    for number in 2..5 {
        let promised = round(number, ONE);
        let fx = acceptor_step(&mut acceptor, phase1a(promised));
        let record = AcceptorRecord::Promised(promised);
        assert_eq!(fx, answer(&[record], phase1b(promised, 0, std::slice::from_ref(&voted))));
    }
}

/// Matchmaker Paxos, Algorithm 2: of each slot the last vote is shown, which is the one in the
/// highest round.
#[test]
fn the_vote_of_the_highest_round_replaces_earlier_ones() {
    let mut acceptor = Acceptor::new();
    acceptor_step(&mut acceptor, phase2a(round(1, ONE), 0, "x"));
    acceptor_step(&mut acceptor, phase2a(round(2, ONE), 0, "y"));
    let fx = acceptor_step(&mut acceptor, phase1a(round(3, ONE)));
    let votes = [vote(0, round(2, ONE), "y")];
    let record = AcceptorRecord::Promised(round(3, ONE));
    assert_eq!(fx, answer(&[record], phase1b(round(3, ONE), 0, &votes)));
}

/// Matchmaker Paxos, section 4.1: one promise, and one Phase1A, cover all slots of the log.
#[test]
fn one_promise_covers_all_slots() {
    let mut acceptor = Acceptor::new();
    acceptor_step(&mut acceptor, phase2a(round(1, ONE), 7, "x"));
    acceptor_step(&mut acceptor, phase2a(round(1, ONE), 3, "y"));
    let promised = round(2, ONE);
    let votes = [vote(3, round(1, ONE), "y"), vote(7, round(1, ONE), "x")];
    let record = AcceptorRecord::Promised(promised);
    let fx = acceptor_step(&mut acceptor, phase1a(promised));
    assert_eq!(fx, answer(&[record], phase1b(promised, 0, &votes)));
    for slot in [0, 3, 7, 100] {
        let nack = Nack { round: round(1, ONE), promised };
        let fx = acceptor_step(&mut acceptor, phase2a(round(1, ONE), slot, "z"));
        assert_eq!(fx, answer(&[], nack));
    }
}

/// Matchmaker Paxos, section 2.1: machines fail by stopping, and come back with what they made
/// durable. Each answer is made durable before it is sent, so nothing that was said is taken back.
#[test]
fn a_restart_takes_back_neither_promises_nor_votes() {
    let mut acceptor = Acceptor::new();
    let mut disk = Vec::new();
    disk.extend(acceptor_step(&mut acceptor, phase2a(round(1, ONE), 0, "x")).records);
    disk.extend(acceptor_step(&mut acceptor, phase1a(round(2, ONE))).records);
    let mut restarted = Acceptor::new();
    disk.into_iter().for_each(|record| restarted.restore(record));
    assert_eq!(restarted, acceptor);
    let nack = Nack { round: round(1, TWO), promised: round(2, ONE) };
    assert_eq!(acceptor_step(&mut restarted, phase1a(round(1, TWO))), answer(&[], nack));
}

/// Matchmaker Paxos, section 4.5: an acceptor that was told that slots are persisted needs their
/// votes no more. It tells every later Phase 1, and casts no vote there.
#[test]
fn persisted_slots_have_no_votes_and_every_phase_1_learns_it() {
    let mut acceptor = Acceptor::new();
    acceptor_step(&mut acceptor, phase2a(round(1, ONE), 0, "x"));
    acceptor_step(&mut acceptor, phase2a(round(1, ONE), 2, "y"));
    let fx = acceptor_step(&mut acceptor, PersistedA { watermark: Slot(2) });
    let reply = PersistedB { watermark: Slot(2) };
    assert_eq!(fx, answer(&[AcceptorRecord::Persisted(Slot(2))], reply));
    let fx = acceptor_step(&mut acceptor, phase2a(round(2, ONE), 1, "z"));
    assert_eq!(fx, answer(&[], phase2b(round(2, ONE), 1, 2)));
    let fx = acceptor_step(&mut acceptor, phase1a(round(3, ONE)));
    let votes = [vote(2, round(1, ONE), "y")];
    let record = AcceptorRecord::Promised(round(3, ONE));
    assert_eq!(fx, answer(&[record], phase1b(round(3, ONE), 2, &votes)));
}

/// Reads, which the paper leaves open: an acceptor confirms a leader as long as it has promised
/// nothing higher, and writes nothing.
#[test]
fn confirming_a_leader_writes_nothing() {
    let mut acceptor = Acceptor::new();
    let reads = ReadA { round: round(2, ONE), nonce: 1 };
    let confirmed = ReadB { round: round(2, ONE), nonce: 1 };
    assert_eq!(acceptor_step(&mut acceptor, reads.clone()), answer(&[], confirmed));
    acceptor_step(&mut acceptor, phase1a(round(2, TWO)));
    let nack = Nack { round: round(2, ONE), promised: round(2, TWO) };
    assert_eq!(acceptor_step(&mut acceptor, reads), answer(&[], nack));
}
