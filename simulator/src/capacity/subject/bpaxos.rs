//! BPaxos.

use bpaxos::archive::Archive;
use bpaxos::column::Columns;
use bpaxos::command::Command;
use bpaxos::dependency_node::{DependencyNode, DependencyOptions};
use bpaxos::message::{Message, Request, ToProposer, ToSession};
use bpaxos::node::Node;
use bpaxos::proposer::{Proposer, ProposerOptions};
use bpaxos::registry::Registry;
use bpaxos::replica::{Replica, Surroundings};
use matchmaker::message::Message as ColumnMessage;
use paxos::acceptor::Acceptor;
use paxos::actor::NodeId;
use paxos::message::ToSession as ToColumnSession;
use paxos::snapshot::SnapshotOptions;

use super::{Heard, Kind, Subject, Submitted};
use crate::capacity::cluster::{Cluster, Seated, Size};
use crate::capacity::costs::Role;
use crate::capacity::machine::Numbers;

/// Every proposer is at work, each in a column of its own.
#[derive(Debug)]
pub struct Bpaxos;

impl Subject for Bpaxos {
    type Actor = Node<Numbers>;

    const NAME: &'static str = "BPaxos";

    fn cluster(size: Size, batch_max: usize) -> Cluster {
        Cluster::new(size, 2 * size.failures + 1, true, batch_max)
    }

    fn actor(cluster: &Cluster, &Seated { node, role, .. }: &Seated) -> Self::Actor {
        let service = cluster.generation(Role::DependencyNode);
        let snapshots = SnapshotOptions::default();
        match role {
            Role::Proposer => {
                let options =
                    ProposerOptions { batch_max: cluster.batch_max, ..ProposerOptions::default() };
                let deployment = cluster.deployment();
                Node::Proposer(Box::new(Proposer::new(node, deployment, service, options)))
            }
            Role::DependencyNode => {
                let options = DependencyOptions::default();
                Node::DependencyNode(Box::new(DependencyNode::new(node, service, options)))
            }
            Role::Acceptor => Node::Acceptor(Columns::new(Acceptor::new())),
            Role::Matchmaker => Node::Matchmaker(Box::new(Registry::new())),
            Role::Replica => {
                let surroundings = Surroundings {
                    archive: cluster.beside(node, Role::Archive),
                    session: cluster.clients_of(node),
                    proposers: cluster.nodes(Role::Proposer),
                };
                let replica = Replica::new(surroundings, Numbers::default(), snapshots);
                Node::Replica(Box::new(replica))
            }
            Role::Archive => {
                let replica = cluster.beside(node, Role::Replica);
                Node::Archive(Box::new(Archive::new(replica, snapshots)))
            }
            Role::Client => unreachable!("no client has a seat"),
        }
    }

    fn leader_count(cluster: &Cluster) -> usize {
        cluster.size.proposers
    }

    fn request(m: Submitted) -> Message {
        let Submitted { session, number, acknowledged, payload, .. } = m;
        let command = Command { session, number, acknowledged, payload };
        Message::Proposer(ToProposer::Request(Request { command }))
    }

    fn heard(message: &Message) -> Heard {
        match message {
            Message::Session(ToSession::Executed(m)) => Heard::Executed(m.number, 1),
            Message::Column(m) => match &m.inner {
                ColumnMessage::Session(ToColumnSession::Leading(_)) => Heard::Leading,
                _ => Heard::Else,
            },
            _ => Heard::Else,
        }
    }

    fn kind(message: &Message) -> Kind {
        match message {
            Message::Column(m) => Kind::of(&m.inner),
            _ => Kind::of(message),
        }
    }

    fn reconfigure(_: u64, _: &[NodeId]) -> Option<Message> {
        None
    }

    fn transfer(_: NodeId) -> Option<Message> {
        None
    }
}
