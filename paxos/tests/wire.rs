//! The encoding of all that travels and of all that is on disk, byte by byte.
//!
//! `wire.golden` holds the bytes of one value of each variant. They must never change: nodes of two
//! versions talk to each other, and a new version reads the disk of an old one. Variants are added at
//! the end, together with a line in that file.

mod golden;

use bytes::Bytes;
use golden::Golden;
use paxos::acceptor::AcceptorRecord;
use paxos::actor::{Incarnation, NodeId, Seat};
use paxos::archive::ArchiveRecord;
use paxos::command::{SessionId, Submission, Value};
use paxos::configuration::Configuration;
use paxos::history::{History, HistoryMark};
use paxos::membership::Membership;
use paxos::message::*;
use paxos::quorum::QuorumSystem;
use paxos::round::Round;
use paxos::session::SessionRecord;
use paxos::slot::Slot;
use paxos::snapshot::{Chunk, Part, SessionPart};
use paxos::state_machine::Position;
use paxos::synod::SynodRecord;
use paxos::wire::{self, Payload};

fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(0xa0 + u64::from(seat)))
}

fn round() -> Round {
    Round { number: 1, owner: node(2), step: 3 }
}

fn session() -> SessionId {
    SessionId { node: node(4), life: 5 }
}

fn payload() -> Payload {
    Payload::new(&b"payload"[..])
}

fn value() -> Value {
    Value::Batch(payload())
}

fn vote() -> Vote {
    Vote { slot: Slot(6), round: round(), value: value() }
}

fn chunk() -> Chunk {
    Chunk { slot: Slot(6), number: 8, digest: 9, is_last: true, bytes: payload() }
}

fn submission() -> Submission {
    let commands = vec![payload(), Payload::default()];
    Submission { session: session(), first: 7, acknowledged: 6, commands }
}

fn to_acceptor() -> Golden<ToAcceptor> {
    Golden {
        prefix: "ToAcceptor",
        values: vec![
            ("Phase1A", Phase1A { round: round(), first: Slot(6) }.into()),
            ("Phase2A", Phase2A { round: round(), slot: Slot(6), value: value() }.into()),
            ("ReadA", ReadA { round: round(), nonce: 8 }.into()),
            ("PersistedA", PersistedA { watermark: Slot(6) }.into()),
            ("ProbeA", ProbeA { nonce: 8 }.into()),
        ],
    }
}

fn from_acceptor() -> Golden<FromAcceptor> {
    let phase1b = Phase1B {
        round: round(),
        first: Slot(6),
        persisted_watermark: Slot(5),
        votes: vec![vote(), Vote { value: Value::Noop, ..vote() }],
        next: Some(Slot(9)),
    };
    let phase2b = Phase2B { round: round(), slot: Slot(6), persisted_watermark: Slot(5) };
    let probe_b = ProbeB { nonce: 8, promised: round(), beat: Some((round(), 9)), page_count: 2 };
    Golden {
        prefix: "FromAcceptor",
        values: vec![
            ("Phase1B", phase1b.into()),
            ("Phase2B", phase2b.into()),
            ("Nack", Nack { round: round(), promised: round().adjacent() }.into()),
            ("ReadB", ReadB { round: round(), nonce: 8 }.into()),
            ("PersistedB", PersistedB { watermark: Slot(6) }.into()),
            ("ProbeB", probe_b.into()),
        ],
    }
}

fn to_replica() -> Golden<ToReplica> {
    let query = Query { token: 8, watermark: Slot(6), query: payload() };
    let fetch_b = FetchB { first: Slot(6), values: vec![value(), Value::Noop] };
    let snapshot_a = SnapshotA { executed_watermark: Slot(5), slot: Some(Slot(6)), next: 8 };
    Golden {
        prefix: "ToReplica",
        values: vec![
            ("Chosen", Chosen { slot: Slot(6), value: value() }.into()),
            (
                "ChosenWatermark",
                ChosenWatermark { watermark: Slot(6), archives: [node(1)].into() }.into(),
            ),
            ("FetchB", fetch_b.into()),
            ("Query", query.into()),
            ("Cut", Cut { first: Slot(6), base: Slot(9), replica: node(3) }.into()),
            ("SnapshotWanted", SnapshotWanted { watermark: Slot(6) }.into()),
            ("Kept", Kept { slot: Slot(6), number: 8 }.into()),
            ("SnapshotA", snapshot_a.into()),
            ("SnapshotB", SnapshotB { chunk: chunk() }.into()),
            ("Quarantine", Quarantine { slot: Slot(6) }.into()),
        ],
    }
}

fn to_archive() -> Golden<ToArchive> {
    Golden {
        prefix: "ToArchive",
        values: vec![
            ("Store", Store { slot: Slot(6), value: value() }.into()),
            ("FetchA", FetchA { first: Slot(6) }.into()),
            ("ArchivedA", ArchivedA { watermark: Slot(6) }.into()),
            ("Keep", Keep { chunk: chunk() }.into()),
            ("RestoreA", RestoreA { number: 8 }.into()),
        ],
    }
}

