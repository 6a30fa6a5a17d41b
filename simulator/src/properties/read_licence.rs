//! A leader answers a read after a Phase 2 quorum of one of its rounds has confirmed that round since
//! the read was asked for.
//!
//! | | |
//! |---|---|
//! | property | A20 read licence |
//! | paper | - (reads are not in the papers) |
//! | module | `matchmaker::leader::reads` |
//! | model | `read_licence` |

use std::collections::BTreeMap;

use paxos::actor::NodeId;
use paxos::message::{ReadA, ReadB};
use paxos::round::Round;

use super::{Ghost, Property, Verdict, fail};

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A20",
    name: "read licence",
    statement: "A leader answers a read after a Phase 2 quorum of one of its rounds has confirmed that round since the read was asked for.",
    paper: "-",
    module: "`matchmaker::leader::reads`",
};

/// What was asked and answered, in the order in which messages left.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// Counts messages.
    time: u64,
    /// When each session asked each of its questions, the last time.
    wanted: BTreeMap<(NodeId, u64), u64>,
    /// When each question of a leader was asked, the first time.
    asked: BTreeMap<(Round, u64), u64>,
    /// The last question that each acceptor answered in each round.
    answered: BTreeMap<Round, BTreeMap<NodeId, u64>>,
}

impl Ghost {
    /// A session asks a leader.
    pub(super) fn on_read_index_a(&mut self, session: NodeId, nonce: u64) -> Verdict {
        self.reads.time += 1;
        self.reads.wanted.insert((session, nonce), self.reads.time);
        Ok(())
    }

    /// A leader asks an acceptor.
    pub(super) fn on_read_a(&mut self, m: &ReadA) -> Verdict {
        self.reads.time += 1;
        self.reads.asked.entry((m.round, m.nonce)).or_insert(self.reads.time);
        Ok(())
    }

    /// An acceptor answers.
    pub(super) fn on_read_b(&mut self, node: NodeId, m: &ReadB) -> Verdict {
        let answered = self.reads.answered.entry(m.round).or_default().entry(node).or_default();
        *answered = (*answered).max(m.nonce);
        Ok(())
    }

    /// A leader answers a session.
    pub(super) fn check_read(&self, leader: NodeId, session: NodeId, nonce: u64) -> Verdict {
        let reads = &self.reads;
        let wanted = reads.wanted.get(&(session, nonce)).copied().unwrap_or(u64::MAX);
        let is_confirmed = |(round, answered): (&Round, &BTreeMap<NodeId, u64>)| {
            let Some(configuration) = self.rounds.get(round).filter(|_| round.owner == leader)
            else {
                return false;
            };
            let is_late = |nonce: &u64| {
                reads.asked.get(&(*round, *nonce)).is_some_and(|asked| *asked > wanted)
            };
            let nodes = answered.iter().filter(|(_, nonce)| is_late(nonce)).map(|(node, _)| node);
            configuration.is_phase2(configuration.members_among(nodes))
        };
        // The present round is the likeliest.
        if reads.answered.iter().rev().any(is_confirmed) {
            return Ok(());
        }
        fail(PROPERTY, format!("{} answers question {nonce} unconfirmed", self.name(leader)))
    }
}
