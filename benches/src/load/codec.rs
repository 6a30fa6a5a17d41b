//! How a command becomes bytes on a connection, and bytes its outcome.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::error::Outcome;
use crate::grpc::{Ended, Grpc};
use crate::resp::{Answer, put_command, scan};
use crate::workload::Operation;

/// What servers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// That of Redis.
    Redis,
    /// gRPC, with the calls of etcd.
    Etcd,
}

/// One connection, as far as its protocol remembers anything.
#[derive(Clone, Debug)]
pub(super) enum Codec {
    Redis,
    Etcd(Grpc),
}

/// What has come of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply<'a> {
    Done,
    /// What the server said.
    Failed(&'a [u8]),
}

impl Codec {
    /// For a new connection; what must be sent first goes to `out`.
    pub(super) fn open(protocol: Protocol, server: SocketAddr, out: &mut Vec<u8>) -> Self {
        match protocol {
            Protocol::Redis => Self::Redis,
            Protocol::Etcd => Self::Etcd(Grpc::open(&server.to_string(), out)),
        }
    }

    /// Writes down a command.
    pub(super) fn put(&mut self, operation: Operation, value: &Bytes, out: &mut Vec<u8>) {
        let key = operation.key();
        let key = key.as_bytes();
        match (self, operation) {
            (Self::Redis, Operation::Get(_)) => put_command(&[b"GET", key], out),
            (Self::Redis, Operation::Set(_)) => put_command(&[b"SET", key, value], out),
            (Self::Etcd(grpc), Operation::Get(_)) => grpc.range(key, out),
            (Self::Etcd(grpc), Operation::Set(_)) => grpc.put(key, value, out),
        }
    }

    /// Whether one more command with a value of so many bytes may be sent now, by what the server
    /// said.
    pub(super) fn may_send(&self, value_bytes: usize) -> bool {
        match self {
            Self::Redis => true,
            Self::Etcd(grpc) => grpc.may_send(value_bytes),
        }
    }

    /// Takes the first message off `input`, if it is whole: how many bytes it had, and the reply if
    /// it was one. What must be answered goes to `out`.
    ///
    /// *Errors*: the server speaks something else, or ends the connection.
    pub(super) fn take<'a>(
        &mut self,
        input: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Outcome<Option<(usize, Option<Reply<'a>>)>> {
        match self {
            Self::Redis => Ok(scan(input)?.map(|(taken, answer)| match answer {
                Answer::Error(text) => (taken, Some(Reply::Failed(text))),
                _ => (taken, Some(Reply::Done)),
            })),
            Self::Etcd(grpc) => Ok(grpc.take(input, out)?.map(|(taken, ended)| {
                let reply = ended.map(|ended| match ended {
                    Ended::Done => Reply::Done,
                    Ended::Failed => Reply::Failed(b"grpc"),
                });
                (taken, reply)
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_protocols_write_and_read() {
        let server = SocketAddr::from(([127, 0, 0, 1], 1));
        let value = Bytes::from_static(b"value");
        for protocol in [Protocol::Redis, Protocol::Etcd] {
            let mut out = Vec::new();
            let mut codec = Codec::open(protocol, server, &mut out);
            assert_eq!(out.is_empty(), protocol == Protocol::Redis);
            assert!(codec.may_send(value.len()));
            codec.put(Operation::Set(3), &value, &mut out);
            codec.put(Operation::Get(4), &value, &mut out);
            let text = String::from_utf8_lossy(&out);
            assert!(text.contains("key:000000000003") && text.contains("value"), "{text}");
            assert!(text.contains("key:000000000004"), "{text}");
        }
    }

    #[test]
    fn an_error_is_told_apart() {
        let server = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut codec = Codec::open(Protocol::Redis, server, &mut Vec::new());
        let taken = codec.take(b"-ERR x\r\n+OK\r\n", &mut Vec::new()).expect("a reply");
        assert_eq!(taken, Some((8, Some(Reply::Failed(b"ERR x")))));
    }
}
