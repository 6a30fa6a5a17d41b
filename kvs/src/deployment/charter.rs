//! The charter of a cluster: what its nodes agree on for its life, as texts; and what follows from it.

use std::collections::BTreeMap;

use paxos::runtime::{BackupHeader, BackupSummary, Charter, Roster};
use paxos::slot::Slot;

use super::{ClusterFile, DeploymentError, Member, Members, NodeFile, error};

/// The topic that has the longest value.
const VALUE_BYTES_MAX: &str = "`clients.value_bytes_max`";

/// The topic that has the slot at which the log begins, in a cluster that was restored.
const FIRST_SLOT: &str = "the first slot";

/// The topic that names the backup that all nodes were restored from.
const STATE: &str = "what `kvs restore` has prepared it from";

/// The topic of a node.
const NODE: &str = "node ";

impl ClusterFile {
    /// What all nodes must agree on for the life of the cluster: what the identities and the quorums of
    /// the protocol follow from, and what replicas decide by. Addresses, periods and the other limits
    /// are not in it, nor is the order in which the nodes, their roles or the voting acceptors are
    /// written. To it comes the [origin](Self::origin), in a cluster that was restored.
    pub fn charter(&self) -> Charter {
        let mut voting = self.acceptors.clone();
        voting.sort_unstable();
        let shared = [
            ("`acceptors` and `quorum`", format!("{} by {}", voting.join(", "), self.quorum)),
            (VALUE_BYTES_MAX, self.clients.value_bytes_max.to_string()),
        ];
        let shared = shared.into_iter().map(|(topic, text)| (topic.to_owned(), text));
        let nodes = self.nodes.iter().map(|node| (format!("{NODE}{}", node.name), node.charter()));
        Charter(shared.chain(self.protocol.topic()).chain(nodes).collect())
    }

    /// The same with what a node begins with.
    pub fn charter_with(&self, origin: &Charter) -> Charter {
        let Charter(mut texts) = self.charter();
        texts.extend(origin.0.clone());
        Charter(texts)
    }

    /// What all nodes of a cluster begin with that is restored from a backup: no node can be founded that
    /// was not restored, or was from another one.
    pub fn origin(header: &BackupHeader, summary: &BackupSummary) -> Charter {
        let checksum = summary.checksum;
        let state = format!("backup {checksum:08x} of the cluster `{}`", header.cluster);
        let texts = [(FIRST_SLOT, header.slot.to_string()), (STATE, state)];
        Charter(texts.map(|(topic, text)| (topic.to_owned(), text)).into())
    }

    /// The slot at which the log of a cluster with `charter` begins: what is below is in the backup that
    /// it was restored from.
    ///
    /// *Errors*: the charter names no slot: another program founded the cluster.
    pub fn first_slot(charter: &Charter) -> Result<Slot, DeploymentError> {
        let Some(text) = charter.0.get(FIRST_SLOT) else { return Ok(Slot::ZERO) };
        let unreadable =
            || DeploymentError(format!("the cluster's charter calls {FIRST_SLOT} `{text}`"));
        text.parse().map(Slot).map_err(|_| unreadable())
    }

    /// The longest value that the replicas of a cluster with `charter` accept, in bytes.
    ///
    /// *Errors*: the charter does not say so: another program founded the cluster.
    pub fn value_bytes_max(charter: &Charter) -> Result<usize, DeploymentError> {
        let text = charter.0.get(VALUE_BYTES_MAX).and_then(|text| text.parse().ok());
        text.ok_or_else(|| {
            DeploymentError(format!("the cluster's charter lacks {VALUE_BYTES_MAX}"))
        })
    }
}

