//! Faults that wait for a moment: a process is cut off and dies in the middle of what it does.

use std::collections::BTreeMap;
use std::sync::Arc;

use matchmaker::message::{Message, ToApplication, ToMatchmaker};
use paxos::actor::NodeId;
use paxos::membership::Membership;
use paxos::message::ToAcceptor;
use paxos::round::Round;
use paxos::slot::Slot;

use super::former_life::FormerLives;
use super::hidden_round::HiddenRounds;
use super::process::Envelope;
use super::protocol::{EnvelopeOf, MessageOf, Protocol};
use super::{Event, Verdict, Workload, World};
use crate::coverage::Situation;
use crate::hosted::{Hosted, Talk};
use crate::plan::{Fault, Hides, Moment, Wish};
use crate::trace::Kind;

/// One that waits.
#[derive(Clone, Copy, Debug)]
struct Ambush {
    moment: Moment,
    /// The process that is still reached.
    reaches: usize,
    /// The process dies after this time.
    after_us: u64,
    /// For so long.
    down_us: u64,
    hides: Hides,
}

/// A message that is to outlive the process of its session.
#[derive(Clone, Copy, Debug)]
struct Straggler {
    is_answer: bool,
    /// It is under way for so long.
    for_us: u64,
    /// The process dies at once, for so long.
    down_us: u64,
    /// The process, if it was struck before.
    process: Option<usize>,
}

/// All that wait.
#[derive(Debug)]
pub(super) struct Ambushes<M> {
    waiting: Vec<Ambush>,
    stragglers: Vec<Straggler>,
    /// An answer to a life of a process that ends.
    late: Option<(usize, u64, Envelope<M>)>,
    meddlers: Vec<(Moment, Wish)>,
    /// Rounds in which something was proposed, and the slot of the last proposal.
    proposed: BTreeMap<Round, Slot>,
    /// Whom the last one struck, and whom that reached.
    last: [usize; 2],
    /// The slot of each process that its proposals do not reach anyone in.
    overtaken: BTreeMap<usize, Slot>,
    pub(super) hidden_rounds: HiddenRounds,
    pub(super) former_lives: FormerLives<M>,
    /// The members that a leader has shown last.
    members: Option<Arc<Membership>>,
}

impl<M> Default for Ambushes<M> {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            stragglers: Vec::new(),
            late: None,
            meddlers: Vec::new(),
            proposed: BTreeMap::new(),
            last: [0; 2],
            overtaken: BTreeMap::new(),
            hidden_rounds: HiddenRounds::default(),
            former_lives: FormerLives::default(),
            members: None,
        }
    }
}

impl<M> Ambushes<M> {
    /// Has a fault wait for its moment. Others do not.
    pub(super) fn wait(&mut self, fault: Fault) {
        match fault {
            Fault::Ambush { moment, reaches, after_us, down_us, hides } => {
                self.waiting.push(Ambush { moment, reaches, after_us, down_us, hides });
            }
            Fault::Straggler { is_answer, for_us, down_us } => {
                self.stragglers.push(Straggler { is_answer, for_us, down_us, process: None });
            }
            Fault::Meddling { moment, wish } => self.meddlers.push((moment, wish)),
            Fault::HiddenRound { hiding, for_us } => self.hidden_rounds.wait(hiding, for_us),
            Fault::FormerLife { down_us } => self.former_lives.wait(down_us),
            _ => {}
        }
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.stragglers.clear();
        self.late = None;
        self.meddlers.clear();
        self.overtaken.clear();
        self.hidden_rounds.clear();
        self.former_lives.clear();
    }

    /// A process dies: what it sends when it comes back is another story.
    pub(super) fn forget(&mut self, process: usize) {
        self.overtaken.remove(&process);
    }

    /// Whether a message between two processes is lost.
    pub(super) fn loses(
        &self,
        ends: ((usize, NodeId), (usize, NodeId)),
        message: &Message,
        now: u64,
    ) -> bool {
        let ((process, _), (_, to)) = ends;
        self.swallows(process, message)
            || self.hidden_rounds.loses(ends, message, now)
            || self.former_lives.loses(to, message)
    }

