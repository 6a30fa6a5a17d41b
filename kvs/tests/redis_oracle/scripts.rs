//! What the servers are asked, by hand.

use super::servers::reply_length;

/// How the replies of the two servers must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    /// Every byte.
    Exact,
    /// The type of the reply.
    Shape,
    /// The elements of the innermost array, in any order.
    Sorted,
    /// The bytes, in any order: a transaction with KEYS in it.
    Shuffled,
    /// Integers, which may differ by so much.
    Near(i64),
}

impl Compare {
    pub(crate) fn holds(&self, expected: &[u8], found: &[u8]) -> bool {
        match self {
            Self::Exact => expected == found,
            Self::Shape => expected.first() == found.first(),
            Self::Sorted => sorted(expected) == sorted(found),
            Self::Shuffled => {
                let sorted = |reply: &[u8]| {
                    let mut bytes = reply.to_vec();
                    bytes.sort_unstable();
                    bytes
                };
                sorted(expected) == sorted(found)
            }
            Self::Near(distance) => match (integer(expected), integer(found)) {
                (Some(left), Some(right)) if left > 0 && right > 0 => {
                    left.abs_diff(right) <= distance.unsigned_abs()
                }
                _ => expected == found,
            },
        }
    }
}

fn integer(reply: &[u8]) -> Option<i64> {
    std::str::from_utf8(reply).ok()?.strip_prefix(':')?.trim_end().parse().ok()
}

fn sorted(reply: &[u8]) -> Vec<Vec<u8>> {
    let Some(start) = reply.iter().rposition(|byte| *byte == b'*') else {
        return vec![reply.to_vec()];
    };
    let line = reply[start..].iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut rest = &reply[start + line..];
    let mut parts = Vec::new();
    while let Some(length) = reply_length(rest) {
        parts.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    parts.sort();
    parts.insert(0, reply[..start + line].to_vec());
    parts
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) client: usize,
    pub(crate) words: Vec<Vec<u8>>,
    pub(crate) compare: Compare,
}

impl Step {
    /// The words of `line`, of which `""` is an empty one; replies must be the same.
    pub(crate) fn exact(line: &str) -> Self {
        let word = |word: &str| if word == "\"\"" { Vec::new() } else { word.as_bytes().to_vec() };
        Self { client: 0, words: line.split(' ').map(word).collect(), compare: Compare::Exact }
    }

    pub(crate) fn shape(line: &str) -> Self {
        Self { compare: Compare::Shape, ..Self::exact(line) }
    }

    pub(crate) fn sorted(line: &str) -> Self {
        Self { compare: Compare::Sorted, ..Self::exact(line) }
    }

    pub(crate) fn near(distance: i64, line: &str) -> Self {
        Self { compare: Compare::Near(distance), ..Self::exact(line) }
    }

    pub(crate) fn from(self, client: usize) -> Self {
        Self { client, ..self }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = format!("*{}\r\n", self.words.len()).into_bytes();
        for word in &self.words {
            bytes.extend(format!("${}\r\n", word.len()).into_bytes());
            bytes.extend(word);
            bytes.extend(b"\r\n");
        }
        bytes
    }

    pub(crate) fn shown(&self) -> String {
        self.words.iter().map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
    }
}

