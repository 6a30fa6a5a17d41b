//! What waits in a process stays within its limits.
//!
//! | | |
//! |---|---|
//! | property | D3 limits |
//! | paper | the options of every role |
//! | module | `paxos::session`, `paxos::archive`, `matchmaker::leader` |
//! | model | - |

use std::collections::BTreeMap;

use matchmaker::leader::{LeaderLoad, LeaderOptions};
use paxos::actor::NodeId;
use paxos::round::Round;
use paxos::session::{SessionLoad, SessionOptions};
use paxos::slot::Slot;
use paxos::snapshot::SnapshotOptions;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "D3",
    name: "limits",
    statement: "What waits in a process stays within its limits.",
    paper: "the options of every role",
    module: "`paxos::session`, `paxos::archive`, `matchmaker::leader`",
};

/// Messages that may wait in one process, for the disk or for its next turn. The roles bound what they
/// keep in bytes; this bounds what they may cause.
const WAITING_MAX: usize = 50_000;

/// So many messages wait in a process.
pub fn check_limits(process: usize, waiting_count: usize) -> Verdict {
    if waiting_count <= WAITING_MAX {
        return Ok(());
    }
    fail(PROPERTY, format!("{waiting_count} messages wait in p{process}"))
}

/// A command or a batch above a limit in bytes: a thing is taken whole, or not at all.
const SLACK_BYTES: usize = 1 << 12;

/// A session holds this much.
pub fn check_session(process: usize, load: SessionLoad, options: &SessionOptions) -> Verdict {
    let is_within = load.window_count <= options.window_max
        && load.window_bytes <= options.window_bytes_max + SLACK_BYTES
        && load.queue_count <= options.queue_max
        && load.queue_bytes <= options.queue_bytes_max;
    if is_within {
        return Ok(());
    }
    fail(PROPERTY, format!("the session of p{process} holds {load:?}"))
}

/// A leader holds this much.
pub fn check_leader(process: usize, load: LeaderLoad, options: &LeaderOptions) -> Verdict {
    let tail_bytes_max = options.tail_bytes_max + options.batch_bytes_max + SLACK_BYTES;
    let is_within = load.requests_bytes <= options.requests_bytes_max
        && load.tail_bytes <= tail_bytes_max.max(load.inherited_bytes);
    if is_within {
        return Ok(());
    }
    fail(PROPERTY, format!("the leader of p{process} holds {load:?}"))
}

/// An archive holds values of so many bytes in memory, of which so many are above its snapshot.
pub fn check_archive(
    process: usize,
    (all_bytes, above_bytes): (usize, usize),
    options: &SnapshotOptions,
) -> Verdict {
    if all_bytes <= above_bytes.max(options.tail_bytes) {
        return Ok(());
    }
    let detail = format!("{all_bytes} bytes, {above_bytes} of them above its snapshot");
    fail(PROPERTY, format!("the archive of p{process} holds {detail}"))
}

/// A log that is not being compacted has so many bytes, and may have so many.
pub fn check_log(process: usize, size_bytes: u64, limit_bytes: u64) -> Verdict {
    const SLACK_BYTES: u64 = 1 << 16;
    if size_bytes <= limit_bytes.saturating_add(SLACK_BYTES) {
        return Ok(());
    }
    fail(PROPERTY, format!("the log of p{process} has {size_bytes} bytes, allowed {limit_bytes}"))
}

/// How far proposals run ahead of what is chosen.
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    /// All slots below are chosen.
    chosen_watermark: Slot,
    /// The highest slot that was proposed in each leadership.
    highest: BTreeMap<(u64, NodeId), Slot>,
}

impl Pipeline {
    /// All slots below were chosen in another cluster.
    pub(super) fn begin_at(&mut self, slot: Slot) {
        self.chosen_watermark = slot;
    }
}

impl Ghost {
    /// A slot that no earlier leader has touched is proposed only if few are under way.
    pub(super) fn check_pipeline(&mut self, slot: Slot, round: Round) -> Verdict {
        let pipeline = &mut self.pipeline;
        while self.chosen.contains_key(&pipeline.chosen_watermark) {
            pipeline.chosen_watermark = pipeline.chosen_watermark.next();
        }
        let here = pipeline.highest.entry((round.number, round.owner)).or_insert(slot);
        *here = slot.max(*here);
        let mut earlier = pipeline.highest.range(..(round.number, round.owner));
        let is_inherited = earlier.any(|(_, highest)| slot <= *highest);
        let count = pipeline.chosen_watermark.until(slot);
        if is_inherited || count < self.pipeline_max {
            return Ok(());
        }
        fail(PROPERTY, format!("slot {slot} of {round} has {count} slots under way before it"))
    }
}
