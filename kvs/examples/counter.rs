//! Embeds the library: a state machine of one's own, replicated, durable, and reconfigured while it
//! works. Run it twice, and it goes on where it was:
//!
//! ```console
//! $ cargo run --release -p kvs --example counter -- counter-data
//! ```

use std::path::PathBuf;

use bytes::Bytes;
use kvs::local::{LocalCluster, OPERATION_TIMEOUT};
use paxos::state_machine::{Position, StateMachine};

/// Counts how often each replica was told to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Counter(u64);

impl StateMachine for Counter {
    fn apply(&mut self, _: Position, command: &Bytes) -> Bytes {
        if command == "increment" {
            self.0 += 1;
        }
        self.0.to_string().into()
    }

    fn query(&self, _: &Bytes) -> Option<Bytes> {
        Some(self.0.to_string().into())
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
