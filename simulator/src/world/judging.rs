//! What is brought before the properties beside messages and executions: records and limits.

use paxos::actor::Actor;

use matchmaker::node::Node;

use super::protocol::{Protocol, RecordOf};
use super::{Verdict, Workload, World, disk};
use crate::plan::Place;
use crate::properties;

impl<W: Workload, P: Protocol<W>> World<W, P> {
    /// Records became durable.
    pub(super) fn judge_records(
        &mut self,
        index: usize,
        records: Vec<disk::Placed<RecordOf<W, P>>>,
    ) -> Verdict {
        for (place, record) in records {
            let node = self.places.node(Place { process: index, place });
            self.digest_record(node, &record);
            if let Some(recorder) = &mut self.recorder {
                recorder.record(self.now, node, &record);
            }
            let verdict = P::on_durable(self, node, &record);
            self.unless_watched(verdict)?;
            self.folds[index][place].restore(record);
        }
        Ok(())
    }

    /// Nothing holds more than it may.
    pub(super) fn check_limits(&self, index: usize) -> Verdict {
        let process = &self.processes[index];
        properties::check_limits(index, process.waiting_count())?;
        P::check_limits(self, index)?;
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
