//! Comparing what replicas have executed: see [`history`](crate::history).

use crate::history::HistoryMark;
use crate::slot::Slot;
use crate::wire::{Decode, Encode};

/// Replica → leader. What the sender has executed below a slot that is the same for all replicas; and
/// again each time that the leader shows itself, if the sender is in quarantine.
///
/// *Repeat*: says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Marked {
    /// What was executed.
    pub mark: HistoryMark,
    /// Where it was noticed that the sender differs; it takes no part since then.
    pub quarantined_at: Option<Slot>,
}

/// Leader → replica. A majority of the replicas has executed something else below `slot` than the
/// receiver, which must not be believed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Quarantine {
    /// Exclusive: where it was noticed.
    pub slot: Slot,
}

/// Replica → session of the same process. No call can be answered here any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Quarantined {
    /// Exclusive: where it was noticed.
    pub slot: Slot,
}
