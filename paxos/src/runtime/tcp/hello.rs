//! The first frames of a connection: who is calling, and whether the other side wants to talk.
//!
//! ```text
//!   dialler                                    listener
//!     │ Hello { cluster, node, incarnation, … }   │
//!     │ ────────────────────────────────────────► │  checks it
//!     │ Answer::Welcome(Hello) | NotYet | Refused  │
//!     │ ◄──────────────────────────────────────── │
//!     │ checks it                                 │
//!     │ frames … (one direction only)             │
//! ```
//!
//! Layout: magic (4), wire version (1), length of the body (4), crc32c of the body (4), body. Magic,
//! version and length are checked before the body is read, and the length is small.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::runtime::data_dir::Identity;
use crate::runtime::durable_file::word;
use crate::runtime::founding::{Ballot, Charter, Roster};
use crate::wire::{self, Decode, Encode, Frame, WIRE_VERSION};

const MAGIC: &[u8; 4] = b"MPXS";
const HEADER_BYTES: usize = 13;

/// The longest hello or answer, in bytes. The roster and the charter of a hundred processes fit.
const HELLO_BYTES_MAX: usize = 64 << 10;

/// How long the other side may take to say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// What a caller wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub(in crate::runtime) enum Purpose {
    /// Exchange hellos, and close.
    Found,
    /// Send messages.
    Run,
    /// Learn which cluster this is, and close.
    Ask,
    /// Take part once an operator has admitted it. With what the application says of itself.
    Join(Vec<u8>),
    /// Learn what the application of a member knows of all, and whether the caller is still one.
    Inquire,
}

/// What a process says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub(in crate::runtime) struct Hello {
    pub(in crate::runtime) identity: Identity,
    pub(in crate::runtime) purpose: Purpose,
    /// What it was started with.
    pub(in crate::runtime) charter: Charter,
    /// What it has durably said about the founding of the cluster.
    pub(in crate::runtime) ballot: Ballot,
}

/// What a listener says to a hello.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub(in crate::runtime) enum Answer {
    /// The caller may go on.
    Welcome(Hello),
    /// The cluster is not founded yet as far as the listener knows: try again soon.
    NotYet(Hello),
    /// The caller may not take part, for this reason.
    Refused(String),
    /// The caller is no member, or wants to join. With what the application knows of the others.
    Waiting(Hello, Vec<u8>),
    /// The caller is a member. With what the application needs to know to take part.
    Admitted(Hello, Vec<u8>),
}

/// Sends `value` (a hello or an answer).
pub(in crate::runtime) async fn write<V: Encode>(
    stream: &mut TcpStream,
    value: &V,
) -> io::Result<()> {
    let mut bytes = vec![0; HEADER_BYTES];
    wire::encode_into(value, &mut bytes);
    let body = &bytes[HEADER_BYTES..];
    check_length(body.len())?;
    let (length, crc) = (body.len() as u32, crc32c::crc32c(body));
    bytes[..4].copy_from_slice(MAGIC);
    bytes[4] = WIRE_VERSION;
    bytes[5..9].copy_from_slice(&length.to_le_bytes());
    bytes[9..13].copy_from_slice(&crc.to_le_bytes());
    stream.write_all(&bytes).await
}

/// *Errors*: an answer with the hello of a process that founds with `roster` would be too long.
pub(in crate::runtime) fn check_length_of(
    identity: &Identity,
    charter: &Charter,
    roster: Roster,
) -> io::Result<()> {
    let ballot = Ballot { vote: Some(roster), founded: true };
    let (identity, charter) = (identity.clone(), charter.clone());
    let hello = Hello { identity, purpose: Purpose::Found, charter, ballot };
    check_length(wire::encode(&Answer::Welcome(hello)).len())
}

fn check_length(bytes: usize) -> io::Result<()> {
    if bytes <= HELLO_BYTES_MAX {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "a hello of {bytes} bytes is above the limit of {HELLO_BYTES_MAX}: choose shorter names \
             or fewer processes"
        ),
    ))
}

