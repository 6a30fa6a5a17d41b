//! What is brought before the properties beside messages: records, executions, limits.

use matchmaker::node::Node;
use paxos::actor::Actor;
use paxos::state_machine::StateMachine;

use super::{Verdict, Workload, World, disk};
use crate::plan::Place;
use crate::properties;

impl<W: Workload> World<W> {
    /// Records became durable.
    pub(super) fn judge_records(&mut self, index: usize, records: Vec<disk::Placed>) -> Verdict {
        for (place, record) in records {
            let node = self.places.node(Place { process: index, place });
            self.digest_record(node, &record);
            if let Some(recorder) = &mut self.recorder {
                recorder.record(self.now, node, &record);
            }
            let verdict = self.ghost.on_durable(node, &record);
            self.unless_watched(verdict)?;
            self.folds[index][place].restore(record);
        }
        Ok(())
    }

    /// A replica may have executed more.
    pub(super) fn judge_execution(&mut self, index: usize) -> Verdict {
        let Some(observed) = self.processes[index].observed() else { return Ok(()) };
        let (known, all) = (self.seen[index], observed.count() as usize);
        if all == known {
            return Ok(());
        }
        let is_installed = known < observed.installed.count as usize;
        let (installed, applied) = (observed.installed, &observed.applied[..]);
        let name = format!("p{index}");
        let verdict = self.ledger.on_executed(&name, installed, applied, known);
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

    /// Nothing holds more than it may.
    pub(super) fn check_limits(&self, index: usize) -> Verdict {
        let process = &self.processes[index];
        properties::check_limits(index, process.waiting_count())?;
        for actor in &process.actors {
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
        let limit = process.log_limit().unwrap_or(u64::MAX);
        properties::check_log(index, process.disk.size_bytes(), limit)
    }
}

/// What a process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Bytes of its log.
    pub log_bytes: u64,
    /// Bytes of values in the memory of its archive.
    pub values_bytes: usize,
    /// Messages that wait for its disk or its next turn.
    pub waiting_count: usize,
    /// Commands that its replica has executed.
    pub executed_count: u64,
}

impl<W: Workload> World<W> {
    /// What `process` holds at present.
    pub fn held(&self, process: usize) -> Held {
        let process = &self.processes[process];
        let values_bytes = process.actors.iter().map(|actor| match actor {
            Node::Archive(archive) => archive.values_bytes().0,
            _ => 0,
        });
        Held {
            log_bytes: process.disk.size_bytes(),
            values_bytes: values_bytes.sum(),
            waiting_count: process.waiting_count(),
            executed_count: process.observed().map_or(0, |observed| observed.count()),
        }
    }
}
