//! The encoding of all that travels and of all that is on disk, byte by byte.
//!
//! `wire.golden` holds the bytes of one value of each variant. They must never change: nodes of two
//! versions talk to each other, and a new version reads the disk of an old one. Variants are added at
//! the end, together with a line in that file.

use std::fmt::Debug;

use bytes::Bytes;
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
use paxos::wire::{self, Decode, Encode, Frame, Payload};

const GOLDEN: &str = include_str!("wire.golden");

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

/// The values of one type whose bytes are golden.
struct Golden<V> {
    prefix: &'static str,
    /// By the name of the variant.
    values: Vec<(&'static str, V)>,
}

impl<V: Encode + Decode<Frame> + Debug + PartialEq> Golden<V> {
    /// Compares all values with their golden bytes, in both directions, and tries bytes that are
    /// almost theirs.
    fn check(&self) {
        for (name, value) in &self.values {
            let name = format!("{}::{name}", self.prefix);
            let bytes = wire::encode(value);
            let line = format!("{name} {}", hex(&bytes));
            assert!(GOLDEN.lines().any(|golden| golden == line), "not golden:\n{line}");
            assert_eq!(wire::decode::<V>(&bytes).as_ref(), Ok(value), "{name}");
            self.check_truncated(&name, &bytes);
            self.check_trailing(&name, &bytes);
            self.check_hostile_lengths(&bytes);
        }
        let lines = GOLDEN.lines().filter(|line| line.starts_with(&format!("{}::", self.prefix)));
        assert_eq!(lines.count(), self.values.len(), "{}", self.prefix);
    }

    /// The tag of an enum is the position of its variant: values are listed in that order, and all.
    fn check_tags(&self) {
        for (position, (name, value)) in (0u32..).zip(&self.values) {
            let bytes = wire::encode(value);
            assert_eq!(bytes[..4], position.to_le_bytes(), "{}::{name}", self.prefix);
        }
        let mut beyond = vec![0; 256];
        beyond[..4].copy_from_slice(&(self.values.len() as u32).to_le_bytes());
        for len in 4..beyond.len() {
            let bytes = Bytes::copy_from_slice(&beyond[..len]);
            assert!(wire::decode::<V>(&bytes).is_err(), "a variant of {} is missing", self.prefix);
        }
    }

    fn check_truncated(&self, name: &str, bytes: &Bytes) {
        for len in 0..bytes.len() {
            let outcome = wire::decode::<V>(&bytes.slice(..len));
            assert!(outcome.is_err(), "{name} is whole after {len} bytes: {outcome:?}");
        }
    }

    fn check_trailing(&self, name: &str, bytes: &Bytes) {
        for extra in [0, 1, 0xff] {
            let mut longer = bytes.to_vec();
            longer.push(extra);
            let outcome = wire::decode::<V>(&longer.into());
            assert!(outcome.is_err(), "{name} with another byte: {outcome:?}");
        }
    }

    /// Writes large numbers over everything, lengths among it. Whatever comes out, nothing may be
    /// allocated for it: the largest are beyond any address space.
    fn check_hostile_lengths(&self, bytes: &Bytes) {
        for length in [u64::MAX, 1 << 63, 1 << 46, 1 << 32, 1 << 25] {
            for start in 0..bytes.len().saturating_sub(7) {
                let mut hostile = bytes.to_vec();
                hostile[start..start + 8].copy_from_slice(&length.to_le_bytes());
                let hostile = Bytes::from(hostile);
                if let Ok(value) = wire::decode::<V>(&hostile) {
                    let same = wire::encode(&value).len() == hostile.len();
                    assert!(same, "a number was taken for a length: {value:?}");
                }
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
    let probe_b = ProbeB { nonce: 8, promised: round(), beat: Some((round(), 9)) };
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
fn structure<V>(prefix: &'static str, value: V) -> Golden<V> {
    Golden { prefix, values: vec![("it", value)] }
}

fn configuration() -> Golden<Configuration> {
    let members = [node(2), node(1), node(3), node(4)];
    let configuration = Configuration::new(9, QuorumSystem::Grid { columns: 2 }, members);
    structure("Configuration", configuration.expect("two rows of two"))
}

#[test]
fn messages_have_their_golden_bytes() {
    to_acceptor().check();
    from_acceptor().check();
    to_replica().check();
    to_archive().check();
    to_session().check();
    from_session().check();
    structure("Return", Return { token: 8, outcome: Outcome::NeedsLog }).check();
}

#[test]
fn values_have_their_golden_bytes() {
    operation().check();
    outcome().check();
    request_error().check();
    values().check();
    quorum_system().check();
    configuration().check();
    structure("Submissions", vec![submission(), submission()]).check();
}

#[test]
fn records_have_their_golden_bytes() {
    acceptor_record().check();
    archive_record().check();
    part().check();
    structure("SessionRecord", SessionRecord { life: 5 }).check();
    structure("SynodRecord", SynodRecord { used: round() }).check();
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

/// Marsaglia's xorshift: random enough for bytes, and the same in every run.
struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Decodes bytes of random length and content, small numbers preferred: they are tags and lengths.
fn decode_noise<V: Encode + Decode<Frame> + Debug + PartialEq>(seed: u64) {
    let mut random = Xorshift(seed);
    for _ in 0..2_000 {
        let len = random.next() % 192;
        let mask = if random.next().is_multiple_of(2) { 0x0000_0007 } else { 0xff };
        let bytes: Bytes = (0..len).map(|_| (random.next() & mask) as u8).collect();
        if let Ok(value) = wire::decode::<V>(&bytes) {
            let again = wire::encode(&value);
            assert_eq!(wire::decode::<V>(&again), Ok(value));
        }
    }
}

#[test]
fn random_bytes_never_panic() {
    decode_noise::<ToAcceptor>(1);
    decode_noise::<FromAcceptor>(2);
    decode_noise::<ToReplica>(3);
    decode_noise::<ToArchive>(4);
    decode_noise::<ToSession>(5);
    decode_noise::<FromSession>(6);
    decode_noise::<Return>(7);
    decode_noise::<Vec<Submission>>(8);
    decode_noise::<Configuration>(9);
    decode_noise::<AcceptorRecord>(10);
    decode_noise::<ArchiveRecord>(11);
    decode_noise::<SessionRecord>(12);
    decode_noise::<SynodRecord>(13);
    decode_noise::<Part>(14);
}

/// Golden messages with one random byte changed: near misses get further into the decoder.
#[test]
fn damaged_bytes_never_panic() {
    let mut random = Xorshift(14);
    for line in GOLDEN.lines() {
        let (_, digits) = line.split_once(' ').expect("a name and bytes");
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
        let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        for _ in 0..200 {
            let mut damaged = bytes.clone();
            let at = random.next() as usize % damaged.len();
            damaged[at] ^= (random.next() % 255 + 1) as u8;
            let damaged = Bytes::from(damaged);
            let _ = wire::decode::<ToAcceptor>(&damaged);
            let _ = wire::decode::<FromAcceptor>(&damaged);
            let _ = wire::decode::<ToReplica>(&damaged);
            let _ = wire::decode::<ToSession>(&damaged);
            let _ = wire::decode::<FromSession>(&damaged);
            let _ = wire::decode::<Configuration>(&damaged);
            let _ = wire::decode::<Vec<Submission>>(&damaged);
        }
    }
}
