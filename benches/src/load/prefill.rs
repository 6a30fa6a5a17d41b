//! Writes every key once, so that a load which reads finds values.

use kvs::commands::Verb;
use kvs::connection::system_clock_ms;
use kvs::local::LocalCluster;
use kvs::log_entry::encode_command;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::Subject;
use super::connection::connect;
use crate::error::{BenchError, Outcome};
use crate::interrupt::Interrupt;
use crate::resp::{Answer, put_command, scan};
use crate::workload::{Operation, Values, Workload};

/// Keys that are written at once.
const BATCH: usize = 256;

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
    let value = Values::new(workload).value;
    let keys: Vec<String> = (0..workload.key_count).map(|key| Operation::Set(key).key()).collect();
    runtime.block_on(async {
        match subject {
            Subject::Servers([first, ..]) => {
                let mut stream = connect(*first).await?;
                for batch in keys.chunks(BATCH) {
                    interrupt.check()?;
                    write_to_server(&mut stream, batch, &value).await?;
                }
                Ok(())
            }
            Subject::Servers([]) => Err(BenchError::new("there is no server to write keys to")),
            Subject::Embedded(cluster) => {
                for batch in keys.chunks(BATCH) {
                    interrupt.check()?;
                    write_embedded(cluster, batch, &value).await?;
                }
                Ok(())
            }
        }
    })
}

async fn write_to_server(stream: &mut TcpStream, keys: &[String], value: &[u8]) -> Outcome<()> {
    let mut output = Vec::new();
    keys.iter().for_each(|key| put_command(&[b"SET", key.as_bytes(), value], &mut output));
    stream.write_all(&output).await?;
    let (mut input, mut missing) = (Vec::new(), keys.len());
    while missing > 0 {
        if stream.read_buf(&mut input).await? == 0 {
            return Err(BenchError::new(
                "the server closed the connection while keys were written",
            ));
        }
        let mut taken = 0;
        while let Some((length, answer)) = scan(&input[taken..])? {
            if let Answer::Error(text) = answer {
                let text = String::from_utf8_lossy(text);
                return Err(BenchError::new(format_args!("a key could not be written: {text}")));
            }
            taken += length;
            missing = missing.saturating_sub(1);
        }
        input.drain(..taken);
    }
    Ok(())
}

async fn write_embedded(cluster: &LocalCluster, keys: &[String], value: &[u8]) -> Outcome<()> {
    let log = cluster.client(0);
    let entry = |key: &String| {
        encode_command(system_clock_ms(), Verb::Set, [key.as_bytes(), value].into_iter())
    };
    let calls: Vec<_> = keys.iter().map(|key| log.propose(entry(key))).collect();
    for call in calls {
        call.await.map_err(BenchError::new)?;
    }
    Ok(())
}
