//! Random runs of a whole cluster in a deterministic world (`world`).
//!
//! Replay a failing seed with its trace:
//! `WORLD_SEED=n cargo test -p matchmaker --test random_runs -- --nocapture`.
//! Run more seeds: `WORLD_SEEDS=a..b cargo test -p matchmaker --test random_runs -- --nocapture`.

#[allow(unreachable_pub, missing_docs)]
mod world;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use paxos::mutant::{self, Mutant};
use world::checks::Failure;
use world::{Mutation, Summary};

/// How long the default run takes, at most, in real time.
const DEFAULT_TIME: Duration = Duration::from_secs(20);

/// Runs one seed; a panic of an actor is a failure like any other.
fn run(seed: u64, mutation: Option<Mutation>, is_traced: bool) -> Result<Summary, Failure> {
    catch_unwind(AssertUnwindSafe(|| world::run(seed, mutation, is_traced))).unwrap_or_else(
        |panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Err(Failure { check: "own assertion", detail: text.unwrap_or_default() })
        },
    )
}

fn range_of(text: &str) -> Range<u64> {
    let (start, end) = text.split_once("..").expect("WORLD_SEEDS is like 0..1000");
    start.parse().expect("the first seed")..end.parse().expect("the seed after the last")
}

#[test]
fn random_runs_keep_every_promise() {
    if let Ok(seed) = std::env::var("WORLD_SEED") {
        let outcome = run(seed.parse().expect("WORLD_SEED is a number"), None, true);
        println!("{outcome:#?}");
        return assert!(outcome.is_ok(), "seed {seed} fails");
    }
    let wanted = std::env::var("WORLD_SEEDS").ok();
    let seeds = wanted.as_deref().map_or(0..u64::MAX, range_of);
    let start = Instant::now();
    let mut total = Summary::default();
    let (mut count, mut failures) = (0u64, Vec::new());
    for seed in seeds {
        if wanted.is_none() && start.elapsed() > DEFAULT_TIME {
            break;
        }
        count += 1;
        match run(seed, None, false) {
            Ok(summary) => total.add(&summary),
            Err(Failure { check, detail }) => {
                println!("seed {seed} fails: {check}: {detail}");
                println!(
                    "replay: WORLD_SEED={seed} cargo test -p matchmaker --test random_runs -- --nocapture"
                );
                failures.push((seed, check));
                if wanted.is_none() {
                    break;
                }
            }
        }
    }
    let rate = total.events as f64 / start.elapsed().as_secs_f64();
    println!("{count} seeds, {rate:.0} events/s: {total:?}");
    assert!(failures.is_empty(), "{} of {count} seeds fail: {failures:?}", failures.len());
}

/// Bugs, and the checks one of which must catch each.
const MUTATIONS: [(Mutation, &[&str]); 16] = [
    (Mutation::SendBeforeSync, &["A6", "A8", "A12", "A13"]),
    (Mutation::ForgetPromise, &["A6"]),
    (Mutation::ForgetVotes, &["A6"]),
    (Mutation::HideVote, &["A2"]),
    (Mutation::ForgeMatchB, &["A7", "A11"]),
    (Mutation::HideHistory, &["A8"]),
    (Mutation::ForgetRegistration, &["A8", "A9"]),
    (Mutation::EarlyGarbage, &["A10"]),
    (Mutation::TwoValues, &["A2", "A3"]),
    (Mutation::OtherValueInAdjacentRound, &["A2", "A5", "A13"]),
    (Mutation::EarlyArchived, &["A12"]),
    (Mutation::ExecuteTwice, &["A14", "A15"]),
    (Mutation::ForgeReadB, &["A16"]),
    (Mutation::ForgePersistedB, &["A10"]),
    (Mutation::ForgeGarbageB, &["A11"]),
    (Mutation::LoseFetchB, &["liveness"]),
];

/// Within how many seeds each bug must be caught.
const MUTATION_SEEDS: u64 = 100;

