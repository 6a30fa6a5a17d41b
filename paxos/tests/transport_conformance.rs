//! What every transport must do, run against channels and TCP; then what only TCP can get wrong.
#![cfg(feature = "runtime")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use paxos::actor::{Incarnation, NodeId, Seat};
use paxos::runtime::{
    Charter, DataDir, Directory, Identity, Listener, Network, Process, Roster, TcpOptions,
    TcpTransport, found,
};
use paxos::transport::{Envelope, Transport};
use paxos::wire::{self, Payload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

type Message = (u64, Payload);

const A: NodeId = NodeId::new(Seat(1), Incarnation(0xa));
const B: NodeId = NodeId::new(Seat(2), Incarnation(0xb));

fn message(number: u64, bytes: usize) -> Message {
    (number, Payload::new(vec![7; bytes]))
}

fn envelope(from: NodeId, to: NodeId, number: u64) -> Envelope<Message> {
    Envelope { from, to, message: message(number, 100) }
}

/// Waits for one message.
async fn receive(transport: &mut impl Transport<Message>) -> Envelope<Message> {
    let mut into = Vec::new();
    let count = poll_fn(|context| transport.poll_receive(context, &mut into, 1)).await;
    assert_eq!((count, into.len()), (1, 1));
    into.pop().unwrap()
}

/// Two connected endpoints, and how many messages the first dropped.
struct Pair<T> {
    a: T,
    b: T,
    dropped: Box<dyn Fn() -> u64>,
}

fn channels(queue: usize) -> Pair<impl Transport<Message>> {
    let network = Network::new();
    let a = network.endpoint_with_queue([A], queue);
    let b = network.endpoint_with_queue([B], queue);
    let dropped: Arc<AtomicU64> = a.dropped();
    Pair { a, b, dropped: Box::new(move || dropped.load(Ordering::Relaxed)) }
}

fn identity(cluster: &str, node: &str, incarnation: Incarnation) -> Identity {
    Identity { cluster: cluster.into(), node: node.into(), incarnation }
}

fn process(name: &str, listener: &Listener, seat: Seat) -> Process {
    Process {
        name: name.into(),
        address: listener.address().to_string(),
        seats: vec![seat],
        incarnation: None,
    }
}

fn roster() -> Roster {
    Roster([("a".into(), A.incarnation), ("b".into(), B.incarnation)].into())
}

async fn bind() -> Listener {
    Listener::bind("127.0.0.1:0").await.unwrap()
}

fn small() -> TcpOptions {
    TcpOptions { queue_bytes: 64 << 10, inbox_messages: 4, ..TcpOptions::default() }
}

async fn tcp(options: TcpOptions) -> Pair<TcpTransport<Message>> {
    let (listen_a, listen_b) = (bind().await, bind().await);
    let directory =
        Directory::new([process("a", &listen_a, A.seat), process("b", &listen_b, B.seat)]).unwrap();
    let start = |name: &str, node: NodeId, listener| {
        let own = identity("demo", name, node.incarnation);
        let (charter, directory) = (charter("same"), directory.clone());
        TcpTransport::start(own, charter, roster(), directory, listener, options.clone()).unwrap()
    };
    let (a, b) = (start("a", A, listen_a), start("b", B, listen_b));
    let stats = a.stats();
    Pair { a, b, dropped: Box::new(move || stats.dropped.load(Ordering::Relaxed)) }
}

/// Messages arrive in order, from whom they say, both ways.
async fn check_order<T: Transport<Message>>(mut pair: Pair<T>) {
    for turn in 0..50 {
        for number in turn * 20..turn * 20 + 20 {
            pair.a.send(envelope(A, B, number));
            pair.b.send(envelope(B, A, number));
        }
        pair.a.flush();
        pair.b.flush();
    }
    for number in 0..1000 {
        assert_eq!(receive(&mut pair.b).await, envelope(A, B, number));
        assert_eq!(receive(&mut pair.a).await, envelope(B, A, number));
    }
    assert_eq!((pair.dropped)(), 0);
}

/// Nobody sends as somebody else, or reaches a memory that is gone.
async fn check_identity<T: Transport<Message>>(mut pair: Pair<T>) {
    let old = |node: NodeId| NodeId::new(node.seat, Incarnation(99));
    pair.a.send(envelope(B, B, 1));
    pair.a.send(envelope(old(A), B, 2));
    pair.a.send(envelope(A, old(B), 3));
    pair.a.send(envelope(A, NodeId::new(Seat(77), B.incarnation), 4));
    pair.a.send(envelope(A, B, 5));
    pair.a.flush();
    assert_eq!(receive(&mut pair.b).await, envelope(A, B, 5));
    assert_eq!((pair.dropped)(), 4);
}

/// A receiver that does not receive costs messages and nothing else.
async fn check_full<T: Transport<Message>>(mut pair: Pair<T>) {
    let mut sent = 0;
    while (pair.dropped)() == 0 {
        pair.a.send(envelope(A, B, sent));
        pair.a.flush();
        sent += 1;
        tokio::task::yield_now().await;
    }
    let mut last = None;
    for _ in 0..sent - (pair.dropped)() {
        let number = receive(&mut pair.b).await.message.0;
        assert!(last < Some(number), "what arrives is in order");
        last = Some(number);
    }
}

#[tokio::test]
async fn channel_keeps_order() {
    check_order(channels(2000)).await;
}

#[tokio::test]
async fn tcp_keeps_order() {
    check_order(tcp(TcpOptions::default()).await).await;
}

#[tokio::test]
async fn channel_vouches_for_the_sender() {
    check_identity(channels(10)).await;
}

#[tokio::test]
async fn tcp_vouches_for_the_sender() {
    check_identity(tcp(TcpOptions::default()).await).await;
}

#[tokio::test]
async fn channel_drops_what_does_not_fit() {
    check_full(channels(10)).await;
}

#[tokio::test]
async fn tcp_drops_what_does_not_fit() {
    check_full(tcp(small()).await).await;
}

/// The first frame of a connection, written by hand.
fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = b"MPXS\x01".to_vec();
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(crc32c::crc32c(body).to_le_bytes());
    bytes.extend(body);
    bytes
}

