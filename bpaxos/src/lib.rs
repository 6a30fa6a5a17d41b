//! Simple BPaxos, made reconfigurable: many proposers at once, and commands ordered only where they
//! conflict.
//!
//! Begin with [`message`], which has the chart of the protocol. Its parts can be read each by itself:
//! which vertices conflict ([`conflict`], [`dependency_node`]), who proposes what ([`proposer`]), in which
//! order it is executed ([`graph`]) and how often ([`sessions`], [`replica`]). Consensus is that of
//! [`matchmaker`], one log for each [`mod@column`].

pub mod column;
pub mod command;
pub mod conflict;
pub mod dependency_node;
pub mod graph;
pub mod invariants;
pub mod message;
pub mod node;
pub mod proposer;
pub mod rank;
pub mod replica;
pub mod session;
pub mod sessions;
pub mod vertex;
