//! The connection to one peer: dialled here, and only written to.
//!
//! The transport hands over chunks of whole frames. Chunks that wait are counted in bytes, and the
//! transport drops what would exceed the limit. What was partly written when a connection broke is
//! lost: a new connection begins with the next chunk.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::hello::{self, Hello};
use super::{DirectoryHandle, TcpStats, configure};
use crate::actor::Incarnation;

const BACK_OFF_MIN: Duration = Duration::from_millis(10);
const BACK_OFF_MAX: Duration = Duration::from_millis(500);

/// How long a connection attempt, or a write without progress, may take.
const STALL_MAX: Duration = Duration::from_secs(5);

/// What the transport and the connection of a peer know of each other.
#[derive(Debug)]
pub(super) struct Link {
    /// The peer's incarnation; zero while it is unknown.
    pub(super) incarnation: AtomicU64,
    pub(super) is_connected: AtomicBool,
    /// Bytes of chunks that are not yet written.
    pub(super) queued_bytes: AtomicUsize,
}

/// Whole frames, and the memory that they are meant for.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) incarnation: u64,
    pub(super) bytes: Vec<u8>,
}

/// One peer, as the task of its connection sees it.
pub(super) struct Dialler {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) own: Hello,
    /// The only memory to talk to; `None` while any will do.
    pub(super) incarnation: Option<Incarnation>,
    pub(super) directory: DirectoryHandle,
    pub(super) link: Arc<Link>,
    pub(super) chunks: mpsc::UnboundedReceiver<Chunk>,
    pub(super) stats: Arc<TcpStats>,
    pub(super) seed: u64,
}

impl Dialler {
    /// Keeps a connection up until the transport is dropped, and then writes what is left.
    pub(super) async fn run(mut self) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let mut back_off = BACK_OFF_MIN;
        let mut reported = String::new();
        loop {
            let outcome = match timeout(STALL_MAX, self.connect()).await {
                Ok(Ok(stream)) => {
                    tracing::info!(peer = %self.name, address = %self.address, "connected");
                    reported.clear();
                    back_off = BACK_OFF_MIN;
                    self.stats.connections.fetch_add(1, Ordering::Relaxed);
                    self.link.is_connected.store(true, Ordering::Release);
                    let outcome = self.write(stream).await;
                    self.link.is_connected.store(false, Ordering::Release);
                    outcome
                }
                Ok(Err(error)) => Err(error),
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
            };
            match outcome {
                Ok(()) => return,
                Err(_) if self.chunks.is_closed() => return,
                Err(error) => {
                    // The same trouble is told once, however often it is met.
                    let text = error.to_string();
                    if text != reported {
                        tracing::warn!(
                            peer = %self.name, address = %self.address, error = text,
                            "not connected; trying again"
                        );
                        reported = text;
                    }
                }
            }
            sleep(back_off.mul_f64(rng.random_range(0.5..1.5))).await;
            back_off = (back_off * 2).min(BACK_OFF_MAX);
        }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).await?;
        configure(&stream)?;
        let peer = hello::call(&mut stream, &self.own, &self.name).await?.identity;
        if self.incarnation.is_some_and(|known| known != peer.incarnation) {
            let edition = self.directory.current();
            let reason = edition.directory.check_incarnation(&self.name, peer.incarnation);
            let reason = reason.err().unwrap_or_else(|| "it has another memory now".into());
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        self.link.incarnation.store(peer.incarnation.0, Ordering::Release);
        Ok(stream)
    }

    /// Writes chunks as they come. Returns once the transport is dropped and all are written.
    async fn write(&mut self, mut stream: TcpStream) -> io::Result<()> {
        let incarnation = self.link.incarnation.load(Ordering::Acquire);
        let (mut reader, mut writer) = stream.split();
        // The peer says nothing after its hello; that it closes is noticed at once.
        let mut unexpected = [0; 1];
        let closed = reader.read(&mut unexpected);
        tokio::pin!(closed);
        loop {
            let chunk = tokio::select! {
                biased;
                chunk = self.chunks.recv() => chunk,
                outcome = &mut closed => {
                    return Err(match outcome {
                        Ok(0) => io::Error::new(io::ErrorKind::ConnectionReset, "it closed"),
                        Ok(_) => io::Error::new(io::ErrorKind::InvalidData, "it talks out of turn"),
                        Err(error) => error,
                    });
                }
            };
            let Some(chunk) = chunk else {
                return writer.shutdown().await;
            };
            let count = chunk.bytes.len();
            let outcome = if chunk.incarnation == incarnation {
                write_all(&mut writer, &chunk.bytes).await
            } else {
                Ok(())
            };
            self.link.queued_bytes.fetch_sub(count, Ordering::AcqRel);
            outcome?;
            self.stats.sent_bytes.fetch_add(count as u64, Ordering::Relaxed);
        }
    }
}

async fn write_all(
    writer: &mut tokio::net::tcp::WriteHalf<'_>,
    mut bytes: &[u8],
) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = match timeout(STALL_MAX, writer.write(bytes)).await {
            Ok(written) => written?,
            Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not read")),
        };
        if written == 0 {
            return Err(io::Error::from(io::ErrorKind::WriteZero));
        }
        bytes = &bytes[written..];
    }
    Ok(())
}
