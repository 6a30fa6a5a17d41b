//! Connections over a log that the test holds in its hands: nothing is answered before it says so.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use paxos::slot::Slot;
use paxos::state_machine::{Position, StateMachine};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::oneshot;

use super::*;
use crate::log::RequestError;
use crate::store::Store;

type Answer = Result<Option<Bytes>, RequestError>;

/// A call of the log that waits for its answer.
struct Call {
    is_read: bool,
    entry: Bytes,
    answer: oneshot::Sender<Answer>,
}

/// A log whose calls wait until the test serves them.
#[derive(Clone, Default)]
struct HeldLog {
    calls: Arc<Mutex<VecDeque<Call>>>,
    store: Arc<Mutex<(Store, u64)>>,
}

impl HeldLog {
    fn ask(&self, entry: Bytes, is_read: bool) -> impl Future<Output = Answer> + Send + use<> {
        let (answer, receiver) = oneshot::channel();
        self.calls.lock().unwrap().push_back(Call { is_read, entry, answer });
        async move { receiver.await.unwrap_or(Err(RequestError::Stopped)) }
    }

    /// What waits: `R` a read, `P` a proposal, oldest first.
    fn waiting(&self) -> String {
        let calls = self.calls.lock().unwrap();
        calls.iter().map(|call| if call.is_read { 'R' } else { 'P' }).collect()
    }

    /// Lets the store answer the oldest call.
    fn serve(&self) {
        let call = self.calls.lock().unwrap().pop_front().unwrap();
        let (store, slot) = &mut *self.store.lock().unwrap();
        let answer = if call.is_read {
            store.query(&call.entry)
        } else {
            *slot += 1;
            Some(store.apply(Position { slot: Slot(*slot), index: 0 }, &call.entry))
        };
        let _ = call.answer.send(Ok(answer));
    }

    fn fail(&self, error: RequestError) {
        let call = self.calls.lock().unwrap().pop_front().unwrap();
        let _ = call.answer.send(Err(error));
    }
}

impl ReplicatedLog for HeldLog {
    fn propose(
        &self,
        command: Bytes,
    ) -> impl Future<Output = Result<Bytes, RequestError>> + Send + 'static {
        let answer = self.ask(command, false);
        async move { answer.await?.ok_or(RequestError::Stopped) }
    }

    fn read(
        &self,
        query: Bytes,
    ) -> impl Future<Output = Result<Option<Bytes>, RequestError>> + Send + 'static {
        self.ask(query, true)
    }
}

#[derive(Clone)]
struct EchoAdmin;

impl Admin for EchoAdmin {
    fn call(&self, arguments: Vec<Bytes>) -> impl Future<Output = Reply> + Send + 'static {
        std::future::ready(Reply::Map(vec![(
            Reply::bulk("argc"),
            Reply::Integer(arguments.len().try_into().unwrap()),
        )]))
    }

    fn replication_info(&self) -> String {
        "role:master\nconnected_slaves:2\n".to_owned()
    }
}

/// A client, and the log behind the server.
struct World {
    client: DuplexStream,
    log: HeldLog,
    server: Arc<Server<HeldLog, EchoAdmin>>,
}

impl World {
    fn new(options: Options) -> Self {
        let log = HeldLog::default();
        let server = Arc::new(Server::new(options, log.clone(), EchoAdmin));
        Self { client: connect(&server), log, server }
    }

    fn with_limits(limits: Limits) -> Self {
        Self::new(Options { limits, ..Options::default() })
    }

    /// Sends lines and lets the server do all it can.
    async fn send(&mut self, lines: &str) {
        self.client.write_all(lines.replace('\n', "\r\n").as_bytes()).await.unwrap();
        settle().await;
    }

    /// What the server has sent so far.
    async fn received(&mut self) -> String {
        settle().await;
        let mut bytes = Vec::new();
        // A short read means that there is no more for now.
        let mut chunk = [0; 65536];
        while let Some(Ok(count)) = poll_once(self.client.read(&mut chunk)).await
            && count > 0
        {
            bytes.extend_from_slice(&chunk[..count]);
            settle().await;
        }
        String::from_utf8_lossy(&bytes).replace("\r\n", "|")
    }

    async fn serve_all(&mut self) {
        settle().await;
        while !self.log.waiting().is_empty() {
            self.log.serve();
            settle().await;
        }
    }
}

fn connect(server: &Arc<Server<HeldLog, EchoAdmin>>) -> DuplexStream {
    let (near, far) = tokio::io::duplex(1 << 20);
    tokio::spawn(serve_connection(far, Arc::clone(server)));
    near
}

