//! A process of a cluster that runs BPaxos, and what its application can do.
//!
//! There is no leader: every process gives the commands of its clients to a proposer, of which each has a
//! log of its own, its *column*. Only commands that conflict are ordered, reads among them.

mod admin;
mod client;
mod process;
mod questions;
mod report;

pub use admin::BpaxosAdmin;
pub use client::BpaxosClient;
pub use report::{
    BpaxosCollected, BpaxosReconfigured, BpaxosReplica, BpaxosStatus, ColumnActive, ColumnStatus,
    DependencyReport, MatchmakersReport,
};
