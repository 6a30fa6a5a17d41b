//! What every storage must do, run against the durable log. Damage is made byte by byte.
#![cfg(feature = "runtime")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use paxos::actor::Seat;
use paxos::runtime::{DataDir, FileLog, FileLogOptions};
use paxos::storage::{Storage, Tagged};
use paxos::wire::{ENCODED_BYTES_MAX, Payload};

type Record = (u64, Payload);

const SMALL: u64 = 16 << 10;

fn open(path: &Path) -> io::Result<FileLog<Record>> {
    open_with(path, SMALL)
}

fn open_with(path: &Path, segment_bytes: u64) -> io::Result<FileLog<Record>> {
    let mut data_dir = DataDir::open(path, "demo", "n1")?;
    FileLog::open(&mut data_dir, FileLogOptions { segment_bytes })
}

fn record(number: u64, bytes: usize) -> Tagged<Record> {
    let payload = Payload::new(vec![number as u8; bytes]);
    Tagged { seat: Seat(number as u32 % 3), record: (number, payload) }
}

fn records(numbers: std::ops::Range<u64>, bytes: usize) -> Vec<Tagged<Record>> {
    numbers.map(|number| record(number, bytes)).collect()
}

/// Segments in order.
fn segments(path: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(path.join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "segment"))
        .collect();
    paths.sort();
    paths
}

/// End of the last byte that is not zero.
fn end_of(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1)
}

/// Bytes of an entry without its body, and of a seal.
const ENTRY: usize = 32;

#[test]
fn records_come_back_in_order_after_many_batches_and_reopenings() {
    let directory = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for round in 0..5_u64 {
        let mut log = open(directory.path()).unwrap();
        assert_eq!(log.load().unwrap(), expected);
        for batch in 0..20 {
            let first = round * 1000 + batch * 10;
            let more = records(first..first + batch % 4, 300);
            log.append(&more).unwrap();
            expected.extend(more);
        }
    }
    assert!(segments(directory.path()).len() > 2, "the log went through several segments");
    let mut log = open(directory.path()).unwrap();
    assert_eq!(log.load().unwrap(), expected);
    assert!(log.size_bytes() > 5 * 300);
}

#[test]
fn one_append_is_one_sync() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path()).unwrap();
    log.load().unwrap();
    log.append(&records(0..7, 10)).unwrap();
    log.append(&[]).unwrap();
    log.append(&records(7..8, 10)).unwrap();
    let stats = log.stats();
    assert_eq!(stats.syncs.load(Ordering::Relaxed), 2);
    assert_eq!(stats.records.load(Ordering::Relaxed), 8);
    assert_eq!(stats.bytes.load(Ordering::Relaxed), log.size_bytes());
}

#[test]
fn an_append_larger_than_a_segment_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    {
        let mut log = open(directory.path()).unwrap();
        log.load().unwrap();
        for first in [0, 10, 20] {
            let more = records(first..first + 3, 20_000);
            log.append(&more).unwrap();
            expected.extend(more);
        }
    }
    let mut log = open(directory.path()).unwrap();
    assert_eq!(log.load().unwrap(), expected);
}

#[test]
fn a_log_is_loaded_once_and_first() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path()).unwrap();
    log.append(&records(0..1, 1)).unwrap_err();
    log.load().unwrap();
    log.load().unwrap_err();
    log.append(&records(0..1, 1)).unwrap();
}

#[test]
fn what_is_before_a_checkpoint_can_be_forgotten_and_the_log_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let kept = records(500..510, 100);
    let more = records(600..700, 400);
    {
        let mut log = open(directory.path()).unwrap();
        log.load().unwrap();
        for first in 0..50 {
            log.append(&records(first * 4..first * 4 + 4, 400)).unwrap();
        }
        let before = log.size_bytes();
        log.checkpoint(&kept).unwrap();
        assert!(log.size_bytes() > before, "nothing goes yet");
        for batch in more.chunks(7) {
            log.append(batch).unwrap();
        }
        log.forget_before_checkpoint().unwrap();
        log.forget_before_checkpoint().unwrap();
        assert!(log.size_bytes() < before);
        assert_eq!(log.stats().compactions.load(Ordering::Relaxed), 1);
        log.append(&records(700..701, 10)).unwrap();
    }
    let expected = [kept, more, records(700..701, 10)].concat();
    let mut log = open(directory.path()).unwrap();
    assert_eq!(log.load().unwrap(), expected);
    log.forget_before_checkpoint().unwrap();
    drop(log);
    let mut log = open(directory.path()).unwrap();
    assert_eq!(log.load().unwrap(), expected, "there was no checkpoint since");
    log.checkpoint(&[]).unwrap();
    log.forget_before_checkpoint().unwrap();
    drop(log);
    let mut log = open(directory.path()).unwrap();
    assert_eq!(log.load().unwrap(), []);
    assert_eq!(log.size_bytes(), 0);
    log.append(&kept_again()).unwrap();
    drop(log);
    assert_eq!(open(directory.path()).unwrap().load().unwrap(), kept_again());
}

