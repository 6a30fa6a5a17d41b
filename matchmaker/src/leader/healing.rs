//! Self-healing: a leader replaces members that have fallen silent by spares that answer, and gives up
//! the leadership when it is its own disk that has stalled.
//!
//! An acceptor is replaced by an ordinary reconfiguration, a matchmaker by an ordinary handover; nothing
//! here can break what those keep. What an operator asks for goes first. There is one replacement at a
//! time, and the next one waits until all before it is collected; each one in a row makes the leader
//! wait twice as long, so that a member that comes and goes does not keep the cluster moving. Who was
//! replaced and comes back is a spare.
//!
//! *Paper*: none; it uses sections 4 and 5.

use std::collections::BTreeSet;

use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::mutant::{self, Mutant};
use paxos::quorum::MemberSet;

use super::reach::Reach;
use super::watch::QUESTIONS;
use super::{Fx, Leader, Phase};
use crate::message::{
    Healing, HealingProgress, HealingStatus, Part, TakeOver, ToApplication, ToProposer,
};

/// The pause after a replacement doubles so often at most.
const DOUBLINGS_MAX: u32 = 6;

/// A member that a leader replaces by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Heal {
    /// What it is replaced as.
    pub part: Part,
    /// The member that is silent.
    pub member: NodeId,
    /// The spare that takes its place.
    pub spare: NodeId,
}

/// What a leader has done about silent members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Course {
    /// The last replacement, how far it is, and the question at which it began.
    last: Option<(Heal, HealingProgress, u64)>,
    /// Replacements in a row, without a quiet time between them.
    row: u32,
    /// Nothing is begun before this question.
    rest_until: u64,
    /// Matchmakers that the driver beside this leader is to hand over to.
    wanted: Option<BTreeSet<NodeId>>,
    /// Whether this leader has asked another one to take over.
    has_given_up: bool,
}

impl Course {
    fn begin(&mut self, heal: Heal, question: u64) {
        let is_quiet = question > self.rest_until + self.pause();
        self.row = if is_quiet { 0 } else { (self.row + 1).min(DOUBLINGS_MAX) };
        self.rest_until = question + self.pause();
        self.last = Some((heal, HealingProgress::Began, question));
    }

    /// In questions.
    fn pause(&self) -> u64 {
        QUESTIONS << self.row
    }

    fn under_way(&self) -> Option<Heal> {
        let (heal, progress, _) = self.last?;
        (progress == HealingProgress::Began).then_some(heal)
    }
}

impl Leader {
    /// The replacement under way that this leader has begun by itself.
    pub fn healing(&self) -> Option<Heal> {
        match &self.phase {
            Phase::Phase2(phase2) => phase2.watch.course.under_way(),
            Phase::Idle | Phase::Asking { .. } | Phase::Matching(_) | Phase::Phase1(_) => None,
        }
    }

    /// Whether it leads only until another one does, because its disk has stalled.
    pub fn has_given_up(&self) -> bool {
        match &self.phase {
            Phase::Phase2(phase2) => phase2.watch.course.has_given_up,
            Phase::Idle | Phase::Asking { .. } | Phase::Matching(_) | Phase::Phase1(_) => false,
        }
    }

    /// The matchmakers that it wants the driver beside it to hand over to, once.
    pub fn take_wanted_matchmakers(&mut self) -> Option<BTreeSet<NodeId>> {
        match &mut self.phase {
            Phase::Phase2(phase2) => phase2.watch.course.wanted.take(),
            Phase::Idle | Phase::Asking { .. } | Phase::Matching(_) | Phase::Phase1(_) => None,
        }
    }

    pub(super) fn healing_status(&self) -> HealingStatus {
        let options = &self.options.healing;
        let suspect_after_ms = options.suspect_after.as_millis() as u64;
        let last = match &self.phase {
            Phase::Phase2(phase2) => phase2.watch.course.last,
            Phase::Idle | Phase::Asking { .. } | Phase::Matching(_) | Phase::Phase1(_) => None,
        };
        let elapsed = last.map_or(0, |(_, _, began)| self.question() - began);
        HealingStatus {
            is_on: options.is_on,
            suspect_after_ms,
            suspects: self.suspects(),
            spares: self.spares(Part::Acceptor).chain(self.spares(Part::Matchmaker)).collect(),
            last: last.map(|(heal, progress, _)| self.report(heal, progress)),
            last_ms_ago: elapsed * suspect_after_ms / QUESTIONS,
        }
    }

