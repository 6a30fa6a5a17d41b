//! The two servers, and a client for either.

use std::future::Future;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kvs::connection::{Admin, Options, Server, serve_connection};
use kvs::log::{Order, ReplicatedLog, RequestError};
use kvs::log_entry::encode_question;
use kvs::resp::Reply;
use kvs::store::{Store, StoreLimits};
use paxos::slot::Slot;
use paxos::state_machine::{Position, StateMachine};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use super::Result;

/// A redis-server of our own, ended when dropped.
pub(crate) struct Redis {
    child: Child,
    socket: PathBuf,
    _directory: tempfile::TempDir,
}

impl Redis {
    pub(crate) async fn start(password: Option<&str>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let socket = directory.path().join("redis.sock");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--databases", "1"]);
        command.args(["--proto-max-bulk-len", "1mb"]);
        command.arg("--unixsocket").arg(&socket).arg("--dir").arg(directory.path());
        if let Some(password) = password {
            command.args(["--requirepass", password]);
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let redis = Self { child, socket, _directory: directory };
        for _ in 0..500 {
            if UnixStream::connect(&redis.socket).await.is_ok() {
                return Ok(redis);
            }
            // Nothing tells when the socket is there.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err("it does not listen".into())
    }

    pub(crate) async fn connect(&self) -> Result<Client> {
        Ok(Client::new(UnixStream::connect(&self.socket).await?))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

type Answer = oneshot::Sender<Option<Bytes>>;

/// A log of one process: a task applies entries and answers queries, in the order they come or in any.
#[derive(Clone)]
pub(crate) struct FakeLog<const IS_ORDERED: bool> {
    requests: mpsc::UnboundedSender<(Bytes, bool, Answer)>,
}

impl FakeLog<true> {
    fn new() -> Self {
        let (requests, mut inbox) = mpsc::unbounded_channel::<(Bytes, bool, Answer)>();
        tokio::spawn(async move {
            let mut store = Store::default();
            let mut slot = Slot::ZERO;
            while let Some((entry, is_query, answer)) = inbox.recv().await {
                let reply = if is_query {
                    store.query(&entry)
                } else {
                    slot = slot.next();
                    Some(store.apply(Position { slot, index: 0 }, &entry))
                };
                let _ = answer.send(reply);
            }
        });
        Self { requests }
    }
}

impl FakeLog<false> {
    /// Takes what is there, and executes it from the last one to the first one or in other orders.
    fn shuffled() -> Self {
        let (requests, mut inbox) = mpsc::unbounded_channel::<(Bytes, bool, Answer)>();
        tokio::spawn(async move {
            let mut store = Store::partially_ordered(StoreLimits::default());
            let (mut slot, mut chance) = (Slot::ZERO, 0usize);
            let mut waiting = Vec::new();
            while inbox.recv_many(&mut waiting, 1024).await > 0 {
                while !waiting.is_empty() {
                    chance = chance.wrapping_mul(25_214_903_917).wrapping_add(11);
                    let place = (chance >> 16) % waiting.len();
                    let (entry, is_query, answer) = waiting.swap_remove(place);
                    slot = slot.next();
                    let entry = if is_query { encode_question(&entry) } else { entry };
                    let reply = store.apply(Position { slot, index: 0 }, &entry);
                    let _ = answer.send((!reply.is_empty()).then_some(reply));
                }
            }
        });
        Self { requests }
    }
}

impl<const IS_ORDERED: bool> FakeLog<IS_ORDERED> {
    fn ask(
        &self,
        entry: Bytes,
        is_query: bool,
    ) -> impl Future<Output = std::result::Result<Option<Bytes>, RequestError>> + Send + use<IS_ORDERED>
    {
        let (sender, receiver) = oneshot::channel();
        let _ = self.requests.send((entry, is_query, sender));
        async move { receiver.await.map_err(|_| RequestError::Stopped) }
    }
}

impl<const IS_ORDERED: bool> ReplicatedLog for FakeLog<IS_ORDERED> {
    const ORDER: Order = if IS_ORDERED { Order::Called } else { Order::Returned };

    fn propose(
        &self,
        command: Bytes,
    ) -> impl Future<Output = std::result::Result<Bytes, RequestError>> + Send + 'static {
        let answer = self.ask(command, false);
        async move { answer.await?.ok_or(RequestError::Stopped) }
    }

    fn read(
        &self,
        query: Bytes,
    ) -> impl Future<Output = std::result::Result<Option<Bytes>, RequestError>> + Send + 'static
    {
        self.ask(query, true)
    }
}

#[derive(Clone)]
pub(crate) struct NoAdmin;

impl Admin for NoAdmin {
    fn call(&self, _: Vec<Bytes>) -> impl Future<Output = Reply> + Send + 'static {
        std::future::ready(Reply::ok())
    }

    fn replication_info(&self) -> String {
        "role:master".to_owned()
    }
}

/// Our server, over streams in memory.
pub(crate) enum Replica {
    /// With a log that has an order.
    Ordered(Arc<Server<FakeLog<true>, NoAdmin>>),
    /// With one that executes what is in flight together in any order.
    Shuffled(Arc<Server<FakeLog<false>, NoAdmin>>),
}

impl Replica {
    pub(crate) fn new(password: Option<&str>, is_ordered: bool) -> Self {
        let options = Options { requirepass: password.map(str::to_owned), ..Options::default() };
        match is_ordered {
            true => Self::Ordered(Arc::new(Server::new(options, FakeLog::new(), NoAdmin))),
            false => Self::Shuffled(Arc::new(Server::new(options, FakeLog::shuffled(), NoAdmin))),
        }
    }

    pub(crate) fn connect(&self) -> Client {
        let (near, far) = tokio::io::duplex(4096);
        match self {
            Self::Ordered(server) => tokio::spawn(serve_connection(far, Arc::clone(server))),
            Self::Shuffled(server) => tokio::spawn(serve_connection(far, Arc::clone(server))),
        };
        Client::new(near)
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection whose replies are taken as raw bytes.
pub(crate) struct Client {
    reader: tokio::io::ReadHalf<Box<dyn Stream>>,
    writer: tokio::io::WriteHalf<Box<dyn Stream>>,
    received: Vec<u8>,
}

impl Client {
    fn new(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (reader, writer) = tokio::io::split(Box::new(stream) as Box<dyn Stream>);
        Self { reader, writer, received: Vec::new() }
    }

    /// Sends while receiving, because the server stops reading when nobody takes its replies.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let Self { reader, writer, received } = self;
        let write = writer.write_all(bytes);
        tokio::pin!(write);
        loop {
            tokio::select! {
                biased;
                result = &mut write => match result {
                    // The server may have closed the connection over the first of the bytes.
                    Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
                    result => return Ok(result?),
                },
                count = reader.read_buf(received) => if count? == 0 { return Ok(()) },
            }
        }
    }

    /// The next reply.
    pub(crate) async fn receive(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(length) = reply_length(&self.received) {
                return Ok(self.received.drain(..length).collect());
            }
            if self.reader.read_buf(&mut self.received).await? == 0 {
                return Err(format!("closed after {}", self.received.escape_ascii()).into());
            }
        }
    }

    /// Everything until the server closes the connection.
    pub(crate) async fn receive_all(&mut self) -> Result<Vec<u8>> {
        let rest = self.reader.read_to_end(&mut self.received);
        match tokio::time::timeout(Duration::from_secs(20), rest).await {
            Ok(Err(error)) if error.kind() != std::io::ErrorKind::ConnectionReset => {
                Err(error.into())
            }
            Ok(_) => Ok(std::mem::take(&mut self.received)),
            Err(_) => Err(format!("not closed after {}", self.received.escape_ascii()).into()),
        }
    }
}

/// Bytes of the first reply in `bytes`, if it is complete.
pub(crate) fn reply_length(bytes: &[u8]) -> Option<usize> {
    let line = bytes.iter().position(|byte| *byte == b'\n')? + 1;
    let number = || std::str::from_utf8(&bytes[1..line - 2]).ok()?.parse::<i64>().ok();
    match bytes[0] {
        b'$' | b'=' => {
            let length = line + usize::try_from(number()?).map_or(0, |length| length + 2);
            (bytes.len() >= length).then_some(length)
        }
        kind @ (b'*' | b'%' | b'~') => {
            let count = number()?.max(0) * if kind == b'%' { 2 } else { 1 };
            let mut length = line;
            for _ in 0..count {
                length += reply_length(&bytes[length..])?;
            }
            Some(length)
        }
        _ => Some(line),
    }
}
