//! The models: small worlds, each made to show one thing, and explored to the end.

mod graph;
mod handover;
mod log;
mod retirement;
mod single;

use std::collections::BTreeSet;

use matchmaker::leader::{Deployment, Leader, LeaderOptions};
use matchmaker::matchmaker::Matchmaker;
use matchmaker::message::{Epoch, FromMatchmaker, Generation, Message, ToMatchmaker, ToProposer};
use matchmaker::node::{Node, NodeTimer};
use matchmaker::proposer::ProposerTimer;
use matchmaker::reconfigurer::{Reconfigurer, ReconfigurerOptions, ReconfigurerTimer};
use matchmaker::single::SingleTimer;
use paxos::acceptor::Acceptor;
use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::membership::Membership;
use paxos::message::{FromAcceptor, ToAcceptor};
use paxos::mutant::Mutant;
use paxos::quorum::QuorumSystem;
use paxos::slot::Slot;
use paxos::synod::SynodTimer;

use crate::cast::{CastTimer, Lead, Proposing, Role, Wish, node};
use crate::ghost::{Fact, Truth};
use crate::lift::{Input, InputOf, Lift, State, Step};
pub use graph::GraphWorld;

/// The world of a model.
pub type World = Lift<Role, Truth>;

/// A state of it.
pub type WorldState = State<Role, Truth>;

/// A model within its bound.
#[derive(Clone, Copy, Debug)]
pub struct Instance {
    /// What it is called.
    pub name: &'static str,
    /// What it shows.
    pub text: &'static str,
    /// Who takes part, and how much may happen.
    pub bound: &'static str,
    /// How many states it has; zero if it was never explored to the end.
    pub states: usize,
    /// Whether it is explored to the end within minutes, and always checked.
    pub is_fixed: bool,
    /// Builds it.
    pub build: Build,
}

/// Builds a world, with a fault or without.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    /// Of Matchmaker Paxos.
    Log(fn(Option<Mutant>) -> World),
    /// Of BPaxos.
    Graph(fn(Option<Mutant>) -> GraphWorld),
}

/// All models, small ones first.
pub fn all() -> impl Iterator<Item = &'static Instance> {
    let models = [single::ALL, log::ALL, retirement::ALL, handover::ALL, graph::ALL];
    models.into_iter().flatten()
}

/// The model of that name.
pub fn named(name: &str) -> Option<&'static Instance> {
    all().find(|instance| instance.name == name)
}

const PROPOSERS: [NodeId; 2] = [node(1), node(2)];
const MATCHMAKERS: [NodeId; 3] = [node(11), node(12), node(13)];
const ACCEPTORS: [NodeId; 4] = [node(21), node(22), node(23), node(24)];

fn founding() -> Generation {
    Generation { epoch: Epoch(0), members: MATCHMAKERS.into() }
}

fn majority(version: u64, acceptors: impl IntoIterator<Item = NodeId>) -> Configuration {
    let configuration = Configuration::new(version, QuorumSystem::Majority, acceptors);
    configuration.expect("at least one acceptor")
}

fn matchmakers() -> impl Iterator<Item = (NodeId, Role)> {
    let role = || Role::Node(Box::new(Node::Matchmaker(Box::new(Matchmaker::new(founding())))));
    MATCHMAKERS.into_iter().map(move |node| (node, role()))
}

/// Matchmakers of no generation yet.
fn pending_matchmakers<const N: usize>(nodes: [NodeId; N]) -> impl Iterator<Item = (NodeId, Role)> {
    let role = || Role::Node(Box::new(Node::Matchmaker(Box::new(Matchmaker::pending()))));
    nodes.into_iter().map(move |node| (node, role()))
}

fn acceptors(count: usize) -> impl Iterator<Item = (NodeId, Role)> {
    let role = |node: &NodeId| (*node, Role::Node(Box::new(Node::Acceptor(Acceptor::new()))));
    ACCEPTORS[..count].iter().map(role)
}

/// The proposer on a seat, which was deployed with these acceptors.
fn proposer(place: usize, initial: &Configuration, scripts: &[&[Wish]]) -> (NodeId, Role) {
    let (node, options) = (PROPOSERS[place], LeaderOptions::default());
    let initial = match initial.membership().proposers.is_empty() {
        true => initial.clone().with_membership(membership()),
        false => initial.clone(),
    };
    let deployment =
        Deployment { epoch: Epoch(0), matchmakers: MATCHMAKERS.into(), initial, first: Slot::ZERO };
    let periods =
        ReconfigurerOptions { resend: options.resend.clone(), patience: options.campaign.clone() };
    let reconfigurer = Reconfigurer::new(node, PROPOSERS.into(), periods);
    let leader = Leader::new(node, deployment, options);
    let proposing = Proposing {
        leader,
        reconfigurer,
        session: crate::cast::node(71 + place as u32),
        scripts: scripts.iter().map(|script| script.to_vec()).collect(),
        uttered: vec![0; scripts.len()],
        is_restarted: false,
        lead: Lead::Coming,
    };
    (node, Role::Proposing(Box::new(proposing)))
}

