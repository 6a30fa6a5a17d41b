//! Who sits where: the processes of a cluster and the actors of each.

use std::collections::BTreeSet;
use std::fmt;

use matchmaker::leader::Deployment;
use matchmaker::message::{Epoch, Generation};
use paxos::actor::{Incarnation, NodeId, Seat};
use paxos::configuration::Configuration;
use paxos::membership::Membership;
use paxos::quorum::QuorumSystem;
use paxos::slot::Slot;

use crate::random::Random;

/// Seats of one process.
const SEATS: u32 = 16;

/// The application beside a session sits here. It is no actor.
const APPLICATION: u32 = SEATS - 1;

/// The operator sits on a machine of its own.
pub const OPERATOR: NodeId = NodeId::new(Seat(u32::MAX), Incarnation(u64::MAX));

/// What an actor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Role {
    Proposer,
    Matchmaker,
    Acceptor,
    DependencyNode,
    Replica,
    Archive,
    Session,
}

impl Role {
    /// What traces call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proposer => "proposer",
            Self::Matchmaker => "matchmaker",
            Self::Acceptor => "acceptor",
            Self::DependencyNode => "dependency",
            Self::Replica => "replica",
            Self::Archive => "archive",
            Self::Session => "session",
        }
    }
}

/// Which protocol runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ProtocolName {
    /// Matchmaker MultiPaxos.
    Matchmaker,
    /// BPaxos.
    Bpaxos,
}

impl fmt::Display for ProtocolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Matchmaker => "Matchmaker MultiPaxos",
            Self::Bpaxos => "BPaxos",
        })
    }
}

/// A kind of cluster. Each survives the loss of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// Three processes, each with every role, two acceptors and two matchmakers.
    Three,
    /// Five processes with a matchmaker and an acceptor each, three of them with a proposer and a
    /// replica.
    Five,
    /// A process for each actor: two proposers, six matchmakers, six acceptors, three replicas.
    Apart,
    /// Five processes, each with every role and two acceptors. Three are members at first, the others
    /// are spare: they run and have no part, until the operator adds them.
    Pool,
}

/// Where BPaxos runs there are dependency nodes as well: two in each process of three, one in each of five,
/// and six processes with one.
fn with_dependency_nodes(shape: Shape, mut processes: Vec<Vec<Role>>) -> Vec<Vec<Role>> {
    let count = match shape {
        Shape::Three => 2,
        Shape::Five | Shape::Pool => 1,
        Shape::Apart => {
            processes.extend(vec![vec![Role::DependencyNode]; 6]);
            return processes;
        }
    };
    for roles in &mut processes {
        roles.extend(vec![Role::DependencyNode; count]);
    }
    processes
}

/// An actor of a process, by its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The process, from zero.
    pub process: usize,
    /// The place of the actor in it, from zero.
    pub place: usize,
}

impl Shape {
    /// Half of the runs without spare processes are of the first kind, which packs the most trouble into
    /// a step.
    pub(super) fn draw(random: &mut Random) -> Self {
        random.pick([Self::Three, Self::Three, Self::Five, Self::Apart])
    }

    /// The roles of each process.
    pub fn processes(self) -> Vec<Vec<Role>> {
        use Role::{Acceptor, Archive, Matchmaker, Proposer, Replica, Session};
        let all = [Proposer, Matchmaker, Acceptor, Replica, Archive, Session];
        let replica = [Replica, Archive, Session];
        match self {
            Self::Three => {
                vec![[&all[..3], &[Acceptor], &all[3..], &[Matchmaker]].concat(); 3]
            }
            Self::Five => [vec![all.to_vec(); 3], vec![vec![Matchmaker, Acceptor]; 2]].concat(),
            Self::Pool => vec![[&all[..], &[Acceptor]].concat(); 5],
            Self::Apart => [
                vec![vec![Proposer]; 2],
                vec![vec![Matchmaker]; 6],
                vec![vec![Acceptor]; 6],
                vec![replica.to_vec(); 3],
            ]
            .concat(),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Three => "three",
            Self::Five => "five",
            Self::Apart => "apart",
            Self::Pool => "pool",
        })
    }
}

/// The actors of a cluster and their names.
#[derive(Clone, Debug)]
pub struct Places {
    processes: Vec<Vec<Role>>,
    /// Processes that have a part in the beginning: the first ones.
    founder_count: usize,
    /// How often each process has come back with an empty disk, as a stranger.
    lives: Vec<u64>,
}

/// What sets the incarnations of one process apart from those of others, and of its other lives.
const LIFE: u64 = 1000;

