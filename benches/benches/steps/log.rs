//! Appending to the durable log, with the disk.

use bytes::Bytes;
use divan::Bencher;
use divan::counter::ItemsCount;
use paxos::acceptor::AcceptorRecord;
use paxos::actor::{Incarnation, NodeId, Seat};
use paxos::command::Value;
use paxos::message::Vote;
use paxos::round::Round;
use paxos::runtime::{DataDir, FileLog, FileLogOptions};
use paxos::slot::Slot;
use paxos::storage::{Storage, Tagged};
use paxos::wire::Payload;

/// Votes for values of 100 bytes, synced together; the argument is how many.
#[divan::bench(args = [1, 16, 256], sample_count = 50, sample_size = 1)]
fn log_append(bencher: Bencher<'_, '_>, count: usize) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut data_dir =
        DataDir::open(directory.path().join("n1"), "bench", "n1").expect("it is new");
    let mut log: FileLog<AcceptorRecord> =
        FileLog::open(&mut data_dir, FileLogOptions::default()).expect("it is empty");
    log.load().expect("it is empty");
    let records: Vec<Tagged<AcceptorRecord>> = (0..count as u64).map(record).collect();
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| log.append(&records).expect("the disk works"));
}

fn record(slot: u64) -> Tagged<AcceptorRecord> {
    let owner = NodeId::new(Seat(1), Incarnation(1));
    let round = Round::first_above(Round::ZERO, owner);
    let value = Value::Batch(Payload::new(Bytes::from_static(&[7; 100])));
    Tagged { seat: Seat(2), record: AcceptorRecord::Voted(Vote { slot: Slot(slot), round, value }) }
}
