//! The host keeps the driver contract: what waits for the disk, what does not, and what an error ends.
#![cfg(feature = "runtime")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod harness;

use std::sync::Arc;

use harness::{
    BROKEN, CLIENT, DiskEvent, FakeDisk, NEEDS_MORE, NEVER, PATIENT, Toy, Word, World, node,
};
use paxos::actor::{Incarnation, NodeId, Seat};
use paxos::runtime::{Host, HostOptions, Network, SendError};
use paxos::storage::Tagged;
use tokio::sync::mpsc;

#[tokio::test]
async fn sends_wait_for_the_records_of_their_actor_only() {
    let mut world = World::start().await;
    world.set(true, false);
    world.send(1, Word::Echo(9));
    world.send(1, Word::Write(10));
    world.send(1, Word::Echo(11));
    world.send(2, Word::Echo(12));
    assert_eq!(world.said().await, (1, vec![9]), "it was sent before the record was written");
    assert_eq!(world.said().await, (2, vec![12]));
    assert_eq!(world.disk().await, DiskEvent::Asked);
    assert!(
        world.said.try_recv().is_err(),
        "nothing of actor 1 leaves before its record is durable"
    );
    world.set(false, false);
    assert_eq!(world.disk().await, DiskEvent::Appended(vec![10]));
    assert_eq!(world.said().await, (1, vec![10]));
    assert_eq!(world.said().await, (1, vec![11]));
    world.stop().await.unwrap();
}

#[tokio::test]
async fn batches_that_wait_for_the_disk_become_one_append() {
    let mut world = World::start().await;
    world.set(true, false);
    world.send(1, Word::Write(1));
    assert_eq!(world.disk().await, DiskEvent::Asked);
    for number in 2..5 {
        world.send(1, Word::Write(number));
        world.settle(100 + number).await;
    }
    world.set(false, false);
    assert_eq!(world.disk().await, DiskEvent::Appended(vec![1]));
    assert_eq!(world.disk().await, DiskEvent::Asked);
    assert_eq!(world.disk().await, DiskEvent::Appended(vec![2, 3, 4]));
    for number in 1..5 {
        assert_eq!(world.said().await, (1, vec![number]));
    }
    world.stop().await.unwrap();
}

#[tokio::test]
async fn records_that_may_wait_share_the_append_of_one_that_may_not() {
    let options = HostOptions { patience: NEVER.start, ..HostOptions::default() };
    let mut world = World::start_with(vec![], &Network::new(), options).await;
    world.send(1, Word::Write(PATIENT));
    world.settle(100).await;
    assert!(world.disk.try_recv().is_err(), "it is kept back");
    assert!(world.said.try_recv().is_err(), "and so is what was sent after it");
    world.send(2, Word::Write(2));
    assert_eq!(world.disk().await, DiskEvent::Asked);
    assert_eq!(world.disk().await, DiskEvent::Appended(vec![PATIENT, 2]));
    assert_eq!(world.said().await, (1, vec![PATIENT]));
    assert_eq!(world.said().await, (2, vec![2]));
    world.send(1, Word::Write(PATIENT));
    world.settle(101).await;
    world.handle.stop();
    assert_eq!(world.disk().await, DiskEvent::Asked, "nothing is left behind");
    assert_eq!(world.disk().await, DiskEvent::Appended(vec![PATIENT]));
    world.run.await.unwrap().unwrap();
}

#[tokio::test]
async fn records_that_may_wait_do_not_wait_for_ever() {
    let mut world = World::start().await;
    world.send(1, Word::Write(PATIENT));
    assert_eq!(world.disk().await, DiskEvent::Asked);
    assert_eq!(world.disk().await, DiskEvent::Appended(vec![PATIENT]));
    assert_eq!(world.said().await, (1, vec![PATIENT]));
    world.stop().await.unwrap();
}

#[tokio::test]
async fn an_error_of_the_storage_ends_the_host_and_nothing_more_is_sent() {
    let mut world = World::start().await;
    world.set(false, true);
    world.send(1, Word::Write(1));
    let error = (&mut world.run).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("disk/7"), "{error}");
    assert_eq!(world.said.recv().await, None);
    assert_eq!(world.handle.try_send(node(CLIENT), node(1), Word::Tell), Err(SendError::Stopped));
}

#[tokio::test]
async fn a_restarted_host_restores_each_actor_from_its_own_records() {
    let records =
        [(1, 5), (2, 6), (1, 7)].map(|(seat, record)| Tagged { seat: Seat(seat), record }).to_vec();
    let mut world = World::start_with(records, &Network::new(), HostOptions::default()).await;
    world.send(1, Word::Tell);
    world.send(2, Word::Tell);
    assert_eq!(world.said().await, (1, vec![5, 7]));
    assert_eq!(world.said().await, (2, vec![6]));
    world.stop().await.unwrap();
}

#[tokio::test]
async fn records_of_an_unknown_seat_are_not_forgotten_silently() {
    let (events, _disk) = mpsc::unbounded_channel();
    let records = vec![Tagged { seat: Seat(3), record: 1 }];
    let storage = FakeDisk { records, checkpoint: 0, script: Arc::default(), events };
    let transport = Network::new().endpoint([node(1)]);
    let actors = vec![(node(1), Toy::default())];
    let error = Host::new(actors, transport, storage, HostOptions::default()).err().unwrap();
    assert!(error.to_string().contains("seat 3"), "{error}");
}

