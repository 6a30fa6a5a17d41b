//! Matchmaker Paxos.

pub mod change;
pub mod leader;
pub mod matchmaker;
pub mod message;
pub mod node;
pub mod proposer;
pub mod reconfigurer;
pub mod remains;
pub mod single;
