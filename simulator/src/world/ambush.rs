//! Faults that wait for a moment: a process is cut off and dies in the middle of what it does.

use std::collections::BTreeMap;
use std::sync::Arc;

use matchmaker::message::{Message, ToApplication, ToMatchmaker};
use paxos::membership::Membership;
use paxos::message::ToAcceptor;
use paxos::round::Round;
use paxos::slot::Slot;

use super::{Event, Workload, World};
use crate::coverage::Situation;
use crate::plan::Moment;
use crate::trace::Kind;

/// One that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ambush {
    pub(super) moment: Moment,
    /// The process that is still reached.
    pub(super) reaches: usize,
    /// The process dies after this time.
    pub(super) after_us: u64,
    /// For so long.
    pub(super) down_us: u64,
}

/// All that wait.
#[derive(Debug, Default)]
pub(super) struct Ambushes {
    waiting: Vec<Ambush>,
    /// Rounds in which something was proposed, and the slot of the last proposal.
    proposed: BTreeMap<Round, Slot>,
    /// The slot of each process that its proposals do not reach anyone in.
    overtaken: BTreeMap<usize, Slot>,
    /// The members that a leader has shown last.
    members: Option<Arc<Membership>>,
}

impl Ambushes {
    pub(super) fn lay(&mut self, ambush: Ambush) {
        self.waiting.push(ambush);
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.overtaken.clear();
    }

    /// A process dies: what it sends when it comes back is another story.
    pub(super) fn forget(&mut self, process: usize) {
        self.overtaken.remove(&process);
    }

    /// Whether a message of a process is lost, for those of later slots to overtake it.
    pub(super) fn swallows(&self, process: usize, message: &Message) -> bool {
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

    /// The ambush that a message springs.
    fn sprung(&mut self, message: &Message) -> Option<Ambush> {
        let moment = self.moment(message)?;
        let index = self.waiting.iter().position(|ambush| ambush.moment == moment)?;
        Some(self.waiting.remove(index))
    }
}

impl<W: Workload> World<W> {
    /// A message is about to leave a process: it may spring an ambush.
    pub(super) fn spring(&mut self, process: usize, message: &Message) {
        let Some(ambush) = self.ambushes.sprung(message) else { return };
        let Ambush { moment, reaches, after_us, down_us } = ambush;
        self.summary.coverage.meet(Situation::AmbushSprung);
        self.feel("ambush");
        self.note(Some(process), Kind::Fault, format!("is ambushed in {moment:?}"));
        if let (Moment::Overtaking, Message::Acceptor(ToAcceptor::Phase2A(m))) = (moment, message) {
            self.ambushes.overtaken.insert(process, m.slot);
        }
        let until = self.now + after_us;
        for other in (0..self.processes.len()).filter(|other| ![process, reaches].contains(other)) {
            self.network.cut(process, other, until);
            if let Some(recorder) = &mut self.recorder {
                recorder.cut(self.now, process, other, until);
            }
        }
        let life = self.processes[process].life;
        self.push(after_us, Event::Kill { process, life, down_us });
    }
}
