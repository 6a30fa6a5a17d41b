//! The matchmakers of columns: how a column is opened, and how those of all columns are replaced.
//!
//! ```text
//!  operator       proposer           registries of now      registries to be
//!     │ MatchmakersA  │                      │                     │
//!     ├──────────────►│ ColumnsA             │                     │
//!     │               ├─────────────────────►│                     │
//!     │               │◄──────────── ColumnsB│ a majority          │
//!     │               │ for each column, one after the other:      │
//!     │               │   a handover as in the crate `matchmaker`  │
//!     │               ├─────────────────────►├────────────────────►│
//!     │               │ ColumnsA again; nothing is left            │
//!     │ MatchmakersB  │                                            │
//!     │◄──────────────┤                                            │
//! ```

use std::collections::{BTreeMap, BTreeSet};

use matchmaker::message::Generation;
use paxos::actor::NodeId;
use paxos::wire::{Decode, Encode};

use crate::vertex::Column;

/// Proposer → registry. "My column begins with these matchmakers." The same ones whenever it says so.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct OpenA {
    /// The first matchmakers of the column of the sender.
    pub generation: Generation,
}

/// Proposer → registry. "Which columns do you know?"
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ColumnsA;

/// Registry → proposer. Each column in which it has ever registered a round is among them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ColumnsB {
    /// Columns, each with its newest matchmakers that the sender knows of.
    pub columns: BTreeMap<Column, Generation>,
}

/// Operator → proposer, any one. Let these be the matchmakers of all columns.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct MatchmakersA {
    /// Names the request.
    pub token: u64,
    /// The next matchmakers: 2f + 1.
    pub members: BTreeSet<NodeId>,
}

/// Proposer → operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct MatchmakersB {
    /// Echoes the request.
    pub token: u64,
    /// What came of it.
    pub outcome: MatchmakersOutcome,
}

/// What came of the replacement of the matchmakers of all columns.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub enum MatchmakersOutcome {
    /// They are those of all columns. The others are needed by none, but for proposers that look for
    /// matchmakers there.
    Moved {
        /// Those proposers: they have not confirmed that they know.
        unaware: BTreeSet<NodeId>,
    },
    /// Too few of the wanted ones answer. Columns that have moved before stay where they are.
    Unreachable {
        /// Those that did not answer.
        silent: BTreeSet<NodeId>,
    },
    /// A handover has not come to its end in time, or another request has moved the column to others. Ask
    /// again.
    Stuck {
        /// Of this column.
        column: Column,
    },
}
