//! Linearizable reads without the log, and the leader's proof to itself that it still leads.
//!
//! The leader notes up to where the log is chosen and asks a Phase 2 quorum of its configuration
//! whether their promises are still no higher than its round. If so, no other leader can have
//! finished Phase 1 before the question: whatever was answered to any client by then is below the
//! noted watermark. Any replica that has executed so far may answer the read.
//!
//! *Paper*: none; section 3.8 of our protocol notes. A Phase 1 quorum would not do.

use std::collections::VecDeque;

use paxos::actor::NodeId;
use paxos::message::{ReadA, ReadB, ReadIndexA, ReadIndexB, ToAcceptor, ToSession};
use paxos::mutant::{self, Mutant};
use paxos::quorum::MemberSet;
use paxos::slot::Slot;

use super::phase2::Phase2;
use super::{Fx, Leader, LeaderTimer, Phase};

/// Questions in flight at most. Beyond that reads wait, and heartbeats repeat the last question.
const QUESTIONS_MAX: usize = 64;

/// Reads that wait to be asked about, at most; beyond that they are dropped, and their sessions ask
/// again.
const WAITING_MAX: usize = 65_536;

/// A question to the acceptors.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    /// Counts questions; an answer to a later one answers this one too.
    nonce: u64,
    /// Where the log was chosen to when it was asked first.
    watermark: Slot,
    /// Who answered, in the present round.
    answers: MemberSet,
    /// The sessions that wait, and their nonces.
    askers: Vec<(NodeId, u64)>,
}

/// The reads of a leader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Reads {
    waiting: Vec<(NodeId, u64)>,
    questions: VecDeque<Question>,
    nonce: u64,
}

impl Reads {
    /// How many questions were asked in this leadership.
    pub(super) fn question_count(&self) -> u64 {
        self.nonce
    }
}

impl Phase2 {
    /// Whether all that earlier leaders may have got chosen is chosen again.
    fn is_settled(&self) -> bool {
        self.chosen_watermark >= self.inherited_end || mutant::is_on(Mutant::ReadBeforeSettled)
    }

    /// Whether enough acceptors have answered.
    fn is_confirmed(&self, question: &Question) -> bool {
        if mutant::is_on(Mutant::ReadByPhase1Quorum) {
            return self.configuration.is_phase1(question.answers);
        }
        self.configuration.is_phase2(question.answers)
    }
}

/// Tells the sessions that wait from which slot on their reads are linearizable.
fn answer(askers: &[(NodeId, u64)], watermark: Slot, fx: &mut Fx) {
    for (session, nonce) in askers {
        fx.send(*session, ToSession::ReadIndexB(ReadIndexB { nonce: *nonce, watermark }));
    }
}

impl Leader {
    pub(super) fn on_read_index_a(&mut self, from: NodeId, m: ReadIndexA) {
        if let Phase::Phase2(phase2) = &mut self.phase
            && phase2.reads.waiting.len() < WAITING_MAX
        {
            phase2.reads.waiting.push((from, m.nonce));
        }
    }

    /// Asks for the reads of the turn. Not before all that earlier leaders may have got chosen is
    /// chosen again, since clients may have been told of it.
    pub(super) fn start_reads(&mut self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &self.phase else { return };
        let is_settled = phase2.is_settled();
        let has_room = phase2.reads.questions.len() < QUESTIONS_MAX;
        if is_settled && has_room && !phase2.reads.waiting.is_empty() {
            self.ask(fx);
        }
    }

    /// Asks without a read, to know that a quorum is still there; acceptors remember it as a sign of
    /// life.
    pub(super) fn beat(&mut self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &self.phase else { return };
        if phase2.reads.questions.len() < QUESTIONS_MAX {
            self.ask(fx);
        } else {
            self.ask_again(fx);
        }
    }

    fn ask(&mut self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        let is_settled = phase2.is_settled();
        let watermark = phase2.chosen_watermark;
        let reads = &mut phase2.reads;
        reads.nonce += 1;
        let askers = if is_settled { std::mem::take(&mut reads.waiting) } else { Vec::new() };
        if mutant::is_on(Mutant::ReadWithoutQuestion) {
            answer(&askers, watermark, fx);
        }
        reads.questions.push_back(Question {
            nonce: reads.nonce,
            watermark,
            answers: MemberSet::EMPTY,
            askers,
        });
        self.ask_again(fx);
    }

    fn ask_again(&self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &self.phase else { return };
        let m = ReadA { round: phase2.round, nonce: phase2.reads.nonce };
        fx.broadcast(phase2.configuration.members(), ToAcceptor::ReadA(m));
    }

    /// Asks the new acceptors what the old ones have not answered.
    pub(super) fn restart_reads(&mut self, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        let is_forgotten = !mutant::is_on(Mutant::ConfirmationsSurviveSwitch);
        for question in phase2.reads.questions.iter_mut().filter(|_| is_forgotten) {
            question.answers = MemberSet::EMPTY;
        }
        self.beat(fx);
    }

    /// Counts an answer for its question and all earlier ones.
    pub(super) fn on_read_b(&mut self, from: NodeId, m: &ReadB, fx: &mut Fx) {
        let Phase::Phase2(phase2) = &mut self.phase else { return };
        let Some(position) = phase2.configuration.position(from) else { return };
        if m.round != phase2.round {
            return;
        }
        let is_any = mutant::is_on(Mutant::OldConfirmationCounts);
        let questions = phase2.reads.questions.iter_mut();
        for question in questions.filter(|question| is_any || question.nonce <= m.nonce) {
            question.answers.insert(position);
        }
        let mut has_quorum = false;
        while let Some(question) = phase2.reads.questions.front() {
            if !phase2.is_confirmed(question) {
                break;
            }
            has_quorum = true;
            answer(&question.askers, question.watermark, fx);
            phase2.reads.questions.pop_front();
        }
        if has_quorum {
            let quorum_timeout = self.options.quorum_timeout;
            fx.set_timer(LeaderTimer::Quorum, quorum_timeout..quorum_timeout);
        }
    }
}
