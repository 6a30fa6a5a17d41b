//! What is brought before the properties beside messages and executions: records and limits.

use paxos::actor::Actor;

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
