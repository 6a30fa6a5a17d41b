//! Faults on purpose: one-line bugs inside the roles, each of which some test must catch.
//!
//! A judge that never fails proves nothing. With the feature `mutants` a test selects one fault for
//! its thread, and the roles then have it. Without the feature no fault can be selected, and the
//! compiler removes what asks for one.
//!
//! Most faults are of a kind that has been seen in some implementation, or that a sketch of the proof
//! needs to exclude. An id names the fault across all layers of verification.

#[cfg(feature = "mutants")]
use std::cell::Cell;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mutant {
    /// R03c: The next page of the votes of an acceptor begins one slot too late.
    PageSkipsVote,
    /// R04: An acceptor keeps one round for promise and vote: a later promise raises the round of
    /// its votes.
    OneBallot,
    /// R04b: An acceptor that votes for the same value again keeps the round of its first vote.
    OldRoundKept,
    /// R05: A vote does not raise the promise.
    VoteWithoutPromise,
    /// R06: A leader adopts the vote of the lowest round in a slot.
    AdoptLowestVote,
    /// R07: A leader adopts the value that two acceptors report, whatever was voted in a higher
    /// round.
    AdoptRepeatedValue,
    /// R08: Phase 1 ends with a majority of the union of the earlier configurations.
    UnionQuorum,
    /// R09: Phase 1 waits for the newest earlier configuration only.
    AskNewestOnly,
    /// R10: Phase 1 does not wait for the newest earlier configuration.
    SkipNewest,
    /// R11: Matchmaking is complete with f answers.
    MatchWithMinority,
    /// R12: The history is that of one matchmaker, not the union.
    HistoryOfOne,
    /// R13: A matchmaker registers rounds below its highest.
    RegisterLowerRound,
    /// R15: The checkpoint of a matchmaker leaves its watermark out.
    CheckpointWithoutWatermark,
    /// R15b: The checkpoint of a matchmaker leaves the newest configuration out.
    CheckpointWithoutNewest,
    /// R16: A leader takes the lowest watermark that matchmakers tell, not the highest.
    LowestWatermark,
    /// R17: A matchmaker registers rounds below its watermark.
    RegisterCollectedRound,
    /// R19: A leader collects when each slot below has one vote.
    CollectAfterOneVote,
    /// R20: A new leader takes slots with votes for free when it collects.
    CollectDespiteVotes,
    /// R21: A leader collects when the first slot is persisted and told.
    CollectByFirstSlot,
    /// R23: A leader collects without telling its own acceptors what is persisted.
    CollectUntold,
    /// R24: A leader asks acceptors before its round is registered.
    Phase1BeforeMatching,
    /// R25: A leader takes for persisted what a single archive holds.
    TellBeforeArchived,
    /// R27: A leader does not believe acceptors that slots are persisted, and fills them with
    /// nothing.
    ProposeBelowPersisted,
    /// R28: A new leader puts commands into slots with votes.
    ReuseVotedSlot,
    /// R29: A new leader takes each slot for a hole, whatever the votes in it.
    FillHolesBlindly,
    /// R30b: After a switch new slots are proposed in the round before.
    OldRoundGoesOn,
    /// R30c: A new leader does not wait for Phase 1.
    SkipPhase1,
    /// R30d: A leader switches to a round that is not adjacent, over one of another leader.
    SwitchOverForeignRound,
    /// R30f: A leader switches before the adjacent round is registered.
    SwitchBeforeMatching,
    /// R30g: A switch takes slots in flight for free.
    ProposedSlotFreed,
    /// R30h: A switch takes slots for free that are known to be chosen.
    KnownSlotFreed,
    /// R30i: After a switch new slots are proposed in the round before as well, with the same
    /// values.
    LateSameValue,
    /// R30j: A leader collects right after a switch.
    CollectAfterSwitch,
    /// R30k: A leader collects when slots are chosen, if only in the round before the switch.
    CollectByOldChoice,
    /// R30l: A switch does not move the start of the free slots.
    CollectByOldFreedom,
    /// R30m: After a switch a leader collects without telling the new acceptors.
    CollectUntoldAfterSwitch,
    /// R30n: After a switch a leader tells the acceptors before the switch what is persisted.
    TellOldOnly,
    /// R32: A retry registers the founding configuration for the round.
    RetryOtherConfiguration,
    /// R33: A stopped matchmaker still answers proposers.
    StoppedStillAnswers,
    /// R34: A driver has a successor chosen before any matchmaker has stopped.
    DecideUnstopped,
    /// R35: A driver merges what fewer than f + 1 stopped matchmakers know.
    StopMinority,
    /// R36: A driver hands over what one stopped matchmaker knows, not the union.
    MergeOneLog,
    /// R37a: A driver hands over no registered rounds.
    MergeWithoutLog,
    /// R37b: A new matchmaker begins without the rounds that were handed over to it.
    InheritedLogLost,
    /// R38: A new matchmaker registers rounds below those that were handed over to it.
    InheritedRoundsOutdone,
    /// R32b: A matchmaker registers a configuration that is older than the newest it knows.
    OlderConfigurationRegistered,
    /// R38b: A new matchmaker answers rounds that were handed over below a higher one.
    OutdoneRoundsAnswered,
    /// R39: A driver installs the successor it wants without a decree.
    SuccessorWithoutDecree,
    /// R40: Answers of the old matchmakers count together with those of the new ones.
    AnswersSurviveHandover,
    /// R41: A driver hands over the lowest watermark, and what others have collected.
    MergeWithoutWatermark,
    /// R42: A driver that restarts uses the rounds of its decrees again.
    DecreeRoundsRestart,
    /// R43: Old matchmakers that have collected count together with new ones.
    CollectionSurvivesHandover,
    /// R43b: A leader that has switched reports the collection of the round before.
    EarlierCollectionReported,
    /// R59: Snapshots do not hold what was executed for whom.
    SessionsOutsideSnapshot,
    /// R60a: Replicas keep only the last reply of each session.
    ForgetReplies,
    /// R60b: Replicas execute commands of a life of a session that has ended.
    ExecuteEndedLife,
    /// R60c: Replicas tell commands apart by number, not by session.
    OneNumberingForAll,
    /// R61: A session that starts over numbers its commands anew, in a new life.
    RetryUnderNewLife,
    /// R63a: A leader answers reads without asking whether it leads still.
    ReadWithoutQuestion,
    /// R63b: An answer to an earlier question confirms later reads.
    OldConfirmationCounts,
    /// R63c: A new leader answers reads before what it inherited is chosen.
    ReadBeforeSettled,
    /// R63d: A Phase 1 quorum confirms reads.
    ReadByPhase1Quorum,
    /// R63e: Members of the configuration before a switch confirm reads in the places of new ones.
    ConfirmationsSurviveSwitch,
    /// R65a: A replica installs a snapshot though it has executed more by then.
    InstallOlderSnapshot,
    /// R65b: What a snapshot covers goes from the disk when the snapshot begins.
    ForgetBeforeSnapshotEnds,
    /// R65c: What commands change while a snapshot is read is not kept as it was.
    ChangeUnderSnapshot,
    /// R65d: A replica takes any later chunk of a snapshot for the next one.
    TakeAnyChunk,
    /// R73: A leader counts votes by message, not by member.
    CountMessages,
    /// R74a: A promise of an earlier round counts in Phase 1.
    EarlierPromiseCounts,
    /// R74b: A vote in an earlier round counts for the present one.
    EarlierVoteCounts,
    /// R74c: A session takes replies to an earlier life for its own.
    EarlierRepliesCount,
    /// R74d: A matchmaker's answer for an earlier round counts for the present one.
    EarlierMatchBCounts,
    /// R74e: A session numbers its questions from zero in each life.
    QuestionsRestart,
    /// R74f: An answer to an earlier probe counts in an election.
    EarlierProbeCounts,
    /// R76: A proposer that is overtaken campaigns again at once.
    CampaignAtOnce,
    /// R77: A leader takes and proposes everything, however much waits already.
    NoBackPressure,
    /// R77b: A session that has started over refuses every call.
    RefuseAfterRetry,
    /// R77c: What leaves the queue of a session counts for its limit for ever.
    QueueBytesKept,
    /// R78a: A proposer that cannot hear the leader campaigns without asking acceptors for signs of
    /// life.
    CampaignOnSilence,
    /// R78b: A proposer campaigns whose probe too few acceptors answered.
    CampaignWithoutQuorum,
    /// R78c: A proposer campaigns only if it hears a Phase 2 quorum.
    CampaignByPhase2Quorum,
    /// R78d: A proposer campaigns while another one reads votes.
    CandidateOutdone,
    /// R81: A driver waits until all new matchmakers have begun.
    ActivationWaitsForAll,
    /// R83: A collection waits for one more command than it needs.
    CollectBehindTraffic,
    /// R90: Archives that are joining count at once.
    JoiningCounts,
    /// R91: A collection counts the archives of the configuration before the switch.
    CollectByOldArchives,
    /// R92: All archives that a leader ever heard of count.
    StaleArchivesCount,
    /// R93: After a switch a leader takes for persisted what was so before.
    PersistedSurvivesSwitch,
    /// R94: Replicas are sent to the archives of the present configuration only.
    FetchFromNewOnly,
    /// R95: A change of members that was made from an old status is accepted.
    SeenIgnored,
    /// R96: A proposer that is no member campaigns.
    RemovedCampaigns,
    /// R32c: Phase 1 asks configurations that are older than that of the watermark.
    AskVoidRounds,
    /// R97: Snapshots do not hold the digest of what was executed.
    HistoryOutsideSnapshot,
    /// R97b: What replicas have executed below different slots is compared.
    CompareAnyMark,
    /// R100: A leader replaces a member by a spare that does not answer.
    HealsWithSilentSpare,
    /// R101: A leader replaces a member before the last replacement is collected.
    HealsTwoAtOnce,
    /// R102: A leader does not give up when its disk has stalled.
    StalledLeaderStays,
    /// R103: A leader suspects a member after one question without an answer.
    SuspectAtOnce,
    /// R103b: A leader counts the time for which a member was silent as a spare.
    SpareSuspected,
    /// R104: A leader moves to acceptors of which too few answer.
    HealsWithoutQuorum,
    /// R105: A leader prefers spares of processes that have a member already.
    HealsOnOneProcess,
    /// R44: One dependency node is a quorum.
    OneDependencyReply,
    /// R48: A dependency node that restarts forgets what it has received.
    DependencyNodeForgets,
    /// R50: A dependency node names only the latest conflicting vertices of a column.
    OlderConflictsForgotten,
    /// R51: A replica executes a vertex before what it depends on is chosen.
    MissingCountsAsExecuted,
    /// R52: A replica waits only for what a vertex depends on directly.
    DirectDependenciesOnly,
    /// R53: A replica executes components in the order of arrival.
    ComponentByArrival,
    /// R54: A vertex that holds nothing is never taken for executed.
    NoopNeverExecuted,
    /// R55: A proposer that restarts uses its vertices again.
    VertexReusedAfterRestart,
    /// R56: A replica remembers only the largest command number of each session.
    LargestNumberOnly,
    /// R56b: A replica takes for executed what the session has acknowledged.
    AcknowledgedCountsAsExecuted,
    /// R56c: A replica ends the lives of a session before the latest that it met.
    LaterLifeEndsEarlier,
    /// R49: Dependency nodes of a new epoch begin without what earlier ones have received.
    EpochBeginsEmpty,
    /// R49b: A dependency node that has stopped still answers.
    FrozenStillAnswers,
    /// R49c: Replies of dependency nodes in two epochs count together.
    RepliesSurviveEpoch,
    /// R49e: Replies of a larger dependency service are as many as the next one needs, and so complete.
    SmallerEpochCompletes,
    /// R46: A proposer counts f + 1 replies, and takes what the first one says.
    FirstReplyDepended,
    /// R47: A vertex that a replica waits for is proposed with the replies that are there.
    RecoveredWithoutReplies,
    /// R98: A replica tells the state machine the slot of a command's column, not its rank.
    SlotAsPosition,
    /// R58: A replica takes a snapshot within a component, and says that it covers all of it.
    SnapshotWithinComponent,
    /// R58b: A snapshot is said to cover all below the last executed vertex of each column.
    SnapshotFillsHoles,
    /// R49d: A dependency node that forgets old conflicts does not name what is below instead.
    IndexForgetsPrefix,
    /// R48c: A dependency node takes the beginning of its epoch in a checkpoint for a new beginning.
    EpochBeginsAnew,
    /// R106: A matchmaker opens a column for whoever asks for it.
    AnybodyOpensColumns,
    /// R58c: A replica takes what a snapshot covers for executed though it has not come to it.
    CoveredCountsAsExecuted,
    /// R65e: A snapshot makes room though it does not cover all that was durable.
    SmallSnapshotCompacts,
    /// R98b: Ranks begin anew behind a vertex for snapshots.
    RanksBeginAnew,
    /// R45: A proposer takes what all replies have in common, not their union.
    IntersectionDepended,
    /// R57: A leader tells acceptors that slots are persisted when they are chosen.
    TellWhenChosen,
}