const EXACT: &str = r#"
PING
PING hello
PING a b
ECHO hi
ECHO
ECHO a b
SELECT 0
SELECT 1
SELECT x
SELECT -1
CLIENT
CLIENT nonsense
CLIENT GETNAME
CLIENT SETNAME me
CLIENT GETNAME
CLIENT SETNAME ""
CLIENT GETNAME
CLIENT GETNAME x
CLIENT ID x
CLIENT SETNAME
COMMAND COUNT x
COMMAND nonsense
CONFIG nonsense
CONFIG GET
CONFIG GET save
CONFIG GET SAVE
CONFIG GET maxmemory
CONFIG GET databases
CONFIG GET nonsense
CONFIG
TIME x
nonsense
nonsense a b c
nonsense aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b
"" a
HELLO 4
HELLO x
HELLO 2 nonsense
HELLO 2 AUTH default
HELLO 2 AUTH nobody x
HELLO 2 SETNAME
AUTH a
AUTH default a
AUTH nobody a
AUTH a b c
INFO nonsense
GET a
GET
GET a b
SET a
SET a 1
SET a 1 nonsense
GET a
SET a 2 NX
SET a 2 XX
SET b 2 XX
SET b 2 XX GET
SET b 2 NX GET
SET b 3 NX GET
SET b 3 GET
SET b 3 NX XX
SET b 3 GET GET NX NX
SET b 4 EX
SET b 4 EX 0
SET b 4 EX -1
SET b 4 EX x
SET b 4 EX 9223372036854775807
SET b 4 PX 9223372036854775807
SET b 4 PXAT 9223372036854775807
SET b 4 EXAT 9223372036854775
SET b 4 EX 10 PX 10
SET b 4 EX 10 EX 20
SET b 4 EX 10 KEEPTTL
SET b 4 KEEPTTL EX 10
SET b 4 PERSIST
SET b 4 KEEPTTL KEEPTTL
SET b 5 EXAT 1
GET b
SET b 5 GET EX 100
SET b 6 KEEPTTL
PERSIST b
PERSIST b
PERSIST none
SETNX b 1
SETNX c 1
SETEX d 10 v
SETEX d 0 v
SETEX d x v
PSETEX d 0 v
PSETEX d 100000 v
SETEX d 9223372036854775807 v
GETSET d new
TTL d
GETSET none v
GETDEL none
GETDEL nothing
GETDEL d
GETEX d
GETEX none EX 0
SET d v
GETEX d EX 0
GETEX d EX x
GETEX d nonsense
GETEX d PERSIST
GETEX d EX 10 PERSIST
GETEX d PERSIST PERSIST
GETEX d KEEPTTL
GETEX d NX
GETEX d EXAT 9999999999
EXPIRETIME d
PEXPIRETIME d
GETEX d PXAT 9999999999999
PEXPIRETIME d
GETEX d
GETEX d EXAT 1
EXISTS d
MGET a b c none
MGET
MSET a 1 b
MSET a
MSET a 1 b 2
MSET a 1 a 2
MSETNX a 1 z 2
MSETNX y 1 z 2
MSETNX y 1 z
MGET a b y z
DEL a a b none
UNLINK y z
DEL
EXISTS a b c c
EXISTS
TYPE c
TYPE none
STRLEN c
STRLEN none
APPEND s hello
APPEND s ""
APPEND e ""
EXISTS e
GETRANGE s 0 -1
GETRANGE s 1 3
GETRANGE s -3 -2
GETRANGE s -100 100
GETRANGE s 3 1
GETRANGE s 5 10
GETRANGE s -1 -3
GETRANGE s -9223372036854775808 9223372036854775807
GETRANGE s x 1
GETRANGE none 0 1
GETRANGE none x 1
GETRANGE e 0 -1
SUBSTR s 1 2
SUBSTR s 1
SETRANGE s 1 EY
SETRANGE s 10 x
GET s
SETRANGE s -1 x
SETRANGE s x x
SETRANGE s 1048576 x
SETRANGE s 9223372036854775807 x
SETRANGE none2 0 ""
SETRANGE none2 9999999999 ""
EXISTS none2
SETRANGE none2 3 x
GET none2
INCR n
INCR n
DECR n
INCRBY n 10
INCRBY n x
INCRBY n 1.5
INCRBY n ""
DECRBY n 5
DECRBY n -9223372036854775808
INCR s
INCRBY n 9223372036854775807
SET n 9223372036854775807
INCR n
DECR n
SET n -9223372036854775808
DECR n
DECRBY n 1
SET n 012
INCR n
SET n +5
INCR n
SET n ""
INCR n
INCRBYFLOAT n 1
SET f 10.50
INCRBYFLOAT f 0.1
INCRBYFLOAT f -5
INCRBYFLOAT f x
INCRBYFLOAT f ""
INCRBYFLOAT f nan
INCRBYFLOAT f inf
INCRBYFLOAT f -inf
INCRBYFLOAT f +infinity
INCRBYFLOAT f 1e5000
SET f 5.0e3
INCRBYFLOAT f 2.0e2
SET f 3.0
INCRBYFLOAT f 1.1
SET f 0.1
INCRBYFLOAT f 0.2
INCRBYFLOAT f .5
INCRBYFLOAT f 5.
INCRBYFLOAT f -5.8
SET f 1e20
INCRBYFLOAT f 1
SET f -0.5
INCRBYFLOAT f 0.5
SET f 1000.1
INCRBYFLOAT f 0
INCRBYFLOAT f 123456.789
INCRBYFLOAT f -99999.999
SET f 9223372036854775800
INCRBYFLOAT f .75
INCRBYFLOAT f 1e2
SET f 0.00000000000000001
INCRBYFLOAT f 0.3
INCRBYFLOAT s 1
INCRBYFLOAT fresh 2.5
TTL none
TTL s
PTTL s
EXPIRE s
EXPIRE none 10
EXPIRE s x
EXPIRE s 9223372036854775807
EXPIRE s -9223372036854775808
PEXPIRE s 9223372036854775807
EXPIREAT s 9223372036854775807
PEXPIREAT s 9223372036854775807
EXPIRE none 9223372036854775807
EXPIREAT s 9999999999
EXPIREAT s 9999999990 GT
EXPIREAT s 9999999999 GT
EXPIREAT s 9999999999 LT
EXPIREAT s 9999999990 lt
EXPIREAT s 9999999990 NX
EXPIREAT s 9999999991 xx
EXPIRETIME s
PEXPIRETIME s
EXPIRETIME none
EXPIRETIME c
PEXPIREAT s 9999999999500
EXPIRETIME s
EXPIREAT c 9999999999 GT
EXPIREAT c 9999999999 XX
EXPIREAT c 9999999999 LT
EXPIREAT c 10 NX
EXPIRE c 10 NX XX
EXPIRE c 10 NX GT
EXPIRE c 10 GT LT
EXPIRE c 10 XX GT
EXPIRE c 10 nonsense
EXPIRE c 10 NX nonsense
EXPIRE c x nonsense
EXPIRE c x
PERSIST c
EXPIRE c 10 XX
EXPIRE c -1
EXISTS c
SET c 1
PEXPIRE c 0
EXISTS c
SET c 1
EXPIREAT c -5
EXISTS c
RENAME none x
RENAME s s
RENAME s t
EXPIRETIME t
EXISTS s t
RENAME t n
GET n
EXPIRETIME n
RENAME n
TTL x
DBSIZE x
SCAN
SCAN x
SCAN 0 COUNT
SCAN 0 COUNT 0
SCAN 0 COUNT x
SCAN 0 nonsense 1
SCAN 0 TYPE list COUNT 1000
SCAN 18446744073709551616
SCAN 0 MATCH nothing-like-it COUNT 1000
KEYS
KEYS nothing-like-it
RANDOMKEY x
FLUSHALL nonsense
FLUSHALL ASYNC SYNC
FLUSHDB nonsense
FLUSHDB SYNC
DBSIZE
RANDOMKEY
KEYS *
SCAN 0
SET only 1
RANDOMKEY
DBSIZE
FLUSHALL async
EXEC
EXEC x
DISCARD
DISCARD x
UNWATCH
WATCH
MULTI x
MULTI
MULTI
SET a 1
GET a
GET none
INCR a
APPEND a x
INCR a
MGET a none
PING
PING x
ECHO y
CLIENT GETNAME
UNWATCH
SELECT 0
EXEC
MULTI
EXEC
MULTI
SET a 1
GET
SET a 2
EXEC
GET a
MULTI
nonsense
PING
EXEC
MULTI
EXEC x
EXEC
MULTI
WATCH a
SET a 7
EXEC
GET a
MULTI
SET a 3
DISCARD
GET a
MULTI
DISCARD x
EXEC
MULTI
SELECT 5
PING
EXEC
MULTI
SET a 1 nonsense
INCR none3
EXEC
WATCH a
SET a 4
MULTI
GET a
EXEC
WATCH a
UNWATCH
SET a 5
MULTI
GET a
EXEC
WATCH a
MULTI
GET a
EXEC
WATCH none4
MULTI
SET none4 1
EXEC
WATCH a b
GET a
MULTI
EXEC
WATCH a
MULTI
DISCARD
SET a 6
MULTI
EXEC
MULTI
RESET
EXEC
"#;

