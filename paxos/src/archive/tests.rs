use super::*;
use crate::actor::{Incarnation, OwnEffects, Seat, TimerChange};
use crate::wire::Payload;

type Fx = OwnEffects<Archive>;

const PROPOSER: NodeId = NodeId::new(Seat(1), Incarnation(1));
const REPLICA: NodeId = NodeId::new(Seat(2), Incarnation(1));

const PEER: NodeId = NodeId::new(Seat(3), Incarnation(1));

/// Keeps two bytes of values below a snapshot in memory.
fn archive() -> Archive {
    let options = SnapshotOptions {
        chunk_bytes: 4,
        window: 2,
        tail_bytes: 2,
        compare_slots: 0,
        bytes_per_second: 0,
    };
    Archive::new(REPLICA, options)
}

/// One that the proposer has asked.
fn asked_archive() -> Archive {
    let mut archive = archive();
    let m = ArchivedA { watermark: Slot(0) };
    archive.on_message(PROPOSER, ToArchive::ArchivedA(m), &mut Fx::new());
    archive
}

fn value(text: &'static str) -> Value {
    Value::Batch(Payload::new(text.as_bytes()))
}

fn store(archive: &mut Archive, slot: u64, text: &'static str) -> Fx {
    let mut fx = Fx::new();
    let m = Store { slot: Slot(slot), value: value(text) };
    archive.on_message(REPLICA, ToArchive::Store(m), &mut fx);
    fx
}

fn archived(persisted: u64, executed: u64) -> FromArchive {
    FromArchive::ArchivedB(ArchivedB {
        persisted_watermark: Slot(persisted),
        executed_watermark: Slot(executed),
        base: Slot::ZERO,
        chunk_count: 0,
    })
}

#[test]
fn values_are_written_later_and_together() {
    let mut archive = asked_archive();
    let fx = store(&mut archive, 0, "a");
    assert_eq!(fx.timers, vec![TimerChange::Set(ArchiveTimer::Flush, FLUSH_DELAY)]);
    assert!(fx.records.is_empty());
    assert!(store(&mut archive, 1, "b").is_empty());
    let mut fx = Fx::new();
    archive.on_timer(ArchiveTimer::Flush, &mut fx);
    let records = [(0, "a"), (1, "b")].map(|(slot, text)| record(slot, text));
    assert_eq!(fx.records, records);
    assert_eq!(fx.sends, vec![(PROPOSER, archived(2, 2))]);
}

#[test]
fn a_leader_that_waits_makes_it_write_at_once() {
    let mut archive = asked_archive();
    store(&mut archive, 0, "a");
    let mut fx = Fx::new();
    let m = ArchivedA { watermark: Slot(0) };
    archive.on_message(PROPOSER, ToArchive::ArchivedA(m), &mut fx);
    assert_eq!((fx.records.len(), &fx.sends[..]), (0, &[(PROPOSER, archived(0, 1))][..]));
    let mut fx = Fx::new();
    let m = ArchivedA { watermark: Slot(1) };
    archive.on_message(PROPOSER, ToArchive::ArchivedA(m), &mut fx);
    assert_eq!((fx.records.len(), &fx.sends[..]), (1, &[(PROPOSER, archived(1, 1))][..]));
}

#[test]
fn missed_values_are_handed_out_in_pages() {
    let mut archive = archive();
    let large = Value::Batch(Payload::new(vec![0; FETCH_BYTES_MAX / 2 + 1]));
    for slot in 0..3 {
        let m = Store { slot: Slot(slot), value: large.clone() };
        archive.on_message(REPLICA, ToArchive::Store(m), &mut Fx::new());
    }
    for (first, count) in [(1, 1), (2, 1), (3, 0), (9, 0)] {
        let mut fx = Fx::new();
        let m = FetchA { first: Slot(first) };
        archive.on_message(REPLICA, ToArchive::FetchA(m), &mut fx);
        let values = vec![large.clone(); count];
        let page = FetchB { first: Slot(first), values };
        assert_eq!(fx.sends, vec![(REPLICA, FromArchive::FetchB(page))]);
    }
}

#[test]
fn repeats_are_ignored_and_gaps_reported() {
    let mut archive = archive();
    store(&mut archive, 0, "a");
    assert!(store(&mut archive, 0, "a").is_empty());
    assert_eq!(store(&mut archive, 2, "c").violations.len(), 1);
}

fn record(slot: u64, text: &'static str) -> ArchiveRecord {
    ArchiveRecord::Value { slot: Slot(slot), value: value(text) }
}

fn step(archive: &mut Archive, from: NodeId, m: impl Into<ToArchive>) -> Fx {
    let mut fx = Fx::new();
    archive.on_message(from, m.into(), &mut fx);
    fx
}

