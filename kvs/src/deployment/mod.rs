//! The file that describes a cluster, and who plays what in it.
//!
//! Each node of the file is one process. A role of a process has a fixed seat, from the number of the
//! node, so that the nodes may be reordered without moving anyone; an acceptor has the seat of its
//! place among those of its node. Together with the incarnation of the process's data directory the
//! seat makes the identity of the actor. So that nobody's identity or quorum changes with an edit of
//! the file, what they follow from is the [charter](ClusterFile::charter), which all nodes agree on when
//! the cluster is founded and are held to ever after.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use matchmaker::leader::Deployment;
use matchmaker::message::Generation;
use paxos::actor::Incarnation;
use paxos::configuration::Configuration;
use paxos::quorum::QuorumSystem;
use paxos::runtime::Roster;
use paxos::slot::Slot;
use serde::{Deserialize, Serialize};
use thiserror::Error;

mod announcement;
mod bpaxos;
mod charter;
mod healing;
mod members;
mod node;
mod options;
mod protocol;

pub use announcement::Announcement;
pub use healing::HealingSection;
pub use members::{Member, Members};
use node::all_roles;
pub use node::{Application, NodeFile, Role};
pub use options::{Clients, Settings, StorageSection, Timing};
pub use protocol::Protocol;

/// What is wrong with a cluster file.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct DeploymentError(String);

fn error<T>(text: impl Into<String>) -> Result<T, DeploymentError> {
    Err(DeploymentError(text.into()))
}

/// The quorums of the acceptors, as the file spells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quorum {
    /// Any majority.
    #[default]
    Majority,
    /// All acceptors vote, any one can be read.
    WriteAll,
    /// Rows of a grid; see [`QuorumSystem::Grid`].
    Grid(u32),
}

impl From<Quorum> for QuorumSystem {
    fn from(quorum: Quorum) -> Self {
        match quorum {
            Quorum::Majority => Self::Majority,
            Quorum::WriteAll => Self::WriteAll,
            Quorum::Grid(columns) => Self::Grid { columns },
        }
    }
}

impl From<QuorumSystem> for Quorum {
    fn from(system: QuorumSystem) -> Self {
        match system {
            QuorumSystem::Majority => Self::Majority,
            QuorumSystem::WriteAll => Self::WriteAll,
            QuorumSystem::Grid { columns } => Self::Grid(columns),
        }
    }
}

impl fmt::Display for Quorum {
    /// As operators write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Majority => f.write_str("majority"),
            Self::WriteAll => f.write_str("write-all"),
            Self::Grid(columns) => write!(f, "grid:{columns}"),
        }
    }
}

/// A cluster file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterFile {
    /// Names the cluster; data directories and connections of another one are refused.
    pub cluster: String,
    /// How its commands are ordered, for the life of the cluster.
    #[serde(default)]
    pub protocol: Protocol,
    /// The acceptors that vote when the cluster is founded. Later they are changed by `kvs
    /// reconfigure`, not here.
    pub acceptors: Vec<String>,
    /// The quorums of the founding acceptors.
    #[serde(default)]
    pub quorum: Quorum,
    /// Periods; each has a default.
    #[serde(default)]
    pub timing: Timing,
    /// Limits of clients; each has a default.
    #[serde(default)]
    pub clients: Clients,
    /// Sizes of the log; each has a default.
    #[serde(default)]
    pub storage: StorageSection,
    /// What the leader does about nodes that do not answer; each has a default.
    #[serde(default)]
    pub healing: HealingSection,
    /// The processes.
    #[serde(rename = "node")]
    pub nodes: Vec<NodeFile>,
}

