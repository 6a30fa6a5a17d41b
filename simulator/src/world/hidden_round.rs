//! A round that one matchmaker has registered and nobody else hears of.

use matchmaker::message::{Epoch, FromMatchmaker, Message, ToMatchmaker, ToProposer};
use paxos::actor::NodeId;
use paxos::message::ToAcceptor;

use super::protocol::{MessageOf, Protocol};
use super::{Event, Workload, World};
use crate::coverage::Situation;
use crate::hosted::Hosted;
use crate::plan::Wish;
use crate::trace::Kind;

/// One that waits for a proposer to ask for a round.
#[derive(Debug)]
struct Waiting {
    for_us: u64,
    down_us: Option<u64>,
    wish: Option<Wish>,
}

/// One that is hidden.
#[derive(Debug)]
struct Hidden {
    epoch: Epoch,
    proposer: NodeId,
    /// The process of the only matchmakers that hear the proposer.
    reached: usize,
    /// Whether the proposer lives on, and is not to hear of others.
    is_deaf: bool,
    /// Exclusive, in microseconds.
    until: u64,
    wish: Option<Wish>,
}

/// All of them. One at a time is hidden.
#[derive(Debug, Default)]
pub(super) struct HiddenRounds {
    waiting: Vec<Waiting>,
    hidden: Option<Hidden>,
}

impl HiddenRounds {
    pub(super) fn wait(&mut self, for_us: u64, down_us: Option<u64>, wish: Option<Wish>) {
        self.waiting.push(Waiting { for_us, down_us, wish });
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.hidden = None;
    }

    /// Whether a message between two processes is lost.
    pub(super) fn loses(
        &self,
        (from, to): ((usize, NodeId), (usize, NodeId)),
        message: &Message,
        now: u64,
    ) -> bool {
        let Some(hidden) = self.hidden.as_ref().filter(|hidden| now < hidden.until) else {
            return false;
        };
        match message {
            Message::Matchmaker(ToMatchmaker::MatchA(m)) => {
                from.1 == hidden.proposer && m.epoch == hidden.epoch && to.0 != hidden.reached
            }
            Message::Proposer(ToProposer::Matchmaker(m)) => {
                let epoch = match m {
                    FromMatchmaker::MatchB(m) => m.epoch,
                    FromMatchmaker::MatchNack(m) => m.epoch,
                    _ => return false,
                };
                let is_told = from.0 == hidden.reached && to.1 != hidden.proposer;
                is_told && epoch == hidden.epoch
            }
            // What is collected is not handed over.
            Message::Matchmaker(ToMatchmaker::GarbageA(m)) => {
                hidden.is_deaf && m.epoch == hidden.epoch
            }
            _ => hidden.is_deaf && to.1 == hidden.proposer,
        }
    }

    /// The wish of an operator that has waited for another one to be done with its registration.
    fn meddled(&mut self, from: NodeId, message: &Message) -> Option<Wish> {
        let Message::Acceptor(ToAcceptor::Phase1A(_) | ToAcceptor::Phase2A(_)) = message else {
            return None;
        };
        let hidden = self.hidden.as_mut().filter(|hidden| hidden.proposer != from)?;
        hidden.wish.take()
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
        let Some(message) = P::Actor::consensus(message) else { return };
        if let Some(wish) = self.ambushes.hidden_rounds.meddled(from, message) {
            self.summary.coverage.meet(Situation::OperatorMeddles);
            P::wish(self, wish);
        }
        let Message::Matchmaker(ToMatchmaker::MatchA(m)) = message else { return };
        let rounds = &mut self.ambushes.hidden_rounds;
        let is_over = rounds.hidden.as_ref().is_none_or(|hidden| hidden.until <= self.now);
        // A leader that is at work is no candidate.
        if !is_over || rounds.waiting.is_empty() || self.leads_in(index).is_some() {
            return;
        }
        let Some(to) = self.places.find(to) else { return };
        let has_own = self.places.roles(index).contains(&super::Role::Matchmaker);
        let Waiting { for_us, down_us, wish } = self.ambushes.hidden_rounds.waiting.remove(0);
        self.ambushes.hidden_rounds.hidden = Some(Hidden {
            epoch: m.epoch,
            proposer: from,
            reached: if has_own { index } else { to.process },
            is_deaf: down_us.is_none(),
            until: self.now + for_us,
            wish,
        });
        self.summary.coverage.meet(Situation::RoundHidden);
        self.feel("hidden round");
        let text = format!("asks for round {}, and one matchmaker hears it", m.round);
        self.note(Some(index), Kind::Fault, text);
        if let Some(down_us) = down_us {
            let life = self.processes[index].life;
            self.push(20 * crate::MS, Event::Kill { process: index, life, down_us });
        }
    }
}