#[test]
fn mutations_are_caught_by_the_check_that_is_meant_for_them() {
    let mut escaped = Vec::new();
    for (mutation, expected) in MUTATIONS {
        let caught = (0..MUTATION_SEEDS)
            .find_map(|seed| Some((seed, run(seed, Some(mutation), false).err()?)));
        println!("{mutation:?}: {caught:?}");
        let is_caught = caught.is_some_and(|(_, failure)| {
            expected.iter().any(|check| failure.check.starts_with(check))
        });
        if !is_caught {
            escaped.push(mutation);
        }
    }
    assert!(escaped.is_empty(), "not caught as they should be: {escaped:?}");
}

/// Faults inside the roles, and the checks one of which must catch each.
///
/// Left out are those that a run of the whole cluster cannot show, or hardly: `ForgetReplies` has no
/// effect where a session sits beside its replica; `EarlierPromiseCounts` needs a promise that
/// outlives a campaign; the others change who leads, and nothing else.
const MUTANTS: [(Mutant, &[&str]); 44] = [
    (Mutant::VoteWithoutPromise, &["own assertion", "A6"]),
    (Mutant::UnionQuorum, &["A2", "A7"]),
    (Mutant::AskNewestOnly, &["A2", "A7"]),
    (Mutant::SkipNewest, &["A2", "A7"]),
    (Mutant::MatchWithMinority, &["A7", "A10"]),
    (Mutant::HistoryOfOne, &["A2", "A7"]),
    (Mutant::RegisterLowerRound, &["A9"]),
    (Mutant::CheckpointWithoutWatermark, &["A9"]),
    (Mutant::LowestWatermark, &["A11"]),
    (Mutant::CollectAfterOneVote, &["A10"]),
    (Mutant::CollectDespiteVotes, &["A10"]),
    (Mutant::CollectByFirstSlot, &["A10"]),
    (Mutant::CollectUntold, &["A10"]),
    (Mutant::Phase1BeforeMatching, &["A7"]),
    (Mutant::TellBeforeArchived, &["A12"]),
    (Mutant::ProposeBelowPersisted, &["A2"]),
    (Mutant::ReuseVotedSlot, &["A2"]),
    (Mutant::FillHolesBlindly, &["A2"]),
    (Mutant::OldRoundGoesOn, &["A17"]),
    (Mutant::SkipPhase1, &["A2", "A7", "A10"]),
    (Mutant::SwitchBeforeMatching, &["A7"]),
    (Mutant::ProposedSlotFreed, &["A2", "A10"]),
    (Mutant::KnownSlotFreed, &["A2", "A10"]),
    (Mutant::LateSameValue, &["A17"]),
    (Mutant::CollectAfterSwitch, &["A10"]),
    (Mutant::CollectByOldChoice, &["A10"]),
    (Mutant::CollectByOldFreedom, &["A10"]),
    (Mutant::CollectUntoldAfterSwitch, &["A10"]),
    (Mutant::TellOldOnly, &["A10"]),
    (Mutant::RetryOtherConfiguration, &["no violation", "A4"]),
    (Mutant::OneNumberingForAll, &["A15", "A16", "liveness"]),
    (Mutant::RetryUnderNewLife, &["A15", "A16"]),
    (Mutant::ReadWithoutQuestion, &["A16"]),
    (Mutant::OldConfirmationCounts, &["A16"]),
    (Mutant::ReadBeforeSettled, &["A16"]),
    (Mutant::ReadByPhase1Quorum, &["A16"]),
    (Mutant::ConfirmationsSurviveSwitch, &["A16"]),
    (Mutant::CountMessages, &["A13"]),
    (Mutant::EarlierRepliesCount, &["A16"]),
    (Mutant::EarlierMatchBCounts, &["A7"]),
    (Mutant::QuestionsRestart, &["A16"]),
    (Mutant::CampaignAtOnce, &["liveness"]),
    (Mutant::NoBackPressure, &["limits"]),
    (Mutant::CollectBehindTraffic, &["liveness"]),
];

