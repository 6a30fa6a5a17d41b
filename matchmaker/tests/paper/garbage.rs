//! Garbage collection of configurations.

use matchmaker::leader::LeaderTimer;
use matchmaker::message::{
    GarbageA, GarbageB, Message, Progress, ReconfigureB, ToApplication, ToProposer,
};
use paxos::actor::NodeId;
use paxos::message::{ArchivedA, ArchivedB, PersistedA, PersistedB, Phase2B, ToArchive};
use paxos::round::Round;
use paxos::slot::Slot;

use crate::cluster::*;
use crate::steps::*;

/// A leader in round zero of which the first matchmakers know that it collected the rounds below,
/// with command "x" chosen in slot 0, and the adjacent round just entered. Nothing is persisted.
fn archived_b(watermark: Slot) -> ArchivedB {
    let base = Slot::ZERO;
    ArchivedB {
        persisted_watermark: watermark,
        executed_watermark: watermark,
        base,
        chunk_count: 0,
    }
}

fn switched_after_one_slot() -> (World, Fx) {
    let mut world = World::led();
    propose(&mut world, 0, "x");
    vote(&mut world, A[0], round(0), 0);
    vote(&mut world, A[1], round(0), 0);
    start_reconfiguration(&mut world);
    let fx = switch(&mut world, 0);
    (world, fx)
}

/// An archive tells how much it has on disk.
fn archived(world: &mut World, archive: NodeId, watermark: u64) -> Fx {
    let watermark = Slot(watermark);
    let m = archived_b(watermark);
    world.step(ONE, archive, ToProposer::ArchivedB(m).into())
}

/// An acceptor tells that it knows how much is persisted.
fn informed(world: &mut World, acceptor: NodeId, watermark: u64) -> Fx {
    let m = PersistedB { watermark: Slot(watermark) };
    world.step(ONE, acceptor, ToProposer::Acceptor(m.into()).into())
}

fn persisted_a(watermark: u64) -> Message {
    Message::Acceptor(PersistedA { watermark: Slot(watermark) }.into())
}

fn garbage_a(steps: u64) -> Message {
    Message::Matchmaker(GarbageA { epoch: EPOCH, round: round(steps) }.into())
}

fn garbage_b(world: &mut World, matchmaker: NodeId, steps: u64) -> Fx {
    let m = GarbageB { epoch: EPOCH, watermark: round(steps) };
    world.step(ONE, matchmaker, ToProposer::Matchmaker(m.into()).into())
}

/// Matchmaker Paxos, sections 3.5 (scenario 3) and 4.5: GarbageA leaves when every slot that is not
/// free is chosen, durable on f + 1 archives, and a Phase 2 quorum of the new configuration was told
/// so; not one answer earlier.
#[test]
fn earlier_rounds_are_collected_after_f_plus_1_archives_and_a_phase_2_quorum_know() {
    let (mut world, fx) = switched_after_one_slot();
    assert!(
        receivers(&fx, is_garbage_a).is_empty(),
        "that the new acceptors are in place is nothing"
    );
    assert_eq!(sends_of(&fx, is_persisted_a), []);
    let archived_a = Message::Archive(ToArchive::ArchivedA(ArchivedA { watermark: Slot(1) }));
    let hurries = |m: &Message| matches!(m, Message::Archive(_));
    assert_eq!(sends_of(&fx, hurries), to_all(&ARCHIVES, archived_a));

    assert!(archived(&mut world, ARCHIVES[0], 1).is_empty(), "f archives are not enough");
    assert!(archived(&mut world, ARCHIVES[1], 0).is_empty(), "nothing was said");
    let fx = archived(&mut world, ARCHIVES[2], 1);
    assert_eq!(fx.sends, to_all(&B, persisted_a(1)));

    assert!(informed(&mut world, B[0], 1).is_empty(), "one acceptor is not enough");
    assert!(informed(&mut world, B[1], 0).is_empty(), "nothing was said");
    let fx = informed(&mut world, B[2], 1);
    assert_eq!(fx.sends, to_all(&MATCHMAKERS, garbage_a(1)));

    assert!(garbage_b(&mut world, MATCHMAKERS[0], 1).is_empty(), "f matchmakers are not enough");
    assert!(garbage_b(&mut world, MATCHMAKERS[1], 0).is_empty(), "a lower watermark is none");
    let fx = garbage_b(&mut world, MATCHMAKERS[1], 1);
    let progress = Progress::Collected { watermark: round(1), retirable: A.into() };
    let report = ToApplication::ReconfigureB(Box::new(ReconfigureB { token: 7, progress }));
    assert_eq!(fx.sends, to_all(&[OPERATOR], report));
}