impl Places {
    /// The places of a cluster of that shape that runs Matchmaker MultiPaxos.
    pub fn new(shape: Shape) -> Self {
        Self::of(ProtocolName::Matchmaker, shape)
    }

    /// The places of a cluster of that shape.
    pub fn of(protocol: ProtocolName, shape: Shape) -> Self {
        let processes = match protocol {
            ProtocolName::Matchmaker => shape.processes(),
            ProtocolName::Bpaxos => with_dependency_nodes(shape, shape.processes()),
        };
        let founder_count = if shape == Shape::Pool { 3 } else { processes.len() };
        let lives = vec![0; processes.len()];
        Self { processes, founder_count, lives }
    }

    /// How many processes there are.
    pub fn process_count(&self) -> usize {
        self.processes.len()
    }

    /// The roles of `process`, by place.
    pub fn roles(&self, process: usize) -> &[Role] {
        &self.processes[process]
    }

    /// The actor at a place.
    pub fn node(&self, at: Place) -> NodeId {
        NodeId::new(
            Seat(at.process as u32 * SEATS + at.place as u32),
            Incarnation(at.process as u64 + 1 + LIFE * self.lives[at.process]),
        )
    }

    /// The process has lost its disk, and all that it was: its actors have other names from now on.
    pub fn renew(&mut self, process: usize) {
        self.lives[process] += 1;
    }

    /// What has ever sat at a place.
    pub fn all_lives(&self, at: Place) -> impl Iterator<Item = NodeId> {
        let seat = self.node(at).seat;
        let lives = 0..=self.lives[at.process];
        lives.map(move |life| NodeId::new(seat, Incarnation(at.process as u64 + 1 + LIFE * life)))
    }

    /// Whether `node` is what sits on its seat at present, and not what sat there in an earlier life.
    pub fn is_present(&self, node: NodeId) -> bool {
        let process = (node.seat.0 / SEATS) as usize;
        let life = self.lives.get(process);
        life.is_some_and(|life| node.incarnation.0 == process as u64 + 1 + LIFE * life)
    }

    /// Whether the process has a part in the cluster from the beginning.
    pub fn is_founder(&self, process: usize) -> bool {
        process < self.founder_count
    }

    /// Whether there are processes that have no part in the beginning.
    pub fn has_spares(&self) -> bool {
        self.founder_count < self.processes.len()
    }

    /// Everyone as they were in the beginning.
    fn at_founding(&self) -> Self {
        Self { lives: vec![0; self.lives.len()], ..self.clone() }
    }

