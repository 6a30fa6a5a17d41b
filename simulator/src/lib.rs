//! Runs the actors of a cluster in a deterministic world, breaks them, judges every step, and shows what
//! happened.
//!
//! | module | holds |
//! |---|---|
//! | [`plan`] | all that is decided about a run before it begins, drawn from a seed |
//! | [`world`] | virtual time, processes, disks, links, clients and an operator |
//! | [`properties`] | what must be true of every run, one file each |
//! | [`coverage`] | the situations that a run has met |
//! | [`mutation`] | bugs to put in, each of which a property must catch |
//! | [`catalogue`] | the tables of properties and bugs |
//! | [`workload`] | what clients do, and which answers are right |
//! | [`trace`] | what happened, for a reader |
//! | [`swarm`], [`shrink`] | many runs, and one run made smaller |
//! | `steps` | what actors did, as data for whoever compares runs with a model |
//! | [`show`] | a run as one page with a space-time diagram |
//! | [`checker`] | linearizability of histories, also of real clients |
//!
//! # Example
//!
//! ```
//! use simulator::{plan::Plan, workload::Objects, world::World};
//!
//! let report = World::new(Plan::draw(7), Objects::default(), None).run();
//! assert_eq!(report.failure, None);
//! assert!(report.summary.done > 0);
//! ```

pub mod capacity;
pub mod catalogue;
pub mod checker;
pub mod coverage;
mod digest;
mod hosted;
pub mod mutation;
mod panics;
pub mod plan;
pub mod properties;
pub mod random;
pub mod show;
pub mod shrink;
mod steps;
pub mod swarm;
pub mod trace;
pub mod workload;
pub mod world;

/// One millisecond of virtual time, which counts microseconds.
pub const MS: u64 = 1000;
