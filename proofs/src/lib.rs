//! Small instances of the protocols, explored to the end with the actors that production runs.

pub mod cast;
pub mod ghost;
pub mod graph;
pub mod hashed;
pub mod lift;
pub mod models;
pub mod register;
pub mod verdict;
