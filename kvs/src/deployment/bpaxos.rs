//! The actors of a process in a cluster that runs BPaxos.

use std::collections::BTreeSet;

use bpaxos::archive::Archive;
use bpaxos::column::Columns;
use bpaxos::dependency_node::{DependencyNode, DependencyOptions};
use bpaxos::node::Node;
use bpaxos::proposer::{Proposer, ProposerOptions};
use bpaxos::registry::Registry;
use bpaxos::replica::{Replica, Surroundings};
use bpaxos::session::{Session, SessionOptions};
use matchmaker::leader::Deployment;
use matchmaker::message::{Epoch, Generation};
use paxos::acceptor::Acceptor;
use paxos::actor::NodeId;
use paxos::state_machine::{Conflicts, StateMachine};

use super::{DeploymentError, Member, Members, Role, Settings};

impl Members {
    /// The dependency nodes of a cluster that these have founded.
    pub fn dependency_service(&self) -> Generation {
        let founders = self.all().filter(|member| member.roles.contains(&Role::Dependency));
        Generation { epoch: Epoch(0), members: founders.map(Member::dependency_node).collect() }
    }

    /// The actors of the process called `name`, ready to run BPaxos, with a state machine from `machine` if
    /// it is a replica. Its dependency node serves from the start if it has that role, and else waits
    /// until it is named in a handover.
    ///
    /// *Errors*: there is no such process.
    pub fn start_bpaxos<S: StateMachine + Conflicts>(
        &self,
        name: &str,
        deployment: &Deployment,
        settings: &Settings,
        machine: impl FnOnce() -> S,
    ) -> Result<Vec<(NodeId, Node<S>)>, DeploymentError> {
        let member = self.member(name)?;
        let service = self.dependency_service();
        let mut actors = Vec::new();
        if let Some(node) = member.proposer() {
            let options = proposer_options(settings);
            let proposer = Proposer::new(node, deployment.clone(), service.clone(), options);
            actors.push((node, Node::Proposer(Box::new(proposer))));
        }
        actors.push((member.matchmaker(), Node::Matchmaker(Box::new(Registry::new()))));
        let node = member.dependency_node();
        let dependency_node = DependencyNode::new(node, service, DependencyOptions::default());
        actors.push((node, Node::DependencyNode(Box::new(dependency_node))));
        for (_, node) in member.acceptors() {
            actors.push((node, Node::Acceptor(Columns::new(Acceptor::new()))));
        }
        actors.extend(executing(member, deployment, settings, machine));
        Ok(actors)
    }
}

/// The actors that execute commands and answer clients, if `member` is a replica.
fn executing<S: StateMachine + Conflicts>(
    member: &Member,
    deployment: &Deployment,
    settings: &Settings,
    machine: impl FnOnce() -> S,
) -> Vec<(NodeId, Node<S>)> {
    let (Some(replica), Some(archive), Some(session)) =
        (member.replica(), member.archive(), member.session())
    else {
        return Vec::new();
    };
    let proposers: BTreeSet<NodeId> = deployment.initial.membership().proposers.clone();
    let surroundings = Surroundings { archive, session, proposers: proposers.clone() };
    let snapshots = settings.storage.snapshots();
    let executing = Replica::new(surroundings, machine(), snapshots.clone());
    let archiving = Archive::new(replica, snapshots);
    let application = member.application().node;
    let options = SessionOptions { nearest: member.proposer(), ..session_options(settings) };
    let served = Session::new(session, application, proposers, options);
    vec![
        (replica, Node::Replica(Box::new(executing))),
        (archive, Node::Archive(Box::new(archiving))),
        (session, Node::Session(served)),
    ]
}

fn proposer_options(settings: &Settings) -> ProposerOptions {
    let leader = settings.timing.leader();
    ProposerOptions { resend: leader.resend.clone(), leader, ..ProposerOptions::default() }
}

/// Commands without an outcome are given up after the same time as under the other protocol.
fn session_options(settings: &Settings) -> SessionOptions {
    let options = settings.timing.session();
    let (timeout, period) = (options.request_timeout.as_millis(), options.retry.end.as_millis());
    let patience = u32::try_from(timeout / period.max(1)).unwrap_or(u32::MAX).max(2);
    SessionOptions { patience, retry: options.retry, ..SessionOptions::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use paxos::actor::Incarnation;
    use paxos::runtime::Roster;
    use paxos::slot::Slot;

    use crate::deployment::{ClusterFile, Protocol};
    use crate::store::Store;

    #[test]
    fn every_actor_has_a_seat_of_its_own() {
        let file = ClusterFile::on_loopback("test", 3, 6, 6380).expect("possible");
        let file = file.with_protocol(Protocol::Bpaxos);
        let names = file.nodes.iter().map(|node| (node.name.clone(), Incarnation(7)));
        let members = file.members(&Roster(names.collect()));
        let deployment = file.deployment(&members, Slot::ZERO).expect("complete");
        let mut seen = BTreeSet::new();
        for member in members.all() {
            let (name, settings) = (&member.name, file.settings());
            let actors = members.start_bpaxos(name, &deployment, &settings, Store::default);
            for (node, _) in actors.expect("a member") {
                assert!(seen.insert(node) && member.seats().any(|seat| seat == node.seat));
            }
        }
        assert_eq!(seen.len(), 24);
        assert_eq!(members.dependency_service().members.len(), 3);
        assert!(members.dependency_service().members.is_subset(&seen));
    }
}
