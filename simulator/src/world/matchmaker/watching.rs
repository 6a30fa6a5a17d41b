//! What leaders do about members that are silent: judged turn by turn, and at the end of a run.

use matchmaker::message::Message;
use matchmaker::node::Node;
use paxos::actor::NodeId;

use crate::coverage::Situation;
use crate::properties::late;
use crate::world::{Place, Role, Verdict, Workload, World};

impl<W: Workload> World<W> {
    /// The proposer of a process has taken a turn.
    pub(super) fn watch_leader(&mut self, index: usize) -> Verdict {
        for (place, actor) in self.processes[index].actors.iter().enumerate() {
            let Node::Proposer(proposer) = actor else { continue };
            let node = self.places.node(Place { process: index, place });
            if let Some(situation) = self.own.ghost.watch(node, proposer)? {
                self.summary.coverage.meet(situation);
            }
        }
        Ok(())
    }

    /// A message arrives at a process that runs.
    pub(super) fn hear_sign(&mut self, from: NodeId, to: NodeId, message: &Message) {
        if let Some(situation) = self.own.ghost.on_deliver(from, to, message) {
            self.summary.coverage.meet(situation);
        }
    }

    /// Whether leaders replace silent members by themselves in this run.
    pub(super) fn is_healing(&self) -> bool {
        self.plan.options.leader.healing.is_on
    }

    /// Whether the cluster works without a process.
    pub(super) fn survives(&self, dead: usize) -> bool {
        let is_alive =
            |node: &&NodeId| self.places.find(**node).is_some_and(|at| at.process != dead);
        let configuration = self.own.ghost.newest_configuration();
        let living = configuration.members().iter().filter(is_alive);
        let living = configuration.members_among(living);
        let matchmakers = self.own.ghost.newest_members();
        let archives = &configuration.membership().archives;
        self.living(Role::Proposer).any(|process| process != dead)
            && configuration.is_phase1(living)
            && configuration.is_phase2(living)
            && [matchmakers, archives].into_iter().all(|nodes| {
                let all_here = nodes.iter().filter(is_alive);
                let here = all_here.filter(|node| {
                    let at = self.places.find(**node);
                    at.is_some_and(|at| self.processes[at.process].is_up())
                });
                here.count() > nodes.len() / 2
            })
    }

    /// A process was down for long enough: nothing that a spare can do is left to it.
    pub(super) fn check_healed(&self, dead: usize) -> Verdict {
        let configuration = self.own.ghost.newest_configuration();
        let acceptors = configuration.members().to_vec();
        let matchmakers = self.own.ghost.newest_members().iter().copied().collect();
        let membership = configuration.membership();
        for (used, pool, role) in [
            (acceptors, &membership.acceptors, Role::Acceptor),
            (matchmakers, &membership.matchmakers, Role::Matchmaker),
        ] {
            let used: Vec<NodeId> = used;
            let process = |node: &NodeId| self.places.find(*node).map(|at| at.process);
            let is_used = |at: Option<usize>| used.iter().any(|node| process(node) == at);
            let is_up = |at: Option<usize>| at.is_some_and(|at| self.processes[at].is_up());
            let has_spare = pool.iter().any(|node| is_up(process(node)) && !is_used(process(node)));
            if has_spare && is_used(Some(dead)) {
                let detail = format!("p{dead} is dead and still has a {} in use", role.name());
                return late("healing", detail);
            }
        }
        Ok(())
    }

    /// Counts a leader that has given up.
    pub(super) fn note_heir(&mut self, from: NodeId) {
        let Some(at) = self.places.find(from) else { return };
        let has_given_up = self.processes[at.process].actors.iter().any(|actor| match actor {
            Node::Proposer(proposer) => proposer.leader().has_given_up(),
            _ => false,
        });
        if has_given_up {
            self.summary.coverage.meet(Situation::StalledLeaderGaveUp);
        }
    }
}
