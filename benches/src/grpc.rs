//! The part of gRPC that two calls of etcd need, over HTTP/2 (RFC 9113), from a client's side.
//!
//! One call at a time on a connection, as one client of etcd makes them. Headers of replies are not
//! looked at: a call that succeeds has a message, and one that fails has none (it ends with its
//! first headers). The table for headers is turned off, so that nothing has to be remembered of
//! them.

use crate::error::{BenchError, Outcome};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes in front of each frame.
const HEAD_BYTES: usize = 9;

/// The longest frame that a server may send us.
const FRAME_BYTES_MAX: usize = 16_384;

/// Types of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

/// Flags of frames.
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// What we let a server send before it has to wait for us: all that there is.
const WINDOW_MAX: u32 = 0x7fff_ffff;

/// What a server lets us send at first, on the connection and in each call. A larger message is not
/// sent.
const WINDOW_AT_FIRST: i64 = 65_535;

/// What has come of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It succeeded.
    Done,
    /// It failed; why is in headers that nobody looks at.
    Failed,
}

/// A connection, as far as the protocol needs to remember it.
#[derive(Clone, Debug)]
pub(crate) struct Grpc {
    authority: String,
    /// The stream of the latest call; odd, and growing.
    stream: u32,
    /// Bytes that the server lets us send now.
    window: i64,
    /// Whether the call under way has a message already.
    has_message: bool,
}

impl Grpc {
    /// A new connection to `authority`; what must be sent first goes to `out`.
    pub(crate) fn open(authority: &str, out: &mut Vec<u8>) -> Self {
        const HEADER_TABLE_SIZE: [u8; 2] = [0, 1];
        const INITIAL_WINDOW_SIZE: [u8; 2] = [0, 4];
        out.extend_from_slice(PREFACE);
        put_head(12, SETTINGS, 0, 0, out);
        out.extend_from_slice(&HEADER_TABLE_SIZE);
        out.extend_from_slice(&0_u32.to_be_bytes());
        out.extend_from_slice(&INITIAL_WINDOW_SIZE);
        out.extend_from_slice(&WINDOW_MAX.to_be_bytes());
        put_head(4, WINDOW_UPDATE, 0, 0, out);
        out.extend_from_slice(&(WINDOW_MAX - WINDOW_AT_FIRST as u32).to_be_bytes());
        let (authority, window) = (authority.to_owned(), WINDOW_AT_FIRST);
        Self { authority, stream: 0, window, has_message: false }
    }

