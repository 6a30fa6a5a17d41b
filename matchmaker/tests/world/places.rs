//! Who sits where: three processes with the same roles, an application beside each, one operator.

use std::collections::BTreeSet;

use matchmaker::leader::{Deployment, LeaderOptions};
use matchmaker::matchmaker::Matchmaker;
use matchmaker::message::Epoch;
use matchmaker::node::Node;
use matchmaker::proposer::Proposer;
use paxos::acceptor::Acceptor;
use paxos::actor::{Incarnation, NodeId, Seat};
use paxos::archive::Archive;
use paxos::configuration::Configuration;
use paxos::election::ElectionOptions;
use paxos::quorum::QuorumSystem;
use paxos::replica::{Replica, Surroundings};
use paxos::session::{Session, SessionOptions};
use std::time::Duration;

use super::machine::Counter;

/// Processes of the cluster.
pub const PROCESSES: usize = 3;

/// Actors of a process, by their place in it.
pub const ACTORS: usize = 7;

/// Slots under way, at most. Few, so that the limit is met.
pub const PIPELINE_MAX: u64 = 8;

pub const PROPOSER: usize = 0;
pub const MATCHMAKER: usize = 1;
pub const ACCEPTOR: usize = 2;
pub const REPLICA: usize = 4;
pub const ARCHIVE: usize = 5;
pub const SESSION: usize = 6;
/// The application of a process is no actor.
pub const APPLICATION: usize = 7;

/// The operator sits on a machine of its own.
pub const OPERATOR: NodeId = NodeId::new(Seat(99), Incarnation(99));

/// The node at `place` of `process`.
pub fn node(process: usize, place: usize) -> NodeId {
    NodeId::new(Seat((process * 10 + place) as u32), Incarnation(process as u64 + 1))
}

/// The process and the place of `node`; none for the operator.
pub fn seat_of(node: NodeId) -> Option<(usize, usize)> {
    let seat = node.seat.0 as usize;
    (seat < PROCESSES * 10).then_some((seat / 10, seat % 10))
}

/// What a trace calls `node`.
pub fn name(node: NodeId) -> String {
    const NAMES: [&str; 8] = ["prop", "match", "accA", "accB", "repl", "arch", "sess", "app"];
    match seat_of(node) {
        Some((process, place)) => format!("p{process}.{}", NAMES[place]),
        None => "operator".into(),
    }
}

fn everywhere(place: usize) -> BTreeSet<NodeId> {
    (0..PROCESSES).map(|process| node(process, place)).collect()
}

/// All six acceptors.
pub fn acceptors() -> Vec<NodeId> {
    (0..PROCESSES).flat_map(|p| [node(p, ACCEPTOR), node(p, ACCEPTOR + 1)]).collect()
}

/// Who plays what.
pub fn deployment() -> Deployment {
    Deployment {
        proposers: everywhere(PROPOSER),
        epoch: Epoch(0),
        matchmakers: everywhere(MATCHMAKER),
        replicas: everywhere(REPLICA),
        archives: everywhere(ARCHIVE),
        sessions: everywhere(SESSION),
        initial: Configuration::new(1, QuorumSystem::Majority, everywhere(ACCEPTOR))
            .expect("three members"),
    }
}

/// New actors of `process`, in the order of their places. They remember nothing.
pub fn actors(process: usize, machine: &Counter) -> Vec<Node<Counter>> {
    let election = ElectionOptions::default();
    let leader = LeaderOptions { pipeline_max: PIPELINE_MAX, ..LeaderOptions::default() };
    let proposer = Proposer::new(node(process, PROPOSER), deployment(), election, leader);
    let (archive, session) = (node(process, ARCHIVE), node(process, SESSION));
    let peers = everywhere(ARCHIVE).into_iter().filter(|node| *node != archive).collect();
    let surroundings = Surroundings { archive, session, peers };
    let options = SessionOptions {
        request_timeout: Duration::from_secs(2),
        window_max: 8,
        ..SessionOptions::default()
    };
    let application = node(process, APPLICATION);
    vec![
        Node::Proposer(Box::new(proposer)),
        Node::Matchmaker(Matchmaker::new(Epoch(0))),
        Node::Acceptor(Acceptor::new()),
        Node::Acceptor(Acceptor::new()),
        Node::Replica(Box::new(Replica::new(surroundings, machine.clone()))),
        Node::Archive(Archive::new(everywhere(PROPOSER))),
        Node::Session(Box::new(Session::new(
            session,
            node(process, REPLICA),
            application,
            options,
        ))),
    ]
}
