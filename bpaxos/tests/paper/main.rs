//! The claims of Bipartisan Paxos and of its reconfiguration, one test each.

mod cluster;
mod disk;
mod epochs;
mod execution;
mod ghost;
mod machine;
mod matchmakers;
#[cfg(feature = "mutants")]
mod mutants;
mod random;
mod reconfiguration;
mod recovery;
mod snapshots;
mod world;
