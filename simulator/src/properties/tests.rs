//! Properties that are broken by hand. Bugs that are put into runs are caught by others before they come
//! to these.

use bytes::Bytes;
use matchmaker::leader::LeaderRecord;
use matchmaker::matchmaker::MatchmakerRecord;
use matchmaker::message::{
    AnnounceA, DecreeA, Epoch, Generation, MatchA, NewestB, Stopped, Successor, ToMatchmaker,
};
use paxos::archive::ArchiveRecord;
use paxos::message::{Outcome, Phase1B, Phase2A, RequestError, Vote};
use paxos::wire::{self, Payload};

use super::*;
use crate::plan::{Role, Shape};
use crate::workload::Request;

/// A judge that has seen the first round of the first proposer of three registered.
struct Bench {
    ghost: Ghost,
    round: Round,
}

impl Bench {
    fn new() -> Self {
        let places = Places::new(Shape::Three);
        let owner = places.every(Role::Proposer)[0];
        let mut bench =
            Self { ghost: Ghost::new(places, 1000), round: Round { number: 1, owner, step: 0 } };
        bench.register(bench.round);
        bench
    }

    fn every(&self, role: Role) -> Vec<NodeId> {
        self.ghost.places.every(role)
    }

    fn record(&mut self, node: NodeId, record: NodeRecord) -> Verdict {
        self.ghost.on_durable(node, &record)
    }

    /// Registers the first configuration for `round`, everywhere.
    fn register(&mut self, round: Round) {
        let Deployment { initial, epoch, .. } = self.ghost.deployment.clone();
        let used = NodeRecord::Proposer(LeaderRecord::Used(round));
        self.record(round.owner, used).unwrap();
        let m = MatchA { epoch, round, configuration: initial.clone() };
        let message = Message::Matchmaker(ToMatchmaker::MatchA(Box::new(m)));
        for matchmaker in self.ghost.places.founders().members {
            self.ghost.on_leave(round.owner, matchmaker, &message).unwrap();
            let record = MatchmakerRecord::Registered(round, initial.clone());
            self.record(matchmaker, NodeRecord::Matchmaker(record)).unwrap();
        }
    }

    fn propose(&mut self, round: Round, value: Value) -> Verdict {
        let m = Phase2A { round, slot: Slot(0), value };
        let to = self.every(Role::Acceptor)[0];
        self.ghost.on_leave(round.owner, to, &Message::Acceptor(ToAcceptor::Phase2A(m)))
    }

    /// The members of the configuration vote for `value`.
    fn vote(&mut self, round: Round, value: &Value) -> Verdict {
        let members: Vec<NodeId> = self.ghost.deployment.initial.members().to_vec();
        for acceptor in members {
            let vote = Vote { slot: Slot(0), round, value: value.clone() };
            self.record(acceptor, NodeRecord::Acceptor(AcceptorRecord::Voted(vote)))?;
        }
        Ok(())
    }

    /// The second proposer takes over without having asked for votes.
    fn take_over(&mut self) -> Round {
        let owner = self.every(Role::Proposer)[1];
        let round = Round { number: 2, owner, step: 0 };
        self.register(round);
        let members: Vec<NodeId> = self.ghost.deployment.initial.members().to_vec();
        for acceptor in members {
            let record = NodeRecord::Acceptor(AcceptorRecord::Promised(round));
            self.record(acceptor, record).unwrap();
            let m = Phase1B {
                round,
                first: Slot(0),
                persisted_watermark: Slot(0),
                votes: Vec::new(),
                next: None,
            };
            // The judge of shown votes, who would notice that none is, looks away.
            self.ghost.show_votes(acceptor, &m);
        }
        round
    }
}

fn value(text: &'static str) -> Value {
    Value::Batch(Payload(Bytes::from_static(text.as_bytes())))
}

fn broken(verdict: Verdict) -> &'static str {
    verdict.expect_err("a property is broken").property.id
}

#[test]
fn two_values_in_one_round() {
    let mut bench = Bench::new();
    bench.propose(bench.round, value("x")).unwrap();
    bench.propose(bench.round, value("x")).unwrap();
    assert_eq!(broken(bench.propose(bench.round, value("y"))), "A3");
}

