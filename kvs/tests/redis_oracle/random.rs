//! What the servers are asked, by chance.

use super::scripts::{Compare, Step};

/// Numbers that follow from a seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e3779b97f4a7c15))
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % end
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// What a command is followed by. Those that tell of the time are left to the scripts.
/// The letters mean: `k` a key, `w` one that is watched and never
/// goes, `v` a value, `i` an integer, `f` a number, `r` a time from
/// now, `a` a time since 1970, `t` one far
/// ahead, `c` a condition of EXPIRE, `o` an option of SET, `*` the last again and
/// again.
const COMMANDS: &[(&str, &str)] = &[
    ("GET", "k"),
    ("SET", "kv"),
    ("SET", "kvo"),
    ("SET", "kvoo"),
    ("SET", "kvoo"),
    ("SETNX", "kv"),
    ("SETEX", "krv"),
    ("PSETEX", "krv"),
    ("GETSET", "kv"),
    ("GETDEL", "k"),
    ("GETEX", "k"),
    ("GETEX", "ko"),
    ("MGET", "kkk"),
    ("MSET", "kvkv"),
    ("MSETNX", "kvkv"),
    ("DEL", "kk"),
    ("UNLINK", "k"),
    ("EXISTS", "kkk"),
    ("TYPE", "k"),
    ("STRLEN", "k"),
    ("APPEND", "kv"),
    ("GETRANGE", "kii"),
    ("SUBSTR", "kii"),
    ("SETRANGE", "kiv"),
    ("INCR", "k"),
    ("DECR", "k"),
    ("INCRBY", "ki"),
    ("DECRBY", "ki"),
    ("INCRBYFLOAT", "kf"),
    ("EXPIRE", "kr"),
    ("PEXPIRE", "kr"),
    ("EXPIREAT", "kac"),
    ("PEXPIREAT", "kac"),
    ("EXPIREAT", "ka"),
    ("PERSIST", "k"),
    ("RENAME", "kk"),
    ("MULTI", ""),
    ("MULTI", ""),
    ("EXEC", ""),
    ("EXEC", ""),
    ("EXEC", ""),
    ("DISCARD", ""),
    ("WATCH", "w"),
    ("WATCH", "ww"),
    ("UNWATCH", ""),
    ("PING", ""),
    ("ECHO", "v"),
    ("nonsense", "kv"),
    ("KEYS", "p"),
    ("DBSIZE", ""),
    ("CLIENT", "v"),
    ("SET", "wv"),
    ("INCR", "w"),
    ("APPEND", "wv"),
    ("MSET", "wvwv"),
    ("EXPIREAT", "wt"),
    ("PERSIST", "w"),
    ("GET", "w"),
];

const KEYS: &[&str] = &["a", "b", "c", "d", "e", "f"];
/// The keys that are watched. They are made at the start and never deleted: Redis lets EXEC fail
/// over an absent key that came and went, and we do not.
pub(crate) const WATCHED: &[&str] = &["w", "x"];
const VALUES: &[&str] =
    &["1", "-7", "42", "0.5", "-2.25", "hello", "", " 1", "9223372036854775800", "x\r\ny\0z", "01"];
const INTEGERS: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "-3",
    "100",
    "9223372036854775807",
    "-9223372036854775808",
    "x",
    "1.5",
    "",
];
const NUMBERS: &[&str] = &["1", "0.5", "-0.25", "1e2", "x", "", "inf", "3.", ".75"];
const RELATIVE: &[&str] = &["1000000", "2000000", "0", "-1", "x", "9223372036854775807"];
const ABSOLUTE: &[&str] = &["9999999999", "9999999998", "99999999990", "0", "-1", "x"];
const CONDITIONS: &[&str] = &["NX", "XX", "GT", "LT", "nonsense"];
const OPTIONS: &[&str] = &[
    "NX",
    "XX",
    "GET",
    "KEEPTTL",
    "EX 1000000",
    "PX 1000000000",
    "EXAT 9999999999",
    "PERSIST",
    "EX 0",
    "PXAT 9999999999999",
    "EX",
    "PX x",
    "nonsense",
    "get",
    "nx",
];
const PATTERNS: &[&str] = &["*", "?", "[a-c]", "a", "[^a]"];

/// A request of one of three clients.
pub(crate) fn step(random: &mut Random) -> Step {
    let (name, shape) = COMMANDS[random.below(COMMANDS.len())];
    let mut words = vec![name.as_bytes().to_vec()];
    for kind in shape.chars() {
        let word = match kind {
            'k' => random.pick(KEYS),
            'w' => random.pick(WATCHED),
            't' => "9999999999",
            'v' => random.pick(VALUES),
            'i' => random.pick(INTEGERS),
            'f' => random.pick(NUMBERS),
            'r' => random.pick(RELATIVE),
            'a' => random.pick(ABSOLUTE),
            'c' => random.pick(CONDITIONS),
            'o' => {
                let option = random.pick(OPTIONS);
                words.extend(option.split(' ').map(|word| word.as_bytes().to_vec()));
                continue;
            }
            _ => random.pick(PATTERNS),
        };
        words.push(word.as_bytes().to_vec());
    }
    match random.below(40) {
        0 => words.push(b"extra".to_vec()),
        1 if words.len() > 1 => drop(words.pop()),
        2 => words[0].make_ascii_lowercase(),
        _ => {}
    }
    let compare = match name {
        "KEYS" => Compare::Sorted,
        // The order of KEYS in it is not that of Redis.
        "EXEC" => Compare::Shuffled,
        _ => Compare::Exact,
    };
    Step { client: random.below(3), words, compare }
}
