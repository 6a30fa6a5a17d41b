//! Model 5: BPaxos. Two proposers with commands that conflict, a dependency service, and one proposer that
//! takes over the column of the other.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use bpaxos::column::{Columns, InColumn};
use bpaxos::dependency_node::{DependencyNode, DependencyOptions};
use bpaxos::invariants;
use bpaxos::message::{Message, ToDependencyNode};
use bpaxos::node::Node;
use bpaxos::proposer::{Proposer, ProposerOptions};
use bpaxos::registry::Registry;
use bpaxos::replica::{Replica, Surroundings};
use bpaxos::vertex::{Column, Vertex};
use matchmaker::leader::Deployment;
use matchmaker::message::{
    Epoch, FromMatchmaker, Generation, Message as ColumnMessage, ToProposer as ToColumnProposer,
};
use paxos::acceptor::Acceptor;
use paxos::actor::NodeId;
use paxos::command::Value;
use paxos::membership::Membership;
use paxos::mutant::Mutant;
use paxos::slot::Slot;
use paxos::snapshot::SnapshotOptions;

use super::{ACCEPTORS, Build, Instance, MATCHMAKERS, PROPOSERS};
use super::{founding, is_for_show_or_garbage, majority};
use crate::cast::node;
use crate::graph::cast::{Player, PlayerTimer, SESSION, Wish};
use crate::graph::journal::Journal;
use crate::graph::truth::{GraphFact, GraphTruth};
use crate::lift::{Input, InputOf, Lift, State, Step};

/// The world of a model of BPaxos.
pub type GraphWorld = Lift<Player, GraphTruth>;

/// A state of it.
pub(super) type GraphState = State<Player, GraphTruth>;

pub(super) const ALL: &[Instance] = &[
    Instance {
        name: "bpaxos",
        text: "two commands that conflict; the column of the first is taken over by the second proposer",
        bound: "2 proposers, 3 dependency nodes, 1 acceptor of each column, 2 replicas; 2 rounds",
        states: 21724,
        is_fixed: true,
        build: Build::Graph(|mutant| taken_over(mutant, 1).with_prologue(is_prologue)),
    },
    Instance {
        name: "bpaxos-acceptors",
        text: "the same with more acceptors, where the second command is chosen and the first one under way",
        bound: "2 proposers, 3 dependency nodes, 3 acceptors of the first column, 2 replicas; 2 rounds",
        states: 66472,
        is_fixed: true,
        build: Build::Graph(|mutant| taken_over(mutant, 3).with_prologue(is_prologue_or_settled)),
    },
    Instance {
        name: "bpaxos-chain",
        text: "three commands, of which the outer two do not conflict",
        bound: "3 dependency nodes, 1 acceptor of each column, 2 replicas; 3 vertices",
        states: 15544,
        is_fixed: true,
        build: Build::Graph(chain),
    },
    Instance {
        name: "bpaxos-three",
        text: "three commands that conflict, two of a column that is taken over; dependency nodes have answered",
        bound: "3 dependency nodes, 1 acceptor of each column, 2 replicas; 3 vertices, 2 rounds",
        states: 19436,
        is_fixed: true,
        build: Build::Graph(three),
    },
    Instance {
        name: "bpaxos-once",
        text: "a command that both proposers are asked for, and another one of the session",
        bound: "3 dependency nodes, 1 acceptor of each column, 2 replicas; 3 vertices",
        states: 13172,
        is_fixed: true,
        build: Build::Graph(once),
    },
    Instance {
        name: "bpaxos-owner",
        text: "two commands that conflict; the first proposer is asked to see to its own vertex",
        bound: "3 dependency nodes, 1 acceptor of each column, 2 replicas; 2 vertices",
        states: 4496,
        is_fixed: true,
        build: Build::Graph(owner),
    },
    Instance {
        name: "bpaxos-crash",
        text: "two commands that conflict; a dependency node crashes and recovers",
        bound: "3 dependency nodes, 1 acceptor of each column, 2 replicas; 2 vertices",
        states: 30772,
        is_fixed: true,
        build: Build::Graph(crash),
    },
    Instance {
        name: "bpaxos-restart",
        text: "the first proposer crashes and recovers, where the second command is chosen and its own under way",
        bound: "3 dependency nodes, 1 acceptor of each column, 2 replicas; 3 vertices, 2 rounds",
        states: 19124,
        is_fixed: true,
        build: Build::Graph(restart),
    },
    Instance {
        name: "bpaxos-whole",
        text: "two commands that conflict and more acceptors; nothing is answered before",
        bound: "2 proposers, 3 dependency nodes, 3 acceptors of the first column, 2 replicas; 2 rounds",
        states: 0,
        is_fixed: false,
        build: Build::Graph(|mutant| taken_over(mutant, 3).with_prologue(is_prologue)),
    },
];

