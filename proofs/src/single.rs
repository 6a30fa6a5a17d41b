//! Model 1: one decree, two proposers, acceptors that change in between.
//!
//! | | |
//! |---|---|
//! | actors | 2 proposers, 3 matchmakers, 4 acceptors in two overlapping configurations of three |
//! | faults | loss, repeats, reordering; crash and recovery |
//! | bound | rounds below a number, so many of them for each proposer |

use std::collections::BTreeSet;

use matchmaker::matchmaker::Matchmaker;
use matchmaker::message::{Epoch, Generation};
use matchmaker::single::SingleProposer;
use paxos::acceptor::Acceptor;
use paxos::actor::{Incarnation, NodeId, Seat};
use paxos::configuration::Configuration;
use paxos::quorum::QuorumSystem;

use crate::cast::{Role, Wishing, value};
use crate::ghost::Truth;
use crate::lift::{Lift, State};

/// The actor on a seat.
const fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

const PROPOSERS: [NodeId; 2] = [node(1), node(2)];
const MATCHMAKERS: [NodeId; 3] = [node(11), node(12), node(13)];
const ACCEPTORS: [NodeId; 4] = [node(21), node(22), node(23), node(24)];

type Single = Lift<Role, Truth>;

/// The highest number of a round that the instance has.
fn is_within(state: &State<Role, Truth>) -> bool {
    state.ghost.rounds.keys().all(|round| round.number <= 2)
}

/// The instance.
pub fn model(crashes: usize) -> Single {
    let members = BTreeSet::from(MATCHMAKERS);
    let generation = Generation { epoch: Epoch(0), members: members.clone() };
    let configuration = |acceptors: [NodeId; 3]| {
        Configuration::new(1, QuorumSystem::Majority, acceptors).expect("three acceptors")
    };
    let proposer = |index: usize, acceptors, texts: [&'static str; 2]| {
        let node = PROPOSERS[index];
        let proposer = SingleProposer::new(node, Epoch(0), members.clone());
        let (configuration, values) = (configuration(acceptors), texts.map(value));
        (node, Role::Single(Box::new(Wishing { proposer, configuration, values })))
    };
    let [a, b, c, d] = ACCEPTORS;
    let mut cast =
        vec![proposer(0, [a, b, c], ["tea", "milk"]), proposer(1, [b, c, d], ["coffee", "milk"])];
    cast.extend(
        MATCHMAKERS
            .map(|node| (node, Role::Matchmaker(Box::new(Matchmaker::new(generation.clone()))))),
    );
    cast.extend(ACCEPTORS.map(|node| (node, Role::Acceptor(Acceptor::new()))));
    Lift::new(cast, Truth::default())
        .with_bound(is_within)
        .with_crashes(crashes, |_| true)
        .always("A1 agreement", |_, state| state.ghost.is_agreed())
        .always("A2 safe proposals", |_, state| state.ghost.is_safe())
        .always("D5 no impossible message", |_, state| state.complaint.is_none())
        .always("A3 A4 A5", |_, state| state.ghost.broken.is_none())
        .sometimes("a value is chosen", |_, state| state.ghost.chosen().next().is_some())
}

#[cfg(test)]
mod tests {
    use stateright::{Checker, Model};

    use super::*;

    #[test]
    fn explore() {
        let started = std::time::Instant::now();
        let checker = model(0).checker().threads(2).timeout(std::time::Duration::from_secs(60)).spawn_dfs().join();
        println!(
            "{} states, {} unique, depth {}, {:?}",
            checker.state_count(),
            checker.unique_state_count(),
            checker.max_depth(),
            started.elapsed()
        );
        checker.assert_properties();
    }
}
