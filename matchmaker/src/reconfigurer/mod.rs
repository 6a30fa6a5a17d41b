//! The driver of a handover: replaces the matchmakers.
//!
//! ```text
//!           HandoverA           majority there        f + 1 StopB         chosen
//!   Idle ─────────────► Reaching ────────────► Stopping ─────────► Deciding ─────► Installing
//!    │ Stopped, no successor                       ▲                                    ▲
//!    └─────────────────► Waiting ──────────────────┘    Stopped, with a successor ──────┘
//! ```
//!
//! It asks the new matchmakers whether they are there, tells the old ones to stop, has one successor
//! chosen by them, and has that begin (`stopping.rs`, `installing.rs`). There is one driver in each
//! process with a proposer. Any number may be at work on the same generation: the decree chooses one
//! successor, and all of them install that. One that dies leaves a generation stopped without a
//! successor; whoever meets it, and that is every proposer with something to ask of matchmakers, waits
//! a while, for the other driver may be at it still, and then finishes.
//!
//! *Paper*: Matchmaker Paxos, section 5.
//!
//! *Durable*: a round of a decree before its first message, so that no restart uses it again. All else
//! the matchmakers remember.

mod installing;
mod stopping;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use paxos::actor::{Effects, NodeId};
use paxos::mutant::{self, Mutant};
use paxos::quorum::MEMBERS_MAX;
use paxos::round::Round;
use paxos::synod::{Synod, SynodTimer};
use paxos::wire::{Decode, Encode};

use crate::message::{
    ActivateA, AnnounceB, Epoch, Generation, HandoverA, HandoverB, HandoverProgress, Message,
    OriginA, Pending, ReachA, ReachB, StopA, StopB, Stopped, Successor, ToApplication,
    ToMatchmaker, ToProposer, ToReconfigurer,
};
use installing::Installing;

/// The periods of a driver.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReconfigurerOptions {
    /// What is not answered for this long is sent again.
    pub resend: Range<Duration>,
    /// New matchmakers that have not answered for this long are taken for dead; proposers that have not
    /// are reported as unaware. A generation that has been found stopped for this long, and still
    /// has no successor, is given one.
    pub patience: Range<Duration>,
}

/// A timer of a driver.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReconfigurerTimer {
    /// Send again what was not answered.
    Resend,
    /// Somebody did not answer for too long.
    Patience,
    /// Of the decree.
    Decree(SynodTimer),
}

/// A durable fact of a driver: the highest round that it has used in any decree.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct ReconfigurerRecord {
    /// No restart uses this round or a lower one again.
    pub used: Round,
}

/// Who asked for a handover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Requester {
    node: NodeId,
    token: u64,
}

/// A handover that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Wish {
    /// Who waits for it; nobody if the leader beside this driver wants it.
    requester: Option<Requester>,
    members: BTreeSet<NodeId>,
}

impl Wish {
    fn tell(&self, progress: HandoverProgress, fx: &mut Fx) {
        if let Some(requester) = self.requester {
            requester.tell(progress, fx);
        }
    }
}

/// How far a handover is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// There is none.
    Idle,
    /// This generation was found stopped, and nobody knew who comes after it.
    Waiting(Generation),
    /// Asks the new matchmakers whether they are there.
    Reaching {
        wish: Wish,
        /// Those that are.
        answers: BTreeSet<NodeId>,
    },
    /// Tells the old matchmakers to stop.
    Stopping {
        old: Generation,
        /// None if it finishes what another has begun.
        wish: Option<Wish>,
        /// What those that have stopped know.
        answers: BTreeMap<NodeId, StopB>,
    },
    /// Has one successor chosen.
    Deciding { old: Generation, wish: Option<Wish>, synod: Box<Synod> },
    /// Has it begin, and everyone know.
    Installing(Box<Installing>),
}

/// The state of a driver.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reconfigurer {
    /// The actor that this driver is a part of; owner of its rounds.
    node: NodeId,
    /// All proposers, as far as is known: they must find the new matchmakers.
    proposers: BTreeSet<NodeId>,
    /// Matchmakers that may be needed again without anybody asking for them: never retirable.
    spares: BTreeSet<NodeId>,
    options: ReconfigurerOptions,
    /// The highest round that it has used in any decree. Durable before its first message.
    used: Round,
    /// Names the last question whether new matchmakers are there.
    nonce: u64,
    /// Members of the present generation that know nothing of it.
    pending: BTreeSet<NodeId>,
    /// The last handover that was finished here, and how: told again to one that asks again.
    last: Option<(Requester, HandoverProgress)>,
    phase: Phase,
}

