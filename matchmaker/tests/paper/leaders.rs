//! Leaders that come and go.

use matchmaker::leader::LeaderTimer;
use matchmaker::message::{Message, ToProposer};
use paxos::actor::TimerChange;
use paxos::message::Nack;
use paxos::round::Round;
use paxos::slot::Slot;

use crate::cluster::*;
use crate::steps::*;

/// Matchmaker Paxos, section 3.2 (nacks are left out there): a higher promise of another proposer
/// ends the leadership.
#[test]
fn a_leader_steps_down_before_a_higher_promise_of_another() {
    let mut world = World::led();
    let promised = Round { number: 1, owner: TWO, step: 0 };
    let nack: Message = ToProposer::Acceptor(Nack { round: round(0), promised }.into()).into();
    let fx = world.step(ONE, A[0], nack);
    let timers = [
        LeaderTimer::Heartbeat,
        LeaderTimer::Quorum,
        LeaderTimer::Campaign,
        LeaderTimer::Resend,
        LeaderTimer::Garbage,
        LeaderTimer::Reach,
        LeaderTimer::Watch,
    ];
    assert_eq!(fx, Fx { timers: timers.map(TimerChange::Cancel).into(), ..Fx::new() });
    assert!(!world.leader(ONE).is_active());
}

/// Matchmaker Paxos, section 4.4: an acceptor of both configurations refuses round i once it has
/// heard of round i + 1. That is the leader's own doing, and no reason to step down.
#[test]
fn a_leader_ignores_refusals_for_the_sake_of_its_own_rounds() {
    let mut world = World::led();
    propose(&mut world, 0, "x");
    world.step(ONE, OPERATOR, reconfigure(7, [A[1], A[2], B[0]]));
    answer_probes(&mut world, 1, &A[1..]);
    switch(&mut world, 0);
    let nack = Nack { round: round(0), promised: round(1) };
    assert!(world.step(ONE, A[1], ToProposer::Acceptor(nack.into()).into()).is_empty());
    assert_eq!(world.leader(ONE).leads_in(), Some(round(1)));
}

/// Matchmaker Paxos, section 3.6: rounds are unique. A leader that lost all but its disk uses none
/// again, whether anyone has heard of it or not.
#[test]
fn a_restart_never_reuses_a_round() {
    let mut world = World::led();
    world.post(OPERATOR, ONE, reconfigure(7, B));
    world.settle_but(|envelope| MATCHMAKERS.contains(&envelope.to));
    world.lose(|_| true);
    world.crash(&[ONE]);
    world.restart(ONE);
    assert_eq!(world.leader(ONE).leads_in(), None);
    // The matchmakers know of round zero only; the disk knows of the next one.
    world.campaign(ONE);
    world.settle();
    let now = world.leader(ONE).leads_in().expect("leads again");
    assert!(now > round(1), "{now}");
}

/// Matchmaker Paxos, section 2.2: what acceptors have promised and voted survives their restart, and
/// so does what the matchmakers know: nothing that was chosen is lost when all of them fail at once.
#[test]
fn what_was_chosen_survives_the_restart_of_everyone() {
    let mut world = World::led();
    world.post(SESSION, ONE, request(0, "x"));
    // Chosen, and nobody was told.
    world.settle_but(|envelope| REPLICAS.contains(&envelope.to));
    world.lose(|_| true);
    let everyone = [A, MATCHMAKERS, REPLICAS, ARCHIVES].concat();
    world.crash(&everyone);
    world.crash(&[ONE]);
    everyone.into_iter().for_each(|node| world.restart(node));
    world.settle();
    world.campaign(TWO);
    world.settle();
    assert_eq!(world.executed(REPLICAS[0]), ["x"]);
}

/// Matchmaker Paxos, section 4.2: a client sends again what was not answered. A command that fills
/// two slots is executed in the first.
#[test]
fn a_command_that_is_sent_again_is_executed_once() {
    let mut world = World::led();
    world.post(SESSION, ONE, request(0, "x"));
    world.settle();
    world.crash(&[ONE]);
    world.campaign(TWO);
    world.settle();
    world.post(SESSION, TWO, request(0, "x"));
    world.post(SESSION, TWO, request(1, "y"));
    world.settle();
    let now = world.leader(TWO).leads_in().expect("leads");
    let vote = world.acceptor(A[0]).vote(Slot(1)).cloned();
    assert_eq!(vote, Some((now, batch(0, "x"))), "the command fills a second slot");
    for replica in REPLICAS {
        assert_eq!(world.executed(replica), ["x", "y"]);
    }
}
