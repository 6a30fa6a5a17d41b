//! The store through its entries: each family of commands, expiry by log time, and transactions.

use bytes::Bytes;
use paxos::slot::Slot;
use paxos::state_machine::{Position, StateMachine};

use super::*;
use crate::log_entry::{
    TransactionBuilder, decode_versions, encode_command, encode_deadline, encode_statistics,
    encode_tick, encode_versions,
};

/// A store with a clock and a log of one entry a slot.
#[derive(Clone, Default)]
struct World {
    store: Store,
    slot: u64,
    clock_ms: u64,
}

fn entry(stamp_ms: u64, line: &str) -> Bytes {
    let mut words = line.split(' ').map(str::as_bytes);
    let command = commands::find(words.next().unwrap()).unwrap();
    encode_command(stamp_ms, command.verb, words)
}

fn text(answer: &Bytes) -> String {
    String::from_utf8_lossy(answer).replace("\r\n", "|")
}

impl World {
    fn apply(&mut self, entry: &Bytes) -> Bytes {
        self.slot += 1;
        self.store.apply(Position { slot: Slot(self.slot), index: 0 }, entry)
    }

    fn run(&mut self, line: &str) -> String {
        text(&self.apply(&entry(self.clock_ms, line)))
    }

    fn query(&self, line: &str) -> Option<String> {
        self.store.query(&entry(self.clock_ms, line)).as_ref().map(text)
    }

    /// Runs `cases`, each a line and the reply to it.
    fn expect(&mut self, cases: &[(&str, &str)]) {
        for (line, expected) in cases {
            assert_eq!(self.run(line), *expected, "{line}");
        }
    }

    fn versions(&self, keys: &[&str]) -> Vec<Version> {
        let query = encode_versions(self.clock_ms, keys.iter().map(|key| key.as_bytes()));
        decode_versions(&self.store.query(&query).unwrap()).unwrap()
    }

    fn transaction(&mut self, watched: &[(&str, Version)], lines: &[&str]) -> String {
        let mut builder = TransactionBuilder::default();
        for line in lines {
            let mut words = line.split(' ').map(str::as_bytes);
            let command = commands::find(words.next().unwrap()).unwrap();
            builder.push(command.verb, words);
        }
        let watched = watched.iter().map(|(key, version)| (key.as_bytes(), *version));
        let entry = builder.encode(self.clock_ms, watched.collect::<Vec<_>>().into_iter());
        text(&self.apply(&entry))
    }
}

#[test]
fn strings() {
    World::default().expect(&[
        ("GET a", "$-1|"),
        ("SET a 1", "+OK|"),
        ("GET a", "$1|1|"),
        ("SET a 2 NX", "$-1|"),
        ("SET a 2 XX GET", "$1|1|"),
        ("SET b 2 XX", "$-1|"),
        ("SET a 2 NX XX", "-ERR syntax error|"),
        ("SETNX a 3", ":0|"),
        ("GETSET a 4", "$1|2|"),
        ("APPEND a 567", ":4|"),
        ("APPEND new x", ":1|"),
        ("STRLEN a", ":4|"),
        ("GETRANGE a 1 -2", "$2|56|"),
        ("GETRANGE a -100 100", "$4|4567|"),
        ("SETRANGE a 6 x", ":7|"),
        ("SETRANGE a -1 x", "-ERR offset is out of range|"),
        ("MSET x 1 y 2", "+OK|"),
        ("MSET x 1 y", "-ERR wrong number of arguments for 'mset' command|"),
        ("MSETNX z 1 y 2", ":0|"),
        ("MGET x none y z", "*4|$1|1|$-1|$1|2|$-1|"),
        ("GETDEL x", "$1|1|"),
        ("EXISTS x y y", ":2|"),
    ]);
}

#[test]
fn numbers() {
    World::default().expect(&[
        ("INCR n", ":1|"),
        ("INCRBY n 9", ":10|"),
        ("DECRBY n 20", ":-10|"),
        ("DECR n", ":-11|"),
        ("SET n 9223372036854775807", "+OK|"),
        ("INCR n", "-ERR increment or decrement would overflow|"),
        ("DECRBY n -9223372036854775808", "-ERR decrement would overflow|"),
        ("INCRBY n 1x", "-ERR value is not an integer or out of range|"),
        ("SET n 3.0", "+OK|"),
        ("INCRBYFLOAT n 1.1", "$3|4.1|"),
        ("INCRBYFLOAT n x", "-ERR value is not a valid float|"),
        ("INCRBYFLOAT n inf", "-ERR increment would produce NaN or Infinity|"),
    ]);
}

