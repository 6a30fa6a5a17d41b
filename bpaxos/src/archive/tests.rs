use paxos::actor::{Incarnation, Seat, TimerChange};
use paxos::command::Value;
use paxos::message::{ArchivedA, ArchivedB, FetchA, FetchB, Store};
use paxos::snapshot::Outbound;
use paxos::wire::Payload;

use super::*;

const fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

const REPLICA: NodeId = node(51);
const OTHER: NodeId = node(52);
const PROPOSER: NodeId = node(1);

const fn column(seat: u32) -> Column {
    Column(node(seat))
}

fn archive() -> Archive {
    Archive::new(REPLICA, SnapshotOptions { tail_bytes: 0, ..SnapshotOptions::default() })
}

fn value(text: &'static str) -> Value {
    Value::Batch(Payload::new(text.as_bytes()))
}

fn in_column(archive: &mut Archive, seat: u32, from: NodeId, message: ToColumnArchive) -> Fx {
    let mut fx = Fx::new();
    archive.on_column(column(seat), from, message, &mut fx);
    fx
}

/// Hands a value over and has it written down.
fn keep_value(archive: &mut Archive, seat: u32, slot: u64) -> Vec<ArchiveRecord> {
    let store = ToColumnArchive::Store(Store { slot: Slot(slot), value: value("v") });
    in_column(archive, seat, REPLICA, store);
    let ask = ToColumnArchive::ArchivedA(ArchivedA { watermark: Slot(slot + 1) });
    in_column(archive, seat, PROPOSER, ask).records
}

/// All slots below, by column.
fn below(ends: &[(u32, u64)]) -> VertexSet {
    let mut vertices = VertexSet::new();
    ends.iter().for_each(|(seat, end)| vertices.fill(column(*seat), Slot(*end)));
    vertices
}

/// The chunks of a snapshot of `executed`.
fn chunks(number: u64, executed: VertexSet) -> Vec<Chunk> {
    let mut outbound = Outbound::new(Slot(number));
    let parts = [Part::Header(Header { executed, rank: 1 }), Part::Machine(Payload::default())];
    let parts = parts.map(|part| Some(Payload(wire::encode(&part))));
    parts.into_iter().chain([None]).map(|bytes| outbound.cut(bytes)).collect()
}

fn keep(archive: &mut Archive, chunk: &Chunk) -> Fx {
    let mut fx = Fx::new();
    archive.on_message(REPLICA, ToArchive::Keep(Keep { chunk: chunk.clone() }), &mut fx);
    fx
}

fn restored(records: &[ArchiveRecord]) -> Archive {
    let mut archive = archive();
    records.iter().for_each(|record| archive.restore(record.clone()));
    archive
}

#[test]
fn each_column_is_a_log_of_its_own() {
    let mut archive = archive();
    keep_value(&mut archive, 1, 0);
    let records = keep_value(&mut archive, 2, 0);
    let inner = ColumnRecord::Value { slot: Slot(0), value: value("v") };
    assert_eq!(records, [ArchiveRecord::Column(InColumn { column: column(2), inner })]);
    let fx = in_column(&mut archive, 1, OTHER, FetchA { first: Slot(0) }.into());
    let page = ColumnMessage::from(FromArchive::FetchB(FetchB {
        first: Slot(0),
        values: vec![value("v")],
    }));
    assert_eq!(fx.sends, [(OTHER, InColumn { column: column(1), inner: page }.into())]);
}

#[test]
fn a_snapshot_covers_a_prefix_of_every_column_with_its_last_chunk() {
    let mut archive = archive();
    for (seat, slot) in [(1, 0), (1, 1), (1, 2), (2, 0)] {
        keep_value(&mut archive, seat, slot);
    }
    let mut executed = below(&[(1, 2), (3, 4)]);
    executed.insert(Vertex { column: column(2), slot: Slot(1) });
    let [first, second, last] = &chunks(7, executed)[..] else { panic!("three") };
    let kept = |number| (REPLICA, Message::from(Kept { slot: Slot(7), number }));
    assert_eq!(keep(&mut archive, second), Fx::new(), "it is not the next one");
    for (number, chunk) in (0..).zip([first, second]) {
        let fx = keep(&mut archive, chunk);
        assert_eq!(
            (fx.records, fx.sends),
            (vec![ArchiveRecord::Chunk(chunk.clone())], vec![kept(number)])
        );
    }
    assert_eq!(archive.snapshot(), Slot::ZERO);
    keep(&mut archive, last);
    assert_eq!(archive.snapshot(), Slot(7));
    let base = |seat| archive.column(column(seat)).map(|column| column.base());
    assert_eq!([1, 2, 3].map(base), [Some(Slot(2)), Some(Slot(0)), Some(Slot(4))]);
    let fx = in_column(&mut archive, 1, OTHER, FetchA { first: Slot(1) }.into());
    let first = Vertex { column: column(1), slot: Slot(1) };
    let covered = Covered { first, base: Slot(2), snapshot: Slot(7), replica: REPLICA };
    assert_eq!(fx.sends, [(OTHER, covered.into())]);
    let ask = ToColumnArchive::ArchivedA(ArchivedA { watermark: Slot(4) });
    let fx = in_column(&mut archive, 3, PROPOSER, ask);
    let told = ArchivedB {
        persisted_watermark: Slot(4),
        executed_watermark: Slot(4),
        base: Slot(4),
        chunk_count: 0,
    };
    let told =
        InColumn { column: column(3), inner: ColumnMessage::from(FromArchive::ArchivedB(told)) };
    assert_eq!(fx.sends, [(PROPOSER, told.into())]);
}

