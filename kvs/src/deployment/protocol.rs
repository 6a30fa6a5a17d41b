//! Which protocol orders the commands of a cluster.

use std::fmt;
use std::path::Path;

use clap::ValueEnum;
use paxos::runtime::Charter;
use serde::{Deserialize, Serialize};

use super::{DeploymentError, NodeFile, Role, error};

/// The topic of the protocol. It is in the charter unless it is the one that there was at first.
const PROTOCOL: &str = "`protocol`";

/// A protocol that orders commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Matchmaker MultiPaxos: one leader puts all commands into one order.
    #[default]
    Matchmaker,
    /// BPaxos: every proposer takes commands at once, and only those that conflict are ordered.
    Bpaxos,
}

impl Protocol {
    /// What a node does that does everything.
    pub fn roles(self) -> &'static [Role] {
        match self {
            Self::Matchmaker => &Role::ALL,
            Self::Bpaxos => &Role::BPAXOS,
        }
    }

    /// *Errors*: no node has a role that is needed, or one has a role of another protocol.
    pub(super) fn check(self, nodes: &[NodeFile]) -> Result<(), DeploymentError> {
        for role in self.roles() {
            if !nodes.iter().any(|node| node.roles.contains(role)) {
                return error(format!(
                    "no node has the role `{role}`, which the protocol {self} needs: add it to `roles`"
                ));
            }
        }
        for node in nodes {
            if let Some(role) = node.roles.iter().find(|role| !self.roles().contains(role)) {
                return error(format!(
                    "`{}` has the role `{role}`, which the protocol {self} does not know: remove it, or \
                     write protocol = \"{}\"",
                    node.name,
                    Self::Bpaxos
                ));
            }
        }
        Ok(())
    }

    /// Its part of the charter.
    pub(super) fn topic(self) -> Option<(String, String)> {
        (self != Self::default()).then(|| (PROTOCOL.to_owned(), self.to_string()))
    }

    /// Whether there are backups of clusters with this protocol, and recoveries.
    ///
    /// *Errors*: there are none; the text says what to do.
    pub fn check_backups(self) -> Result<(), DeploymentError> {
        match self {
            Self::Matchmaker => Ok(()),
            Self::Bpaxos => error(format!(
                "a cluster with the protocol {self} makes no backup and begins with none: start its nodes \
                 on their directories, of which a majority suffices, and copy the keys as a Redis client \
                 does"
            )),
        }
    }

    /// The same for a cluster that was founded with `charter`.
    ///
    /// *Errors*: as those of [`check_backups`](Self::check_backups).
    pub fn check_backups_of(charter: &Charter) -> Result<(), DeploymentError> {
        match Self::of_charter(charter) == Self::Bpaxos.to_string() {
            true => Self::Bpaxos.check_backups(),
            false => Ok(()),
        }
    }

    /// The protocol of a cluster that was founded with `charter`.
    fn of_charter(charter: &Charter) -> String {
        charter.0.get(PROTOCOL).cloned().unwrap_or_else(|| Self::default().to_string())
    }

    /// Whether a node with the data directory at `path`, and with `charter` if its cluster is founded, may
    /// run this protocol. A directory keeps the protocol that it was founded with.
    ///
    /// *Errors*: it may not; the text says what to do.
    pub fn check_founded(
        self,
        charter: Option<&Charter>,
        path: &Path,
    ) -> Result<(), DeploymentError> {
        let Some(founded) = charter.map(Self::of_charter) else { return Ok(()) };
        if founded == self.to_string() {
            return Ok(());
        }
        error(format!(
            "{}: this cluster was founded with the protocol {founded}, and is started with {self}: a \
             cluster keeps its protocol; start it with {founded}, or found another one in an empty \
             directory and copy the keys as a Redis client does",
            path.display()
        ))
    }
}

impl fmt::Display for Protocol {
    /// As the file spells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Matchmaker => "matchmaker",
            Self::Bpaxos => "bpaxos",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::ClusterFile;

    fn charter(protocol: Protocol) -> Charter {
        file(protocol).charter()
    }

    fn file(protocol: Protocol) -> ClusterFile {
        let file = ClusterFile::on_loopback("test", 3, 3, 6380).expect("possible");
        file.with_protocol(protocol)
    }

    #[test]
    fn a_directory_keeps_its_protocol() {
        let (one, two) = (Protocol::Matchmaker, Protocol::Bpaxos);
        let path = Path::new("data/n1");
        for (founded, started) in [(one, two), (two, one)] {
            founded.check_founded(None, path).expect("new");
            founded.check_founded(Some(&charter(founded)), path).expect("the same");
            let refused = started.check_founded(Some(&charter(founded)), path).unwrap_err();
            let expected =
                format!("founded with the protocol {founded}, and is started with {started}");
            assert!(refused.to_string().contains(&expected), "{refused}");
            assert!(refused.to_string().starts_with("data/n1: "), "{refused}");
        }
        assert_eq!(charter(one).0.get(PROTOCOL), None);
        assert_eq!(charter(two).0[PROTOCOL], "bpaxos");
    }

    #[test]
    fn roles_are_those_of_the_protocol() {
        let mut file = file(Protocol::Bpaxos);
        assert_eq!(file.nodes[0].roles.len(), 4);
        file.protocol.check(&file.nodes).expect("its own");
        let refused = Protocol::Matchmaker.check(&file.nodes).unwrap_err().to_string();
        assert!(refused.contains("`n1` has the role `dependency`"), "{refused}");
        file.nodes.iter_mut().for_each(|node| node.roles.truncate(3));
        let refused = file.protocol.check(&file.nodes).unwrap_err().to_string();
        assert!(refused.contains("no node has the role `dependency`"), "{refused}");
    }
}
