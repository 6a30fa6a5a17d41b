//! Model 2: a log, two proposers, and acceptors that are replaced while commands are pending.

use paxos::mutant::Mutant;

use super::{ACCEPTORS, Instance, World, WorldState};
use super::{is_changing, is_first_campaign, acceptors, founding, is_for_show_or_garbage, is_idle, judged, majority, matchmakers, proposer, set};
use crate::cast::Wish;
use crate::ghost::Truth;
use crate::lift::Lift;

pub(super) const ALL: &[Instance] = &[
    Instance {
        name: "log",
        text: "one reconfiguration with a pending command; another leader takes over",
        bound: "3 rounds",
        states: 0,
        build: |mutant| world(mutant, 1).with_bound(rounds_3),
    },
    Instance {
        name: "log-chain",
        text: "two reconfigurations",
        bound: "4 rounds",
        states: 0,
        build: |mutant| world(mutant, 2).with_bound(rounds_4),
    },
];

fn rounds_3(state: &WorldState) -> bool {
    state.ghost.votes.rounds.len() <= 3
}

fn rounds_4(state: &WorldState) -> bool {
    state.ghost.votes.rounds.len() <= 4
}

fn world(mutant: Option<Mutant>, chain: usize) -> World {
    let [a, b, c, d] = ACCEPTORS;
    let initial = majority(1, [a, b, c]);
    let moves = [Wish::Reconfigure(set([b, c, d])), Wish::Reconfigure(set([a, b, c]))];
    let command = |text| [Wish::Command(text)];
    let mut cast = vec![
        proposer(0, &initial, &[&[Wish::Campaign], &command("tea"), &moves[..chain]]),
        proposer(1, &initial, &[&[Wish::Campaign], &command("coffee")]),
    ];
    cast.extend(matchmakers().chain(acceptors(4)));
    let world = Lift::new(cast, Truth::new(founding())).with_mutant(mutant);
    judged(world.without_timers(is_idle).keeping(is_changing).with_prologue(is_first_campaign).without_messages(is_for_show_or_garbage))
        .always("A13 chosen truth", |_, state| state.ghost.holds("A13"))
        .always("A17 slot discipline", |_, state| state.ghost.holds("A17"))
        .sometimes("a value is chosen", |_, state| state.ghost.votes.chosen().next().is_some())
}