    /// Whether a message of a process is lost, for those of later slots to overtake it.
    fn swallows(&self, process: usize, message: &Message) -> bool {
        let Message::Acceptor(ToAcceptor::Phase2A(m)) = message else { return false };
        self.overtaken.get(&process) == Some(&m.slot)
    }

    /// The moment that a message is, if it is one.
    fn moment(&mut self, message: &Message) -> Option<Moment> {
        match message {
            Message::Matchmaker(ToMatchmaker::MatchA(_)) => Some(Moment::Matching),
            Message::Matchmaker(ToMatchmaker::GarbageA(_)) => Some(Moment::Collecting),
            Message::Matchmaker(ToMatchmaker::StopA(_)) => Some(Moment::Stopping),
            Message::Matchmaker(ToMatchmaker::DecreeA(_)) => Some(Moment::Deciding),
            Message::Matchmaker(ToMatchmaker::ActivateA(_)) => Some(Moment::Activating),
            Message::Acceptor(ToAcceptor::Phase1A(_)) => Some(Moment::Phase1),
            Message::Acceptor(ToAcceptor::PersistedA(_)) => Some(Moment::Telling),
            Message::Acceptor(ToAcceptor::Phase2A(m)) => {
                let before = self.proposed.insert(m.round, m.slot);
                match before {
                    None => Some(Moment::Proposing),
                    Some(slot) => (slot < m.slot).then_some(Moment::Overtaking),
                }
            }
            Message::Application(ToApplication::Heartbeat(m)) => {
                let shown = m.configuration.membership();
                let is_other = self.members.as_ref().is_some_and(|members| members != shown);
                if is_other || self.members.is_none() {
                    self.members = Some(Arc::clone(shown));
                }
                is_other.then_some(Moment::Switching)
            }
            _ => None,
        }
    }

    /// Who has waited for a moment.
    fn sprung(&mut self, moment: Moment) -> Option<Ambush> {
        let index = self.waiting.iter().position(|ambush| ambush.moment == moment)?;
        Some(self.waiting.remove(index))
    }

    /// The wish of an operator that has waited for a moment.
    fn meddled(&mut self, moment: Moment) -> Option<Wish> {
        let index = self.meddlers.iter().position(|(other, _)| *other == moment)?;
        Some(self.meddlers.remove(index).1)
    }

    /// What a message between two processes is to outlive, if that, and whose life it is.
    fn strays(&mut self, (from, to): (usize, usize), talk: Talk) -> Option<(usize, Straggler)> {
        let (is_answer, process) = match talk {
            Talk::Request | Talk::Question => (false, from),
            Talk::Answer => (true, to),
        };
        let is_meant = |other: &Straggler| {
            other.is_answer == is_answer && other.process.is_none_or(|other| other == process)
        };
        let index = self.stragglers.iter().position(is_meant)?;
        let straggler = self.stragglers.remove(index);
        if straggler.process.is_none() {
            self.stragglers.insert(0, Straggler { process: Some(process), ..straggler });
        }
        Some((process, straggler))
    }
}

