//! What a leader does about nodes that do not answer it, as the cluster file says it.

use std::time::Duration;

use matchmaker::leader::HealingOptions;
use serde::{Deserialize, Serialize};

use super::options::Timing;
use super::{DeploymentError, error};

/// Whether members that fall silent are replaced without an operator, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealingSection {
    /// Whether the leader replaces silent acceptors and matchmakers by spare ones of other nodes. The same
    /// on all nodes, or it changes with the leader.
    pub enabled: bool,
    /// A node that has answered nothing in time for this long is suspected. A leader whose own disk has
    /// stalled for this long hands the leadership on, whether or not healing is enabled.
    pub suspect_after_ms: u64,
}

impl Default for HealingSection {
    fn default() -> Self {
        let HealingOptions { is_on, suspect_after } = HealingOptions::default();
        Self { enabled: is_on, suspect_after_ms: suspect_after.as_millis() as u64 }
    }
}

impl HealingSection {
    pub(super) fn check(&self, timing: &Timing) -> Result<(), DeploymentError> {
        let (after, heartbeat) = (self.suspect_after_ms, timing.heartbeat_ms[1]);
        if after < 4 * heartbeat || after > 86_400_000 {
            return error(format!(
                "`healing.suspect_after_ms` is {after}: it must be at least 4 times \
                 `timing.heartbeat_ms`, {} here, and at most a day; nodes would be replaced although \
                 nothing has failed, or never",
                4 * heartbeat
            ));
        }
        Ok(())
    }

    pub(super) fn leader(&self) -> HealingOptions {
        let suspect_after = Duration::from_millis(self.suspect_after_ms);
        HealingOptions { is_on: self.enabled, suspect_after }
    }
}
