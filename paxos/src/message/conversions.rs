//! Every payload as a message of its receiver.

use super::{
    Answered, ArchivedA, Chosen, ChosenWatermark, Cut, Executed, FetchA, FetchB, FromAcceptor,
    FromSession, Invoke, Keep, Kept, Leading, Nack, PersistedA, PersistedB, Phase1A, Phase1B,
    Phase2A, Phase2B, ProbeA, ProbeB, Quarantine, Quarantined, Query, ReadA, ReadB, ReadIndexA,
    ReadIndexB, Request, RestoreA, SnapshotA, SnapshotB, SnapshotWanted, Store, ToAcceptor,
    ToArchive, ToReplica, ToSession,
};

impl From<Phase1A> for ToAcceptor {
    fn from(payload: Phase1A) -> Self {
        Self::Phase1A(payload)
    }
}

impl From<Phase2A> for ToAcceptor {
    fn from(payload: Phase2A) -> Self {
        Self::Phase2A(payload)
    }
}

impl From<ReadA> for ToAcceptor {
    fn from(payload: ReadA) -> Self {
        Self::ReadA(payload)
    }
}

impl From<PersistedA> for ToAcceptor {
    fn from(payload: PersistedA) -> Self {
        Self::PersistedA(payload)
    }
}

impl From<ProbeA> for ToAcceptor {
    fn from(payload: ProbeA) -> Self {
        Self::ProbeA(payload)
    }
}

impl From<Phase1B> for FromAcceptor {
    fn from(payload: Phase1B) -> Self {
        Self::Phase1B(Box::new(payload))
    }
}

impl From<Phase2B> for FromAcceptor {
    fn from(payload: Phase2B) -> Self {
        Self::Phase2B(payload)
    }
}

impl From<Nack> for FromAcceptor {
    fn from(payload: Nack) -> Self {
        Self::Nack(payload)
    }
}

impl From<ReadB> for FromAcceptor {
    fn from(payload: ReadB) -> Self {
        Self::ReadB(payload)
    }
}

impl From<PersistedB> for FromAcceptor {
    fn from(payload: PersistedB) -> Self {
        Self::PersistedB(payload)
    }
}

impl From<ProbeB> for FromAcceptor {
    fn from(payload: ProbeB) -> Self {
        Self::ProbeB(Box::new(payload))
    }
}

impl From<Chosen> for ToReplica {
    fn from(payload: Chosen) -> Self {
        Self::Chosen(payload)
    }
}

impl From<ChosenWatermark> for ToReplica {
    fn from(payload: ChosenWatermark) -> Self {
        Self::ChosenWatermark(payload)
    }
}

impl From<FetchB> for ToReplica {
    fn from(payload: FetchB) -> Self {
        Self::FetchB(payload)
    }
}

impl From<Query> for ToReplica {
    fn from(payload: Query) -> Self {
        Self::Query(payload)
    }
}

impl From<Store> for ToArchive {
    fn from(payload: Store) -> Self {
        Self::Store(payload)
    }
}

impl From<FetchA> for ToArchive {
    fn from(payload: FetchA) -> Self {
        Self::FetchA(payload)
    }
}

impl From<ArchivedA> for ToArchive {
    fn from(payload: ArchivedA) -> Self {
        Self::ArchivedA(payload)
    }
}

impl From<Invoke> for ToSession {
    fn from(payload: Invoke) -> Self {
        Self::Invoke(payload)
    }
}

impl From<Leading> for ToSession {
    fn from(payload: Leading) -> Self {
        Self::Leading(payload)
    }
}

impl From<Executed> for ToSession {
    fn from(payload: Executed) -> Self {
        Self::Executed(payload)
    }
}

impl From<ReadIndexB> for ToSession {
    fn from(payload: ReadIndexB) -> Self {
        Self::ReadIndexB(payload)
    }
}

impl From<Answered> for ToSession {
    fn from(payload: Answered) -> Self {
        Self::Answered(payload)
    }
}

impl From<Request> for FromSession {
    fn from(payload: Request) -> Self {
        Self::Request(payload)
    }
}

impl From<ReadIndexA> for FromSession {
    fn from(payload: ReadIndexA) -> Self {
        Self::ReadIndexA(payload)
    }
}

impl From<Cut> for ToReplica {
    fn from(payload: Cut) -> Self {
        Self::Cut(payload)
    }
}

impl From<SnapshotWanted> for ToReplica {
    fn from(payload: SnapshotWanted) -> Self {
        Self::SnapshotWanted(payload)
    }
}

impl From<Kept> for ToReplica {
    fn from(payload: Kept) -> Self {
        Self::Kept(payload)
    }
}

impl From<SnapshotA> for ToReplica {
    fn from(payload: SnapshotA) -> Self {
        Self::SnapshotA(payload)
    }
}

impl From<SnapshotB> for ToReplica {
    fn from(payload: SnapshotB) -> Self {
        Self::SnapshotB(payload)
    }
}

impl From<Keep> for ToArchive {
    fn from(payload: Keep) -> Self {
        Self::Keep(payload)
    }
}

impl From<RestoreA> for ToArchive {
    fn from(payload: RestoreA) -> Self {
        Self::RestoreA(payload)
    }
}

impl From<Quarantine> for ToReplica {
    fn from(payload: Quarantine) -> Self {
        Self::Quarantine(payload)
    }
}

impl From<Quarantined> for ToSession {
    fn from(payload: Quarantined) -> Self {
        Self::Quarantined(payload)
    }
}
