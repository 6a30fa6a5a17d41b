//! Accepted connections: each is vouched for by a hello, and only read from.
//!
//! Whatever arrives on one connection ends at most that connection.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::candidates::Candidates;
use super::hello::{self, Answer, Hello, Purpose};
use super::{DirectoryHandle, Listener, TcpStats, configure, frame};
use crate::actor::{Incarnation, NodeId};
use crate::runtime::data_dir::Identity;
use crate::transport::Envelope;
use crate::wire::{self, Decode, Frame};

/// Room for one read. A frame longer than this is collected in steps.
const READ_BYTES: usize = 64 << 10;

/// Pause after the system could not accept, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What every accepted connection needs to know.
pub(super) struct Door<M> {
    pub(super) own: Hello,
    pub(super) directory: DirectoryHandle,
    pub(super) candidates: Candidates,
    pub(super) inbox: mpsc::Sender<Envelope<M>>,
    pub(super) stats: Arc<TcpStats>,
}

impl<M: Decode<Frame> + Send + 'static> Door<M> {
    /// Accepts for as long as the task lives; its connections end with it.
    pub(super) async fn run(self, listener: Listener) {
        let door = Arc::new(self);
        let mut connections = JoinSet::new();
        loop {
            match listener.accept().await {
                Ok((stream, address)) => {
                    let door = Arc::clone(&door);
                    connections.spawn(async move {
                        if let Err(error) = door.serve(stream).await {
                            tracing::warn!(%address, %error, "closed a connection");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections; trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
    }

    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        configure(&stream)?;
        let peer: Hello = match hello::read(&mut stream).await {
            Ok(peer) => peer,
            Err(error) => {
                // A peer of another version sees ours in the answer, even if it cannot read it.
                let _ = hello::write(&mut stream, &Answer::Refused(error.to_string())).await;
                return Err(error);
            }
        };
        let is_running = peer.purpose == Purpose::Run;
        let Hello { identity: Identity { node: name, incarnation, .. }, .. } = peer.clone();
        let answer = self.answer(peer).unwrap_or_else(Answer::Refused);
        hello::write(&mut stream, &answer).await?;
        if let Answer::Refused(reason) = answer {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        }
        if !is_running {
            return Ok(());
        }
        let outcome = self.receive(stream, &name, incarnation).await;
        outcome.map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))
    }

    /// What a peer is told.
    ///
    /// *Errors*: the reason to refuse it.
    fn answer(&self, peer: Hello) -> Result<Answer, String> {
        let own = self.own.clone();
        let edition = self.directory.current();
        let directory = &edition.directory;
        let Identity { cluster, node: name, incarnation } = peer.identity.clone();
        let is_known = || match directory.process(&name) {
            Some(_) => Ok(()),
            None => Err(format!(
                "{name:?} is not a member of the cluster as {:?} knows it: if it was one, it was \
                 removed; if it shall become one, start it to join and admit it",
                own.identity.node
            )),
        };
        match peer.purpose {
            Purpose::Ask => Ok(Answer::Welcome(own)),
            Purpose::Found => {
                hello::check_cluster(&own, &peer)?;
                is_known()?;
                // It finds out from the roster in our answer whether it founded the cluster.
                Ok(Answer::Welcome(own))
            }
            Purpose::Run => {
                hello::check_cluster(&own, &peer)?;
                is_known()?;
                directory.check_incarnation(&name, incarnation)?;
                Ok(Answer::Welcome(own))
            }
            Purpose::Join(_) | Purpose::Inquire => {
                hello::check_identity(&own.identity, &peer.identity)?;
                let known = directory.process(&name).and_then(|process| process.incarnation);
                if known == Some(incarnation) {
                    self.candidates.forget(&name);
                    return Ok(Answer::Admitted(own, edition.welcome.clone()));
                }
                if let Purpose::Join(announcement) = peer.purpose {
                    tracing::debug!(name, cluster, "a process wants to join");
                    self.candidates.note(&name, incarnation, announcement)?;
                }
                Ok(Answer::Waiting(own, edition.welcome.clone()))
            }
        }
    }

    /// Reads frames until the peer closes.
    async fn receive(
        &self,
        mut stream: TcpStream,
        name: &str,
        incarnation: Incarnation,
    ) -> io::Result<()> {
        let mut buffer = BytesMut::with_capacity(READ_BYTES);
        loop {
            let edition = self.directory.current();
            let directory = &edition.directory;
            directory.check_incarnation(name, incarnation).map_err(malformed)?;
            while let Some(frame) = frame::take(&mut buffer).map_err(malformed)? {
                if directory.name_of(frame.from) != Some(name) {
                    return Err(malformed(format!(
                        "it sends as seat {}, which is not its own",
                        frame.from.0
                    )));
                }
                let message: M =
                    wire::decode(&frame.body).map_err(|error| malformed(error.to_string()))?;
                let envelope = Envelope {
                    from: NodeId::new(frame.from, incarnation),
                    // The peer checked that we are the memory that it means.
                    to: NodeId::new(frame.to, self.own.identity.incarnation),
                    message,
                };
                // Waits while the host is behind, so that the peer's queue fills and drops.
                if self.inbox.send(envelope).await.is_err() {
                    return Ok(());
                }
            }
            if buffer.capacity() - buffer.len() < READ_BYTES / 8 {
                buffer.reserve(READ_BYTES);
            }
            let count = stream.read_buf(&mut buffer).await?;
            if count == 0 {
                return match buffer.is_empty() {
                    true => Ok(()),
                    false => Err(malformed("it closed within a frame".into())),
                };
            }
            self.stats.received_bytes.fetch_add(count as u64, Ordering::Relaxed);
        }
    }
}

fn malformed(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