/// Matchmaker Paxos, section 4.5: it is the *new* configuration that a later Phase 1 asks, so having
/// told the old one counts for nothing.
#[test]
fn having_told_the_old_configuration_does_not_count() {
    let (mut world, _) = switched_after_one_slot();
    archived(&mut world, ARCHIVES[0], 1);
    archived(&mut world, ARCHIVES[1], 1);
    for old in A {
        assert!(informed(&mut world, old, 1).is_empty());
    }
    assert!(informed(&mut world, B[0], 1).is_empty());
    let fx = informed(&mut world, B[1], 1);
    assert_eq!(receivers(&fx, is_garbage_a), MATCHMAKERS.into());
}

/// Matchmaker Paxos, section 3.5: a vote of the new configuration is not yet a quorum of it. DPaxos
/// collects at that point and can choose two values (Matchmaker Paxos, appendix D).
#[test]
fn one_vote_in_the_new_round_does_not_collect_the_old_ones() {
    let mut world = World::led();
    propose(&mut world, 0, "x");
    start_reconfiguration(&mut world);
    switch(&mut world, 0);
    let first = vote(&mut world, B[0], round(1), 0);
    assert!(first.is_empty());
    // Chosen in the new round, and still not told to anyone that it is persisted.
    let second = vote(&mut world, B[1], round(1), 0);
    assert!(receivers(&second, is_garbage_a).is_empty());
    let later = world.timer(ONE, LeaderTimer::Garbage);
    assert!(receivers(&later, is_garbage_a).is_empty());
}

/// Matchmaker Paxos, section 4.5: an acceptor that refuses to vote because it knows a slot to be
/// persisted proves that the slot is chosen. It is one acceptor, so it proves nothing to a later
/// Phase 1: a quorum must be told before earlier configurations go.
#[test]
fn one_acceptor_that_knows_what_is_persisted_is_not_enough() {
    let mut world = World::new();
    let used = in_phase1(&mut world, &[(round(0), majority(1, A))]);
    let votes = [(0, round(0), batch(0, "x")), (1, round(0), batch(1, "y"))];
    world.step(TWO, A[1], phase1b(used, 0, &votes));
    let fx = world.step(TWO, A[2], phase1b(used, 0, &votes));
    assert_eq!(proposals(&fx).len(), 6);

    for slot in 0..2 {
        let m = Phase2B { round: used, slot: Slot(slot), persisted_watermark: Slot(2) };
        let fx = world.step(TWO, A[0], ToProposer::Acceptor(m.into()).into());
        assert!(receivers(&fx, is_garbage_a).is_empty() && receivers(&fx, is_chosen).is_empty());
    }
    // It has nothing left to propose, and asks who has the values.
    world.timer(TWO, LeaderTimer::Resend);
    assert_eq!(proposals(&world.timer(TWO, LeaderTimer::Resend)), []);
    let told = |world: &mut World, archive| {
        let m = archived_b(Slot(2));
        world.step(TWO, archive, ToProposer::ArchivedB(m).into())
    };
    told(&mut world, ARCHIVES[0]);
    let fx = told(&mut world, ARCHIVES[1]);
    assert_eq!(fx.sends, to_all(&A, persisted_a(2)));
    let knows: Message = ToProposer::Acceptor(PersistedB { watermark: Slot(2) }.into()).into();
    assert!(world.step(TWO, A[0], knows.clone()).is_empty());
    let fx = world.step(TWO, A[1], knows);
    let garbage_a = GarbageA { epoch: EPOCH, round: used };
    assert_eq!(fx.sends, to_all(&MATCHMAKERS, Message::Matchmaker(garbage_a.into())));
}