fn hello(cluster: &str, node: &str, incarnation: Incarnation) -> Vec<u8> {
    let run = 1_u32;
    let ballot = (None::<Roster>, false);
    framed(&wire::encode(&(identity(cluster, node, incarnation), run, charter("same"), ballot)))
}

fn charter(text: &str) -> Charter {
    Charter([("b".to_owned(), text.to_owned())].into())
}

fn frame(from: Seat, to: Seat, body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
    let mut rest = vec![1];
    rest.extend(from.0.to_le_bytes());
    rest.extend(to.0.to_le_bytes());
    rest.extend(body);
    bytes.extend(crc32c::crc32c_append(crc32c::crc32c(&bytes), &rest).to_le_bytes());
    bytes.extend(rest);
    bytes
}

/// Sends `bytes` to a process, and returns what it answers until it closes the connection.
async fn say(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is reset has been closed as well.
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

/// The reason in the answer.
fn refusal(answer: &[u8]) -> String {
    let (tag, reason): (u32, String) =
        wire::decode(&bytes::Bytes::copy_from_slice(&answer[13..])).unwrap();
    assert_eq!(tag, 2, "refused");
    reason
}

/// One process named "a" that knows "b", which is played by the test.
async fn lone() -> (TcpTransport<Message>, String) {
    let (listen_a, listen_b) = (bind().await, bind().await);
    let address = listen_a.address().to_string();
    let directory =
        Directory::new([process("a", &listen_a, A.seat), process("b", &listen_b, B.seat)]).unwrap();
    let own = identity("demo", "a", A.incarnation);
    let (charter, options) = (charter("same"), TcpOptions::default());
    let transport =
        TcpTransport::start(own, charter, roster(), directory, listen_a, options).unwrap();
    (transport, address)
}

#[tokio::test]
async fn foreign_clusters_names_and_memories_are_refused_with_a_reason() {
    let (_transport, address) = lone().await;
    let reason = refusal(&say(&address, &hello("other", "b", B.incarnation)).await);
    assert!(reason.contains("cluster \"demo\""), "{reason}");
    let reason = refusal(&say(&address, &hello("demo", "a", A.incarnation)).await);
    assert!(reason.contains("two processes are named \"a\""), "{reason}");
    let reason = refusal(&say(&address, &hello("demo", "z", B.incarnation)).await);
    assert!(reason.contains("\"z\""), "{reason}");
    let reason = refusal(&say(&address, &hello("demo", "b", Incarnation(5))).await);
    assert!(reason.contains("wiped"), "{reason}");
    let b = identity("demo", "b", B.incarnation);
    let other = framed(&wire::encode(&(b, 1_u32, charter("other"), (None::<Roster>, false))));
    let reason = refusal(&say(&address, &other).await);
    assert!(reason.contains("b: at \"a\" \"same\", at \"b\" \"other\""), "{reason}");
    let mut other_version = hello("demo", "b", B.incarnation);
    other_version[4] = 9;
    let reason = refusal(&say(&address, &other_version).await);
    assert!(reason.contains("version 9"), "{reason}");
}

#[tokio::test]
async fn bytes_that_are_not_frames_close_their_connection_and_harm_no_other() {
    let (mut transport, address) = lone().await;
    let mut good = TcpStream::connect(&address).await.unwrap();
    good.write_all(&hello("demo", "b", B.incarnation)).await.unwrap();
    let body = |number| wire::encode(&message(number, 100));
    let valid = frame(B.seat, A.seat, &body(1));

    say(&address, b"GET / HTTP/1.1\r\n\r\n").await;
    say(&address, &framed(b"not a hello")).await;
    let mut long = b"MPXS\x01".to_vec();
    long.extend([0xff; 8]);
    say(&address, &long).await;

    let welcome = hello("demo", "b", B.incarnation);
    let mut flipped = valid.clone();
    flipped[30] ^= 1;
    let bad_frames: [Vec<u8>; 5] = [
        flipped,
        vec![0xff; 64],
        frame(A.seat, A.seat, &body(1)),
        frame(B.seat, A.seat, b"no message"),
        frame(B.seat, A.seat, &[body(1).to_vec(), vec![0]].concat()),
    ];
    for bad in bad_frames {
        let answer = say(&address, &[welcome.clone(), bad].concat()).await;
        assert_eq!(answer[13..17], [0; 4], "it was welcome until then");
    }
    // Cut short at every byte: the connection closes on our side, and nothing arrives.
    for cut in 0..valid.len() {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(&[&welcome[..], &valid[..cut]].concat()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
    }

    good.write_all(&frame(B.seat, A.seat, &body(2))).await.unwrap();
    assert_eq!(receive(&mut transport).await, envelope(B, A, 2), "and nothing before it");
}

#[tokio::test]
async fn a_payload_is_a_slice_of_what_was_read() {
    let mut pair = tcp(TcpOptions::default()).await;
    let large = Envelope { from: A, to: B, message: message(1, 3 << 20) };
    pair.a.send(large.clone());
    let too_large = Envelope { from: A, to: B, message: message(2, wire::ENCODED_BYTES_MAX) };
    pair.a.send(too_large);
    pair.a.flush();
    assert_eq!(receive(&mut pair.b).await, large);
    assert_eq!((pair.dropped)(), 1);
}

#[tokio::test]
async fn a_restarted_peer_is_reached_again() {
    let (listen_a, listen_b) = (bind().await, bind().await);
    let address_b = listen_b.address().to_string();
    let directory =
        Directory::new([process("a", &listen_a, A.seat), process("b", &listen_b, B.seat)]).unwrap();
    let start = |name: &str, node: NodeId, listener| {
        let own = identity("demo", name, node.incarnation);
        let (charter, directory) = (charter("same"), directory.clone());
        TcpTransport::start(own, charter, roster(), directory, listener, TcpOptions::default())
            .unwrap()
    };
    let mut a = start("a", A, listen_a);
    let mut b = start("b", B, listen_b);
    a.send(envelope(A, B, 1));
    a.flush();
    assert_eq!(receive(&mut b).await, envelope(A, B, 1));
    let connections = a.connections();
    assert_eq!(connections.connected(), [("b".to_owned(), true)].into());
    drop(b);
    while connections.connected()["b"] {
        tokio::task::yield_now().await;
    }
    // The port is free as soon as the old listener is gone.
    let listener = loop {
        match Listener::bind(&address_b).await {
            Ok(listener) => break listener,
            Err(error) => {
                assert!(error.to_string().contains("another process listens there"), "{error}");
                tokio::task::yield_now().await;
            }
        }
    };
    let mut b = start("b", B, listener);
    // Messages may be lost on the way; protocols send again, and so does this one.
    let mut again = tokio::time::interval(Duration::from_millis(5));
    let mut number = 2;
    let received = loop {
        tokio::select! {
            received = receive(&mut b) => break received,
            _ = again.tick() => {
                a.send(envelope(A, B, number));
                a.flush();
                number += 1;
            }
        }
    };
    assert!(received.message.0 >= 2 && received.from == A);
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let listener = bind().await;
    let address = listener.address().to_string();
    let error = Listener::bind(&address).await.unwrap_err().to_string();
    assert!(error.contains(&address) && error.contains("choose another port"), "{error}");
}

#[tokio::test]
async fn a_cluster_is_founded_once() {
    let root = tempfile::tempdir().unwrap();
    let names = ["n0", "n1", "n2"];
    let mut processes = Vec::new();
    let mut listeners = Vec::new();
    for (seat, name) in (0..).zip(names) {
        let listener = bind().await;
        processes.push(process(name, &listener, Seat(seat)));
        listeners.push(listener);
    }
    let directory = Directory::new(processes).unwrap();
    let open = |name: &str| DataDir::open(root.path().join(name), "demo", name).unwrap();

    let mut running = tokio::task::JoinSet::new();
    for (name, listener) in names.into_iter().zip(listeners) {
        let (mut data_dir, directory) = (open(name), directory.clone());
        running.spawn(async move {
            let roster =
                found(&mut data_dir, &charter("same"), &directory, &listener).await.unwrap();
            let own = data_dir.identity().clone();
            assert!(roster.has(&own.node, own.incarnation));
            // The transport tells the roster to whoever does not know it yet.
            let options = TcpOptions::default();
            let (founded, charter) = (roster.clone(), charter("same"));
            let transport =
                TcpTransport::<Message>::start(own, charter, founded, directory, listener, options);
            (name, roster, transport.unwrap(), data_dir)
        });
    }
    let mut founded = Vec::new();
    while let Some(outcome) = running.join_next().await {
        founded.push(outcome.unwrap());
    }
    founded.sort_by_key(|(name, ..)| *name);
    let roster = founded[0].1.clone();
    assert_eq!(roster.0.len(), 3);
    assert!(founded.iter().all(|(_, other, ..)| *other == roster));

    // A restart needs nobody.
    drop(founded.pop());
    let listener = bind().await;
    let nobody = Directory::new([process("n2", &listener, Seat(2))]).unwrap();
    let mut data_dir = open("n2");
    assert_eq!(found(&mut data_dir, &charter("same"), &nobody, &listener).await.unwrap(), roster);

    // A restart with another charter is none.
    let error = found(&mut data_dir, &charter("other"), &nobody, &listener).await.unwrap_err();
    let error = error.to_string();
    assert!(error.contains("b: founded as \"same\", now \"other\""), "{error}");
    drop(data_dir);

    // A wiped disk is noticed.
    std::fs::remove_dir_all(root.path().join("n2")).unwrap();
    let error = found(&mut open("n2"), &charter("same"), &directory, &listener).await.unwrap_err();
    let error = error.to_string();
    assert!(error.contains("n2") && error.contains("start this process to join"), "{error}");
}

#[tokio::test]
async fn processes_with_different_charters_found_no_cluster() {
    let root = tempfile::tempdir().unwrap();
    let (listen_a, listen_b) = (bind().await, bind().await);
    let directory =
        Directory::new([process("a", &listen_a, A.seat), process("b", &listen_b, B.seat)]).unwrap();
    let open = |name: &str| DataDir::open(root.path().join(name), "demo", name).unwrap();
    let (mut data_a, mut data_b) = (open("a"), open("b"));
    let (one, other) = (charter("one"), charter("other"));
    {
        let first = found(&mut data_a, &one, &directory, &listen_a);
        let second = found(&mut data_b, &other, &directory, &listen_b);
        tokio::select! {
            outcome = first => panic!("a founded alone: {outcome:?}"),
            outcome = second => panic!("b founded alone: {outcome:?}"),
            () = tokio::time::sleep(Duration::from_millis(300)) => {}
        }
    }
    // Nobody has voted, so the mistake can be undone.
    let (first, second) = tokio::join!(
        found(&mut data_a, &one, &directory, &listen_a),
        found(&mut data_b, &one, &directory, &listen_b),
    );
    assert_eq!(first.unwrap(), second.unwrap());
}