impl<W: Workload, P: Protocol<W>> World<W, P> {
    /// A message is about to leave a process: it may spring an ambush.
    pub(super) fn spring(&mut self, process: usize, message: &MessageOf<W, P>) {
        let consensus = P::Actor::consensus(message);
        let moment = match P::Actor::tells_of_compaction(message) {
            true => Some(Moment::Compacting),
            false => consensus.and_then(|message| self.ambushes.moment(message)),
        };
        let Some(moment) = moment else { return };
        if let Some(wish) = self.ambushes.meddled(moment) {
            self.summary.coverage.meet(Situation::OperatorMeddles);
            self.feel("meddling");
            P::wish(self, wish);
        }
        let Some(ambush) = self.ambushes.sprung(moment) else { return };
        let Ambush { moment, reaches, after_us, down_us, hides } = ambush;
        self.summary.coverage.meet(Situation::AmbushSprung);
        self.feel("ambush");
        self.note(Some(process), Kind::Fault, format!("is ambushed in {moment:?}"));
        if let (Moment::Overtaking, Some(Message::Acceptor(ToAcceptor::Phase2A(m)))) =
            (moment, consensus)
        {
            self.ambushes.overtaken.insert(process, m.slot);
        }
        let struck = [process, self.meet(process, reaches, hides)];
        let until = self.now + after_us;
        for other in (0..self.processes.len()).filter(|other| !struck.contains(other)) {
            self.cut_off(process, other, until);
        }
        self.hide(struck, hides, until + down_us);
        self.ambushes.last = struck;
        let life = self.processes[process].life;
        self.push(after_us, Event::Kill { process, life, down_us });
    }

    /// Whom an ambush reaches: another one than it would, if that one has been struck already and others are to
    /// learn something else.
    fn meet(&self, process: usize, reaches: usize, hides: Hides) -> usize {
        let known = match hides {
            Hides::Nobody => return reaches,
            Hides::Reached => [process; 3],
            Hides::Rest => [process, self.ambushes.last[0], self.ambushes.last[1]],
        };
        let count = self.processes.len();
        let mut turns = (0..count).map(|turn| (reaches + turn) % count);
        turns.find(|other| !known.contains(other)).unwrap_or(reaches)
    }

    /// Cuts off those that an ambush hides from all others.
    fn hide(&mut self, struck: [usize; 2], hides: Hides, until: u64) {
        let all = 0..self.processes.len();
        let hidden: Vec<usize> = match hides {
            Hides::Nobody => return,
            Hides::Reached => vec![struck[1]],
            Hides::Rest => {
                let known = [struck, self.ambushes.last].concat();
                all.clone().filter(|process| !known.contains(process)).collect()
            }
        };
        for process in hidden {
            for other in all.clone().filter(|other| ![process, struck[0]].contains(other)) {
                self.cut_off(process, other, until);
                self.cut_off(other, process, until);
            }
        }
    }

    fn cut_off(&mut self, from: usize, to: usize, until: u64) {
        self.network.cut(from, to, until);
        if let Some(recorder) = &mut self.recorder {
            recorder.cut(self.now, from, to, until);
        }
    }

    /// When a message arrives if it is to outlive a process. The process dies. If it has died before, an answer
    /// waits for its next question.
    pub(super) fn hold_back(
        &mut self,
        (from, to): (usize, usize),
        envelope: &EnvelopeOf<W, P>,
    ) -> Option<[Option<u64>; 2]> {
        let talk = P::Actor::talk(&envelope.message)?;
        let (process, straggler) = self.ambushes.strays((from, to), talk)?;
        self.summary.coverage.meet(Situation::MessageOutlives);
        self.feel("straggler");
        self.note(Some(process), Kind::Fault, "dies before its message arrives".to_owned());
        let life = self.processes[process].life;
        self.push(100, Event::Kill { process, life, down_us: straggler.down_us });
        if straggler.is_answer && straggler.process.is_some() {
            self.ambushes.late = Some((process, life, envelope.clone()));
            return Some([None, None]);
        }
        Some([Some(straggler.for_us), None])
    }

    /// A process asks: what an earlier life of it was answered arrives first.
    pub(super) fn release_late(&mut self, from: usize, message: &MessageOf<W, P>) -> Verdict {
        if P::Actor::talk(message) != Some(Talk::Question) {
            return Ok(());
        }
        let life = self.processes[from].life;
        let is_due = |(process, past, _): &mut (usize, u64, EnvelopeOf<W, P>)| {
            *process == from && *past < life
        };
        match self.ambushes.late.take_if(is_due) {
            Some((.., envelope)) => self.travel(envelope, [Some(10), None]),
            None => Ok(()),
        }
    }
}
