//! Periods and limits of a cluster file, with their defaults.

use std::time::Duration;

use matchmaker::leader::LeaderOptions;
use paxos::election::ElectionOptions;
use paxos::session::SessionOptions;
use serde::{Deserialize, Serialize};

use super::{DeploymentError, error};

/// Periods in milliseconds; pairs are ranges from which each delay is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// How often a leader shows itself.
    pub heartbeat_ms: [u64; 2],
    /// A leader that has not heard a quorum of its acceptors for this long steps down.
    pub quorum_timeout_ms: u64,
    /// A proposer that has heard no leader for this long looks for one at the acceptors.
    pub silence_ms: [u64; 2],
    /// How long it looks, twice, before it campaigns. At least two heartbeats.
    pub probe_ms: [u64; 2],
    /// A campaign that is not won after this long is given up.
    pub campaign_ms: [u64; 2],
    /// What is not answered for this long is sent again.
    pub resend_ms: [u64; 2],
    /// The same for the steps of garbage collection.
    pub garbage_ms: [u64; 2],
    /// A client's command that has no outcome after this long is answered with an error.
    pub request_timeout_ms: u64,
    /// A session starts over when nothing has moved for this long.
    pub retry_ms: [u64; 2],
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat_ms: [35, 45],
            quorum_timeout_ms: 600,
            silence_ms: [150, 300],
            probe_ms: [100, 120],
            campaign_ms: [400, 600],
            resend_ms: [60, 90],
            garbage_ms: [15, 25],
            request_timeout_ms: 5000,
            retry_ms: [250, 350],
        }
    }
}

impl Timing {
    pub(super) fn check(&self) -> Result<(), DeploymentError> {
        let ranges = [
            ("heartbeat_ms", self.heartbeat_ms),
            ("silence_ms", self.silence_ms),
            ("probe_ms", self.probe_ms),
            ("campaign_ms", self.campaign_ms),
            ("resend_ms", self.resend_ms),
            ("garbage_ms", self.garbage_ms),
            ("retry_ms", self.retry_ms),
            ("quorum_timeout_ms", [self.quorum_timeout_ms; 2]),
            ("request_timeout_ms", [self.request_timeout_ms; 2]),
        ];
        for (key, [low, high]) in ranges {
            if low == 0 || low > high || high > 86_400_000 {
                return error(format!(
                    "`timing.{key}` must be within a day, above zero, the lower bound first"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn election(&self) -> ElectionOptions {
        ElectionOptions { silence: range(self.silence_ms), probe: range(self.probe_ms) }
    }

    pub(super) fn leader(&self) -> LeaderOptions {
        LeaderOptions {
            heartbeat: range(self.heartbeat_ms),
            quorum_timeout: Duration::from_millis(self.quorum_timeout_ms),
            campaign: range(self.campaign_ms),
            resend: range(self.resend_ms),
            garbage: range(self.garbage_ms),
            ..LeaderOptions::default()
        }
    }

    pub(super) fn session(&self) -> SessionOptions {
        SessionOptions {
            request_timeout: Duration::from_millis(self.request_timeout_ms),
            retry: range(self.retry_ms),
            ..SessionOptions::default()
        }
    }
}

fn range([low, high]: [u64; 2]) -> std::ops::Range<Duration> {
    Duration::from_millis(low)..Duration::from_millis(high)
}

/// What clients may do, and how much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clients {
    /// The password that clients give with AUTH; none if they need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requirepass: Option<String>,
    /// Connections served at once by one node.
    pub connections_max: usize,
    /// Bytes of a key.
    pub key_bytes_max: usize,
    /// Bytes of a value. The same at all nodes: replicas decide by it.
    pub value_bytes_max: usize,
    /// Bytes of the commands of one connection that are under way.
    pub pipeline_bytes_max: usize,
}

impl Default for Clients {
    fn default() -> Self {
        let limits = crate::limits::Limits::default();
        Self {
            requirepass: None,
            connections_max: limits.connections_max,
            key_bytes_max: limits.key_bytes_max,
            value_bytes_max: limits.value_bytes_max,
            pipeline_bytes_max: limits.pipeline_bytes_max,
        }
    }
}
