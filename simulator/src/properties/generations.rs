//! What is true of the generations of matchmakers: who is in which, and what each of them holds.
//!
//! All of it is told from durable records. What must be true of it is in `one_successor`,
//! `handed_over`, `stopped`, `unmixed`, `decree`, `newest` and `chain`.

use std::collections::{BTreeMap, BTreeSet};

use matchmaker::matchmaker::MatchmakerRecord;
use matchmaker::message::{Epoch, Successor};
use paxos::acceptor::AcceptorRecord;
use paxos::actor::NodeId;
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::round::Round;
use paxos::slot::Slot;

use super::{Ghost, Verdict};

/// What one matchmaker durably holds in one generation.
#[derive(Debug, Default)]
pub(super) struct Registry {
    /// Every round that it has ever registered, or began with.
    pub(super) rounds: BTreeMap<Round, Configuration>,
    /// Rounds below are collected.
    pub(super) watermark: Option<Round>,
    /// The last watermark that it told.
    pub(super) told: Option<Round>,
}

/// All generations.
#[derive(Debug, Default)]
pub(super) struct Generations {
    /// What was chosen to come after each epoch.
    pub(super) chosen: BTreeMap<Epoch, Successor>,
    pub(super) registries: BTreeMap<(Epoch, NodeId), Registry>,
    /// The generation that each matchmaker is of, and of which it has durably begun to be.
    pub(super) serving: BTreeMap<NodeId, Epoch>,
    /// The newest generation that each matchmaker durably knows of.
    pub(super) known: BTreeMap<NodeId, Epoch>,
    /// Who has durably stopped in which.
    pub(super) stopped: BTreeSet<(Epoch, NodeId)>,
    /// Who has told so.
    pub(super) told_stopped: BTreeSet<(Epoch, NodeId)>,
    /// Durable promises and votes in decrees.
    pub(super) promised: BTreeMap<(Epoch, NodeId), Round>,
    pub(super) votes: BTreeMap<(Epoch, Round), BTreeSet<NodeId>>,
    /// What was proposed in each round of each decree.
    pub(super) proposed: BTreeMap<(Epoch, Round), Value>,
    /// Who has answered for each round, in which epoch.
    pub(super) answers: BTreeMap<Round, BTreeMap<Epoch, BTreeSet<NodeId>>>,
    /// The version of the newest configuration that a majority has registered, and its round.
    pub(super) version: Option<(u64, Round)>,
    /// The newest configuration that each matchmaker has told of.
    pub(super) newest: BTreeMap<NodeId, (u64, Round)>,
    /// The durable round of each driver.
    pub(super) used: BTreeMap<NodeId, Round>,
    /// The newest generation that each proposer durably knows of.
    pub(super) followed: BTreeMap<NodeId, Epoch>,
}

impl Ghost {
    /// The generation that the cluster was founded with serves.
    pub(super) fn found(&mut self) {
        for node in self.deployment.matchmakers.clone() {
            self.generations.serving.insert(node, self.deployment.epoch);
            self.generations.registries.insert((self.deployment.epoch, node), Registry::default());
        }
    }

    /// The cluster begins with the state of another one, and its log at `slot`.
    pub fn found_at(&mut self, slot: Slot) {
        self.deployment.first = slot;
        self.pipeline.begin_at(slot);
    }

    /// The members of a generation that was chosen, or founded.
    pub(super) fn members(&self, epoch: Epoch) -> Option<&BTreeSet<NodeId>> {
        if epoch == self.deployment.epoch {
            return Some(&self.deployment.matchmakers);
        }
        let before = Epoch(epoch.0.checked_sub(1)?);
        self.generations.chosen.get(&before).map(|successor| &successor.generation.members)
    }

    /// Whether `count` members of the generation are a majority of it.
    pub(super) fn is_majority(&self, epoch: Epoch, count: usize) -> bool {
        self.members(epoch).is_some_and(|members| count > members.len() / 2)
    }

    /// The newest generation that was chosen.
    pub fn newest_epoch(&self) -> Epoch {
        let chosen = self.generations.chosen.last_key_value();
        chosen.map_or(self.deployment.epoch, |(_, successor)| successor.generation.epoch)
    }

    /// The newest generation that was chosen, by its members.
    pub fn newest_members(&self) -> &BTreeSet<NodeId> {
        let chosen = self.generations.chosen.last_key_value();
        chosen.map_or(&self.deployment.matchmakers, |(_, successor)| &successor.generation.members)
    }

    /// What the matchmaker holds in its present generation.
    pub(super) fn registry(&self, node: NodeId) -> Option<&Registry> {
        let epoch = self.generations.serving.get(&node)?;
        self.generations.registries.get(&(*epoch, node))
    }

