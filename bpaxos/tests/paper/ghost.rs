//! What is true of a run, told from its messages and its replicas, and judged.

use std::collections::{BTreeMap, BTreeSet};

use bpaxos::command::Proposal;
use bpaxos::invariants;
use bpaxos::message::Message;
use bpaxos::replica::Replica;
use bpaxos::vertex::Vertex;
use bytes::Bytes;
use paxos::actor::NodeId;
use paxos::command::Value;
use paxos::message::{ToAcceptor, ToReplica};

use crate::machine::Lists;

/// The memory of the judge.
#[derive(Debug, Default)]
pub(crate) struct Ghost {
    /// What was learned as chosen.
    pub(crate) chosen: BTreeMap<Vertex, Option<Proposal>>,
    /// What was ever proposed that is not nothing.
    proposed: BTreeMap<Vertex, Value>,
    /// What each replica has applied, from its last start on.
    applied: BTreeMap<NodeId, Vec<Bytes>>,
    /// Commands by the vertex that they were executed in, for the closure.
    looked_at: BTreeMap<NodeId, u64>,
}

impl Ghost {
    /// Looks at a message when it is sent.
    pub(crate) fn on_message(&mut self, message: &Message) {
        let Message::Column(m) = message else { return };
        match &m.inner {
            matchmaker::message::Message::Replica(ToReplica::Chosen(chosen)) => {
                let vertex = Vertex { column: m.column, slot: chosen.slot };
                let proposal = Proposal::of_value(&chosen.value).expect("a proposal");
                let known = self.chosen.entry(vertex).or_insert_with(|| proposal.clone());
                assert_eq!(*known, proposal, "B1 consensus: {vertex} has two values");
            }
            matchmaker::message::Message::Acceptor(ToAcceptor::Phase2A(phase2a)) => {
                let vertex = Vertex { column: m.column, slot: phase2a.slot };
                if phase2a.value != Value::Noop {
                    let known = self.proposed.entry(vertex).or_insert(phase2a.value.clone());
                    assert_eq!(*known, phase2a.value, "B4 values: two commands for {vertex}");
                }
            }
            _ => {}
        }
    }

    /// Looks at a replica after each of its steps.
    pub(crate) fn on_replica(&mut self, node: NodeId, replica: &Replica<Lists>) {
        let applied = replica.machine().applied();
        let known = self.looked_at.entry(node).or_default();
        if *known == applied.len() as u64 {
            return;
        }
        *known = applied.len() as u64;
        let distinct: BTreeSet<&Bytes> = applied.iter().collect();
        assert_eq!(distinct.len(), applied.len(), "B7 once: {node} executes a command twice");
        self.applied.insert(node, applied.to_vec());
        let missing = invariants::closure_defect(&self.chosen, replica.executed());
        assert_eq!(missing, None, "B6 closure: {node} executes what it does not know");
    }

    /// Judges the whole run.
    pub(crate) fn check(&self) {
        let defect = invariants::dependency_defect::<Lists>(&self.chosen);
        assert_eq!(defect, None, "B2 dependencies: neither depends on the other");
        for (one, two) in self.applied.values().zip(self.applied.values().skip(1)) {
            let defect = invariants::order_defect::<Lists>(one, two);
            assert_eq!(defect, None, "B5 order: two replicas execute them differently");
        }
    }
}