type Fx = Effects<Message, ReconfigurerTimer, ReconfigurerRecord>;

impl Reconfigurer {
    /// A driver at `node` that replaces nobody.
    pub fn new(node: NodeId, proposers: BTreeSet<NodeId>, options: ReconfigurerOptions) -> Self {
        Self {
            node,
            proposers,
            spares: BTreeSet::new(),
            options,
            used: Round::ZERO,
            nonce: 0,
            pending: BTreeSet::new(),
            last: None,
            phase: Phase::Idle,
        }
    }

    /// Learns who the proposers are now.
    pub fn learn_proposers(&mut self, proposers: &BTreeSet<NodeId>) {
        if self.proposers != *proposers {
            self.proposers.clone_from(proposers);
        }
    }

    /// Learns which matchmakers may be needed again without anybody asking for them.
    pub fn learn_spares(&mut self, spares: &BTreeSet<NodeId>) {
        if self.spares != *spares {
            self.spares.clone_from(spares);
        }
    }

    /// Folds one durable record.
    pub fn restore(&mut self, record: ReconfigurerRecord) {
        if !mutant::is_on(Mutant::DecreeRoundsRestart) {
            self.used = self.used.max(record.used);
        }
    }

    /// The least list of records with the same fold.
    pub fn checkpoint(&self) -> Vec<ReconfigurerRecord> {
        let used = (self.used > Round::ZERO).then_some(ReconfigurerRecord { used: self.used });
        used.into_iter().collect()
    }

    /// Whether a handover is under way that somebody waits for.
    pub fn is_busy(&self) -> bool {
        match &self.phase {
            Phase::Idle | Phase::Waiting(_) => false,
            Phase::Reaching { .. } | Phase::Stopping { .. } | Phase::Deciding { .. } => true,
            Phase::Installing(installing) => !installing.is_finished(),
        }
    }

    /// Takes one message; `present` is the newest generation known to this process. Returns one that
    /// serves, if it learns of one.
    pub fn on_message(
        &mut self,
        from: NodeId,
        message: ToReconfigurer,
        present: &Generation,
        fx: &mut Fx,
    ) -> Option<Generation> {
        match message {
            ToReconfigurer::HandoverA(m) => self.on_handover_a(from, m, present, fx),
            ToReconfigurer::ReachB(m) => self.on_reach_b(from, &m, present, fx),
            ToReconfigurer::StopB(m) => self.on_stop_b(from, *m, fx),
            ToReconfigurer::DecreeB(m) => self.on_decree_b(from, *m, fx),
            ToReconfigurer::ActivateB(m) => return self.on_activate_b(from, m, fx),
            ToReconfigurer::SucceededB(m) => self.on_succeeded_b(from, m, fx),
            ToReconfigurer::AnnounceB(m) => self.on_announce_b(from, m, fx),
            ToReconfigurer::AnnounceA(m) => {
                let known = AnnounceB { epoch: m.generation.epoch };
                fx.send(from, ToProposer::from(ToReconfigurer::from(known)));
                return Some(m.generation);
            }
            ToReconfigurer::Pending(m) => self.on_pending(from, &m, present, fx),
            ToReconfigurer::OriginB(m) => self.activate_pending(m.successor, fx),
        }
        None
    }

    /// Takes a timer; `present` is the newest generation known to this process.
    pub fn on_timer(&mut self, timer: ReconfigurerTimer, present: &Generation, fx: &mut Fx) {
        match timer {
            ReconfigurerTimer::Resend => self.on_resend(fx),
            ReconfigurerTimer::Patience => self.on_patience(present, fx),
            ReconfigurerTimer::Decree(timer) => self.decree(fx, |synod, fx| {
                synod.on_timer(timer, fx);
            }),
        }
    }

