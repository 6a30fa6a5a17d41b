//! A round that one matchmaker has registered and others have not heard of.

use matchmaker::message::{Epoch, FromMatchmaker, MatchA, Message, ToMatchmaker, ToProposer};
use paxos::actor::NodeId;
use paxos::round::Round;

use super::protocol::{MessageOf, Protocol};
use super::{Event, Workload, World};
use crate::MS;
use crate::coverage::Situation;
use crate::hosted::Hosted;
use crate::plan::{Hiding, Role, Wish};
use crate::trace::Kind;

/// A candidate that is late hears only matchmakers for so long after they have begun to hear it.
const DEAF_US: u64 = 150 * MS;

/// A candidate that is to die dies so long after it has asked.
const ASKED_US: u64 = 20 * MS;

/// One that is hidden.
#[derive(Debug)]
struct Hidden {
    hiding: Hiding,
    epoch: Epoch,
    round: Round,
    proposer: NodeId,
    /// The process of the only matchmakers that hear the proposer.
    reached: usize,
    /// The process of others, the first ones that do not hear it.
    deprived: Option<usize>,
    /// Exclusive, in microseconds.
    until: u64,
    /// Whether the wish that waits for it was made.
    is_wished: bool,
}

/// All of them. One at a time is hidden.
#[derive(Debug, Default)]
pub(super) struct HiddenRounds {
    waiting: Vec<(Hiding, u64)>,
    hidden: Option<Hidden>,
}

impl Hidden {
    /// Whether a message is lost: see [`Hiding`].
    fn loses(
        &self,
        (from, to): ((usize, NodeId), (usize, NodeId)),
        message: &Message,
        now: u64,
    ) -> bool {
        let (is_now, is_late) = (now < self.until, self.hiding == Hiding::Late);
        match message {
            Message::Matchmaker(ToMatchmaker::MatchA(m)) if is_now && m.epoch == self.epoch => {
                let is_own = from.1 == self.proposer;
                is_own && to.0 != self.reached || !is_own && is_late && self.deprived == Some(to.0)
            }
            Message::Proposer(ToProposer::Matchmaker(m)) => {
                let epoch = match m {
                    FromMatchmaker::MatchB(m) => m.epoch,
                    FromMatchmaker::MatchNack(m) => m.epoch,
                    _ => return false,
                };
                let is_told = from.0 == self.reached && to.1 != self.proposer;
                is_now && !is_late && is_told && epoch == self.epoch
            }
            // What is collected is not handed over.
            Message::Matchmaker(ToMatchmaker::GarbageA(m)) => {
                is_now && matches!(self.hiding, Hiding::Outdone(_)) && m.epoch == self.epoch
            }
            _ => to.1 == self.proposer && self.is_deaf(now),
        }
    }

    /// Whether the candidate hears only matchmakers.
    fn is_deaf(&self, now: u64) -> bool {
        match self.hiding {
            Hiding::Outdone(_) => now < self.until,
            Hiding::Late => now < self.until + DEAF_US,
            Hiding::Barred(_) => false,
        }
    }

    /// A round is asked for of the matchmakers of a process. The wish of an operator that has waited for that:
    /// it is carried out when the round is registered, and before anything is collected.
    fn see(&mut self, from: NodeId, to: usize, m: &MatchA) -> Option<Wish> {
        if from == self.proposer && to != self.reached {
            self.deprived.get_or_insert(to);
        }
        let Hiding::Outdone(wish) = &self.hiding else { return None };
        if self.is_wished || from == self.proposer || m.round <= self.round {
            return None;
        }
        self.is_wished = true;
        Some(wish.clone())
    }
}

impl HiddenRounds {
    pub(super) fn wait(&mut self, hiding: Hiding, for_us: u64) {
        self.waiting.push((hiding, for_us));
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.hidden = None;
    }

    /// Whether a message between two processes is lost.
    pub(super) fn loses(
        &self,
        ends: ((usize, NodeId), (usize, NodeId)),
        message: &Message,
        now: u64,
    ) -> bool {
        self.hidden.as_ref().is_some_and(|hidden| hidden.loses(ends, message, now))
    }

    /// Whether one waits, and none is hidden.
    fn is_awaited(&self, now: u64) -> bool {
        let is_over = self.hidden.as_ref().is_none_or(|hidden| hidden.until + DEAF_US <= now);
        is_over && !self.waiting.is_empty()
    }
}

impl<W: Workload, P: Protocol<W>> World<W, P> {
    /// A message is about to leave a process: it may be what one of these waits for.
    pub(super) fn hide_round(
        &mut self,
        index: usize,
        (from, to): (NodeId, NodeId),
        message: &MessageOf<W, P>,
    ) {
        let Some(Message::Matchmaker(ToMatchmaker::MatchA(m))) = P::Actor::consensus(message)
        else {
            return;
        };
        let Some(to) = self.places.find(to).map(|to| to.process) else { return };
        let hidden = self.ambushes.hidden_rounds.hidden.as_mut();
        if let Some(wish) = hidden.and_then(|hidden| hidden.see(from, to, m)) {
            self.summary.coverage.meet(Situation::OperatorMeddles);
            P::wish(self, wish);
        }
        // A leader that is at work is no candidate.
        if self.ambushes.hidden_rounds.is_awaited(self.now) && self.leads_in(index).is_none() {
            self.begin_hiding((index, from), to, m);
        }
    }

    fn begin_hiding(&mut self, (index, proposer): (usize, NodeId), to: usize, m: &MatchA) {
        let (hiding, for_us) = self.ambushes.hidden_rounds.waiting.remove(0);
        self.summary.coverage.meet(Situation::RoundHidden);
        self.feel("hidden round");
        let text = format!("asks for round {}, and one matchmaker hears it", m.round);
        self.note(Some(index), Kind::Fault, text);
        if let Hiding::Barred(down_us) = hiding {
            let life = self.processes[index].life;
            self.push(ASKED_US, Event::Kill { process: index, life, down_us });
        }
        let has_own = self.places.roles(index).contains(&Role::Matchmaker);
        self.ambushes.hidden_rounds.hidden = Some(Hidden {
            hiding,
            epoch: m.epoch,
            round: m.round,
            proposer,
            reached: if has_own { index } else { to },
            deprived: None,
            until: self.now + for_us,
            is_wished: false,
        });
    }
}
