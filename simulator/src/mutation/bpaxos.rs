//! Bugs to put into runs of BPaxos, and what is meant to catch them.
//!
//! Left out are those of the logs of columns that runs of Matchmaker MultiPaxos show: the code is the same.

use paxos::mutant::Mutant;

use super::inside::inside;
use super::{Description, Mutation, bug};

/// Bugs at the boundary.
pub(super) const OUTSIDE: [Description; 5] = [
    bug(Mutation::SendBeforeSync, "R01", "messages do not wait for the disk", &["D1"]),
    bug(
        Mutation::ExecuteTwice,
        "R60",
        "a restarted replica executes each command twice",
        &["B5", "B7", "B12"],
    ),
    bug(
        Mutation::AcknowledgeWholeQueue,
        "R72",
        "a sync counts for what was written after it began",
        &["D1"],
    ),
    bug(Mutation::IgnoreFailedSync, "R68", "an error of a sync is ignored", &["D2", "D5"]),
    bug(
        Mutation::LoseCheckpoint,
        "R69b",
        "a checkpoint is not synced when what is before it goes",
        &["D2"],
    ),
];

/// Bugs inside the roles.
pub(super) const INSIDE: [Description; 35] = [
    inside(
        Mutant::OneDependencyReply,
        "R44",
        "one dependency node is a quorum",
        &["B4", "B3", "B2"],
    ),
    inside(
        Mutant::IntersectionDepended,
        "R45",
        "a proposer takes what all replies have in common, not their union",
        &["B4", "B3", "B2"],
    ),
    inside(
        Mutant::FirstReplyDepended,
        "R46",
        "a proposer counts f + 1 replies, and takes what the first one says",
        &["B4", "B3", "B2"],
    ),
    inside(
        Mutant::RecoveredWithoutReplies,
        "R47",
        "a vertex that a replica waits for is proposed with the replies that are there",
        &["B4", "B3", "B2"],
    ),
    inside(
        Mutant::DependencyNodeForgets,
        "R48",
        "a dependency node that restarts forgets what it has received",
        &["B3", "B2"],
    ),
    inside(
        Mutant::EpochBeginsAnew,
        "R48c",
        "a dependency node takes the beginning of its epoch in a checkpoint for a new beginning",
        &["B3", "B2", "D2"],
    ),
    inside(
        Mutant::EpochBeginsEmpty,
        "R49",
        "dependency nodes of a new epoch begin without what earlier ones have received",
        &["B3", "B2"],
    ),
    inside(
        Mutant::FrozenStillAnswers,
        "R49b",
        "a dependency node that has stopped still answers",
        &["B3", "B2"],
    ),
    inside(
        Mutant::RepliesSurviveEpoch,
        "R49c",
        "replies of dependency nodes in two epochs count together",
        &["B4", "B3", "B2"],
    ),
    inside(
        Mutant::IndexForgetsPrefix,
        "R49d",
        "a dependency node that forgets old conflicts does not name what is below instead",
        &["B3", "B2"],
    ),
    inside(
        Mutant::SmallerEpochCompletes,
        "R49e",
        "replies of a larger dependency service are complete if they are enough for the next one",
        &["B4", "B3", "B2"],
    ),
    inside(
        Mutant::OlderConflictsForgotten,
        "R50",
        "a dependency node names only the latest conflicting vertices of a column",
        &["B3", "B2"],
    ),
    inside(
        Mutant::MissingCountsAsExecuted,
        "R51",
        "a replica executes a vertex before what it depends on is chosen",
        &["B6", "B5"],
    ),
    inside(
        Mutant::DirectDependenciesOnly,
        "R52",
        "a replica waits only for what a vertex depends on directly",
        &["B6", "B5"],
    ),
    inside(
        Mutant::ComponentByArrival,
        "R53",
        "a replica executes components in the order of arrival",
        &["B5", "B12"],
    ),
    inside(
        Mutant::NoopNeverExecuted,
        "R54",
        "a vertex that holds nothing is never taken for executed",
        &["L1"],
    ),
    inside(
        Mutant::VertexReusedAfterRestart,
        "R55",
        "a proposer that restarts uses its vertices again",
        &["B1", "B3", "B4", "B7", "D1", "D2"],
    ),
    inside(
        Mutant::LargestNumberOnly,
        "R56",
        "a replica remembers only the largest command number of each session",
        &["B5", "B7", "B9", "L1", "B12"],
    ),
    inside(
        Mutant::AcknowledgedCountsAsExecuted,
        "R56b",
        "a replica takes for executed what the session has acknowledged",
        &["B5", "B7", "L1", "B12"],
    ),
    inside(
        Mutant::LaterLifeEndsEarlier,
        "R56c",
        "a replica ends the lives of a session before the latest that it met",
        &["B5", "B7", "L1", "B12"],
    ),
    inside(
        Mutant::TellBeforeArchived,
        "R25",
        "acceptors are told that slots are persisted when one archive has them",
        &["B8", "A12"],
    ),
    inside(
        Mutant::TellWhenChosen,
        "R57",
        "acceptors are told that slots are persisted when they are chosen",
        &["B8", "A12"],
    ),
    inside(
        Mutant::SnapshotWithinComponent,
        "R58",
        "a replica takes a snapshot within a component, and says that it covers all of it",
        &["B9", "B5"],
    ),
    inside(
        Mutant::SnapshotFillsHoles,
        "R58b",
        "a snapshot is said to cover all below the last executed vertex of each column",
        &["B6", "B9", "B5", "D1", "L1"],
    ),
    inside(
        Mutant::CoveredCountsAsExecuted,
        "R58c",
        "a replica takes what a snapshot covers for executed though it has not come to it",
        &["B6", "B9", "B5", "L1"],
    ),
    inside(
        Mutant::SessionsOutsideSnapshot,
        "R59",
        "snapshots leave the sessions out",
        &["B7", "B5"],
    ),
    inside(
        Mutant::InstallOlderSnapshot,
        "R65a",
        "a replica installs a snapshot that is older than what it has executed",
        &["B6", "B9", "D5", "L1"],
    ),
    inside(
        Mutant::ForgetBeforeSnapshotEnds,
        "R65b",
        "values that a snapshot covers are forgotten before it is whole",
        &["D1", "D2", "A12", "A22"],
    ),
    inside(
        Mutant::TakeAnyChunk,
        "R65d",
        "chunks of a snapshot are taken in any order",
        &["D2", "B9", "D5", "L1"],
    ),
    inside(
        Mutant::SmallSnapshotCompacts,
        "R65e",
        "a log is made short by a snapshot that does not cover what goes",
        &["D2"],
    ),
    inside(
        Mutant::StoppedStillAnswers,
        "R33",
        "a stopped matchmaker still answers proposers",
        &["H3", "H2"],
    ),
    inside(
        Mutant::InheritedLogLost,
        "R37b",
        "a new matchmaker begins without the rounds that were handed over to it",
        &["A8", "A9", "D1"],
    ),
    inside(
        Mutant::AnybodyOpensColumns,
        "R106",
        "a matchmaker opens a column for whoever asks for it",
        &["A8", "B1", "A2", "L1"],
    ),
    inside(
        Mutant::SlotAsPosition,
        "R98",
        "a replica tells the state machine the slot of a command's column, not its rank",
        &["B12"],
    ),
    inside(
        Mutant::RanksBeginAnew,
        "R98b",
        "a replica that was given a snapshot begins to count ranks anew",
        &["B12"],
    ),
];
