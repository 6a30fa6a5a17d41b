//! The commands of the cluster itself.

use std::sync::Arc;

use bytes::Bytes;

use super::BpaxosClient;
use crate::connection::Admin;
use crate::process::Process;
use crate::resp::Reply;

/// Operates the cluster for the clients of one process.
#[derive(Clone)]
pub struct BpaxosAdmin(Arc<Inner>);

struct Inner {
    node: String,
    client: BpaxosClient,
}

impl BpaxosAdmin {
    /// The operator at the node called `name`.
    pub fn new(name: &str, process: &Process<BpaxosClient>) -> Self {
        Self(Arc::new(Inner { node: name.to_owned(), client: process.client() }))
    }
}

impl Admin for BpaxosAdmin {
    fn call(&self, _arguments: Vec<Bytes>) -> impl Future<Output = Reply> + Send + 'static {
        let inner = Arc::clone(&self.0);
        async move {
            let _ = &inner.client;
            Reply::Error("ERR not yet".into())
        }
    }

    fn replication_info(&self) -> String {
        format!("role:master\r\nnode:{}\r\nprotocol:bpaxos\r\n", self.0.node)
    }
}
