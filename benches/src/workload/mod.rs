//! What clients ask for: how many of them, which commands, which keys, and when.

mod keys;
mod operations;
mod schedule;

use serde::{Deserialize, Serialize};

pub(crate) use keys::KeyChoice;
pub(crate) use operations::{Operation, Operations, Values};
pub(crate) use schedule::Schedule;

/// What clients ask for, all of it. The same workload and seed ask for the same commands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Workload {
    /// Clients; over the network each has a connection of its own.
    pub(crate) clients: usize,
    /// Commands of one client that may be under way at once.
    pub(crate) pipeline: usize,
    /// Commands per second of all clients together, sent whether or not earlier ones were answered
    /// (an open loop); if there is none, each client sends when it has a reply (a closed loop).
    pub(crate) rate: Option<f64>,
    /// Bytes of each value.
    pub(crate) value_bytes: usize,
    /// Of a hundred commands, how many read.
    pub(crate) read_percent: f64,
    /// Which keys are used how often.
    pub(crate) keys: KeyChoice,
    /// Number of keys.
    pub(crate) key_count: u64,
    /// What chance begins with.
    pub(crate) seed: u64,
}

impl Workload {
    /// A short name: what tells it from others in a table.
    pub(crate) fn label(&self) -> String {
        let Self { clients, pipeline, rate, .. } = self;
        let pipelined =
            if *pipeline > 1 { format!(", {pipeline} in flight each") } else { String::new() };
        let paced = rate.map(|rate| format!(", {rate:.0}/s offered")).unwrap_or_default();
        let plural = if *clients == 1 { "" } else { "s" };
        format!("{clients} client{plural}{pipelined}{paced}")
    }
}
