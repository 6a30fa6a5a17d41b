use paxos::acceptor::AcceptorRecord;
use paxos::actor::Seat;
use paxos::archive::ArchiveRecord;
use paxos::message::Vote;
use paxos::quorum::QuorumSystem;
use paxos::snapshot::Sequence;
use paxos::wire::Payload;

use super::*;
use crate::matchmaker::MatchmakerRecord;
use crate::message::{Epoch, Successor};

/// Process `memory` has a matchmaker, an acceptor and an archive.
const fn matchmaker(memory: u64) -> NodeId {
    NodeId::new(Seat(memory as u32 * 10), Incarnation(memory))
}

const fn acceptor(memory: u64) -> NodeId {
    NodeId::new(Seat(memory as u32 * 10 + 1), Incarnation(memory))
}

const fn archive(memory: u64) -> NodeId {
    NodeId::new(Seat(memory as u32 * 10 + 2), Incarnation(memory))
}

fn round(number: u64) -> Round {
    Round { number, owner: matchmaker(1), step: 0 }
}

fn configuration(system: QuorumSystem) -> Configuration {
    Configuration::new(1, system, [1, 2, 3].map(acceptor)).expect("a possible one")
}

fn generation(epoch: u64, memories: &[u64]) -> Generation {
    let members = memories.iter().map(|memory| matchmaker(*memory)).collect();
    Generation { epoch: Epoch(epoch), members }
}

fn value(text: &'static str) -> Value {
    Value::Batch(Payload::new(text.as_bytes()))
}

fn voted(slot: u64, number: u64, text: &'static str) -> NodeRecord {
    let vote = Vote { slot: Slot(slot), round: round(number), value: value(text) };
    NodeRecord::Acceptor(AcceptorRecord::Voted(vote))
}

fn archived(slot: u64, text: &'static str) -> NodeRecord {
    NodeRecord::Archive(ArchiveRecord::Value { slot: Slot(slot), value: value(text) })
}

/// The processes with these memories are here; round 1 is registered at all of them.
fn remains(system: QuorumSystem, memories: &[u64]) -> Remains {
    let mut remains = Remains::new(generation(0, &[1, 2, 3]));
    for memory in memories {
        remains.add(Incarnation(*memory));
        let registered = MatchmakerRecord::Registered(round(1), configuration(system));
        remains.restore(matchmaker(*memory), NodeRecord::Matchmaker(registered));
    }
    remains
}

fn kinds(judgement: &Judgement) -> Vec<&'static str> {
    let kind = |doubt: &Doubt| match doubt {
        Doubt::Matchmakers { .. } => "matchmakers",
        Doubt::Acceptors { .. } => "acceptors",
        Doubt::Archives { .. } => "archives",
    };
    judgement.doubts.iter().map(kind).collect()
}

#[test]
fn a_majority_proves_that_nothing_is_missing() {
    let mut remains = remains(QuorumSystem::Majority, &[1, 2]);
    remains.restore(archive(1), archived(0, "a"));
    remains.restore(acceptor(1), voted(1, 1, "b"));
    remains.restore(acceptor(2), voted(1, 1, "b"));
    remains.restore(acceptor(2), voted(2, 1, "c"));
    remains.restore(acceptor(2), voted(4, 1, "d"));
    let judgement = remains.judge().unwrap();
    assert_eq!((judgement.known_end, kinds(&judgement)), (Slot(1), vec![]));
    let candidate = |slot, text, voters: &[u64], is_chosen| Candidate {
        slot: Slot(slot),
        round: round(1),
        value: value(text),
        voters: voters.iter().map(|memory| acceptor(*memory)).collect(),
        is_chosen,
    };
    let expected = [candidate(1, "b", &[1, 2], true), candidate(2, "c", &[2], false)];
    assert_eq!(judgement.candidates, expected);
    assert_eq!(judgement.beyond, [Slot(4)].into());
}

#[test]
fn a_minority_leaves_doubts_about_who_voted_and_about_later_configurations() {
    let mut remains = remains(QuorumSystem::Majority, &[3]);
    remains.restore(acceptor(3), voted(0, 1, "a"));
    let judgement = remains.judge().unwrap();
    assert_eq!(kinds(&judgement), ["matchmakers", "acceptors"]);
    assert!(!judgement.candidates[0].is_chosen);
    let here = [acceptor(3)].into();
    let configuration = configuration(QuorumSystem::Majority);
    assert_eq!(judgement.doubts[1], Doubt::Acceptors { round: round(1), configuration, here });
}

