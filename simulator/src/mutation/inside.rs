//! Bugs inside the roles, and what is meant to catch them.
//!
//! Left out are those that a run of a whole cluster cannot show: `ForgetReplies` has no effect where a
//! session sits beside its replica, `EarlierPromiseCounts` needs a promise that outlives a campaign, and
//! those of elections change who leads and nothing else; `tests/elections.rs` has them.

use paxos::mutant::Mutant;

use super::{Description, Mutation, bug};

const fn inside(
    mutant: Mutant,
    id: &'static str,
    text: &'static str,
    caught_by: &'static [&'static str],
) -> Description {
    bug(Mutation::Inside(mutant), id, text, caught_by)
}

/// All of them.
pub(super) const ALL: [Description; 72] = [
    inside(
        Mutant::OneBallot,
        "R04",
        "an acceptor keeps one round for promise and vote: a later promise raises the round of its votes",
        &["D5", "A2", "A21", "D1"],
    ),
    inside(Mutant::VoteWithoutPromise, "R05", "a vote does not raise the promise", &["D5", "A6"]),
    inside(
        Mutant::AdoptLowestVote,
        "R06",
        "a leader adopts the vote of the lowest round in a slot",
        &["A2", "A21", "A10"],
    ),
    inside(
        Mutant::AdoptRepeatedValue,
        "R07",
        "a leader adopts the value that two acceptors report, whatever was voted in a higher round",
        &["A2", "A21", "A10"],
    ),
    inside(
        Mutant::UnionQuorum,
        "R08",
        "Phase 1 ends with a majority of the union of the earlier configurations",
        &["A2", "A7", "A21", "A10"],
    ),
    inside(
        Mutant::AskNewestOnly,
        "R09",
        "Phase 1 waits for the newest earlier configuration only",
        &["A2", "A7", "A21", "A10"],
    ),
    inside(
        Mutant::SkipNewest,
        "R10",
        "Phase 1 does not wait for the newest earlier configuration",
        &["A2", "A7", "A21", "A10"],
    ),
    inside(
        Mutant::MatchWithMinority,
        "R11",
        "matchmaking is complete with f answers",
        &["A7", "A10"],
    ),
    inside(
        Mutant::HistoryOfOne,
        "R12",
        "the history is that of one matchmaker, not the union",
        &["A2", "A7", "A21"],
    ),
    inside(
        Mutant::RegisterLowerRound,
        "R13",
        "a matchmaker registers rounds below its highest",
        &["A9"],
    ),
    inside(
        Mutant::CheckpointWithoutWatermark,
        "R15",
        "the checkpoint of a matchmaker leaves its watermark out",
        &["A9"],
    ),
    inside(
        Mutant::LowestWatermark,
        "R16",
        "a leader takes the lowest watermark that matchmakers tell, not the highest",
        &["A11"],
    ),
    inside(
        Mutant::RegisterCollectedRound,
        "R17",
        "a matchmaker registers rounds below its watermark",
        &["D5", "A9"],
    ),
    inside(
        Mutant::CollectAfterOneVote,
        "R19",
        "a leader collects when each slot below has one vote",
        &["A10"],
    ),
    inside(
        Mutant::CollectDespiteVotes,
        "R20",
        "a new leader takes slots with votes for free when it collects",
        &["A10"],
    ),
    inside(
        Mutant::CollectByFirstSlot,
        "R21",
        "a leader collects when the first slot is persisted and told",
        &["A10"],
    ),
    inside(
        Mutant::CollectUntold,
        "R23",
        "a leader collects without telling its own acceptors what is persisted",
        &["A10"],
    ),
    inside(
        Mutant::Phase1BeforeMatching,
        "R24",
        "a leader asks acceptors before its round is registered",
        &["A7"],
    ),
    inside(
        Mutant::TellBeforeArchived,
        "R25",
        "a leader takes for persisted what a single archive holds",
        &["A12"],
    ),
    inside(
        Mutant::ProposeBelowPersisted,
        "R27",
        "a leader does not believe acceptors that slots are persisted, and fills them with nothing",
        &["A2", "A21"],
    ),
    inside(
        Mutant::ReuseVotedSlot,
        "R28",
        "a new leader puts commands into slots with votes",
        &["A2", "A21"],
    ),
    inside(
        Mutant::FillHolesBlindly,
        "R29",
        "a new leader takes each slot for a hole, whatever the votes in it",
        &["A2", "A21"],
    ),
    inside(
        Mutant::OldRoundGoesOn,
        "R30b",
        "after a switch new slots are proposed in the round before",
        &["A17", "A19"],
    ),
    inside(
        Mutant::SkipPhase1,
        "R30c",
        "a new leader does not wait for Phase 1",
        &["A2", "A7", "A10", "A21"],
    ),
    inside(
        Mutant::SwitchOverForeignRound,
        "R30d",
        "a leader switches to a round that is not adjacent, over one of another leader",
        &["D5", "A7"],
    ),
    inside(
        Mutant::SwitchBeforeMatching,
        "R30f",
        "a leader switches before the adjacent round is registered",
        &["A7"],
    ),
    inside(
        Mutant::ProposedSlotFreed,
        "R30g",
        "a switch takes slots in flight for free",
        &["A2", "A10", "A21"],
    ),
    inside(
        Mutant::KnownSlotFreed,
        "R30h",
        "a switch takes slots for free that are known to be chosen",
        &["A2", "A10", "A21"],
    ),
    inside(
        Mutant::LateSameValue,
        "R30i",
        "after a switch new slots are proposed in the round before as well, with the same values",
        &["A17"],
    ),
    inside(Mutant::CollectAfterSwitch, "R30j", "a leader collects right after a switch", &["A10"]),
    inside(
        Mutant::CollectByOldChoice,
        "R30k",
        "a leader collects when slots are chosen, if only in the round before the switch",
        &["A10"],
    ),
    inside(
        Mutant::CollectByOldFreedom,
        "R30l",
        "a switch does not move the start of the free slots",
        &["A10"],
    ),
    inside(
        Mutant::CollectUntoldAfterSwitch,
        "R30m",
        "after a switch a leader collects without telling the new acceptors",
        &["A10"],
    ),
    inside(
        Mutant::TellOldOnly,
        "R30n",
        "after a switch a leader tells the acceptors before the switch what is persisted",
        &["A10"],
    ),
    inside(
        Mutant::RetryOtherConfiguration,
        "R32",
        "a retry registers the founding configuration for the round",
        &["D5", "A4"],
    ),
    inside(
        Mutant::StoppedStillAnswers,
        "R33",
        "a stopped matchmaker still answers proposers",
        &["H3", "H2"],
    ),
    inside(
        Mutant::DecideUnstopped,
        "R34",
        "a driver has a successor chosen before any matchmaker has stopped",
        &["H2", "H6"],
    ),
    inside(
        Mutant::StopMinority,
        "R35",
        "a driver merges what fewer than f + 1 stopped matchmakers know",
        &["H2", "H6"],
    ),
    inside(
        Mutant::MergeOneLog,
        "R36",
        "a driver hands over what one stopped matchmaker knows, not the union",
        &["H2", "H6"],
    ),
    inside(Mutant::MergeWithoutLog, "R37a", "a driver hands over no registered rounds", &["H2"]),
    inside(
        Mutant::InheritedLogLost,
        "R37b",
        "a new matchmaker begins without the rounds that were handed over to it",
        &["A8", "A9", "D1"],
    ),
    inside(
        Mutant::InheritedRoundsOutdone,
        "R38",
        "a new matchmaker registers rounds below those that were handed over to it",
        &["A9"],
    ),
    inside(
        Mutant::OutdoneRoundsAnswered,
        "R38b",
        "a new matchmaker answers rounds that were handed over below a higher one",
        &["A2", "A7", "A8", "A21"],
    ),
    inside(
        Mutant::SuccessorWithoutDecree,
        "R39",
        "a driver installs the successor it wants without a decree",
        &["H1", "H7"],
    ),
    inside(
        Mutant::AnswersSurviveHandover,
        "R40",
        "answers of the old matchmakers count together with those of the new ones",
        &["H4", "A7"],
    ),
    inside(
        Mutant::MergeWithoutWatermark,
        "R41",
        "a driver hands over the lowest watermark, and what others have collected",
        &["H2"],
    ),
    inside(
        Mutant::DecreeRoundsRestart,
        "R42",
        "a driver that restarts uses the rounds of its decrees again",
        &["H5", "D2"],
    ),
    inside(
        Mutant::CollectionSurvivesHandover,
        "R43",
        "old matchmakers that have collected count together with new ones",
        &["H4", "A11"],
    ),
    inside(
        Mutant::ExecuteEndedLife,
        "R60b",
        "replicas execute commands of a life of a session that has ended",
        &["A15", "A16", "A20"],
    ),
    inside(
        Mutant::OneNumberingForAll,
        "R60c",
        "replicas tell commands apart by number, not by session",
        &["A15", "A16", "L1", "A20"],
    ),
    inside(
        Mutant::RetryUnderNewLife,
        "R61",
        "a session that starts over numbers its commands anew, in a new life",
        &["A15", "A16", "A20", "D1"],
    ),
    inside(
        Mutant::ReadWithoutQuestion,
        "R63a",
        "a leader answers reads without asking whether it leads still",
        &["A16", "A20"],
    ),
    inside(
        Mutant::OldConfirmationCounts,
        "R63b",
        "an answer to an earlier question confirms later reads",
        &["A16", "A20"],
    ),
    inside(
        Mutant::ReadBeforeSettled,
        "R63c",
        "a new leader answers reads before what it inherited is chosen",
        &["A16", "A20"],
    ),
    inside(Mutant::ReadByPhase1Quorum, "R63d", "a Phase 1 quorum confirms reads", &["A16", "A20"]),
    inside(
        Mutant::ConfirmationsSurviveSwitch,
        "R63e",
        "members of the configuration before a switch confirm reads in the places of new ones",
        &["A16", "A20"],
    ),
    inside(
        Mutant::CountMessages,
        "R73",
        "a leader counts votes by message, not by member",
        &["A13"],
    ),
    inside(
        Mutant::EarlierVoteCounts,
        "R74b",
        "a vote in an earlier round counts for the present one",
        &["A13"],
    ),
    inside(
        Mutant::EarlierRepliesCount,
        "R74c",
        "a session takes replies to an earlier life for its own",
        &["A16", "A20"],
    ),
    inside(
        Mutant::EarlierMatchBCounts,
        "R74d",
        "a matchmaker's answer for an earlier round counts for the present one",
        &["A7"],
    ),
    inside(
        Mutant::QuestionsRestart,
        "R74e",
        "a session numbers its questions from zero in each life",
        &["A16", "A20"],
    ),
    inside(
        Mutant::CampaignAtOnce,
        "R76",
        "a proposer that is overtaken campaigns again at once",
        &["L1"],
    ),
    inside(
        Mutant::NoBackPressure,
        "R77",
        "a leader takes and proposes everything, however much waits already",
        &["D3"],
    ),
    inside(
        Mutant::ActivationWaitsForAll,
        "R81",
        "a driver waits until all new matchmakers have begun",
        &["L1"],
    ),
    inside(
        Mutant::CollectBehindTraffic,
        "R83",
        "a collection waits for one more command than it needs",
        &["L1"],
    ),
    inside(
        Mutant::JoiningCounts,
        "R90",
        "archives that are joining count at once",
        &["A12", "A22", "A10"],
    ),
    inside(
        Mutant::CollectByOldArchives,
        "R91",
        "a collection counts the archives of the configuration before the switch",
        &["A10", "A12", "A19"],
    ),
    inside(
        Mutant::StaleArchivesCount,
        "R92",
        "all archives that a leader ever heard of count",
        &["A12", "A22", "A10"],
    ),
    inside(
        Mutant::PersistedSurvivesSwitch,
        "R93",
        "after a switch a leader takes for persisted what was so before",
        &["A12", "A22", "A10"],
    ),
    inside(
        Mutant::FetchFromNewOnly,
        "R94",
        "replicas are sent to the archives of the present configuration only",
        &["L1"],
    ),
    inside(
        Mutant::SeenIgnored,
        "R95",
        "a change of members that was made from an old status is accepted",
        &["A11", "L1"],
    ),
    inside(Mutant::RemovedCampaigns, "R96", "a proposer that is no member campaigns", &["A23"]),
];