    /// How often it has asked who is there, since it leads.
    pub fn question(&self) -> u64 {
        match &self.phase {
            Phase::Phase2(phase2) => phase2.watch.question(),
            Phase::Idle | Phase::Asking { .. } | Phase::Matching(_) | Phase::Phase1(_) => 0,
        }
    }

    fn report(&self, heal: Heal, progress: HealingProgress) -> Healing {
        let suspect_after_ms = self.options.healing.suspect_after.as_millis() as u64;
        let Heal { part, member, spare } = heal;
        Healing { part, member, spare, suspect_after_ms, progress }
    }

    fn tell(&self, heal: Heal, progress: HealingProgress, fx: &mut Fx) {
        let m = ToApplication::Healing(self.report(heal, progress));
        fx.broadcast(&self.membership().applications, m);
    }

    /// Asks a proposer whose process answers to take over, another one each time; if a Phase 1 quorum
    /// answers, without which it could not.
    ///
    /// Needs no disk: the leader goes on until the other one is heard of.
    pub(super) fn give_up(&mut self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &self.phase else { return };
        let proposers = phase2.configuration.membership().proposers.iter();
        let heirs: Vec<NodeId> = proposers
            .filter(|heir| **heir != self.node && self.is_process_answering(heir.incarnation))
            .copied()
            .collect();
        if heirs.is_empty() || !phase2.configuration.is_phase1(self.answering()) {
            return;
        }
        let turn = phase2.watch.question() as usize % heirs.len();
        fx.send(heirs[turn], ToProposer::TakeOver(TakeOver { round: phase2.round }));
        if let Phase::Phase2(phase2) = &mut self.phase {
            phase2.watch.course.has_given_up = true;
        }
    }

    /// Replaces one silent member, if one can be replaced now.
    pub(super) fn heal(&mut self, fx: &mut Fx) {
        self.give_up_replacement(fx);
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        phase2.watch.course.has_given_up = false;
        let course = &phase2.watch.course;
        let is_hasty = mutant::is_on(Mutant::HealsTwoAtOnce);
        let is_off = !self.options.healing.is_on;
        let is_quiet = phase2.is_collected() && phase2.watch.question() >= course.rest_until;
        let is_busy = phase2.next.is_some() || phase2.queued.is_some();
        if is_off || is_busy || !(is_quiet || is_hasty) {
            return;
        }
        if let Some((heal, configuration)) = self.failed_acceptor() {
            self.begin(heal, fx);
            let asked = Reach::Asked(MemberSet::EMPTY);
            self.start_next(configuration, None, asked, fx);
        } else if let Some((heal, members)) = self.failed_matchmaker() {
            self.begin(heal, fx);
            if let Phase::Phase2(phase2) = &mut self.phase {
                phase2.watch.course.wanted = Some(members);
            }
        }
    }

    fn begin(&mut self, heal: Heal, fx: &mut Fx) {
        self.tell(heal, HealingProgress::Began, fx);
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        let question = phase2.watch.question();
        phase2.watch.course.begin(heal, question);
    }

    /// A silent acceptor that a spare can replace, and the configuration with that.
    fn failed_acceptor(&self) -> Option<(Heal, Configuration)> {
        let Phase::Phase2(phase2) = &self.phase else { return None };
        let present = &phase2.configuration;
        let heal = self.choose(Part::Acceptor, present.members().iter())?;
        let kept = present.members().iter().filter(|node| **node != heal.member);
        let members: Vec<NodeId> = kept.copied().chain([heal.spare]).collect();
        let version = self.newest.1.version() + 1;
        let next = Configuration::new(version, present.system(), members).ok()?;
        let answering = next.members().iter().filter(|node| phase2.watch.is_answering(**node));
        let answering = next.members_among(answering);
        let is_working = next.is_phase1(answering) && next.is_phase2(answering);
        let next = next.with_membership(present.membership().clone());
        (is_working || mutant::is_on(Mutant::HealsWithoutQuorum)).then_some((heal, next))
    }

    /// A silent matchmaker that a spare can replace, and the matchmakers with that. A majority of the
    /// present ones must answer, for they are to stop, and one of the next.
    fn failed_matchmaker(&self) -> Option<(Heal, BTreeSet<NodeId>)> {
        let Phase::Phase2(phase2) = &self.phase else { return None };
        let present = &self.matchmakers;
        let heal = self.choose(Part::Matchmaker, present.members.iter())?;
        let mut members = present.members.clone();
        members.remove(&heal.member);
        members.insert(heal.spare);
        let is_majority = |nodes: &BTreeSet<NodeId>| {
            nodes.iter().filter(|node| phase2.watch.is_answering(**node)).count() > nodes.len() / 2
        };
        (is_majority(&present.members) && is_majority(&members)).then_some((heal, members))
    }

