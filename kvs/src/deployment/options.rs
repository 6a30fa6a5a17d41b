//! Periods and limits of a cluster file, with their defaults.

use std::time::Duration;

use matchmaker::leader::LeaderOptions;
use paxos::election::ElectionOptions;
use paxos::runtime::HostOptions;
use paxos::session::SessionOptions;
use paxos::snapshot::SnapshotOptions;
use serde::{Deserialize, Serialize};

use super::{DeploymentError, HealingSection, error};
use crate::limits::Limits;

/// Bytes of a request beside one key and one value: other arguments, and the marks between them.
const REQUEST_REST_BYTES: usize = 1024;

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
    /// A client's command that has no outcome is answered with an error when it is this old, or up to
    /// half of it earlier.
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
        self.relations().into_iter().try_for_each(Relation::check)
    }

    /// Which periods must leave time for others. Only their relations count: all periods together may
    /// be made longer or shorter.
    fn relations(&self) -> [Relation; 5] {
        let heartbeat = ("heartbeat_ms", self.heartbeat_ms[1]);
        let restless = "leaders would change although nothing has failed";
        let relation = |key, low, factor, other, otherwise| Relation {
            long: (key, low),
            factor,
            short: other,
            otherwise,
        };
        [
            relation("silence_ms", self.silence_ms[0], 3, heartbeat, restless),
            // Between two answers of an acceptor a leader at work must have shown itself to it.
            relation("probe_ms", self.probe_ms[0], 2, heartbeat, restless),
            // A leader hears its quorum with each heartbeat; one or two may be lost.
            relation("quorum_timeout_ms", self.quorum_timeout_ms, 3, heartbeat, restless),
            relation(
                "campaign_ms",
                self.campaign_ms[0],
                2,
                ("resend_ms", self.resend_ms[1]),
                "a campaign would be given up as soon as one message is lost",
            ),
            // Commands are failed from half of the timeout on.
            relation(
                "request_timeout_ms",
                self.request_timeout_ms,
                2,
                ("retry_ms", self.retry_ms[1]),
                "commands would fail before they are sent to a new leader",
            ),
        ]
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

/// A period that must be a multiple of another one, at least.
struct Relation {
    /// The key and the shortest time that it allows.
    long: (&'static str, u64),
    factor: u64,
    /// The key and the longest time that it allows.
    short: (&'static str, u64),
    /// What happens if it does not hold.
    otherwise: &'static str,
}

impl Relation {
    fn check(self) -> Result<(), DeploymentError> {
        let Self { long: (long, shortest), factor, short: (short, longest), otherwise } = self;
        if shortest >= factor * longest {
            return Ok(());
        }
        error(format!(
            "`timing.{long}` is {shortest} at the shortest and `timing.{short}` is {longest} at the \
             longest: {long} must be at least {factor} times {short}, {} here; {otherwise}",
            factor * longest
        ))
    }
}

fn range([low, high]: [u64; 2]) -> std::ops::Range<Duration> {
    Duration::from_millis(low)..Duration::from_millis(high)
}

/// How a node runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Its periods.
    pub timing: Timing,
    /// The sizes of its log.
    pub storage: StorageSection,
    /// What it does about nodes that do not answer, if it leads.
    pub healing: HealingSection,
}

/// A part of a snapshot must come before who waits for it asks again.
const RATE_MIN: u64 = 2 << 20;

/// How much of the disk and of memory the log of a node takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageSection {
    /// The log is compacted when it has grown by so many bytes, and by half of what was left: the state is
    /// written down as it is, and the log before it goes.
    pub compact_above_bytes: u64,
    /// Bytes of the latest values that are kept in memory after that: a replica that lags by no more
    /// needs no snapshot.
    pub tail_bytes: usize,
    /// Replicas compare what they have executed after every so many slots of the log; zero: never. The
    /// same at all nodes, or they do not compare.
    pub compare_slots: u64,
    /// Bytes of its state that a node gives to others, or writes down, in a second; more while commands come
    /// faster. Zero: as fast as it can, at the cost of commands.
    pub snapshot_bytes_per_second: u64,
}

impl Default for StorageSection {
    fn default() -> Self {
        Self {
            compact_above_bytes: HostOptions::default().compact_above_bytes,
            tail_bytes: SnapshotOptions::default().tail_bytes,
            compare_slots: SnapshotOptions::default().compare_slots,
            snapshot_bytes_per_second: SnapshotOptions::default().bytes_per_second,
        }
    }
}

impl StorageSection {
    pub(super) fn check(&self) -> Result<(), DeploymentError> {
        const LEAST: u64 = 1 << 20;
        let Self { compact_above_bytes: above, snapshot_bytes_per_second: rate, .. } = *self;
        if above < LEAST {
            return error(format!(
                "`storage.compact_above_bytes` is {above}: the state would be written down all the time; \
                 give at least {LEAST}"
            ));
        }
        if (1..RATE_MIN).contains(&rate) {
            return error(format!(
                "`storage.snapshot_bytes_per_second` is {rate}: who waits for the next part of a snapshot \
                 would take this node for dead; give at least {RATE_MIN}, or 0 for no limit"
            ));
        }
        Ok(())
    }

    pub(super) fn snapshots(&self) -> SnapshotOptions {
        let Self { tail_bytes, compare_slots, snapshot_bytes_per_second, .. } = *self;
        SnapshotOptions {
            tail_bytes,
            compare_slots,
            bytes_per_second: snapshot_bytes_per_second,
            ..SnapshotOptions::default()
        }
    }

    /// Limits of the host of a node.
    pub(crate) fn host(&self) -> HostOptions {
        HostOptions { compact_above_bytes: self.compact_above_bytes, ..HostOptions::default() }
    }
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
    /// Bytes of a value. Replicas decide by it, so it is fixed when the cluster is founded.
    pub value_bytes_max: usize,
    /// Bytes of the commands of one connection that are under way.
    pub pipeline_bytes_max: usize,
}

impl Default for Clients {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            requirepass: None,
            connections_max: limits.connections_max,
            key_bytes_max: limits.key_bytes_max,
            value_bytes_max: limits.value_bytes_max,
            pipeline_bytes_max: limits.pipeline_bytes_max,
        }
    }
}

