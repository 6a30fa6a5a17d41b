use std::time::Duration;

use paxos::message::{Keep, Kept, RestoreA, SnapshotA, SnapshotB};
use paxos::snapshot::{Chunk, Outbound};
use paxos::wire;

use super::*;
use crate::message::{ContentsB, Covered, SnapshotWanted, TakeSnapshot};
use crate::snapshot::{Header, Part, SessionPart};
use crate::vertex::SlotSet;

const OTHER: NodeId = node(52);

fn step(replica: &mut Replica<Words>, from: NodeId, message: impl Into<ToReplica>) -> Fx {
    let mut fx = Fx::new();
    replica.on_message(from, message.into(), &mut fx);
    fx
}

fn snapshot_vertex(dependencies: &[Vertex]) -> Value {
    let dependencies = dependencies.iter().copied().collect();
    Proposal { content: Content::Snapshot, dependencies }.to_value()
}

fn set<const N: usize>(vertices: [Vertex; N]) -> VertexSet {
    vertices.into_iter().collect()
}

/// The chunks of a snapshot, as they are sent.
fn chunks(number: u64, parts: &[Part]) -> Vec<Chunk> {
    let mut outbound = Outbound::new(Slot(number));
    let parts = parts.iter().map(|part| Some(Payload(wire::encode(part))));
    parts.chain([None]).map(|bytes| outbound.cut(bytes)).collect()
}

fn kept(fx: &Fx) -> Vec<Chunk> {
    let kept = fx.sends.iter().filter_map(|(to, message)| match message {
        Message::Archive(crate::message::ToArchive::Keep(Keep { chunk })) => {
            assert_eq!(*to, ARCHIVE);
            Some(chunk.clone())
        }
        _ => None,
    });
    kept.collect()
}

/// The parts of the snapshot of a replica that has executed `1:0`, by command 4, and the vertex for
/// snapshots `2:0` behind it.
fn parts() -> [Part; 3] {
    let header = Header { executed: set([vertex(1, 0), vertex(2, 0)]), rank: 2 };
    let mut executed = SlotSet::default();
    executed.insert(Slot(4));
    let session = command(SESSION, 4).session;
    let sessions = vec![
        SessionPart::Session { session, executed },
        SessionPart::Reply { number: 4, reply: command(SESSION, 4).payload },
    ];
    let machine = Part::Machine(command(SESSION, 4).payload);
    [Part::Header(header), Part::Sessions(sessions), machine]
}

#[test]
fn a_snapshot_is_taken_where_the_graph_has_a_place_for_it() {
    let mut replica = replica();
    let wanted = SnapshotWanted { vertices: set([vertex(1, 0)]) };
    let fx = step(&mut replica, ARCHIVE, ToReplica::SnapshotWanted(wanted));
    assert_eq!(fx.sends, [(node(2), TakeSnapshot.into())]);
    assert_eq!(
        look(&mut replica),
        [(node(1), TakeSnapshot.into())],
        "asked again, and another one"
    );
    let fx = chosen(&mut replica, vertex(2, 0), snapshot_vertex(&[vertex(1, 0)]));
    assert_eq!(
        (kept(&fx), replica.snapshot()),
        (vec![], Slot::ZERO),
        "it waits for what is before"
    );
    let fx = chosen(&mut replica, vertex(1, 0), value(command(SESSION, 4), &[]));
    let expected = chunks(1, &parts());
    assert_eq!(kept(&fx), expected[..], "the window has room for all");
    assert_eq!(replica.snapshot(), Slot(1));
    for number in 0..4 {
        let fx = step(&mut replica, ARCHIVE, ToReplica::Kept(Kept { slot: Slot(1), number }));
        assert_eq!(fx.sends, []);
    }
    assert_eq!(replica.scan, None);
}

#[test]
fn a_place_before_what_the_archive_wants_is_let_pass() {
    let mut replica = replica();
    let wanted = SnapshotWanted { vertices: set([vertex(1, 0)]) };
    step(&mut replica, ARCHIVE, ToReplica::SnapshotWanted(wanted));
    let fx = chosen(&mut replica, vertex(2, 0), snapshot_vertex(&[]));
    assert_eq!((kept(&fx), replica.snapshot()), (vec![], Slot(1)));
    chosen(&mut replica, vertex(1, 0), value(command(SESSION, 4), &[]));
    let fx = chosen(&mut replica, vertex(2, 1), snapshot_vertex(&[vertex(1, 0)]));
    assert_eq!(kept(&fx)[0].slot, Slot(2));
}

