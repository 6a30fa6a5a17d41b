//! What commands there are, how many arguments each takes and how each is routed.
//!
//! A name is looked up once, at the connection. From there on a command is a [`Verb`], which is one
//! byte in the log.

mod subcommands;
mod table;

use table::COMMANDS;

pub use subcommands::{Subcommand, subcommands};

/// A command of the server. Its number is written to the log and never given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Verb {
    /// `PING`.
    Ping = 0,
    /// `ECHO`.
    Echo = 1,
    /// `HELLO`.
    Hello = 2,
    /// `AUTH`.
    Auth = 3,
    /// `QUIT`.
    Quit = 4,
    /// `RESET`.
    Reset = 5,
    /// `SELECT`.
    Select = 6,
    /// `CLIENT`.
    Client = 7,
    /// `COMMAND`.
    Command = 8,
    /// `CONFIG`.
    Config = 9,
    /// `INFO`.
    Info = 10,
    /// `TIME`.
    Time = 11,
    /// `DBSIZE`.
    DbSize = 12,
    /// `GET`.
    Get = 13,
    /// `SET`.
    Set = 14,
    /// `SETNX`.
    SetNx = 15,
    /// `SETEX`.
    SetEx = 16,
    /// `PSETEX`.
    PSetEx = 17,
    /// `GETSET`.
    GetSet = 18,
    /// `GETDEL`.
    GetDel = 19,
    /// `GETEX`.
    GetEx = 20,
    /// `MGET`.
    MGet = 21,
    /// `MSET`.
    MSet = 22,
    /// `MSETNX`.
    MSetNx = 23,
    /// `DEL`.
    Del = 24,
    /// `UNLINK`.
    Unlink = 25,
    /// `EXISTS`.
    Exists = 26,
    /// `TYPE`.
    Type = 27,
    /// `STRLEN`.
    StrLen = 28,
    /// `APPEND`.
    Append = 29,
    /// `GETRANGE`.
    GetRange = 30,
    /// `SUBSTR`.
    SubStr = 31,
    /// `SETRANGE`.
    SetRange = 32,
    /// `INCR`.
    Incr = 33,
    /// `DECR`.
    Decr = 34,
    /// `INCRBY`.
    IncrBy = 35,
    /// `DECRBY`.
    DecrBy = 36,
    /// `INCRBYFLOAT`.
    IncrByFloat = 37,
    /// `EXPIRE`.
    Expire = 38,
    /// `PEXPIRE`.
    PExpire = 39,
    /// `EXPIREAT`.
    ExpireAt = 40,
    /// `PEXPIREAT`.
    PExpireAt = 41,
    /// `TTL`.
    Ttl = 42,
    /// `PTTL`.
    PTtl = 43,
    /// `EXPIRETIME`.
    ExpireTime = 44,
    /// `PEXPIRETIME`.
    PExpireTime = 45,
    /// `PERSIST`.
    Persist = 46,
    /// `SCAN`.
    Scan = 47,
    /// `KEYS`.
    Keys = 48,
    /// `RANDOMKEY`.
    RandomKey = 49,
    /// `RENAME`.
    Rename = 50,
    /// `FLUSHALL`.
    FlushAll = 51,
    /// `FLUSHDB`.
    FlushDb = 52,
    /// `MULTI`.
    Multi = 53,
    /// `EXEC`.
    Exec = 54,
    /// `DISCARD`.
    Discard = 55,
    /// `WATCH`.
    Watch = 56,
    /// `UNWATCH`.
    Unwatch = 57,
}

/// Who answers a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The connection, alone.
    Connection,
    /// The connection, by way of its queue.
    Transaction,
    /// The state machine, without changing.
    Read,
    /// The state machine, through the log.
    Write,
}

/// How many arguments a command takes, its name included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arity {
    /// Neither more nor fewer.
    Exactly(usize),
    /// Not fewer.
    AtLeast(usize),
}

impl Arity {
    /// Whether `count` arguments, the name included, are allowed.
    pub const fn allows(self, count: usize) -> bool {
        match self {
            Self::Exactly(exact) => count == exact,
            Self::AtLeast(least) => count >= least,
        }
    }

