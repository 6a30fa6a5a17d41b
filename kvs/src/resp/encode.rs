//! Replies as bytes, without a tree in between.
//!
//! The state machine answers in RESP2, in which a missing value and a missing array differ. A client
//! that speaks RESP3 has one null for both; everything else that the state machine answers is the
//! same in both protocols.

use bytes::{BufMut, Bytes, BytesMut};

/// The reply `OK`.
pub const OK: Bytes = Bytes::from_static(b"+OK\r\n");
/// No value.
pub const NULL: Bytes = Bytes::from_static(b"$-1\r\n");
/// No array: a transaction that did not run.
pub const NULL_ARRAY: Bytes = Bytes::from_static(b"*-1\r\n");
/// A value of no bytes.
pub const EMPTY_BULK: Bytes = Bytes::from_static(b"$0\r\n\r\n");

/// An integer.
pub fn integer(value: i64) -> Bytes {
    match value {
        0 => Bytes::from_static(b":0\r\n"),
        1 => Bytes::from_static(b":1\r\n"),
        -1 => Bytes::from_static(b":-1\r\n"),
        -2 => Bytes::from_static(b":-2\r\n"),
        other => Bytes::from(format!(":{other}\r\n")),
    }
}

/// An error; `text` starts with its code. Line ends in it become blanks.
pub fn error(text: &str) -> Bytes {
    let text = text.replace(['\r', '\n'], " ");
    Bytes::from(format!("-{text}\r\n"))
}

/// A value.
pub fn bulk(value: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(value.len() + decimal_digits(value.len()) + 5);
    bulk_into(value, &mut out);
    Bytes::from(out)
}

/// Appends a value.
pub fn bulk_into(value: &[u8], out: &mut Vec<u8>) {
    header(b'$', value.len(), out);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends the header of an array; `count` elements must follow.
pub fn array_header(count: usize, out: &mut Vec<u8>) {
    header(b'*', count, out);
}

fn header(kind: u8, number: usize, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    let mut rest = number;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.push(kind);
    out.extend_from_slice(&digits[start..]);
    out.extend_from_slice(b"\r\n");
}

const fn decimal_digits(number: usize) -> usize {
    match number.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    }
}

/// Whether `reply` is no value or no array.
pub fn is_null(reply: &[u8]) -> bool {
    matches!(reply, [b'$' | b'*', b'-', ..])
}

/// Appends `reply`, a reply of the state machine, for a client that speaks RESP3.
///
/// *Cost*: one comparison and a copy, except for arrays, whose elements are walked.
pub fn to_resp3(reply: &[u8], out: &mut BytesMut) {
    if reply.first() != Some(&b'*') && !is_null(reply) {
        out.put_slice(reply);
        return;
    }
    let mut rest = reply;
    while let Some((element, tail)) = split_token(rest) {
        out.put_slice(if is_null(element) { b"_\r\n" } else { element });
        rest = tail;
    }
    out.put_slice(rest);
}

/// The elements of an array that the state machine answered; `None` if it is not an array.
pub fn elements(reply: &[u8]) -> Option<Vec<&[u8]>> {
    if reply.first() != Some(&b'*') || is_null(reply) {
        return None;
    }
    let (header, mut rest) = split_token(reply)?;
    let count = token_number(header)?;
    let mut elements = Vec::new();
    for _ in 0..count {
        let mut missing = 1usize;
        let start = rest;
        while missing > 0 {
            let (token, tail) = split_token(rest)?;
            missing -= 1;
            if token.first() == Some(&b'*') {
                missing += token_number(token).unwrap_or(0);
            }
            rest = tail;
        }
        elements.push(&start[..start.len() - rest.len()]);
    }
    Some(elements)
}

/// Splits the first header, with the value behind it if it announces one, from the rest.
fn split_token(reply: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = reply.iter().position(|byte| *byte == b'\n')? + 1;
    let length = match reply.first() {
        Some(b'$' | b'=') => match token_number(&reply[..line]) {
            Some(bytes) => line + bytes + 2,
            None => line,
        },
        _ => line,
    };
    reply.split_at_checked(length)
}

/// The number of a header; `None` if it is negative, as that of a null.
fn token_number(token: &[u8]) -> Option<usize> {
    let line = token.get(1..)?.split(|byte| *byte == b'\r').next()?;
    super::parse_integer(line).and_then(|number| usize::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resp3(reply: &[u8]) -> Vec<u8> {
        let mut out = BytesMut::new();
        to_resp3(reply, &mut out);
        out.to_vec()
    }

    #[test]
    fn only_nulls_differ_between_the_protocols() {
        assert_eq!(resp3(b"+OK\r\n"), b"+OK\r\n");
        assert_eq!(resp3(b"$3\r\n$-1\r\n"), b"$3\r\n$-1\r\n");
        assert_eq!(resp3(&NULL), b"_\r\n");
        assert_eq!(resp3(&NULL_ARRAY), b"_\r\n");
        assert_eq!(
            resp3(b"*3\r\n$-1\r\n*1\r\n$5\r\n$-1\r\n\r\n:1\r\n"),
            b"*3\r\n_\r\n*1\r\n$5\r\n$-1\r\n\r\n:1\r\n"
        );
        assert_eq!(resp3(b"*x"), b"*x");
    }

    #[test]
    fn elements_are_split_at_the_top_only() {
        let reply = b"*4\r\n:1\r\n*2\r\n$1\r\n*\r\n$-1\r\n-ERR x\r\n$2\r\n\r\n\r\n";
        let parts = elements(reply).unwrap();
        let expected: [&[u8]; 4] =
            [b":1\r\n", b"*2\r\n$1\r\n*\r\n$-1\r\n", b"-ERR x\r\n", b"$2\r\n\r\n\r\n"];
        assert_eq!(parts, expected);
        assert_eq!(elements(&NULL_ARRAY), None);
        assert_eq!(elements(b"*3\r\n:1\r\n"), None);
        assert!(elements(b"*0\r\n").unwrap().is_empty());
    }

    #[test]
    fn a_bulk_fills_its_allocation() {
        for length in [0, 1, 9, 10, 99, 100, 12345] {
            let value = vec![b'v'; length];
            let expected = [format!("${length}\r\n").as_bytes(), &value, b"\r\n"].concat();
            assert_eq!(bulk(&value), expected);
        }
        assert_eq!(error("ERR a\r\nb"), "-ERR a  b\r\n");
        assert_eq!(integer(-42), ":-42\r\n");
    }
}
