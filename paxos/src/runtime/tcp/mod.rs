//! The network between processes: TCP, with a checksum on every frame and a name on every connection.
//!
//! ```text
//!   process A                                          process B
//!   host ► send ► buffer ► flush ► chunk ► connection ═════════► connection ► frames ► inbox ► host
//!                                          (A dialled)           (B accepted)
//! ```
//!
//! Each process dials every other one, and uses that connection only to send; what it accepted it
//! only reads. A connection begins with hellos (`hello`) that vouch for cluster, name and
//! incarnation; from then on the sender of a frame is a seat of that process, with that incarnation.
//!
//! `send` encodes straight into the buffer of the peer, and `flush` hands the buffer over as one
//! chunk, which is one write: the messages of one turn share a system call. A peer's queue is bounded
//! in bytes, less while it is not connected; what does not fit is dropped and counted. A receiver that
//! is behind stops reading, which fills the sender's queue.
//!
//! Bytes that are not what they should be close the connection they came on, with a log line that
//! names the peer, and harm nothing else.

mod accept;
mod candidates;
mod directory;
mod frame;
pub(in crate::runtime) mod hello;
mod peer;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use self::accept::Door;
pub use self::candidates::{Candidate, Candidates};
pub use self::directory::{Directory, DirectoryHandle, Process};
use self::hello::{Hello, Purpose};
use self::peer::{Chunk, Dialler, Link};
use super::data_dir::{Identity, random_u64};
use super::founding::{Ballot, Charter, Roster};
use crate::actor::Seat;
use crate::transport::{Envelope, Transport};
use crate::wire::{Decode, Encode, Frame};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// How long a peer's machine may leave bytes unacknowledged before its connection is given up.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// A buffer is made this large at most before there is something to put into it.
const FLUSH_HINT_BYTES: usize = 256 << 10;

/// Pause between log lines about dropped messages of one peer.
const REPORT_PAUSE: Duration = Duration::from_secs(1);

/// Limits of a [`TcpTransport`].
#[derive(Clone, Debug)]
pub struct TcpOptions {
    /// Bytes that may wait for a connected peer.
    pub queue_bytes: usize,
    /// Bytes that may wait for a peer that is not connected; they are sent when it is.
    pub unconnected_queue_bytes: usize,
    /// Messages that were received and may wait for the host.
    pub inbox_messages: usize,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self { queue_bytes: 64 << 20, unconnected_queue_bytes: 1 << 20, inbox_messages: 8192 }
    }
}

/// What a transport has done since it was started. Shared, and cheap to read.
#[derive(Debug, Default)]
pub struct TcpStats {
    /// Connections that were dialled and welcomed.
    pub connections: AtomicU64,
    /// Bytes that were written to peers.
    pub sent_bytes: AtomicU64,
    /// Bytes that were read from peers.
    pub received_bytes: AtomicU64,
    /// Messages that were dropped: the queue of the peer was full, its incarnation is another one,
    /// nobody has the seat, or the message is too large.
    pub dropped: AtomicU64,
}

/// Which peers a transport has a connection to. Shared, and cheap to clone; none by default.
#[derive(Clone, Debug, Default)]
pub struct Connections(Arc<Mutex<BTreeMap<String, Arc<Link>>>>);

impl Connections {
    /// Every other process of the directory, and whether it can be sent to now.
    pub fn connected(&self) -> BTreeMap<String, bool> {
        let links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        links
            .iter()
            .map(|(name, link)| (name.clone(), link.is_connected.load(Ordering::Acquire)))
            .collect()
    }

    fn replace(&self, links: BTreeMap<String, Arc<Link>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = links;
    }
}

/// A bound address.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Listens on `address` (`host:port`; port 0 lets the system choose one).
    ///
    /// *Errors*: the address is in use, or not of this machine.
    pub async fn bind(address: &str) -> io::Result<Self> {
        let named = |error: io::Error| {
            let cure = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    "another process listens there: stop it or choose another port"
                }
                io::ErrorKind::AddrNotAvailable => "name an address of this machine",
                io::ErrorKind::PermissionDenied => "choose a port above 1023",
                _ => "name an address of this machine as host:port",
            };
            io::Error::new(error.kind(), format!("listening on {address}: {error}; {cure}"))
        };
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for resolved in tokio::net::lookup_host(address).await.map_err(named)? {
            match listen(resolved) {
                Ok(listener) => {
                    let address = listener.local_addr().map_err(named)?;
                    return Ok(Self { listener, address });
                }
                Err(error) => last = error,
            }
        }
        Err(named(last))
    }

    /// The address, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(in crate::runtime) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.listener.accept().await
    }
}