fn flush(archive: &mut Archive) -> Vec<ArchiveRecord> {
    let mut fx = Fx::new();
    archive.on_timer(ArchiveTimer::Flush, &mut fx);
    fx.records
}

fn compact(archive: &mut Archive) -> Fx {
    let mut fx = Fx::new();
    archive.on_compaction(&mut fx);
    fx
}

/// The chunks of a snapshot.
fn chunks(slot: u64) -> Vec<Chunk> {
    let mut sequence = Sequence::new(Slot(slot));
    ["one", "two", ""]
        .map(|text| sequence.cut(Payload::new(text.as_bytes()), text.is_empty()))
        .into()
}

/// All of a snapshot is kept; the records of that.
fn keep(archive: &mut Archive, slot: u64) -> Vec<ArchiveRecord> {
    chunks(slot)
        .into_iter()
        .flat_map(|chunk| step(archive, REPLICA, Keep { chunk }).records)
        .collect()
}

fn fold(records: impl IntoIterator<Item = ArchiveRecord>) -> Archive {
    let mut archive = archive();
    records.into_iter().for_each(|record| archive.restore(record));
    archive
}

/// Values of the slots below `end`, written down.
fn filled(end: u64) -> (Archive, Vec<ArchiveRecord>) {
    let mut archive = archive();
    (0..end).for_each(|slot| drop(store(&mut archive, slot, "v")));
    let records = flush(&mut archive);
    assert_eq!(records.len(), end as usize);
    (archive, records)
}

#[test]
fn what_was_written_is_restored() {
    let (mut archive, records) = filled(3);
    let written = archive.clone();
    store(&mut archive, 3, "b");
    let mut restored = fold(records.clone());
    assert_eq!(restored, written);
    records.into_iter().for_each(|record| restored.restore(record));
    assert_eq!(restored, written, "folding records over their state changes nothing");
}

#[test]
fn a_snapshot_is_written_down_chunk_by_chunk_and_counts_with_the_last_one() {
    let (mut archive, _) = filled(5);
    for (number, chunk) in chunks(5).into_iter().enumerate() {
        assert_eq!(archive.base(), Slot(0));
        let fx = step(&mut archive, REPLICA, Keep { chunk: chunk.clone() });
        let kept = Kept { slot: Slot(5), number: number as u64 };
        assert_eq!(fx.records, [ArchiveRecord::Chunk(chunk.clone())]);
        assert_eq!(fx.sends, [(REPLICA, FromArchive::Kept(kept))]);
        assert!(step(&mut archive, REPLICA, Keep { chunk }).is_empty() || number == 0, "a repeat");
    }
    assert_eq!((archive.base(), archive.persisted_watermark()), (Slot(5), Slot(5)));
    assert_eq!(archive.values_bytes(), (2, 0), "only the tail is left");
    let fx = step(&mut archive, PEER, FetchA { first: Slot(2) });
    let cut = Cut { first: Slot(2), base: Slot(5), replica: REPLICA };
    assert_eq!(fx.sends, [(PEER, FromArchive::Cut(cut))]);
    let fx = step(&mut archive, PEER, FetchA { first: Slot(3) });
    let values = FetchB { first: Slot(3), values: vec![value("v"); 2] };
    assert_eq!(fx.sends, [(PEER, FromArchive::FetchB(values))]);
    assert!(store(&mut archive, 5, "w").violations.is_empty());
    assert_eq!(flush(&mut archive), [record(5, "w")]);
}

#[test]
fn a_snapshot_ahead_of_the_values_takes_their_place() {
    let (mut archive, mut records) = filled(2);
    store(&mut archive, 2, "not written");
    records.extend(keep(&mut archive, 9));
    assert_eq!((archive.base(), archive.persisted_watermark()), (Slot(9), Slot(9)));
    assert_eq!(flush(&mut archive), []);
    store(&mut archive, 9, "w");
    records.extend(flush(&mut archive));
    let mut restored = fold(records);
    restored.check_restored().unwrap();
    restored.on_start();
    assert_eq!((restored.base(), restored.persisted_watermark()), (Slot(9), Slot(10)));
    for chunk in chunks(9) {
        let fx = step(&mut restored, REPLICA, RestoreA { number: chunk.number });
        assert_eq!(fx.sends, [(REPLICA, FromArchive::SnapshotB(SnapshotB { chunk }))]);
    }
    assert!(step(&mut restored, REPLICA, RestoreA { number: 0 }).is_empty(), "it is forgotten");
    assert_eq!(restored, archive);
}

#[test]
fn an_older_snapshot_is_ignored() {
    let (mut archive, mut records) = filled(9);
    records.extend(keep(&mut archive, 8));
    assert_eq!(keep(&mut archive, 5), []);
    assert_eq!(archive.base(), Slot(8));
    records.extend(chunks(5).into_iter().map(ArchiveRecord::Chunk));
    assert_eq!(fold(records).base(), Slot(8));
}