    /// Begins a handover, unless one is under way.
    ///
    /// *Repeat*: ignored while it is under way, and answered again when it was the last one that was
    /// finished. Otherwise, as after a restart, a repeat is another handover, perhaps to those that are
    /// in place already: harmless.
    fn on_handover_a(&mut self, from: NodeId, m: HandoverA, present: &Generation, fx: &mut Fx) {
        let requester = Requester { node: from, token: m.token };
        if self.requester() == Some(requester) {
            return;
        }
        if let Some((_, finished)) = self.last.as_ref().filter(|(last, _)| *last == requester) {
            return requester.tell(finished.clone(), fx);
        }
        let count = m.members.len();
        if count == 0 || count > MEMBERS_MAX {
            let reason = format!("name 1 to {MEMBERS_MAX} matchmakers, not {count}");
            return requester.tell(HandoverProgress::Refused { reason }, fx);
        }
        if self.is_busy() {
            let reason = format!(
                "the matchmakers of epoch {} are being replaced: ask again when that has ended",
                present.epoch.0
            );
            return requester.tell(HandoverProgress::Refused { reason }, fx);
        }
        self.start_reaching(Wish { requester: Some(requester), members: m.members }, fx);
    }

    /// Hands over to `members` because the leader beside this driver wants it, unless a handover is under
    /// way: what an operator has asked for goes first.
    pub fn replace(&mut self, members: BTreeSet<NodeId>, fx: &mut Fx) {
        if !self.is_busy() {
            self.start_reaching(Wish { requester: None, members }, fx);
        }
    }

    fn start_reaching(&mut self, wish: Wish, fx: &mut Fx) {
        self.nonce += 1;
        self.phase = Phase::Reaching { wish, answers: BTreeSet::new() };
        fx.set_timer(ReconfigurerTimer::Patience, self.options.patience.clone());
        self.ask(fx);
    }

    /// Who waits for the handover under way.
    fn requester(&self) -> Option<Requester> {
        match &self.phase {
            Phase::Idle | Phase::Waiting(_) => None,
            Phase::Reaching { wish, .. } => wish.requester,
            Phase::Stopping { wish, .. } | Phase::Deciding { wish, .. } => {
                wish.as_ref().and_then(|wish| wish.requester)
            }
            Phase::Installing(installing) => installing.requester(),
        }
    }

    /// Counts a new matchmaker that is there. A majority is enough to go on.
    fn on_reach_b(&mut self, from: NodeId, m: &ReachB, present: &Generation, fx: &mut Fx) {
        let Phase::Reaching { wish, answers } = &mut self.phase else { return };
        if m.nonce != self.nonce || !wish.members.contains(&from) {
            return;
        }
        answers.insert(from);
        if answers.len() > wish.members.len() / 2 {
            let wish = wish.clone();
            fx.cancel_timer(ReconfigurerTimer::Patience);
            self.start_stopping(present.clone(), Some(wish), fx);
        }
    }

    /// A matchmaker has stopped. If it knows what came after, that is installed; if not, this driver
    /// sees to it after a while.
    pub fn on_stopped(&mut self, from: NodeId, m: Stopped, present: &Generation, fx: &mut Fx) {
        match m.successor {
            Some(successor) => self.on_successor(m.epoch, successor, fx),
            None => {
                let is_idle = match &self.phase {
                    Phase::Idle => true,
                    Phase::Installing(installing) => installing.is_finished(),
                    Phase::Waiting(_)
                    | Phase::Reaching { .. }
                    | Phase::Stopping { .. }
                    | Phase::Deciding { .. } => false,
                };
                let is_present = m.epoch == present.epoch && present.members.contains(&from);
                if is_idle && is_present {
                    self.phase = Phase::Waiting(present.clone());
                    fx.set_timer(ReconfigurerTimer::Patience, self.options.patience.clone());
                }
            }
        }
    }

    /// Someone knows what came after `epoch`: this driver need not choose any more.
    fn on_successor(&mut self, epoch: Epoch, successor: Successor, fx: &mut Fx) {
        if let Some(defect) = successor.defect() {
            return fx.violation("successor", format!("told of {defect}"));
        }
        match &self.phase {
            Phase::Idle | Phase::Reaching { .. } => {}
            Phase::Waiting(old) if successor.generation.epoch > old.epoch => {
                self.phase = Phase::Idle;
                fx.cancel_timer(ReconfigurerTimer::Patience);
            }
            Phase::Waiting(_) => {}
            Phase::Stopping { old, wish, .. } | Phase::Deciding { old, wish, .. } => {
                if epoch == old.epoch && successor.generation.epoch > old.epoch {
                    let wish = wish.clone();
                    self.start_installing(successor, wish, fx);
                }
            }
            Phase::Installing(installing) => {
                if successor.generation.epoch > installing.epoch() {
                    let wish = installing.wish();
                    self.start_installing(successor, wish, fx);
                }
            }
        }
    }