#[test]
fn after_each_chunk_there_is_a_pause_which_commands_shorten() {
    let mut replica = replica();
    replica.options.bytes_per_second = 1_000_000;
    let wanted = SnapshotWanted { vertices: set([vertex(1, 0)]) };
    step(&mut replica, ARCHIVE, ToReplica::SnapshotWanted(wanted));
    chosen(&mut replica, vertex(1, 0), value(command(SESSION, 4), &[]));
    let fx = chosen(&mut replica, vertex(2, 0), snapshot_vertex(&[vertex(1, 0)]));
    let bytes = kept(&fx)[0].bytes.len();
    let pause = Duration::from_micros(bytes as u64);
    assert_eq!(kept(&fx).len(), 1);
    let is_pause = |change: &TimerChange<ReplicaTimer>| matches!(change, TimerChange::Set(ReplicaTimer::Pace, range) if range.start == pause);
    assert!(fx.timers.iter().any(is_pause), "{:?}", fx.timers);
    let mut fx = Fx::new();
    replica.on_timer(ReplicaTimer::Pace, &mut fx);
    assert_eq!(kept(&fx)[0].number, 1);
    let mut long = command(SESSION, 5);
    long.payload = Payload::new(vec![b'x'; bytes]);
    let fx = chosen(&mut replica, vertex(1, 1), value(long, &[]));
    assert_eq!(kept(&fx)[0].number, 2, "a snapshot is faster than the log grows");
}

/// A component is executed as a whole before a snapshot is taken behind it.
#[test]
fn a_snapshot_is_never_taken_within_a_component() {
    let mut replica = replica();
    let wanted = SnapshotWanted { vertices: set([]) };
    step(&mut replica, ARCHIVE, ToReplica::SnapshotWanted(wanted));
    chosen(&mut replica, vertex(1, 0), snapshot_vertex(&[vertex(2, 0)]));
    let late = value(command(SESSION, 4), &[vertex(1, 0)]);
    let fx = chosen(&mut replica, vertex(2, 0), late);
    let last = Part::Machine(command(SESSION, 4).payload);
    assert_eq!(wire::decode::<Part>(&kept(&fx)[2].bytes.0).as_ref(), Ok(&last));
}

#[test]
fn a_replica_that_lags_is_given_the_next_snapshot() {
    let mut replica = replica();
    let ask = |slot: Option<u64>, next| {
        let slot = slot.map(Slot);
        ToReplica::SnapshotA(SnapshotA { executed_watermark: Slot(0), slot, next })
    };
    chosen(&mut replica, vertex(1, 0), value(command(SESSION, 4), &[]));
    let fx = step(&mut replica, OTHER, ask(None, 0));
    assert_eq!(fx.sends, [(node(2), TakeSnapshot.into())]);
    let fx = chosen(&mut replica, vertex(2, 0), snapshot_vertex(&[vertex(1, 0)]));
    let sent = chunks(1, &parts()).into_iter();
    let sent: Vec<(NodeId, Message)> =
        sent.map(|chunk| (OTHER, SnapshotB { chunk }.into())).collect();
    assert_eq!(fx.sends[1..], sent[..]);
    assert_eq!(step(&mut replica, OTHER, ask(None, 0)).sends, sent, "none has arrived");
    assert_eq!(step(&mut replica, node(53), ask(None, 0)).sends, [], "one at a time");
    assert_eq!(step(&mut replica, OTHER, ask(Some(1), 4)).sends, []);
    assert_eq!(replica.scan, None);
}

fn covered(base: u64, snapshot: u64) -> ToReplica {
    let (base, snapshot) = (Slot(base), Slot(snapshot));
    ToReplica::Covered(Covered { first: vertex(1, 0), base, snapshot, replica: OTHER })
}

