//! Membership: who takes part in a cluster beside the acceptors, and where everyone is.

use std::collections::BTreeSet;

use crate::actor::NodeId;
use crate::wire::{Decode, Encode};

/// Who plays what in a cluster, apart from acceptors and matchmakers.
///
/// It is a part of the [`Configuration`](crate::configuration::Configuration) of a round: whoever
/// learns the acceptors of a round learns these too, and one mechanism replaces them all.
///
/// *Deviation from the paper*, which treats each role by itself (section 5). It is safe because what
/// the acceptors are needed for by later leaders, the archives are needed for as well: a configuration
/// is collected only when a majority of the archives of the *next* one holds all that was proposed
/// below it, and until then the earlier archives must not be lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Membership {
    /// Who may lead.
    pub proposers: BTreeSet<NodeId>,
    /// Who is told what is chosen.
    pub replicas: BTreeSet<NodeId>,
    /// Archives of which a majority makes a prefix of the log persisted.
    pub archives: BTreeSet<NodeId>,
    /// Archives that do not count yet, because their replicas have to catch up first.
    pub joining: BTreeSet<NodeId>,
    /// Who puts commands into the log, and is told who leads.
    pub sessions: BTreeSet<NodeId>,
    /// Who is told of new members: one for each process.
    pub applications: BTreeSet<NodeId>,
    /// Acceptors that the processes host, whether or not they vote. Those that do not are spare: a
    /// leader that heals the cluster by itself has them vote in the place of others.
    pub acceptors: BTreeSet<NodeId>,
    /// The same of matchmakers.
    pub matchmakers: BTreeSet<NodeId>,
    /// Where everyone is, for the drivers. Opaque to actors.
    pub directory: Vec<u8>,
}

impl Membership {
    /// All archives, whether or not they count.
    pub fn every_archive(&self) -> impl Iterator<Item = &NodeId> {
        self.archives.iter().chain(&self.joining)
    }

    /// Everyone who has a part beside acceptors and matchmakers. Spare ones have none.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeId> {
        let others = [&self.proposers, &self.replicas, &self.sessions, &self.applications];
        self.every_archive().chain(others.into_iter().flatten())
    }
}
