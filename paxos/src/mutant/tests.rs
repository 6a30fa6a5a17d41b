use std::collections::BTreeSet;

use super::*;

#[test]
fn every_fault_is_listed_once_and_has_an_id_of_its_own() {
    for (index, mutant) in Mutant::all().enumerate() {
        assert_eq!(mutant as usize, index, "{mutant:?} is out of order");
    }
    let ids: BTreeSet<&str> = Mutant::all().map(Mutant::id).collect();
    assert_eq!(ids.len(), Mutant::all().count());
}

#[test]
fn a_fault_is_there_only_while_it_is_selected() {
    let is_any_on = || Mutant::all().any(is_on);
    assert!(!is_any_on());
    select(Some(Mutant::OneBallot));
    assert!(is_on(Mutant::OneBallot) && !is_on(Mutant::VoteWithoutPromise));
    select(None);
    assert!(!is_any_on());
}
