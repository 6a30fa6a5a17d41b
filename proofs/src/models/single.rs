//! Model 1: one decree, two proposers, acceptors that change in between.

use matchmaker::message::Epoch;
use matchmaker::single::SingleProposer;
use paxos::mutant::Mutant;

use super::{ACCEPTORS, Build, Instance, MATCHMAKERS, PROPOSERS, World, WorldState};
use super::{
    acceptors, founding, is_for_show, is_for_show_or_garbage, is_idle, judged, majority,
    matchmakers,
};
use crate::cast::{Role, Wishing, value};
use crate::ghost::Truth;
use crate::lift::Lift;

pub(super) const ALL: &[Instance] = &[
    Instance {
        name: "single",
        text: "two proposers with overlapping acceptors",
        bound: "2 rounds",
        states: 6785,
        is_fixed: true,
        build: Build::Log(|mutant| {
            world(mutant).without_messages(is_for_show_or_garbage).with_bound(rounds_2)
        }),
    },
    Instance {
        name: "single-crash",
        text: "the same, and any one actor crashes and recovers",
        bound: "2 rounds",
        states: 37642,
        is_fixed: true,
        build: Build::Log(|mutant| {
            world(mutant)
                .without_messages(is_for_show_or_garbage)
                .with_bound(rounds_2)
                .with_crashes(1, |_| true)
        }),
    },
    Instance {
        name: "single-3",
        text: "the same with three rounds",
        bound: "3 rounds",
        states: 664659,
        is_fixed: true,
        build: Build::Log(|mutant| {
            world(mutant).without_messages(is_for_show_or_garbage).with_bound(rounds_3)
        }),
    },
    Instance {
        name: "single-3-crash",
        text: "the same with three rounds",
        bound: "3 rounds",
        states: 0,
        is_fixed: false,
        build: Build::Log(|mutant| {
            world(mutant)
                .without_messages(is_for_show_or_garbage)
                .with_bound(rounds_3)
                .with_crashes(1, |_| true)
        }),
    },
    Instance {
        name: "single-garbage",
        text: "with collection",
        bound: "2 rounds",
        states: 0,
        is_fixed: false,
        build: Build::Log(|mutant| {
            world(mutant).without_messages(is_for_show).with_bound(rounds_2)
        }),
    },
    Instance {
        name: "single-garbage-3",
        text: "with collection",
        bound: "3 rounds",
        states: 0,
        is_fixed: false,
        build: Build::Log(|mutant| {
            world(mutant).without_messages(is_for_show).with_bound(rounds_3)
        }),
    },
];

fn rounds_2(state: &WorldState) -> bool {
    state.ghost.votes.rounds.len() <= 2
}

fn rounds_3(state: &WorldState) -> bool {
    state.ghost.votes.rounds.len() <= 3
}

fn world(mutant: Option<Mutant>) -> World {
    let proposer = |place: usize, acceptors: [_; 3], texts: [&'static str; 2]| {
        let proposer = SingleProposer::new(PROPOSERS[place], Epoch(0), MATCHMAKERS.into());
        let (configuration, values) = (majority(1, acceptors), texts.map(value));
        let wishing = Wishing { proposer, configuration, values };
        (PROPOSERS[place], Role::Single(Box::new(wishing)))
    };
    let [a, b, c, d] = ACCEPTORS;
    let mut cast =
        vec![proposer(0, [a, b, c], ["tea", "milk"]), proposer(1, [b, c, d], ["coffee", "milk"])];
    cast.extend(matchmakers().chain(acceptors(4)));
    let world = Lift::new(cast, Truth::new(founding())).with_mutant(mutant);
    judged(world.without_timers(is_idle))
        .always("A10 collection licence", |_, state| state.ghost.holds("A10"))
        .sometimes("a value is chosen", |_, state| state.ghost.votes.chosen().next().is_some())
}