    /// How many members of the generation have registered the round.
    pub(super) fn registered_count(&self, epoch: Epoch, round: Round) -> usize {
        let all = self.registries_of(epoch);
        all.filter(|registry| registry.rounds.contains_key(&round)).count()
    }

    pub(super) fn registries_of(&self, epoch: Epoch) -> impl Iterator<Item = &Registry> {
        let first = (epoch, NodeId::new(paxos::actor::Seat(0), paxos::actor::Incarnation(0)));
        let all = self.generations.registries.range(first..);
        all.take_while(move |((other, _), _)| *other == epoch).map(|(_, registry)| registry)
    }

    /// Rounds below are durably collected by a majority of the generation.
    pub(super) fn collected_in(&self, epoch: Epoch) -> Round {
        let Some(members) = self.members(epoch) else { return Round::ZERO };
        let all = self.registries_of(epoch).map(|registry| registry.watermark);
        let mut watermarks: Vec<Round> = all.map(|w| w.unwrap_or(Round::ZERO)).collect();
        watermarks.sort_unstable_by(|one, two| two.cmp(one));
        watermarks.get(members.len() / 2).copied().unwrap_or(Round::ZERO)
    }

    /// Rounds below are durably collected by a majority of one generation.
    pub fn collected_watermark(&self) -> Round {
        let later = self.generations.chosen.values().map(|successor| successor.generation.epoch);
        let epochs = later.chain([self.deployment.epoch]);
        epochs.map(|epoch| self.collected_in(epoch)).max().unwrap_or(Round::ZERO)
    }

    /// Rounds below are durably collected by some matchmaker.
    pub(super) fn highest_collected(&self) -> Round {
        let all = self.generations.registries.values();
        all.filter_map(|registry| registry.watermark).max().unwrap_or(Round::ZERO)
    }

    /// A record of a matchmaker became durable.
    pub(super) fn on_matchmaker(&mut self, node: NodeId, record: &MatchmakerRecord) -> Verdict {
        let epoch = self.generations.serving.get(&node).copied().unwrap_or_default();
        match record {
            MatchmakerRecord::Registered(round, configuration) => {
                self.check_registration(node, *round, configuration)?;
                self.register(epoch, node, *round, configuration)
            }
            MatchmakerRecord::Collected(round) => {
                self.collect(epoch, node, *round)?;
                self.check_reachability()
            }
            MatchmakerRecord::Newest(..) => Ok(()),
            MatchmakerRecord::Stopped(epoch) => {
                self.generations.stopped.insert((*epoch, node));
                Ok(())
            }
            MatchmakerRecord::Decree(AcceptorRecord::Promised(round)) => {
                self.promise_decree(epoch, node, *round);
                Ok(())
            }
            MatchmakerRecord::Decree(AcceptorRecord::Voted(vote)) => {
                self.promise_decree(epoch, node, vote.round);
                self.generations.votes.entry((epoch, vote.round)).or_default().insert(node);
                let count = self.generations.votes[&(epoch, vote.round)].len();
                if self.is_majority(epoch, count) {
                    self.choose(epoch, &vote.value)?;
                }
                Ok(())
            }
            MatchmakerRecord::Decree(AcceptorRecord::Persisted(_)) => Ok(()),
            MatchmakerRecord::Activated(successor) => {
                self.check_begun(node, successor)?;
                self.begin(node, successor)
            }
            MatchmakerRecord::Succeeded(successor) => {
                self.check_begun(node, successor)?;
                self.generations.known.insert(node, successor.generation.epoch);
                self.generations.serving.remove(&node);
                Ok(())
            }
        }
    }

    fn promise_decree(&mut self, epoch: Epoch, node: NodeId, round: Round) {
        let promised = self.generations.promised.entry((epoch, node)).or_insert(round);
        *promised = round.max(*promised);
    }

    fn begin(&mut self, node: NodeId, successor: &Successor) -> Verdict {
        let epoch = successor.generation.epoch;
        self.generations.known.insert(node, epoch);
        self.generations.serving.insert(node, epoch);
        let registry = Registry {
            rounds: successor.log.clone(),
            watermark: Some(successor.watermark),
            told: None,
        };
        self.generations.registries.insert((epoch, node), registry);
        // Only the highest counts as registered: those below may have been outdone before.
        let newest = successor.newest.as_ref().map(|(_, newest)| newest.version());
        if let Some((round, configuration)) = successor.log.last_key_value()
            && Some(configuration.version()) >= newest
        {
            self.note_matched(epoch, *round, configuration)?;
        }
        self.check_reachability()
    }
}
