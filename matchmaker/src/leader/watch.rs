//! Who is there: the leader asks everyone in use now and then, and notes who answers in time.
//!
//! An answer of an actor leaves when its earlier records are durable. So one that is missing means a
//! process that is dead or cut off, or a disk that has stalled under what the actor has to write; the
//! leader need not know which. A disk that stalls while nobody writes is found when somebody does.
//!
//! A spare may be off, and is asked all the same. So what comes into use was silent from then on at most:
//! an operator may have started it just now.
//!
//! Time is counted in questions: there is one every quarter of the time after which a member is
//! suspected. Actors of one process share its disk and its fate, and its incarnation tells that they do.
//!
//! *Paper*: none. No safety rests on it.

use std::collections::{BTreeMap, BTreeSet};

use paxos::actor::{Incarnation, NodeId};
use paxos::message::{ArchivedA, ProbeA, ToAcceptor, ToArchive};
use paxos::mutant::{self, Mutant};
use paxos::quorum::MemberSet;
use paxos::round::Round;
use paxos::slot::Slot;

use super::healing::Course;
use super::{Fx, Leader, LeaderTimer, Phase};
use crate::message::{ReachA, ReachB, ToMatchmaker};

/// Sets the questions of the watch apart from those of elections, handovers and new acceptors.
const NONCE: u64 = 1 << 62;

/// So many bits of a nonce number the question, and those above it the leadership.
const QUESTION_BITS: u32 = 32;

/// How many questions fill the time after which a member is suspected.
pub(super) const QUESTIONS: u64 = 4;

/// What is known of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Sign {
    /// It was silent since this question at most.
    since: u64,
    /// Whether it has ever answered in time.
    has_answered: bool,
}

/// Who is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Watch {
    /// Sets the questions of this leadership apart from those of earlier ones.
    base: u64,
    /// The number of the last question.
    question: u64,
    signs: BTreeMap<NodeId, Sign>,
    /// Those that were in use at the last question.
    in_use: BTreeSet<NodeId>,
    /// What was done about it.
    pub(super) course: Course,
}

impl Watch {
    /// Nobody was asked yet, in the leadership of `round`.
    pub(super) fn new(round: Round) -> Self {
        let leadership = round.number << QUESTION_BITS & (NONCE - 1);
        Self { base: NONCE | leadership, ..Self::default() }
    }

    /// The number of the last question.
    pub(super) fn question(&self) -> u64 {
        self.question
    }

    /// Counts an answer to the question with `nonce`, if it comes in time.
    pub(super) fn hear(&mut self, from: NodeId, nonce: u64) {
        let Some(question) = nonce.checked_sub(self.base) else { return };
        if question <= self.question && self.question - question < QUESTIONS {
            self.note(from);
        }
    }

    /// Counts a sign of life that came just now.
    fn note(&mut self, from: NodeId) {
        if let Some(sign) = self.signs.get_mut(&from) {
            *sign = Sign { since: self.question + 1, has_answered: true };
        }
    }

    /// Whether `node` was asked for long enough and has answered nothing in time.
    pub(super) fn is_silent(&self, node: NodeId) -> bool {
        let patience = if mutant::is_on(Mutant::SuspectAtOnce) { 1 } else { QUESTIONS };
        let sign = self.signs.get(&node);
        sign.is_some_and(|sign| self.question >= sign.since + patience)
    }

    /// Whether `node` has answered the last question, or the one before.
    pub(super) fn is_answering(&self, node: NodeId) -> bool {
        let sign = self.signs.get(&node);
        sign.is_some_and(|sign| sign.has_answered && self.question <= sign.since + 1)
    }

    /// These are in use. One that was not, and did not answer, is given its time.
    fn admit(&mut self, in_use: BTreeSet<NodeId>) {
        let sign = Sign { since: self.question, has_answered: false };
        for node in in_use.difference(&self.in_use) {
            let is_spare = self.signs.contains_key(node) && !self.is_answering(*node);
            if is_spare && !mutant::is_on(Mutant::SpareSuspected) {
                self.signs.insert(*node, sign);
            }
        }
        self.in_use = in_use;
    }

    /// Watches these from now on, and no others.
    fn follow(&mut self, nodes: &BTreeSet<NodeId>) {
        self.signs.retain(|node, _| nodes.contains(node));
        let sign = Sign { since: self.question, has_answered: false };
        for node in nodes {
            self.signs.entry(*node).or_insert(sign);
        }
    }
}

/// Those that are watched, by how they are asked.
struct Watched {
    acceptors: BTreeSet<NodeId>,
    matchmakers: BTreeSet<NodeId>,
    archives: BTreeSet<NodeId>,
}

impl Leader {
    /// Begins to watch, in a new leadership.
    pub(super) fn start_watch(&mut self, fx: &mut Fx) {
        self.ask_around(fx);
        let period = self.options.healing.suspect_after / QUESTIONS as u32;
        fx.set_timer(LeaderTimer::Watch, period..period + period / 20);
    }

