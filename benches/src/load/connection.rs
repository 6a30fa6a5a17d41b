//! One client of a server: a connection and what is under way on it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::codec::{Codec, Protocol, Reply};
use super::flow::Flow;
use super::run::Run;
use crate::error::{BenchError, Outcome};
use crate::workload::Operations;

/// Pause before a connection that was lost is opened again: as in the paper's leader-failure run.
const RECONNECT_PAUSE: Duration = Duration::from_millis(10);

/// Room for one read.
const READ_BYTES: usize = 16 * 1024;

/// A client with its connection.
pub(super) struct Connection {
    client: usize,
    run: Arc<Run>,
    flow: Flow,
    operations: Operations,
    /// Servers that would do, the preferred one first.
    servers: Vec<SocketAddr>,
    stream: TcpStream,
    protocol: Protocol,
    codec: Codec,
    /// Bytes to send, and how many of them were sent.
    output: Vec<u8>,
    written: usize,
    input: BytesMut,
    /// Told when a command is due.
    due: Arc<Notify>,
    /// How long a command may stay without an answer.
    timeout: Option<Duration>,
}

/// Waits until `deadline`, or for ever.
async fn patience(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Opens the connection of one client.
///
/// *Errors*: nobody listens there, or too many files are open; the text says what to do.
pub(super) async fn connect(address: SocketAddr) -> Outcome<TcpStream> {
    const TOO_MANY_FILES: i32 = 24;
    let stream = TcpStream::connect(address).await.map_err(|error| {
        let cure = match error.raw_os_error() {
            Some(TOO_MANY_FILES) => {
                "allow more open files with `ulimit -n 16384`, or use fewer clients"
            }
            _ => "is the server running, and is the address right?",
        };
        BenchError::new(format_args!("cannot connect to {address}: {error}; {cure}"))
    })?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Connection {
    pub(super) fn new(
        (client, run): (usize, Arc<Run>),
        flow: Flow,
        operations: Operations,
        (protocol, servers, stream): (Protocol, Vec<SocketAddr>, TcpStream),
        due: Arc<Notify>,
        timeout: Option<Duration>,
    ) -> Self {
        let (mut output, written, input) = (Vec::new(), 0, BytesMut::new());
        let codec = Codec::open(protocol, servers[0], &mut output);
        Self {
            client,
            run,
            flow,
            operations,
            servers,
            stream,
            protocol,
            codec,
            output,
            written,
            input,
            due,
            timeout,
        }
    }

    /// Sends and receives until the run is over.
    pub(super) async fn serve(mut self) {
        while !self.is_done() {
            self.fill();
            if let Err(error) = self.exchange().await {
                // What the server sent is no reply, or belongs to nothing.
                if error.kind() == io::ErrorKind::Other {
                    self.run.recorder(self.client).fail(b"foreign");
                }
                self.reconnect().await;
            }
        }
    }

    fn is_done(&self) -> bool {
        self.flow.is_idle() && (self.flow.is_over(self.run.now()) || self.run.is_spent())
    }

    /// Writes down the commands that are due.
    fn fill(&mut self) {
        let now = self.run.now();
        let before = self.output.len();
        let value = self.operations.value().clone();
        while self.flow.is_due(now) && self.codec.may_send(value.len()) && self.run.permit() {
            self.codec.put(self.operations.draw(), &value, &mut self.output);
            self.flow.send(now);
        }
        let count = self.output.len() - before;
        if count > 0 {
            self.run.recorder(self.client).bytes[0] += count as u64;
        }
    }

    /// Sends what can be sent and takes the replies that are there, after waiting for either.
    async fn exchange(&mut self) -> io::Result<()> {
        self.write()?;
        let interest = match self.written < self.output.len() {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        let ready = tokio::select! {
            ready = self.stream.ready(interest) => ready?,
            () = self.due.notified(), if self.flow.waits_for_time() => return Ok(()),
            () = patience(self.deadline()) => return Err(io::ErrorKind::TimedOut.into()),
        };
        if ready.is_readable() { self.read() } else { Ok(()) }
    }

    /// When the client gives up what is under way, if it ever does.
    fn deadline(&self) -> Option<Instant> {
        let sent = self.flow.oldest()?;
        Some(Instant::from_std(self.run.origin() + sent + self.timeout?))
    }

    fn write(&mut self) -> io::Result<()> {
        while self.written < self.output.len() {
            match self.stream.try_write(&self.output[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    fn read(&mut self) -> io::Result<()> {
        self.input.reserve(READ_BYTES);
        match self.stream.try_read_buf(&mut self.input) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => self.take_replies(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn take_replies(&mut self, received: usize) -> io::Result<()> {
        let (run, now) = (Arc::clone(&self.run), self.run.now());
        let mut recorder = run.recorder(self.client);
        recorder.bytes[1] += received as u64;
        let mut count = 0;
        while let Some((taken, reply)) =
            self.codec.take(&self.input, &mut self.output).map_err(io::Error::other)?
        {
            if let Some(reply) = reply {
                let Some(pending) = self.flow.answered() else {
                    return Err(io::Error::other("a reply to nothing"));
                };
                match reply {
                    Reply::Failed(text) => recorder.fail(text),
                    Reply::Done => recorder.complete(pending, now),
                }
                count += 1;
            }
            self.input.advance(taken);
        }
        run.add_completed(count);
        Ok(())
    }

    /// Opens a connection to the next server that takes one.
    async fn reconnect(&mut self) {
        let lost = self.flow.lose();
        self.run.recorder(self.client).lost += lost;
        self.output.clear();
        self.written = 0;
        self.input.clear();
        while !self.flow.is_over(self.run.now()) && !self.run.is_spent() {
            self.servers.rotate_left(1);
            if let Ok(stream) = connect(self.servers[0]).await {
                self.stream = stream;
                self.codec = Codec::open(self.protocol, self.servers[0], &mut self.output);
                return;
            }
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let now = self.run.now();
        let mut recorder = self.run.recorder(self.client);
        self.flow.under_way().for_each(|intended| recorder.give_up(intended, now));
        // When the budget is used up, the rest is not meant to be sent.
        if !self.run.is_spent() {
            self.flow.unsent().for_each(|intended| recorder.give_up(intended, now));
        }
        drop(recorder);
        self.run.leave();
    }
}
