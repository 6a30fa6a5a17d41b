//! How much a cluster can take if every message costs time of a processor.
//!
//! The actors are those that are shipped. Each runs on a processor, alone or with others, which takes one
//! message after the other; what a message costs there depends on who receives it and on what it is. So what is
//! found depends on these costs and on what the actors send, and not on the machine that runs it: the same
//! arguments find the same figures everywhere. Nothing is lost, nobody dies, and disks take no time.
//!
//! | file | holds |
//! |---|---|
//! | `costs` | what messages cost, and turns |
//! | `measured.json` | the costs that are used unless others are given |
//! | `stopwatch` | measures them |
//! | `cluster` | who sits on which processor |
//! | `subject` | the two protocols |
//! | `clients`, `machine` | what is executed for whom |
//! | `world` | virtual time, processors, links |
//! | `run` | one measurement |

mod clients;
mod cluster;
mod costs;
mod machine;
mod run;
mod stopwatch;
mod subject;
#[cfg(test)]
mod tests;
mod world;

pub use clients::{Completion, Load};
pub use cluster::{Cluster, Placement, Seated, Size};
pub use costs::{CostModel, Costs, MessageCost, Role, TurnCost};
pub use machine::Numbers;
pub use run::{Found, Leaderless, Setup, Usage, Wish, measure};
pub use stopwatch::{Stopwatch, lower_mean};
pub use subject::{Bpaxos, Heard, Kind, Matchmaker, Subject, Submitted};
pub use world::Surroundings;
