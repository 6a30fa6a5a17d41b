//! Matchmaker MultiPaxos.

use matchmaker::leader::LeaderOptions;
use matchmaker::matchmaker::Matchmaker as Register;
use matchmaker::message::{Message, ReconfigureA, ToProposer, TransferA};
use matchmaker::node::Node;
use matchmaker::proposer::Proposer;
use paxos::acceptor::Acceptor;
use paxos::actor::NodeId;
use paxos::archive::Archive;
use paxos::command::Submission;
use paxos::election::ElectionOptions;
use paxos::message::{FromSession, Request, ToSession};
use paxos::quorum::QuorumSystem;
use paxos::replica::{Replica, Surroundings};
use paxos::snapshot::SnapshotOptions;

use super::{Heard, Kind, Subject, Submitted};
use crate::capacity::cluster::{Cluster, Seated, Size};
use crate::capacity::costs::Role;
use crate::capacity::machine::{COMMAND_BYTES, Numbers};

/// One proposer leads, the others wait.
#[derive(Debug)]
pub struct Matchmaker;

impl Subject for Matchmaker {
    type Actor = Node<Numbers>;

    const NAME: &'static str = "Matchmaker MultiPaxos";

    /// There are as many spare acceptors as vote.
    fn cluster(size: Size, batch_max: usize) -> Cluster {
        Cluster::new(size, 2 * (2 * size.failures + 1), false, batch_max)
    }

    fn actor(cluster: &Cluster, &Seated { node, role, .. }: &Seated) -> Self::Actor {
        let snapshots = SnapshotOptions::default();
        match role {
            Role::Proposer => {
                let options = LeaderOptions {
                    batch_bytes_max: batch_bytes_max(cluster.batch_max),
                    ..LeaderOptions::default()
                };
                let (deployment, election) = (cluster.deployment(), ElectionOptions::default());
                Node::Proposer(Box::new(Proposer::new(node, deployment, election, options)))
            }
            Role::Acceptor => Node::Acceptor(Acceptor::new()),
            Role::Matchmaker => {
                let founders = cluster.generation(Role::Matchmaker);
                Node::Matchmaker(Box::new(Register::new(founders)))
            }
            Role::Replica => {
                let archive = cluster.beside(node, Role::Archive);
                let archives = cluster.nodes(Role::Archive).into_iter();
                let surroundings = Surroundings {
                    archive,
                    session: cluster.clients_of(node),
                    peers: archives.filter(|other| *other != archive).collect(),
                };
                let replica = Replica::new(surroundings, Numbers::default(), snapshots);
                Node::Replica(Box::new(replica))
            }
            Role::Archive => {
                Node::Archive(Archive::new(cluster.beside(node, Role::Replica), snapshots))
            }
            Role::DependencyNode | Role::Client => unreachable!("no such role has a seat here"),
        }
    }

    fn leader_count(_: &Cluster) -> usize {
        1
    }

    fn request(m: Submitted) -> Message {
        let Submitted { session, number: first, acknowledged, attempt, payload } = m;
        let submission = Submission { session, first, acknowledged, commands: vec![payload] };
        Message::Proposer(ToProposer::Session(FromSession::Request(Request {
            attempt,
            submission,
        })))
    }

    fn heard(message: &Message) -> Heard {
        match message {
            Message::Session(ToSession::Executed(m)) => {
                Heard::Executed(m.first, m.replies.len() as u64)
            }
            Message::Session(ToSession::Leading(_)) => Heard::Leading,
            _ => Heard::Else,
        }
    }

    fn kind(message: &Message) -> Kind {
        Kind::of(message)
    }

    fn reconfigure(token: u64, members: &[NodeId]) -> Option<Message> {
        let members = members.iter().copied().collect();
        let m = ReconfigureA { token, system: QuorumSystem::Majority, members, change: None };
        Some(Message::Proposer(ToProposer::ReconfigureA(Box::new(m))))
    }

    fn transfer(to: NodeId) -> Option<Message> {
        Some(Message::Proposer(ToProposer::TransferA(TransferA { to })))
    }
}

/// The size of a batch of so many commands: a single one is let in, whatever its size.
fn batch_bytes_max(commands: usize) -> usize {
    // What a submission of one command is counted with.
    const SUBMISSION_BYTES: usize = 48 + 8 + COMMAND_BYTES;
    commands * SUBMISSION_BYTES
}