/// Lets every other task run until it waits: there is one thread.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test]
async fn writes_are_in_flight_together_and_answered_in_order() {
    let mut world = World::new(Options::default());
    world.send("SET a 1\nINCR a\nINCR a\nPING\n").await;
    assert_eq!(world.log.waiting(), "PPP");
    assert_eq!(world.received().await, "");
    world.log.serve();
    assert_eq!(world.received().await, "+OK|");
    world.serve_all().await;
    assert_eq!(world.received().await, ":2|:3|+PONG|");
}

#[tokio::test]
async fn a_read_behind_a_write_goes_through_the_log() {
    let mut world = World::new(Options::default());
    world.send("GET a\nGET b\nSET a 1\nGET a\n").await;
    // The write waits for the reads, and the last read for the write to be sent.
    assert_eq!(world.log.waiting(), "RR");
    world.log.serve();
    settle().await;
    assert_eq!(world.log.waiting(), "R");
    world.log.serve();
    settle().await;
    assert_eq!(world.log.waiting(), "PP");
    world.serve_all().await;
    assert_eq!(world.received().await, "$-1|$-1|+OK|$1|1|");
    world.send("GET a\n").await;
    assert_eq!(world.log.waiting(), "R");
}

#[tokio::test]
async fn a_read_that_needs_the_log_takes_the_later_ones_along() {
    let mut world = World::new(Options::default());
    world.send("SET a 1 EX 1000\n").await;
    world.serve_all().await;
    assert_eq!(world.received().await, "+OK|");
    world.send("GET a\nTTL a\nGET a\n").await;
    assert_eq!(world.log.waiting(), "RRR");
    world.log.serve();
    world.log.serve();
    settle().await;
    // The last read was made before, and is proposed as well.
    assert_eq!(world.log.waiting(), "RPP");
    world.serve_all().await;
    assert_eq!(world.received().await, "$1|1|:1000|$1|1|");
}

#[tokio::test]
async fn watch_and_exec_are_one_entry_with_versions() {
    let mut world = World::new(Options::default());
    world.send("WATCH a\nMULTI\nSET a 1\nPING\nGET a\nEXEC\n").await;
    assert_eq!(world.log.waiting(), "R");
    world.log.serve();
    settle().await;
    assert_eq!(world.log.waiting(), "P");
    world.serve_all().await;
    let expected = "+OK|+OK|+QUEUED|+QUEUED|+QUEUED|*3|+OK|+PONG|$1|1|";
    assert_eq!(world.received().await, expected);
    // A watch behind a write is a proposal, and what it saw is checked all the same.
    world.send("INCR a\nWATCH a\nINCR a\nMULTI\nINCR a\nEXEC\n").await;
    world.serve_all().await;
    assert_eq!(world.received().await, ":2|+OK|:3|+OK|+QUEUED|*-1|");
}

#[tokio::test]
async fn every_failure_is_told() {
    let mut world = World::new(Options::default());
    for error in [
        RequestError::Ambiguous,
        RequestError::Unavailable,
        RequestError::Overloaded,
        RequestError::Stopped,
    ] {
        for request in ["SET a 1\n", "GET a\n", "WATCH a\n", "MULTI\nGET a\nEXEC\n"] {
            world.send(request).await;
            world.log.fail(error);
            let received = world.received().await;
            assert!(received.ends_with(&format!("-{error}|")), "{received}");
        }
    }
    // INFO leaves out what it cannot know.
    world.send("INFO replication\nINFO keyspace\n").await;
    world.log.fail(RequestError::Unavailable);
    let expected = "$48|# Replication|role:master|connected_slaves:2||$12|# Keyspace||";
    assert_eq!(world.received().await, expected);
}

#[tokio::test]
async fn admin_commands_run_alone() {
    let mut world = World::new(Options::default());
    world.send("SET a 1\nkvs.status x y\nGET a\nKVS.X\n").await;
    assert_eq!(world.log.waiting(), "P");
    world.log.serve();
    settle().await;
    assert_eq!(world.log.waiting(), "R");
    world.serve_all().await;
    assert_eq!(world.received().await, "+OK|*2|$4|argc|:3|$1|1|*2|$4|argc|:1|");
    world.send("MULTI\nKVS.X\nEXEC\n").await;
    let received = world.received().await;
    assert!(received.contains("-ERR Command not allowed inside a transaction|-EXECABORT"));
}

#[tokio::test]
async fn too_many_commands_wait_in_the_socket() {
    let limits = Limits { pipeline_commands_max: 4, ..Limits::default() };
    let mut world = World::with_limits(limits);
    world.send(&"INCR a\n".repeat(10)).await;
    assert_eq!(world.log.waiting(), "PPPP");
    world.log.serve();
    settle().await;
    assert_eq!(world.log.waiting(), "PPPP");
    world.serve_all().await;
    assert_eq!(world.received().await, ":1|:2|:3|:4|:5|:6|:7|:8|:9|:10|");
}

