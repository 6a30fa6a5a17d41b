//! What is true of a whole cluster at any time. For tests and checkers: they look at everything at once.
//!
//! Names are those of `docs/invariants.md`.

use std::collections::BTreeMap;

use bytes::Bytes;
use paxos::state_machine::{Conflicts, Footprint};

use crate::command::Proposal;
use crate::vertex::{Vertex, VertexSet};

/// What is known to be chosen, nothing being a noop.
pub type ChosenVertices = BTreeMap<Vertex, Option<Proposal>>;

/// *B2*: of two chosen vertices whose commands conflict, one depends on the other; and *B10*: none depends
/// on itself. Two that break it, if there are any.
///
/// *Paper*: Bipartisan Paxos, the dependency invariant.
///
/// *Cost*: O(n²), n = chosen vertices.
pub fn dependency_defect<S: Conflicts>(chosen: &ChosenVertices) -> Option<(Vertex, Vertex)> {
    let commands = chosen.iter().filter_map(|(vertex, proposal)| {
        let proposal = proposal.as_ref()?;
        Some((*vertex, &proposal.dependencies, proposal.content.footprint::<S>()))
    });
    let commands: Vec<(Vertex, &VertexSet, Footprint)> = commands.collect();
    for (place, (one, one_needs, one_touches)) in commands.iter().enumerate() {
        if one_needs.contains(*one) {
            return Some((*one, *one));
        }
        for (two, two_needs, two_touches) in &commands[place + 1..] {
            let is_ordered = one_needs.contains(*two) || two_needs.contains(*one);
            if !is_ordered && one_touches.conflicts_with(two_touches) {
                return Some((*one, *two));
            }
        }
    }
    None
}

/// *B6*: what is executed is chosen, and so is all that it depends on, and executed, too. A vertex that
/// is not, if there is one.
///
/// *Cost*: O(n · d), d = columns.
pub fn closure_defect(chosen: &ChosenVertices, executed: &VertexSet) -> Option<Vertex> {
    let known = chosen.iter().filter(|(vertex, _)| executed.contains(**vertex));
    let dependencies = known.filter_map(|(_, proposal)| proposal.as_ref());
    let missing = dependencies.filter_map(|p| p.dependencies.first_missing(None, executed)).next();
    let every: VertexSet = chosen.keys().copied().collect();
    missing.or_else(|| executed.first_missing(None, &every))
}

/// *B5*: two replicas have executed commands that conflict in the same order. Two that they have not, if
/// there are any. Commands must differ from each other.
///
/// *Cost*: O(n²), n = commands that both have executed.
pub fn order_defect<S: Conflicts>(one: &[Bytes], two: &[Bytes]) -> Option<(Bytes, Bytes)> {
    let places: BTreeMap<&Bytes, usize> =
        two.iter().enumerate().map(|(place, command)| (command, place)).collect();
    let common = one.iter().filter_map(|command| Some((command, *places.get(command)?)));
    let common: Vec<(&Bytes, usize, Footprint)> =
        common.map(|(command, place)| (command, place, S::footprint(command))).collect();
    for (index, (first, first_place, first_touches)) in common.iter().enumerate() {
        for (second, second_place, second_touches) in &common[index + 1..] {
            if first_place > second_place && first_touches.conflicts_with(second_touches) {
                return Some(((*first).clone(), (*second).clone()));
            }
        }
    }
    None
}
