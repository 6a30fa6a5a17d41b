use std::collections::BTreeSet;

use super::*;

#[test]
fn every_fault_is_listed_once_and_has_an_id_of_its_own() {
    for (index, mutant) in Mutant::ALL.iter().enumerate() {
        assert_eq!(*mutant as usize, index, "{mutant:?} is out of order");
    }
    let ids: BTreeSet<&str> = Mutant::ALL.iter().map(|mutant| mutant.id()).collect();
    assert_eq!(ids.len(), Mutant::ALL.len());
}

#[test]
fn a_fault_is_there_only_while_it_is_selected() {
    let is_any_on = || Mutant::ALL.iter().any(|mutant| is_on(*mutant));
    assert!(!is_any_on());
    select(Some(Mutant::OneBallot));
    assert!(is_on(Mutant::OneBallot) && !is_on(Mutant::VoteWithoutPromise));
    select(None);
    assert!(!is_any_on());
}