#[test]
fn a_compaction_ends_with_a_snapshot_that_begins_after_it_and_covers_everything() {
    let mut archive = archive();
    let mut fx = Fx::new();
    archive.on_compaction(&mut fx);
    assert!(fx.is_empty() && archive.is_compact(), "there is nothing");
    keep_value(&mut archive, 1, 0);
    let early = chunks(1, below(&[(1, 1)]));
    keep(&mut archive, &early[0]);
    archive.on_compaction(&mut fx);
    let wanted = SnapshotWanted { vertices: below(&[(1, 1)]) };
    assert_eq!(fx.sends, [(REPLICA, wanted.into())]);
    early[1..].iter().for_each(|chunk| drop(keep(&mut archive, chunk)));
    assert!(!archive.is_compact(), "its first chunk is before the checkpoint");
    chunks(2, below(&[(2, 1)])).iter().for_each(|chunk| drop(keep(&mut archive, chunk)));
    assert!(!archive.is_compact(), "it does not cover what is durable");
    chunks(3, below(&[(1, 1)])).iter().for_each(|chunk| drop(keep(&mut archive, chunk)));
    assert!(archive.is_compact());
}

#[test]
fn after_a_restart_the_replica_is_given_the_snapshot_and_told_what_there_is() {
    let mut original = archive();
    let mut records = keep_value(&mut original, 1, 0);
    let sent = chunks(1, below(&[(1, 1)]));
    sent.iter().for_each(|chunk| records.extend(keep(&mut original, chunk).records));
    records.extend(keep_value(&mut original, 1, 1));
    // What the compaction has left, and a snapshot that a crash has cut off.
    let mut left = records[1..].to_vec();
    left.push(ArchiveRecord::Chunk(chunks(2, below(&[(1, 2)]))[0].clone()));
    let mut archive = restored(&left);
    assert_eq!(archive.check_restored(), Ok(()));
    archive.on_start();
    let mut fx = Fx::new();
    archive.on_message(REPLICA, ToArchive::ContentsA(ContentsA), &mut fx);
    let contents = ContentsB { snapshot: Slot(1), vertices: below(&[(1, 2)]) };
    assert_eq!(fx.sends, [(REPLICA, contents.into())]);
    for chunk in sent {
        let mut fx = Fx::new();
        let m = RestoreA { number: chunk.number };
        archive.on_message(REPLICA, ToArchive::RestoreA(m), &mut fx);
        assert_eq!(fx.sends, [(REPLICA, SnapshotB { chunk }.into())]);
    }
    let mut fx = Fx::new();
    archive.on_message(REPLICA, ToArchive::RestoreA(RestoreA { number: 0 }), &mut fx);
    assert!(fx.is_empty(), "once");
}

#[test]
fn a_gap_between_snapshot_and_values_is_refused() {
    let inner = ColumnRecord::Value { slot: Slot(3), value: value("v") };
    let late = ArchiveRecord::Column(InColumn { column: column(1), inner });
    assert!(restored(std::slice::from_ref(&late)).check_restored().is_err());
    let snapshot = chunks(1, below(&[(1, 3)])).into_iter().map(ArchiveRecord::Chunk);
    let whole: Vec<ArchiveRecord> = [late].into_iter().chain(snapshot).collect();
    assert_eq!(restored(&whole).check_restored(), Ok(()));
    assert!(restored(&whole[..3]).check_restored().is_err());
}

#[test]
fn values_of_a_column_are_written_by_its_own_timer() {
    let mut archive = archive();
    let store = ToColumnArchive::Store(Store { slot: Slot(0), value: value("v") });
    let fx = in_column(&mut archive, 1, REPLICA, store);
    let [TimerChange::Set(timer, _)] = &fx.timers[..] else { panic!("{:?}", fx.timers) };
    let mut written = Fx::new();
    archive.on_timer(timer.clone(), &mut written);
    assert_eq!(written.records.len(), 1);
}
