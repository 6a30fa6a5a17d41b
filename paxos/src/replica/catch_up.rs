//! How fast a replica takes what it lacks.
//!
//! A member that was away takes it as fast as it can: the clients of its session wait for it. For one that
//! joins nobody waits, and it may share disk and processor with those that serve. So it makes a pause
//! after each page, unless the log grows so fast that it would not catch up.

use std::ops::Range;
use std::time::Duration;

use crate::command::Value;
use crate::slot::Slot;
use crate::snapshot;

/// To execute the value of a slot and to write it down costs as much as so many bytes of a snapshot, beside
/// those of the value.
const SLOT_BYTES: u64 = 512;

/// What a replica knows of its own place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct CatchUp {
    /// Whether the archive beside is no member yet, or no more.
    pub(super) is_joining: bool,
    /// All slots below were chosen when the last page came.
    chosen_before: Slot,
}

impl CatchUp {
    /// The pause after a page of `values`, when all slots below `chosen_watermark` are chosen. None if the
    /// log has grown by more than half of that since the page before.
    pub(super) fn pause(
        &mut self,
        values: &[Value],
        chosen_watermark: Slot,
        bytes_per_second: u64,
    ) -> Option<Range<Duration>> {
        let grown = self.chosen_before.until(chosen_watermark);
        self.chosen_before = chosen_watermark;
        let count = values.len() as u64;
        if !self.is_joining || grown > count / 2 {
            return None;
        }
        let values_bytes: u64 = values.iter().map(|value| value.size_bytes() as u64).sum();
        let bytes = values_bytes.saturating_add(SLOT_BYTES.saturating_mul(count));
        snapshot::pause(bytes, bytes_per_second)
    }
}