#[test]
fn compaction_ends_with_a_snapshot_that_began_after_the_checkpoint() {
    let (mut archive, records) = filled(4);
    let early = chunks(4);
    step(&mut archive, REPLICA, Keep { chunk: early[0].clone() });
    assert!(archive.is_compact());
    let wanted = SnapshotWanted { watermark: Slot(4) };
    assert_eq!(compact(&mut archive).sends, [(REPLICA, FromArchive::SnapshotWanted(wanted))]);
    assert_eq!((archive.is_compact(), archive.checkpoint()), (false, vec![]));
    for chunk in &early[1..] {
        step(&mut archive, REPLICA, Keep { chunk: chunk.clone() });
    }
    assert_eq!(archive.base(), Slot(4));
    assert!(!archive.is_compact(), "its first chunk is before the checkpoint");
    // What the log holds from the checkpoint on, with values that came meanwhile.
    store(&mut archive, 4, "w");
    let mut later = flush(&mut archive);
    store(&mut archive, 5, "x");
    later.extend(keep(&mut archive, 5));
    later.extend(flush(&mut archive));
    assert!(archive.is_compact());
    let restored = fold(later.clone());
    restored.check_restored().unwrap();
    assert_eq!(restored.persisted_watermark(), Slot(6));
    let all = records.into_iter().chain(early.into_iter().map(ArchiveRecord::Chunk)).chain(later);
    let with_older = fold(all);
    assert_eq!(with_older.persisted_watermark(), Slot(6));
    assert_eq!(with_older.base(), restored.base());
}

#[test]
fn a_snapshot_that_lacks_slots_before_the_checkpoint_does_not_count() {
    let (mut archive, _) = filled(4);
    compact(&mut archive);
    keep(&mut archive, 3);
    assert_eq!((archive.base(), archive.is_compact()), (Slot(3), false));
    keep(&mut archive, 4);
    assert!(archive.is_compact());
}

#[test]
fn a_snapshot_without_its_end_or_one_of_its_chunks_is_none() {
    let (mut archive, records) = filled(4);
    let snapshot = keep(&mut archive, 4);
    for (missing, name) in ["the first", "one between", "the last"].iter().enumerate() {
        let mut kept = snapshot.clone();
        kept.remove(missing);
        let with_values = fold(records.iter().cloned().chain(kept.clone()));
        assert_eq!((with_values.base(), with_values.check_restored()), (Slot(0), Ok(())), "{name}");
        let alone = fold(kept.into_iter().chain([record(4, "w")]));
        assert!(alone.check_restored().is_err(), "{name}: slots 0 to 3 are nowhere");
    }
    assert_eq!(fold(snapshot.into_iter().chain([record(4, "w")])).check_restored(), Ok(()));
}

#[test]
fn a_gap_between_the_snapshot_and_the_values_is_refused() {
    let (mut archive, _) = filled(4);
    let snapshot = keep(&mut archive, 4);
    let error = fold(snapshot.iter().cloned().chain([record(6, "w")])).check_restored();
    assert!(error.unwrap_err().to_string().contains("slot 4"));
    let error = fold([record(0, "a"), record(2, "c")]).check_restored();
    assert!(error.unwrap_err().to_string().contains("slot 2"));
}

#[test]
fn the_leader_hears_when_a_snapshot_is_complete() {
    let mut archive = asked_archive();
    store(&mut archive, 0, "a");
    flush(&mut archive);
    let outcomes = chunks(1).into_iter().map(|chunk| step(&mut archive, REPLICA, Keep { chunk }));
    let reports: Vec<_> = outcomes
        .flat_map(|fx| fx.sends)
        .filter_map(|(to, message)| match message {
            FromArchive::ArchivedB(m) => Some((to, m.base, m.chunk_count)),
            _ => None,
        })
        .collect();
    assert_eq!(reports, [(PROPOSER, Slot(1), 0)]);
}

#[test]
fn an_empty_archive_needs_no_snapshot() {
    let mut archive = archive();
    assert!(compact(&mut archive).is_empty());
    assert!(archive.is_compact());
}

#[test]
fn an_empty_archive_that_is_given_a_snapshot_needs_another_one() {
    let mut archive = archive();
    let early = chunks(4);
    step(&mut archive, REPLICA, Keep { chunk: early[0].clone() });
    assert_eq!(compact(&mut archive).sends.len(), 1);
    for chunk in &early[1..] {
        step(&mut archive, REPLICA, Keep { chunk: chunk.clone() });
    }
    assert_eq!((archive.base(), archive.is_compact()), (Slot(4), false));
    let later = keep(&mut archive, 4);
    assert!(archive.is_compact());
    assert_eq!(fold(later).persisted_watermark(), Slot(4));
}