    /// A later generation serves: whatever this driver was doing to an earlier one has been done.
    pub fn follow(&mut self, present: &Generation, fx: &mut Fx) {
        let (epoch, wish) = match &self.phase {
            Phase::Idle | Phase::Reaching { .. } => return,
            Phase::Waiting(old) => (old.epoch, None),
            Phase::Stopping { old, wish, .. } | Phase::Deciding { old, wish, .. } => {
                (old.epoch, wish.clone())
            }
            Phase::Installing(installing) => (installing.epoch(), installing.wish()),
        };
        if epoch >= present.epoch {
            return;
        }
        if let Some(wish) = wish {
            let generation = present.clone();
            wish.tell(HandoverProgress::Superseded { generation }, fx);
        }
        self.phase = Phase::Idle;
        fx.cancel_timer(ReconfigurerTimer::Resend);
        fx.cancel_timer(ReconfigurerTimer::Patience);
    }

    fn on_patience(&mut self, present: &Generation, fx: &mut Fx) {
        match &mut self.phase {
            Phase::Idle | Phase::Stopping { .. } | Phase::Deciding { .. } => {}
            Phase::Waiting(old) => {
                let old = old.clone();
                self.phase = Phase::Idle;
                if old == *present {
                    self.start_stopping(old, None, fx);
                }
            }
            Phase::Reaching { wish, answers } => {
                let silent = wish.members.difference(answers).copied().collect();
                wish.tell(HandoverProgress::Unreachable { silent }, fx);
                self.phase = Phase::Idle;
                fx.cancel_timer(ReconfigurerTimer::Resend);
            }
            Phase::Installing(installing) => {
                installing.lose_patience();
                self.advance_installing(fx);
            }
        }
    }

    /// Sends again what was not answered.
    fn on_resend(&mut self, fx: &mut Fx) {
        if let Phase::Installing(installing) = &mut self.phase {
            installing.count_resend();
        }
        self.ask(fx);
    }

    /// Asks for what the present phase waits for, the first time and again until it is answered.
    fn ask(&mut self, fx: &mut Fx) {
        let mut delay = self.options.resend.clone();
        match &self.phase {
            // A decree sends again by itself.
            Phase::Idle | Phase::Waiting(_) | Phase::Deciding { .. } => return,
            Phase::Reaching { wish, answers } => {
                let m = ReachA { nonce: self.nonce };
                fx.broadcast(wish.members.difference(answers), ToMatchmaker::ReachA(m));
            }
            Phase::Stopping { old, answers, .. } => {
                let m = StopA { epoch: old.epoch };
                let silent = old.members.iter().filter(|node| !answers.contains_key(node));
                fx.broadcast(silent, ToMatchmaker::StopA(m));
            }
            Phase::Installing(installing) => {
                installing.ask(&self.proposers, fx);
                delay = installing.backoff(&delay);
            }
        }
        fx.set_timer(ReconfigurerTimer::Resend, delay);
    }

    /// A member of the present generation was not reached when that began: the others know how it did.
    fn on_pending(&mut self, from: NodeId, m: &Pending, present: &Generation, fx: &mut Fx) {
        if m.epoch != present.epoch || !present.members.contains(&from) {
            return;
        }
        self.pending.insert(from);
        let others = present.members.iter().filter(|node| !self.pending.contains(node));
        fx.broadcast(others, ToMatchmaker::OriginA(OriginA { epoch: m.epoch }));
    }

    fn activate_pending(&mut self, successor: Successor, fx: &mut Fx) {
        let members = std::mem::take(&mut self.pending);
        let members = members.intersection(&successor.generation.members);
        let m = ActivateA { successor: successor.clone() };
        fx.broadcast(members, ToMatchmaker::from(m));
    }

    fn write(&mut self, record: ReconfigurerRecord, fx: &mut Fx) {
        self.used = self.used.max(record.used);
        fx.record(record);
    }
}

impl Requester {
    fn tell(self, progress: HandoverProgress, fx: &mut Fx) {
        let m = HandoverB { token: self.token, progress };
        fx.send(self.node, ToApplication::from(m));
    }
}

#[cfg(test)]
mod tests;
