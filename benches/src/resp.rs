//! The Redis protocol from a client's side: commands to bytes, bytes to replies.
//!
//! A load looks at little of a reply: that it is whole, and whether it is an error. So a reply is
//! scanned where it lies and nothing of it is copied.

use crate::error::{BenchError, Outcome};

/// Arrays inside arrays, at most. No reply that is asked for here has more.
const DEPTH_MAX: usize = 8;

/// What a whole reply says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer<'a> {
    /// `+OK` and the like.
    Simple(&'a [u8]),
    /// An error, without its mark.
    Error(&'a [u8]),
    /// A number, as it was written.
    Integer(&'a [u8]),
    /// Bytes.
    Bulk(&'a [u8]),
    /// Nothing is there.
    Null,
    /// Several replies in one.
    Array,
}

/// Appends the bytes of a command to `out`.
pub(crate) fn put_command(words: &[&[u8]], out: &mut Vec<u8>) {
    put_head(b'*', words.len(), out);
    for word in words {
        put_head(b'$', word.len(), out);
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn put_head(mark: u8, number: usize, out: &mut Vec<u8>) {
    out.push(mark);
    out.extend_from_slice(number.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The first reply in `bytes`, and how many of them it takes; `None` if it is not whole yet.
///
/// *Errors*: the bytes are no reply.
pub(crate) fn scan(bytes: &[u8]) -> Outcome<Option<(usize, Answer<'_>)>> {
    scan_within(bytes, 0)
}

fn scan_within(bytes: &[u8], depth: usize) -> Outcome<Option<(usize, Answer<'_>)>> {
    if depth > DEPTH_MAX {
        return Err(BenchError::new("a reply is nested deeper than any that was asked for"));
    }
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let Some((mark, line)) = bytes[..end].split_first() else { return Err(foreign(bytes)) };
    let next = end + 2;
    let answer = match mark {
        b'+' => Answer::Simple(line),
        b'-' => Answer::Error(line),
        b':' => Answer::Integer(line),
        b'_' => Answer::Null,
        b'$' => return bulk(bytes, next, line),
        b'*' | b'~' | b'>' => return array(bytes, next, line, depth),
        _ => return Err(foreign(bytes)),
    };
    Ok(Some((next, answer)))
}

fn bulk<'a>(bytes: &'a [u8], next: usize, line: &[u8]) -> Outcome<Option<(usize, Answer<'a>)>> {
    let Some(length) = count(bytes, line)? else { return Ok(Some((next, Answer::Null))) };
    let Some(end) = next.checked_add(length) else { return Err(foreign(bytes)) };
    match bytes.get(end..).and_then(|rest| rest.get(..2)) {
        None => Ok(None),
        Some(b"\r\n") => Ok(Some((end + 2, Answer::Bulk(&bytes[next..end])))),
        Some(_) => Err(foreign(bytes)),
    }
}

fn array<'a>(
    bytes: &'a [u8],
    mut next: usize,
    line: &[u8],
    depth: usize,
) -> Outcome<Option<(usize, Answer<'a>)>> {
    let Some(length) = count(bytes, line)? else { return Ok(Some((next, Answer::Null))) };
    for _ in 0..length {
        let Some((taken, _)) = scan_within(&bytes[next..], depth + 1)? else { return Ok(None) };
        next += taken;
    }
    Ok(Some((next, Answer::Array)))
}

/// The number in a line; nothing if it is -1.
fn count(bytes: &[u8], line: &[u8]) -> Outcome<Option<usize>> {
    if line == b"-1" {
        return Ok(None);
    }
    let text = std::str::from_utf8(line).map_err(|_| foreign(bytes))?;
    text.parse().map(Some).map_err(|_| foreign(bytes))
}

fn foreign(bytes: &[u8]) -> BenchError {
    const SHOWN: usize = 40;
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    BenchError::new(format_args!(
        "the server does not speak the Redis protocol: it sent {start:?}; is it the right port?"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> (usize, Answer<'_>) {
        scan(bytes).expect("a reply").expect("a whole one")
    }

    #[test]
    fn a_command_is_an_array_of_bulks() {
        let mut out = Vec::new();
        put_command(&[b"SET", b"k", b""], &mut out);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
    }

    #[test]
    fn every_kind_of_reply_is_found_and_measured() {
        assert_eq!(whole(b"+OK\r\n:1\r\n"), (5, Answer::Simple(b"OK")));
        assert_eq!(whole(b"-ERR no\r\n"), (9, Answer::Error(b"ERR no")));
        assert_eq!(whole(b":-7\r\n"), (5, Answer::Integer(b"-7")));
        assert_eq!(whole(b"$4\r\na\r\nb\r\n+"), (10, Answer::Bulk(b"a\r\nb")));
        assert_eq!(whole(b"$-1\r\n"), (5, Answer::Null));
        assert_eq!(whole(b"_\r\n"), (3, Answer::Null));
        assert_eq!(whole(b"*2\r\n$1\r\na\r\n*1\r\n:2\r\n+"), (19, Answer::Array));
    }

    #[test]
    fn a_reply_is_taken_only_when_it_is_whole() {
        let reply = b"*2\r\n$3\r\nabc\r\n*1\r\n:12\r\n";
        for length in 0..reply.len() {
            assert_eq!(scan(&reply[..length]).expect("a beginning"), None, "{length} bytes");
        }
        assert_eq!(whole(reply).0, reply.len());
    }

    #[test]
    fn what_is_no_reply_is_refused_with_a_hint() {
        for bytes in [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"$x\r\n", b"$1\r\nabc\r\n", b"\r\n"] {
            let text = scan(bytes).expect_err("not a reply").to_string();
            assert!(text.contains("is it the right port?"), "{text}");
        }
        let nested = "*1\r\n".repeat(DEPTH_MAX + 2);
        assert!(scan(nested.as_bytes()).is_err());
        assert!(scan(b"$18446744073709551615\r\n").is_err());
    }
}