fn to_session() -> Golden<ToSession> {
    let executed = Executed { session: session(), first: 7, replies: vec![payload()] };
    Golden {
        prefix: "ToSession",
        values: vec![
            ("Invoke", Invoke { token: 8, operation: Operation::Propose(payload()) }.into()),
            ("Leading", Leading { round: round() }.into()),
            ("Executed", executed.into()),
            ("ReadIndexB", ReadIndexB { nonce: 8, watermark: Slot(6) }.into()),
            ("Answered", Answered { token: 8, answer: Some(payload()) }.into()),
            ("Quarantined", Quarantined { slot: Slot(6) }.into()),
        ],
    }
}

fn from_session() -> Golden<FromSession> {
    Golden {
        prefix: "FromSession",
        values: vec![
            ("Request", Request { attempt: 8, submission: submission() }.into()),
            ("ReadIndexA", ReadIndexA { nonce: 8 }.into()),
        ],
    }
}

fn operation() -> Golden<Operation> {
    Golden {
        prefix: "Operation",
        values: vec![
            ("Propose", Operation::Propose(payload())),
            ("Read", Operation::Read(payload())),
        ],
    }
}

fn outcome() -> Golden<Outcome> {
    Golden {
        prefix: "Outcome",
        values: vec![
            ("Done", Outcome::Done(payload())),
            ("NeedsLog", Outcome::NeedsLog),
            ("Failed", Outcome::Failed(RequestError::Unavailable)),
        ],
    }
}

fn request_error() -> Golden<RequestError> {
    Golden {
        prefix: "RequestError",
        values: vec![
            ("Ambiguous", RequestError::Ambiguous),
            ("Unavailable", RequestError::Unavailable),
            ("Overloaded", RequestError::Overloaded),
            ("Quarantined", RequestError::Quarantined),
        ],
    }
}

fn values() -> Golden<Value> {
    Golden { prefix: "Value", values: vec![("Noop", Value::Noop), ("Batch", value())] }
}

fn quorum_system() -> Golden<QuorumSystem> {
    Golden {
        prefix: "QuorumSystem",
        values: vec![
            ("Majority", QuorumSystem::Majority),
            ("Grid", QuorumSystem::Grid { columns: 2 }),
            ("WriteAll", QuorumSystem::WriteAll),
        ],
    }
}

fn acceptor_record() -> Golden<AcceptorRecord> {
    Golden {
        prefix: "AcceptorRecord",
        values: vec![
            ("Promised", AcceptorRecord::Promised(round())),
            ("Voted", AcceptorRecord::Voted(vote())),
            ("Persisted", AcceptorRecord::Persisted(Slot(6))),
        ],
    }
}

fn archive_record() -> Golden<ArchiveRecord> {
    Golden {
        prefix: "ArchiveRecord",
        values: vec![
            ("Value", ArchiveRecord::Value { slot: Slot(6), value: value() }),
            ("Chunk", ArchiveRecord::Chunk(chunk())),
        ],
    }
}

fn mark() -> HistoryMark {
    let mut history = History::default();
    let position = Position { slot: Slot(5), index: 1 };
    history.add(position, &Bytes::from_static(b"command"), &Bytes::from_static(b"reply"));
    HistoryMark { slot: Slot(6), history }
}

fn part() -> Golden<Part> {
    let session = SessionPart::Session { node: node(2), life: 5, next: 7 };
    let reply = SessionPart::Reply(payload());
    Golden {
        prefix: "Part",
        values: vec![
            ("History", Part::History(mark().history)),
            ("Sessions", Part::Sessions(vec![session, SessionPart::ReplyPart(payload()), reply])),
            ("Machine", Part::Machine(payload())),
        ],
    }
}

/// A structure: one value, no tag.
/// The one golden value of a type without variants.
fn structure<V>(prefix: &'static str, value: V) -> Golden<V> {
    Golden { prefix, values: vec![("it", value)] }
}

fn configuration() -> Golden<Configuration> {
    let members = [node(2), node(1), node(3), node(4)];
    let configuration = Configuration::new(9, QuorumSystem::Grid { columns: 2 }, members);
    structure("Configuration", configuration.expect("two rows of two"))
}

fn returned() -> Golden<Return> {
    structure("Return", Return { token: 8, outcome: Outcome::NeedsLog })
}

fn submissions() -> Golden<Vec<Submission>> {
    structure("Submissions", vec![submission(), submission()])
}

fn session_record() -> Golden<SessionRecord> {
    structure("SessionRecord", SessionRecord { life: 5 })
}

fn synod_record() -> Golden<SynodRecord> {
    structure("SynodRecord", SynodRecord { used: round() })
}

#[test]
fn messages_have_their_golden_bytes() {
    to_acceptor().check();
    from_acceptor().check();
    to_replica().check();
    to_archive().check();
    to_session().check();
    from_session().check();
    returned().check();
}

#[test]
fn values_have_their_golden_bytes() {
    operation().check();
    outcome().check();
    request_error().check();
    values().check();
    quorum_system().check();
    configuration().check();
    submissions().check();
}

