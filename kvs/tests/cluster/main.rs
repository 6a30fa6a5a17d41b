//! Real processes and real clients: what a cluster survives, and what it tells its operator.

mod backups;
mod bpaxos;
mod client;
mod faults;
mod harness;
mod healing;
mod inputs;
mod interop;
mod members;
mod operations;
mod recovery;
mod snapshots;
mod workload;
