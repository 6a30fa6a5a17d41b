//! What is proposed in a vertex is nothing, or one command with the union of what f + 1 dependency nodes have said in one epoch.
//!
//! | | |
//! |---|---|
//! | property | B4 values |
//! | paper | Bipartisan Paxos, section on recovery |
//! | module | `bpaxos::proposer::dependencies`, `matchmaker::leader` |
//! | model | `proofs`, model e |

use std::collections::BTreeMap;

use bpaxos::command::Proposal;
use bpaxos::message::DependencyB;
use bpaxos::vertex::{Vertex, VertexSet};
use matchmaker::message::Epoch;
use paxos::actor::NodeId;
use paxos::command::Value;

use super::{Judge, Property, Verdict, fail};

/// What dependency nodes have said about one vertex in one epoch.
pub(super) type Replies = BTreeMap<NodeId, Vec<VertexSet>>;

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "B4",
    name: "values",
    statement: "What is proposed in a vertex is nothing, or one command with the union of what f + 1 dependency nodes have said in one epoch.",
    paper: "Bipartisan Paxos, section on recovery",
    module: "`bpaxos::proposer::dependencies`, `matchmaker::leader`",
};

impl Judge {
    /// A dependency node answers.
    pub(super) fn note_reply(&mut self, from: NodeId, m: &DependencyB) {
        if self.proposed.contains_key(&m.vertex) {
            return;
        }
        let of_vertex = self.replies.entry(m.vertex).or_default();
        let all = of_vertex.entry(m.epoch).or_default().entry(from).or_default();
        if !all.contains(&m.dependencies) {
            all.push(m.dependencies.clone());
        }
    }

    /// Something other than nothing is proposed in a vertex. Returns it if that is so for the first time.
    pub(super) fn propose(&mut self, vertex: Vertex, value: &Value) -> Verdict<Option<Proposal>> {
        if let Some(known) = self.proposed.get(&vertex) {
            if known == value {
                return Ok(None);
            }
            return fail(PROPERTY, format!("{vertex} has {known:?} and {value:?} proposed"));
        }
        let proposal = match Proposal::of_value(value) {
            Ok(Some(proposal)) => proposal,
            other => return fail(PROPERTY, format!("{vertex} has no proposal: {other:?}")),
        };
        let replies = self.replies.remove(&vertex).unwrap_or_default();
        let is_computed = |(epoch, replies): (&Epoch, &Replies)| {
            self.services.get(epoch).is_some_and(|service| {
                is_union(&proposal.dependencies, replies, service.len() / 2 + 1)
            })
        };
        if !replies.iter().any(is_computed) {
            let detail = format!(
                "{vertex} depends on {:?}, and dependency nodes said {replies:?}",
                proposal.dependencies
            );
            return fail(PROPERTY, detail);
        }
        self.proposed.insert(vertex, value.clone());
        Ok(Some(proposal))
    }
}

/// Whether `dependencies` is the union of what `quorum` nodes or more have said, each once or more often.
fn is_union(dependencies: &VertexSet, replies: &Replies, quorum: usize) -> bool {
    let mut union = VertexSet::new();
    let mut count = 0;
    for all in replies.values() {
        let is_part = |reply: &&VertexSet| reply.first_missing(None, dependencies).is_none();
        let parts: Vec<&VertexSet> = all.iter().filter(is_part).collect();
        count += usize::from(!parts.is_empty());
        parts.into_iter().for_each(|reply| union.union(reply));
    }
    count >= quorum && dependencies.first_missing(None, &union).is_none()
}