    /// Writes down a call of etcd that gives `key` a value.
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let mut message = Vec::with_capacity(key.len() + value.len() + 12);
        put_field(1, key, &mut message);
        put_field(2, value, &mut message);
        self.call("/etcdserverpb.KV/Put", &message, out);
    }

    /// Writes down a call of etcd that reads `key`, linearizably.
    pub(crate) fn range(&mut self, key: &[u8], out: &mut Vec<u8>) {
        let mut message = Vec::with_capacity(key.len() + 6);
        put_field(1, key, &mut message);
        self.call("/etcdserverpb.KV/Range", &message, out);
    }

    /// Whether a call with a message of so many bytes may be sent now.
    pub(crate) fn may_send(&self, bytes: usize) -> bool {
        const HEAD_AND_FIELDS: i64 = 64;
        self.window >= bytes as i64 + HEAD_AND_FIELDS
    }

    fn call(&mut self, path: &str, message: &[u8], out: &mut Vec<u8>) {
        const GRPC_HEAD_BYTES: usize = 5;
        self.stream = if self.stream == 0 { 1 } else { self.stream + 2 };
        self.has_message = false;
        let block = header_block(path, &self.authority);
        put_head(block.len(), HEADERS, END_HEADERS, self.stream, out);
        out.extend_from_slice(&block);
        let length = GRPC_HEAD_BYTES + message.len();
        put_head(length, DATA, END_STREAM, self.stream, out);
        out.push(0); // Not compressed.
        out.extend_from_slice(&(message.len() as u32).to_be_bytes());
        out.extend_from_slice(message);
        self.window -= length as i64;
    }

    /// Takes one frame off the front of `input`, if there is a whole one: how many bytes it had,
    /// and what has come of the call if it has ended. What must be answered goes to `out`.
    ///
    /// *Errors*: the server does not speak HTTP/2, or ends the connection.
    pub(crate) fn take(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Outcome<Option<(usize, Option<Ended>)>> {
        let Some((head, rest)) = input.split_at_checked(HEAD_BYTES) else { return Ok(None) };
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let (kind, flags) = (head[3], head[4]);
        if length > FRAME_BYTES_MAX {
            return Err(foreign(input));
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let stream = number(&head[5..]) & WINDOW_MAX;
        let ended = self.step((kind, flags, stream), payload, out)?;
        Ok(Some((HEAD_BYTES + length, ended)))
    }

    fn step(
        &mut self,
        (kind, flags, stream): (u8, u8, u32),
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Outcome<Option<Ended>> {
        let is_current = stream == self.stream;
        match kind {
            DATA if is_current => self.has_message |= !payload.is_empty(),
            RST_STREAM if is_current => return Ok(Some(Ended::Failed)),
            SETTINGS if flags & ACK == 0 => put_head(0, SETTINGS, ACK, 0, out),
            PING if flags & ACK == 0 => {
                put_head(payload.len(), PING, ACK, 0, out);
                out.extend_from_slice(payload);
            }
            GOAWAY => return Err(BenchError::new("the server ends the connection")),
            WINDOW_UPDATE if stream == 0 && payload.len() == 4 => {
                self.window += i64::from(number(payload) & WINDOW_MAX);
            }
            _ => {}
        }
        let is_over = is_current && matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
        let ended = if self.has_message { Ended::Done } else { Ended::Failed };
        Ok(is_over.then_some(ended))
    }
}

/// The headers of a call, by the static table of RFC 7541.
fn header_block(path: &str, authority: &str) -> Vec<u8> {
    const METHOD_POST: u8 = 0x83;
    const SCHEME_HTTP: u8 = 0x86;
    const AUTHORITY: &[u8] = &[0x01];
    const PATH: &[u8] = &[0x04];
    const CONTENT_TYPE: &[u8] = &[0x0f, 0x10];
    const NEW_NAME: &[u8] = &[0x00];
    let mut block = vec![METHOD_POST, SCHEME_HTTP];
    let mut put = |name: &[u8], values: &[&str]| {
        block.extend_from_slice(name);
        for value in values {
            block.push(value.len() as u8); // All are short, and not Huffman-coded.
            block.extend_from_slice(value.as_bytes());
        }
    };
    put(PATH, &[path]);
    put(AUTHORITY, &[authority]);
    put(CONTENT_TYPE, &["application/grpc"]);
    put(NEW_NAME, &["te", "trailers"]);
    block
}

fn put_head(length: usize, kind: u8, flags: u8, stream: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
}

/// A field of bytes, as protobuf writes it.
fn put_field(field: u8, bytes: &[u8], out: &mut Vec<u8>) {
    const BYTES: u8 = 2;
    out.push(field << 3 | BYTES);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn foreign(input: &[u8]) -> BenchError {
    let start = String::from_utf8_lossy(&input[..input.len().min(40)]).into_owned();
    BenchError::new(format_args!("the server does not speak HTTP/2: it sent {start:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> Grpc {
        Grpc::open("localhost:1", &mut Vec::new())
    }

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_head(payload.len(), kind, flags, stream, &mut out);
        out.extend_from_slice(payload);
        out
    }

    /// Takes all frames of `input`: how each call ended, and what is answered.
    fn take_all(grpc: &mut Grpc, mut input: &[u8]) -> (Vec<Ended>, Vec<u8>) {
        let (mut ends, mut out) = (Vec::new(), Vec::new());
        while let Some((taken, ended)) = grpc.take(input, &mut out).expect("frames") {
            ends.extend(ended);
            input = &input[taken..];
        }
        assert!(input.is_empty());
        (ends, out)
    }

    #[test]
    fn a_put_is_headers_and_a_message() {
        let (mut grpc, mut out) = (opened(), Vec::new());
        grpc.put(b"k", &[b'v'; 200], &mut out);
        let headers = header_block("/etcdserverpb.KV/Put", "localhost:1");
        let (head, rest) = out.split_at(HEAD_BYTES);
        assert_eq!(
            head,
            [&(headers.len() as u32).to_be_bytes()[1..], &[1, 4, 0, 0, 0, 1]].concat()
        );
        let data = &rest[headers.len()..];
        let message = [&[0x0a, 1, b'k', 0x12, 0xc8, 0x01][..], &[b'v'; 200]].concat();
        assert_eq!(data[..HEAD_BYTES], [0, 0, message.len() as u8 + 5, 0, 1, 0, 0, 0, 1]);
        assert_eq!(data[HEAD_BYTES + 5..], message);
        assert_eq!(data[HEAD_BYTES..HEAD_BYTES + 5], [0, 0, 0, 0, message.len() as u8]);
    }

    #[test]
    fn a_call_with_a_message_succeeds_and_one_without_fails() {
        let mut grpc = opened();
        grpc.range(b"k", &mut Vec::new());
        let reply = [
            frame(HEADERS, END_HEADERS, 1, b"h"),
            frame(DATA, 0, 1, b"m"),
            frame(HEADERS, 5, 1, b"t"),
        ];
        assert_eq!(take_all(&mut grpc, &reply.concat()).0, [Ended::Done]);
        grpc.range(b"k", &mut Vec::new());
        assert_eq!(take_all(&mut grpc, &frame(HEADERS, 5, 3, b"t")).0, [Ended::Failed]);
        grpc.range(b"k", &mut Vec::new());
        assert_eq!(take_all(&mut grpc, &frame(RST_STREAM, 0, 5, &[0; 4])).0, [Ended::Failed]);
    }

    #[test]
    fn the_server_s_own_frames_are_answered() {
        let mut grpc = opened();
        let frames = [
            frame(SETTINGS, 0, 0, &[0; 6]),
            frame(PING, 0, 0, b"12345678"),
            frame(SETTINGS, ACK, 0, b""),
        ];
        let (ends, out) = take_all(&mut grpc, &frames.concat());
        assert!(ends.is_empty());
        assert_eq!(out, [frame(SETTINGS, ACK, 0, b""), frame(PING, ACK, 0, b"12345678")].concat());
        assert!(grpc.take(&frame(GOAWAY, 0, 0, &[0; 8]), &mut Vec::new()).is_err());
    }

    #[test]
    fn no_more_is_sent_than_the_server_lets_us() {
        let mut grpc = opened();
        assert!(grpc.may_send(60_000));
        grpc.put(b"k", &[0; 60_000], &mut Vec::new());
        assert!(!grpc.may_send(60_000));
        take_all(&mut grpc, &frame(WINDOW_UPDATE, 0, 0, &60_000_u32.to_be_bytes()));
        assert!(grpc.may_send(60_000));
    }

    #[test]
    fn a_frame_is_taken_only_when_it_is_whole_and_reasonable() {
        let mut grpc = opened();
        let whole = frame(HEADERS, END_HEADERS, 1, b"abc");
        for length in 0..whole.len() {
            let taken = grpc.take(&whole[..length], &mut Vec::new()).expect("a beginning");
            assert_eq!(taken, None, "{length} bytes");
        }
        assert!(grpc.take(b"HTTP/1.1 400 Bad Request", &mut Vec::new()).is_err());
    }
}