impl Members {
    /// The processes that founded a cluster, as its charter and its roster tell. Where they are is not
    /// in those.
    ///
    /// *Errors*: another program founded the cluster.
    pub fn of_charter(charter: &Charter, roster: &Roster) -> Result<Self, DeploymentError> {
        let mut members = BTreeMap::new();
        for (topic, text) in &charter.0 {
            let Some(name) = topic.strip_prefix(NODE) else { continue };
            let Some(incarnation) = roster.0.get(name) else {
                return error(format!("the charter names `{name}`, and the roster does not"));
            };
            let Some((id, roles, acceptors)) = NodeFile::parse_charter(text) else {
                return error(format!("the charter says of `{name}`: `{text}`"));
            };
            members.insert(
                name.to_owned(),
                Member {
                    name: name.to_owned(),
                    id,
                    incarnation: *incarnation,
                    peer: String::new(),
                    client: None,
                    roles,
                    acceptors,
                    is_leaving: false,
                },
            );
        }
        Ok(Self::new(members.into_values()))
    }
}

#[cfg(test)]
mod tests {
    use paxos::actor::Incarnation;

    use super::*;
    use crate::deployment::{Quorum, Role};

    fn file() -> ClusterFile {
        ClusterFile::on_loopback("test", 3, 6, 6380).expect("a possible cluster")
    }

    #[test]
    fn the_charter_has_what_must_not_change_and_nothing_else() {
        let charter = file().charter();
        let text = "id 1: proposer, matchmaker, replica; acceptors a1, a4";
        assert_eq!(charter.0["node n1"], text);
        let differs = |change: fn(&mut ClusterFile)| {
            let mut file = file();
            change(&mut file);
            file.charter() != charter
        };
        assert!(differs(|file| file.nodes[0].roles.truncate(2)));
        assert!(differs(|file| file.nodes[0].acceptors.reverse()));
        assert!(differs(|file| file.nodes[0].acceptors.insert(0, "a7".into())));
        assert!(differs(|file| file.nodes[0].id = 9));
        assert!(differs(|file| drop(file.nodes.pop())));
        assert!(differs(|file| drop(file.acceptors.pop())));
        assert!(differs(|file| file.quorum = Quorum::WriteAll));
        assert!(differs(|file| file.clients.value_bytes_max += 1));
        assert!(!differs(|file| file.nodes[0].roles.reverse()));
        assert!(!differs(|file| file.nodes.reverse()));
        assert!(!differs(|file| file.acceptors.reverse()));
        assert!(!differs(|file| file.nodes[0].peer = file.nodes[0].client.expect("a replica")));
        assert!(!differs(|file| file.nodes[0].data = None));
        assert!(!differs(|file| file.timing.probe_ms = [1, 2]));
        assert!(!differs(|file| file.clients.connections_max = 7));
        assert!(!differs(|file| file.storage.compact_above_bytes *= 2));
        assert!(!differs(|file| file.healing.enabled = true));
    }

    #[test]
    fn the_founders_are_read_back_from_the_charter() {
        let mut file = file();
        file.nodes[1].roles = vec![Role::Replica];
        file.nodes[2].roles.clear();
        file.nodes[0].acceptors.clear();
        let names = file.nodes.iter().map(|node| (node.name.clone(), Incarnation(7)));
        let roster = Roster(names.collect());
        let read = Members::of_charter(&file.charter(), &roster).expect("its own charter");
        let expected = file.members(&roster);
        assert_eq!(read.founders(), expected.founders());
        assert_eq!(read.acceptors(), expected.acceptors());
        assert_eq!(read.replicas(), expected.replicas());
        Members::of_charter(&file.charter(), &Roster::default()).unwrap_err();
    }

    #[test]
    fn a_charter_says_where_the_log_begins() {
        let (slot, notes) = (Slot(71), Vec::new());
        let header = BackupHeader { cluster: "old".into(), slot, taken_ms: 0, notes };
        let summary = BackupSummary { part_count: 1, part_bytes: 2, checksum: 3 };
        let charter = file().charter_with(&ClusterFile::origin(&header, &summary));
        assert_eq!(ClusterFile::first_slot(&charter).expect("named"), slot);
        assert_eq!(charter.0[STATE], "backup 00000003 of the cluster `old`");
        assert_eq!(ClusterFile::first_slot(&file().charter()).expect("none"), Slot::ZERO);
    }
}
