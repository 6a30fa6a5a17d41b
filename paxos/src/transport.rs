//! How actors reach each other: the trait that every network implements.

use std::task::{Context, Poll};

use crate::actor::NodeId;

/// One message on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Envelope<M> {
    /// Who sent it; vouched for by the connection it came in on.
    pub from: NodeId,
    /// Whom it is for.
    pub to: NodeId,
    /// What it says.
    pub message: M,
}

/// A network between processes.
///
/// It promises little: messages may be lost, delayed, duplicated and reordered, but not corrupted,
/// and the sender is who it says. An implementation that is asked to send more than its queue holds
/// drops the message; the protocols retransmit.
pub trait Transport<M> {
    /// Hands over one message. Never blocks and never fails.
    fn send(&mut self, envelope: Envelope<M>);

    /// Lets everything handed over since the last call leave. Called once a turn.
    fn flush(&mut self);

    /// Appends messages that have arrived, at most `limit`, to `into`. Ready with how many; pending
    /// if there is none. Ready with zero once the transport is closed.
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        into: &mut Vec<Envelope<M>>,
        limit: usize,
    ) -> Poll<usize>;
}