#[test]
fn keys_move_and_go() {
    World::default().expect(&[
        ("RENAME a b", "-ERR no such key|"),
        ("RANDOMKEY", "$-1|"),
        ("SET a 1 PX 100", "+OK|"),
        ("RENAME a b", "+OK|"),
        ("RENAME b b", "+OK|"),
        ("TYPE b", "+string|"),
        ("PTTL b", ":100|"),
        ("RANDOMKEY", "$1|b|"),
        ("KEYS *", "*1|$1|b|"),
        ("DBSIZE", ":1|"),
        ("DEL a b", ":1|"),
        ("SET a 1", "+OK|"),
        ("FLUSHALL NOW", "-ERR syntax error|"),
        ("FLUSHALL ASYNC", "+OK|"),
        ("DBSIZE", ":0|"),
        ("TYPE b", "+none|"),
    ]);
}

#[test]
fn expiry_options() {
    let mut world = World { clock_ms: 1_000_000, ..World::default() };
    world.expect(&[
        ("SET a 1 EX 10", "+OK|"),
        ("TTL a", ":10|"),
        ("PEXPIRETIME a", ":1010000|"),
        ("EXPIRETIME a", ":1010|"),
        ("SET a 1 KEEPTTL", "+OK|"),
        ("PTTL a", ":10000|"),
        ("SET a 1 EX 10 KEEPTTL", "-ERR syntax error|"),
        ("SET a 1 EX 0", "-ERR invalid expire time in 'set' command|"),
        ("EXPIRE a 5 GT", ":0|"),
        ("EXPIRE a 5 LT", ":1|"),
        ("EXPIRE a 50 NX", ":0|"),
        ("EXPIRE a 50 XX", ":1|"),
        (
            "EXPIRE a 1 NX GT",
            "-ERR NX and XX, GT or LT options at the same time are not compatible|",
        ),
        ("EXPIRE a 9223372036854775807", "-ERR invalid expire time in 'expire' command|"),
        ("PERSIST a", ":1|"),
        ("PERSIST a", ":0|"),
        ("TTL a", ":-1|"),
        ("TTL b", ":-2|"),
        ("GETEX a PX 70", "$1|1|"),
        ("PTTL a", ":70|"),
        ("GETEX a PERSIST", "$1|1|"),
        ("PTTL a", ":-1|"),
        ("SET c 1 EXAT 1", "+OK|"),
        ("EXISTS c", ":0|"),
        ("PEXPIREAT a 1000000", ":1|"),
        ("EXISTS a", ":0|"),
    ]);
}

#[test]
fn only_the_log_lets_keys_expire() {
    let mut world = World { clock_ms: 1000, ..World::default() };
    world.expect(&[("SET a 1 PX 500", "+OK|"), ("SET b 2", "+OK|")]);
    assert_eq!(world.query("GET a").unwrap(), "$1|1|");
    // Whatever tells the time left must be asked at the time of the log.
    assert_eq!(world.query("TTL a"), None);
    assert_eq!(world.query("TTL b").unwrap(), ":-1|");
    world.clock_ms = 1500;
    for in_doubt in ["GET a", "MGET b a", "EXISTS a", "DBSIZE", "KEYS *", "SCAN 0", "RANDOMKEY"] {
        assert_eq!(world.query(in_doubt), None, "{in_doubt}");
    }
    assert_eq!(world.query("GET b").unwrap(), "$1|2|");
    assert_eq!(world.store.query(&encode_versions(1500, [b"a".as_slice()].into_iter())), None);
    assert_eq!(text(&world.store.query(&encode_deadline(0)).unwrap()), ":1500|");
    world.apply(&encode_tick(1500));
    assert_eq!(world.query("GET a").unwrap(), "$-1|");
    assert_eq!(world.query("DBSIZE").unwrap(), ":1|");
    assert_eq!(text(&world.store.query(&encode_deadline(0)).unwrap()), "$-1|");
    assert_eq!(text(&world.store.query(&encode_statistics(0)).unwrap()), "*2|:1|:0|");
    // A stamp from a slower clock does not turn time back.
    world.clock_ms = 900;
    world.expect(&[("SET a 1 PX 100", "+OK|"), ("PEXPIRETIME a", ":1600|")]);
}

#[test]
fn due_keys_are_absent_before_they_are_removed() {
    let mut world = World::default();
    for key in 0..100 {
        world.run(&format!("SET k{key} v PX 10"));
    }
    world.run("SET stays v");
    world.clock_ms = 10;
    world.expect(&[("DBSIZE", ":1|"), ("GET k99", "$-1|"), ("KEYS *", "*1|$5|stays|")]);
    assert!(world.store.keyspace.count(0) > 1);
    world.expect(&[("SETNX k99 new", ":1|"), ("TTL k99", ":-1|"), ("DEL k98", ":0|")]);
    world.apply(&encode_tick(10));
    assert_eq!(world.store.keyspace.count(0), 2);
}

