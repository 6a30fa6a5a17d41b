//! The network inside one program: bounded queues between endpoints.
//!
//! Each endpoint has the seats of one process and one queue. A sender looks up the queue of the
//! receiver in a table of its own, which it refreshes when an endpoint was added; so the path of a
//! message takes no lock. What a full queue does not take is dropped, as every transport does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::mpsc;

use crate::actor::{NodeId, Seat};
use crate::transport::{Envelope, Transport};

/// Messages that wait at one endpoint at most, unless said otherwise.
const QUEUE_MESSAGES: usize = 65_536;

/// A network of endpoints in one program. Clones are the same network.
#[derive(Debug)]
pub struct Network<M> {
    shared: Arc<Shared<M>>,
}

#[derive(Debug)]
struct Shared<M> {
    routes: Mutex<Routes<M>>,
    /// Counts the changes of the routes.
    version: AtomicU64,
}

type Routes<M> = BTreeMap<Seat, Route<M>>;

#[derive(Debug)]
struct Route<M> {
    node: NodeId,
    queue: mpsc::Sender<Envelope<M>>,
}

impl<M> Clone for Route<M> {
    fn clone(&self) -> Self {
        Self { node: self.node, queue: self.queue.clone() }
    }
}

impl<M> Clone for Network<M> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<M> Default for Network<M> {
    fn default() -> Self {
        let shared = Shared { routes: Mutex::new(Routes::new()), version: AtomicU64::new(1) };
        Self { shared: Arc::new(shared) }
    }
}

impl<M> Network<M> {
    /// A network without endpoints.
    pub fn new() -> Self {
        Self::default()
    }

    /// Connects the process that hosts `nodes`. An earlier endpoint with the same seats is
    /// disconnected from then on: this is its restart.
    pub fn endpoint(&self, nodes: impl IntoIterator<Item = NodeId>) -> ChannelTransport<M> {
        self.endpoint_with_queue(nodes, QUEUE_MESSAGES)
    }

    /// Like [`endpoint`](Self::endpoint), with a queue of `messages` (at least one).
    pub fn endpoint_with_queue(
        &self,
        nodes: impl IntoIterator<Item = NodeId>,
        messages: usize,
    ) -> ChannelTransport<M> {
        let (sender, queue) = mpsc::channel(messages.max(1));
        let nodes: Vec<NodeId> = nodes.into_iter().collect();
        let mut routes = self.shared.routes.lock().unwrap_or_else(PoisonError::into_inner);
        for node in &nodes {
            routes.insert(node.seat, Route { node: *node, queue: sender.clone() });
        }
        self.shared.version.fetch_add(1, Ordering::Release);
        drop(routes);
        ChannelTransport {
            network: self.clone(),
            nodes,
            routes: Routes::new(),
            version: 0,
            queue,
            dropped: Arc::new(AtomicU64::new(0)),
        }
    }
}

/// One process's end of a [`Network`].
#[derive(Debug)]
pub struct ChannelTransport<M> {
    network: Network<M>,
    /// Who may send from here.
    nodes: Vec<NodeId>,
    /// A copy of the network's routes as of `version`.
    routes: Routes<M>,
    version: u64,
    queue: mpsc::Receiver<Envelope<M>>,
    dropped: Arc<AtomicU64>,
}

impl<M> ChannelTransport<M> {
    /// Counts the messages that this endpoint dropped: the receiver's queue was full, nobody has
    /// that identity, or the sender is not of this process.
    pub fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }

    fn refresh(&mut self) {
        let version = self.network.shared.version.load(Ordering::Acquire);
        if version != self.version {
            let routes = self.network.shared.routes.lock().unwrap_or_else(PoisonError::into_inner);
            self.routes.clone_from(&routes);
            self.version = version;
        }
    }
}

impl<M> Transport<M> for ChannelTransport<M> {
    fn send(&mut self, envelope: Envelope<M>) {
        self.refresh();
        let is_own = self.nodes.contains(&envelope.from);
        let route = self.routes.get(&envelope.to.seat).filter(|route| route.node == envelope.to);
        let is_taken = match route {
            Some(route) if is_own => route.queue.try_send(envelope).is_ok(),
            _ => false,
        };
        if !is_taken {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&mut self) {}

    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        into: &mut Vec<Envelope<M>>,
        limit: usize,
    ) -> Poll<usize> {
        self.queue.poll_recv_many(context, into, limit)
    }
}
