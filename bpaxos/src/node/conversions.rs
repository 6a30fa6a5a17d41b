//! What each role sets and records, as that of a node.

use std::convert::Infallible;

use paxos::acceptor::AcceptorRecord;
use paxos::archive::ArchiveTimer;
use paxos::session::SessionRecord;

use super::{NodeRecord, NodeTimer};
use crate::archive::ArchiveRecord;
use crate::column::InColumn;
use crate::dependency_node::DependencyRecord;
use crate::proposer::{ProposerRecord, ProposerTimer};
use crate::registry::RegistryRecord;
use crate::replica::ReplicaTimer;
use crate::session::SessionTimer;

impl From<ProposerTimer> for NodeTimer {
    fn from(timer: ProposerTimer) -> Self {
        Self::Proposer(timer)
    }
}

impl From<ReplicaTimer> for NodeTimer {
    fn from(timer: ReplicaTimer) -> Self {
        Self::Replica(timer)
    }
}

impl From<SessionTimer> for NodeTimer {
    fn from(timer: SessionTimer) -> Self {
        Self::Session(timer)
    }
}

impl From<InColumn<ArchiveTimer>> for NodeTimer {
    fn from(timer: InColumn<ArchiveTimer>) -> Self {
        Self::Archive(timer.column, timer.inner)
    }
}

impl From<InColumn<Infallible>> for NodeTimer {
    fn from(timer: InColumn<Infallible>) -> Self {
        timer.never()
    }
}

impl From<Infallible> for NodeTimer {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<InColumn<AcceptorRecord>> for NodeRecord {
    fn from(record: InColumn<AcceptorRecord>) -> Self {
        Self::Acceptor(record)
    }
}

impl From<RegistryRecord> for NodeRecord {
    fn from(record: RegistryRecord) -> Self {
        match record {
            RegistryRecord::Column(record) => Self::Matchmaker(record),
            RegistryRecord::Opened(record) => Self::Opened(record),
        }
    }
}

impl From<ArchiveRecord> for NodeRecord {
    fn from(record: ArchiveRecord) -> Self {
        match record {
            ArchiveRecord::Column(record) => Self::Archive(record),
            ArchiveRecord::Chunk(chunk) => Self::Snapshot(chunk),
        }
    }
}

impl From<DependencyRecord> for NodeRecord {
    fn from(record: DependencyRecord) -> Self {
        Self::DependencyNode(record)
    }
}

impl From<ProposerRecord> for NodeRecord {
    fn from(record: ProposerRecord) -> Self {
        Self::Proposer(record)
    }
}

impl From<SessionRecord> for NodeRecord {
    fn from(record: SessionRecord) -> Self {
        Self::Session(record)
    }
}

impl From<Infallible> for NodeRecord {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