const DEPENDENCY_NODES: [NodeId; 3] = [node(31), node(32), node(33)];
/// Of both replicas. Not in the cast.
const ARCHIVE: NodeId = node(61);
const REPLICAS: [NodeId; 2] = [node(41), node(42)];

const fn vertex(place: usize, slot: u64) -> Vertex {
    Vertex { column: Column(PROPOSERS[place]), slot: Slot(slot) }
}

fn taken_over(mutant: Option<Mutant>, acceptor_count: usize) -> GraphWorld {
    let first = [Wish::Command(0, "tea green")];
    let recover = Wish::Recover(vertex(0, 0));
    let second = [Wish::Command(1, "tea black"), recover.clone(), recover];
    recovering(both_chosen(world(mutant, [&first, &second], acceptor_count)))
        .sometimes("each depends on the other", |_, state| are_in_a_cycle(state))
        .sometimes("both replicas execute both commands", |_, state| {
            replicas(state).all(|replica| replica.executed_count() == 2)
        })
}

fn chain(mutant: Option<Mutant>) -> GraphWorld {
    let first = [Wish::Command(0, "tea green"), Wish::Command(1, "tea+milk black")];
    let second = [Wish::Command(2, "milk white")];
    world(mutant, [&first, &second], 1)
        .with_prologue(is_prologue_or_first_question)
        .sometimes("both replicas execute all commands", |_, state| {
            replicas(state).all(|replica| replica.executed_count() == 3)
        })
}

fn three(mutant: Option<Mutant>) -> GraphWorld {
    let first = [Wish::Command(0, "tea green"), Wish::Command(1, "tea oolong")];
    let recover = Wish::Recover(vertex(0, 1));
    let second = [Wish::Command(2, "tea black"), recover.clone(), recover];
    recovering(both_chosen(world(mutant, [&first, &second], 1)))
        .with_prologue(is_prologue_or_crossing)
        .sometimes("one vertex of a column is nothing", |_, state| {
            let chosen = &*state.ghost.chosen;
            let is_command = |vertex| chosen.get(&vertex).is_some_and(Option::is_some);
            is_command(vertex(0, 0)) && chosen.get(&vertex(0, 1)) == Some(&None)
        })
}

fn once(mutant: Option<Mutant>) -> GraphWorld {
    let first = [Wish::Command(0, "tea green"), Wish::Command(1, "milk white")];
    let second = [Wish::Command(0, "tea green")];
    both_chosen(world(mutant, [&first, &second], 1))
        .with_prologue(is_prologue_or_second_question)
        .sometimes("a command is passed over that was executed", |_, state| {
            replicas(state).any(|replica| {
                let executed = replica.executed();
                executed.contains(vertex(0, 0))
                    && executed.contains(vertex(1, 0))
                    && replica.executed_count() < 3
            })
        })
}

fn two(mutant: Option<Mutant>) -> GraphWorld {
    let first = [Wish::Command(0, "tea green")];
    let second = [Wish::Command(1, "tea black")];
    both_chosen(world(mutant, [&first, &second], 1))
}

fn owner(mutant: Option<Mutant>) -> GraphWorld {
    let first = [Wish::Command(0, "tea green"), Wish::Recover(vertex(0, 0))];
    let second = [Wish::Command(1, "tea black")];
    both_chosen(world(mutant, [&first, &second], 1)).with_prologue(is_prologue)
}

fn crash(mutant: Option<Mutant>) -> GraphWorld {
    two(mutant)
        .with_prologue(is_prologue)
        .with_crashes(1, |node| DEPENDENCY_NODES.contains(&node))
        .sometimes("commands of both proposers are proposed after a crash", |_, state| {
            state.crash_count > 0 && state.ghost.proposed.len() == 2
        })
}

fn restart(mutant: Option<Mutant>) -> GraphWorld {
    two(mutant)
        .with_prologue(is_prologue_or_settled)
        .with_crashes(1, |node| node == PROPOSERS[0])
        .sometimes("the first proposer proposes after a crash", |_, state| {
            state.ghost.proposed.contains_key(&vertex(0, 1))
        })
        .sometimes("a vertex is filled with nothing", |_, state| {
            state.ghost.chosen.get(&vertex(0, 0)) == Some(&None)
        })
}