#[tokio::test]
async fn too_many_bytes_wait_in_the_socket() {
    let limits = Limits { pipeline_bytes_max: 1000, ..Limits::default() };
    let mut world = World::with_limits(limits);
    world.send(&format!("APPEND a {}\n", "x".repeat(600)).repeat(5)).await;
    assert_eq!(world.log.waiting(), "PP");
    world.serve_all().await;
    assert_eq!(world.received().await, ":600|:1200|:1800|:2400|:3000|");
}

#[tokio::test]
async fn a_slow_reader_is_not_read() {
    let limits = Limits { output_bytes_max: 50_000, ..Limits::default() };
    let log = HeldLog::default();
    let options = Options { limits, ..Options::default() };
    let server = Arc::new(Server::new(options, log.clone(), EchoAdmin));
    let (near, far) = tokio::io::duplex(1000);
    tokio::spawn(serve_connection(far, Arc::clone(&server)));
    let (mut reader, mut writer) = tokio::io::split(near);
    let request = format!("ECHO {}\r\n", "x".repeat(900)).repeat(1000);
    let sending = tokio::spawn(async move { writer.write_all(request.as_bytes()).await.unwrap() });
    settle().await;
    settle().await;
    assert!(!sending.is_finished());
    let mut received = vec![0; 1000 * (900 + 8)];
    reader.read_exact(&mut received).await.unwrap();
    sending.await.unwrap();
    assert!(received.starts_with(b"$900\r\nxxx"));
}

#[tokio::test]
async fn long_arguments_are_refused_and_the_connection_goes_on() {
    let limits = Limits {
        key_bytes_max: 10,
        value_bytes_max: 20,
        request_bytes_max: 1000,
        ..Limits::default()
    };
    let mut world = World::with_limits(limits);
    let (key, value) = ("k".repeat(11), "v".repeat(21));
    world.send(&format!("GET {key}\nSET a {value}\nMULTI\nSET a {value}\nEXEC\nPING\n")).await;
    let received = world.received().await;
    let replies: Vec<&str> = received.trim_end_matches('|').split('|').collect();
    assert!(replies[0].starts_with("-ERR the key has 11 bytes, this server allows 10"));
    assert!(replies[1].starts_with("-ERR the value has 21 bytes, this server allows 20"));
    assert!(replies[4].starts_with("-EXECABORT"));
    assert_eq!(replies[5], "+PONG");
    world.send("*2\n$3\nGET\n$1001\n").await;
    assert_eq!(world.received().await, "-ERR Protocol error: invalid bulk length|");
    assert_eq!(world.client.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test]
async fn transactions_and_watches_have_limits() {
    let limits = Limits {
        transaction_commands_max: 2,
        transaction_bytes_max: 100,
        watched_keys_max: 2,
        ..Limits::default()
    };
    let mut world = World::with_limits(limits);
    world.send("MULTI\nPING\nPING\nPING\nPING\nEXEC\n").await;
    let received = world.received().await;
    assert!(received.contains("-ERR the transaction exceeds 2 commands"), "{received}");
    assert!(received.ends_with("|-EXECABORT Transaction discarded because of previous errors.|"));
    world.send(&format!("MULTI\nSET a {}\nDISCARD\n", "x".repeat(100))).await;
    assert!(world.received().await.contains("or 100 bytes"));
    world.send("WATCH a b c\n").await;
    assert!(world.received().await.starts_with("-ERR more than 2 keys or 100 bytes"));
}

#[tokio::test]
async fn one_client_too_many_is_told_so() {
    let limits = Limits { connections_max: 1, ..Limits::default() };
    let mut world = World::with_limits(limits);
    settle().await;
    let mut second = connect(&world.server);
    let mut received = String::new();
    second.read_to_string(&mut received).await.unwrap();
    assert_eq!(received, "-ERR max number of clients reached\r\n");
    world.send("QUIT\n").await;
    assert_eq!(world.received().await, "+OK|");
    assert_eq!(world.server.client_count(), 0);
    world.client = connect(&world.server);
    world.send("PING\n").await;
    assert_eq!(world.received().await, "+PONG|");
}

#[tokio::test]
async fn a_client_that_closes_its_side_gets_its_replies() {
    let mut world = World::new(Options::default());
    world.send("SET a 1\nGET a\n").await;
    world.client.shutdown().await.unwrap();
    settle().await;
    world.serve_all().await;
    let mut received = String::new();
    world.client.read_to_string(&mut received).await.unwrap();
    assert_eq!(received, "+OK\r\n$1\r\n1\r\n");
}

#[tokio::test]
async fn hello_changes_the_protocol_of_later_replies_only() {
    let mut world = World::new(Options::default());
    world.send("APPEND a x\nGET none\nHELLO 3\nGET none\nKVS.X\n").await;
    world.serve_all().await;
    let received = world.received().await;
    assert!(received.starts_with(":1|$-1|%7|$6|server|"), "{received}");
    assert!(received.ends_with("|_|%1|$4|argc|:1|"), "{received}");
    world
        .send("CLIENT SETINFO lib-name x\nCLIENT SETINFO x y\nCLIENT SETINFO lib-ver 'a b'\n")
        .await;
    assert_eq!(
        world.received().await,
        "+OK|-ERR Unrecognized option 'x'|\
         -ERR lib-ver cannot contain spaces, newlines or special characters.|"
    );
}

#[tokio::test(start_paused = true)]
async fn the_ticker_lets_keys_expire_when_nobody_writes() {
    let log = HeldLog::default();
    let entry = crate::log_entry::encode_command(
        1,
        crate::commands::Verb::Set,
        [b"a".as_slice(), b"1", b"PX", b"10"].into_iter(),
    );
    log.store.lock().unwrap().0.apply(Position::default(), &entry);
    tokio::spawn(run_ticker(log.clone(), || 1_000));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(log.waiting(), "R");
    log.serve();
    settle().await;
    assert_eq!(log.waiting(), "P");
    log.serve();
    settle().await;
    assert_eq!(log.store.lock().unwrap().0, {
        let mut expired = Store::default();
        expired.apply(Position::default(), &crate::log_entry::encode_tick(1_000));
        expired
    });
    assert_eq!(log.waiting(), "R");
    log.serve();
    settle().await;
    assert_eq!(log.waiting(), "");
}

#[tokio::test]
async fn a_listener_serves_until_it_is_dropped() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Arc::new(Server::new(Options::default(), InstantLog::default(), EchoAdmin));
    let serving = tokio::spawn(serve(listener, Arc::clone(&server)));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"SET a 1\r\nGET a\r\n").await.unwrap();
    let mut received = [0; 12];
    client.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"+OK\r\n$1\r\n1\r\n");
    serving.abort();
    assert_eq!(client.read(&mut received).await.unwrap_or(0), 0);
    assert_eq!(server.client_count(), 0);
}

