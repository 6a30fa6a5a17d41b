//! What a leader may do only after others have spoken: answer reads, and ask old acceptors.

use std::collections::BTreeMap;

use paxos::actor::NodeId;
use paxos::message::{ReadA, ReadB};
use paxos::round::Round;

use super::{Ghost, Verdict, fail, names};
use crate::world::places::name;

/// What was asked and answered, in the order in which messages left.
#[derive(Default)]
pub(super) struct Licences {
    /// Counts messages.
    time: u64,
    /// When each session asked each of its questions, the last time.
    wanted: BTreeMap<(NodeId, u64), u64>,
    /// When each question of a leader was asked, the first time.
    asked: BTreeMap<(Round, u64), u64>,
    /// The last question that each acceptor answered in each round.
    answered: BTreeMap<Round, BTreeMap<NodeId, u64>>,
    /// Below which round everything was collected when each round was registered.
    floors: BTreeMap<Round, Round>,
}

impl Ghost {
    /// The time at which the next message leaves.
    pub(super) fn tick(&mut self) {
        self.licences.time += 1;
    }

    pub(super) fn read_index_a(&mut self, session: NodeId, nonce: u64) {
        self.licences.wanted.insert((session, nonce), self.licences.time);
    }

    pub(super) fn read_a(&mut self, m: &ReadA) {
        self.licences.asked.entry((m.round, m.nonce)).or_insert(self.licences.time);
    }

    pub(super) fn read_b(&mut self, node: NodeId, m: &ReadB) {
        let answered = self.licences.answered.entry(m.round).or_default().entry(node).or_default();
        *answered = (*answered).max(m.nonce);
    }

    /// A leader answers a read: a Phase 2 quorum of one of its rounds has confirmed that round since
    /// the session asked.
    pub(super) fn read_index_b(&self, leader: NodeId, session: NodeId, nonce: u64) -> Verdict {
        let wanted = self.licences.wanted.get(&(session, nonce)).copied().unwrap_or(u64::MAX);
        let is_confirmed = |(round, answered): (&Round, &BTreeMap<NodeId, u64>)| {
            let Some(configuration) = self.rounds.get(round).filter(|_| round.owner == leader)
            else {
                return false;
            };
            let is_late = |nonce: &u64| {
                self.licences.asked.get(&(*round, *nonce)).is_some_and(|asked| *asked > wanted)
            };
            let nodes = answered.iter().filter(|(_, nonce)| is_late(nonce)).map(|(node, _)| node);
            configuration.is_phase2(configuration.members_among(nodes))
        };
        if !self.licences.answered.iter().any(is_confirmed) {
            let detail = format!("{} answers question {nonce} unconfirmed", name(leader));
            return fail("A16 read licence", detail);
        }
        Ok(())
    }

    /// A round is about to be registered: whatever a majority has collected by now, each majority
    /// that answers will know.
    pub(super) fn note_floor(&mut self, round: Round) {
        let mut collected: Vec<Round> = self.collected.values().copied().collect();
        collected.sort_unstable_by(|one, two| two.cmp(one));
        let majority = self.deployment.matchmakers.len() / 2 + 1;
        let floor = collected.get(majority - 1).copied().unwrap_or(Round::ZERO);
        self.licences.floors.entry(round).or_insert(floor);
    }

    /// Phase 1 asks only acceptors of rounds that were not collected when it was registered: others
    /// may be switched off.
    pub(super) fn check_asked(&self, round: Round, node: NodeId) -> Verdict {
        let floor = self.licences.floors.get(&round).copied().unwrap_or(Round::ZERO);
        let mut rounds = self.rounds.range(floor.min(round)..round);
        if rounds.all(|(_, configuration)| configuration.position(node).is_none()) {
            let present = self.rounds.get(&round).map(names).unwrap_or_default();
            let detail =
                format!("{round} ({present}) asks {}, collected below {floor}", name(node));
            return fail("A11 retirement", detail);
        }
        Ok(())
    }
}
