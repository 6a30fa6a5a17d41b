//! Three processes of etcd, on loopback.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{Child, free_addresses};
use crate::error::Outcome;
use crate::interrupt::Interrupt;

/// As many processes as our own cluster has by default.
const COUNT: usize = 3;

/// How long one question for its health may take.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// A cluster of etcd that ends with the program.
#[derive(Debug)]
pub(crate) struct EtcdCluster {
    /// Before the directory: the processes end before it goes.
    children: Vec<Child>,
    servers: Vec<SocketAddr>,
    _directory: TempDir,
}

impl EtcdCluster {
    /// The program.
    pub(crate) const PROGRAM: &str = "etcd";

    /// Starts the cluster with its data in a new directory inside `parent`, as etcd is by default: every
    /// write is on disk at a majority before it is answered.
    ///
    /// *Errors*: the program is missing, or a node does not start.
    pub(crate) fn start(parent: &Path, interrupt: &Interrupt) -> Outcome<Self> {
        let directory = TempDir::with_prefix_in("bench-", parent)?;
        let addresses = free_addresses(2 * COUNT)?;
        let (peers, servers) = addresses.split_at(COUNT);
        let cluster: Vec<String> =
            (1..).zip(peers).map(|(number, peer)| format!("e{number}=http://{peer}")).collect();
        let cluster = cluster.join(",");
        let mut children = Vec::new();
        for (number, (peer, server)) in (1..).zip(peers.iter().zip(servers)) {
            let name = format!("e{number}");
            let [peer, server] = [peer, server].map(|address| format!("http://{address}"));
            let mut command = Command::new(Self::PROGRAM);
            command.args(["--name", &name, "--data-dir"]).arg(directory.path().join(&name));
            command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
            command.args(["--listen-client-urls", &server, "--advertise-client-urls", &server]);
            command.args(["--initial-cluster", &cluster, "--initial-cluster-state", "new"]);
            command.args(["--logger", "zap", "--log-level", "error"]);
            children.push(Child::start(&name, &mut command, directory.path())?);
        }
        for (child, server) in children.iter_mut().zip(servers) {
            child.wait_until_ready(interrupt, || is_healthy(*server).unwrap_or(false))?;
        }
        Ok(Self { children, servers: servers.to_vec(), _directory: directory })
    }

    /// The processes, by name, with their ids.
    pub(crate) fn processes(&self) -> impl Iterator<Item = (String, u32)> {
        (1..).zip(&self.children).map(|(number, child)| (format!("e{number}"), child.id()))
    }

    pub(crate) fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }
}

/// Whether a node says that it is healthy: it has a leader, and can write.
fn is_healthy(server: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&server, HEALTH_TIMEOUT)?;
    stream.set_read_timeout(Some(HEALTH_TIMEOUT))?;
    stream.write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply.contains("\"health\":\"true\""))
}