#[test]
fn a_snapshot_of_another_replica_takes_the_place_of_the_state() {
    let mut replica = replica();
    let behind = value(command(SESSION, 5), &[vertex(1, 0), vertex(2, 0)]);
    chosen(&mut replica, vertex(1, 1), behind.clone());
    let fx = step(&mut replica, OTHER_ARCHIVE, covered(1, 1));
    let ask = SnapshotA { executed_watermark: Slot(0), slot: None, next: 0 };
    assert_eq!(fx.sends, [(OTHER, ask.into())]);
    let sent = chunks(1, &parts());
    for chunk in &sent[..3] {
        let fx =
            step(&mut replica, OTHER, ToReplica::SnapshotB(SnapshotB { chunk: chunk.clone() }));
        assert_eq!(fx.sends, [(ARCHIVE, Keep { chunk: chunk.clone() }.into())]);
        let m = Kept { slot: Slot(1), number: chunk.number };
        let ask =
            SnapshotA { executed_watermark: Slot(0), slot: Some(Slot(1)), next: chunk.number + 1 };
        assert_eq!(step(&mut replica, ARCHIVE, ToReplica::Kept(m)).sends, [(OTHER, ask.into())]);
    }
    assert_eq!(replica.machine().words, Vec::<Bytes>::new());
    let last = sent[3].clone();
    let fx = step(&mut replica, OTHER, ToReplica::SnapshotB(SnapshotB { chunk: last.clone() }));
    let end = SnapshotA { executed_watermark: Slot(1), slot: Some(Slot(1)), next: 4 };
    let session = command(SESSION, 5).session;
    let executed = Executed { session, number: 5, reply: command(SESSION, 5).payload };
    let expected = [
        (ARCHIVE, Keep { chunk: last }.into()),
        (OTHER, end.into()),
        store(vertex(1, 1), behind),
        (SESSION, executed.into()),
    ];
    assert_eq!(fx.sends, expected);
    assert_eq!(replica.machine().words, ["4", "5"]);
    assert_eq!(replica.executed(), &set([vertex(1, 0), vertex(1, 1), vertex(2, 0)]));
    let repeat = value(command(SESSION, 4), &[]);
    chosen(&mut replica, vertex(2, 1), repeat);
    assert_eq!(replica.machine().words, ["4", "5"], "what was executed before is in the snapshot");
}

/// Whoever has come to the snapshot has executed all in it but what holds nothing.
#[test]
fn what_a_snapshot_covers_that_was_passed_holds_nothing() {
    let mut replica = replica();
    chosen(&mut replica, vertex(2, 0), snapshot_vertex(&[]));
    chosen(&mut replica, vertex(2, 1), value(command(SESSION, 4), &[vertex(1, 1), vertex(2, 0)]));
    assert_eq!(replica.waiting_count(), 1);
    let fx = step(&mut replica, OTHER_ARCHIVE, covered(2, 1));
    assert_eq!(replica.machine().words, ["4"]);
    assert!(fx.sends.contains(&(node(2), TakeSnapshot.into())), "the archive needs it, too");
    assert!(fx.sends.contains(&fetch(OTHER_ARCHIVE, vertex(1, 2))));
}

#[test]
fn after_a_restart_the_snapshot_of_the_archive_comes_first() {
    let mut replica = replica();
    let mut fx = Fx::new();
    replica.on_start(&mut fx);
    assert_eq!(fx.sends, [(ARCHIVE, ContentsA.into())]);
    let mut vertices = set([]);
    vertices.fill(vertex(1, 0).column, Slot(3));
    let contents = ContentsB { snapshot: Slot(1), vertices };
    let fx = step(&mut replica, ARCHIVE, ToReplica::ContentsB(contents));
    assert_eq!(fx.sends, [(ARCHIVE, RestoreA { number: 0 }.into())]);
    let sent = chunks(1, &parts());
    for chunk in &sent[..3] {
        let m = ToReplica::SnapshotB(SnapshotB { chunk: chunk.clone() });
        assert_eq!(step(&mut replica, ARCHIVE, m).sends, [], "it is on the disk already");
        let mut fx = Fx::new();
        replica.on_timer(ReplicaTimer::Chunk, &mut fx);
        assert_eq!(fx.sends, [(ARCHIVE, RestoreA { number: chunk.number + 1 }.into())]);
    }
    let m = ToReplica::SnapshotB(SnapshotB { chunk: sent[3].clone() });
    let fx = step(&mut replica, ARCHIVE, m);
    assert_eq!(fx.sends, [fetch(ARCHIVE, vertex(1, 1)), fetch(ARCHIVE, vertex(2, 1))]);
    assert_eq!(replica.snapshot(), Slot(1));
    assert_eq!(replica.machine().words, ["4"]);
}

#[test]
fn a_foreign_chunk_is_reported_and_ends_the_transfer() {
    let mut replica = replica();
    step(&mut replica, OTHER_ARCHIVE, covered(1, 1));
    let sent = chunks(1, &[Part::Machine(Payload::default())]);
    let m = ToReplica::SnapshotB(SnapshotB { chunk: sent[0].clone() });
    assert_eq!(step(&mut replica, OTHER, m).violations.len(), 1);
    assert_eq!(replica.incoming, None);
}

#[test]
fn the_longer_a_snapshot_is_waited_for_the_less_often_it_is_asked_for() {
    let mut replica = replica();
    let wanted = SnapshotWanted { vertices: set([vertex(1, 0)]) };
    step(&mut replica, ARCHIVE, ToReplica::SnapshotWanted(wanted));
    let asked = (1..=64).filter(|_| !look(&mut replica).is_empty()).collect::<Vec<u32>>();
    assert_eq!(asked, [1, 2, 4, 8, 16, 32, 64]);
}
