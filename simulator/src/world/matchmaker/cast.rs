//! The actors of a process.

use matchmaker::leader::Deployment;
use matchmaker::matchmaker::Matchmaker;
use matchmaker::message::StatusB;
use matchmaker::node::Node;
use matchmaker::proposer::Proposer;
use paxos::acceptor::Acceptor;
use paxos::archive::Archive;
use paxos::replica::{Replica, Surroundings};
use paxos::session::Session;

use super::Seated;
use crate::mutation::Mutation;
use crate::plan::{Place, Role};
use crate::workload::Observed;
use crate::world::{Workload, World};

impl<W: Workload> World<W> {
    /// A process has lost its disk, and starts as another one, that learns of the cluster from `status`.
    pub(super) fn renew_process(&mut self, index: usize, status: StatusB) {
        let StatusB { epoch, matchmakers, configuration: initial, .. } = status;
        self.own.charters[index] =
            Deployment { epoch, matchmakers, initial, first: self.own.first };
        self.renew(index);
    }

    /// New actors of a process, by place. They remember nothing.
    pub(super) fn cast(&self, index: usize) -> Vec<Seated<W::Machine>> {
        let roles = self.places.roles(index).iter().enumerate();
        roles.map(|(place, role)| self.actor(Place { process: index, place }, *role)).collect()
    }

    fn actor(&self, at: Place, role: Role) -> Seated<W::Machine> {
        let node = self.places.node(at);
        let beside = |role| {
            self.places.in_process(at.process, role).expect("replica, archive and session are one")
        };
        let options = &self.plan.options;
        match role {
            Role::Proposer => Node::Proposer(Box::new(Proposer::new(
                node,
                self.own.charters[at.process].clone(),
                options.election.clone(),
                options.leader.clone(),
            ))),
            Role::Matchmaker => {
                let founders = self.places.founders();
                let is_founder = founders.members.contains(&node);
                let matchmaker =
                    if is_founder { Matchmaker::new(founders) } else { Matchmaker::pending() };
                Node::Matchmaker(Box::new(matchmaker))
            }
            Role::Acceptor => Node::Acceptor(Acceptor::with_options(options.acceptor.clone())),
            Role::DependencyNode => unreachable!("no place of this protocol has one"),
            Role::Replica => {
                let archive = beside(Role::Archive);
                let others = self.own.charters[at.process].initial.membership().archives.iter();
                let peers = others.copied().filter(|other| *other != archive).collect();
                let surroundings = Surroundings { archive, session: beside(Role::Session), peers };
                let mut machine = Observed::new(self.workload.machine());
                machine.is_doubling = self.mutation == Some(Mutation::ExecuteTwice)
                    && self.processes[at.process].life > 0;
                let options = options.snapshots.clone();
                Node::Replica(Box::new(Replica::new(surroundings, machine, options)))
            }
            Role::Archive => {
                Node::Archive(Archive::new(beside(Role::Replica), options.snapshots.clone()))
            }
            Role::Session => Node::Session(Box::new(Session::new(
                node,
                beside(Role::Replica),
                self.places.application(at.process),
                options.session.clone(),
            ))),
        }
    }
}
