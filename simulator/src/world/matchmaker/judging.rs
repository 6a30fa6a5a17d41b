//! What replicas execute, what actors hold, and what was restored, before the properties.

use matchmaker::node::Node;
use paxos::actor::Actor;
use paxos::slot::Slot;
use paxos::state_machine::StateMachine;

use super::Seated;
use crate::plan::Place;
use crate::properties;
use crate::world::{Verdict, Workload, World};

impl<W: Workload> World<W> {
    /// A replica may have executed more.
    pub(super) fn judge_log(&mut self, index: usize) -> Verdict {
        let Some(observed) = self.processes[index].observed() else { return Ok(()) };
        let (known, all) = (self.seen[index], observed.count() as usize);
        if all == known {
            return Ok(());
        }
        let is_installed = known < observed.installed.count as usize;
        let (installed, applied) = (observed.installed, &observed.applied[..]);
        let name = format!("p{index}");
        let verdict = self.own.ledger.on_executed(&name, installed, applied, known);
        self.unless_watched(verdict)?;
        self.seen[index] = all;
        if is_installed {
            return self.check_machines(index);
        }
        Ok(())
    }

    /// Replicas that have executed the same hold the same.
    pub(super) fn check_machines(&self, index: usize) -> Verdict {
        let Some(one) = self.processes[index].observed() else { return Ok(()) };
        for other in (0..self.processes.len()).filter(|other| *other != index) {
            let Some(observed) = self.processes[other].observed() else { continue };
            if observed.count() == one.count() {
                let [one, two] = [one, observed].map(|observed| {
                    let mut machine = observed.machine().clone();
                    machine.stop_snapshot();
                    machine
                });
                properties::check_machines(&format!("p{index}"), &format!("p{other}"), one == two)?;
            }
        }
        Ok(())
    }

    /// No actor of a process holds more than it may.
    pub(super) fn check_loads(&self, index: usize) -> Verdict {
        for actor in &self.processes[index].actors {
            match actor {
                Node::Proposer(proposer) => {
                    let load = proposer.leader().load();
                    properties::check_leader(index, load, &self.plan.options.leader)?;
                }
                Node::Session(session) => {
                    properties::check_session(index, session.load(), &self.plan.options.session)?;
                }
                Node::Archive(archive) => {
                    let (bytes, options) = (archive.values_bytes(), &self.plan.options.snapshots);
                    properties::check_archive(index, bytes, options)?;
                }
                Node::Acceptor(_) | Node::Matchmaker(_) | Node::Replica(_) => {}
            }
        }
        Ok(())
    }

    /// What was restored is what is true, and can be restored once more.
    pub(super) fn check_cast(&mut self, index: usize) -> Verdict {
        let copies = self.cast(index);
        for ((place, actor), copy) in self.processes[index].actors.iter().enumerate().zip(copies) {
            let node = self.places.node(Place { process: index, place });
            if let Node::Acceptor(acceptor) = actor {
                self.own.ghost.check_restored(node, acceptor.promised())?;
            }
            self.own.ghost.check_remembered(node, &actor.checkpoint(), kept(actor))?;
            let (name, fold) = (self.places.name(node), &self.folds[index][place]);
            let is_whole = !matches!(actor, Node::Archive(_));
            properties::check_checkpoint(&name, actor, copy, is_whole)?;
            match (actor, fold) {
                // A replica has no records.
                (Node::Replica(_), _) => {}
                (Node::Archive(archive), Node::Archive(fold)) => {
                    properties::check_archive_fold(&name, archive, fold)?;
                }
                _ => properties::check_fold(&name, actor, fold)?,
            }
        }
        Ok(())
    }

    /// What is left of a log that was compacted makes the same actors.
    pub(super) fn check_cast_left(&self, index: usize, actors: &[Seated<W::Machine>]) -> Verdict {
        for (place, actor) in actors.iter().enumerate() {
            let node = self.places.node(Place { process: index, place });
            self.own.ghost.check_remembered(node, &actor.checkpoint(), kept(actor))?;
        }
        Ok(())
    }
}

/// How many slots an archive has durably.
fn kept<S>(actor: &Seated<S>) -> Option<Slot> {
    match actor {
        Node::Archive(archive) => Some(archive.persisted_watermark()),
        _ => None,
    }
}
