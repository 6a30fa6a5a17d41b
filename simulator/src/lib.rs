//! Judges of replicated state machines, and the page that shows what they judged.

pub mod checker;
pub mod show;
