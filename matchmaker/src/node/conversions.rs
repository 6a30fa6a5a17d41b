//! What each role says, sets and records, as that of a node.

use std::convert::Infallible;

use paxos::acceptor::AcceptorRecord;
use paxos::archive::{ArchiveRecord, ArchiveTimer, FromArchive};
use paxos::message::{ProbeA, ToAcceptor, ToArchive, ToReplica, ToSession};
use paxos::replica::{FromReplica, ReplicaTimer};
use paxos::session::{SessionRecord, SessionTimer, ToOthers};

use super::{NodeRecord, NodeTimer};
use crate::leader::{LeaderRecord, LeaderTimer};
use crate::matchmaker::MatchmakerRecord;
use crate::message::{Message, ToApplication, ToProposer};
use crate::proposer::{ProposerRecord, ProposerTimer};
use crate::reconfigurer::ReconfigurerRecord;

impl From<FromReplica> for Message {
    fn from(message: FromReplica) -> Self {
        match message {
            FromReplica::Store(m) => Self::Archive(ToArchive::Store(m)),
            FromReplica::FetchA(m) => Self::Archive(ToArchive::FetchA(m)),
            FromReplica::Executed(m) => Self::Session(ToSession::Executed(m)),
            FromReplica::Answered(m) => Self::Session(ToSession::Answered(m)),
            FromReplica::Keep(m) => Self::Archive(ToArchive::Keep(m)),
            FromReplica::RestoreA(m) => Self::Archive(ToArchive::RestoreA(m)),
            FromReplica::SnapshotA(m) => Self::Replica(ToReplica::SnapshotA(m)),
            FromReplica::SnapshotB(m) => Self::Replica(ToReplica::SnapshotB(m)),
            FromReplica::Marked(m) => Self::Proposer(ToProposer::Marked(m)),
            FromReplica::Quarantined(m) => Self::Session(ToSession::Quarantined(m)),
        }
    }
}

impl From<FromArchive> for Message {
    fn from(message: FromArchive) -> Self {
        match message {
            FromArchive::ArchivedB(m) => Self::Proposer(ToProposer::ArchivedB(m)),
            FromArchive::FetchB(m) => Self::Replica(ToReplica::FetchB(m)),
            FromArchive::Cut(m) => Self::Replica(ToReplica::Cut(m)),
            FromArchive::SnapshotWanted(m) => Self::Replica(ToReplica::SnapshotWanted(m)),
            FromArchive::Kept(m) => Self::Replica(ToReplica::Kept(m)),
            FromArchive::SnapshotB(m) => Self::Replica(ToReplica::SnapshotB(m)),
        }
    }
}

impl From<ToOthers> for Message {
    fn from(message: ToOthers) -> Self {
        match message {
            ToOthers::Request(m) => Self::Proposer(ToProposer::Session(m.into())),
            ToOthers::ReadIndexA(m) => Self::Proposer(ToProposer::Session(m.into())),
            ToOthers::Query(m) => Self::Replica(ToReplica::Query(m)),
            ToOthers::Return(m) => Self::Application(ToApplication::Return(m)),
        }
    }
}

impl From<ProbeA> for Message {
    fn from(m: ProbeA) -> Self {
        Self::Acceptor(ToAcceptor::ProbeA(m))
    }
}

impl From<ProposerTimer> for NodeTimer {
    fn from(part: ProposerTimer) -> Self {
        Self::Proposer(part)
    }
}

impl From<ReplicaTimer> for NodeTimer {
    fn from(part: ReplicaTimer) -> Self {
        Self::Replica(part)
    }
}

impl From<ArchiveTimer> for NodeTimer {
    fn from(part: ArchiveTimer) -> Self {
        Self::Archive(part)
    }
}

impl From<SessionTimer> for NodeTimer {
    fn from(part: SessionTimer) -> Self {
        Self::Session(part)
    }
}

impl From<AcceptorRecord> for NodeRecord {
    fn from(part: AcceptorRecord) -> Self {
        Self::Acceptor(part)
    }
}

impl From<MatchmakerRecord> for NodeRecord {
    fn from(part: MatchmakerRecord) -> Self {
        Self::Matchmaker(part)
    }
}

impl From<LeaderRecord> for NodeRecord {
    fn from(part: LeaderRecord) -> Self {
        Self::Proposer(part)
    }
}

impl From<ReconfigurerRecord> for NodeRecord {
    fn from(part: ReconfigurerRecord) -> Self {
        Self::Reconfigurer(part)
    }
}

impl From<ProposerRecord> for NodeRecord {
    fn from(part: ProposerRecord) -> Self {
        match part {
            ProposerRecord::Leader(record) => record.into(),
            ProposerRecord::Reconfigurer(record) => record.into(),
        }
    }
}

impl From<ArchiveRecord> for NodeRecord {
    fn from(part: ArchiveRecord) -> Self {
        Self::Archive(part)
    }
}

impl From<SessionRecord> for NodeRecord {
    fn from(part: SessionRecord) -> Self {
        Self::Session(part)
    }
}

impl From<LeaderTimer> for NodeTimer {
    fn from(timer: LeaderTimer) -> Self {
        Self::Proposer(timer.into())
    }
}

impl From<Infallible> for NodeTimer {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<Infallible> for NodeRecord {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