fn kept_again() -> Vec<Tagged<Record>> {
    records(900..903, 20)
}

#[test]
fn a_checkpoint_that_is_not_followed_by_forgetting_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    let mut log = open(directory.path()).unwrap();
    log.load().unwrap();
    for round in 0..4 {
        let (appended, checkpoint) = (
            records(round * 100..round * 100 + 9, 90),
            records(round * 100 + 50..round * 100 + 53, 9),
        );
        log.append(&appended).unwrap();
        log.checkpoint(&checkpoint).unwrap();
        expected.extend([appended, checkpoint].concat());
    }
    drop(log);
    let mut log = open(directory.path()).unwrap();
    assert_eq!(log.load().unwrap(), expected);
}

/// Copies all files of a log, but for one that is just being prepared or deleted beside it.
fn files(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(path.join("log")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter_map(|path| Some((path.clone(), fs::read(path).ok()?))).collect()
}

#[test]
fn a_crash_at_any_step_of_forgetting_leaves_all_records_or_those_since_the_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (records(0..60, 1000), records(900..903, 50));
    let mut log = open(directory.path()).unwrap();
    log.load().unwrap();
    for record in &old {
        log.append(std::slice::from_ref(record)).unwrap();
    }
    log.checkpoint(&new).unwrap();
    let before = files(directory.path());
    log.forget_before_checkpoint().unwrap();
    drop(log);
    let after = files(directory.path());
    let manifest = directory.path().join("log/manifest");
    let gone: Vec<_> =
        before.iter().filter(|(path, _)| after.iter().all(|(other, _)| other != path)).collect();
    assert!(gone.len() > 3, "{gone:?}");
    // The manifest was replaced, and any of the segments before are still there.
    for left in 0..=gone.len() {
        for (path, bytes) in &gone[left..] {
            fs::write(path, bytes).unwrap();
        }
        let mut log = open(directory.path()).unwrap();
        assert_eq!(log.load().unwrap(), new, "{left} segments were deleted");
    }
    // It was not replaced yet.
    for (path, bytes) in &before {
        fs::write(path, bytes).unwrap();
    }
    let mut log = open(directory.path()).unwrap();
    assert_eq!(log.load().unwrap(), [old, new].concat());
    drop(log);
    // Nothing may be deleted before it is replaced: that would be noticed.
    fs::remove_file(&gone[0].0).unwrap();
    assert!(manifest.exists());
    open(directory.path()).and_then(|mut log| log.load()).unwrap_err();
}

/// A directory with three appends, the last of `last` records, and the bytes of its only segment in use.
fn three_appends(last: u64) -> (tempfile::TempDir, Vec<Tagged<Record>>, PathBuf, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path()).unwrap();
    log.load().unwrap();
    let all = records(0..4 + last, 60);
    log.append(&all[..1]).unwrap();
    log.append(&all[1..4]).unwrap();
    log.append(&all[4..]).unwrap();
    drop(log);
    let path = segments(directory.path())[0].clone();
    let bytes = fs::read(&path).unwrap();
    (directory, all, path, bytes)
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_off_and_stays_so() {
    let (directory, all, path, good) = three_appends(1);
    let end = end_of(&good);
    // The last entry ends where the seal begins.
    let seal = (0..good.len() - ENTRY).rev().find(|at| good[*at + 8] == 1 && good[*at + 9] == 2);
    let seal = seal.unwrap();
    assert!(end > seal && end <= seal + ENTRY);
    let entry = ENTRY + 8 + 8 + 60;
    for cut in seal - entry..=seal {
        let mut torn = good.clone();
        torn[cut..].fill(0);
        fs::write(&path, &torn).unwrap();
        let mut log = open(directory.path()).unwrap();
        // A record that ends in zeros is not torn by losing them.
        let loaded = log.load().unwrap();
        assert!(loaded == all[..4] || (loaded == all && cut == seal), "cut at {cut}");
        let next = records(50..51, 61);
        log.append(&next).unwrap();
        drop(log);
        let mut log = open(directory.path()).unwrap();
        assert_eq!(log.load().unwrap(), [loaded, next].concat(), "cut at {cut}");
    }
}

#[test]
fn pages_of_an_unfinished_append_may_be_missing_anywhere() {
    let (directory, all, path, good) = three_appends(3);
    let seal =
        (0..good.len() - ENTRY).rev().find(|at| good[*at + 8] == 1 && good[*at + 9] == 2).unwrap();
    let entry = ENTRY + 8 + 8 + 60;
    // The first record of the last append did not reach the disk, the others did, the seal was
    // never written: a crash before the sync returned.
    let mut torn = good.clone();
    torn[seal - 3 * entry..seal - 2 * entry].fill(0);
    torn[seal..].fill(0);
    fs::write(&path, &torn).unwrap();
    let mut log = open(directory.path()).unwrap();
    assert_eq!(log.load().unwrap(), all[..4]);
    // What is appended in its place does not bring the others back.
    log.append(&all[4..5]).unwrap();
    drop(log);
    let mut log = open(directory.path()).unwrap();
    assert_eq!(log.load().unwrap(), all[..5]);
}