/// A network over TCP for messages of type `M`.
#[derive(Debug)]
pub struct TcpTransport<M> {
    own: Hello,
    directory: DirectoryHandle,
    /// The edition of the directory that the following were made from.
    edition: u64,
    /// The seats of this process.
    own_seats: BTreeSet<Seat>,
    /// Which of `peers` has a seat.
    seats: BTreeMap<Seat, usize>,
    peers: Vec<Peer>,
    connections: Connections,
    candidates: Candidates,
    /// Draws the seeds of connections.
    seeds: Xoshiro256PlusPlus,
    inbox: mpsc::Receiver<Envelope<M>>,
    options: TcpOptions,
    stats: Arc<TcpStats>,
    door: AbortHandle,
}

/// The host's side of one peer.
#[derive(Debug)]
struct Peer {
    process: Process,
    link: Arc<Link>,
    chunks: mpsc::UnboundedSender<Chunk>,
    /// Frames since the last flush.
    buffer: Vec<u8>,
    /// The incarnation that they are meant for.
    buffer_incarnation: u64,
    /// When a dropped message was last logged.
    reported: Option<Instant>,
}

impl<M: Encode + Decode<Frame> + Send + 'static> TcpTransport<M> {
    /// Starts to accept on `listener` and to dial every other process of `directory`. Must be
    /// called within a tokio runtime.
    ///
    /// A process is only talked to under the incarnation that the directory has, or else the roster
    /// that founded the cluster; one that neither has, under the one that it says it has.
    ///
    /// A process with another charter is refused. Who is not in the directory may only ask to join.
    ///
    /// *Errors*: this process is not in the directory.
    pub fn start(
        own: Identity,
        charter: Charter,
        roster: Roster,
        directory: Directory,
        listener: Listener,
        options: TcpOptions,
    ) -> io::Result<Self> {
        directory.require(&own.node)?;
        let stats = Arc::new(TcpStats::default());
        let directory = DirectoryHandle::new(directory.vouched_for_by(&roster));
        let ballot = Ballot { vote: Some(roster), founded: true };
        let own = Hello { identity: own, purpose: Purpose::Run, charter, ballot };
        let (inbox_sender, inbox) = mpsc::channel(options.inbox_messages.max(1));
        let candidates = Candidates::default();
        let door = Door {
            own: own.clone(),
            directory: directory.clone(),
            candidates: candidates.clone(),
            inbox: inbox_sender,
            stats: Arc::clone(&stats),
        };
        let mut transport = Self {
            own,
            edition: directory.number(),
            directory,
            own_seats: BTreeSet::new(),
            seats: BTreeMap::new(),
            peers: Vec::new(),
            connections: Connections::default(),
            candidates,
            seeds: Xoshiro256PlusPlus::seed_from_u64(random_u64()?),
            inbox,
            options,
            stats,
            door: tokio::spawn(door.run(listener)).abort_handle(),
        };
        transport.follow_directory();
        Ok(transport)
    }

    /// Dials who is new in the directory, and lets go of who is not as it was.
    fn follow_directory(&mut self) {
        let edition = self.directory.current();
        let own = self.own.identity.node.clone();
        let mut known: BTreeMap<String, Peer> =
            self.peers.drain(..).map(|peer| (peer.process.name.clone(), peer)).collect();
        self.seats.clear();
        self.own_seats.clear();
        for process in edition.directory.processes() {
            if process.name == own {
                self.own_seats.extend(&process.seats);
                continue;
            }
            self.seats.extend(process.seats.iter().map(|seat| (*seat, self.peers.len())));
            let peer = known.remove(&process.name).filter(|peer| peer.process == *process);
            let peer = peer.unwrap_or_else(|| self.dial(process));
            self.peers.push(peer);
        }
        let links = self.peers.iter().map(|peer| (peer.process.name.clone(), peer.link.clone()));
        self.connections.replace(links.collect());
    }

    fn dial(&mut self, process: &Process) -> Peer {
        let known = process.incarnation.map_or(0, |incarnation| incarnation.0);
        let link = Arc::new(Link {
            incarnation: AtomicU64::new(known),
            is_connected: AtomicBool::new(false),
            queued_bytes: AtomicUsize::new(0),
        });
        let (chunks, chunks_taken) = mpsc::unbounded_channel();
        let dialler = Dialler {
            name: process.name.clone(),
            address: process.address.clone(),
            own: self.own.clone(),
            incarnation: process.incarnation,
            directory: self.directory.clone(),
            link: Arc::clone(&link),
            chunks: chunks_taken,
            stats: Arc::clone(&self.stats),
            seed: self.seeds.random(),
        };
        tokio::spawn(dialler.run());
        Peer::new(process.clone(), link, chunks)
    }

    /// The directory, to change it while the transport runs.
    pub fn directory(&self) -> DirectoryHandle {
        self.directory.clone()
    }

    /// Processes that want to join.
    pub fn candidates(&self) -> Candidates {
        self.candidates.clone()
    }

    /// The counters of this transport.
    pub fn stats(&self) -> Arc<TcpStats> {
        Arc::clone(&self.stats)
    }

    /// Which peers can be reached.
    pub fn connections(&self) -> Connections {
        self.connections.clone()
    }
}

