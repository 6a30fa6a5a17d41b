//! Model 2: a log, two proposers, and acceptors that are replaced while commands are pending.

use paxos::actor::NodeId;
use paxos::mutant::Mutant;

use super::{ACCEPTORS, Build, Instance, PROPOSERS, World, WorldState};
use super::{
    acceptors, founding, is_first_campaign_or_wish, is_for_show_or_garbage, is_idle, is_newest,
    is_registration, judged, majority, matchmakers, proposer, set,
};
use crate::cast::{Role, Wish};
use crate::ghost::Truth;
use crate::lift::Lift;

pub(super) const ALL: &[Instance] = &[
    Instance {
        name: "log",
        text: "a reconfiguration with a pending command; another leader takes over with one of its own",
        bound: "1 acceptor, then another one; 2 slots, 3 rounds",
        states: 13918,
        is_fixed: true,
        build: Build::Log(|mutant| small(mutant, 1).with_bound(rounds_3)),
    },
    Instance {
        name: "log-chain",
        text: "two reconfigurations with a pending command; another leader takes over with one of its own",
        bound: "1 acceptor, another one, the first again; 2 slots, 4 rounds",
        states: 289782,
        is_fixed: true,
        build: Build::Log(|mutant| small(mutant, 2).with_bound(rounds_4)),
    },
    Instance {
        name: "log-overlapping",
        text: "a reconfiguration to overlapping acceptors with a pending command; another leader takes over",
        bound: "4 acceptors, 3 in each configuration; 1 slot, 3 rounds",
        states: 49074,
        is_fixed: true,
        build: Build::Log(|mutant| overlapping(mutant).with_bound(rounds_3)),
    },
    Instance {
        name: "log-chain-overlapping",
        text: "two reconfigurations to overlapping acceptors with a pending command; another leader takes over",
        bound: "4 acceptors, 2 in each configuration; 1 slot, 4 rounds",
        states: 0,
        is_fixed: false,
        build: Build::Log(|mutant| overlapping_chain(mutant).with_bound(rounds_4)),
    },
];

fn rounds_3(state: &WorldState) -> bool {
    state.ghost.votes.rounds.len() <= 3
}

fn rounds_4(state: &WorldState) -> bool {
    state.ghost.votes.rounds.len() <= 4
}

fn small(mutant: Option<Mutant>, chain: usize) -> World {
    let [a, b, ..] = ACCEPTORS;
    let initial = majority(1, [a]);
    let moves = [Wish::Reconfigure(set([b])), Wish::Reconfigure(set([a]))];
    let cast = vec![
        proposer(0, &initial, &[&[Wish::Campaign], &[Wish::Command("tea")], &moves[..chain]]),
        proposer(1, &initial, &[&[Wish::Campaign, Wish::Campaign], &[Wish::Command("coffee")]]),
    ];
    world(mutant, cast, 2)
}

fn overlapping(mutant: Option<Mutant>) -> World {
    let [a, b, c, d] = ACCEPTORS;
    overlapping_from(mutant, &[a, b, c], &[&[b, c, d]])
}

/// Each configuration shares one acceptor with the next one, and needs both of its own.
fn overlapping_chain(mutant: Option<Mutant>) -> World {
    let [a, b, c, d] = ACCEPTORS;
    overlapping_from(mutant, &[a, b], &[&[b, c], &[c, d]])
}

fn overlapping_from(mutant: Option<Mutant>, initial: &[NodeId], next: &[&[NodeId]]) -> World {
    let initial = majority(1, initial.iter().copied());
    let moves: Vec<Wish> =
        next.iter().map(|members| Wish::Reconfigure(set(members.iter().copied()))).collect();
    let cast = vec![
        proposer(0, &initial, &[&[Wish::Campaign], &[Wish::Command("tea")], &moves]),
        proposer(1, &initial, &[&[Wish::Campaign]]),
    ];
    world(mutant, cast, 4)
}

fn world(mutant: Option<Mutant>, mut cast: Vec<(NodeId, Role)>, acceptor_count: usize) -> World {
    cast.extend(matchmakers().chain(acceptors(acceptor_count)));
    let world = Lift::new(cast, Truth::new(founding())).with_mutant(mutant);
    let world = world.without_timers(is_idle).without_messages(is_for_show_or_garbage);
    judged(
        world
            .keeping(is_newest)
            .without_repeats(is_registration)
            .with_prologue(is_first_campaign_or_wish),
    )
    .always("A13 chosen truth", |_, state| state.ghost.holds("A13"))
    .always("A17 slot discipline", |_, state| state.ghost.holds("A17"))
    .sometimes("a value is chosen", |_, state| state.ghost.votes.chosen().next().is_some())
    .sometimes("a value is chosen in an adjacent round", |_, state| {
        state.ghost.votes.chosen().any(|(_, round, _)| round.step > 0)
    })
    .sometimes("another leader proposes", |_, state| {
        let mut rounds = state.ghost.votes.proposals.keys().map(|(_, round)| round);
        rounds.any(|round| round.owner == PROPOSERS[1])
    })
}
