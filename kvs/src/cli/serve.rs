//! `kvs serve`: one process of a cluster; and the front that it shares with the cluster in one
//! process.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use kvs::connection::{self, Admin, Options, Server};
use kvs::log::ReplicatedLog;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::Outcome;

/// Run one node of a cluster.
#[derive(Args, Debug)]
pub(super) struct Serve {
    /// Cluster file, the same at all nodes; `kvs init` writes one.
    #[arg(long, value_name = "FILE", default_value = "cluster.toml")]
    config: PathBuf,
    /// Name of the node in the file.
    #[arg(long)]
    node: String,
    /// Data directory, instead of the one in the file.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs `work` on the runtime of the program: one thread, since all actors of a process take turns
/// anyway, and one thread needs no wake-ups; each log has a thread of its own besides.
pub(super) fn block_on(work: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// The socket that Redis clients connect to.
pub(super) struct Front {
    listener: TcpListener,
    address: SocketAddr,
}

impl Front {
    /// *Errors*: the address is in use or not of this machine.
    pub(super) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let text = format!(
                "cannot listen for Redis clients on {address}: {error}; stop what uses the port, \
                 or choose another address"
            );
            io::Error::new(error.kind(), text)
        })?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where clients connect: with the port that was found, if any would do.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves clients until the program is told to stop, or until `ended`.
    ///
    /// *Errors*: those of `ended`.
    pub(super) async fn serve<L: ReplicatedLog, A: Admin>(
        self,
        options: Options,
        log: L,
        admin: A,
        ended: impl Future<Output = io::Result<()>>,
    ) -> io::Result<()> {
        let clock = options.clock;
        let server = Arc::new(Server::new(options, log.clone(), admin));
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            () = connection::serve(self.listener, server) => Ok(()),
            () = connection::run_ticker(log, clock) => Ok(()),
            outcome = ended => outcome,
            interrupt = tokio::signal::ctrl_c() => interrupt,
            _ = terminate.recv() => Ok(()),
        }
    }
}
