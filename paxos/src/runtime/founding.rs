//! Founding: how the processes of a new cluster agree on who they are.

use std::collections::BTreeMap;

use crate::actor::Incarnation;
use crate::wire::{Decode, Encode};

/// The processes of a cluster by name, each with the incarnation that founded it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Roster(pub BTreeMap<String, Incarnation>);

/// What a node has durably said about the founding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub(super) struct Ballot {
    /// The one roster that it voted for. Never changes once it is there.
    pub(super) vote: Option<Roster>,
    /// Whether it knows that all processes voted for that roster.
    pub(super) founded: bool,
}
