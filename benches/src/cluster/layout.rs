//! Who plays what in a cluster that the program starts.

use std::net::SocketAddr;
use std::path::Path;

use clap::ValueEnum;
use kvs::deployment::{ClusterFile, NodeFile, Protocol, Role};
use serde::{Deserialize, Serialize};

use super::free_addresses;
use crate::error::{BenchError, Outcome};

/// How roles are spread over processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Layout {
    /// Every node has every role, and two acceptors, of which one votes.
    Colocated,
    /// Each acceptor is a process of its own, so that one can die alone.
    Apart,
}

/// How large a cluster is, and how its roles are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shape {
    /// How commands are ordered.
    pub(crate) ordering: Protocol,
    pub(crate) layout: Layout,
    /// Failures that it survives: it has 2f+1 voting acceptors, matchmakers and replicas.
    pub(crate) failures: u16,
    /// Nodes beyond those that are needed, whose matchmakers wait to be used.
    pub(crate) spares: u16,
}

impl Shape {
    /// Processes of a quorum system that survives the failures.
    fn quorum_count(self) -> u16 {
        2 * self.failures + 1
    }

    /// The file of such a cluster, on ports that are free now, with its data in `directory`.
    ///
    /// *Errors*: the cluster is not possible, or ports are short.
    pub(crate) fn file(self, directory: &Path) -> Outcome<ClusterFile> {
        let quorum = self.quorum_count();
        let (nodes, pool) = (quorum + self.spares, 2 * quorum);
        const PORTS_ARE_SET_BELOW: u16 = 1;
        let file = ClusterFile::on_loopback("bench", nodes, pool, PORTS_ARE_SET_BELOW);
        let mut file = file.map_err(BenchError::new)?.with_protocol(self.ordering);
        file.acceptors = (1..=quorum).map(|number| format!("a{number}")).collect();
        for (number, node) in (1..).zip(&mut file.nodes) {
            node.acceptors.clear();
            if number > quorum {
                node.roles.retain(|role| *role != Role::Matchmaker);
            } else if self.layout == Layout::Colocated {
                node.acceptors = [number, number + quorum].map(|n| format!("a{n}")).to_vec();
            }
        }
        if self.layout == Layout::Apart {
            let first = u32::from(nodes) + 1;
            file.nodes.extend((1..=pool).map(|number| acceptor(number, first)));
        }
        let mut addresses = free_addresses(2 * file.nodes.len())?.into_iter();
        for node in &mut file.nodes {
            let mut address = || addresses.next().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
            node.peer = address();
            node.client = node.client.map(|_| address());
            node.data = Some(directory.join(&node.name));
        }
        Ok(file)
    }
}

/// A node that hosts the acceptor number `number` and plays nothing else.
fn acceptor(number: u16, first_id: u32) -> NodeFile {
    let name = format!("a{number}");
    NodeFile {
        name: name.clone(),
        id: first_id + u32::from(number),
        peer: SocketAddr::from(([127, 0, 0, 1], 0)),
        client: None,
        data: None,
        roles: Vec::new(),
        acceptors: vec![name],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program would write is what `kvs serve` reads.
    fn read_back(shape: Shape) -> ClusterFile {
        let directory = tempfile::tempdir().expect("a directory");
        let file = shape.file(directory.path()).expect("a possible cluster");
        let path = directory.path().join("cluster.toml");
        std::fs::write(&path, file.to_toml()).expect("it can be written");
        assert_eq!(ClusterFile::read(&path).expect("a cluster file"), file);
        file
    }

    #[test]
    fn every_shape_is_a_possible_cluster() {
        let orderings = [Protocol::Matchmaker, Protocol::Bpaxos];
        let layouts = [Layout::Colocated, Layout::Apart];
        for (ordering, layout) in
            orderings.into_iter().flat_map(|ordering| layouts.map(|layout| (ordering, layout)))
        {
            for (failures, spares) in [(1, 0), (1, 3), (2, 0)] {
                let file = read_back(Shape { ordering, layout, failures, spares });
                let quorum = usize::from(2 * failures + 1);
                assert_eq!(file.acceptors.len(), quorum);
                let matchmakers = file.nodes.iter().filter(|n| n.roles.contains(&Role::Matchmaker));
                assert_eq!(matchmakers.count(), quorum);
                let hosted: usize = file.nodes.iter().map(|node| node.acceptors.len()).sum();
                assert_eq!(hosted, 2 * quorum, "each acceptor has a successor");
            }
        }
    }

    #[test]
    fn acceptors_apart_play_nothing_else() {
        let file = read_back(Shape {
            ordering: Protocol::Matchmaker,
            layout: Layout::Apart,
            failures: 1,
            spares: 0,
        });
        assert_eq!(file.nodes.len(), 3 + 6);
        for node in &file.nodes {
            assert_eq!(node.roles.is_empty(), node.acceptors == [node.name.clone()]);
            assert_eq!(node.roles.is_empty(), node.client.is_none());
        }
    }
}
