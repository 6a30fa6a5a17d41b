//! The situations that a run can meet, by name.

use std::fmt;

use paxos::message::RequestError;

use crate::plan::ProtocolName;

/// A situation that a run can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Situation {
    LeaderElected,
    LeaderCrashed,
    LeaderSteppedDown,
    TwoLeaders,
    AdoptedVote,
    HoleFilled,
    AdjacentProposalOfPendingSlot,
    PhaseOneOverTwoConfigurations,
    PhaseOneOverThreeConfigurations,
    PhaseOneWithVotes,
    PhaseOneInPages,
    RoundRefused,
    ProposalRefused,
    VoteBelowWatermark,
    NewerConfigurationReported,
    CollectionByScenario1,
    CollectionByScenario2,
    CollectionByScenario3,
    CollectionOvertaken,
    ReconfigurationActive,
    ReconfigurationCollected,
    ReconfigurationInterrupted,
    ReconfigurationRefused,
    AcceptorRetired,
    RetiredAcceptorReturned,
    GridInUse,
    WriteAllInUse,
    ValuesFetched,
    SessionRetried,
    CallAmbiguous,
    CallUnavailable,
    CallOverloaded,
    CrashWithUnsyncedRecords,
    UnsyncedRecordsSurvived,
    TornTailCut,
    SyncFailed,
    SyncFailedWithPower,
    DamageRefused,
    DirectoryWiped,
    LogCompacted,
    AllCrashed,
    MessageToDeadProcess,
    AmbushSprung,
    MessageOutlives,
    OperatorMeddles,
    RoundHidden,
    FormerLifeReturned,
    NewAcceptorsSilent,
    HandoverActive,
    HandoverFinished,
    HandoverSuperseded,
    HandoverRefused,
    NewMatchmakersSilent,
    ThirdEpoch,
    StoppedInMatchmaking,
    HandoverInReconfiguration,
    HandoverInLeaderChange,
    CollectionRestarted,
    TwoDrivers,
    DriverReplaced,
    LateMember,
    MatchmakerRetired,
    SnapshotTaken,
    SnapshotInstalled,
    SnapshotRestored,
    SnapshotDuringReconfiguration,
    SessionHitAfterSnapshot,
    CrashWithinSnapshot,
    TransferResumed,
    TransferStartedOver,
    ProcessJoined,
    ProcessCaughtUp,
    ProcessReplaced,
    LeaderHandedOn,
    MembersChangedInFlight,
    LeaderCrashedAfterChange,
    TwoExchanges,
    ExchangeInHandover,
    ProcessSwitchedOff,
    StrangerReturned,
    StrangerAdded,
    HistoriesCompared,
    AcceptorHealed,
    MatchmakerHealed,
    HealingFailed,
    SuspectReturned,
    StalledLeaderGaveUp,
    ClusterFromBackup,
    ServiceMoved,
    NoopOverCommand,
    ThreeInComponent,
    SnapshotInCycle,
    RestartedNodeReplied,
    PrefixNamed,
    ColumnTakenOver,
    ColumnTakenBack,
    VertexRecovered,
    EpochInCollection,
    TwoServiceDrivers,
}

impl Situation {
    /// Those that runs of BPaxos are to meet as well.
    const OF_BPAXOS: [Self; 22] = [
        Self::LeaderCrashed,
        Self::ReconfigurationActive,
        Self::ReconfigurationCollected,
        Self::ReconfigurationInterrupted,
        Self::CallAmbiguous,
        Self::CallOverloaded,
        Self::CrashWithUnsyncedRecords,
        Self::UnsyncedRecordsSurvived,
        Self::TornTailCut,
        Self::SyncFailed,
        Self::DamageRefused,
        Self::DirectoryWiped,
        Self::LogCompacted,
        Self::AllCrashed,
        Self::HandoverFinished,
        Self::SnapshotTaken,
        Self::SnapshotInstalled,
        Self::SnapshotRestored,
        Self::CrashWithinSnapshot,
        Self::AmbushSprung,
        Self::MessageToDeadProcess,
        Self::SyncFailedWithPower,
    ];