/// The same for faults that need a rare situation.
const RARE_MUTANTS: [(Mutant, &[&str]); 7] = [
    (Mutant::OneBallot, &["no violation", "A2"]),
    (Mutant::AdoptLowestVote, &["A2"]),
    (Mutant::AdoptRepeatedValue, &["A2"]),
    (Mutant::RegisterCollectedRound, &["own assertion", "A9"]),
    (Mutant::SwitchOverForeignRound, &["own assertion", "A7"]),
    (Mutant::ExecuteEndedLife, &["A15", "A16"]),
    (Mutant::EarlierVoteCounts, &["A13"]),
];

/// Within how many seeds each rare fault must be caught.
const RARE_SEEDS: u64 = 1000;

/// Tries each fault on the first seeds, or on those of `WORLD_SEEDS`.
fn assert_caught(mutants: &[(Mutant, &[&str])], seeds: u64) {
    let seeds = std::env::var("WORLD_SEEDS").map_or(0..seeds, |text| range_of(&text));
    let mut escaped = Vec::new();
    for (mutant, expected) in mutants {
        mutant::select(Some(*mutant));
        let caught = seeds.clone().find_map(|seed| Some((seed, run(seed, None, false).err()?)));
        mutant::select(None);
        println!("{} {mutant:?}: {caught:?}", mutant.id());
        let is_caught = caught.is_some_and(|(_, failure)| {
            expected.iter().any(|check| failure.check.starts_with(check))
        });
        if !is_caught {
            escaped.push(mutant.id());
        }
    }
    assert!(escaped.is_empty(), "not caught as they should be: {escaped:?}");
}

#[test]
fn faults_inside_the_roles_are_caught() {
    assert_caught(&MUTANTS, MUTATION_SEEDS);
}

#[test]
#[ignore = "takes a minute"]
fn rare_faults_inside_the_roles_are_caught() {
    assert_caught(&RARE_MUTANTS, RARE_SEEDS);
}

/// Faults of elections, and whether the directed runs notice each.
#[test]
fn faults_of_elections_are_caught() {
    use world::elections::Rest;

    let is_disturbed = |seed| {
        !Rest::new(seed).a_follower_that_cannot_hear_the_leader_does_not_depose_it()
            || !Rest::new(seed).a_node_that_was_cut_off_does_not_disturb_the_leader()
    };
    for mutant in [Mutant::CampaignOnSilence, Mutant::CampaignWithoutQuorum] {
        mutant::select(Some(mutant));
        let caught = (0..MUTATION_SEEDS).find(|seed| is_disturbed(*seed));
        mutant::select(None);
        println!("{} {mutant:?}: {caught:?}", mutant.id());
        assert!(caught.is_some(), "{mutant:?} is not caught");
    }
}

#[test]
fn a_configuration_that_cannot_write_can_be_left() {
    let outcome =
        world::healing::leave_a_broken_configuration(1, std::env::var("WORLD_TRACE").is_ok());
    assert!(outcome.is_ok(), "{outcome:?}");
}

/// Runs a directed election from several starts.
fn directed(election: impl Fn(world::elections::Rest) -> bool) {
    for seed in 0..20 {
        assert!(election(world::elections::Rest::new(seed)), "seed {seed}");
    }
}

#[test]
fn no_leader_is_deposed_by_a_node_that_merely_cannot_hear_it() {
    directed(|rest| rest.a_follower_that_cannot_hear_the_leader_does_not_depose_it());
}

#[test]
fn a_partitioned_or_restarted_node_does_not_disturb_a_working_leader() {
    directed(|rest| rest.a_node_that_was_cut_off_does_not_disturb_the_leader());
    directed(|rest| rest.a_node_that_restarts_does_not_disturb_the_leader());
}

#[test]
fn a_leader_without_a_quorum_makes_way_for_one_that_has_it() {
    directed(|rest| rest.a_leader_that_hears_no_quorum_makes_way());
    directed(|rest| rest.whoever_reaches_a_quorum_leads_after_the_leader_is_lost());
}