    /// All nodes of a process, with its application.
    pub fn in_one(&self, process: usize) -> impl Iterator<Item = NodeId> + '_ {
        let actors = (0..self.processes[process].len()).map(move |place| Place { process, place });
        actors.map(|at| self.node(at)).chain([self.application(process)])
    }

    /// The application of a process.
    pub fn application(&self, process: usize) -> NodeId {
        self.node(Place { process, place: APPLICATION as usize })
    }

    /// Where `node` sits; none for the operator.
    pub fn find(&self, node: NodeId) -> Option<Place> {
        let process = (node.seat.0 / SEATS) as usize;
        let place = (node.seat.0 % SEATS) as usize;
        (process < self.processes.len()).then_some(Place { process, place })
    }

    /// What sits at `node`; none for applications and the operator.
    pub fn role(&self, node: NodeId) -> Option<Role> {
        let at = self.find(node)?;
        self.processes[at.process].get(at.place).copied()
    }

    /// The first actor of that role in `process`.
    pub fn in_process(&self, process: usize, role: Role) -> Option<NodeId> {
        let place = self.processes[process].iter().position(|other| *other == role)?;
        Some(self.node(Place { process, place }))
    }

    /// All places, in order.
    pub fn all(&self) -> impl Iterator<Item = (Place, Role)> + '_ {
        self.processes.iter().enumerate().flat_map(|(process, roles)| {
            roles.iter().enumerate().map(move |(place, role)| (Place { process, place }, *role))
        })
    }

    /// All actors of a role, in order.
    pub fn every(&self, role: Role) -> Vec<NodeId> {
        let of_role = self.all().filter(|(_, other)| *other == role);
        of_role.map(|(at, _)| self.node(at)).collect()
    }

    /// What a trace calls `node`: its process and its role, with a letter if there are several.
    pub fn name(&self, node: NodeId) -> String {
        let Some(at) = self.find(node) else { return "operator".into() };
        let roles = &self.processes[at.process];
        let Some(role) = roles.get(at.place) else { return format!("p{}.app", at.process) };
        let twins = roles.iter().filter(|other| *other == role).count();
        let before = roles[..at.place].iter().filter(|other| *other == role).count();
        let letter = if twins > 1 { ["A", "B", "C", "D"][before.min(3)] } else { "" };
        format!("p{}.{}{letter}", at.process, role.name())
    }

    /// The matchmakers of the founding. All others are spare.
    pub fn founders(&self) -> Generation {
        self.founders_of(Role::Matchmaker)
    }

    /// The dependency nodes of the founding. All others are spare.
    pub fn first_service(&self) -> Generation {
        self.founders_of(Role::DependencyNode)
    }

    fn founders_of(&self, role: Role) -> Generation {
        let places = self.at_founding();
        let all = places.every(role);
        let is_first = |node: &NodeId| {
            let at = self.find(*node).expect("it sits somewhere");
            let is_first = places.in_process(at.process, role) == Some(*node);
            is_first && self.is_founder(at.process)
        };
        let first: Vec<NodeId> = all.iter().copied().filter(is_first).collect();
        // Five processes that have one each are one cluster of five.
        let count = if first.len() == 5 { 5 } else { 3 };
        Generation { epoch: Epoch(0), members: first.into_iter().take(count).collect() }
    }

    /// Who plays what.
    pub fn deployment(&self) -> Deployment {
        let places = self.at_founding();
        let has_part =
            |node: &NodeId| places.find(*node).is_some_and(|at| self.is_founder(at.process));
        let every = |role| places.every(role).into_iter().filter(has_part).collect();
        let Generation { epoch, members: matchmakers } = self.founders();
        let acceptors = places.every(Role::Acceptor);

        // The first acceptor of each process comes first, so that one process is one vote.
        let mut members: Vec<NodeId> = acceptors;
        members.sort_by_key(|node| (node.seat.0 % SEATS, node.seat.0));
        let members: BTreeSet<NodeId> = members.into_iter().take(matchmakers.len()).collect();
        let membership = Membership {
            proposers: every(Role::Proposer),
            replicas: every(Role::Replica),
            archives: every(Role::Archive),
            joining: BTreeSet::new(),
            sessions: every(Role::Session),
            applications: (0..self.founder_count).map(|index| places.application(index)).collect(),
            acceptors: every(Role::Acceptor),
            matchmakers: every(Role::Matchmaker),
            directory: Vec::new(),
        };
        let initial = Configuration::new(1, QuorumSystem::Majority, members)
            .expect("every shape has as many acceptors as matchmakers");
        let initial = initial.with_membership(membership);
        Deployment { epoch, matchmakers, initial, first: Slot::ZERO }
    }

    /// What a trace calls a configuration.
    pub fn show(&self, configuration: &Configuration) -> String {
        let members: Vec<String> =
            configuration.members().iter().map(|node| self.name(*node)).collect();
        let system = match configuration.system() {
            QuorumSystem::Majority => "majority".to_owned(),
            QuorumSystem::WriteAll => "write-all".to_owned(),
            QuorumSystem::Grid { columns } => format!("grid of {columns} columns"),
        };
        format!("v{} {system} of {}", configuration.version(), members.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_actor_is_found_where_it_sits() {
        for shape in [Shape::Three, Shape::Five, Shape::Apart, Shape::Pool] {
            let places = Places::new(shape);
            for (at, role) in places.all() {
                let node = places.node(at);
                assert_eq!(places.find(node), Some(at));
                assert_eq!(places.role(node), Some(role));
            }
            assert_eq!(places.find(OPERATOR), None);
            assert_eq!(places.role(places.application(0)), None);
        }
    }

    #[test]
    fn a_lost_process_costs_the_first_configuration_one_vote() {
        for shape in [Shape::Three, Shape::Five, Shape::Apart, Shape::Pool] {
            let places = Places::new(shape);
            let initial = places.deployment().initial;
            let processes: BTreeSet<_> = initial
                .members()
                .iter()
                .map(|node| places.find(*node).map(|p| p.process))
                .collect();
            assert_eq!(processes.len(), initial.members().len(), "{shape}");
        }
    }

    #[test]
    fn names_tell_twins_apart() {
        let places = Places::new(Shape::Three);
        let names: Vec<String> =
            places.every(Role::Acceptor).into_iter().map(|node| places.name(node)).collect();
        assert_eq!(names[..2], ["p0.acceptorA", "p0.acceptorB"]);
        assert_eq!(places.name(OPERATOR), "operator");
        assert_eq!(places.name(places.application(2)), "p2.app");
    }
}