#[test]
fn records_have_their_golden_bytes() {
    acceptor_record().check();
    archive_record().check();
    part().check();
    session_record().check();
    synod_record().check();
}

#[test]
fn tags_are_the_positions_of_the_variants_and_all_variants_are_golden() {
    to_acceptor().check_tags();
    from_acceptor().check_tags();
    to_replica().check_tags();
    to_archive().check_tags();
    to_session().check_tags();
    from_session().check_tags();
    operation().check_tags();
    outcome().check_tags();
    request_error().check_tags();
    values().check_tags();
    quorum_system().check_tags();
    acceptor_record().check_tags();
    archive_record().check_tags();
    part().check_tags();
}

/// A list of payloads that claims to be long is refused before memory is taken for it.
#[test]
fn a_length_that_the_frame_cannot_hold_is_refused() {
    for length in [8, 1 << 10, 1 << 20, 1 << 31, 1 << 46, u64::MAX] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend([0; 7]);
        let bytes = Bytes::from(bytes);
        assert!(wire::decode::<Payload>(&bytes).is_err(), "{length}");
        assert!(wire::decode::<Vec<Payload>>(&bytes).is_err(), "{length}");
        assert!(wire::decode::<Vec<u8>>(&bytes).is_err(), "{length}");
        assert!(wire::decode::<Vec<Option<u8>>>(&bytes).is_err(), "{length}");
        assert!(wire::decode::<String>(&bytes).is_err(), "{length}");
    }
}

#[test]
fn a_configuration_that_cannot_be_is_refused() {
    let encoded = |version: u64, system: QuorumSystem, members: Vec<NodeId>| {
        wire::encode(&(version, system, members, Membership::default()))
    };
    let many: Vec<NodeId> = (0..65).map(node).collect();
    for bytes in [
        encoded(1, QuorumSystem::Majority, vec![]),
        encoded(1, QuorumSystem::Majority, many),
        encoded(1, QuorumSystem::Grid { columns: 0 }, vec![node(1)]),
        encoded(1, QuorumSystem::Grid { columns: 2 }, vec![node(1), node(2), node(3)]),
    ] {
        assert!(wire::decode::<Configuration>(&bytes).is_err());
    }
    let shuffled = encoded(1, QuorumSystem::Majority, vec![node(3), node(1), node(3), node(2)]);
    let sorted = Configuration::new(1, QuorumSystem::Majority, [node(1), node(2), node(3)]);
    assert_eq!(wire::decode(&shuffled).ok(), sorted.ok());
}

/// Whether the bytes of `payload` are a part of `frame`, not a copy.
fn is_within(payload: &Payload, frame: &Bytes) -> bool {
    let range = frame.as_ptr_range();
    payload.len() == 7 && range.contains(&payload.0.as_ptr())
}

fn batch(value: &Value) -> &Payload {
    let Value::Batch(payload) = value else { panic!("no batch: {value:?}") };
    payload
}

#[test]
fn decoding_does_not_copy_payloads() {
    let frame = wire::encode(&to_acceptor().values[1].1);
    let Ok(ToAcceptor::Phase2A(m)) = wire::decode(&frame) else { panic!("a Phase2A") };
    assert!(is_within(batch(&m.value), &frame));
    let frame = wire::encode(&from_acceptor().values[0].1);
    let Ok(FromAcceptor::Phase1B(m)) = wire::decode(&frame) else { panic!("a Phase1B") };
    assert!(is_within(batch(&m.votes[0].value), &frame));
    let frame = wire::encode(&to_replica().values[2].1);
    let Ok(ToReplica::FetchB(m)) = wire::decode(&frame) else { panic!("a FetchB") };
    assert!(is_within(batch(&m.values[0]), &frame));
    let frame = wire::encode(&to_session().values[2].1);
    let Ok(ToSession::Executed(m)) = wire::decode(&frame) else { panic!("an Executed") };
    assert!(is_within(&m.replies[0], &frame));
    let frame = wire::encode(&from_session().values[0].1);
    let Ok(FromSession::Request(m)) = wire::decode(&frame) else { panic!("a Request") };
    assert!(is_within(&m.submission.commands[0], &frame));
    let frame = wire::encode(&acceptor_record().values[1].1);
    let Ok(AcceptorRecord::Voted(vote)) = wire::decode(&frame) else { panic!("a vote") };
    assert!(is_within(batch(&vote.value), &frame));
}

#[test]
fn random_and_damaged_bytes_never_panic() {
    to_acceptor().check_noise(1);
    from_acceptor().check_noise(2);
    to_replica().check_noise(3);
    to_archive().check_noise(4);
    to_session().check_noise(5);
    from_session().check_noise(6);
    returned().check_noise(7);
    submissions().check_noise(8);
    configuration().check_noise(9);
    acceptor_record().check_noise(10);
    archive_record().check_noise(11);
    session_record().check_noise(12);
    synod_record().check_noise(13);
    part().check_noise(14);
}
