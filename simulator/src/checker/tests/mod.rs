//! Tests of the checker as a whole.
//!
//! `classic` tells the stories that a checker must get right, `comparison` compares it on thousands
//! of small random histories with `brute_force`, which is the definition of linearizability and
//! nothing else, and `large` runs it on histories of the size that a long test of a server records.

mod brute_force;
mod classic;
mod comparison;
mod large;
mod random;
