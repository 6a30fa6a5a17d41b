//! What is left of a cluster: what the disks of some of its processes still prove.
//!
//! It asks the records what a new leader would ask the actors: the matchmakers for the rounds that may
//! have chosen something, a Phase 1 quorum of each for its votes, the archives for what is below. If all
//! answer, nothing that a client was told can be missing: a client is answered when a replica has
//! executed its command, and so when that slot and all below are chosen. If some do not answer, that is
//! a doubt, and what is found is only *a* state in which the cluster may have been.
//!
//! ```text
//!            known_end         first slot without a vote
//!                │                    │
//!  ──────────────┼────────────────────┼───────────────
//!  chosen, the   │ votes: the highest │ hole: later votes are left out
//!  value is here │ round of each slot │
//! ```
//!
//! *Why votes are taken*: each may have been chosen by acceptors that are gone, and its client told so.
//! Of two rounds the higher one is taken, because it was proposed in knowledge of the lower one. *Why it
//! ends at a hole*: a state in which a later command is executed and an earlier one is not is one in
//! which no replica ever was.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use paxos::acceptor::Acceptor;
use paxos::actor::{Incarnation, NodeId, RestoreError};
use paxos::archive::Archive;
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::round::Round;
use paxos::slot::Slot;
use paxos::snapshot::{Chunk, SnapshotOptions};

use crate::leader::LeaderRecord;
use crate::matchmaker::Matchmaker;
use crate::message::Generation;
use crate::node::NodeRecord;

/// Actors of a cluster that do not run, as their disks tell them.
#[derive(Clone, Debug)]
pub struct Remains {
    /// The matchmakers that the cluster was founded with.
    founders: Generation,
    /// The newest matchmakers that anybody here knows of.
    generation: Generation,
    /// The memories that are here. An actor of one that has no record has said nothing.
    memories: BTreeSet<Incarnation>,
    acceptors: BTreeMap<NodeId, Acceptor>,
    archives: BTreeMap<NodeId, Archive>,
    matchmakers: BTreeMap<NodeId, Matchmaker>,
    /// Configurations that proposers knew of.
    heard: BTreeMap<Round, Configuration>,
}

/// What they prove together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Exclusive; all slots below are chosen, and what was chosen is here.
    pub known_end: Slot,
    /// The slots from there on that have votes here, up to the first one that has none.
    pub candidates: Vec<Candidate>,
    /// Slots with votes behind the first one that has none.
    pub beyond: BTreeSet<Slot>,
    /// The newest configuration that is known here, and its round.
    pub newest: Option<(Round, Configuration)>,
    /// Why something that a client was told may be missing. If there is no reason, nothing is.
    pub doubts: Vec<Doubt>,
}

/// The vote of the highest round in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The slot.
    pub slot: Slot,
    /// The round.
    pub round: Round,
    /// What was voted for.
    pub value: Value,
    /// Who voted for it.
    pub voters: BTreeSet<NodeId>,
    /// Whether those are a Phase 2 quorum. If not, it may be chosen or not.
    pub is_chosen: bool,
}

/// Why something may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// No majority of the newest matchmakers is here and at work, so there may have been later
    /// configurations.
    Matchmakers {
        /// The newest that are known.
        generation: Generation,
        /// Those of them that are here.
        here: BTreeSet<NodeId>,
    },
    /// No Phase 1 quorum of this configuration is here.
    Acceptors {
        /// Its round.
        round: Round,
        /// The configuration.
        configuration: Configuration,
        /// Those of its acceptors that are here.
        here: BTreeSet<NodeId>,
    },
    /// These slots are known to be chosen, and what was chosen is not here. It is lost.
    Archives {
        /// The first.
        from: Slot,
        /// Exclusive.
        to: Slot,
    },
}

/// Two disks contradict each other: they are not of one cluster, or one was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction(String);

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Contradiction {}

