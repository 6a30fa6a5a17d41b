//! Model 3: the acceptors before a reconfiguration are collected and retired while another leader starts.

use std::ops::Range;

use matchmaker::message::{Message, ToMatchmaker};
use paxos::mutant::Mutant;
use paxos::round::Round;

use super::{ACCEPTORS, Build, Instance, PROPOSERS, World, WorldState};
use super::{
    acceptors, founding, is_first_campaign_or_wish, is_for_show, is_idle, is_newest,
    is_registration, judged, majority, matchmakers, proposer, set,
};
use crate::cast::Wish;
use crate::ghost::Truth;
use crate::lift::Lift;

pub(super) const ALL: &[Instance] = &[
    Instance {
        name: "retirement",
        text: "an old acceptor is collected and may go, while another leader starts",
        bound: "1 acceptor, then another one; 3 rounds",
        states: 28012,
        is_fixed: true,
        build: Build::Log(|mutant| world(mutant, 0..1, 1..2).with_bound(rounds_3)),
    },
    Instance {
        name: "retirement-overlapping",
        text: "the same with acceptors that stay",
        bound: "4 acceptors, 3 in each configuration; 3 rounds",
        states: 133260,
        is_fixed: true,
        build: Build::Log(|mutant| world(mutant, 0..3, 1..4).with_bound(rounds_3)),
    },
];

fn rounds_3(state: &WorldState) -> bool {
    state.ghost.votes.rounds.len() <= 3
}

/// The first round has nothing to collect.
fn is_left_out(message: &Message) -> bool {
    let Message::Matchmaker(ToMatchmaker::GarbageA(m)) = message else {
        return is_for_show(message);
    };
    m.round.owner == PROPOSERS[0] && m.round.step == 0
}

fn world(mutant: Option<Mutant>, old: Range<usize>, new: Range<usize>) -> World {
    let count = new.end;
    let initial = majority(1, ACCEPTORS[old].iter().copied());
    let new = set(ACCEPTORS[new].iter().copied());
    let mut cast = vec![
        proposer(0, &initial, &[&[Wish::Campaign], &[Wish::Reconfigure(new)]]),
        proposer(1, &initial, &[&[Wish::Campaign, Wish::Campaign]]),
    ];
    cast.extend(matchmakers().chain(acceptors(count)));
    let world = Lift::new(cast, Truth::new(founding())).with_mutant(mutant);
    let world = world
        .without_timers(is_idle)
        .without_messages(is_left_out)
        .keeping(is_newest)
        .without_repeats(is_registration);
    judged(world.with_prologue(is_first_campaign_or_wish))
        .always("A10 collection licence", |_, state| state.ghost.holds("A10"))
        .always("A11 retirement", |_, state| state.ghost.holds("A11"))
        .always("A17 slot discipline", |_, state| state.ghost.holds("A17"))
        .sometimes("an acceptor may go", |_, state| !state.ghost.registry.retired.is_empty())
        .sometimes("another leader starts after that", |_, state| {
            let is_second = |round: Round| round.owner == PROPOSERS[1];
            let registry = &state.ghost.registry;
            !registry.retired.is_empty() && registry.matched().any(is_second)
        })
}