/// A log that answers at once.
#[derive(Clone, Default)]
struct InstantLog(Arc<Mutex<(Store, u64)>>);

impl ReplicatedLog for InstantLog {
    fn propose(
        &self,
        command: Bytes,
    ) -> impl Future<Output = Result<Bytes, RequestError>> + Send + 'static {
        let (store, slot) = &mut *self.0.lock().unwrap();
        *slot += 1;
        let reply = store.apply(Position { slot: Slot(*slot), index: 0 }, &command);
        std::future::ready(Ok(reply))
    }

    fn read(
        &self,
        query: Bytes,
    ) -> impl Future<Output = Result<Option<Bytes>, RequestError>> + Send + 'static {
        std::future::ready(Ok(self.0.lock().unwrap().0.query(&query)))
    }
}

#[tokio::test]
#[ignore = "a measurement, not a test: cargo test --release -p kvs cost -- --ignored --nocapture"]
async fn cost_of_pipelines() {
    const BATCHES: usize = 2_000;
    const BATCH: usize = 256;
    for (name, request, reply_bytes) in [
        ("SET", "*3\r\n$3\r\nSET\r\n$10\r\nkey:000001\r\n$16\r\n0123456789abcdef\r\n", 5),
        ("GET", "*2\r\n$3\r\nGET\r\n$10\r\nkey:000001\r\n", 5),
        ("PING", "*1\r\n$4\r\nPING\r\n", 7),
    ] {
        let server = Arc::new(Server::new(Options::default(), InstantLog::default(), EchoAdmin));
        let (mut near, far) = tokio::io::duplex(1 << 18);
        tokio::spawn(serve_connection(far, server));
        let batch = request.repeat(BATCH);
        let mut replies = vec![0; reply_bytes * BATCH];
        let start = std::time::Instant::now();
        for _ in 0..BATCHES {
            near.write_all(batch.as_bytes()).await.unwrap();
            near.read_exact(&mut replies).await.unwrap();
        }
        let nanos = start.elapsed().as_nanos() / (BATCHES * BATCH) as u128;
        println!("{name}: {nanos} ns each, client included");
    }
}