#[tokio::test]
async fn checkpoints_replace_what_is_before_them() {
    let options = HostOptions { compact_above_bytes: 2, ..HostOptions::default() };
    let mut world = World::start_with(vec![], &Network::new(), options).await;
    for number in 1..4 {
        world.write(number).await;
    }
    assert_eq!(world.done().await, DiskEvent::Checkpoint(vec![1, 2, 3]));
    assert_eq!(world.done().await, DiskEvent::Forgotten(vec![1, 2, 3]));
    // The next one comes when the log has grown by more than half, and by more than the limit.
    for number in 4..7 {
        world.write(number).await;
    }
    assert_eq!(world.done().await, DiskEvent::Checkpoint(vec![1, 2, 3, 4, 5, 6]));
    world.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_before_a_checkpoint_stays_until_every_actor_is_compact() {
    let options = HostOptions { compact_above_bytes: 1, ..HostOptions::default() };
    let mut world = World::start_with(vec![], &Network::new(), options).await;
    world.write(NEEDS_MORE).await;
    world.write(1).await;
    assert_eq!(world.said().await, (1, vec![1000]));
    assert_eq!(world.done().await, DiskEvent::Checkpoint(vec![NEEDS_MORE, 1]));
    world.write(2).await;
    world.settle(3).await;
    world.write(2 * NEEDS_MORE).await;
    let left = vec![NEEDS_MORE, 1, 2, 2 * NEEDS_MORE];
    assert_eq!(world.done().await, DiskEvent::Forgotten(left));
    world.stop().await.unwrap();
}

#[tokio::test]
async fn an_actor_that_misses_records_does_not_start() {
    let (events, _disk) = mpsc::unbounded_channel();
    let records = vec![Tagged { seat: Seat(1), record: BROKEN }];
    let storage = FakeDisk { records, checkpoint: 0, script: Arc::default(), events };
    let transport = Network::new().endpoint([node(1)]);
    let actors = vec![(node(1), Toy::default())];
    let error = Host::new(actors, transport, storage, HostOptions::default()).err().unwrap();
    assert!(error.to_string().contains("the other half is missing"), "{error}");
}

#[tokio::test]
async fn local_messages_timers_and_turn_ends_reach_their_actor() {
    let mut world = World::start().await;
    world.send(1, Word::Relay(node(2), 3));
    assert_eq!(world.said().await, (2, vec![3]));
    world.send(1, Word::Arm);
    assert_eq!(world.said().await, (1, vec![777]));
    world.send(1, Word::Collect(1));
    world.send(1, Word::Collect(2));
    assert_eq!(world.said().await, (1, vec![1, 2]), "one turn takes all that is ready");
    world.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_meant_for_a_lost_memory_is_dropped() {
    let mut world = World::start().await;
    let before = NodeId::new(Seat(1), Incarnation(0xb));
    world.handle.try_send(node(CLIENT), before, Word::Echo(1)).unwrap();
    world.send(2, Word::Relay(before, 2));
    world.send(1, Word::Lie);
    world.settle(3).await;
    let stats = Arc::clone(&world.stats);
    world.stop().await.unwrap();
    let read =
        |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(read(&stats.misdirected), 2);
    assert_eq!(read(&stats.violations), 1);
}

#[tokio::test]
async fn a_stopping_host_finishes_what_is_on_its_way_to_the_disk() {
    let mut world = World::start().await;
    world.set(true, false);
    world.send(1, Word::Write(1));
    assert_eq!(world.disk().await, DiskEvent::Asked);
    world.handle.stop();
    world.handle.stop();
    world.set(false, false);
    assert_eq!(world.said().await, (1, vec![1]));
    world.run.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_full_queue_of_inputs_is_told_to_the_sender() {
    let (events, _disk) = mpsc::unbounded_channel();
    let storage = FakeDisk { records: vec![], checkpoint: 0, script: Arc::default(), events };
    let options = HostOptions { queue_max: 1, ..HostOptions::default() };
    let transport = Network::new().endpoint([node(1)]);
    let host = Host::new(vec![(node(1), Toy::default())], transport, storage, options).unwrap();
    let handle = host.handle();
    assert_eq!(handle.try_send(node(CLIENT), node(1), Word::Tell), Ok(()));
    assert_eq!(handle.try_send(node(CLIENT), node(1), Word::Tell), Err(SendError::Full));
}

#[tokio::test]
async fn hosts_of_one_program_reach_each_other() {
    let network = Network::new();
    let mut world = World::start_with(vec![], &network, HostOptions::default()).await;
    let far = node(9);
    let (events, _disk) = mpsc::unbounded_channel();
    let storage = FakeDisk { records: vec![], checkpoint: 0, script: Arc::default(), events };
    let transport = network.endpoint([far]);
    let host =
        Host::new(vec![(far, Toy::default())], transport, storage, HostOptions::default()).unwrap();
    let far_handle = host.handle();
    let far_run = tokio::spawn(host.run());
    // The far actor greets the client as well when it starts.
    assert_eq!(world.said().await, (9, vec![]));
    world.send(1, Word::Relay(far, 42));
    assert_eq!(world.said().await, (9, vec![42]));
    far_handle.stop();
    far_run.await.unwrap().unwrap();
    world.stop().await.unwrap();
}
