//! What actors say, what replicas execute, what actors hold, and what was restored, before the properties.

use bpaxos::column::InColumn;
use bpaxos::message::Message;
use bpaxos::node::Node;
use bpaxos::vertex::Column;
use matchmaker::message::Message as ConsensusMessage;
use paxos::message::ToAcceptor;
use paxos::slot::Slot;
use paxos::state_machine::{Conflicts, StateMachine};

use super::{Bpaxos, Seated};
use crate::plan::Place;
use crate::properties;
use crate::workload::{Observed, Workload};
use crate::world::process::Envelope;
use crate::world::{Verdict, World};

impl<W: Workload<Machine: Conflicts>> World<W, Bpaxos> {
    /// A message leaves.
    pub(super) fn judge_message(&mut self, envelope: &Envelope<Message>) -> Verdict {
        let Envelope { from, to, message } = envelope;
        if let Message::Column(InColumn { column, inner }) = message
            && let ConsensusMessage::Acceptor(ToAcceptor::PersistedA(m)) = inner
        {
            let durable = self.durable_in(*column);
            self.own.judge.on_persisted((*from, *column), m.watermark, &durable)?;
        }
        let verdict = self.own.judge.on_leave::<Observed<W::Machine>>(*from, *to, message);
        for situation in self.own.judge.take_met() {
            self.summary.coverage.meet(situation);
        }
        verdict
    }

    /// How much of a column each archive has durably.
    fn durable_in(&self, column: Column) -> Vec<Slot> {
        let archived = self.folds.iter().flatten().filter_map(|actor| match actor {
            Node::Archive(archive) => archive.column(column),
            _ => None,
        });
        archived.map(|archive| archive.persisted_watermark()).collect()
    }

    /// A replica may have executed more.
    pub(super) fn judge_graph(&mut self, index: usize) -> Verdict {
        let replica = self.processes[index].actors.iter().find_map(|actor| match actor {
            Node::Replica(replica) => Some(replica),
            _ => None,
        });
        let Some(replica) = replica else { return Ok(()) };
        let executed = (replica.machine(), replica.executed());
        self.own.judge.on_executed::<W>(index, executed, &self.calls)
    }

    /// Replicas that have executed the same commands hold the same.
    pub(super) fn check_machines(&self) -> Verdict {
        let state = |index: usize| {
            let mut machine = self.processes[index].observed()?.machine().clone();
            machine.stop_snapshot();
            Some((index, machine))
        };
        let states: Vec<_> = (0..self.processes.len()).filter_map(state).collect();
        for ((one, state), (other, other_state)) in states.iter().zip(states.iter().skip(1)) {
            let is_same = state == other_state;
            properties::check_machines(&format!("p{one}"), &format!("p{other}"), is_same)?;
        }
        Ok(())
    }

    /// No actor of a process holds more than it may.
    pub(super) fn check_loads(&self, index: usize) -> Verdict {
        let options = &self.plan.options;
        // What an archive waits for may be as much again.
        let mut leader_options = options.columns.proposer.leader.clone();
        leader_options.tail_bytes_max = leader_options.tail_bytes_max.saturating_mul(2);
        for actor in &self.processes[index].actors {
            match actor {
                Node::Proposer(proposer) => {
                    for leader in self.columns().iter().filter_map(|c| proposer.leader(*c)) {
                        properties::check_leader(index, leader.load(), &leader_options)?;
                    }
                }
                Node::Archive(archive) => {
                    for archive in self.columns().iter().filter_map(|c| archive.column(*c)) {
                        let bytes = archive.values_bytes();
                        properties::check_archive(index, bytes, &options.snapshots)?;
                    }
                }
                Node::Acceptor(_)
                | Node::Matchmaker(_)
                | Node::DependencyNode(_)
                | Node::Replica(_)
                | Node::Session(_) => {}
            }
        }
        Ok(())
    }

    /// What was restored is what is true, and can be restored once more.
    pub(super) fn check_cast(&mut self, index: usize) -> Verdict {
        self.own.judge.restart(index);
        let copies = self.cast(index);
        for ((place, actor), copy) in self.processes[index].actors.iter().enumerate().zip(copies) {
            let node = self.places.node(Place { process: index, place });
            let (name, fold) = (self.places.name(node), &self.folds[index][place]);
            let is_whole = !matches!(actor, Node::Archive(_));
            properties::check_checkpoint(&name, actor, copy, is_whole)?;
            match (actor, fold) {
                // A replica has no records.
                (Node::Replica(_), _) => {}
                (Node::Archive(archive), Node::Archive(fold)) => {
                    for column in self.columns() {
                        if let Some(fold) = fold.column(column) {
                            let found = archive.column(column);
                            properties::bpaxos::check_column_fold(&name, found, fold)?;
                        }
                    }
                }
                _ => properties::check_fold(&name, actor, fold)?,
            }
        }
        Ok(())
    }

    /// What is left of a log that was compacted makes the same actors.
    pub(super) fn check_cast_left(&self, index: usize, left: &[Seated<W::Machine>]) -> Verdict {
        for ((place, actor), fold) in left.iter().enumerate().zip(&self.folds[index]) {
            let node = self.places.node(Place { process: index, place });
            let name = self.places.name(node);
            match actor {
                Node::Replica(_) | Node::Archive(_) => {}
                _ => properties::check_fold(&name, actor, fold)?,
            }
        }
        Ok(())
    }
}