    /// Who of `members` is to be replaced by whom. A spare of a process that has no other member comes
    /// first, and one of a process that has another only if the member that goes has company as well:
    /// no failure shall cost more than it did.
    fn choose<'a>(
        &self,
        part: Part,
        members: impl Iterator<Item = &'a NodeId> + Clone,
    ) -> Option<Heal> {
        let failed = members.clone().filter(|node| self.is_process_silent(node.incarnation));
        let is_careless = mutant::is_on(Mutant::HealsOnOneProcess);
        failed.copied().find_map(|member| {
            let has_company = |node: NodeId| {
                let others = members.clone().filter(|other| **other != member && **other != node);
                others.into_iter().any(|other| other.incarnation == node.incarnation)
            };
            let may_have_company = has_company(member) || is_careless;
            let allowed = self.spares(part).filter(|node| !has_company(*node) || may_have_company);
            // The false comes before the true.
            let spare = allowed.min_by_key(|node| (has_company(*node) != is_careless, *node))?;
            Some(Heal { part, member, spare })
        })
    }

    /// Spares that answer, of processes that are not suspected.
    fn spares(&self, part: Part) -> impl Iterator<Item = NodeId> {
        let membership = self.membership();
        let (pool, used): (_, Vec<NodeId>) = match (part, &self.phase) {
            (Part::Matchmaker, _) => {
                (&membership.matchmakers, self.matchmakers.members.iter().copied().collect())
            }
            (Part::Acceptor, Phase::Phase2(phase2)) => {
                (&membership.acceptors, phase2.configuration.members().to_vec())
            }
            (Part::Acceptor, _) => (&membership.acceptors, Vec::new()),
        };
        let is_there = |node: &NodeId| match &self.phase {
            Phase::Phase2(phase2) => {
                let is_answering = phase2.watch.is_answering(*node);
                is_answering && !self.is_process_silent(node.incarnation)
                    || mutant::is_on(Mutant::HealsWithSilentSpare)
            }
            Phase::Idle | Phase::Asking { .. } | Phase::Matching(_) | Phase::Phase1(_) => false,
        };
        pool.iter().copied().filter(move |node| !used.contains(node) && is_there(node))
    }

    /// The spare votes in the place of the member, if that was to be.
    pub(super) fn finish_acceptor(&mut self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &self.phase else { return };
        let Some(heal) = phase2.watch.course.under_way() else { return };
        let has = |node| phase2.configuration.position(node).is_some();
        if heal.part == Part::Acceptor && has(heal.spare) && !has(heal.member) {
            self.end(heal, HealingProgress::Finished, fx);
        }
    }

    /// The spare is a matchmaker in the place of the member, if that was to be.
    pub(super) fn finish_matchmaker(&mut self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &self.phase else { return };
        let Some(heal) = phase2.watch.course.under_way() else { return };
        let has = |node: &NodeId| self.matchmakers.members.contains(node);
        if heal.part == Part::Matchmaker && has(&heal.spare) && !has(&heal.member) {
            self.end(heal, HealingProgress::Finished, fx);
        }
    }

    /// A replacement that has not ended when its pause has was not possible.
    fn give_up_replacement(&mut self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &self.phase else { return };
        let course = &phase2.watch.course;
        let is_late = phase2.watch.question() >= course.rest_until && phase2.next.is_none();
        if let Some(heal) = course.under_way().filter(|_| is_late) {
            self.end(heal, HealingProgress::Failed, fx);
        }
    }

    /// The spare of a replacement under way did not answer any more.
    pub(super) fn fail_acceptor(&mut self, fx: &mut Fx) {
        if let Some(heal) = self.healing().filter(|heal| heal.part == Part::Acceptor) {
            self.end(heal, HealingProgress::Failed, fx);
        }
    }

    fn end(&mut self, heal: Heal, progress: HealingProgress, fx: &mut Fx) {
        self.tell(heal, progress, fx);
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        if let Some((_, last, _)) = &mut phase2.watch.course.last {
            *last = progress;
        }
    }
}

#[cfg(test)]
mod tests;