#[test]
fn a_flipped_byte_is_refused_or_harmless() {
    let (directory, all, path, good) = three_appends(3);
    let end = end_of(&good);
    let mut refused = 0;
    for at in (0..64).chain(4096..end + 40) {
        let mut bad = good.clone();
        bad[at] ^= 0x20;
        fs::write(&path, &bad).unwrap();
        match open(directory.path()).and_then(|mut log| log.load()) {
            Ok(loaded) => assert_eq!(loaded, all, "byte {at}: lost silently"),
            Err(error) => {
                refused += 1;
                let text = error.to_string();
                assert!(text.contains(path.to_str().unwrap()), "byte {at}: {text}");
                assert!(text.contains("set the directory aside") || at < 64, "byte {at}: {text}");
            }
        }
        // A refusal changes nothing: the evidence stays.
        if !fs::read(&path).unwrap().eq(&bad) {
            assert!(at >= end - ENTRY, "byte {at}");
        }
    }
    assert!(refused >= end - 4096 - ENTRY, "every byte of a durable record is covered");
}

#[test]
fn damage_in_an_earlier_segment_or_a_lost_segment_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path()).unwrap();
    log.load().unwrap();
    for number in 0..60 {
        log.append(&records(number..number + 1, 1000)).unwrap();
    }
    drop(log);
    let paths = segments(directory.path());
    assert!(paths.len() > 3);
    let good = fs::read(&paths[1]).unwrap();
    for at in (4096..end_of(&good)).step_by(997) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&paths[1], &bad).unwrap();
        let outcome = open(directory.path()).and_then(|mut log| log.load());
        match outcome {
            Ok(loaded) => assert_eq!(loaded, records(0..60, 1000), "byte {at}"),
            Err(error) => assert!(error.to_string().contains("damaged"), "{error}"),
        }
    }
    fs::remove_file(&paths[1]).unwrap();
    let error = open(directory.path()).and_then(|mut log| log.load()).unwrap_err().to_string();
    assert!(error.contains("missing"), "{error}");
}

#[test]
fn a_flipped_byte_in_a_checkpoint_is_refused_once_nothing_else_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let kept = records(0..5, 100);
    {
        let mut log = open(directory.path()).unwrap();
        log.load().unwrap();
        log.checkpoint(&kept).unwrap();
        log.forget_before_checkpoint().unwrap();
    }
    let path = segments(directory.path())[0].clone();
    let good = fs::read(&path).unwrap();
    for at in (4096..end_of(&good) - ENTRY).step_by(7) {
        // Neither the seal nor anything after it is there to prove it: the manifest does.
        let mut bad = good.clone();
        let seal = end_of(&good) / 4 * 4 - ENTRY;
        bad[seal..].fill(0);
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        open(directory.path()).and_then(|mut log| log.load()).unwrap_err();
    }
}

#[test]
fn a_lost_log_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    {
        let mut log = open(directory.path()).unwrap();
        log.load().unwrap();
        log.append(&records(0..1, 1)).unwrap();
    }
    fs::remove_dir_all(directory.path().join("log")).unwrap();
    let error = open(directory.path()).unwrap_err().to_string();
    assert!(error.contains("manifest") && error.contains("gone"), "{error}");
}

#[test]
fn a_segment_of_another_node_is_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for directory in [&one, &two] {
        let mut log = open(directory.path()).unwrap();
        log.load().unwrap();
        log.append(&records(0..3, 10)).unwrap();
    }
    fs::copy(&segments(one.path())[0], &segments(two.path())[0]).unwrap();
    let error = open(two.path()).and_then(|mut log| log.load()).unwrap_err().to_string();
    assert!(error.contains("another node"), "{error}");
}

#[test]
fn a_log_keeps_its_directory_locked() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path()).unwrap();
    let error = open(directory.path()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    drop(log);
    open(directory.path()).unwrap();
}

#[test]
fn a_record_above_the_limit_stops_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open_with(directory.path(), 1 << 20).unwrap();
    log.load().unwrap();
    log.append(&records(0..1, 1)).unwrap();
    log.append(&records(1..2, ENCODED_BYTES_MAX)).unwrap_err();
    let error = log.append(&records(1..2, 1)).unwrap_err().to_string();
    assert!(error.contains("earlier error"), "{error}");
    drop(log);
    let mut log = open(directory.path()).unwrap();
    assert_eq!(log.load().unwrap(), records(0..1, 1));
}