#[test]
fn one_of_all_that_write_knows_every_vote_but_not_every_configuration() {
    let judgement = remains(QuorumSystem::WriteAll, &[2]).judge().unwrap();
    assert_eq!(kinds(&judgement), ["matchmakers"]);
    let judgement = remains(QuorumSystem::WriteAll, &[2, 3]).judge().unwrap();
    assert_eq!(kinds(&judgement), [""; 0]);
}

#[test]
fn the_vote_of_the_highest_round_counts_and_late_ones_below_do_not() {
    let mut remains = remains(QuorumSystem::Majority, &[1, 2]);
    remains.restore(acceptor(1), voted(0, 2, "later"));
    remains.restore(acceptor(2), voted(0, 1, "earlier"));
    let judgement = remains.judge().unwrap();
    let candidate = &judgement.candidates[0];
    assert_eq!((candidate.round, &candidate.value), (round(2), &value("later")));
    assert_eq!(candidate.voters, [acceptor(1)].into());
}

#[test]
fn what_is_known_to_be_chosen_and_is_not_here_is_lost() {
    let mut remains = remains(QuorumSystem::Majority, &[1, 2]);
    remains.restore(archive(1), archived(0, "a"));
    let persisted = AcceptorRecord::Persisted(Slot(5));
    remains.restore(acceptor(2), NodeRecord::Acceptor(persisted));
    remains.restore(acceptor(2), voted(5, 1, "b"));
    let judgement = remains.judge().unwrap();
    assert_eq!(judgement.doubts, [Doubt::Archives { from: Slot(1), to: Slot(5) }]);
    assert!(judgement.candidates.is_empty(), "it would follow on a gap");
    assert_eq!(judgement.beyond, [Slot(5)].into());
}

#[test]
fn the_latest_snapshot_and_values_of_any_archive_make_one_prefix() {
    let mut remains = remains(QuorumSystem::Majority, &[1, 2]);
    let mut sequence = Sequence::new(Slot(3));
    for (text, is_last) in [("state", false), ("", true)] {
        let chunk = sequence.cut(Payload::new(text.as_bytes()), is_last);
        remains.restore(archive(1), NodeRecord::Archive(ArchiveRecord::Chunk(chunk)));
    }
    for (slot, text) in [(0, "a"), (1, "b"), (2, "c"), (3, "d"), (4, "e")] {
        remains.restore(archive(2), archived(slot, text));
    }
    assert_eq!((remains.base(), remains.snapshot().count()), (Slot(3), 2));
    assert_eq!(remains.judge().unwrap().known_end, Slot(5));
    assert_eq!(remains.value(Slot(4)), Some(&value("e")));
    remains.restore(archive(1), archived(3, "another"));
    let error = remains.judge().unwrap_err().to_string();
    assert!(error.contains("two values are chosen in slot 3"), "{error}");
}

#[test]
fn matchmakers_that_were_replaced_or_stopped_prove_nothing() {
    let mut stopped = remains(QuorumSystem::Majority, &[1, 2, 3]);
    for memory in [1, 2] {
        let record = MatchmakerRecord::Stopped(Epoch(0));
        stopped.restore(matchmaker(memory), NodeRecord::Matchmaker(record));
    }
    assert_eq!(kinds(&stopped.judge().unwrap()), ["matchmakers"]);
    let mut replaced = remains(QuorumSystem::Majority, &[1, 2, 3]);
    replaced.learn(&generation(1, &[4, 5, 6]));
    assert_eq!(kinds(&replaced.judge().unwrap()), ["matchmakers"]);
    replaced.add(Incarnation(4));
    assert_eq!(kinds(&replaced.judge().unwrap()), ["matchmakers"], "it has not begun yet");
    let origin = Successor {
        generation: generation(1, &[4, 5, 6]),
        previous: generation(0, &[1, 2, 3]).members,
        log: BTreeMap::new(),
        watermark: round(1),
        newest: None,
    };
    for memory in [4, 5] {
        let record = MatchmakerRecord::Activated(Box::new(origin.clone()));
        replaced.restore(matchmaker(memory), NodeRecord::Matchmaker(record));
    }
    assert_eq!(kinds(&replaced.judge().unwrap()), [""; 0]);
}