impl Remains {
    /// Nothing yet, of a cluster that was founded with these matchmakers.
    pub fn new(founders: Generation) -> Self {
        Self {
            generation: founders.clone(),
            founders,
            memories: BTreeSet::new(),
            acceptors: BTreeMap::new(),
            archives: BTreeMap::new(),
            matchmakers: BTreeMap::new(),
            heard: BTreeMap::new(),
        }
    }

    /// A process with this memory is here.
    pub fn add(&mut self, memory: Incarnation) {
        self.memories.insert(memory);
    }

    /// Somebody knows of these matchmakers.
    pub fn learn(&mut self, generation: &Generation) {
        if generation.epoch > self.generation.epoch {
            self.generation = generation.clone();
        }
    }

    /// Folds one record of the actor at `node`, in the order of its log.
    pub fn restore(&mut self, node: NodeId, record: NodeRecord) {
        match record {
            NodeRecord::Acceptor(record) => self.acceptors.entry(node).or_default().restore(record),
            NodeRecord::Archive(record) => {
                let empty = || Archive::new(node, SnapshotOptions::default());
                self.archives.entry(node).or_insert_with(empty).restore(record);
            }
            NodeRecord::Matchmaker(record) => {
                let founders = &self.founders;
                let first = || match founders.members.contains(&node) {
                    true => Matchmaker::new(founders.clone()),
                    false => Matchmaker::pending(),
                };
                self.matchmakers.entry(node).or_insert_with(first).restore(record);
            }
            NodeRecord::Proposer(LeaderRecord::Newest(round, configuration)) => {
                self.heard.insert(round, configuration);
            }
            NodeRecord::Proposer(LeaderRecord::Matchmakers(generation)) => self.learn(&generation),
            NodeRecord::Proposer(LeaderRecord::Used(_))
            | NodeRecord::Session(_)
            | NodeRecord::Reconfigurer(_) => {}
        }
    }

    /// Whether the records tell whole logs.
    ///
    /// *Errors*: those of an archive do not.
    pub fn check(&self) -> Result<(), RestoreError> {
        self.archives.values().try_for_each(Archive::check_restored)
    }

    /// The latest snapshot, in chunks; nothing if there is none.
    pub fn snapshot(&self) -> impl Iterator<Item = &Chunk> {
        let latest = self.archives.values().max_by_key(|archive| archive.base());
        latest.into_iter().flat_map(Archive::restored)
    }

    /// The slot of the latest snapshot.
    pub fn base(&self) -> Slot {
        self.archives.values().map(Archive::base).max().unwrap_or(Slot::ZERO)
    }

    /// What is known to be chosen in `slot`, if it is here.
    pub fn value(&self, slot: Slot) -> Option<&Value> {
        self.archives.values().find_map(|archive| archive.value(slot))
    }

    /// What the records prove.
    ///
    /// *Errors*: they contradict each other.
    ///
    /// *Cost*: O(values and votes).
    pub fn judge(&self) -> Result<Judgement, Contradiction> {
        let known_end = self.known_end()?;
        let history = self.history();
        let (mut candidates, mut beyond) = (Vec::new(), BTreeSet::new());
        let mut next = known_end;
        for candidate in self.highest_votes(known_end, &history)? {
            if candidate.slot == next {
                next = next.next();
                candidates.push(candidate);
            } else {
                beyond.insert(candidate.slot);
            }
        }
        let doubts = self.doubts(known_end, &history);
        let newest = history.into_iter().max_by_key(|(round, c)| (c.version(), *round));
        Ok(Judgement { known_end, candidates, beyond, newest, doubts })
    }

    fn known_end(&self) -> Result<Slot, Contradiction> {
        let mut slot = self.base();
        loop {
            let mut values = self.archives.values().filter_map(|archive| archive.value(slot));
            let Some(value) = values.next() else { return Ok(slot) };
            if values.any(|other| other != value) {
                return Err(Contradiction(format!("two values are chosen in slot {slot}")));
            }
            slot = slot.next();
        }
    }

