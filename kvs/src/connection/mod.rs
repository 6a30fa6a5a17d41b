//! Clients: one task for each connection, from bytes in to bytes out.
//!
//! ```text
//!  socket ─► parser ─► handler ──────────────► outbox ─► socket
//!                        │  local commands       ▲ replies leave in the order of the commands,
//!                        │                       │ as many in one write as are ready
//!                        └─ propose / read ─► log┘
//! ```
//!
//! *The order of one connection.* A client that sends command after command without waiting must find
//! them done in that order. Entries of the log are in the order of their proposals, so any number of
//! writes may be in flight. A read does not pass through the log, so it is only made while no write of
//! this connection is in flight; while one is, the read is proposed as well. And a write that finds
//! reads in flight waits for them. So all that is in flight is either reads or proposals, never both.
//! Where the log promises an order only to commands that are called one after the other
//! ([`Order::Returned`](crate::log::Order)), a command waits until those before it that it conflicts with
//! have returned, and only for those.
//!
//! *Back-pressure.* A connection is read no further while too many commands, too many of their bytes
//! or too many bytes of replies are waiting. The client's own sends then stall, and nothing is lost.
//!
//! Every command is answered, in the worst case with an error that says why and what to do.

mod conflicts;
mod dispatch;
mod driver;
mod outbox;
mod server_commands;
mod session;
mod ticker;
mod transactions;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::limits::Limits;
use crate::log::ReplicatedLog;
use crate::resp::Reply;
use driver::Driver;

pub use ticker::run_ticker;

/// The commands that are about the cluster, and what is known of it.
pub trait Admin: Clone + Send + Sync + 'static {
    /// Answers a command whose name starts with `KVS.`; the name is the first argument. No other
    /// command of the same connection is under way meanwhile.
    fn call(&self, arguments: Vec<Bytes>) -> impl Future<Output = Reply> + Send + 'static;

    /// The lines of the section `Replication` of INFO, without its title, such as `role:master`.
    fn replication_info(&self) -> String;
}

/// How a server treats its clients.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is allowed at most.
    pub limits: Limits,
    /// The password that clients must give with AUTH or HELLO; `None` if they need none.
    pub requirepass: Option<String>,
    /// The clock that stamps commands: unix time in ms.
    pub clock: fn() -> u64,
    /// Further parameters that CONFIG GET tells: name and value.
    pub parameters: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            requirepass: None,
            clock: system_clock_ms,
            parameters: Vec::new(),
        }
    }
}

/// Unix time in ms by the clock of this machine; zero if that stands before 1970.
pub fn system_clock_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

/// What all connections of a server share.
#[derive(Debug)]
pub struct Server<L, A> {
    options: Options,
    log: L,
    admin: A,
    /// When the server was made, unix ms.
    started_ms: u64,
    next_client_id: AtomicU64,
    client_count: AtomicUsize,
    /// Whether connections end as soon as they have their replies.
    closing: watch::Sender<bool>,
}

impl<L: ReplicatedLog, A: Admin> Server<L, A> {
    /// A server without connections.
    pub fn new(options: Options, log: L, admin: A) -> Self {
        let started_ms = (options.clock)();
        Self {
            options,
            log,
            admin,
            started_ms,
            next_client_id: AtomicU64::new(1),
            client_count: AtomicUsize::new(0),
            closing: watch::Sender::new(false),
        }
    }

    /// The clock that stamps commands.
    pub fn clock(&self) -> fn() -> u64 {
        self.options.clock
    }

    /// Takes no more clients, and lets each that is there go once it has the replies to what it has
    /// sent. [`serve`] returns when all are gone.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// How many connections there are.
    pub fn client_count(&self) -> usize {
        self.client_count.load(Ordering::Relaxed)
    }
}

/// A place among the connections; given back when dropped.
struct Place<L, A>(Arc<Server<L, A>>);

impl<L, A> Place<L, A> {
    fn take(server: &Arc<Server<L, A>>) -> Option<Self> {
        let place = Self(Arc::clone(server));
        let former = server.client_count.fetch_add(1, Ordering::Relaxed);
        (former < server.options.limits.connections_max).then_some(place)
    }
}

impl<L, A> Drop for Place<L, A> {
    fn drop(&mut self) {
        self.0.client_count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves clients of `listener` until the server is closed and all of them are gone. Dropping the future
/// closes every connection.
pub async fn serve<L: ReplicatedLog, A: Admin>(listener: TcpListener, server: Arc<Server<L, A>>) {
    let mut connections = JoinSet::new();
    let mut closing = server.closing.subscribe();
    loop {
        tokio::select! {
            () = is_closed(&mut closing) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let server = Arc::clone(&server);
                    connections.spawn(serve_socket(stream, server));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: existing clients go on, and closing
                    // connections make room.
                    tracing::warn!(%error, "cannot accept a client");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn is_closed(closing: &mut watch::Receiver<bool>) {
    // The server holds the other end for as long as it has connections.
    let _ = closing.wait_for(|is_closing| *is_closing).await;
}

async fn serve_socket<L: ReplicatedLog, A: Admin>(stream: TcpStream, server: Arc<Server<L, A>>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    serve_connection(stream, server).await;
}

/// Serves one client until it leaves; for streams of any kind.
pub async fn serve_connection<S, L, A>(mut stream: S, server: Arc<Server<L, A>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    L: ReplicatedLog,
    A: Admin,
{
    let Some(place) = Place::take(&server) else {
        // The client may be gone already; there is nobody else to tell.
        let _ = stream.write_all(b"-ERR max number of clients reached\r\n").await;
        let _ = stream.shutdown().await;
        return;
    };
    let mut closing = server.closing.subscribe();
    let mut driver = Driver::new(stream, Arc::clone(&server));
    let outcome = tokio::select! {
        outcome = driver.run() => Some(outcome),
        () = is_closed(&mut closing) => None,
    };
    let outcome = match outcome {
        Some(outcome) => outcome,
        None => driver.finish().await,
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a client is gone");
    }
    drop(place);
}

#[cfg(test)]
mod tests;
