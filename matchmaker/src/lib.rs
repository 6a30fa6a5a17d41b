//! Matchmaker Paxos.

pub mod matchmaker;
pub mod message;