/// Every command in good and bad use, by one client, and conflicts of two.
pub(crate) fn commands() -> Vec<Step> {
    let mut steps: Vec<Step> = EXACT.trim().lines().map(Step::exact).collect();
    // RESET has changed the protocol; the second client has kept its own.
    let conflict = [
        Step::exact("SET a 1"),
        Step::exact("WATCH a b"),
        Step::exact("SET a 2").from(1),
        Step::exact("MULTI"),
        Step::exact("SET a 3"),
        Step::exact("EXEC"),
        Step::exact("GET a").from(1),
        Step::exact("WATCH b").from(1),
        Step::exact("SET b 1"),
        Step::exact("MULTI").from(1),
        Step::exact("PING").from(1),
        Step::exact("EXEC").from(1),
        Step::exact("WATCH b").from(1),
        Step::exact("EXPIRE b 100"),
        Step::exact("MULTI").from(1),
        Step::exact("GET b").from(1),
        Step::exact("EXEC").from(1),
        Step::exact("WATCH b").from(1),
        Step::exact("DEL none"),
        Step::exact("GETEX b"),
        Step::exact("MULTI").from(1),
        Step::exact("GET b").from(1),
        Step::exact("GET none").from(1),
        Step::exact("EXEC").from(1),
        Step::exact("WATCH b").from(1),
        Step::exact("FLUSHALL"),
        Step::exact("MULTI").from(1),
        Step::exact("EXEC").from(1),
        Step::exact("WATCH none").from(1),
        Step::exact("FLUSHALL"),
        Step::exact("MULTI").from(1),
        Step::exact("EXEC").from(1),
    ];
    steps.extend(conflict);
    for key in 0..100 {
        steps.push(Step::exact(&format!("SET key:{key} {key}")));
    }
    for pattern in
        ["*", "key:?", "key:[1-3]*", "key:[^1]?", "*7*", "key:\\*", "k*y:*1", "[", "key:[5"]
    {
        steps.push(Step::sorted(&format!("KEYS {pattern}")));
        steps.push(Step::sorted(&format!("SCAN 0 MATCH {pattern} COUNT 1000")));
    }
    steps.extend([
        Step::sorted("SCAN 0 TYPE string COUNT 1000"),
        Step::sorted("SCAN 0 TYPE STRING COUNT 1000").from(1),
        Step::exact("DBSIZE"),
        Step::shape("RANDOMKEY"),
        Step::exact("SET t 1 EX 100"),
        Step::near(1, "TTL t"),
        Step::near(1000, "PTTL t"),
        Step::near(1, "EXPIRETIME t"),
        Step::near(1000, "PEXPIRETIME t"),
        Step::shape("INFO").from(0),
        Step::shape("INFO server"),
        Step::shape("TIME"),
        Step::shape("COMMAND"),
        Step::shape("COMMAND").from(1),
        Step::shape("COMMAND DOCS GET").from(1),
        Step::shape("COMMAND INFO GET").from(1),
        Step::shape("CLIENT ID"),
        Step::shape("CLIENT HELP"),
        Step::shape("CONFIG GET *").from(1),
        Step::shape("HELLO 3 SETNAME me"),
        Step::exact("CLIENT GETNAME"),
        Step::exact("GET none"),
        Step::shape("HELLO 2"),
        Step::exact("GET none"),
    ]);
    steps
}