/// With a column that the second proposer takes over.
fn recovering(world: GraphWorld) -> GraphWorld {
    world
        .sometimes("a vertex is recovered as nothing", |_, state| {
            state.ghost.chosen.values().any(Option::is_none)
        })
        .sometimes("a vertex is recovered with its command", |_, state| {
            state.ghost.columns.get(&Column(PROPOSERS[0])).is_some_and(|truth| {
                let mut proposals = truth.votes.proposals.iter();
                proposals.any(|((_, round), value)| {
                    round.owner == PROPOSERS[1] && **value != Value::Noop
                })
            })
        })
        .sometimes(
            "a command is executed that depends on a vertex that holds nothing",
            depends_on_nothing,
        )
}

fn both_chosen(world: GraphWorld) -> GraphWorld {
    world.sometimes("commands of both proposers are chosen", |_, state| {
        let chosen = state.ghost.chosen.iter();
        let commands = chosen.filter(|(_, proposal)| proposal.is_some());
        commands.map(|(vertex, _)| vertex.column).collect::<BTreeSet<_>>().len() == 2
    })
}

/// Whether a replica has executed a command that depends on a vertex that holds nothing.
fn depends_on_nothing(_: &GraphWorld, state: &GraphState) -> bool {
    let chosen = &*state.ghost.chosen;
    let is_noop = |vertex: &Vertex| chosen.get(vertex) == Some(&None);
    let depends = chosen.iter().filter(|(_, proposal)| {
        let mut noops = chosen.keys().filter(|vertex| is_noop(vertex));
        proposal.as_ref().is_some_and(|p| noops.any(|vertex| p.dependencies.contains(*vertex)))
    });
    let mut vertices = depends.map(|(vertex, _)| *vertex);
    vertices.any(|vertex| replicas(state).any(|replica| replica.executed().contains(vertex)))
}

/// Whether two commands are chosen of which each depends on the other.
fn are_in_a_cycle(state: &GraphState) -> bool {
    let chosen = &*state.ghost.chosen;
    let needs = |one: &Vertex, two: &Vertex| {
        let proposal = chosen.get(one).and_then(Option::as_ref);
        proposal.is_some_and(|proposal| proposal.dependencies.contains(*two))
    };
    chosen.keys().any(|one| chosen.keys().any(|two| needs(one, two) && needs(two, one)))
}

fn service() -> Generation {
    Generation { epoch: Epoch(0), members: DEPENDENCY_NODES.into() }
}

/// The column of the first proposer has acceptors of its own, that of the second one another one.
fn proposer(place: usize, acceptor_count: usize, wishes: &[Wish]) -> (NodeId, Player) {
    let membership = Membership {
        proposers: PROPOSERS.into(),
        replicas: REPLICAS.into(),
        ..Membership::default()
    };
    let initial = match place {
        0 => majority(1, ACCEPTORS[..acceptor_count].iter().copied()),
        _ => majority(0, [ACCEPTORS[3]]),
    };
    let deployment = Deployment {
        epoch: Epoch(0),
        matchmakers: MATCHMAKERS.into(),
        initial: initial.with_membership(membership),
        first: Slot::ZERO,
    };
    let options = ProposerOptions { block: 1, batch_max: 1, ..ProposerOptions::default() };
    let proposer = Proposer::new(PROPOSERS[place], deployment, service(), options);
    let node = Node::Proposer(Box::new(proposer));
    (PROPOSERS[place], Player { node, wishes: wishes.to_vec(), is_restarted: false })
}

fn dependency_node(node: NodeId) -> (NodeId, Player) {
    let options = DependencyOptions { latest_max: NonZeroUsize::MIN, block: 1, uses_max: 100 };
    let role = DependencyNode::new(node, service(), options);
    (node, Player::idle(Node::DependencyNode(Box::new(role))))
}

fn replica(node: NodeId) -> (NodeId, Player) {
    let surroundings =
        Surroundings { archive: ARCHIVE, session: SESSION, proposers: PROPOSERS.into() };
    let role = Replica::new(surroundings, Journal::default(), SnapshotOptions::default());
    (node, Player::idle(Node::Replica(Box::new(role))))
}

