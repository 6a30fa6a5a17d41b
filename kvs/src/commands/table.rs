//! The commands, one a row, ordered by name.
//!
//! Arities, key positions and speeds are those that Redis 7.0 reports with COMMAND.

use super::Arity::{AtLeast, Exactly};
use super::Kind::{Connection, Read, Transaction, Write};
use super::{Arity, Command, Group, Keys, Kind, Verb};

const NONE: Keys = Keys::NONE;
const ONE: Keys = Keys { first: 1, last: 1, step: 1 };
const TWO: Keys = Keys { first: 1, last: 2, step: 1 };
const ALL: Keys = Keys { first: 1, last: -1, step: 1 };
const PAIRS: Keys = Keys { first: 1, last: -1, step: 2 };

const FAST: bool = true;
const SLOW: bool = false;

const fn row(
    name: &'static str,
    verb: Verb,
    arity: Arity,
    kind: Kind,
    keys: Keys,
    group: Group,
    is_fast: bool,
) -> Command {
    let is_time_dependent = matches!(verb, Verb::Ttl | Verb::PTtl);
    Command { name, verb, arity, kind, is_time_dependent, is_fast, keys, group }
}

/// Every command, in the order of the names.
#[rustfmt::skip]
pub(super) static COMMANDS: [Command; 58] = [
    row("append", Verb::Append, Exactly(3), Write, ONE, Group::String, FAST),
    row("auth", Verb::Auth, AtLeast(2), Connection, NONE, Group::Connection, FAST),
    row("client", Verb::Client, AtLeast(2), Connection, NONE, Group::Connection, SLOW),
    row("command", Verb::Command, AtLeast(1), Connection, NONE, Group::Server, SLOW),
    row("config", Verb::Config, AtLeast(2), Connection, NONE, Group::Server, SLOW),
    row("dbsize", Verb::DbSize, Exactly(1), Read, NONE, Group::Server, FAST),
    row("decr", Verb::Decr, Exactly(2), Write, ONE, Group::String, FAST),
    row("decrby", Verb::DecrBy, Exactly(3), Write, ONE, Group::String, FAST),
    row("del", Verb::Del, AtLeast(2), Write, ALL, Group::Generic, SLOW),
    row("discard", Verb::Discard, Exactly(1), Transaction, NONE, Group::Transactions, FAST),
    row("echo", Verb::Echo, Exactly(2), Connection, NONE, Group::Connection, FAST),
    row("exec", Verb::Exec, Exactly(1), Transaction, NONE, Group::Transactions, SLOW),
    row("exists", Verb::Exists, AtLeast(2), Read, ALL, Group::Generic, FAST),
    row("expire", Verb::Expire, AtLeast(3), Write, ONE, Group::Generic, FAST),
    row("expireat", Verb::ExpireAt, AtLeast(3), Write, ONE, Group::Generic, FAST),
    row("expiretime", Verb::ExpireTime, Exactly(2), Read, ONE, Group::Generic, FAST),
    row("flushall", Verb::FlushAll, AtLeast(1), Write, NONE, Group::Server, SLOW),
    row("flushdb", Verb::FlushDb, AtLeast(1), Write, NONE, Group::Server, SLOW),
    row("get", Verb::Get, Exactly(2), Read, ONE, Group::String, FAST),
    row("getdel", Verb::GetDel, Exactly(2), Write, ONE, Group::String, FAST),
    row("getex", Verb::GetEx, AtLeast(2), Write, ONE, Group::String, FAST),
    row("getrange", Verb::GetRange, Exactly(4), Read, ONE, Group::String, SLOW),
    row("getset", Verb::GetSet, Exactly(3), Write, ONE, Group::String, FAST),
    row("hello", Verb::Hello, AtLeast(1), Connection, NONE, Group::Connection, FAST),
    row("incr", Verb::Incr, Exactly(2), Write, ONE, Group::String, FAST),
    row("incrby", Verb::IncrBy, Exactly(3), Write, ONE, Group::String, FAST),
    row("incrbyfloat", Verb::IncrByFloat, Exactly(3), Write, ONE, Group::String, FAST),
    row("info", Verb::Info, AtLeast(1), Connection, NONE, Group::Server, SLOW),
    row("keys", Verb::Keys, Exactly(2), Read, NONE, Group::Generic, SLOW),
    row("mget", Verb::MGet, AtLeast(2), Read, ALL, Group::String, FAST),
    row("mset", Verb::MSet, AtLeast(3), Write, PAIRS, Group::String, SLOW),
    row("msetnx", Verb::MSetNx, AtLeast(3), Write, PAIRS, Group::String, SLOW),
    row("multi", Verb::Multi, Exactly(1), Transaction, NONE, Group::Transactions, FAST),
    row("persist", Verb::Persist, Exactly(2), Write, ONE, Group::Generic, FAST),
    row("pexpire", Verb::PExpire, AtLeast(3), Write, ONE, Group::Generic, FAST),
    row("pexpireat", Verb::PExpireAt, AtLeast(3), Write, ONE, Group::Generic, FAST),
    row("pexpiretime", Verb::PExpireTime, Exactly(2), Read, ONE, Group::Generic, FAST),
    row("ping", Verb::Ping, AtLeast(1), Connection, NONE, Group::Connection, FAST),
    row("psetex", Verb::PSetEx, Exactly(4), Write, ONE, Group::String, SLOW),
    row("pttl", Verb::PTtl, Exactly(2), Read, ONE, Group::Generic, FAST),
    row("quit", Verb::Quit, AtLeast(1), Connection, NONE, Group::Connection, FAST),
    row("randomkey", Verb::RandomKey, Exactly(1), Read, NONE, Group::Generic, SLOW),
    row("rename", Verb::Rename, Exactly(3), Write, TWO, Group::Generic, SLOW),
    row("reset", Verb::Reset, Exactly(1), Connection, NONE, Group::Connection, FAST),
    row("scan", Verb::Scan, AtLeast(2), Read, NONE, Group::Generic, SLOW),
    row("select", Verb::Select, Exactly(2), Connection, NONE, Group::Connection, FAST),
    row("set", Verb::Set, AtLeast(3), Write, ONE, Group::String, SLOW),
    row("setex", Verb::SetEx, Exactly(4), Write, ONE, Group::String, SLOW),
    row("setnx", Verb::SetNx, Exactly(3), Write, ONE, Group::String, FAST),
    row("setrange", Verb::SetRange, Exactly(4), Write, ONE, Group::String, SLOW),
    row("strlen", Verb::StrLen, Exactly(2), Read, ONE, Group::String, FAST),
    row("substr", Verb::SubStr, Exactly(4), Read, ONE, Group::String, SLOW),
    row("time", Verb::Time, Exactly(1), Connection, NONE, Group::Server, FAST),
    row("ttl", Verb::Ttl, Exactly(2), Read, ONE, Group::Generic, FAST),
    row("type", Verb::Type, Exactly(2), Read, ONE, Group::Generic, FAST),
    row("unlink", Verb::Unlink, AtLeast(2), Write, ALL, Group::Generic, FAST),
    row("unwatch", Verb::Unwatch, Exactly(1), Transaction, NONE, Group::Transactions, FAST),
    row("watch", Verb::Watch, AtLeast(2), Transaction, ALL, Group::Transactions, FAST),
];
