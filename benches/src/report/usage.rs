//! What a load cost the processes: the difference of two snapshots.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Outcome;
use crate::load::Run;
use crate::machine::ProcessUsage;
use crate::system::{NodeUsage, System, loopback_bytes};

/// Everything that counts, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    at: Duration,
    /// Commands answered by then.
    completed: u64,
    nodes: Vec<NodeUsage>,
    load: ProcessUsage,
    /// Bytes that clients had sent and received.
    client_bytes: [u64; 2],
    loopback_bytes: Option<u64>,
}

impl Snapshot {
    /// Looks at all processes of `system` now.
    ///
    /// *Errors*: one of them is gone.
    pub(crate) fn take(system: &System, run: &Run) -> Outcome<Self> {
        let nodes = system.usage()?;
        Ok(Self {
            at: run.now(),
            completed: run.completed(),
            nodes,
            load: ProcessUsage::of(std::process::id())?,
            client_bytes: run.client_bytes(),
            loopback_bytes: loopback_bytes(),
        })
    }
}

/// What a load cost, per command.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Resources {
    /// Between the two moments that are compared.
    pub(crate) seconds: f64,
    /// Commands answered between them.
    pub(crate) commands: u64,
    pub(crate) processes: Vec<ProcessCost>,
    /// Processor time of the load generator.
    pub(crate) load_cpu_us_per_command: f64,
    /// Bytes that clients sent and received, without the headers of TCP.
    pub(crate) client_bytes_per_command: [f64; 2],
    /// Bytes over loopback, between clients and servers and between servers, with headers and
    /// acknowledgements, and with what other programs of the machine sent meanwhile.
    pub(crate) loopback_bytes_per_command: Option<f64>,
}

/// What one process used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProcessCost {
    pub(crate) name: String,
    /// Processor time; nothing if it runs on another machine.
    pub(crate) cpu_us_per_command: Option<f64>,
    /// Share of one processor.
    pub(crate) cpu_percent: Option<f64>,
    /// Memory at the end.
    pub(crate) resident_bytes: Option<u64>,
    /// Times that its log waited for the disk, if it says so.
    pub(crate) fdatasyncs: Option<u64>,
    pub(crate) commands_per_fdatasync: Option<f64>,
    /// Bytes written to its log, if it says so.
    pub(crate) log_bytes_per_command: Option<f64>,
}

impl Resources {
    /// What was used between two snapshots of one run. Processes that are not in both are left out.
    pub(crate) fn between(before: &Snapshot, after: &Snapshot) -> Self {
        let time = after.at.saturating_sub(before.at);
        let commands = after.completed.saturating_sub(before.completed);
        let per_command = |amount: f64| amount / commands.max(1) as f64;
        let pairs = after.nodes.iter().filter_map(|node| {
            Some((before.nodes.iter().find(|earlier| earlier.name == node.name)?, node))
        });
        let used = |at: usize| {
            per_command(after.client_bytes[at].saturating_sub(before.client_bytes[at]) as f64)
        };
        let loopback = after.loopback_bytes.zip(before.loopback_bytes);
        Self {
            seconds: time.as_secs_f64(),
            commands,
            processes: pairs.map(|(early, late)| cost(early, late, time, commands)).collect(),
            load_cpu_us_per_command: per_command(
                after.load.cpu.saturating_sub(before.load.cpu).as_secs_f64() * 1e6,
            ),
            client_bytes_per_command: [used(0), used(1)],
            loopback_bytes_per_command: loopback
                .map(|(late, early)| per_command(late.saturating_sub(early) as f64)),
        }
    }

    /// Processor time of all processes of the system together.
    pub(crate) fn cpu_us_per_command(&self) -> f64 {
        self.processes.iter().filter_map(|process| process.cpu_us_per_command).sum()
    }

    /// The fewest commands per fdatasync of any process: that of the one which votes on all of
    /// them.
    pub(crate) fn commands_per_fdatasync(&self) -> Option<f64> {
        let all = self.processes.iter().filter_map(|process| process.commands_per_fdatasync);
        all.min_by(f64::total_cmp)
    }
}

fn cost(before: &NodeUsage, after: &NodeUsage, time: Duration, commands: u64) -> ProcessCost {
    let both =
        |read: fn(&NodeUsage) -> Option<u64>| Some(read(after)?.saturating_sub(read(before)?));
    let per_command = |amount: u64| amount as f64 / commands.max(1) as f64;
    let cpu = after.process.zip(before.process).map(|(a, b)| a.cpu.saturating_sub(b.cpu));
    let fdatasyncs = both(|node| node.fdatasyncs);
    ProcessCost {
        name: after.name.clone(),
        cpu_us_per_command: cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / commands.max(1) as f64),
        cpu_percent: cpu.map(|cpu| 100.0 * cpu.as_secs_f64() / time.as_secs_f64().max(1e-9)),
        resident_bytes: after.process.map(|process| process.resident_bytes),
        fdatasyncs,
        commands_per_fdatasync: fdatasyncs.map(|count| commands as f64 / count.max(1) as f64),
        log_bytes_per_command: both(|node| node.log_bytes).map(per_command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(ms: u64, completed: u64, cpu_ms: u64, fdatasyncs: u64) -> Snapshot {
        let process = ProcessUsage { cpu: Duration::from_millis(cpu_ms), resident_bytes: 1 << 20 };
        let node = NodeUsage {
            name: "n1".into(),
            process: Some(process),
            fdatasyncs: Some(fdatasyncs),
            log_bytes: None,
        };
        Snapshot {
            at: Duration::from_millis(ms),
            completed,
            nodes: vec![node],
            load: process,
            client_bytes: [completed * 30, completed * 5],
            loopback_bytes: None,
        }
    }

    #[test]
    fn costs_are_differences_per_command() {
        let before = snapshot(1000, 500, 100, 10);
        let after = snapshot(3000, 2500, 1100, 30);
        let resources = Resources::between(&before, &after);
        assert_eq!((resources.seconds, resources.commands), (2.0, 2000));
        let node = &resources.processes[0];
        assert_eq!(node.cpu_us_per_command, Some(500.0));
        assert_eq!(node.cpu_percent, Some(50.0));
        assert_eq!((node.fdatasyncs, node.commands_per_fdatasync), (Some(20), Some(100.0)));
        assert_eq!(resources.client_bytes_per_command, [30.0, 5.0]);
        assert_eq!(resources.commands_per_fdatasync(), Some(100.0));
    }

    #[test]
    fn a_process_that_came_or_went_is_left_out() {
        let before = snapshot(0, 0, 0, 0);
        let mut after = snapshot(1000, 10, 0, 0);
        after.nodes[0].name = "n2".into();
        assert!(Resources::between(&before, &after).processes.is_empty());
    }
}
