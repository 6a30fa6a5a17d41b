//! A leader replaces a member by itself only if that has been silent to it, by a spare that answers, one at a time, and never so that fewer failures stop the cluster.
//!
//! The judge counts for itself which questions of a leader were answered in time, by what is delivered.
//!
//! | | |
//! |---|---|
//! | property | A26 healing |
//! | paper | - |
//! | module | `matchmaker::leader::healing` |
//! | model | - |

use std::collections::{BTreeMap, BTreeSet};

use matchmaker::leader::Heal;
use matchmaker::message::{Generation, Message, Part, ToMatchmaker, ToProposer, ToReconfigurer};
use matchmaker::proposer::Proposer;
use paxos::actor::{Incarnation, NodeId};
use paxos::configuration::Configuration;
use paxos::message::{FromAcceptor, ToAcceptor};
use paxos::round::Round;

use super::{Ghost, Property, Verdict, fail};
use crate::coverage::Situation;

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "A26",
    name: "healing",
    statement: "A leader replaces a member by itself only if that has been silent to it, by a spare that answers, one at a time, and never so that fewer failures stop the cluster.",
    paper: "-",
    module: "`matchmaker::leader::healing`",
};

/// Questions without an answer in time after which a member may be suspected.
const PATIENCE: u64 = 4;

/// Only questions of the watch have this bit.
const WATCH: u64 = 1 << 62;

/// What was delivered to a leader, counted in its questions.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    /// The number of the rounds of this leadership.
    number: u64,
    /// Its last question.
    question: u64,
    /// The first question to each node.
    asked: BTreeMap<NodeId, u64>,
    /// The question at which each node last answered in time.
    heard: BTreeMap<NodeId, u64>,
    /// Nodes that were silent at the last question.
    silent: BTreeSet<NodeId>,
    /// Nodes that were in use then.
    in_use: BTreeSet<NodeId>,
    /// The replacement under way, and the question at which the last one began.
    heal: Option<Heal>,
    began: Option<u64>,
    /// How many questions in a row its own disk had stalled while another could lead.
    pub(super) stalled: u64,
}

impl Hearing {
    /// The number of the question that `nonce` names, if it is one of this leadership.
    fn numbered(&self, nonce: u64) -> Option<u64> {
        let is_own = nonce >> 32 == (WATCH | (self.number << 32 & (WATCH - 1))) >> 32;
        is_own.then_some(nonce & u64::from(u32::MAX))
    }

    fn is_silent(&self, node: NodeId) -> bool {
        let since = match (self.heard.get(&node), self.asked.get(&node)) {
            (Some(heard), _) => heard + 1,
            (None, Some(asked)) => *asked,
            (None, None) => return false,
        };
        self.question >= since + PATIENCE
    }

    /// These are in use now. One that was not before, and did not answer, is as if it was asked only now.
    fn admit(&mut self, in_use: BTreeSet<NodeId>) {
        for node in in_use.difference(&self.in_use) {
            if self.asked.contains_key(node) && !self.is_answering(node) {
                self.heard.remove(node);
                self.asked.insert(*node, self.question);
            }
        }
        self.in_use = in_use;
    }

    fn is_answering(&self, node: &NodeId) -> bool {
        self.heard.get(node).is_some_and(|heard| self.question <= heard + 2)
    }
}

/// Who takes part in a round, for a leader.
pub(super) struct Scene<'a> {
    pub(super) leader: NodeId,
    pub(super) configuration: &'a Configuration,
    pub(super) generation: &'a Generation,
}

impl Scene<'_> {
    fn in_use(&self) -> impl Iterator<Item = &NodeId> {
        let archives = &self.configuration.membership().archives;
        self.configuration.members().iter().chain(archives).chain(&self.generation.members)
    }

    pub(super) fn is_process_silent(&self, hearing: &Hearing, incarnation: Incarnation) -> bool {
        let mut beside = self.in_use().filter(|node| node.incarnation == incarnation);
        beside.any(|node| hearing.is_silent(*node))
    }

    pub(super) fn is_process_answering(&self, hearing: &Hearing, incarnation: Incarnation) -> bool {
        let mut beside = self.in_use().filter(|node| node.incarnation == incarnation);
        beside.any(|node| hearing.is_answering(node))
            && !self.is_process_silent(hearing, incarnation)
    }

    /// Whether a Phase 1 quorum answers.
    pub(super) fn has_phase1(&self, hearing: &Hearing) -> bool {
        let members = self.configuration.members().iter();
        let answering = members.filter(|node| hearing.is_answering(node));
        self.configuration.is_phase1(self.configuration.members_among(answering))
    }

    /// Why `heal` must not be.
    fn objection(&self, hearing: &Hearing, heal: Heal) -> Option<&'static str> {
        let membership = self.configuration.membership();
        let (present, pool): (BTreeSet<NodeId>, _) = match heal.part {
            Part::Acceptor => {
                (self.configuration.members().iter().copied().collect(), &membership.acceptors)
            }
            Part::Matchmaker => (self.generation.members.clone(), &membership.matchmakers),
        };
        let mut next = present.clone();
        if !next.remove(&heal.member) || !next.insert(heal.spare) || !pool.contains(&heal.spare) {
            return Some("it is not one member for one spare");
        }
        if !self.is_process_silent(hearing, heal.member.incarnation) {
            return Some("the member has answered in time");
        }
        if !hearing.is_answering(&heal.spare) {
            return Some("the spare does not answer");
        }
        let processes = |nodes: &BTreeSet<NodeId>| {
            nodes.iter().map(|node| node.incarnation).collect::<BTreeSet<_>>().len()
        };
        if processes(&next) < processes(&present) {
            return Some("one process has more members than before");
        }
        let answering = next.iter().filter(|node| hearing.is_answering(node));
        let is_working = match heal.part {
            Part::Matchmaker => answering.count() > next.len() / 2,
            Part::Acceptor => {
                let system = self.configuration.system();
                let next = Configuration::new(0, system, next.iter().copied()).ok()?;
                let answering = next.members_among(answering);
                next.is_phase1(answering) && next.is_phase2(answering)
            }
        };
        (!is_working).then_some("too few of the next ones answer")
    }
}

