//! What a leader starts with, its periods and its limits.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::slot::Slot;

use crate::message::Epoch;

/// What a proposer starts with. All of it changes later: it is what the cluster was founded with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Deployment {
    /// The generation of matchmakers that the cluster was founded with.
    pub epoch: Epoch,
    /// Its members; a majority is a quorum.
    pub matchmakers: BTreeSet<NodeId>,
    /// The acceptors of a cluster that has just been founded, and who else takes part.
    pub initial: Configuration,
    /// Exclusive; slots below are in the snapshot that every archive of the founding began with. Zero
    /// in a cluster that began with nothing. Nothing is ever proposed below.
    pub first: Slot,
}

/// The periods and limits of a leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaderOptions {
    /// How often a leader shows itself, and checks that it has a quorum.
    pub heartbeat: Range<Duration>,
    /// A leader that has not heard a Phase 2 quorum for this long steps down.
    pub quorum_timeout: Duration,
    /// A campaign in which nothing moves for this long is given up; so is a reconfiguration to
    /// acceptors that do not answer.
    pub campaign: Range<Duration>,
    /// What is not answered for this long is sent again.
    pub resend: Range<Duration>,
    /// The same for the steps of garbage collection.
    pub garbage: Range<Duration>,
    /// The size of one batch in bytes, unless a single submission is larger.
    pub batch_bytes_max: usize,
    /// Slots that are proposed and not chosen, at most.
    pub pipeline_max: u64,
    /// Size of all values that are not durable on f + 1 archives, in bytes. Further requests wait. Twice as much
    /// for [`Leader::propose_needed`](super::Leader::propose_needed).
    pub tail_bytes_max: usize,
    /// Size of the requests that wait for a slot, in bytes. Further requests are dropped, and their
    /// sessions send them again.
    pub requests_bytes_max: usize,
    /// What it does about members that do not answer.
    pub healing: HealingOptions,
}

/// What a leader does about members that do not answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HealingOptions {
    /// Whether it replaces them by spares. A leader whose own disk has stalled hands on in any case.
    pub is_on: bool,
    /// A member that has answered nothing in time for this long is suspected; an answer that takes as
    /// long is not in time. At least four heartbeats.
    pub suspect_after: Duration,
}

impl Default for HealingOptions {
    fn default() -> Self {
        Self { is_on: false, suspect_after: Duration::from_secs(1) }
    }
}

impl Default for LeaderOptions {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            heartbeat: ms(35)..ms(45),
            quorum_timeout: ms(600),
            campaign: ms(400)..ms(600),
            resend: ms(60)..ms(90),
            garbage: ms(15)..ms(25),
            batch_bytes_max: 1 << 20,
            pipeline_max: 4096,
            tail_bytes_max: 256 << 20,
            requests_bytes_max: 64 << 20,
            healing: HealingOptions::default(),
        }
    }
}

/// What a leader holds, for whoever watches its limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaderLoad {
    /// Size of the values that are not durable on f + 1 archives, in bytes. At most
    /// [`LeaderOptions::tail_bytes_max`], or what an archive may need beyond, and one batch more; or
    /// `inherited_bytes` if that is more.
    pub tail_bytes: usize,
    /// How much of that earlier leaders have proposed. Each of them may have left a tail of its own,
    /// where leaders follow each other while archives lag: as many times the limit at most.
    pub inherited_bytes: usize,
    /// Size of the requests that wait for a slot, in bytes. At most
    /// [`LeaderOptions::requests_bytes_max`].
    pub requests_bytes: usize,
}
