//! What operators are told of members that the leader replaces by itself.

use std::collections::BTreeSet;

use matchmaker::message::{self, HealingProgress, Part};
use paxos::actor::NodeId;
use serde::{Deserialize, Serialize};

use super::Inner;

/// Who does not answer the leader, and what it did about it. A part of [`Status`](super::Status).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealingStatus {
    /// Whether the leader replaces silent members by itself.
    pub enabled: bool,
    /// For how long a member must be silent to be suspected.
    pub suspect_after_ms: u64,
    /// Acceptors and nodes that are suspected.
    pub suspects: Vec<String>,
    /// Acceptors, and nodes with matchmakers, that are not in use and answer. Empty if not enabled.
    pub spares: Vec<String>,
    /// What the leader last did, since it leads.
    pub last: Option<LastHealing>,
}

/// A member that the leader has replaced by itself, because it was silent for so long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastHealing {
    /// What it was replaced as: `acceptor` or `matchmaker`.
    pub role: String,
    /// The member that was silent.
    pub member: String,
    /// The spare that takes its place.
    pub spare: String,
    /// How far it is: `began`, `finished` or `failed`.
    pub progress: String,
    /// How long ago it began, to within a quarter of `suspect_after_ms`.
    pub began_ms_ago: u64,
}

impl Inner {
    pub(super) fn healing(&self, status: &message::HealingStatus) -> HealingStatus {
        let named = |nodes: &BTreeSet<NodeId>| {
            let names: BTreeSet<String> = self.all_named(nodes).into_iter().collect();
            names.into_iter().collect()
        };
        let last = status.last.as_ref().map(|last| LastHealing {
            role: match last.part {
                Part::Acceptor => "acceptor".into(),
                Part::Matchmaker => "matchmaker".into(),
            },
            member: self.name(last.member),
            spare: self.name(last.spare),
            progress: match last.progress {
                HealingProgress::Began => "began".into(),
                HealingProgress::Finished => "finished".into(),
                HealingProgress::Failed => "failed".into(),
            },
            began_ms_ago: status.last_ms_ago,
        });
        HealingStatus {
            enabled: status.is_on,
            suspect_after_ms: status.suspect_after_ms,
            suspects: named(&status.suspects),
            spares: named(&status.spares),
            last,
        }
    }
}
