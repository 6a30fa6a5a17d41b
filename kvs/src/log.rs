//! The replicated log, as a connection sees it.
//!
//! A connection knows nothing of leaders, rounds or slots. It proposes entries and it reads, and it
//! tells a client honestly when neither can be done.

use std::fmt;
use std::future::Future;

use bytes::Bytes;

/// Which of the commands of one caller that conflict are executed in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// All that are proposed, in the order of the calls.
    Called,
    /// Those that are called when the ones before have returned; reads among them.
    Returned,
}

/// The replicated log as a connection sees it.
///
/// The futures must make progress without being polled: a connection polls only the oldest of those
/// it holds.
pub trait ReplicatedLog: Clone + Send + Sync + 'static {
    /// What the order of the calls means.
    const ORDER: Order = Order::Called;

    /// Proposes a command; resolves to the state machine's reply. With [`Order::Called`] the order of the
    /// calls (not of polling the futures) is the order in the log.
    fn propose(
        &self,
        command: Bytes,
    ) -> impl Future<Output = Result<Bytes, RequestError>> + Send + 'static;

    /// Reads linearizably without changing anything. `Ok(None)`: the state machine says that the read must
    /// be proposed.
    ///
    /// *Guarantee asked for*: of two calls by one connection, the later never sees an older state; with
    /// [`Order::Returned`], if the earlier one has returned.
    fn read(
        &self,
        query: Bytes,
    ) -> impl Future<Output = Result<Option<Bytes>, RequestError>> + Send + 'static;
}

/// Why a request has no reply of the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestError {
    /// The command was handed over, and nobody knows whether it took or will take effect.
    Ambiguous,
    /// The cluster cannot serve now; the request had no effect.
    Unavailable,
    /// Too many requests are under way; the request had no effect.
    Overloaded,
    /// This server is stopping; the request had no effect.
    Stopped,
    /// The replica of this server differs from the others; the request had no effect.
    Quarantined,
}

impl RequestError {
    /// The error reply for the client, without the leading `-` and the line end.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Ambiguous => {
                "AMBIGUOUS the outcome of this command is unknown: the cluster did not confirm it \
                 in time, and it may still take effect. Read the keys before you send it again"
            }
            Self::Unavailable => {
                "CLUSTERDOWN no majority of the cluster can be reached, the command had no effect. \
                 Send it again later, or see KVS.STATUS for the members that are missing"
            }
            Self::Overloaded => {
                "OVERLOADED too many commands are under way at this server, the command had no \
                 effect. Send it again later, or send fewer at once"
            }
            Self::Stopped => {
                "CLUSTERDOWN this server is stopping, the command had no effect. Connect to \
                 another member of the cluster and send it again"
            }
            Self::Quarantined => {
                "QUARANTINED the data of this server differ from those of the others, the command had \
                 no effect. Connect to another member of the cluster and send it again"
            }
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for RequestError {}