fn world(mutant: Option<Mutant>, wishes: [&[Wish]; 2], acceptor_count: usize) -> GraphWorld {
    let mut cast: Vec<(NodeId, Player)> =
        (0..2).map(|place| proposer(place, acceptor_count, wishes[place])).collect();
    let registry = || Player::idle(Node::Matchmaker(Box::new(Registry::new())));
    cast.extend(MATCHMAKERS.map(|node| (node, registry())));
    cast.extend(DEPENDENCY_NODES.map(dependency_node));
    let acceptor = || Player::idle(Node::Acceptor(Columns::new(Acceptor::new())));
    let acceptors = ACCEPTORS[..acceptor_count].iter().chain([&ACCEPTORS[3]]);
    cast.extend(acceptors.map(|node| (*node, acceptor())));
    cast.extend(REPLICAS.map(replica));
    let world = Lift::new(cast, GraphTruth::new(founding(), service().majority()));
    let world = world
        .with_mutant(mutant)
        .without_timers(is_idle)
        .without_messages(is_left_out)
        .keeping(is_newest)
        .without_repeats(is_once)
        .with_last(|node| REPLICAS.contains(&node));
    judged(world)
}

fn is_idle(timer: &PlayerTimer) -> bool {
    matches!(timer, PlayerTimer::Node(_))
}

fn is_left_out(message: &Message) -> bool {
    let Message::Column(m) = message else { return false };
    match &m.inner {
        ColumnMessage::Replica(m) => !matches!(m, paxos::message::ToReplica::Chosen(_)),
        inner => is_for_show_or_garbage(inner),
    }
}

/// What a later campaign may count, also after a restart.
fn is_newest(_: &Player, message: &Message) -> bool {
    matches!(
        message,
        Message::Column(InColumn {
            inner: ColumnMessage::Proposer(ToColumnProposer::Matchmaker(FromMatchmaker::NewestB(
                _
            ))),
            ..
        })
    )
}

/// Questions that do nothing twice.
fn is_once(message: &Message) -> bool {
    match message {
        Message::DependencyNode(ToDependencyNode::DependencyA(_)) => true,
        Message::Column(m) => super::is_registration(&m.inner),
        _ => false,
    }
}

/// Both proposers lead their columns and have been asked for what they are asked for, and the second one has registered its
/// round for the column of the first one. What it asks acceptors then may arrive at any time, or never.
fn is_prologue(state: &GraphState, step: &Step<Player, GraphFact>) -> bool {
    let Node::Proposer(second) = &state.seats[1].actor.node else { return false };
    let is_led = |place: usize| {
        let Node::Proposer(proposer) = &state.seats[place].actor.node else { return false };
        let leader = proposer.leader(Column(PROPOSERS[place]));
        leader.is_some_and(|leader| leader.leads_in().is_some())
    };
    let is_wish = |input: &InputOf<Player>| matches!(input, Input::Timer(_));
    let is_matchmaker = |input: &InputOf<Player>| matches!(input, Input::Message(m) if MATCHMAKERS.contains(&m.from));
    let is_led_by_both = is_led(0) && is_led(1);
    let is_asking = second.leader(Column(PROPOSERS[0])).is_some();
    match step.seat {
        0 | 1 if !is_led_by_both => step.inputs.iter().all(is_matchmaker),
        0 => step.inputs.iter().all(is_wish),
        1 => {
            let is_next = step.inputs.iter().all(is_wish);
            is_next || (is_asking && step.inputs.iter().all(is_matchmaker))
        }
        2..=4 => true,
        _ => false,
    }
}

/// The same, and the first two dependency nodes have answered the first proposer and then the second one, and the
/// third node the other way round. Which answers count is open.
fn is_prologue_or_crossing(state: &GraphState, step: &Step<Player, GraphFact>) -> bool {
    let is_uttered = |place: usize| {
        !state.seats[place].timers.iter().any(|timer| matches!(timer, PlayerTimer::Wish(_)))
    };
    let first = match step.seat {
        5 | 6 => PROPOSERS[0],
        7 => PROPOSERS[1],
        _ => return is_prologue(state, step),
    };
    let is_asked = state.inboxes[step.seat].iter().any(|m| m.from == first);
    let is_next = |input: &InputOf<Player>| matches!(input, Input::Message(m) if (m.from == first) == is_asked);
    is_uttered(0) && is_uttered(1) && step.inputs.iter().all(is_next)
}