impl ClusterFile {
    /// A cluster of `count` nodes on the loopback address, every role on each, `acceptors` acceptors
    /// spread over them of which the first three (or all, if fewer) are configured. Peers use ports
    /// from `base_port` + 1000 on, clients from `base_port` on.
    ///
    /// *Errors*: no node, or ports that do not exist.
    pub fn on_loopback(
        cluster: &str,
        count: u16,
        acceptors: u16,
        base_port: u16,
    ) -> Result<Self, DeploymentError> {
        let last_port = u32::from(base_port) + 1000 + u32::from(count);
        if count == 0 || acceptors == 0 {
            return error("a cluster needs at least one node and one acceptor");
        }
        if last_port > u32::from(u16::MAX) || base_port == 0 {
            return error(format!(
                "ports from {base_port} on do not suffice for {count} nodes: choose a base port \
                 from 1 to {}",
                u32::from(u16::MAX) - 1000 - u32::from(count)
            ));
        }
        let name = |number: u16| {
            if acceptors == count { format!("n{number}") } else { format!("a{number}") }
        };
        let nodes = (0..count).map(|index| NodeFile {
            name: format!("n{}", index + 1),
            id: u32::from(index) + 1,
            peer: SocketAddr::from(([127, 0, 0, 1], base_port + 1000 + index)),
            client: Some(SocketAddr::from(([127, 0, 0, 1], base_port + index))),
            data: Some(PathBuf::from(format!("kvs-data/n{}", index + 1))),
            roles: all_roles(),
            acceptors: (index..acceptors).step_by(count.into()).map(|n| name(n + 1)).collect(),
        });
        let file = Self {
            cluster: cluster.into(),
            protocol: Protocol::default(),
            acceptors: (1..=acceptors.min(3)).map(name).collect(),
            quorum: Quorum::Majority,
            timing: Timing::default(),
            clients: Clients::default(),
            storage: StorageSection::default(),
            healing: HealingSection::default(),
            nodes: nodes.collect(),
        };
        file.validated()
    }