#[test]
fn two_values_are_chosen() {
    let mut bench = Bench::new();
    bench.propose(bench.round, value("x")).unwrap();
    bench.vote(bench.round, &value("x")).unwrap();
    let round = bench.take_over();
    assert_eq!(broken(bench.propose(round, value("y"))), "A2");
    // A judge that had missed the proposal notices the choice.
    let id = bench.ghost.id(&value("y"));
    bench.ghost.proposals.entry(Slot(0)).or_default().insert(round, id);
    assert_eq!(broken(bench.vote(round, &value("y"))), "A1");
}

#[test]
fn a_vote_that_was_shown_is_not_adopted() {
    let mut bench = Bench::new();
    bench.propose(bench.round, value("x")).unwrap();
    let [acceptor, ..] = bench.every(Role::Acceptor)[..] else { panic!("there are six") };
    let vote = Vote { slot: Slot(0), round: bench.round, value: value("x") };
    let record = NodeRecord::Acceptor(AcceptorRecord::Voted(vote.clone()));
    bench.record(acceptor, record).unwrap();
    let round = bench.take_over();
    let votes = vec![vote];
    let m = Phase1B { round, first: Slot(0), persisted_watermark: Slot(0), votes, next: None };
    for acceptor in bench.every(Role::Acceptor) {
        bench.ghost.show_votes(acceptor, &m);
    }
    assert_eq!(broken(bench.propose(round, value("y"))), "A21");
    bench.propose(round, value("x")).unwrap();
}

#[test]
fn what_was_chosen_is_collected_before_it_is_persisted() {
    let mut bench = Bench::new();
    bench.propose(bench.round, value("x")).unwrap();
    bench.vote(bench.round, &value("x")).unwrap();
    bench.register(bench.round.adjacent());
    let collected = NodeRecord::Matchmaker(MatchmakerRecord::Collected(bench.round.adjacent()));
    let founders = Vec::from_iter(bench.ghost.places.founders().members);
    let [one, two, _] = founders[..] else { panic!("there are three") };
    bench.record(one, collected.clone()).unwrap();
    assert_eq!(broken(bench.record(two, collected.clone())), "A19");
    let kept = ArchiveRecord::Value { slot: Slot(0), value: value("x") };
    for archive in bench.every(Role::Archive) {
        bench.record(archive, NodeRecord::Archive(kept.clone())).unwrap();
    }
    bench.record(two, collected).unwrap();
}

impl Bench {
    fn founders(&self) -> Vec<NodeId> {
        self.ghost.places.founders().members.into_iter().collect()
    }

    /// The founders, as the generation after that of the founding.
    fn successor(&self, watermark: Round) -> Successor {
        let founders = self.ghost.places.founders();
        let initial = self.ghost.deployment.initial.clone();
        Successor {
            generation: Generation { epoch: Epoch(1), members: founders.members.clone() },
            previous: founders.members,
            log: [(self.round, initial.clone())].into(),
            watermark,
            newest: Some((self.round, initial)),
        }
    }

    /// The founders vote for what comes after them.
    fn choose(&mut self, number: u64, successor: &Successor) -> Verdict {
        let value = Value::Batch(Payload(wire::encode(successor)));
        for node in self.founders() {
            let round = Round { number, ..self.round };
            let vote = Vote { slot: Slot(0), round, value: value.clone() };
            let record = MatchmakerRecord::Decree(AcceptorRecord::Voted(vote));
            self.record(node, NodeRecord::Matchmaker(record))?;
        }
        Ok(())
    }

    /// A founder says something to the first proposer.
    fn say(&mut self, m: impl Into<ToProposer>) -> Verdict {
        let (from, to) = (self.founders()[0], self.round.owner);
        self.ghost.on_leave(from, to, &Message::Proposer(m.into()))
    }
}

#[test]
fn two_successors_are_chosen() {
    let mut bench = Bench::new();
    let successor = bench.successor(Round::ZERO);
    bench.choose(1, &successor).unwrap();
    bench.choose(2, &successor).unwrap();
    let other = bench.successor(bench.round);
    assert_eq!(broken(bench.choose(3, &other)), "H1");
}

#[test]
fn a_successor_lacks_what_was_registered() {
    let mut bench = Bench::new();
    let lacking = Successor { log: [].into(), ..bench.successor(Round::ZERO) };
    assert_eq!(broken(bench.choose(1, &lacking)), "H2");
    let mut bench = Bench::new();
    let lacking = Successor { newest: None, ..bench.successor(Round::ZERO) };
    assert_eq!(broken(bench.choose(1, &lacking)), "H6");
}

