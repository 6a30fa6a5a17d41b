//! Replies that the server itself makes, encoded for the protocol the client speaks.

use bytes::{BufMut, Bytes, BytesMut};

/// The version of the protocol that a client asked for with HELLO. It starts with the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RESP2.
    #[default]
    Resp2,
    /// RESP3.
    Resp3,
}

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A short status, such as `OK`.
    Simple(String),
    /// An error; the text starts with its code, such as `ERR`.
    Error(String),
    /// An integer.
    Integer(i64),
    /// A string of any bytes.
    Bulk(Bytes),
    /// No value.
    Null,
    /// Replies in order.
    Array(Vec<Reply>),
    /// Pairs; in RESP2 an array of keys and values in turn.
    Map(Vec<(Reply, Reply)>),
    /// Replies without order; in RESP2 an array.
    Set(Vec<Reply>),
    /// A number; in RESP2 a string.
    Double(f64),
    /// Yes or no; in RESP2 one or zero.
    Boolean(bool),
    /// Text for people; in RESP2 a string.
    Text(String),
}

impl Reply {
    /// The reply `OK`.
    pub fn ok() -> Self {
        Self::Simple("OK".to_owned())
    }

    /// A string.
    pub fn bulk(text: impl AsRef<[u8]>) -> Self {
        Self::Bulk(Bytes::copy_from_slice(text.as_ref()))
    }

    /// Appends the reply as a client that speaks `protocol` expects it.
    pub fn encode(&self, protocol: Protocol, out: &mut BytesMut) {
        let is_resp3 = protocol == Protocol::Resp3;
        match self {
            Self::Simple(text) => put_line(b'+', text, out),
            Self::Error(text) => put_line(b'-', text, out),
            Self::Integer(value) => put_line(b':', &value.to_string(), out),
            Self::Bulk(bytes) => put_bulk(bytes, out),
            Self::Null => out.put_slice(if is_resp3 { b"_\r\n" } else { b"$-1\r\n" }),
            Self::Array(items) => put_items(b'*', items, protocol, out),
            Self::Set(items) => put_items(if is_resp3 { b'~' } else { b'*' }, items, protocol, out),
            Self::Map(pairs) => {
                let (kind, count) =
                    if is_resp3 { (b'%', pairs.len()) } else { (b'*', pairs.len() * 2) };
                put_line(kind, &count.to_string(), out);
                for (key, value) in pairs {
                    key.encode(protocol, out);
                    value.encode(protocol, out);
                }
            }
            Self::Double(value) if is_resp3 => put_line(b',', &value.to_string(), out),
            Self::Double(value) => put_bulk(value.to_string().as_bytes(), out),
            Self::Boolean(value) if is_resp3 => put_line(b'#', if *value { "t" } else { "f" }, out),
            Self::Boolean(value) => put_line(b':', if *value { "1" } else { "0" }, out),
            Self::Text(text) if is_resp3 => {
                put_line(b'=', &(text.len() + 4).to_string(), out);
                out.put_slice(b"txt:");
                out.put_slice(text.as_bytes());
                out.put_slice(b"\r\n");
            }
            Self::Text(text) => put_bulk(text.as_bytes(), out),
        }
    }

    /// The reply as bytes of its own.
    pub fn to_bytes(&self, protocol: Protocol) -> Bytes {
        let mut out = BytesMut::new();
        self.encode(protocol, &mut out);
        out.freeze()
    }
}

/// A line must not hold line ends: they would be taken for the next reply.
fn put_line(kind: u8, text: &str, out: &mut BytesMut) {
    out.put_u8(kind);
    if text.contains(['\r', '\n']) {
        out.put_slice(text.replace(['\r', '\n'], " ").as_bytes());
    } else {
        out.put_slice(text.as_bytes());
    }
    out.put_slice(b"\r\n");
}

fn put_bulk(bytes: &[u8], out: &mut BytesMut) {
    put_line(b'$', &bytes.len().to_string(), out);
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
}

fn put_items(kind: u8, items: &[Reply], protocol: Protocol, out: &mut BytesMut) {
    put_line(kind, &items.len().to_string(), out);
    for item in items {
        item.encode(protocol, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_in_both_protocols() {
        let map = vec![(Reply::bulk("a"), Reply::Integer(1))];
        let cases = [
            (Reply::ok(), "+OK\r\n", "+OK\r\n"),
            (Reply::Error("ERR a\r\nb".into()), "-ERR a  b\r\n", "-ERR a  b\r\n"),
            (Reply::Null, "$-1\r\n", "_\r\n"),
            (Reply::Map(map), "*2\r\n$1\r\na\r\n:1\r\n", "%1\r\n$1\r\na\r\n:1\r\n"),
            (Reply::Set(vec![Reply::Integer(1)]), "*1\r\n:1\r\n", "~1\r\n:1\r\n"),
            (Reply::Double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"),
            (Reply::Boolean(true), ":1\r\n", "#t\r\n"),
            (Reply::Text("hi".into()), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"),
            (Reply::Array(vec![Reply::Null]), "*1\r\n$-1\r\n", "*1\r\n_\r\n"),
        ];
        for (reply, resp2, resp3) in cases {
            assert_eq!(reply.to_bytes(Protocol::Resp2), resp2);
            assert_eq!(reply.to_bytes(Protocol::Resp3), resp3);
        }
    }
}
