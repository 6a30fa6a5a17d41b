//! The real key-value store in the simulated world: through crashes, partitions and reconfigurations its
//! replies are those of one store, and its replicas end up equal, keys with a deadline included.

use bytes::Bytes;
use kvs::commands::Verb;
use kvs::log_entry::encode_command;
use kvs::store::{Store, StoreLimits};
use simulator::checker::specifications::{StringKey, StringKeyInput, StringKeyReply};
use simulator::checker::{ClientId, History, Operation, Outcome, Timestamp, Verdict, check};
use simulator::plan::{Plan, Role};
use simulator::random::Random;
use simulator::workload::{CallOutcome, CallRecord, Request, Workload};
use simulator::world::World;

/// Clients go on to other keys after this time, in microseconds.
const KEY_LIFE_US: u64 = 400_000;

/// A command, and the key and question that it is to the judge; keys with a deadline are not judged.
struct Asked {
    entry: Bytes,
    is_read: bool,
}

/// Clients of a key-value server.
#[derive(Clone, Default)]
struct Shop {
    /// Numbers what is written.
    written: u64,
}

/// The text of an argument of the command in `entry`.
fn arguments(entry: &Bytes) -> (u8, Vec<String>) {
    let entry = kvs::log_entry::decode(entry).expect("a client encoded it");
    let kvs::log_entry::Request::Command(invocation) = entry.request else {
        panic!("clients send commands only");
    };
    let text = |bytes: &&[u8]| String::from_utf8_lossy(bytes).into_owned();
    (invocation.verb, invocation.arguments.iter().map(text).collect())
}

fn asked(now: u64, verb: Verb, is_read: bool, arguments: &[&str]) -> Asked {
    let entry = encode_command(now / 1000, verb, arguments.iter().map(|text| text.as_bytes()));
    Asked { entry, is_read }
}

impl Workload for Shop {
    type Machine = Store;

    fn machine(&self) -> Store {
        Store::new(StoreLimits::default())
    }

    fn next(&mut self, now: u64, random: &mut Random) -> Request {
        self.written += 1;
        let (key, value) =
            (format!("k{}", now / KEY_LIFE_US * 4 + random.within(0..4)), self.written);
        let value = value.to_string();
        let asked = match random.within(0..10) {
            0..4 => asked(now, Verb::Get, true, &[&key]),
            4..6 => asked(now, Verb::Set, false, &[&key, &value]),
            6 => asked(now, Verb::Incr, false, &[&key]),
            7 => asked(now, Verb::Append, false, &[&key, &value]),
            8 => asked(now, Verb::Del, false, &[&key]),
            _ => asked(now, Verb::Set, false, &[&format!("t{key}"), &value, "PX", "300"]),
        };
        if asked.is_read { Request::Read(asked.entry) } else { Request::Propose(asked.entry) }
    }

    fn judge(&self, calls: &[CallRecord]) -> Result<(), String> {
        let mut history = History::new();
        for call in calls {
            let (verb, arguments) = arguments(call.request.bytes());
            let Some(input) = input(verb, &arguments) else { continue };
            let outcome = match &call.outcome {
                CallOutcome::Returned(reply, at) => {
                    Outcome::Returned { reply: reply_of(&input, reply)?, end: Timestamp(*at) }
                }
                CallOutcome::Failed => Outcome::Failed,
                CallOutcome::Unknown => Outcome::Unknown,
            };
            let operation = Operation {
                client: ClientId(call.client),
                key: arguments[0].clone(),
                input,
                start: Timestamp(call.invoked_at),
                outcome,
            };
            history.push(operation).map_err(|error| error.to_string())?;
        }
        match check(&StringKey, &history) {
            Verdict::Linearizable => Ok(()),
            verdict => Err(verdict.to_string()),
        }
    }

    fn show(&self, request: &Request) -> String {
        let (verb, arguments) = arguments(request.bytes());
        format!("verb {verb} {arguments:?}")
    }
}

/// What a command is to the specification; none for keys with a deadline.
fn input(verb: u8, arguments: &[String]) -> Option<StringKeyInput> {
    let is = |other: Verb| verb == other as u8;
    match arguments {
        [_] if is(Verb::Get) => Some(StringKeyInput::Get),
        [_] if is(Verb::Incr) => Some(StringKeyInput::Incr),
        [_] if is(Verb::Del) => Some(StringKeyInput::Del),
        [_, value] if is(Verb::Set) => Some(StringKeyInput::Set(value.clone())),
        [_, value] if is(Verb::Append) => Some(StringKeyInput::Append(value.clone())),
        _ => None,
    }
}

/// A reply in RESP, as the specification has it.
fn reply_of(input: &StringKeyInput, reply: &[u8]) -> Result<StringKeyReply, String> {
    let text = String::from_utf8_lossy(reply).into_owned();
    let wrong = || format!("{input:?} is answered by {text:?}");
    let number = || text.strip_prefix(':').and_then(|text| text.trim_end().parse::<i64>().ok());
    Ok(match input {
        _ if text.starts_with('-') => StringKeyReply::Error,
        StringKeyInput::Get if text.starts_with("$-1") || text.starts_with('_') => {
            StringKeyReply::Value(None)
        }
        StringKeyInput::Get => {
            let value = text.split("\r\n").nth(1).ok_or_else(wrong)?;
            StringKeyReply::Value(Some(value.to_owned()))
        }
        StringKeyInput::Set(_) => StringKeyReply::Ok,
        StringKeyInput::Incr => StringKeyReply::Integer(number().ok_or_else(wrong)?),
        StringKeyInput::Del => StringKeyReply::Deleted(number().ok_or_else(wrong)? == 1),
        StringKeyInput::Append(_) => {
            let length = number().and_then(|length| usize::try_from(length).ok());
            StringKeyReply::Length(length.ok_or_else(wrong)?)
        }
        StringKeyInput::Cas { .. } => return Err(wrong()),
    })
}

#[test]
fn the_store_stays_one_store_and_its_replicas_end_up_equal() {
    let (mut done, mut key_count) = (0, 0);
    for seed in 0..30 {
        let mut world = World::new(Plan::draw(seed), Shop::default(), None);
        let report = world.run();
        assert_eq!(report.failure, None, "seed {seed}");
        done += report.summary.done;
        let replicas = (0..world.places().process_count())
            .filter(|process| world.places().in_process(*process, Role::Replica).is_some());
        let stores: Vec<&Store> = replicas.filter_map(|process| world.machine(process)).collect();
        assert!(stores.len() > 1, "seed {seed}: one process at most may be lost");
        assert!(stores.windows(2).all(|pair| pair[0] == pair[1]), "seed {seed}");
        key_count += stores[0].key_count();
    }
    assert!(done > 10_000 && key_count > 100, "{done} calls, {key_count} keys");
}

#[test]
fn a_wrong_reply_is_noticed() {
    let entry = |verb, arguments: &[&str]| asked(0, verb, false, arguments).entry;
    let call = |entry, invoked_at, reply: &'static str| CallRecord {
        client: 1,
        request: Request::Propose(entry),
        invoked_at,
        outcome: CallOutcome::Returned(Bytes::from(reply), invoked_at + 1),
    };
    let set = call(entry(Verb::Set, &["k", "1"]), 0, "+OK\r\n");
    let right = call(entry(Verb::Get, &["k"]), 2, "$1\r\n1\r\n");
    let stale = call(entry(Verb::Get, &["k"]), 2, "$-1\r\n");
    assert_eq!(Shop::default().judge(&[set.clone(), right]), Ok(()));
    assert!(Shop::default().judge(&[set, stale]).is_err());
}
