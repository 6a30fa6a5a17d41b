//! What clients do, and which answers are right.

mod objects;
mod observed;

use std::fmt::Debug;
use std::hash::Hash;

use bytes::Bytes;
use paxos::state_machine::StateMachine;

pub use objects::Objects;
pub use observed::{Applied, Observed, Past, Piece, piece};

use crate::random::Random;

/// A call of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A command for the log.
    Propose(Bytes),
    /// A linearizable read.
    Read(Bytes),
}

impl Request {
    /// What the state machine is given.
    pub fn bytes(&self) -> &Bytes {
        let (Self::Propose(bytes) | Self::Read(bytes)) = self;
        bytes
    }
}

/// What a client knows of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// It returned this, at this time in microseconds.
    Returned(Bytes, u64),
    /// It certainly has no effect.
    Failed,
    /// It may have taken effect, or may yet.
    Unknown,
}

/// A call and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// Who called. A client makes one call at a time.
    pub client: u64,
    /// What was asked.
    pub request: Request,
    /// When, in microseconds.
    pub invoked_at: u64,
    /// What came of it.
    pub outcome: CallOutcome,
}

/// A state machine, the calls of its clients, and the judge of their history.
pub trait Workload: Clone {
    /// What the replicas run.
    type Machine: StateMachine + Clone + Debug + Eq + Hash;

    /// A machine that has applied nothing.
    fn machine(&self) -> Self::Machine;

    /// The next call of a client, at a time in microseconds.
    fn next(&mut self, now: u64, random: &mut Random) -> Request;

    /// Whether the history of a run is linearizable.
    ///
    /// *Errors*: what is wrong with it, for a reader.
    fn judge(&self, calls: &[CallRecord]) -> Result<(), String>;

    /// What a call asks, in words.
    fn show(&self, request: &Request) -> String;
}