/// Why a message is dropped.
#[derive(Clone, Copy, Debug)]
enum Undelivered {
    OtherIncarnation,
    QueueFull,
    TooLarge,
}

impl Peer {
    fn new(process: Process, link: Arc<Link>, chunks: mpsc::UnboundedSender<Chunk>) -> Self {
        Self { process, link, chunks, buffer: Vec::new(), buffer_incarnation: 0, reported: None }
    }

    /// Encodes the message behind those that wait for the flush.
    ///
    /// *Errors*: why it is dropped.
    fn enqueue<M: Encode>(
        &mut self,
        envelope: &Envelope<M>,
        options: &TcpOptions,
    ) -> Result<(), Undelivered> {
        let incarnation = envelope.to.incarnation.0;
        if self.link.incarnation.load(Ordering::Acquire) != incarnation {
            return Err(Undelivered::OtherIncarnation);
        }
        if self.buffer_incarnation != incarnation {
            self.flush();
            self.buffer_incarnation = incarnation;
        }
        let queue_bytes = match self.link.is_connected.load(Ordering::Acquire) {
            true => options.queue_bytes,
            false => options.unconnected_queue_bytes,
        };
        if self.link.queued_bytes.load(Ordering::Acquire) + self.buffer.len() >= queue_bytes {
            return Err(Undelivered::QueueFull);
        }
        frame::write(&mut self.buffer, envelope.from.seat, envelope.to.seat, &envelope.message)
            .map_err(|_| Undelivered::TooLarge)
    }

    fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        // The next turn probably sends about as much.
        let next = Vec::with_capacity(self.buffer.len().min(FLUSH_HINT_BYTES));
        let bytes = std::mem::replace(&mut self.buffer, next);
        self.link.queued_bytes.fetch_add(bytes.len(), Ordering::AcqRel);
        // The task of the connection lives as long as this sender.
        let _ = self.chunks.send(Chunk { incarnation: self.buffer_incarnation, bytes });
    }

    /// Logs a dropped message, at most once a second.
    fn report(&mut self, cause: Undelivered) {
        let now = Instant::now();
        if self.reported.is_none_or(|last| now.duration_since(last) >= REPORT_PAUSE) {
            self.reported = Some(now);
            tracing::warn!(peer = %self.process.name, ?cause, "dropped a message");
        }
    }
}

impl<M: Encode + Decode<Frame> + Send + 'static> Transport<M> for TcpTransport<M> {
    fn send(&mut self, envelope: Envelope<M>) {
        let is_own = envelope.from.incarnation == self.own.identity.incarnation
            && self.own_seats.contains(&envelope.from.seat);
        let index = self.seats.get(&envelope.to.seat).filter(|_| is_own);
        let Some(peer) = index.and_then(|index| self.peers.get_mut(*index)) else {
            self.stats.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if let Err(cause) = peer.enqueue(&envelope, &self.options) {
            self.stats.dropped.fetch_add(1, Ordering::Relaxed);
            peer.report(cause);
        }
    }

    fn flush(&mut self) {
        for peer in &mut self.peers {
            peer.flush();
        }
        let edition = self.directory.number();
        if edition != self.edition {
            self.edition = edition;
            self.follow_directory();
        }
    }

    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        into: &mut Vec<Envelope<M>>,
        limit: usize,
    ) -> Poll<usize> {
        self.inbox.poll_recv_many(context, into, limit)
    }
}

impl<M> Drop for TcpTransport<M> {
    /// Stops to accept and to read. What was flushed is still written to peers that are connected.
    fn drop(&mut self) {
        self.door.abort();
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Small frames leave at once, and a peer whose machine vanished is noticed.
fn configure(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(SILENCE_MAX).with_interval(SILENCE_MAX / 5);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(SILENCE_MAX))?;
    Ok(())
}
