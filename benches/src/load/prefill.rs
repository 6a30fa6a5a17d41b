//! Writes every key once, so that a load which reads finds values.

use std::net::SocketAddr;

use bytes::Bytes;
use kvs::commands::Verb;
use kvs::connection::system_clock_ms;
use kvs::local::LocalCluster;
use kvs::log_entry::encode_command;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::Subject;
use super::codec::{Codec, Protocol, Reply};
use super::connection::connect;
use crate::error::{BenchError, Outcome};
use crate::interrupt::Interrupt;
use crate::workload::{Operation, Values, Workload};

/// Connections that write, and calls of the library at once.
const WRITERS: u64 = 64;

/// Writes all keys of `workload`, if it reads any.
///
/// *Errors*: a write fails, or the program was interrupted.
pub(crate) fn prefill(
    runtime: &Runtime,
    subject: Subject<'_>,
    workload: &Workload,
    interrupt: &Interrupt,
) -> Outcome<()> {
    if workload.read_percent == 0.0 {
        return Ok(());
    }
    let (value, count) = (Values::new(workload).value, workload.key_count);
    match subject {
        Subject::Servers(protocol, [first, ..]) => {
            runtime.block_on(write_to_server(protocol, *first, count, &value, interrupt))
        }
        Subject::Servers(_, []) => Err(BenchError::new("there is no server to write keys to")),
        Subject::Embedded(cluster) => {
            runtime.block_on(write_embedded(cluster, count, &value, interrupt))
        }
    }
}

async fn write_to_server(
    protocol: Protocol,
    server: SocketAddr,
    count: u64,
    value: &Bytes,
    interrupt: &Interrupt,
) -> Outcome<()> {
    let mut writers = JoinSet::new();
    for first in 0..WRITERS.min(count) {
        let writer = Writer::open(protocol, server).await?;
        let (value, interrupt) = (value.clone(), interrupt.clone());
        let keys = (first..count).step_by(WRITERS as usize);
        writers.spawn(writer.write(keys, value, interrupt));
    }
    while let Some(outcome) = writers.join_next().await {
        outcome.map_err(BenchError::new)??;
    }
    Ok(())
}

/// A connection that writes one key after the other.
struct Writer {
    stream: TcpStream,
    codec: Codec,
    output: Vec<u8>,
    input: Vec<u8>,
}

impl Writer {
    async fn open(protocol: Protocol, server: SocketAddr) -> Outcome<Self> {
        let stream = connect(server).await?;
        let mut output = Vec::new();
        let codec = Codec::open(protocol, server, &mut output);
        Ok(Self { stream, codec, output, input: Vec::new() })
    }

    async fn write(
        mut self,
        keys: impl Iterator<Item = u64>,
        value: Bytes,
        interrupt: Interrupt,
    ) -> Outcome<()> {
        for key in keys {
            interrupt.check()?;
            while !self.codec.may_send(value.len()) {
                self.receive().await?;
            }
            self.codec.put(Operation::Set(key), &value, &mut self.output);
            while !self.receive().await? {}
        }
        Ok(())
    }

    /// Sends what there is to send, and takes what comes. Whether a reply came.
    async fn receive(&mut self) -> Outcome<bool> {
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        if self.stream.read_buf(&mut self.input).await? == 0 {
            return Err(BenchError::new(
                "the server closed the connection while keys were written",
            ));
        }
        let (mut is_answered, mut done) = (false, 0);
        while let Some((taken, reply)) = self.codec.take(&self.input[done..], &mut self.output)? {
            if let Some(Reply::Failed(text)) = reply {
                let text = String::from_utf8_lossy(text);
                return Err(BenchError::new(format_args!("a key could not be written: {text}")));
            }
            is_answered |= reply.is_some();
            done += taken;
        }
        self.input.drain(..done);
        Ok(is_answered)
    }
}

async fn write_embedded(
    cluster: &LocalCluster,
    count: u64,
    value: &Bytes,
    interrupt: &Interrupt,
) -> Outcome<()> {
    let log = cluster.client(0);
    for first in (0..count).step_by(WRITERS as usize) {
        interrupt.check()?;
        let keys = (first..count.min(first + WRITERS)).map(|key| Operation::Set(key).key());
        let entry = |key: String| {
            encode_command(system_clock_ms(), Verb::Set, [key.as_bytes(), value].into_iter())
        };
        let calls: Vec<_> = keys.map(|key| log.propose(entry(key))).collect();
        for call in calls {
            call.await.map_err(BenchError::new)?;
        }
    }
    Ok(())
}