impl Ghost {
    /// A message is delivered.
    pub fn on_deliver(&mut self, from: NodeId, to: NodeId, message: &Message) -> Option<Situation> {
        let hearing = self.hearings.get_mut(&to)?;
        let nonce = match message {
            Message::Proposer(ToProposer::Acceptor(FromAcceptor::ProbeB(m))) => Some(m.nonce),
            Message::Proposer(ToProposer::Reconfigurer(ToReconfigurer::ReachB(m))) => Some(m.nonce),
            Message::Proposer(ToProposer::ArchivedB(_)) => None,
            _ => return None,
        };
        let is_timely = nonce.is_none_or(|nonce| {
            let question = hearing.numbered(nonce).filter(|question| *question <= hearing.question);
            question.is_some_and(|question| hearing.question - question < PATIENCE)
        });
        if !is_timely {
            return None;
        }
        hearing.heard.insert(from, hearing.question);
        hearing.silent.remove(&from).then_some(Situation::SuspectReturned)
    }

    /// A leader asks who is there.
    pub(super) fn note_question(&mut self, from: NodeId, to: NodeId, message: &Message) {
        let nonce = match message {
            Message::Acceptor(ToAcceptor::ProbeA(m)) => m.nonce,
            Message::Matchmaker(ToMatchmaker::ReachA(m)) => m.nonce,
            _ => return,
        };
        if let Some(hearing) = self.hearings.get_mut(&from)
            && let Some(question) = hearing.numbered(nonce)
        {
            hearing.asked.entry(to).or_insert(question);
        }
    }

    /// A proposer has taken a turn. Returns what it has come to, that is worth counting.
    pub fn watch(&mut self, node: NodeId, proposer: &Proposer) -> Verdict<Option<Situation>> {
        let leader = proposer.leader();
        let Some(round) = leader.leads_in() else {
            self.hearings.remove(&node);
            return Ok(None);
        };
        let mut hearing = self.hearings.remove(&node).unwrap_or_default();
        if hearing.number != round.number {
            hearing = Hearing { number: round.number, ..Hearing::default() };
        }
        let is_asking = leader.question() != hearing.question;
        hearing.question = leader.question();
        let Some(configuration) = self.rounds.get(&round) else { return Ok(None) };
        for archive in &configuration.membership().archives {
            hearing.asked.entry(*archive).or_insert(0);
        }
        let scene = Scene { leader: node, configuration, generation: leader.matchmakers() };
        if is_asking {
            hearing.admit(scene.in_use().copied().collect());
            self.check_giving_up(&scene, &mut hearing, leader.has_given_up())?;
            let silent = scene.in_use().filter(|node| hearing.is_silent(**node)).copied();
            hearing.silent = silent.collect();
        }
        let before = std::mem::replace(&mut hearing.heal, leader.healing());
        let situation = match (before, hearing.heal) {
            (None, Some(heal)) => {
                self.check_heal(&scene, &hearing, heal, round)?;
                hearing.began = Some(hearing.question);
                None
            }
            (Some(heal), None) => Some(scene.outcome(heal)),
            (_, _) => None,
        };
        self.hearings.insert(node, hearing);
        Ok(situation)
    }

    fn check_heal(
        &self,
        scene: &Scene<'_>,
        hearing: &Hearing,
        heal: Heal,
        round: Round,
    ) -> Verdict {
        let is_hasty = self.collected_watermark() < round
            || hearing.began.is_some_and(|began| hearing.question < began + PATIENCE);
        let hasty = is_hasty.then_some("the last change is not over");
        let Some(objection) = hasty.or_else(|| scene.objection(hearing, heal)) else {
            return Ok(());
        };
        let [leader, member, spare] =
            [scene.leader, heal.member, heal.spare].map(|node| self.name(node));
        fail(PROPERTY, format!("{leader} replaces {member} by {spare} in {round}: {objection}"))
    }

    /// The newest configuration that a majority of the matchmakers has registered.
    pub fn newest_configuration(&self) -> &Configuration {
        let newest = self.matched.last().and_then(|round| self.rounds.get(round));
        newest.unwrap_or(&self.deployment.initial)
    }
}

impl Scene<'_> {
    fn outcome(&self, heal: Heal) -> Situation {
        let is_in = match heal.part {
            Part::Acceptor => self.configuration.position(heal.spare).is_some(),
            Part::Matchmaker => self.generation.members.contains(&heal.spare),
        };
        match (is_in, heal.part) {
            (true, Part::Acceptor) => Situation::AcceptorHealed,
            (true, Part::Matchmaker) => Situation::MatchmakerHealed,
            (false, _) => Situation::HealingFailed,
        }
    }
}
