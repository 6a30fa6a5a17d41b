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

/// One request a line.
const EXACT: &str = include_str!("commands.txt");

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
