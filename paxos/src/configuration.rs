//! Configurations: which acceptors vote in a round, and who else takes part.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::actor::NodeId;
use crate::membership::Membership;
use crate::quorum::{MemberSet, QuorumSystem};
use crate::wire::bincode::de::Decoder;
use crate::wire::bincode::error::DecodeError;
use crate::wire::{Decode, Encode, bincode};

/// The acceptors of a round and the quorums among them.
///
/// A round is bound to one configuration for ever. The version tells configurations apart over
/// time: an operator's reconfiguration raises it, a leader change registers what it knows again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Configuration {
    version: u64,
    system: QuorumSystem,
    /// Sorted, without repetition.
    members: Vec<NodeId>,
    /// Everyone else. Shared, because configurations are copied often and this seldom differs.
    membership: Arc<Membership>,
}

/// Why a configuration is not possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationError(String);

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigurationError {}

impl Configuration {
    /// The configuration of `members` under `system`.
    ///
    /// *Errors*: no member, more than [`MEMBERS_MAX`](crate::quorum::MEMBERS_MAX), or a grid that
    /// the members do not fill.
    pub fn new(
        version: u64,
        system: QuorumSystem,
        members: impl IntoIterator<Item = NodeId>,
    ) -> Result<Self, ConfigurationError> {
        let members: Vec<NodeId> =
            members.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        match system.defect(members.len()) {
            Some(defect) => Err(ConfigurationError(defect)),
            None => Ok(Self { version, system, members, membership: Arc::default() }),
        }
    }

    /// The same acceptors and quorums with everyone else as in `membership`.
    pub fn with_membership(self, membership: impl Into<Arc<Membership>>) -> Self {
        Self { membership: membership.into(), ..self }
    }

    /// Who takes part beside the acceptors.
    pub fn membership(&self) -> &Arc<Membership> {
        &self.membership
    }

    /// Tells configurations apart over time; never decreases.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The same acceptors and quorums under another version.
    pub fn with_version(self, version: u64) -> Self {
        Self { version, ..self }
    }

    /// The quorum system.
    pub fn system(&self) -> QuorumSystem {
        self.system
    }

    /// The acceptors, sorted.
    pub fn members(&self) -> &[NodeId] {
        &self.members
    }

    /// The place of `node` among the members, if it is one.
    pub fn position(&self, node: NodeId) -> Option<usize> {
        self.members.binary_search(&node).ok()
    }

    /// Whether `set` contains a Phase 1 quorum.
    pub fn is_phase1(&self, set: MemberSet) -> bool {
        self.system.is_phase1(self.members.len(), set)
    }

    /// Whether `set` contains a Phase 2 quorum.
    pub fn is_phase2(&self, set: MemberSet) -> bool {
        self.system.is_phase2(self.members.len(), set)
    }

    /// The members among `nodes`; others count for nothing.
    pub fn members_among<'a>(&self, nodes: impl IntoIterator<Item = &'a NodeId>) -> MemberSet {
        let mut set = MemberSet::EMPTY;
        for position in nodes.into_iter().filter_map(|node| self.position(*node)) {
            set.insert(position);
        }
        set
    }

    /// Whether `other` has the same acceptors, quorums and membership, whatever its version.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.system == other.system
            && self.members == other.members
            && self.membership == other.membership
    }

    /// Whether `node` has any part in it.
    pub fn has(&self, node: NodeId) -> bool {
        self.position(node).is_some() || self.membership.nodes().any(|other| *other == node)
    }

    /// Everyone who has a part in it.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeId> {
        self.members.iter().chain(self.membership.nodes())
    }
}

impl<C> Decode<C> for Configuration {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (version, system) = Decode::decode(decoder)?;
        let members: Vec<NodeId> = Decode::decode(decoder)?;
        let membership: Arc<Membership> = Decode::decode(decoder)?;
        Self::new(version, system, members)
            .map(|configuration| configuration.with_membership(membership))
            .map_err(|error| DecodeError::OtherString(format!("not a configuration: {error}")))
    }
}

bincode::impl_borrow_decode!(Configuration);

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{} {:?} {:?}", self.version, self.system, self.members)
    }
}
