//! What the papers claim, one test for each claim.
//!
//! "Matchmaker Paxos" is Whittaker et al., *Matchmaker Paxos: A Reconfigurable Consensus Protocol*.
//! Claims about adjacent rounds replace its sections 4.3 and 4.4: this leader enters the adjacent
//! round without Phase 1, by proposing the same values there.

mod cluster;
mod columns;
mod costs;
mod garbage;
mod handover;
mod histories;
mod leaders;
mod matchmakers;
mod phase1;
mod reads;
mod reconfiguration;
mod restored;
mod steps;
