//! Faults on purpose, each of which a random world must show: a judge that never fails proves nothing.

use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};

use paxos::mutant::{self, Mutant};

use crate::random::{Coverage, run};

/// The fault is found in one of these worlds.
fn is_caught(mutant: Mutant, seeds: RangeInclusive<u64>) -> bool {
    assert!(mutant::select(Some(mutant)), "faults are compiled in");
    let is_shown = |seed: &u64| {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(*seed, &mut Coverage::default())));
        outcome.err().is_some_and(|cause| {
            let text = cause.downcast_ref::<String>().map(String::as_str);
            let text = text.or(cause.downcast_ref::<&str>().copied()).unwrap_or("?");
            println!("{} at seed {seed}: {:.100}", mutant.id(), text.replace('\n', " "));
            true
        })
    };
    let found = seeds.into_iter().find(is_shown);
    mutant::select(None);
    found.is_some()
}

const SEEDS: RangeInclusive<u64> = 1..=500;

#[test]
fn a_quorum_of_one_dependency_node_is_caught() {
    assert!(is_caught(Mutant::OneDependencyReply, SEEDS));
}

#[test]
fn dependency_nodes_that_forget_are_caught() {
    assert!(is_caught(Mutant::DependencyNodeForgets, SEEDS));
}

#[test]
fn forgetting_older_conflicts_is_caught() {
    assert!(is_caught(Mutant::OlderConflictsForgotten, SEEDS));
}

#[test]
fn executing_too_early_is_caught() {
    assert!(is_caught(Mutant::MissingCountsAsExecuted, SEEDS));
}

#[test]
fn waiting_for_direct_dependencies_only_is_caught() {
    assert!(is_caught(Mutant::DirectDependenciesOnly, SEEDS));
}

#[test]
fn executing_components_by_arrival_is_caught() {
    assert!(is_caught(Mutant::ComponentByArrival, SEEDS));
}

#[test]
fn vertices_that_hold_nothing_and_are_never_executed_are_caught() {
    assert!(is_caught(Mutant::NoopNeverExecuted, SEEDS));
}

#[test]
fn vertices_that_are_used_again_after_a_restart_are_caught() {
    assert!(is_caught(Mutant::VertexReusedAfterRestart, SEEDS));
}

#[test]
fn remembering_the_largest_number_only_is_caught() {
    assert!(is_caught(Mutant::LargestNumberOnly, SEEDS));
}

#[test]
fn taking_what_is_acknowledged_for_executed_is_caught() {
    assert!(is_caught(Mutant::AcknowledgedCountsAsExecuted, SEEDS));
}

#[test]
fn ending_earlier_lives_is_caught() {
    assert!(is_caught(Mutant::LaterLifeEndsEarlier, SEEDS));
}

#[test]
fn epochs_that_begin_empty_are_caught() {
    assert!(is_caught(Mutant::EpochBeginsEmpty, SEEDS));
}

#[test]
fn dependency_nodes_that_answer_when_they_have_stopped_are_caught() {
    assert!(is_caught(Mutant::FrozenStillAnswers, SEEDS));
}

#[test]
fn replies_that_survive_their_epoch_are_caught() {
    assert!(is_caught(Mutant::RepliesSurviveEpoch, SEEDS));
}

#[test]
fn positions_that_are_slots_are_caught() {
    assert!(is_caught(Mutant::SlotAsPosition, SEEDS));
}

#[test]
fn snapshots_within_a_component_are_caught() {
    assert!(is_caught(Mutant::SnapshotWithinComponent, SEEDS));
}

#[test]
fn snapshots_that_fill_holes_are_caught() {
    assert!(is_caught(Mutant::SnapshotFillsHoles, SEEDS));
}

#[test]
fn snapshots_without_sessions_are_caught() {
    assert!(is_caught(Mutant::SessionsOutsideSnapshot, SEEDS));
}

#[test]
fn installing_older_snapshots_is_caught() {
    assert!(is_caught(Mutant::InstallOlderSnapshot, SEEDS));
}

#[test]
fn forgetting_values_before_the_snapshot_ends_is_caught() {
    assert!(is_caught(Mutant::ForgetBeforeSnapshotEnds, SEEDS));
}

#[test]
fn taking_any_chunk_is_caught() {
    assert!(is_caught(Mutant::TakeAnyChunk, SEEDS));
}

#[test]
fn telling_acceptors_what_one_archive_has_is_caught() {
    assert!(is_caught(Mutant::TellBeforeArchived, SEEDS));
}

#[test]
fn letting_go_of_conflicts_without_their_prefix_is_caught() {
    assert!(is_caught(Mutant::IndexForgetsPrefix, SEEDS));
}

#[test]
fn epochs_that_begin_anew_in_a_checkpoint_are_caught() {
    assert!(is_caught(Mutant::EpochBeginsAnew, SEEDS));
}

#[test]
fn matchmakers_that_open_columns_for_anybody_are_caught() {
    assert!(is_caught(Mutant::AnybodyOpensColumns, SEEDS));
}

#[test]
fn matchmakers_that_lose_what_was_handed_over_are_caught() {
    assert!(is_caught(Mutant::InheritedLogLost, SEEDS));
}

#[test]
fn stopped_matchmakers_that_answer_are_caught() {
    assert!(is_caught(Mutant::StoppedStillAnswers, SEEDS));
}

#[test]
fn taking_what_is_covered_for_executed_is_caught() {
    assert!(is_caught(Mutant::CoveredCountsAsExecuted, SEEDS));
}

#[test]
fn making_room_by_too_small_a_snapshot_is_caught() {
    assert!(is_caught(Mutant::SmallSnapshotCompacts, SEEDS));
}

#[test]
fn ranks_that_begin_anew_are_caught() {
    assert!(is_caught(Mutant::RanksBeginAnew, SEEDS));
}
