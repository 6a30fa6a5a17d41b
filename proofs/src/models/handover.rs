//! Model 4: the matchmakers are replaced, by one driver or by two at once, while a leader registers a round.

use matchmaker::message::{DecreeB, Epoch, Message, ToMatchmaker, ToProposer, ToReconfigurer};
use matchmaker::node::Node;
use paxos::message::FromAcceptor;
use paxos::mutant::Mutant;

use super::{ACCEPTORS, Build, Instance, MATCHMAKERS, World, WorldState};
use super::{
    acceptors, founding, is_for_show_or_garbage, is_idle, is_registration, judged, majority,
    matchmakers, pending_matchmakers, proposer, set,
};
use crate::cast::{CastTimer, Role, Wish, node};
use crate::ghost::{Fact, Truth};
use crate::lift::{Input, InputOf, Lift, Step};

pub(super) const ALL: &[Instance] = &[
    Instance {
        name: "handover",
        text: "one driver replaces a matchmaker, and a leader registers its round",
        bound: "1 acceptor, 2 rounds, 1 round of the decree",
        states: 23652,
        is_fixed: true,
        build: Build::Log(|mutant| world(mutant, false).with_bound(within)),
    },
    Instance {
        name: "handover-two",
        text: "two drivers",
        bound: "2 rounds, 2 rounds of the decree",
        states: 505739,
        is_fixed: true,
        build: Build::Log(|mutant| world(mutant, true).with_bound(within)),
    },
];

fn within(state: &WorldState) -> bool {
    state.ghost.votes.rounds.len() <= 2 && state.ghost.registry.generations.len() <= 2
}

/// What a matchmaker may be asked before it serves in the last generation.
fn is_early(role: &Role, message: &Message) -> bool {
    let Role::Node(receiver) = role else { return false };
    let Node::Matchmaker(receiver) = &**receiver else { return false };
    let is_last = receiver.generation().is_some_and(|generation| generation.epoch > Epoch(0));
    matches!(message, Message::Matchmaker(_)) && !is_last
}

/// The first driver finds that the new matchmaker is there. Nobody else is told.
fn is_reaching(_: &WorldState, step: &Step<Role, Fact>) -> bool {
    [0, 5].contains(&step.seat)
}

/// So does the second one, and the leader beside it has asked which configuration is the newest.
fn is_reaching_twice(state: &WorldState, step: &Step<Role, Fact>) -> bool {
    let is_begun = |input: &InputOf<Role>| match input {
        Input::Timer(timer) => matches!(timer, CastTimer::Wish(_)),
        Input::Message(m) => matches!(
            m.message,
            Message::Proposer(ToProposer::Reconfigurer(ToReconfigurer::ReachB(_)))
        ),
        Input::Restart => false,
    };
    is_reaching(state, step) || (step.seat == 1 && step.inputs.iter().all(is_begun))
}

/// Ways to hear of the new matchmakers but from the old ones that have a part in both generations; and that
/// a decree has seen a higher round.
fn is_left_out(message: &Message) -> bool {
    match message {
        Message::Matchmaker(ToMatchmaker::SucceededA(_) | ToMatchmaker::OriginA(_))
        | Message::Proposer(ToProposer::Reconfigurer(ToReconfigurer::AnnounceA(_)))
        | Message::Proposer(ToProposer::Reconfigurer(ToReconfigurer::Pending(_))) => true,
        Message::Proposer(ToProposer::Reconfigurer(ToReconfigurer::DecreeB(m))) => {
            matches!(&**m, DecreeB { message: FromAcceptor::Nack(_), .. })
        }
        message => is_for_show_or_garbage(message),
    }
}

/// The same, and what follows the registration of a round.
fn is_left_out_of_two(message: &Message) -> bool {
    matches!(message, Message::Acceptor(_)) || is_left_out(message)
}

fn world(mutant: Option<Mutant>, are_two: bool) -> World {
    let initial = majority(1, [ACCEPTORS[0]]);
    let [first, second, _] = MATCHMAKERS;
    let next = node(14);
    let moves = [Wish::HandOver(set([first, second, next]))];
    let others = [Wish::HandOver(set([first, next]))];
    let second_script: &[&[Wish]] =
        if are_two { &[&[Wish::Campaign], &others] } else { &[&[Wish::Campaign]] };
    let mut cast = vec![proposer(0, &initial, &[&moves]), proposer(1, &initial, second_script)];
    cast.extend(matchmakers().chain(pending_matchmakers([next])).chain(acceptors(1)));
    let world = Lift::new(cast, Truth::new(founding())).with_mutant(mutant);
    let world = world.without_timers(is_idle).keeping(is_early).without_repeats(is_registration);
    let world = match are_two {
        true => world.without_messages(is_left_out_of_two).with_prologue(is_reaching_twice),
        false => world.without_messages(is_left_out).with_prologue(is_reaching),
    };
    judged(world)
        .always("H1 one successor", |_, state| state.ghost.holds("H1"))
        .always("H2 handed over", |_, state| state.ghost.holds("H2"))
        .always("H3 stopped", |_, state| state.ghost.holds("H3"))
        .always("H4 unmixed answers", |_, state| state.ghost.holds("H4"))
        .always("H5 one value per decree round", |_, state| state.ghost.holds("H5"))
        .sometimes("a successor begins", |_, state| state.ghost.registry.generations.len() > 1)
        .sometimes("a round is matched after it", |_, state| {
            state.ghost.registry.generations.len() > 1
                && state
                    .ghost
                    .votes
                    .rounds
                    .keys()
                    .any(|round| state.ghost.registry.is_matched(*round))
        })
}
