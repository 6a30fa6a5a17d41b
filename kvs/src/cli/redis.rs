//! The smallest Redis client that can operate a cluster: one command, one text reply.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::Outcome;

/// How long a node may take to be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a reply may take; longer than the server lets any operation take.
const REPLY_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest reply that is accepted, in bytes.
const REPLY_BYTES_MAX: u64 = 16 << 20;

/// Sends `command` to the first of `addresses` that answers it, and returns that address and the text
/// of the reply.
///
/// *Errors*: no node answers; or the last one that did answers with an error.
pub(super) fn call(
    addresses: &[SocketAddr],
    password: Option<&str>,
    command: &[&str],
) -> Outcome<(SocketAddr, String)> {
    let mut failure = String::from("the cluster file has no node that serves clients");
    for address in addresses {
        match call_at(*address, password, command) {
            Ok(Ok(reply)) => return Ok((*address, reply)),
            Ok(Err(refusal)) if refusal.starts_with("CLUSTERDOWN") => failure = refusal,
            Ok(Err(refusal)) => return Err(refusal.into()),
            Err(error) => {
                failure = format!(
                    "cannot ask the node at {address}: {error}; is it running, and is the address \
                     right (--at, or --config for a cluster file)?"
                );
            }
        }
    }
    Err(failure.into())
}

type Reply = Result<String, String>;

fn call_at(
    address: SocketAddr,
    password: Option<&str>,
    command: &[&str],
) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
    stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?.take(REPLY_BYTES_MAX));
    if let Some(password) = password {
        stream.write_all(&encode(&["AUTH", password]))?;
        if let Err(refusal) = read_reply(&mut reader)? {
            return Ok(Err(refusal));
        }
    }
    stream.write_all(&encode(command))?;
    read_reply(&mut reader)
}

fn encode(command: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
    for argument in command {
        bytes.extend(format!("${}\r\n{argument}\r\n", argument.len()).bytes());
    }
    bytes
}

fn read_reply(reader: &mut impl BufRead) -> std::io::Result<Reply> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.trim_end();
    match line.split_at_checked(1) {
        Some(("+", text)) => Ok(Ok(text.to_owned())),
        Some(("-", text)) => Ok(Err(text.to_owned())),
        Some(("$", length)) => {
            let length = length.parse().map_err(|_| unexpected(line))?;
            let mut text = Vec::new();
            reader.take(length).read_to_end(&mut text)?;
            String::from_utf8(text).map(Ok).map_err(|_| unexpected("a reply that is no text"))
        }
        Some(_) | None => Err(unexpected(line)),
    }
}

fn unexpected(line: &str) -> std::io::Error {
    let text = format!("it answered `{line}`, which no kvs node does: is it another server?");
    std::io::Error::new(std::io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_and_strangers_recognized() {
        let read = |text: &str| read_reply(&mut text.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(read("+OK\r\n"), Ok(Ok("OK".into())));
        assert_eq!(read("$2\r\nhi\r\n"), Ok(Ok("hi".into())));
        assert_eq!(read("-ERR no\r\n"), Ok(Err("ERR no".into())));
        assert!(read("HTTP/1.1 400 Bad Request\r\n").is_err());
        assert!(read("").is_err());
    }
}
