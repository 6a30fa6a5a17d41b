//! Bugs of acceptors, leaders, the registry and its collection.

use paxos::mutant::Mutant;

use super::inside;
use crate::mutation::Description;

/// All of them.
pub(in crate::mutation) const ALL: [Description; 40] = [
    inside(
        Mutant::PageSkipsVote,
        "R03c",
        "the next page of the votes of an acceptor begins one slot too late",
        &["A23"],
    ),
    inside(
        Mutant::OneBallot,
        "R04",
        "an acceptor keeps one round for promise and vote: a later promise raises the round of its \
         votes",
        &["D5", "A2", "A21", "D1"],
    ),
    inside(
        Mutant::OldRoundKept,
        "R04b",
        "an acceptor that votes for the same value again keeps the round of its first vote",
        &["A23"],
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
        &["A2", "A7", "A21", "A10"],
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
        &["A9", "D2"],
    ),
    inside(
        Mutant::CheckpointWithoutNewest,
        "R15b",
        "the checkpoint of a matchmaker leaves the newest configuration out",
        &["D2"],
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
        &["A2", "A21", "A10"],
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
        &["A17", "A10", "A19"],
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
        &["A7", "A10"],
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
        Mutant::OlderConfigurationRegistered,
        "R32b",
        "a matchmaker registers a configuration that is older than the newest it knows",
        &["H6", "A11", "L1"],
    ),
    inside(
        Mutant::AskVoidRounds,
        "R32c",
        "Phase 1 asks configurations that are older than that of the watermark",
        &["A11"],
    ),
];