/// The same, and the second proposer has had its command chosen, which depends on the other one in any case.
fn is_prologue_or_settled(state: &GraphState, step: &Step<Player, GraphFact>) -> bool {
    let is_answered = state.inboxes[5..=7].iter().all(|inbox| inbox.is_empty());
    let is_of_second = |input: &InputOf<Player>| {
        matches!(input, Input::Message(m) if m.to == ACCEPTORS[3] || (m.to == PROPOSERS[1]
            && (DEPENDENCY_NODES.contains(&m.from) || m.from == ACCEPTORS[3])))
    };
    is_prologue_or_crossing(state, step) || (is_answered && step.inputs.iter().all(is_of_second))
}

/// The same as [`is_prologue`], and all dependency nodes have heard of the first vertex.
fn is_prologue_or_first_question(state: &GraphState, step: &Step<Player, GraphFact>) -> bool {
    is_prologue(state, step) || is_question(step, vertex(0, 0))
}

/// The same as [`is_prologue`], and all dependency nodes have heard of the second vertex of the first column:
/// it conflicts with nothing.
fn is_prologue_or_second_question(state: &GraphState, step: &Step<Player, GraphFact>) -> bool {
    is_prologue(state, step) || is_question(step, vertex(0, 1))
}

fn is_question(step: &Step<Player, GraphFact>, vertex: Vertex) -> bool {
    step.inputs.iter().all(|input| {
        matches!(input, Input::Message(m) if matches!(
            &m.message,
            Message::DependencyNode(ToDependencyNode::DependencyA(m)) if m.vertex == vertex
        ))
    })
}

/// What replicas are.
fn replicas(state: &GraphState) -> impl Iterator<Item = &Replica<Journal>> {
    state.seats.iter().filter_map(|seat| match &seat.actor.node {
        Node::Replica(replica) => Some(&**replica),
        _ => None,
    })
}

/// Replicas that have executed the same vertices hold the same.
fn are_same(state: &GraphState) -> bool {
    let all: Vec<&Replica<Journal>> = replicas(state).collect();
    let are_same = |one: &Replica<Journal>, two: &Replica<Journal>| {
        one.executed() != two.executed() || one.machine().entries() == two.machine().entries()
    };
    all.iter().all(|one| all.iter().all(|two| are_same(one, two)))
}

fn are_in_place(state: &GraphState) -> bool {
    let all: Vec<&Replica<Journal>> = replicas(state).collect();
    let is_same = |one: &Replica<Journal>, two: &Replica<Journal>| {
        let (one, two) = (one.machine(), two.machine());
        one.entries() != two.entries() || one.places() == two.places()
    };
    all.iter().all(|one| one.machine().is_ordered() && all.iter().all(|two| is_same(one, two)))
}

/// Whether nothing else was chosen or told in a vertex than what is chosen there.
fn has_one_value_each(state: &GraphState) -> bool {
    ["A1", "A2", "A13"].iter().all(|name| state.ghost.holds(name))
}

fn is_closed(state: &GraphState) -> bool {
    let chosen = &*state.ghost.chosen;
    replicas(state).all(|replica| invariants::closure_defect(chosen, replica.executed()).is_none())
}

fn judged(world: GraphWorld) -> GraphWorld {
    world
        .always("A1 agreement", |_, state| state.ghost.holds("A1"))
        .always("A2 safe proposals", |_, state| state.ghost.holds("A2"))
        .always("A4 one configuration per round", |_, state| state.ghost.holds("A4"))
        .always("A13 chosen truth", |_, state| state.ghost.holds("A13"))
        .always("A3 one value per round", |_, state| state.ghost.holds("A3"))
        .always("A5 vote validity", |_, state| state.ghost.holds("A5"))
        .always("A6 promise", |_, state| state.ghost.holds("A6"))
        .always("A7 proposal licence", |_, state| state.ghost.holds("A7"))
        .always("A8 match completeness", |_, state| state.ghost.holds("A8"))
        .always("A9 registry", |_, state| state.ghost.holds("A9"))
        .always("B1 vertex consensus", |_, state| has_one_value_each(state))
        .always("B2 dependency invariant", |_, state| state.ghost.holds("B2"))
        .always("B3 dependency service", |_, state| state.ghost.holds("B3"))
        .always("B4 values", |_, state| state.ghost.holds("B4"))
        .always("B5 order", |_, state| state.ghost.holds("B5") && are_same(state))
        .always("B6 closure", |_, state| is_closed(state))
        .always("B7 executed once", |_, state| state.ghost.holds("B7"))
        .always("B10 no loop", |_, state| state.ghost.holds("B10"))
        .always("B12 positions", |_, state| are_in_place(state))
        .always("D5 no impossible message", |_, state| state.complaint.is_none())
}