/// Matchmaker Paxos, section 3.5 (scenario 2): if nothing was proposed in any lower round, there is
/// nobody to tell.
#[test]
fn an_empty_log_is_collected_at_once() {
    let mut world = World::led();
    start_reconfiguration(&mut world);
    let fx = switch(&mut world, 0);
    assert_eq!(sends_of(&fx, is_garbage_a), to_all(&MATCHMAKERS, garbage_a(1)));
    assert_eq!(sends_of(&fx, is_persisted_a), []);
}

/// Matchmaker Paxos, section 4.5: collection goes on in the background and needs no client. At its
/// end the old machines can be switched off, and another leader manages without them.
#[test]
fn collection_needs_no_client_traffic_and_then_the_old_acceptors_can_go() {
    let mut world = World::led();
    for (number, text) in [(0, "x"), (1, "y"), (2, "z")] {
        world.post(SESSION, ONE, request(number, text));
    }
    world.settle();
    world.post(OPERATOR, ONE, reconfigure(7, B));
    world.settle();
    world.collect(ONE);
    assert_eq!(collected(&world), [(round(1), A.into())]);
    assert!(MATCHMAKERS.iter().all(|node| world.matchmaker(*node).watermark() == round(1)));

    world.crash(&A);
    world.crash(&[ONE, REPLICAS[0], ARCHIVES[0]]);
    world.campaign(TWO);
    world.settle();
    assert!(world.leader(TWO).leads_in().is_some());
    world.post(SESSION, TWO, request(3, "!"));
    world.settle();
    assert_eq!(world.executed(REPLICAS[1]), ["x", "y", "z", "!"]);
}

/// Matchmaker Paxos, sections 4.5 and 7: with collection behind every reconfiguration, matchmakers
/// return one configuration.
#[test]
fn matchmakers_return_one_configuration_in_the_steady_state() {
    let mut world = World::led();
    world.collect(ONE);
    for (token, members) in [(1, B), (2, C), (3, A), (4, B)] {
        world.post(OPERATOR, ONE, reconfigure(token, members));
        world.settle();
        world.collect(ONE);
    }
    let active = world.reports.iter().filter_map(|report| match report {
        ToApplication::ReconfigureB(m) => match m.progress {
            Progress::Active { history_count, .. } => Some(history_count),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(active.collect::<Vec<_>>(), [1, 1, 1, 1]);
    let watermarks: Vec<Round> = collected(&world).into_iter().map(|(round, _)| round).collect();
    assert_eq!(watermarks, [round(1), round(2), round(3), round(4)]);
}

/// Matchmaker Paxos, section 3.4, says that the machines of collected rounds may go. A round *above* them
/// may have the same machines: a candidate that is slow registers what was the newest configuration when
/// it asked, at the one matchmaker that has not heard of a newer one. It can never be registered by a
/// majority, so nobody must wait for its acceptors.
#[test]
fn an_older_configuration_above_what_is_collected_is_not_asked() {
    let mut world = World::led();
    let late = MATCHMAKERS[2];
    world.post(OPERATOR, ONE, reconfigure(7, B));
    world.settle_but(|envelope| envelope.to == late);
    world.lose(|envelope| envelope.to == late);
    for _ in 0..3 {
        world.fire(ONE, LeaderTimer::Garbage);
        world.settle_but(|envelope| envelope.to == late);
        world.lose(|envelope| envelope.to == late);
    }
    let slow = Round { number: 2, owner: TWO, step: 0 };
    for matchmaker in MATCHMAKERS {
        world.post(TWO, matchmaker, match_a(slow, majority(1, A)));
    }
    world.settle();
    assert!(world.matchmaker(late).log().contains_key(&slow), "it had not heard of the other");
    assert!(!world.matchmaker(MATCHMAKERS[1]).log().contains_key(&slow));

    // The old acceptors are switched off on good evidence, and one matchmaker fails.
    world.crash(&A);
    world.crash(&[ONE, MATCHMAKERS[0]]);
    for _ in 0..3 {
        world.campaign(TWO);
        world.settle();
    }
    assert!(world.leader(TWO).leads_in() > Some(slow));
}