    /// All, with what they are called.
    pub const ALL: [(Self, &str); 99] = [
        (Self::LeaderElected, "a leader takes over"),
        (Self::LeaderCrashed, "the leader dies"),
        (Self::LeaderSteppedDown, "a leader steps down"),
        (Self::TwoLeaders, "two proposers believe that they lead"),
        (Self::AdoptedVote, "a new leader proposes what an earlier one did"),
        (Self::HoleFilled, "a hole in the log is filled with nothing"),
        (Self::AdjacentProposalOfPendingSlot, "a pending slot is proposed in the adjacent round"),
        (Self::PhaseOneOverTwoConfigurations, "Phase 1 asks two configurations"),
        (Self::PhaseOneOverThreeConfigurations, "Phase 1 asks three configurations or more"),
        (Self::PhaseOneWithVotes, "Phase 1 finds votes"),
        (Self::PhaseOneInPages, "an acceptor shows its votes in several pages"),
        (Self::RoundRefused, "a matchmaker refuses a round"),
        (Self::ProposalRefused, "an acceptor refuses a round"),
        (Self::VoteBelowWatermark, "an acceptor need not vote, the slot is persisted"),
        (Self::NewerConfigurationReported, "a matchmaker reports a newer configuration"),
        (
            Self::CollectionByScenario1,
            "collection: earlier slots are chosen again in the leader's own round",
        ),
        (
            Self::CollectionByScenario2,
            "collection: slots in flight are free below the leader's round",
        ),
        (Self::CollectionByScenario3, "collection: slots persisted"),
        (Self::CollectionOvertaken, "collection is overtaken by the next round"),
        (Self::ReconfigurationActive, "a reconfiguration becomes active"),
        (Self::ReconfigurationCollected, "the old configuration is collected"),
        (Self::ReconfigurationInterrupted, "a reconfiguration is interrupted"),
        (Self::ReconfigurationRefused, "a reconfiguration is refused"),
        (Self::AcceptorRetired, "an acceptor is switched off"),
        (Self::RetiredAcceptorReturned, "an acceptor that was switched off is used again"),
        (Self::GridInUse, "a grid is registered"),
        (Self::WriteAllInUse, "a write-all configuration is registered"),
        (Self::ValuesFetched, "a replica gets values from another process"),
        (Self::SessionRetried, "a session starts over"),
        (Self::CallAmbiguous, "a call ends without a known outcome"),
        (Self::CallUnavailable, "a call finds no leader"),
        (Self::CallOverloaded, "a call finds the queue full"),
        (Self::CrashWithUnsyncedRecords, "a process dies while it writes"),
        (Self::UnsyncedRecordsSurvived, "records that were not synced survive"),
        (Self::TornTailCut, "a torn tail is cut off"),
        (Self::SyncFailed, "a sync fails"),
        (Self::SyncFailedWithPower, "a process reads back what it could not sync"),
        (Self::DamageRefused, "a damaged log is refused"),
        (Self::DirectoryWiped, "a directory is wiped"),
        (Self::LogCompacted, "a log is compacted"),
        (Self::AllCrashed, "all processes die at once"),
        (Self::MessageToDeadProcess, "a message finds its process dead"),
        (Self::AmbushSprung, "a process is cut off and dies in the middle of something"),
        (
            Self::MessageOutlives,
            "a message is under way while the process of its session dies and returns",
        ),
        (Self::OperatorMeddles, "matchmakers are replaced just when a process does something"),
        (Self::RoundHidden, "one matchmaker registers a round, and nobody else hears of it"),
        (
            Self::FormerLifeReturned,
            "a request of a former life reaches a leader that knows of no other",
        ),
        (Self::NewAcceptorsSilent, "new acceptors do not answer, and are not used"),
        (Self::HandoverActive, "new matchmakers become active"),
        (Self::HandoverFinished, "a handover is finished"),
        (Self::HandoverSuperseded, "another driver's matchmakers are chosen"),
        (Self::HandoverRefused, "a handover is refused"),
        (Self::NewMatchmakersSilent, "new matchmakers do not answer, and nobody is stopped"),
        (Self::ThirdEpoch, "matchmakers of epoch 3 or later begin"),
        (Self::StoppedInMatchmaking, "some matchmakers answer for a round, others have stopped"),
        (Self::HandoverInReconfiguration, "acceptors and matchmakers are replaced at once"),
        (Self::HandoverInLeaderChange, "a candidate asks the next matchmakers for the same round"),
        (Self::CollectionRestarted, "a collection is asked of the next matchmakers again"),
        (Self::TwoDrivers, "two drivers are at one generation of matchmakers"),
        (Self::DriverReplaced, "a driver dies half-way, and another finishes"),
        (Self::LateMember, "a matchmaker that missed its beginning is told by others"),
        (Self::MatchmakerRetired, "a matchmaker is switched off"),
        (Self::SnapshotTaken, "a replica writes a snapshot down"),
        (Self::SnapshotInstalled, "a replica gets a snapshot from another one"),
        (Self::SnapshotRestored, "a replica restarts from its snapshot"),
        (Self::SnapshotDuringReconfiguration, "a snapshot ends within a reconfiguration"),
        (Self::SessionHitAfterSnapshot, "a command is known to be executed from a snapshot"),
        (Self::CrashWithinSnapshot, "a process dies within a snapshot"),
        (Self::TransferResumed, "a replica asks again for a chunk"),
        (Self::TransferStartedOver, "a replica gets a snapshot from the start again"),
        (Self::ProcessJoined, "a process joins"),
        (Self::ProcessCaughtUp, "a process that joined has caught up"),
        (Self::ProcessReplaced, "a process has taken over the roles of another"),
        (Self::LeaderHandedOn, "a leader that is to go hands on"),
        (Self::MembersChangedInFlight, "the members change while slots are in flight"),
        (Self::LeaderCrashedAfterChange, "the leader dies right after the members changed"),
        (Self::TwoExchanges, "two exchanges are under way"),
        (Self::ExchangeInHandover, "members and matchmakers are replaced at once"),
        (Self::ProcessSwitchedOff, "a process that went is switched off for good"),
        (Self::StrangerReturned, "a process comes back with an empty disk, as a stranger"),
        (Self::StrangerAdded, "a stranger on the seat of a former member becomes a member"),
        (Self::HistoriesCompared, "two replicas tell what they executed below one slot"),
        (Self::AcceptorHealed, "a leader replaces a silent acceptor by itself"),
        (Self::MatchmakerHealed, "a leader replaces a silent matchmaker by itself"),
        (Self::HealingFailed, "a spare cannot take the place of a member"),
        (Self::SuspectReturned, "a suspect answers before it is replaced"),
        (Self::StalledLeaderGaveUp, "a leader whose disk has stalled hands on"),
        (Self::ClusterFromBackup, "a cluster begins with the backup of another one"),
        (Self::ServiceMoved, "other dependency nodes serve"),
        (
            Self::NoopOverCommand,
            "a vertex is filled with nothing, though dependency nodes have heard of a command there",
        ),
        (Self::ThreeInComponent, "three vertices or more depend on each other"),
        (Self::SnapshotInCycle, "a vertex for snapshots and another one depend on each other"),
        (Self::RestartedNodeReplied, "a dependency node answers after a restart"),
        (Self::PrefixNamed, "a dependency node names all vertices of a column below one"),
        (Self::ColumnTakenOver, "a proposer takes over the column of another"),
        (Self::ColumnTakenBack, "a proposer takes its column back"),
        (Self::VertexRecovered, "a replica has a vertex recovered"),
        (Self::EpochInCollection, "the epoch changes while dependencies are collected"),
        (Self::TwoServiceDrivers, "two proposers stop one epoch of the dependency service"),
    ];

    /// Those that runs of `protocol` are to meet.
    pub fn of(protocol: ProtocolName) -> impl Iterator<Item = (Self, &'static str)> {
        Self::ALL.into_iter().filter(move |(situation, _)| match protocol {
            ProtocolName::Matchmaker => *situation < Self::ServiceMoved,
            ProtocolName::Bpaxos => {
                *situation >= Self::ServiceMoved || Self::OF_BPAXOS.contains(situation)
            }
        })
    }

    /// The situation that a call failed like this; none for a failure that is a bug here.
    pub const fn of_error(error: RequestError) -> Option<Self> {
        match error {
            RequestError::Ambiguous => Some(Self::CallAmbiguous),
            RequestError::Unavailable => Some(Self::CallUnavailable),
            RequestError::Overloaded => Some(Self::CallOverloaded),
            RequestError::Quarantined => None,
        }
    }
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL[*self as usize].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_situation_is_listed_in_its_place() {
        for (index, (situation, _)) in Situation::ALL.iter().enumerate() {
            assert_eq!(*situation as usize, index, "{situation:?}");
        }
    }
}
