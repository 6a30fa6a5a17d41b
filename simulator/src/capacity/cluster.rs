//! Who sits on which processor.

use std::collections::BTreeSet;

use matchmaker::leader::Deployment;
use matchmaker::message::{Epoch, Generation};
use paxos::actor::{Incarnation, NodeId, Seat};
use paxos::configuration::Configuration;
use paxos::membership::Membership;
use paxos::quorum::QuorumSystem;
use paxos::slot::Slot;
use serde::{Deserialize, Serialize};

use super::costs::Role;

/// Clients sit from here on.
const CLIENTS: u32 = 1 << 16;

/// How roles are spread over processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// 2f + 1 processors with every role each; proposers are spread over them.
    Coupled,
    /// A processor for each actor, but that an archive is beside its replica.
    Modular,
}

/// The size of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Failures that it survives: 2f + 1 acceptors vote.
    pub failures: usize,
    /// Proposers.
    pub proposers: usize,
    /// How roles are spread.
    pub placement: Placement,
}

/// An actor, and the processor that it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seated {
    /// Its identity.
    pub node: NodeId,
    /// What it is.
    pub role: Role,
    /// The number of its processor.
    pub processor: usize,
}

/// A cluster whose actors are all there from the beginning.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub(super) size: Size,
    pub(super) seats: Vec<Seated>,
    /// What each processor is called: its module.
    pub(super) processors: Vec<&'static str>,
    /// Where clients get answers: one for each replica, in their order.
    pub(super) clients: Vec<NodeId>,
    /// Commands in one batch, at most.
    pub(super) batch_max: usize,
}

impl Cluster {
    /// A cluster of that size. `acceptors` is how many there are; the first 2f + 1 vote at first.
    pub(super) fn new(size: Size, acceptors: usize, has_service: bool, batch_max: usize) -> Self {
        let quorum = 2 * size.failures + 1;
        let (processors, clients) = (Vec::new(), Vec::new());
        let mut cluster = Self { size, seats: Vec::new(), processors, clients, batch_max };
        let replicas = match size.placement {
            Placement::Coupled => {
                cluster.processors = vec!["process"; quorum];
                quorum
            }
            Placement::Modular => size.failures + 1,
        };
        let services = if has_service { quorum } else { 0 };
        let counts = [
            (Role::Proposer, size.proposers),
            (Role::DependencyNode, services),
            (Role::Acceptor, acceptors),
            (Role::Matchmaker, quorum),
            (Role::Replica, replicas),
            (Role::Archive, replicas),
        ];
        for (role, count) in counts {
            (0..count).for_each(|number| cluster.seat(role, number));
        }
        cluster.clients = (0..replicas as u32).map(|number| node(CLIENTS + number)).collect();
        cluster
    }

    fn seat(&mut self, role: Role, number: usize) {
        let beside = self.every(Role::Replica).nth(number).map(|replica| replica.processor);
        let processor = match (self.size.placement, role, beside) {
            (Placement::Coupled, ..) => number % self.processors.len(),
            (Placement::Modular, Role::Archive, Some(processor)) => processor,
            (Placement::Modular, ..) => {
                self.processors.push(role.name());
                self.processors.len() - 1
            }
        };
        let node = node(self.seats.len() as u32);
        self.seats.push(Seated { node, role, processor });
    }

    /// The actors of a role, in order.
    pub(super) fn every(&self, role: Role) -> impl Iterator<Item = &Seated> {
        self.seats.iter().filter(move |seated| seated.role == role)
    }

    pub(super) fn nodes(&self, role: Role) -> BTreeSet<NodeId> {
        self.every(role).map(|seated| seated.node).collect()
    }

    /// The actor of `role` that belongs to the replica or archive at `node`.
    pub(super) fn beside(&self, node: NodeId, role: Role) -> NodeId {
        let of = self.seats.iter().find(|seated| seated.node == node).map(|seated| seated.role);
        let number = of.and_then(|of| self.every(of).position(|seated| seated.node == node));
        let partner = number.and_then(|number| self.every(role).nth(number));
        partner.expect("as many archives as replicas").node
    }

    /// Where the clients of the replica at `node` are.
    pub(super) fn clients_of(&self, node: NodeId) -> NodeId {
        let number = self.every(Role::Replica).position(|seated| seated.node == node);
        self.clients[number.unwrap_or_default()]
    }

    /// The place of an actor in `seats`.
    pub(super) fn place(&self, node: NodeId) -> Option<usize> {
        let place = node.seat.0 as usize;
        (place < self.seats.len()).then_some(place)
    }

    /// The place of a client in `clients`.
    pub(super) fn client(&self, node: NodeId) -> Option<usize> {
        let place = node.seat.0.checked_sub(CLIENTS)? as usize;
        (place < self.clients.len()).then_some(place)
    }

    pub(super) fn generation(&self, role: Role) -> Generation {
        Generation { epoch: Epoch(0), members: self.nodes(role) }
    }

    /// What proposers begin with.
    pub(super) fn deployment(&self) -> Deployment {
        let quorum = 2 * self.size.failures + 1;
        let membership = Membership {
            proposers: self.nodes(Role::Proposer),
            replicas: self.nodes(Role::Replica),
            archives: self.nodes(Role::Archive),
            sessions: self.clients.iter().copied().collect(),
            acceptors: self.nodes(Role::Acceptor),
            matchmakers: self.nodes(Role::Matchmaker),
            ..Membership::default()
        };
        let members = self.every(Role::Acceptor).take(quorum).map(|seated| seated.node);
        let initial = Configuration::new(1, QuorumSystem::Majority, members)
            .expect("an odd number of acceptors, with a majority")
            .with_membership(membership);
        let Generation { epoch, members: matchmakers } = self.generation(Role::Matchmaker);
        Deployment { epoch, matchmakers, initial, first: Slot::ZERO }
    }
}

fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(u64::from(seat) + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_have_processors_of_their_own() {
        let size = Size { failures: 1, proposers: 5, placement: Placement::Modular };
        let cluster = Cluster::new(size, 3, true, 1);
        assert_eq!(cluster.processors.len(), 5 + 3 + 3 + 3 + 2);
        let replica = cluster.every(Role::Replica).nth(1).expect("two replicas");
        let archive = cluster.every(Role::Archive).nth(1).expect("two archives");
        assert_eq!(replica.processor, archive.processor);
        assert_eq!(cluster.beside(replica.node, Role::Archive), archive.node);
        assert_eq!(cluster.client(cluster.clients_of(replica.node)), Some(1));
        assert_eq!(cluster.place(replica.node).map(|place| cluster.seats[place]), Some(*replica));
    }

    #[test]
    fn coupled_roles_share_processors() {
        let size = Size { failures: 1, proposers: 5, placement: Placement::Coupled };
        let cluster = Cluster::new(size, 3, true, 1);
        assert_eq!(cluster.processors.len(), 3);
        let proposers: Vec<usize> =
            cluster.every(Role::Proposer).map(|seated| seated.processor).collect();
        assert_eq!(proposers, [0, 1, 2, 0, 1]);
    }
}
