//! Entries that do not conflict, executed in different orders: the replies and the state are the same.

use bytes::Bytes;
use paxos::slot::Slot;
use paxos::state_machine::{Conflicts, Footprint, Position, StateMachine};

use super::{Store, StoreLimits};
use crate::commands;
use crate::log_entry::{
    TransactionBuilder, Version, encode_command, encode_deadline, encode_question,
    encode_statistics, encode_tick, encode_versions,
};

/// Small random numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        (self.0 >> 33) % end
    }

    fn key(&mut self) -> String {
        // Numbers, as other arguments are.
        self.below(6).to_string()
    }

    /// Clocks of servers differ by more than a deadline is away.
    fn stamp_ms(&mut self, step: u64) -> u64 {
        1000 + step * 3 + self.below(120)
    }

    fn line(&mut self) -> String {
        let (key, other, number) = (self.key(), self.key(), self.below(90));
        match self.below(34) {
            0 => "DBSIZE".into(),
            1 => "KEYS *".into(),
            2 => format!("SCAN {number} COUNT 2"),
            3 => "RANDOMKEY".into(),
            4 => "FLUSHALL".into(),
            5 => format!("RENAME {key} {other}"),
            6 => format!("DEL {key} {other}"),
            7 => format!("MSET {key} {number} {other} more"),
            8 => format!("MSETNX {key} {number} {other} more"),
            9 => format!("GETSET {key} {number}"),
            10 => format!("GETDEL {key}"),
            11 => format!("APPEND {key} {number}"),
            12 => format!("SETRANGE {key} 3 {number}"),
            13 | 14 => format!("INCRBY {key} {number}"),
            15..=18 => format!("SET {key} {number} PX {}", number + 1),
            19 => format!("SET {key} {number} KEEPTTL"),
            20 => format!("SET {key} {number} XX GET"),
            21 => format!("GETEX {key} PX {}", number + 1),
            22 => format!("PEXPIRE {key} {number} GT"),
            23 => format!("PEXPIREAT {key} {}", 1000 + number * 9),
            24 => format!("PERSIST {key}"),
            25 => format!("GETRANGE {key} 0 {}", number % 6),
            26 => format!("MGET {key} {other}"),
            27 => format!("EXISTS {key} {other}"),
            28 => format!("PTTL {key}"),
            29 => format!("PEXPIRETIME {key}"),
            30 => format!("INCRBYFLOAT {key} {number}.5"),
            31 => format!("STRLEN {key}"),
            32 => format!("GET {key}"),
            _ => format!("SET {key} {number}"),
        }
    }

    fn entry(&mut self, step: u64, seen: Version) -> Bytes {
        let stamp_ms = self.stamp_ms(step);
        match self.below(20) {
            0 => encode_tick(stamp_ms),
            1 => encode_question(&encode_deadline(stamp_ms)),
            2 => encode_question(&encode_statistics(stamp_ms)),
            3 => encode_question(&encode_versions(stamp_ms, [self.key().as_bytes()].into_iter())),
            4 => encode_versions(stamp_ms, [self.key().as_bytes()].into_iter()),
            5 | 6 => {
                let mut transaction = TransactionBuilder::default();
                for _ in 0..self.below(4) {
                    let line = self.line();
                    let mut words = line.split(' ').map(str::as_bytes);
                    let command = words.next().and_then(commands::find).expect("a command");
                    transaction.push(command.verb, words);
                }
                let (key, version) = (self.key(), [None, seen][self.below(2) as usize]);
                transaction.encode(stamp_ms, [(key.as_bytes(), version)].into_iter())
            }
            7 => Bytes::from(self.key()),
            8..=11 => encode_question(&self.command(stamp_ms)),
            _ => self.command(stamp_ms),
        }
    }

    fn command(&mut self, stamp_ms: u64) -> Bytes {
        let line = self.line();
        let mut words = line.split(' ').map(str::as_bytes);
        let command = words.next().and_then(commands::find).expect("a command");
        encode_command(stamp_ms, command.verb, words)
    }
}

/// An entry and its place.
struct Vertex {
    position: Position,
    entry: Bytes,
    footprint: Footprint,
}

fn vertices(random: &mut Random, count: u64) -> Vec<Vertex> {
    let mut seen = None;
    let vertices = (0..count).map(|step| {
        // Consensus fixes the positions; those that do not conflict may share one.
        let position = Position { slot: Slot(step), index: 0 };
        let entry = random.entry(step, seen);
        seen = [seen, Some(position)][random.below(2) as usize];
        let footprint = Store::footprint(&entry);
        Vertex { position, entry, footprint }
    });
    vertices.collect()
}