#[test]
fn a_driver_proposes_two_values_in_one_round_of_a_decree() {
    let mut bench = Bench::new();
    let (driver, to) = (bench.round.owner, bench.founders()[0]);
    let used = NodeRecord::Reconfigurer(ReconfigurerRecord { used: bench.round });
    bench.record(driver, used).unwrap();
    let mut propose = |watermark| {
        let value = Value::Batch(Payload(wire::encode(&bench.successor(watermark))));
        let m = ToAcceptor::Phase2A(Phase2A { round: bench.round, slot: Slot(0), value });
        let m = ToMatchmaker::DecreeA(Box::new(DecreeA { epoch: Epoch(0), message: m }));
        bench.ghost.on_leave(driver, to, &Message::Matchmaker(m))
    };
    propose(Round::ZERO).unwrap();
    propose(Round::ZERO).unwrap();
    let later = Round { number: 1, ..Round::ZERO };
    assert_eq!(broken(propose(later)), "H5");
}

#[test]
fn a_matchmaker_forgets_the_newest_configuration() {
    let mut bench = Bench::new();
    let newest = Some((bench.round, bench.ghost.deployment.initial.clone()));
    let told = |newest| {
        let m = NewestB { epoch: Epoch(0), newest, round: None };
        ToProposer::Matchmaker(FromMatchmaker::NewestB(Box::new(m)))
    };
    bench.say(told(newest)).unwrap();
    assert_eq!(broken(bench.say(told(None))), "H6");
}

#[test]
fn matchmakers_are_announced_before_they_serve() {
    let mut bench = Bench::new();
    let successor = bench.successor(Round::ZERO);
    bench.choose(1, &successor).unwrap();
    let generation = successor.generation.clone();
    let announced = ToProposer::Reconfigurer(AnnounceA { generation }.into());
    for node in bench.founders().into_iter().take(2) {
        assert_eq!(broken(bench.say(announced.clone())), "H7");
        let record = MatchmakerRecord::Activated(Box::new(successor.clone()));
        bench.record(node, NodeRecord::Matchmaker(record)).unwrap();
    }
    bench.say(announced).unwrap();
    let elsewhere = Successor { watermark: bench.round, ..successor };
    let m = Stopped { epoch: Epoch(0), successor: Some(elsewhere) };
    assert_eq!(broken(bench.say(ToProposer::Matchmaker(m.into()))), "H7");
}

#[test]
fn a_call_returns_twice() {
    let mut calls = calls_at_a_session_for_two();
    calls.invoke(1, caller(7), Request::Read(Bytes::new()), 0);
    let outcome = Outcome::Done(Payload::default());
    calls.complete(1, &outcome, 5).unwrap();
    assert_eq!(broken(calls.complete(1, &outcome, 6).map(drop)), "D4");
}

fn calls_at_a_session_for_two() -> Calls {
    Calls::new(Room { queue_max: 2, queue_bytes_max: 100 })
}

fn caller(client: u64) -> Caller {
    Caller { client, session: 0, size_bytes: 30 }
}

#[test]
fn a_call_is_refused_by_a_session_that_has_room() {
    let mut calls = calls_at_a_session_for_two();
    let refused = Outcome::Failed(RequestError::Overloaded);
    calls.expect_success(5);
    for client in 0..4 {
        calls.invoke(client, caller(client), Request::Read(Bytes::new()), 10);
    }
    calls.complete(3, &refused, 11).unwrap();
    calls.complete(2, &refused, 12).unwrap();
    assert_eq!(broken(calls.check_success()), "L1");
    assert_eq!(broken(calls.complete(1, &refused, 13).map(drop)), "L1");
}

#[test]
fn a_session_that_is_full_refuses_and_brings_others_to_their_end() {
    let mut calls = calls_at_a_session_for_two();
    calls.expect_success(5);
    for (token, size_bytes) in [(0, 80), (1, 30)] {
        let caller = Caller { size_bytes, ..caller(token) };
        calls.invoke(token, caller, Request::Read(Bytes::new()), 10);
    }
    let refused = Outcome::Failed(RequestError::Overloaded);
    calls.complete(1, &refused, 11).unwrap();
    calls.complete(0, &Outcome::Done(Payload::default()), 12).unwrap();
    calls.check_success().unwrap();
}