    /// Sees who is silent, does what there is to do about it, and asks again.
    pub(super) fn on_watch_timer(&mut self, fx: &mut Fx) {
        let in_use = self.in_use().copied().collect();
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        phase2.watch.question += 1;
        phase2.watch.admit(in_use);
        if self.is_stalled() && !mutant::is_on(Mutant::StalledLeaderStays) {
            self.give_up(fx);
        } else {
            self.heal(fx);
        }
        self.start_watch(fx);
    }

    /// Who is to answer. Without healing, only what tells whether the disk beside this leader works, and
    /// who might lead instead.
    fn watched(&self) -> Watched {
        let Phase::Phase2(phase2) = &self.phase else { return Watched::nobody() };
        let membership = phase2.configuration.membership();
        let is_on = self.options.healing.is_on;
        let spares = |all: &BTreeSet<NodeId>| if is_on { all.clone() } else { BTreeSet::new() };
        let mut watched = Watched {
            acceptors: spares(&membership.acceptors),
            matchmakers: spares(&membership.matchmakers),
            archives: membership.archives.clone(),
        };
        watched.acceptors.extend(phase2.configuration.members());
        if is_on {
            watched.matchmakers.extend(&self.matchmakers.members);
        }
        watched
    }

    fn ask_around(&mut self, fx: &mut Fx) {
        let Watched { acceptors, matchmakers, archives } = self.watched();
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        let all = acceptors.iter().chain(&matchmakers).chain(&archives).copied().collect();
        phase2.watch.follow(&all);
        let nonce = phase2.watch.base + phase2.watch.question;
        fx.broadcast(&acceptors, ToAcceptor::ProbeA(ProbeA { nonce }));
        fx.broadcast(&matchmakers, ToMatchmaker::ReachA(ReachA { nonce }));
        fx.broadcast(&archives, ToArchive::ArchivedA(ArchivedA { watermark: Slot::ZERO }));
    }

    /// Counts a matchmaker that is there.
    pub fn on_reach_b(&mut self, from: NodeId, m: &ReachB) {
        if let Phase::Phase2(phase2) = &mut self.phase {
            phase2.watch.hear(from, m.nonce);
        }
    }

    /// Counts an archive that is there. Its answers are not numbered: they come in the order of the
    /// questions, and what they tell is when there was none.
    pub(super) fn hear_archive(&mut self, from: NodeId) {
        if let Phase::Phase2(phase2) = &mut self.phase {
            phase2.watch.note(from);
        }
    }

    /// Actors that the cluster works with: if one is silent, so is its process.
    fn in_use(&self) -> impl Iterator<Item = &NodeId> {
        let (members, archives) = match &self.phase {
            Phase::Phase2(phase2) => {
                let configuration = &phase2.configuration;
                (configuration.members(), Some(&configuration.membership().archives))
            }
            Phase::Idle | Phase::Asking { .. } | Phase::Matching(_) | Phase::Phase1(_) => {
                (&[][..], None)
            }
        };
        members.iter().chain(archives.into_iter().flatten()).chain(&self.matchmakers.members)
    }

    /// Whether an actor in use of a process is silent.
    pub(super) fn is_process_silent(&self, incarnation: Incarnation) -> bool {
        let Phase::Phase2(phase2) = &self.phase else { return false };
        let mut beside = self.in_use().filter(|node| node.incarnation == incarnation);
        beside.any(|node| phase2.watch.is_silent(*node))
    }

    /// Whether an actor of a process answers, and none in use is silent.
    pub(super) fn is_process_answering(&self, incarnation: Incarnation) -> bool {
        let Phase::Phase2(phase2) = &self.phase else { return false };
        let mut beside = self.in_use().filter(|node| node.incarnation == incarnation);
        beside.any(|node| phase2.watch.is_answering(*node)) && !self.is_process_silent(incarnation)
    }

    /// Those in use that are silent, and all others in use of their processes.
    pub(super) fn suspects(&self) -> BTreeSet<NodeId> {
        let all = self.in_use().copied();
        all.filter(|node| self.is_process_silent(node.incarnation)).collect()
    }

    /// Whether the disk of this process has stalled. Nothing is lost between this leader and the actors
    /// beside it, so one that does not answer waits for its records.
    fn is_stalled(&self) -> bool {
        self.is_process_silent(self.node.incarnation)
    }

    /// The acceptors of the present configuration that answer.
    pub(super) fn answering(&self) -> MemberSet {
        let Phase::Phase2(phase2) = &self.phase else { return MemberSet::EMPTY };
        let members = phase2.configuration.members().iter();
        let answering = members.filter(|node| phase2.watch.is_answering(**node));
        phase2.configuration.members_among(answering)
    }
}

impl Watched {
    fn nobody() -> Self {
        let (acceptors, matchmakers) = (BTreeSet::new(), BTreeSet::new());
        Self { acceptors, matchmakers, archives: BTreeSet::new() }
    }
}