impl Clients {
    pub(super) fn check(&self) -> Result<(), DeploymentError> {
        let limits = [
            ("connections_max", self.connections_max, 1, 1_000_000),
            ("key_bytes_max", self.key_bytes_max, 1, usize::MAX),
            // It holds for the other arguments of commands as well.
            ("value_bytes_max", self.value_bytes_max, 64, usize::MAX),
            ("pipeline_bytes_max", self.pipeline_bytes_max, 1, 1 << 30),
        ];
        for (key, value, least, most) in limits {
            if value < least {
                return error(format!(
                    "`clients.{key}` is {value}: clients could do nothing; give at least {least}"
                ));
            }
            if value > most {
                return error(format!("`clients.{key}` is {value}: give at most {most}"));
            }
        }
        let (key, value) = (self.key_bytes_max, self.value_bytes_max);
        let request = Limits::default().request_bytes_max;
        if key.saturating_add(value).saturating_add(REQUEST_REST_BYTES) > request {
            return error(format!(
                "`clients.key_bytes_max` is {key} and `clients.value_bytes_max` is {value}: together \
                 they must be at most {}, so that both fit into a request, which has at most \
                 {request} bytes",
                request - REQUEST_REST_BYTES
            ));
        }
        if self.requirepass.as_deref() == Some("") {
            return error("`clients.requirepass` is empty: give a password, or remove the key");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(factor: impl Fn(u64) -> u64) -> Timing {
        let Timing {
            heartbeat_ms,
            quorum_timeout_ms,
            silence_ms,
            probe_ms,
            campaign_ms,
            resend_ms,
            garbage_ms,
            request_timeout_ms,
            retry_ms,
        } = Timing::default();
        Timing {
            heartbeat_ms: heartbeat_ms.map(&factor),
            quorum_timeout_ms: factor(quorum_timeout_ms),
            silence_ms: silence_ms.map(&factor),
            probe_ms: probe_ms.map(&factor),
            campaign_ms: campaign_ms.map(&factor),
            resend_ms: resend_ms.map(&factor),
            garbage_ms: garbage_ms.map(&factor),
            request_timeout_ms: factor(request_timeout_ms),
            retry_ms: retry_ms.map(&factor),
        }
    }

    #[test]
    fn all_periods_together_may_be_longer_or_shorter() {
        for factor in [1, 2, 10, 100] {
            scaled(|ms| ms * factor).check().expect("longer");
        }
        for divisor in [2, 4] {
            scaled(|ms| ms / divisor).check().expect("shorter");
        }
    }

    #[test]
    fn a_period_that_leaves_no_time_for_another_is_refused_with_both() {
        let refused = |change: fn(&mut Timing)| {
            let mut timing = Timing::default();
            change(&mut timing);
            timing.check().expect_err("a broken relation").to_string()
        };
        let said = refused(|timing| timing.probe_ms = [89, 200]);
        let expected = "`timing.probe_ms` is 89 at the shortest and `timing.heartbeat_ms` is 45 at the \
                        longest: probe_ms must be at least 2 times heartbeat_ms, 90 here";
        assert!(said.contains(expected), "{said}");
        let said = refused(|timing| timing.heartbeat_ms = [10, 60]);
        assert!(said.contains("silence_ms` is 150") && said.contains("180 here"), "{said}");
        let said = refused(|timing| timing.silence_ms[0] = 100);
        assert!(said.contains("3 times heartbeat_ms"), "{said}");
        let said = refused(|timing| timing.quorum_timeout_ms = 100);
        assert!(said.contains("quorum_timeout_ms` is 100"), "{said}");
        let said = refused(|timing| timing.campaign_ms[0] = 100);
        assert!(said.contains("2 times resend_ms"), "{said}");
        let said = refused(|timing| timing.request_timeout_ms = 600);
        assert!(said.contains("2 times retry_ms"), "{said}");
    }

    #[test]
    fn limits_that_lock_clients_out_or_that_nothing_can_carry_are_refused() {
        let refused = |change: fn(&mut Clients)| {
            let mut clients = Clients::default();
            clients.check().expect("the defaults");
            change(&mut clients);
            clients.check().expect_err("an impossible limit").to_string()
        };
        assert!(refused(|clients| clients.connections_max = 0).contains("connections_max` is 0"));
        assert!(
            refused(|clients| clients.connections_max = usize::MAX).contains("at most 1000000")
        );
        assert!(refused(|clients| clients.key_bytes_max = 0).contains("key_bytes_max"));
        assert!(refused(|clients| clients.value_bytes_max = 3).contains("at least 64"));
        assert!(refused(|clients| clients.pipeline_bytes_max = 0).contains("pipeline_bytes_max"));
        assert!(refused(|clients| clients.requirepass = Some(String::new())).contains("empty"));
        let said = refused(|clients| clients.value_bytes_max = 16 << 20);
        assert!(said.contains("is 65536") && said.contains("is 16777216"), "{said}");
        assert!(said.contains("at most 16776192"), "{said}");
        refused(|clients| clients.value_bytes_max = usize::MAX);
    }

    #[test]
    fn a_record_carries_what_a_request_carries() {
        // Twice: what is batched with it, and the marks around it, are smaller.
        let limits = Limits::default();
        let largest = limits.request_bytes_max.max(limits.transaction_bytes_max);
        assert!(2 * largest <= paxos::wire::ENCODED_BYTES_MAX);
    }
}
