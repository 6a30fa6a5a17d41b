//! The smallest Redis client that can operate a cluster: one command after the other at one node, or one
//! at several nodes at once.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a node may take to be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest reply that is accepted, in bytes: a chunk of a state with one of the longest values.
const REPLY_BYTES_MAX: u64 = 32 << 20;
/// The longest line.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Why a node did not do what it was told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    /// It said why: the text of its error. First in order, because it tells most.
    Refused(String),
    /// It could not be asked, or did not answer.
    Silent(String),
}

/// What a node answered.
pub(super) type Answer = Result<String, Failure>;

/// Sends `command` to all of `addresses` at once, and returns the answers as soon as one of them is
/// `enough`, which is the last one then; or all of them, after `timeout` at the latest.
pub(super) fn ask_all(
    addresses: &[SocketAddr],
    password: Option<&str>,
    command: &[&str],
    timeout: Duration,
    enough: impl Fn(&str) -> bool,
) -> Vec<(SocketAddr, Answer)> {
    let deadline = Instant::now() + timeout;
    let (sender, receiver) = mpsc::channel();
    for address in addresses.iter().copied() {
        let (sender, password) = (sender.clone(), password.map(ToOwned::to_owned));
        let command: Vec<String> = command.iter().map(ToString::to_string).collect();
        // The program ends without those that nobody waits for any more.
        std::thread::spawn(move || {
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            let answer = ask(address, password.as_deref(), &command, timeout);
            let _ = sender.send((address, answer));
        });
    }
    drop(sender);
    let mut answers: Vec<(SocketAddr, Answer)> = Vec::new();
    while let Ok((address, answer)) =
        receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    {
        let is_enough = answer.as_ref().is_ok_and(|text| enough(text));
        answers.push((address, answer));
        if is_enough {
            return answers;
        }
    }
    let unheard = addresses.iter().filter(|address| answers.iter().all(|(by, _)| by != *address));
    let unheard: Vec<SocketAddr> = unheard.copied().collect();
    let silence = || Err(Failure::Silent(format!("no answer within {timeout:?}")));
    answers.extend(unheard.into_iter().map(|address| (address, silence())));
    answers
}

/// Sends `command` to the node at `address`, which may take up to `timeout` to answer.
pub(super) fn ask(
    address: SocketAddr,
    password: Option<&str>,
    command: &[&str],
    timeout: Duration,
) -> Answer {
    let reply = Connection::open(address, password, timeout)?.call(command)?;
    String::from_utf8(reply).map_err(|_| Failure::Silent("it answered what is no text".into()))
}

/// A connection to one node.
pub(super) struct Connection {
    reader: BufReader<TcpStream>,
    timeout: Duration,
}

impl Connection {
    /// Connects to the node at `address`, which may take up to `timeout` to answer each command.
    ///
    /// *Errors*: it cannot be reached, or does not take the password.
    pub(super) fn open(
        address: SocketAddr,
        password: Option<&str>,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let stream = connect(address, timeout).map_err(|error| silent(&error, timeout))?;
        let mut connection = Self { reader: BufReader::new(stream), timeout };
        if let Some(password) = password {
            connection.call(&["AUTH", password])?;
        }
        Ok(connection)
    }

    /// Sends `command` and returns its reply.
    ///
    /// *Errors*: the node refuses it, or does not answer.
    pub(super) fn call(&mut self, command: &[&str]) -> Result<Vec<u8>, Failure> {
        let written = self.reader.get_mut().write_all(&encode(command));
        let reply = written.and_then(|()| read_reply(&mut self.reader));
        reply.map_err(|error| silent(&error, self.timeout))?.map_err(Failure::Refused)
    }
}

fn connect(address: SocketAddr, timeout: Duration) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT.min(timeout))?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn silent(error: &std::io::Error, timeout: Duration) -> Failure {
    Failure::Silent(match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
            format!("no answer within {timeout:?}")
        }
        _ => error.to_string(),
    })
}

fn encode(command: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
    for argument in command {
        bytes.extend(format!("${}\r\n{argument}\r\n", argument.len()).bytes());
    }
    bytes
}

/// A reply, or the text of an error.
type Reply = Result<Vec<u8>, String>;

fn read_reply(reader: &mut impl BufRead) -> std::io::Result<Reply> {
    let mut line = String::new();
    reader.take(LINE_BYTES_MAX).read_line(&mut line)?;
    let line = line.trim_end();
    match line.split_at_checked(1) {
        Some(("+", text)) => Ok(Ok(text.into())),
        Some(("-", text)) => Ok(Err(text.to_owned())),
        Some(("$", length)) => {
            let length: u64 = length.parse().map_err(|_| unexpected(line))?;
            if length > REPLY_BYTES_MAX {
                return Err(unexpected(line));
            }
            let mut bytes = Vec::new();
            reader.take(length + 2).read_to_end(&mut bytes)?;
            if bytes.len() as u64 != length + 2 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            bytes.truncate(length as usize);
            Ok(Ok(bytes))
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
    fn all_nodes_are_asked_at_once_and_the_most_telling_comes_first() {
        let serving = |reply: &'static str| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("bound");
            std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("a caller");
                stream.write_all(reply.as_bytes()).expect("it listens");
                let _ = stream.read_to_end(&mut Vec::new());
            });
            address
        };
        let mute = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let silent = mute.local_addr().expect("bound");
        let timeout = Duration::from_secs(30);
        let addresses = [silent, serving("-CLUSTERDOWN no\r\n"), serving("$2\r\nhi\r\n")];
        // Were the silent one waited for, this would take as long as the timeout.
        let started = Instant::now();
        let answers = ask_all(&addresses, None, &["KVS.STATUS"], timeout, |text| text == "hi");
        assert!(started.elapsed() < timeout / 2);
        assert_eq!(answers.last(), Some(&(addresses[2], Ok("hi".into()))));
        let addresses = [silent, serving("-CLUSTERDOWN no\r\n")];
        let timeout = Duration::from_millis(100);
        let answers = ask_all(&addresses, None, &["KVS.STATUS"], timeout, |_| true);
        let mut failures: Vec<Failure> = answers.into_iter().filter_map(|(_, a)| a.err()).collect();
        failures.sort_unstable();
        let expected = Failure::Silent("no answer within 100ms".into());
        assert_eq!(failures, [Failure::Refused("CLUSTERDOWN no".into()), expected]);
    }

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
