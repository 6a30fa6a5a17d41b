//! Matchmaker Paxos.
