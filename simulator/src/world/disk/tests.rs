//! What crashes leave, from one append on.

use super::*;
use crate::random::Purpose;
use matchmaker::node::NodeRecord;
use paxos::acceptor::AcceptorRecord;
use paxos::slot::Slot;

fn records(numbers: std::ops::Range<u64>) -> Vec<Placed<NodeRecord>> {
    let record = |n| (0, NodeRecord::Acceptor(AcceptorRecord::Persisted(Slot(n))));
    numbers.map(record).collect()
}

fn synced(numbers: std::ops::Range<u64>) -> Disk<NodeRecord> {
    let mut disk = Disk::default();
    disk.append(1, records(numbers));
    assert!(disk.start_sync());
    disk.finish_sync();
    disk
}

#[test]
fn a_crash_loses_part_of_the_unsynced_tail_and_nothing_else() {
    let mut outcomes = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let mut random = Random::stream(seed, (Purpose::Disk, 0));
        let mut disk = synced(0..4);
        disk.append(2, records(4..8));
        assert!(disk.start_sync());
        disk.append(3, records(8..9));
        disk.crash(seed % 2 == 0, &mut random);
        let loaded = disk.load().unwrap();
        assert_eq!(loaded.records, records(0..4 + loaded.survivors as u64));
        outcomes.insert((loaded.survivors, loaded.torn_bytes > 0));
    }
    assert!(outcomes.len() > 6, "{outcomes:?}");
    assert!(outcomes.iter().all(|(survivors, _)| *survivors <= 4));
}

#[test]
fn appends_that_wait_are_synced_together_and_other_work_in_its_turn() {
    let mut disk = synced(0..4);
    disk.append(2, records(4..5));
    assert!(disk.start_sync());
    disk.append(3, records(5..6));
    disk.append(4, records(6..7));
    disk.checkpoint(5, records(6..7));
    disk.append(6, records(7..8));
    disk.forget(7);
    assert_eq!(disk.finish_sync().records, records(4..5));
    assert!(disk.start_sync());
    assert_eq!(disk.finish_sync().records, records(5..7));
    assert_eq!(disk.durable_batch(), 4);
    assert!(disk.start_sync());
    assert!(disk.finish_sync().records.is_empty(), "a checkpoint says nothing new");
    assert!(disk.start_sync());
    disk.finish_sync();
    let all = [records(0..7), records(6..8)].concat();
    assert_eq!(disk.clone().load().unwrap().records, all);
    let before = disk.size_bytes();
    assert!(disk.start_sync());
    assert!(disk.finish_sync().has_forgotten);
    assert!(disk.is_idle() && disk.size_bytes() < before);
    assert_eq!(disk.load().unwrap().records, records(6..8));
}

#[test]
fn a_crash_within_a_compaction_loses_nothing_that_counts() {
    for seed in 0..40 {
        let mut random = Random::stream(seed, (Purpose::Disk, 0));
        let mut disk = synced(0..4);
        disk.checkpoint(2, records(3..5));
        assert!(disk.start_sync());
        let mut early = disk.clone();
        early.crash(seed % 2 == 0, &mut random);
        let loaded = early.load().unwrap();
        let torn = loaded.records.len() - 4;
        assert_eq!(loaded.records, [records(0..4), records(3..3 + torn as u64)].concat());
        assert_eq!(loaded.survivors, 0);
        disk.finish_sync();
        disk.forget(3);
        assert!(disk.start_sync());
        disk.crash(seed % 2 == 0, &mut random);
        let found = disk.load().unwrap().records;
        assert!(found == records(3..5) || found == [records(0..4), records(3..5)].concat());
    }
}

#[test]
fn what_a_failed_sync_left_is_read_back_and_synced() {
    for (mutation, expected) in [(None, 6), (Some(Mutation::TrustPageCache), 4)] {
        let mut disk = synced(0..4);
        disk.mutation = mutation;
        disk.append(2, records(4..6));
        assert!(disk.start_sync());
        disk.fail();
        let loaded = disk.load().unwrap();
        assert_eq!((loaded.records, loaded.survivors), (records(0..6), 2));
        disk.crash(true, &mut Random::stream(1, (Purpose::Disk, 0)));
        assert_eq!(disk.load().unwrap().records, records(0..expected));
    }
}

#[test]
fn a_flipped_bit_is_refused() {
    for at_permille in 0..1000 {
        let mut disk = synced(0..4);
        disk.checkpoint(2, records(3..5));
        assert!(disk.start_sync());
        disk.finish_sync();
        assert!(disk.corrupt(at_permille, 3));
        disk.load().unwrap_err();
    }
}
