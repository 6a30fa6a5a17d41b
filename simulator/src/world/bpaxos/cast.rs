//! The actors of a process.

use bpaxos::archive::Archive;
use bpaxos::column::Columns;
use bpaxos::dependency_node::DependencyNode;
use bpaxos::node::Node;
use bpaxos::proposer::Proposer;
use bpaxos::registry::Registry;
use bpaxos::replica::{Replica, Surroundings};
use bpaxos::session::{Session, SessionOptions};
use paxos::acceptor::Acceptor;
use paxos::state_machine::Conflicts;

use super::{Bpaxos, Seated};
use crate::mutation::Mutation;
use crate::plan::{Place, Role};
use crate::workload::{Observed, Workload};
use crate::world::World;

impl<W: Workload<Machine: Conflicts>> World<W, Bpaxos> {
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
        let (options, service) = (&self.plan.options, self.places.first_service());
        let deployment = self.places.deployment();
        let proposers = deployment.initial.membership().proposers.clone();
        match role {
            Role::Proposer => {
                let options = options.columns.proposer.clone();
                Node::Proposer(Box::new(Proposer::new(node, deployment, service, options)))
            }
            Role::Matchmaker => Node::Matchmaker(Box::new(Registry::new())),
            Role::Acceptor => {
                Node::Acceptor(Columns::new(Acceptor::with_options(options.acceptor.clone())))
            }
            Role::DependencyNode => {
                let options = options.columns.dependencies.clone();
                Node::DependencyNode(Box::new(DependencyNode::new(node, service, options)))
            }
            Role::Replica => {
                let (archive, session) = (beside(Role::Archive), beside(Role::Session));
                let surroundings = Surroundings { archive, session, proposers };
                let mut machine = Observed::partially_ordered(self.workload.machine());
                machine.is_doubling = self.mutation == Some(Mutation::ExecuteTwice)
                    && self.processes[at.process].life > 0;
                Node::Replica(Box::new(Replica::new(
                    surroundings,
                    machine,
                    options.snapshots.clone(),
                )))
            }
            Role::Archive => Node::Archive(Box::new(Archive::new(
                beside(Role::Replica),
                options.snapshots.clone(),
            ))),
            Role::Session => {
                let nearest = self.places.in_process(at.process, Role::Proposer);
                let options = SessionOptions { nearest, ..options.columns.session.clone() };
                let application = self.places.application(at.process);
                Node::Session(Session::new(node, application, proposers, options))
            }
        }
    }
}
