//! A replicated key-value server that any Redis client can talk to.
//!
//! A command travels through the modules from top to bottom, its reply from bottom to top:
//!
//! ```text
//!  connection   one task per client: reads, orders, answers        connection/
//!  resp         bytes to arguments, replies to bytes               resp/
//!  commands     what each command is called and how it is routed   commands/
//!  log_entry    what goes through the log                          log_entry.rs
//!  log          the replicated log, as a connection sees it        log.rs
//!  store        the state machine that every replica runs          store/
//! ```
//!
//! A program opens a listener, hands it to [`connection::serve`] together with a
//! [`log::ReplicatedLog`] whose replicas run a [`store::Store`], and spawns
//! [`connection::run_ticker`] beside it.

pub mod admin;
pub mod backup;
pub mod bpaxos;
mod calls;
pub mod client;
pub mod commands;
pub mod connection;
pub mod deployment;
pub mod following;
pub mod limits;
pub mod local;
pub mod log;
pub mod log_entry;
pub mod outlook;
pub mod process;
pub mod recovery;
pub mod resp;
pub mod store;
