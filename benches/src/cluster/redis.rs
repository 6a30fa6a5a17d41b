//! One unreplicated Redis that syncs every write.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{Child, Operator, free_addresses};
use crate::error::{BenchError, Outcome};
use crate::interrupt::Interrupt;

/// A `redis-server` that ends with the program.
#[derive(Debug)]
pub(crate) struct RedisServer {
    /// Before the directory: the process ends before it goes.
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl RedisServer {
    /// The program.
    pub(crate) const PROGRAM: &str = "redis-server";

    /// Starts it with its data in a new directory inside `parent`. It answers a write when it is on
    /// disk, and does nothing else with the disk.
    ///
    /// *Errors*: the program is missing or does not start.
    pub(crate) fn start(parent: &Path, interrupt: &Interrupt) -> Outcome<Self> {
        let directory = TempDir::with_prefix_in("bench-", parent)?;
        let [address] = free_addresses(1)?[..] else {
            return Err(BenchError::new("one port was asked for"));
        };
        let mut command = Command::new(Self::PROGRAM);
        command.args(["--port", &address.port().to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--dir"]);
        command.arg(directory.path());
        let mut child = Child::start("redis", &mut command, directory.path())?;
        child.wait_until_ready(interrupt, || {
            Operator::connect(address).and_then(|mut operator| operator.call(&["PING"])).is_ok()
        })?;
        Ok(Self { child, address, _directory: directory })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
