//! What a run was like, and how it ended.

use crate::coverage::Coverage;
use crate::plan::Fault;
use crate::properties::Failure;

/// What a run was like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Steps of actors and events of the world.
    pub events: u64,
    /// Virtual time, in microseconds.
    pub virtual_us: u64,
    /// Messages that left an actor.
    pub messages: u64,
    /// Calls that clients made.
    pub calls: u64,
    /// Calls that returned a result.
    pub done: u64,
    /// Calls that failed, or of which nobody knows.
    pub failed: u64,
    /// Slots chosen.
    pub slots: u64,
    /// Faults that struck, by their kind.
    pub faults: [u64; Fault::KINDS.len()],
    /// Reconfigurations that became active.
    pub activations: u64,
    /// Rounds for which a collection began.
    pub collections: u64,
    /// Machines of acceptors that were switched off.
    pub retirements: u64,
    /// Situations that were met.
    pub coverage: Coverage,
}

impl Summary {
    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.virtual_us += other.virtual_us;
        self.messages += other.messages;
        self.calls += other.calls;
        self.done += other.done;
        self.failed += other.failed;
        self.slots += other.slots;
        for (sum, count) in self.faults.iter_mut().zip(other.faults) {
            *sum += count;
        }
        self.activations += other.activations;
        self.collections += other.collections;
        self.retirements += other.retirements;
        self.coverage.add(&other.coverage);
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it was like.
    pub summary: Summary,
    /// A fingerprint of every message, record and time: two runs of one plan have the same.
    pub digest: u64,
    /// The property that it broke, if it did.
    pub failure: Option<Failure>,
}
