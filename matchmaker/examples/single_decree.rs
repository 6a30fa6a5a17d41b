//! One decision, two proposers, and new acceptors in between.
//!
//! ```text
//! cargo run -p matchmaker --example single_decree
//! ```
//!
//! Ada gets the value "tea" chosen by acceptors 21, 22 and 23. Later Bob wants "coffee", and wants
//! acceptors 31, 32 and 33, because the old machines are to be switched off. Bob has never heard of
//! the old acceptors. The matchmakers have: they send him there, he meets "tea", and gets that chosen
//! again by the new acceptors. Then the old ones are collected, and a third proposer manages
//! without them.
//!
//! The actors are the ones that run in production. All that they need from the world is here too: a
//! queue of messages. It loses nothing, so no timer ever has to fire.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use matchmaker::matchmaker::Matchmaker;
use matchmaker::message::{Epoch, Generation, Message, ToProposer};
use matchmaker::single::SingleProposer;
use paxos::acceptor::Acceptor;
use paxos::actor::{Effects, Incarnation, NodeId, OwnEffects, Seat};
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::quorum::QuorumSystem;
use paxos::wire::Payload;

const ADA: NodeId = node(1);
const BOB: NodeId = node(2);
const EVE: NodeId = node(3);
const MATCHMAKERS: [NodeId; 3] = [node(11), node(12), node(13)];
const OLD: [NodeId; 3] = [node(21), node(22), node(23)];
const NEW: [NodeId; 3] = [node(31), node(32), node(33)];

const fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

fn value(text: &'static str) -> Value {
    Value::Batch(Payload::new(text.as_bytes()))
}

/// All actors, and the messages on their way.
struct World {
    proposers: BTreeMap<NodeId, SingleProposer>,
    matchmakers: BTreeMap<NodeId, Matchmaker>,
    acceptors: BTreeMap<NodeId, Acceptor>,
    /// Sender, receiver, message.
    network: VecDeque<(NodeId, NodeId, Message)>,
}

impl World {
    fn new() -> Self {
        let epoch = Epoch(0);
        let members = BTreeSet::from(MATCHMAKERS);
        let generation = Generation { epoch, members: members.clone() };
        let proposer = |node| (node, SingleProposer::new(node, epoch, members.clone()));
        let acceptors = OLD.into_iter().chain(NEW);
        Self {
            proposers: [ADA, BOB, EVE].into_iter().map(proposer).collect(),
            matchmakers: MATCHMAKERS
                .into_iter()
                .map(|node| (node, Matchmaker::new(generation.clone())))
                .collect(),
            acceptors: acceptors.map(|node| (node, Acceptor::new())).collect(),
            network: VecDeque::new(),
        }
    }

    /// Lets `proposer` try to get `text` chosen by `acceptors`, until nothing is on its way. Returns
    /// what it learned, and who received something.
    fn decide(
        &mut self,
        proposer: NodeId,
        text: &'static str,
        acceptors: [NodeId; 3],
    ) -> (Option<Value>, BTreeSet<NodeId>) {
        let configuration = Configuration::new(1, QuorumSystem::Majority, acceptors);
        let configuration = configuration.expect("three acceptors are a configuration");
        let mut fx = Effects::new();
        let actor = self.proposers.get_mut(&proposer).expect("a proposer");
        actor.propose(value(text), configuration, &mut fx);
        self.send(proposer, fx);
        let mut receivers = BTreeSet::new();
        while let Some((from, to, message)) = self.network.pop_front() {
            receivers.insert(to);
            self.deliver(from, to, message);
        }
        (self.proposers[&proposer].chosen().cloned(), receivers)
    }

    /// Hands one message to its receiver. A machine that is switched off receives nothing.
    fn deliver(&mut self, from: NodeId, to: NodeId, message: Message) {
        match message {
            Message::Matchmaker(m) => {
                let mut fx = Effects::new();
                let Some(matchmaker) = self.matchmakers.get_mut(&to) else { return };
                matchmaker.on_message(from, m, &mut fx);
                self.send(to, fx);
            }
            Message::Acceptor(m) => {
                let mut fx = OwnEffects::<Acceptor>::new();
                let Some(acceptor) = self.acceptors.get_mut(&to) else { return };
                acceptor.on_message(from, m, &mut fx);
                self.send(to, fx);
            }
            Message::Proposer(m) => {
                let mut fx = Effects::new();
                let Some(proposer) = self.proposers.get_mut(&to) else { return };
                match m {
                    ToProposer::Matchmaker(m) => proposer.on_matchmaker(from, m, &mut fx),
                    ToProposer::Acceptor(m) => proposer.on_acceptor(from, m, &mut fx),
                    other => panic!("only a log sends {other:?}"),
                }
                self.send(to, fx);
            }
            other => panic!("only a log sends {other:?}"),
        }
    }

    /// Takes the messages of a step. A driver in production first makes the records durable.
    fn send<M: Into<Message>, T, R>(&mut self, from: NodeId, fx: Effects<M, T, R>) {
        assert!(fx.violations.is_empty(), "{:?}", fx.violations);
        let sends = fx.sends.into_iter();
        self.network.extend(sends.map(|(to, message)| (from, to, message.into())));
    }
}

fn main() {
    let mut world = World::new();

    // Nobody came before Ada: the matchmakers return no configuration, and she needs no Phase 1.
    let (chosen, _) = world.decide(ADA, "tea", OLD);
    assert_eq!(chosen, Some(value("tea")));
    println!("Ada asks {OLD:?} for tea, and tea is chosen.");

    // Bob's own wish comes too late, yet his acceptors take over.
    let (chosen, receivers) = world.decide(BOB, "coffee", NEW);
    assert_eq!(chosen, Some(value("tea")));
    assert!(OLD.iter().all(|old| receivers.contains(old)), "Phase 1 asks the old acceptors");
    println!("Bob asks {NEW:?} for coffee, learns of the old acceptors, and tea stays chosen.");

    // Tea is chosen in Bob's round, so f + 1 matchmakers have forgotten the rounds below it.
    assert!(world.proposers[&BOB].has_collected());
    for old in OLD {
        world.acceptors.remove(&old);
    }
    println!("The old configuration is collected: {OLD:?} are switched off.");

    // Whoever comes later is sent to the new acceptors only.
    let (chosen, receivers) = world.decide(EVE, "water", NEW);
    assert_eq!(chosen, Some(value("tea")));
    assert!(OLD.iter().all(|old| !receivers.contains(old)), "nobody asks the old acceptors");
    println!("Eve asks for water without them, and tea is still chosen.");
}