/// Two proposers, and nobody who executes anything.
fn membership() -> Membership {
    Membership { proposers: PROPOSERS.into(), ..Membership::default() }
}

/// Refusals of acceptors, and what is for show: who leads, how far it is, whether it still leads.
fn is_for_show(message: &Message) -> bool {
    matches!(
        message,
        Message::Proposer(ToProposer::Heartbeat(_))
            | Message::Proposer(ToProposer::Acceptor(FromAcceptor::Nack(_)))
            | Message::Acceptor(ToAcceptor::ReadA(_))
    )
}

/// What a later campaign may count.
fn is_newest(role: &Role, message: &Message) -> bool {
    let Role::Proposing(proposing) = role else { return false };
    let Message::Proposer(ToProposer::Matchmaker(m)) = message else { return false };
    matches!(m, FromMatchmaker::NewestB(_)) && proposing.may_campaign()
}

/// A registration. One that is repeated is answered from what is registered.
fn is_registration(message: &Message) -> bool {
    matches!(message, Message::Matchmaker(ToMatchmaker::MatchA(_)))
}

/// The same, and all of collection.
fn is_for_show_or_garbage(message: &Message) -> bool {
    matches!(message, Message::Matchmaker(ToMatchmaker::GarbageA(_))) || is_for_show(message)
}

/// Timers that send again what is on its way for ever, and those that give up.
fn is_idle(timer: &CastTimer) -> bool {
    match timer {
        CastTimer::Wish(_) | CastTimer::Single(SingleTimer::Retry) => false,
        CastTimer::Single(SingleTimer::Resend) => true,
        CastTimer::Node(NodeTimer::Proposer(ProposerTimer::Reconfigurer(timer))) => {
            !matches!(timer, ReconfigurerTimer::Decree(SynodTimer::Retry))
        }
        CastTimer::Node(_) => true,
    }
}

/// Adds what must hold in every model.
fn judged(world: World) -> World {
    world
        .always("A1 agreement", |_, state| state.ghost.holds("A1"))
        .always("A2 safe proposals", |_, state| state.ghost.holds("A2"))
        .always("A3 one value per round", |_, state| state.ghost.holds("A3"))
        .always("A4 one configuration per round", |_, state| state.ghost.holds("A4"))
        .always("A5 vote validity", |_, state| state.ghost.holds("A5"))
        .always("A6 promise", |_, state| state.ghost.holds("A6"))
        .always("A7 proposal licence", |_, state| state.ghost.holds("A7"))
        .always("A8 match completeness", |_, state| state.ghost.holds("A8"))
        .always("A9 registry", |_, state| state.ghost.holds("A9"))
        .always("D5 no impossible message", |_, state| state.complaint.is_none())
}

fn set(nodes: impl IntoIterator<Item = NodeId>) -> BTreeSet<NodeId> {
    nodes.into_iter().collect()
}

/// The first proposer becomes the leader, with the first two matchmakers; the third one is late. Which ones
/// makes no difference: nobody tells matchmakers apart.
fn is_first_campaign(state: &WorldState, step: &Step<Role, Fact>) -> bool {
    let Role::Proposing(first) = &state.seats[0].actor else { return false };
    let is_campaign =
        |input: &InputOf<Role>| !matches!(input, Input::Timer(_)) || is_wish(input, 0);
    first.leader.leads_in().is_none()
        && [0, 2, 3].contains(&step.seat)
        && step.inputs.iter().all(is_campaign)
}

/// The same, and all that it is asked for is under way. The other one has asked which configuration is the
/// newest: what it is told, and when, is open.
fn is_first_campaign_or_wish(state: &WorldState, step: &Step<Role, Fact>) -> bool {
    let is_any_wish = |input: &InputOf<Role>| matches!(input, Input::Timer(CastTimer::Wish(_)));
    let Role::Proposing(second) = &state.seats[1].actor else { return false };
    let is_asking = step.seat == 1 && second.uttered[0] == 0 && is_wish(&step.inputs[0], 0);
    is_first_campaign(state, step)
        || (step.seat == 0 && step.inputs.iter().all(is_any_wish))
        || is_asking
}

fn is_wish(input: &InputOf<Role>, script: usize) -> bool {
    *input == Input::Timer(CastTimer::Wish(script))
}