    /// Rounds that may have chosen something, as far as is known here.
    fn history(&self) -> BTreeMap<Round, Configuration> {
        let serving = self.matchmakers.values().filter(|m| self.is_present(m));
        let watermark = serving.map(Matchmaker::watermark).max().unwrap_or(Round::ZERO);
        let registered = self.matchmakers.values().flat_map(Matchmaker::log);
        let known = self.heard.iter().chain(registered);
        let kept = known.filter(|(round, _)| **round >= watermark);
        kept.map(|(round, configuration)| (*round, configuration.clone())).collect()
    }

    /// Whether a matchmaker is of the newest generation and has not stopped.
    fn is_present(&self, matchmaker: &Matchmaker) -> bool {
        matchmaker.is_active() && matchmaker.generation() == Some(&self.newest_generation())
    }

    fn newest_generation(&self) -> Generation {
        let known = self.matchmakers.values().filter_map(Matchmaker::generation);
        let all = known.chain([&self.generation]);
        all.max_by_key(|generation| generation.epoch).unwrap_or(&self.generation).clone()
    }

    fn is_here(&self, node: NodeId) -> bool {
        self.memories.contains(&node.incarnation)
    }

    fn highest_votes(
        &self,
        from: Slot,
        history: &BTreeMap<Round, Configuration>,
    ) -> Result<Vec<Candidate>, Contradiction> {
        let mut highest: BTreeMap<Slot, Candidate> = BTreeMap::new();
        for (node, acceptor) in &self.acceptors {
            for (slot, (round, value)) in acceptor.votes().filter(|(slot, _)| *slot >= from) {
                let known = highest.get_mut(&slot).filter(|known| known.round >= *round);
                match known {
                    Some(known) if known.round == *round && known.value != *value => {
                        let text = format!("slot {slot} has votes for two values in round {round}");
                        return Err(Contradiction(text));
                    }
                    Some(known) if known.round == *round => {
                        known.voters.insert(*node);
                    }
                    Some(_) => {}
                    None => {
                        let (round, value) = (*round, value.clone());
                        let (voters, is_chosen) = ([*node].into(), false);
                        highest.insert(slot, Candidate { slot, round, value, voters, is_chosen });
                    }
                }
            }
        }
        for candidate in highest.values_mut() {
            candidate.is_chosen = history.get(&candidate.round).is_some_and(|configuration| {
                configuration.is_phase2(configuration.members_among(&candidate.voters))
            });
        }
        Ok(highest.into_values().collect())
    }

    fn doubts(&self, known_end: Slot, history: &BTreeMap<Round, Configuration>) -> Vec<Doubt> {
        let generation = self.newest_generation();
        // One of the founders that has no record is at work, and knows nothing.
        let is_new = generation == self.founders;
        let at_work = |node: &NodeId| match self.matchmakers.get(node) {
            Some(matchmaker) => self.is_present(matchmaker),
            None => is_new && self.is_here(*node),
        };
        let here: BTreeSet<NodeId> =
            generation.members.iter().copied().filter(|node| at_work(node)).collect();
        let mut doubts = Vec::new();
        if here.len() < generation.majority() {
            doubts.push(Doubt::Matchmakers { generation, here });
        }
        for (round, configuration) in history {
            let members = configuration.members().iter().copied();
            let here: BTreeSet<NodeId> = members.filter(|node| self.is_here(*node)).collect();
            if !configuration.is_phase1(configuration.members_among(&here)) {
                let (round, configuration) = (*round, configuration.clone());
                doubts.push(Doubt::Acceptors { round, configuration, here });
            }
        }
        let told = self.acceptors.values().map(Acceptor::persisted_watermark).max();
        if let Some(to) = told.filter(|told| *told > known_end) {
            doubts.push(Doubt::Archives { from: known_end, to });
        }
        doubts
    }
}

#[cfg(test)]
mod tests;