/// Receives a hello or an answer. Nothing is read ahead.
///
/// *Errors*: the other side is silent for too long, or is not of this protocol or version.
pub(in crate::runtime) async fn read<V: Decode<Frame>>(stream: &mut TcpStream) -> io::Result<V> {
    match timeout(HELLO_TIMEOUT, read_patiently(stream)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it does not say hello")),
    }
}

async fn read_patiently<V: Decode<Frame>>(stream: &mut TcpStream) -> io::Result<V> {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).await?;
    if header[..4] != MAGIC[..] {
        return Err(malformed("it is not a process of this program: check the address"));
    }
    if header[4] != WIRE_VERSION {
        return Err(malformed(&format!(
            "it speaks wire version {} and this process speaks {WIRE_VERSION}: run the same program \
             on both",
            header[4]
        )));
    }
    let length = word(&header, 5) as usize;
    if length > HELLO_BYTES_MAX {
        return Err(malformed(&format!("its hello claims {length} bytes")));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    if crc32c::crc32c(&body) != word(&header, 9) {
        return Err(malformed("its hello is damaged"));
    }
    wire::decode(&Bytes::from(body)).map_err(|error| malformed(&format!("its hello: {error}")))
}

fn malformed(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Says hello as a dialler, and returns what the process called `name` says of itself.
///
/// *Errors*: it refuses, it is another process, it is of another cluster, or it has another charter.
pub(in crate::runtime) async fn call(
    stream: &mut TcpStream,
    own: &Hello,
    name: &str,
) -> io::Result<Hello> {
    write(stream, own).await?;
    let (hello, is_founded) = match read(stream).await? {
        Answer::Welcome(hello) => (hello, true),
        Answer::NotYet(hello) | Answer::Waiting(hello, _) | Answer::Admitted(hello, _) => {
            (hello, false)
        }
        Answer::Refused(reason) => {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionRefused,
                format!("it refuses this process: {reason}"),
            ));
        }
    };
    check_cluster(own, &hello).map_err(|reason| malformed(&reason))?;
    if hello.identity.node != name {
        return Err(malformed(&format!(
            "process {:?} answers there: correct the address of {name:?}",
            hello.identity.node
        )));
    }
    if own.purpose == Purpose::Run && !is_founded {
        return Err(io::Error::new(
            io::ErrorKind::NotConnected,
            "it does not know yet that the cluster is founded",
        ));
    }
    Ok(hello)
}

/// *Errors*: the reason to refuse a process of another cluster, one with our own name, or one with
/// another charter.
pub(in crate::runtime) fn check_cluster(own: &Hello, other: &Hello) -> Result<(), String> {
    let (own_charter, other_charter) = (&own.charter, &other.charter);
    let (own, other) = (&own.identity, &other.identity);
    check_identity(own, other)?;
    let (at_own, at_other) = (format!("at {:?}", own.node), format!("at {:?}", other.node));
    match own_charter.difference(&at_own, other_charter, &at_other) {
        Some(difference) => Err(format!(
            "{:?} and {:?} were started with different descriptions of the cluster; {difference}; \
             give both the one that the cluster is founded with",
            own.node, other.node
        )),
        None => Ok(()),
    }
}

/// *Errors*: the reason to refuse a process of another cluster, or one with our own name.
pub(in crate::runtime) fn check_identity(own: &Identity, other: &Identity) -> Result<(), String> {
    if own.cluster != other.cluster {
        return Err(format!(
            "{:?} is of cluster {:?} and {:?} is of cluster {:?}: correct an address or a cluster \
             name",
            own.node, own.cluster, other.node, other.cluster
        ));
    }
    if own.node == other.node {
        return Err(format!("two processes are named {:?}: rename one", own.node));
    }
    Ok(())
}
