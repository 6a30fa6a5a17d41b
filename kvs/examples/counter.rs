//! Embeds the library: a state machine of one's own, replicated, durable, and reconfigured while it
//! works. Run it twice, and it goes on where it was:
//!
//! ```console
//! $ cargo run --release -p kvs --example counter -- counter-data
//! ```

use std::path::PathBuf;

use bytes::Bytes;
use kvs::local::{LocalCluster, OPERATION_TIMEOUT};
use paxos::state_machine::{ForeignChunk, Position, StateMachine};

/// Counts how often each replica was told to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Counter {
    count: u64,
    /// The count in a snapshot that is not read yet. A small state is simply copied.
    frozen: Option<u64>,
}

impl StateMachine for Counter {
    fn apply(&mut self, _: Position, command: &[u8]) -> Bytes {
        if command == b"increment" {
            self.count += 1;
        }
        self.count.to_string().into()
    }

    fn query(&self, _: &[u8]) -> Option<Bytes> {
        Some(self.count.to_string().into())
    }

    fn empty(&self) -> Self {
        Self::default()
    }

    fn start_snapshot(&mut self) {
        self.frozen = Some(self.count);
    }

    fn next_chunk(&mut self, _: usize) -> Option<Bytes> {
        self.frozen.take().map(|count| count.to_string().into())
    }

    fn stop_snapshot(&mut self) {
        self.frozen = None;
    }

    fn install_chunk(&mut self, chunk: &Bytes) -> Result<(), ForeignChunk> {
        let text = str::from_utf8(chunk).map_err(|error| ForeignChunk(error.to_string()))?;
        self.count = text.parse().map_err(|_| ForeignChunk(format!("`{text}` is no number")))?;
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = PathBuf::from(std::env::args().nth(1).unwrap_or("counter-data".into()));
    let cluster = LocalCluster::open(&directory, Counter::default)?;
    let client = cluster.client(0);

    let count = client.propose("increment".into()).await?;
    println!("executed once at every replica: {}", str::from_utf8(&count)?);

    let (active, collection) = cluster.reconfigure(&["a4", "a5", "a6"]).await?;
    println!("new acceptors after {:?}: {}", active.after, active.configuration);

    let count = cluster.client(2).read("".into()).await?.unwrap_or_default();
    println!("read linearizably at another replica: {}", str::from_utf8(&count)?);

    let collected = collection.finished(OPERATION_TIMEOUT).await?;
    println!("no longer needed: {:?}", collected.retirable);
    Ok(cluster.stop().await?)
}
