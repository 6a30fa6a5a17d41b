//! Asks nodes as an operator does: a blocking connection, and the commands that `kvs` itself sends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use kvs::admin::Status;
use serde::de::DeserializeOwned;

use crate::error::{BenchError, Outcome};
use crate::resp::{Answer, put_command, scan};

/// How long one command of an operator may take: longer than the nodes give themselves.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A connection to one node.
#[derive(Debug)]
pub(crate) struct Operator {
    address: SocketAddr,
    stream: TcpStream,
    input: Vec<u8>,
}

impl Operator {
    /// *Errors*: the node takes no connection.
    pub(crate) fn connect(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT).map_err(|error| {
            BenchError::new(format_args!(
                "cannot connect to {address}: {error}; is the server running, and is the address right?"
            ))
        })?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { address, stream, input: Vec::new() })
    }

    /// The text of the reply to a command.
    ///
    /// *Errors*: the node says an error, or nothing.
    pub(crate) fn call(&mut self, words: &[&str]) -> Outcome<String> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let mut output = Vec::new();
        put_command(&words, &mut output);
        let address = self.address;
        let failed = |error| BenchError::new(format_args!("{address} does not answer: {error}"));
        self.stream.write_all(&output).map_err(failed)?;
        self.input.clear();
        let mut part = [0; 4096];
        loop {
            if let Some((_, answer)) = scan(&self.input)? {
                return text(answer)
                    .map_err(|error| BenchError::new(format_args!("{address} says: {error}")));
            }
            match self.stream.read(&mut part).map_err(failed)? {
                0 => return Err(failed(std::io::ErrorKind::UnexpectedEof.into())),
                count => self.input.extend_from_slice(&part[..count]),
            }
        }
    }

    /// The reply to a command of the cluster, which is JSON.
    ///
    /// *Errors*: as [`call`](Self::call); or no leader answers.
    pub(crate) fn report<R: DeserializeOwned>(&mut self, words: &[&str]) -> Outcome<R> {
        let text = self.call(words)?;
        serde_json::from_str(&text).map_err(|_| {
            BenchError::new(format_args!("{} was answered by {text}", words.join(" ")))
        })
    }

    /// How the cluster is.
    ///
    /// *Errors*: as [`report`](Self::report).
    pub(crate) fn status(&mut self) -> Outcome<Box<Status>> {
        self.report(&["KVS.STATUS"])
    }

    /// A counter in the reply to INFO; zero if the server has no such counter.
    ///
    /// *Errors*: as [`call`](Self::call).
    pub(crate) fn info(&mut self) -> Outcome<Info> {
        // Without a section a node of a cluster would ask the others for the number of keys.
        let replication = self.call(&["INFO", "replication"])?;
        let server = self.call(&["INFO", "server"])?;
        Ok(Info(server + "\r\n" + &replication))
    }
}

fn text(answer: Answer<'_>) -> Outcome<String> {
    let lossy = |bytes| String::from_utf8_lossy(bytes).into_owned();
    match answer {
        Answer::Error(bytes) => Err(BenchError::new(lossy(bytes))),
        Answer::Simple(bytes) | Answer::Integer(bytes) | Answer::Bulk(bytes) => Ok(lossy(bytes)),
        Answer::Null | Answer::Array => Ok(String::new()),
    }
}

/// The text of INFO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Info(String);

impl Info {
    /// The value of a line.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let mut lines = self.0.lines().filter_map(|line| line.trim_end().split_once(':'));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The number in a line.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_name() {
        let info = Info("# Server\r\nprocess_id:17\r\nrole:master\r\nfdatasyncs:x\r\n".into());
        assert_eq!(info.number("process_id"), Some(17));
        assert_eq!(info.text("role"), Some("master"));
        assert_eq!((info.number("fdatasyncs"), info.number("absent")), (None, None));
    }
}