/// With the password `secret`.
pub(crate) fn authentication() -> Vec<Step> {
    let lines = "PING\nGET a\nGET\nnonsense\nHELLO 3\nHELLO 3 AUTH default wrong\nAUTH wrong\n\
                 AUTH nobody secret\nMULTI\nEXEC\nAUTH a b c\nAUTH secret\nGET a\nAUTH wrong\nGET a\n\
                 RESET\nGET a\nAUTH default secret\nPING";
    let mut steps: Vec<Step> = lines.lines().map(Step::exact).collect();
    steps.push(Step::shape("HELLO 3 AUTH default secret").from(1));
    steps.push(Step::exact("GET a").from(1));
    steps
}

/// Bytes that end with the connection: by QUIT, or by a protocol error.
pub(crate) fn conversations() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        &b"QUIT\r\n"[..],
        b"quit now\r\n",
        b"PING\r\nPING x\r\n\r\n  \r\nset a 'b c'\r\nget a\nQUIT\r\nPING\r\n",
        b"set a \"x\\x41\\n\\t\\q\\\"\"\r\nget a\r\nQUIT\r\n",
        b"set 'a'b c\r\n",
        b"set \"a\r\n",
        b"PING\r\nset \"a\"b\r\n",
        b"set a '\\'\\n'\r\nget a\r\nset b \"\"\r\nget b\r\nQUIT\r\n",
        b"*a\r\n",
        b"*\r\n",
        b"PING\r\n*9223372036854775808\r\n",
        b"*2147483648\r\n",
        b"*1\r\nPING\r\n",
        b"*1\r\n\r\n\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$x\r\n",
        b"*1\r\n$9999999999\r\n",
        b"*0\r\n*-5\r\nPING\r\nQUIT\r\n",
        b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nQUIT\r\n",
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\nQUIT\r\n",
        b"nonsense 'a\\n' \"b\\r\\nc\"\r\nQUIT\r\n",
        b"*2\r\n$4\r\nNO\r\n\r\n$3\r\na\0b\r\nQUIT\r\n",
        b"MULTI\r\nSET a 1\r\nQUIT\r\n",
        b"GET a b c\r\nMULTI\r\nget a\r\nEXEC\r\nquit\r\n",
        b"SET a 1\r\nGET a\r\nINCR a\r\nGET a\r\nWATCH a\r\nMULTI\r\nINCR a\r\nEXEC\r\nGET a\r\nQUIT\r\n",
        b"SET a 1\r\nWATCH a\r\nSET a 2\r\nMULTI\r\nINCR a\r\nEXEC\r\nGET a\r\nQUIT\r\n",
    ]
    .map(<[u8]>::to_vec)
    .into();
    all.push(b"x".repeat(70_000));
    all.push([b"*".to_vec(), b"1".repeat(70_000)].concat());
    all.push([b"*1\r\n$".to_vec(), b"1".repeat(70_000)].concat());
    all
}
