//! One node of a cluster file: its roles, its acceptors, and the seats that they have.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use paxos::actor::NodeId;
use paxos::runtime::NAME_BYTES_MAX;
use paxos::wire::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{DeploymentError, error};

/// One process of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeFile {
    /// Unique; what `--node` takes.
    pub name: String,
    /// Unique and never changed: the actors of the node are known by it.
    pub id: u32,
    /// Where the other processes reach it.
    pub peer: SocketAddr,
    /// Where Redis clients reach it. Needed by replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<SocketAddr>,
    /// Its data directory, relative to the working directory; `--data` overrides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Its roles, all by default.
    #[serde(default = "all_roles")]
    pub roles: Vec<Role>,
    /// The names of the acceptors that it hosts. Their order is a part of who they are.
    #[serde(default)]
    pub acceptors: Vec<String>,
}

pub(super) fn all_roles() -> Vec<Role> {
    Role::ALL.to_vec()
}

/// A role that a node of the file can have, beside acceptors.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Encode, Decode,
)]
#[serde(rename_all = "lowercase")]
#[bincode(crate = "paxos::wire::bincode")]
pub enum Role {
    /// May lead.
    Proposer = 0,
    /// Remembers the configurations of rounds.
    Matchmaker = 1,
    /// Executes commands and serves clients.
    Replica = 2,
    /// Tells which commands conflict, in a cluster that runs BPaxos.
    Dependency = 6,
}

impl Role {
    /// Those that every protocol needs.
    pub const ALL: [Self; 3] = [Self::Proposer, Self::Matchmaker, Self::Replica];
    /// Those that BPaxos needs.
    pub const BPAXOS: [Self; 4] =
        [Self::Proposer, Self::Matchmaker, Self::Replica, Self::Dependency];
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::BPAXOS.into_iter().find(|role| role.to_string() == text);
        known.ok_or_else(|| {
            format!("`{text}` is no role: choose proposer, matchmaker, replica or dependency")
        })
    }
}

impl fmt::Display for Role {
    /// As the file spells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proposer => "proposer",
            Self::Matchmaker => "matchmaker",
            Self::Replica => "replica",
            Self::Dependency => "dependency",
        })
    }
}

/// A part of a replica's process.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Archive = 3,
    Session = 4,
    Application = 5,
}

/// The identities that the application of a process needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Application {
    /// The application itself.
    pub node: NodeId,
    /// The session beside it.
    pub session: NodeId,
    /// The replica beside it.
    pub replica: NodeId,
}

impl NodeFile {
    pub(super) fn check(&self) -> Result<(), DeploymentError> {
        let name = &self.name;
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return error(format!("the name `{name}` is empty or over {NAME_BYTES_MAX} bytes"));
        }
        if self.id == 0 || self.id > ID_MAX {
            return error(format!("the id {} of `{name}` is not within 1..={ID_MAX}", self.id));
        }
        if self.acceptors.len() > (SEATS - ACCEPTOR) as usize {
            return error(format!("`{name}` hosts more than {} acceptors", SEATS - ACCEPTOR));
        }
        for acceptor in &self.acceptors {
            check_acceptor_name(name, acceptor)?;
        }
        if self.roles.contains(&Role::Replica) && self.client.is_none() {
            return error(format!("`{name}` is a replica and needs a `client` address"));
        }
        Ok(())
    }

    /// Its part of the charter, as in `id 2: proposer, replica; acceptors a2, a5`.
    pub(super) fn charter(&self) -> String {
        format!("id {}: {}", self.id, self.plays())
    }

    /// The id, the roles and the acceptors in its part of the charter.
    pub(super) fn parse_charter(text: &str) -> Option<(u32, BTreeSet<Role>, Vec<String>)> {
        let (id, plays) = text.strip_prefix("id ")?.split_once(": ")?;
        let (roles, acceptors) = match plays.split_once("acceptors ") {
            Some((roles, acceptors)) => (roles.trim_end_matches("; "), acceptors),
            None => (plays, ""),
        };
        let words = |text: &str| -> Vec<String> {
            text.split(", ").filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let roles: Result<BTreeSet<Role>, String> =
            words(roles).iter().map(|role| role.parse()).collect();
        Some((id.parse().ok()?, roles.ok()?, words(acceptors)))
    }

    /// Its roles and acceptors, for operators.
    pub(crate) fn plays(&self) -> String {
        let roles: BTreeSet<Role> = self.roles.iter().copied().collect();
        let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
        let acceptors = format!("acceptors {}", self.acceptors.join(", "));
        match (roles.is_empty(), self.acceptors.is_empty()) {
            (_, true) => roles.join(", "),
            (true, false) => acceptors,
            (false, false) => format!("{}; {acceptors}", roles.join(", ")),
        }
    }
}

/// *Errors*: an operator could not name the acceptor of the node called `name`.
pub(super) fn check_acceptor_name(name: &str, acceptor: &str) -> Result<(), DeploymentError> {
    let is_word = ["majority", "write-all"].contains(&acceptor)
        || acceptor.starts_with("grid:")
        || acceptor.contains(|c: char| c == ',' || c.is_whitespace() || c.is_control());
    if !is_word && !acceptor.is_empty() && acceptor.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    error(format!(
        "`{name}` hosts the acceptor `{acceptor}`, which cannot be named in a reconfiguration: choose \
         1 to {NAME_BYTES_MAX} bytes without commas and spaces that are no quorum system"
    ))
}

/// Seats of one node.
pub(super) const SEATS: u32 = 64;
/// The first seat of an acceptor within a node.
pub(super) const ACCEPTOR: u32 = 8;
/// Nodes are numbered up to here.
const ID_MAX: u32 = u32::MAX / SEATS - 1;
