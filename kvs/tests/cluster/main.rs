//! Real processes and real clients: what a cluster survives, and what it tells its operator.

mod backups;
mod client;
mod faults;
mod harness;
mod inputs;
mod interop;
mod members;
mod operations;
mod recovery;
mod snapshots;
mod workload;