    /// As COMMAND reports it: negative if more are allowed.
    pub const fn number(self) -> i64 {
        match self {
            Self::Exactly(exact) => exact as i64,
            Self::AtLeast(least) => -(least as i64),
        }
    }
}

/// Which arguments are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Keys {
    /// Index of the first key; zero if there are none.
    pub first: usize,
    /// Index of the last key, inclusive; negative counts from the end.
    pub last: i32,
    /// Distance from one key to the next.
    pub step: usize,
}

impl Keys {
    /// No argument is a key.
    pub const NONE: Self = Self { first: 0, last: 0, step: 0 };

    /// Whether the argument at `index` is a key of a request of `count` arguments.
    pub const fn contains(self, index: usize, count: usize) -> bool {
        if self.first == 0 || index < self.first {
            return false;
        }
        let last = if self.last < 0 {
            count.saturating_sub(self.last.unsigned_abs() as usize)
        } else {
            self.last as usize
        };
        index <= last && (index - self.first).is_multiple_of(self.step)
    }
}

/// The chapter of the manual in which a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// About the connection.
    Connection,
    /// About keys of any type.
    Generic,
    /// About the server.
    Server,
    /// About strings.
    String,
    /// About transactions.
    Transactions,
}

impl Group {
    /// Its name in COMMAND DOCS.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Generic => "generic",
            Self::Server => "server",
            Self::String => "string",
            Self::Transactions => "transactions",
        }
    }
}

/// One row of the table of commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The name, in lower case.
    pub name: &'static str,
    /// Its number in the log.
    pub verb: Verb,
    /// How many arguments it takes.
    pub arity: Arity,
    /// Who answers it.
    pub kind: Kind,
    /// Whether a read's answer depends on the time, so that it goes through the log.
    pub is_time_dependent: bool,
    /// Whether it costs the same whatever the size of the keyspace.
    pub is_fast: bool,
    /// Which arguments are keys.
    pub keys: Keys,
    /// The chapter of the manual.
    pub group: Group,
}

/// Every command, in the order of the names.
pub fn all() -> &'static [Command] {
    &COMMANDS
}

/// The command called `name`, in any case.
pub fn find(name: &[u8]) -> Option<&'static Command> {
    let mut lower = [0u8; 16];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let index = COMMANDS.binary_search_by(|row| row.name.as_bytes().cmp(lower)).ok()?;
    Some(&COMMANDS[index])
}

/// For each number the index of its row.
static ROW_OF_VERB: [u8; COMMANDS.len()] = {
    let mut rows = [0; COMMANDS.len()];
    let mut index = 0;
    while index < COMMANDS.len() {
        rows[COMMANDS[index].verb as usize] = index as u8;
        index += 1;
    }
    rows
};

/// The command with this number in the log.
pub fn with_number(number: u8) -> Option<&'static Command> {
    ROW_OF_VERB.get(usize::from(number)).map(|row| &COMMANDS[usize::from(*row)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ordered_and_complete() {
        assert!(COMMANDS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for row in &COMMANDS {
            assert_eq!(with_number(row.verb as u8), Some(row));
            assert_eq!(find(row.name.to_uppercase().as_bytes()), Some(row));
        }
        assert_eq!(with_number(COMMANDS.len() as u8), None);
        assert_eq!(find(b"nonsense"), None);
        assert_eq!(find(b"a name of more than sixteen bytes"), None);
    }

    #[test]
    fn the_numbers_of_the_log_stay() {
        let numbers = [(Verb::Ping, 0), (Verb::Set, 14), (Verb::Del, 24), (Verb::Unwatch, 57)];
        for (verb, number) in numbers {
            assert_eq!(verb as u8, number);
        }
    }

    #[test]
    fn keys_among_the_arguments() {
        let keys_of = |name: &str, count: usize| -> Vec<usize> {
            let keys = find(name.as_bytes()).unwrap().keys;
            (0..count).filter(|index| keys.contains(*index, count)).collect()
        };
        assert_eq!(keys_of("get", 2), [1]);
        assert_eq!(keys_of("mset", 5), [1, 3]);
        assert_eq!(keys_of("del", 4), [1, 2, 3]);
        assert_eq!(keys_of("rename", 3), [1, 2]);
        assert!(keys_of("scan", 4).is_empty());
    }
}