impl Mutant {
    /// Every fault, in the order of its variants, and what it is called everywhere.
    const NAMED: &[(Self, &str)] = &[
        (Self::PageSkipsVote, "R03c"),
        (Self::OneBallot, "R04"),
        (Self::OldRoundKept, "R04b"),
        (Self::VoteWithoutPromise, "R05"),
        (Self::AdoptLowestVote, "R06"),
        (Self::AdoptRepeatedValue, "R07"),
        (Self::UnionQuorum, "R08"),
        (Self::AskNewestOnly, "R09"),
        (Self::SkipNewest, "R10"),
        (Self::MatchWithMinority, "R11"),
        (Self::HistoryOfOne, "R12"),
        (Self::RegisterLowerRound, "R13"),
        (Self::CheckpointWithoutWatermark, "R15"),
        (Self::CheckpointWithoutNewest, "R15b"),
        (Self::LowestWatermark, "R16"),
        (Self::RegisterCollectedRound, "R17"),
        (Self::CollectAfterOneVote, "R19"),
        (Self::CollectDespiteVotes, "R20"),
        (Self::CollectByFirstSlot, "R21"),
        (Self::CollectUntold, "R23"),
        (Self::Phase1BeforeMatching, "R24"),
        (Self::TellBeforeArchived, "R25"),
        (Self::ProposeBelowPersisted, "R27"),
        (Self::ReuseVotedSlot, "R28"),
        (Self::FillHolesBlindly, "R29"),
        (Self::OldRoundGoesOn, "R30b"),
        (Self::SkipPhase1, "R30c"),
        (Self::SwitchOverForeignRound, "R30d"),
        (Self::SwitchBeforeMatching, "R30f"),
        (Self::ProposedSlotFreed, "R30g"),
        (Self::KnownSlotFreed, "R30h"),
        (Self::LateSameValue, "R30i"),
        (Self::CollectAfterSwitch, "R30j"),
        (Self::CollectByOldChoice, "R30k"),
        (Self::CollectByOldFreedom, "R30l"),
        (Self::CollectUntoldAfterSwitch, "R30m"),
        (Self::TellOldOnly, "R30n"),
        (Self::RetryOtherConfiguration, "R32"),
        (Self::StoppedStillAnswers, "R33"),
        (Self::DecideUnstopped, "R34"),
        (Self::StopMinority, "R35"),
        (Self::MergeOneLog, "R36"),
        (Self::MergeWithoutLog, "R37a"),
        (Self::InheritedLogLost, "R37b"),
        (Self::InheritedRoundsOutdone, "R38"),
        (Self::OlderConfigurationRegistered, "R32b"),
        (Self::OutdoneRoundsAnswered, "R38b"),
        (Self::SuccessorWithoutDecree, "R39"),
        (Self::AnswersSurviveHandover, "R40"),
        (Self::MergeWithoutWatermark, "R41"),
        (Self::DecreeRoundsRestart, "R42"),
        (Self::CollectionSurvivesHandover, "R43"),
        (Self::EarlierCollectionReported, "R43b"),
        (Self::SessionsOutsideSnapshot, "R59"),
        (Self::ForgetReplies, "R60a"),
        (Self::ExecuteEndedLife, "R60b"),
        (Self::OneNumberingForAll, "R60c"),
        (Self::RetryUnderNewLife, "R61"),
        (Self::ReadWithoutQuestion, "R63a"),
        (Self::OldConfirmationCounts, "R63b"),
        (Self::ReadBeforeSettled, "R63c"),
        (Self::ReadByPhase1Quorum, "R63d"),
        (Self::ConfirmationsSurviveSwitch, "R63e"),
        (Self::InstallOlderSnapshot, "R65a"),
        (Self::ForgetBeforeSnapshotEnds, "R65b"),
        (Self::ChangeUnderSnapshot, "R65c"),
        (Self::TakeAnyChunk, "R65d"),
        (Self::CountMessages, "R73"),
        (Self::EarlierPromiseCounts, "R74a"),
        (Self::EarlierVoteCounts, "R74b"),
        (Self::EarlierRepliesCount, "R74c"),
        (Self::EarlierMatchBCounts, "R74d"),
        (Self::QuestionsRestart, "R74e"),
        (Self::EarlierProbeCounts, "R74f"),
        (Self::CampaignAtOnce, "R76"),
        (Self::NoBackPressure, "R77"),
        (Self::RefuseAfterRetry, "R77b"),
        (Self::QueueBytesKept, "R77c"),
        (Self::CampaignOnSilence, "R78a"),
        (Self::CampaignWithoutQuorum, "R78b"),
        (Self::CampaignByPhase2Quorum, "R78c"),
        (Self::CandidateOutdone, "R78d"),
        (Self::ActivationWaitsForAll, "R81"),
        (Self::CollectBehindTraffic, "R83"),
        (Self::JoiningCounts, "R90"),
        (Self::CollectByOldArchives, "R91"),
        (Self::StaleArchivesCount, "R92"),
        (Self::PersistedSurvivesSwitch, "R93"),
        (Self::FetchFromNewOnly, "R94"),
        (Self::SeenIgnored, "R95"),
        (Self::RemovedCampaigns, "R96"),
        (Self::AskVoidRounds, "R32c"),
        (Self::HistoryOutsideSnapshot, "R97"),
        (Self::CompareAnyMark, "R97b"),
        (Self::HealsWithSilentSpare, "R100"),
        (Self::HealsTwoAtOnce, "R101"),
        (Self::StalledLeaderStays, "R102"),
        (Self::SuspectAtOnce, "R103"),
        (Self::SpareSuspected, "R103b"),
        (Self::HealsWithoutQuorum, "R104"),
        (Self::HealsOnOneProcess, "R105"),
        (Self::OneDependencyReply, "R44"),
        (Self::DependencyNodeForgets, "R48"),
        (Self::OlderConflictsForgotten, "R50"),
        (Self::MissingCountsAsExecuted, "R51"),
        (Self::DirectDependenciesOnly, "R52"),
        (Self::ComponentByArrival, "R53"),
        (Self::NoopNeverExecuted, "R54"),
        (Self::VertexReusedAfterRestart, "R55"),
        (Self::LargestNumberOnly, "R56"),
        (Self::AcknowledgedCountsAsExecuted, "R56b"),
        (Self::LaterLifeEndsEarlier, "R56c"),
        (Self::EpochBeginsEmpty, "R49"),
        (Self::FrozenStillAnswers, "R49b"),
        (Self::RepliesSurviveEpoch, "R49c"),
        (Self::SmallerEpochCompletes, "R49e"),
        (Self::FirstReplyDepended, "R46"),
        (Self::RecoveredWithoutReplies, "R47"),
        (Self::SlotAsPosition, "R98"),
        (Self::SnapshotWithinComponent, "R58"),
        (Self::SnapshotFillsHoles, "R58b"),
        (Self::IndexForgetsPrefix, "R49d"),
        (Self::EpochBeginsAnew, "R48c"),
        (Self::AnybodyOpensColumns, "R106"),
        (Self::CoveredCountsAsExecuted, "R58c"),
        (Self::SmallSnapshotCompacts, "R65e"),
        (Self::RanksBeginAnew, "R98b"),
        (Self::IntersectionDepended, "R45"),
        (Self::TellWhenChosen, "R57"),
    ];

    /// Every fault.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::NAMED.iter().map(|(mutant, _)| *mutant)
    }

    /// What the fault is called everywhere.
    pub fn id(self) -> &'static str {
        Self::NAMED[self as usize].1
    }
}

#[cfg(feature = "mutants")]
thread_local! {
    /// The fault that the roles have on this thread.
    static SELECTED: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Gives the roles on this thread the fault, or none. Returns whether faults are compiled in.
#[cfg(feature = "mutants")]
pub fn select(mutant: Option<Mutant>) -> bool {
    SELECTED.set(mutant);
    true
}

/// Does nothing: no faults are compiled in.
#[cfg(not(feature = "mutants"))]
pub const fn select(_: Option<Mutant>) -> bool {
    false
}

/// Whether the roles on this thread have the fault.
#[cfg(feature = "mutants")]
pub fn is_on(mutant: Mutant) -> bool {
    SELECTED.get() == Some(mutant)
}

/// Whether the roles have the fault: never.
#[cfg(not(feature = "mutants"))]
pub const fn is_on(_: Mutant) -> bool {
    false
}

#[cfg(all(test, feature = "mutants"))]
mod tests;