    /// The same nodes with `protocol`, and every role that it needs on each.
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        for node in &mut self.nodes {
            node.roles = protocol.roles().to_vec();
        }
        self
    }

    /// Reads and checks the file at `path`.
    ///
    /// *Errors*: it cannot be read, is no such file, or describes no possible cluster; the text names
    /// the file, the key and the cure.
    pub fn read(path: &Path) -> Result<Self, DeploymentError> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|cause| {
            DeploymentError(format!(
                "cannot read the cluster file {shown}: {cause}; `kvs init` writes a new one"
            ))
        })?;
        let file: Self = toml::from_str(&text)
            .map_err(|cause| DeploymentError(format!("{shown} is no cluster file: {cause}")))?;
        file.validated().map_err(|cause| DeploymentError(format!("{shown}: {cause}")))
    }

    /// The text of the file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a cluster file has only strings, numbers, lists and tables")
    }

    fn validated(self) -> Result<Self, DeploymentError> {
        let mut ids = BTreeMap::new();
        let mut names = BTreeMap::new();
        let mut addresses = BTreeMap::new();
        for node in &self.nodes {
            node.check()?;
            if let Some(other) = ids.insert(node.id, &node.name) {
                return error(format!(
                    "`{other}` and `{}` have the same id {}",
                    node.name, node.id
                ));
            }
            if names.insert(node.name.as_str(), ()).is_some() {
                return error(format!("two nodes are called `{}`", node.name));
            }
            for address in [Some(node.peer), node.client].into_iter().flatten() {
                if let Some(other) = addresses.insert(address, &node.name) {
                    let name = &node.name;
                    return error(format!("`{other}` and `{name}` share the address {address}"));
                }
            }
        }
        let mut hosts: BTreeMap<&str, &str> = BTreeMap::new();
        for (node, acceptor) in self.hosted() {
            if let Some(other) = hosts.insert(acceptor, &node.name) {
                let name = &node.name;
                return error(format!("the acceptor `{acceptor}` is on `{other}` and on `{name}`"));
            }
        }
        let mut voting = BTreeSet::new();
        if let Some(repeated) = self.acceptors.iter().find(|name| !voting.insert(*name)) {
            return error(format!("`acceptors` names `{repeated}` twice"));
        }
        if let Some(missing) = self.acceptors.iter().find(|name| !hosts.contains_key(name.as_str()))
        {
            return error(format!("`acceptors` names `{missing}`, which no node hosts"));
        }
        self.protocol.check(&self.nodes)?;
        self.timing.check()?;
        self.clients.check()?;
        self.storage.check()?;
        self.healing.check(&self.timing)?;
        let roster =
            Roster(self.nodes.iter().map(|node| (node.name.clone(), Incarnation(1))).collect());
        self.deployment(&self.members(&roster), Slot::ZERO)?;
        Ok(self)
    }

    /// What a node needs to know of the file to run.
    pub fn settings(&self) -> Settings {
        let (timing, storage) = (self.timing.clone(), self.storage.clone());
        Settings { timing, storage, healing: self.healing.clone() }
    }

    /// All acceptors of the file, with the nodes that host them.
    fn hosted(&self) -> impl Iterator<Item = (&NodeFile, &str)> {
        self.nodes
            .iter()
            .flat_map(|node| node.acceptors.iter().map(move |name| (node, name.as_str())))
    }

    /// The node called `name`.
    ///
    /// *Errors*: there is none; the text lists those there are.
    pub fn node(&self, name: &str) -> Result<&NodeFile, DeploymentError> {
        self.nodes.iter().find(|node| node.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
            DeploymentError(format!("there is no node `{name}`; there are {}", names.join(", ")))
        })
    }

    /// The processes that found the cluster, with the incarnations of `roster`. A node that is not in
    /// it is left out.
    pub fn members(&self, roster: &Roster) -> Members {
        Members::new(self.nodes.iter().filter_map(|node| {
            Some(Member {
                name: node.name.clone(),
                id: node.id,
                incarnation: *roster.0.get(&node.name)?,
                peer: node.peer.to_string(),
                client: node.client.map(|address| address.to_string()),
                roles: node.roles.iter().copied().collect(),
                acceptors: node.acceptors.clone(),
                is_leaving: false,
            })
        }))
    }

    /// Who plays what, for a cluster that has just been founded by `members` and whose log begins at
    /// `first`.
    ///
    /// *Errors*: none for a file that was read and its members.
    pub fn deployment(
        &self,
        members: &Members,
        first: Slot,
    ) -> Result<Deployment, DeploymentError> {
        let known = members.acceptors();
        let voting = self.acceptors.iter().filter_map(|name| known.get(name).copied());
        let initial = Configuration::new(1, self.quorum.into(), voting)
            .map_err(|cause| DeploymentError(format!("`acceptors`: {cause}")))?
            .with_membership(members.membership(&BTreeSet::new()));
        let Generation { epoch, members: matchmakers } = members.founders();
        Ok(Deployment { epoch, matchmakers, initial, first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> ClusterFile {
        ClusterFile::on_loopback("test", 3, 6, 6380).expect("a possible cluster")
    }

    fn refused(change: impl FnOnce(&mut ClusterFile)) -> String {
        let mut file = file();
        change(&mut file);
        let text = file.to_toml();
        let read = toml::from_str::<ClusterFile>(&text).expect("the same shape").validated();
        read.expect_err("an impossible cluster").to_string()
    }

    #[test]
    fn a_written_file_reads_back() {
        let file = file();
        let read: ClusterFile = toml::from_str(&file.to_toml()).expect("just written");
        assert_eq!(read.validated().expect("possible"), file);
        assert_eq!(file.nodes[0].acceptors, ["a1", "a4"]);
        assert_eq!(file.acceptors, ["a1", "a2", "a3"]);
    }

    #[test]
    fn impossible_clusters_are_refused_with_the_cause() {
        assert!(refused(|file| file.nodes[1].id = 1).contains("same id 1"));
        assert!(refused(|file| file.nodes[1].name = "n1".into()).contains("called `n1`"));
        assert!(refused(|file| file.acceptors[0] = "a9".into()).contains("`a9`"));
        assert!(refused(|file| file.acceptors.clear()).contains("at least one acceptor"));
        assert!(refused(|file| file.quorum = Quorum::Grid(2)).contains("2 columns"));
        assert!(refused(|file| file.nodes[0].client = None).contains("`client`"));
        assert!(refused(|file| file.timing.silence_ms = [9, 3]).contains("silence_ms"));
        assert!(refused(|file| file.nodes[1].peer = file.nodes[0].peer).contains("share"));
        assert!(refused(|file| file.nodes[1].acceptors.push("a1".into())).contains("`a1`"));
        assert!(refused(|file| file.acceptors[1] = "a1".into()).contains("`a1` twice"));
        assert!(refused(|file| file.nodes[1].acceptors.push("a 7".into())).contains("`a 7`"));
        assert!(refused(|file| file.nodes[1].acceptors.push("majority".into())).contains("quorum"));
        assert!(refused(|file| file.clients.connections_max = 0).contains("connections_max"));
        assert!(refused(|file| file.timing.heartbeat_ms = [35, 60]).contains("3 times"));
        assert!(refused(|file| file.storage.compact_above_bytes = 9).contains("compact_above"));
        let said = refused(|file| file.storage.snapshot_bytes_per_second = 9);
        assert!(said.contains("per_second` is 9") && said.contains("at least 2097152"), "{said}");
        assert!(refused(|file| file.healing.suspect_after_ms = 9).contains("at least 4 times"));
        let no_matchmaker = refused(|file| {
            file.nodes.iter_mut().for_each(|node| node.roles.retain(|r| *r != Role::Matchmaker));
        });
        assert!(no_matchmaker.contains("role `matchmaker`"));
    }
}