/// Another order of `vertices`, as places, in which those that conflict keep theirs.
fn shuffled(random: &mut Random, vertices: &[Vertex]) -> Vec<usize> {
    let mut left: Vec<usize> = (0..vertices.len()).collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        let free: Vec<usize> = (0..left.len().min(40))
            .filter(|at| {
                let footprint = &vertices[left[*at]].footprint;
                let before = &left[..*at];
                !before.iter().any(|other| footprint.conflicts_with(&vertices[*other].footprint))
            })
            .collect();
        let chosen = free[random.below(free.len() as u64) as usize];
        order.push(left.remove(chosen));
    }
    order
}

/// The replies, by vertex, and the state after all.
fn executed(vertices: &[Vertex], order: &[usize]) -> (Vec<Bytes>, Store) {
    let mut store = Store::partially_ordered(StoreLimits::default());
    let mut replies = vec![Bytes::new(); vertices.len()];
    for place in order {
        let Vertex { position, entry, .. } = &vertices[*place];
        replies[*place] = store.apply(*position, entry);
    }
    (replies, store)
}

#[test]
fn entries_that_do_not_conflict_may_be_executed_in_any_order() {
    let mut moved_count = 0;
    for seed in 0..400 {
        let mut random = Random(seed);
        let vertices = vertices(&mut random, 150);
        let straight: Vec<usize> = (0..vertices.len()).collect();
        let (replies, store) = executed(&vertices, &straight);
        for _ in 0..3 {
            let order = shuffled(&mut random, &vertices);
            moved_count += straight.iter().zip(&order).filter(|(one, two)| one != two).count();
            let (other_replies, other_store) = executed(&vertices, &order);
            for (place, (one, two)) in replies.iter().zip(&other_replies).enumerate() {
                assert_eq!(one, two, "seed {seed}: {:?}", vertices[place].entry);
            }
            assert_eq!(store, other_store, "seed {seed}");
        }
    }
    assert!(moved_count > 10_000, "hardly any order was another one: {moved_count}");
}

/// The same entries in a store with log time differ: the test above can fail.
#[test]
fn log_time_does_not_suffer_other_orders() {
    let differs = (0..50).any(|seed| {
        let mut random = Random(seed);
        let vertices = vertices(&mut random, 150);
        let straight: Vec<usize> = (0..vertices.len()).collect();
        let order = shuffled(&mut random, &vertices);
        let run = |order: &[usize]| {
            let mut store = Store::new(StoreLimits::default());
            for place in order {
                let Vertex { position, entry, .. } = &vertices[*place];
                store.apply(*position, entry);
            }
            store
        };
        run(&straight) != run(&order)
    });
    assert!(differs);
}

/// What a client with a fast clock found absent is absent for one with a slow clock.
#[test]
fn a_key_that_was_found_due_does_not_come_back() {
    let mut store = Store::partially_ordered(StoreLimits::default());
    let entry = |stamp_ms, line: &str| {
        let mut words = line.split(' ').map(str::as_bytes);
        let command = words.next().and_then(commands::find).expect("a command");
        encode_command(stamp_ms, command.verb, words)
    };
    let mut run = |entry: &Bytes| store.apply(Position::default(), entry);
    run(&entry(1000, "SET k v PX 500"));
    assert_eq!(run(&encode_question(&entry(1499, "GET k"))), "$1\r\nv\r\n");
    assert_eq!(run(&encode_question(&entry(1500, "GET k"))), "", "it must be proposed");
    assert_eq!(run(&encode_question(&entry(1400, "GET k"))), "$1\r\nv\r\n", "nothing has changed");
    assert_eq!(run(&entry(1500, "GET k")), "$-1\r\n");
    assert_eq!(run(&encode_question(&entry(1400, "GET k"))), "$-1\r\n");
    assert_eq!(run(&encode_question(&entry(1400, "PTTL k"))), ":-2\r\n");
    run(&entry(1000, "SET k v PX 500"));
    assert_eq!(run(&encode_question(&entry(1200, "PTTL k"))), ":300\r\n");
    assert_eq!(run(&encode_question(&entry(1600, "DBSIZE"))), "");
    assert_eq!(run(&entry(1600, "DBSIZE")), ":0\r\n");
    assert_eq!(run(&entry(1400, "EXISTS k")), ":0\r\n");
}