#[test]
fn scan_finds_every_key_once_while_others_come_and_go() {
    let mut world = World::default();
    for key in 0..500 {
        world.run(&format!("SET k{key} v"));
    }
    let (mut cursor, mut found, mut rounds) = ("0".to_owned(), Vec::new(), 0);
    loop {
        let answer = world.query(&format!("SCAN {cursor} COUNT 7 MATCH k*")).unwrap();
        let mut parts = answer.split('|');
        cursor = parts.nth(2).unwrap().to_owned();
        found.extend(parts.skip(1).filter(|part| part.starts_with('k')).map(str::to_owned));
        world.run(&format!("SET other{rounds} v"));
        rounds += 1;
        if cursor == "0" {
            break;
        }
    }
    found.sort();
    let count = found.len();
    found.dedup();
    assert_eq!((found.len(), count), (500, 500));
    assert_eq!(world.query("SCAN 0 TYPE list COUNT 9999").unwrap(), "*2|$1|0|*0|");
    assert_eq!(world.query("SCAN x").unwrap(), "-ERR invalid cursor|");
    assert_eq!(world.query("SCAN 0 COUNT 0").unwrap(), "-ERR syntax error|");
}

#[test]
fn a_transaction_runs_whole_or_not_at_all() {
    let mut world = World::default();
    world.run("SET a 1");
    let seen = world.versions(&["a", "b"]);
    assert_eq!(seen, [Some(Position { slot: Slot(1), index: 0 }), None]);
    let watched = [("a", seen[0]), ("b", seen[1])];
    let lines = ["INCR a", "GET a", "GET none", "INCRBY a x", "SET b 1"];
    let expected = "*5|:2|$1|2|$-1|-ERR value is not an integer or out of range|+OK|";
    assert_eq!(world.transaction(&watched, &lines), expected);
    let before = world.store.clone();
    assert_eq!(world.transaction(&watched, &["SET a 9"]), "*-1|");
    assert_eq!(world.store, before);
    assert_eq!(world.transaction(&[], &[]), "*0|");
}

#[test]
fn values_do_not_outgrow_their_limit() {
    let limits = StoreLimits { value_bytes_max: 4, reply_bytes_max: 40 };
    let mut world = World { store: Store::new(limits), ..World::default() };
    let too_long = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)|";
    world.expect(&[
        ("APPEND a 1234", ":4|"),
        ("APPEND a 5", too_long),
        ("SETRANGE a 4 5", too_long),
        ("SETRANGE a 9223372036854775807 5", too_long),
        ("GET a", "$4|1234|"),
        (
            "MGET a a a a a a a",
            "-ERR the reply exceeds the limit of this server, ask for fewer keys|",
        ),
    ]);
}

#[test]
fn any_bytes_are_answered() {
    let mut world = World::default();
    let unknown = format!("-{UNKNOWN_ENTRY}|");
    assert_eq!(text(&world.apply(&Bytes::new())), unknown);
    assert_eq!(text(&world.apply(&encode_command(0, Verb::Ping, [].into_iter()))), unknown);
    assert_eq!(text(&world.apply(&encode_command(0, Verb::Get, [].into_iter()))), unknown);
    assert_eq!(text(&world.store.query(&Bytes::from_static(b"garbage")).unwrap()), unknown);
    assert_eq!(world.query("SET a 1"), None);
    let mut seed = 1u64;
    let template = entry(5, "SET key value PX 100 GET");
    for _ in 0..20_000 {
        let mut bytes = template.to_vec();
        for _ in 0..4 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let place = (seed >> 33) as usize % bytes.len();
            bytes[place] = (seed >> 20) as u8 % 64;
        }
        let bytes = Bytes::from(bytes);
        let _ = world.store.query(&bytes);
        let _ = world.apply(&bytes);
    }
}

#[test]
fn two_replicas_with_one_log_are_equal() {
    let (mut first, mut second) = (World::default(), World::default());
    for number in 0..200u64 {
        let stamp_ms = number * 7 % 50;
        let line = format!("SET k{} {number} PX {}", number % 20, number % 5 + 1);
        let entry = entry(stamp_ms, &line);
        assert_eq!(first.apply(&entry), second.apply(&entry));
    }
    assert_eq!(first.store, second.store);
}

#[test]
#[ignore = "a measurement, not a test: cargo test --release -p kvs cost -- --ignored --nocapture"]
fn cost_of_set_and_get() {
    const KEYS: u64 = 1_000_000;
    let mut world = World::default();
    let entries: Vec<Bytes> =
        (0..KEYS).map(|key| entry(1, &format!("SET key:{key:012} {}", "v".repeat(64)))).collect();
    let reads: Vec<Bytes> =
        (0..KEYS).map(|key| entry(1, &format!("GET key:{:012}", key * 7919 % KEYS))).collect();
    for round in ["insert", "overwrite"] {
        let start = std::time::Instant::now();
        for entry in &entries {
            world.apply(entry);
        }
        println!("{round}: {} ns", start.elapsed().as_nanos() / u128::from(KEYS));
    }
    let start = std::time::Instant::now();
    for read in &reads {
        assert!(world.store.query(read).is_some());
    }
    println!("get: {} ns", start.elapsed().as_nanos() / u128::from(KEYS));
}
