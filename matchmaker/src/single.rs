//! Single-decree Matchmaker Paxos: one value, chosen once, by acceptors that may be replaced.
//!
//! The place to begin reading: the proposer of the paper, step by step and without a log. The
//! [leader](crate::leader) is the same idea for all slots at once. [Matchmakers](crate::matchmaker)
//! and [acceptors](paxos::acceptor) are those of the log.
//!
//! ```text
//!  proposer           matchmakers         acceptors of H       acceptors of C
//!     ├── MatchA(i, C) ───►│ (i, C) durable     │                    │
//!     │◄── MatchB(H, w) ───┤ f + 1 of them      │                    │
//!     ├── Phase1A(i) ──────────────────────────►│ i durable          │
//!     │◄────────────────────── Phase1B(vote) ───┤ a Phase 1 quorum of each in H
//!     ├── Phase2A(i, value) ────────────────────────────────────────►│ vote durable
//!     │◄───────────────────────────────────────────────── Phase2B ───┤ a Phase 2 quorum: chosen
//!     ├── GarbageA(i) ────►│ forgets rounds below i: the acceptors of H may go
//! ```
//!
//! *Why it is safe*: if x is proposed in round i, then nothing else is or will be chosen in a round
//! below. A round below i is either in H, and then a Phase 1 quorum of its configuration has told
//! what it voted for and will vote there no more; or f + 1 matchmakers have promised never to
//! register it; or it was collected, which takes proof that nobody needs it.
//!
//! To *replace the acceptors* of a decree, [propose](SingleProposer::propose) again with the new
//! ones: the value stays, and once the earlier rounds are collected the old acceptors may go.
//!
//! *Paper*: Matchmaker Paxos, section 3: Algorithm 3 (proposer), sections 3.4 and 3.5, scenarios 1
//! and 2 (garbage collection). Nacks and back-off, which the paper leaves out, are ours.
//!
//! *Durable*: a round before its first message, so that no restart uses it again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use paxos::actor::{Effects, NodeId};
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::message::{FromAcceptor, Phase1A, Phase1B, Phase2A, Phase2B, ToAcceptor};
use paxos::round::Round;
use paxos::slot::Slot;
use paxos::wire::{Decode, Encode};

use crate::message::{
    Epoch, FromMatchmaker, GarbageA, GarbageB, MatchA, MatchB, MatchNack, Message, Stopped,
    Successor, ToMatchmaker,
};

/// The decree is the first slot of a log that has no other.
const SLOT: Slot = Slot::ZERO;

/// What is not answered for this long is sent again.
const RESEND: Range<Duration> = Duration::from_millis(60)..Duration::from_millis(90);

/// How long to wait after a defeat. Doubles with each further one, up to a limit.
const BACKOFF: Range<Duration> = Duration::from_millis(10)..Duration::from_millis(40);
const BACKOFF_DOUBLINGS_MAX: u32 = 6;

/// A durable fact of a proposer: the highest round that it has used.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode")]
pub struct SingleRecord {
    /// No restart uses this round or a lower one again.
    pub used: Round,
}

/// A timer of a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SingleTimer {
    /// Send again what was not answered.
    Resend,
    /// Try again after a defeat.
    Retry,
}

/// What a proposer wants: a value, and the acceptors that are to vote for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Proposal {
    /// The caller's, until one is met that may have been chosen already.
    value: Value,
    /// The configuration of the round.
    configuration: Configuration,
}

/// How far a proposer is in its round.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// In no round.
    Idle,
    /// Registers the configuration and learns the earlier ones.
    Matchmaking { answers: BTreeMap<NodeId, MatchB> },
    /// Learns what the earlier configurations may have chosen.
    Phase1 {
        /// H: the earlier configurations.
        history: BTreeMap<Round, Configuration>,
        /// Who promised.
        promises: BTreeSet<NodeId>,
        /// The vote of the highest round, k in the paper; none is -1 there.
        highest: Option<(Round, Value)>,
    },
    /// Gets the value chosen.
    Phase2 { votes: BTreeSet<NodeId> },
    /// The value is chosen.
    Chosen,
    /// Met a higher round, and waits.
    Beaten,
}

/// How far the collection of lower rounds is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Collection {
    /// Earlier rounds may still be needed.
    NotYet,
    /// Nobody needs them: these matchmakers have forgotten them.
    Asking(BTreeSet<NodeId>),
    /// f + 1 have: nobody will hear of them again.
    Done,
}

/// The state of a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SingleProposer {
    /// This actor; owner of its rounds.
    node: NodeId,
    /// The generation of matchmakers.
    epoch: Epoch,
    /// The matchmakers; a majority of them is the f + 1 of the paper.
    matchmakers: BTreeSet<NodeId>,
    /// The highest round that this proposer has used: the present one, if it is in a round. Durable.
    used: Round,
    /// The highest round heard of.
    seen: Round,
    /// Defeats since the last call of `propose`.
    defeat_count: u32,
    /// What is wanted. None before the first call of `propose`.
    proposal: Option<Proposal>,
    phase: Phase,
    collection: Collection,
}

type Fx = Effects<Message, SingleTimer, SingleRecord>;

impl SingleProposer {
    /// A proposer at `node` that wants nothing.
    pub fn new(node: NodeId, epoch: Epoch, matchmakers: BTreeSet<NodeId>) -> Self {
        Self {
            node,
            epoch,
            matchmakers,
            used: Round::ZERO,
            seen: Round::ZERO,
            defeat_count: 0,
            proposal: None,
            phase: Phase::Idle,
            collection: Collection::NotYet,
        }
    }

    /// The value that was chosen, if this proposer learned it in its present round. Two proposers
    /// never tell different values.
    pub fn chosen(&self) -> Option<&Value> {
        self.proposal.as_ref().filter(|_| self.phase == Phase::Chosen).map(|wish| &wish.value)
    }

    /// Whether all configurations of rounds below the present one are collected: acceptors that are
    /// not in the present configuration will never be asked again.
    pub fn has_collected(&self) -> bool {
        self.collection == Collection::Done
    }

    /// Folds one durable record.
    pub fn restore(&mut self, record: SingleRecord) {
        self.used = self.used.max(record.used);
        self.seen = self.seen.max(record.used);
    }

    /// The least list of records with the same fold.
    pub fn checkpoint(&self) -> Vec<SingleRecord> {
        (self.used > Round::ZERO).then_some(SingleRecord { used: self.used }).into_iter().collect()
    }

    /// Tries to get `value` chosen by the acceptors of `configuration`, in a new round.
    ///
    /// If a value may have been chosen already, that one is proposed instead: this is how the
    /// acceptors of a decree are replaced.
    pub fn propose(&mut self, value: Value, configuration: Configuration, fx: &mut Fx) {
        self.proposal = Some(Proposal { value, configuration });
        self.defeat_count = 0;
        self.start_matchmaking(fx);
        self.check_invariants();
    }

    /// Takes one message of a matchmaker.
    pub fn on_matchmaker(&mut self, from: NodeId, message: FromMatchmaker, fx: &mut Fx) {
        match message {
            FromMatchmaker::MatchB(m) => self.on_match_b(from, *m, fx),
            FromMatchmaker::MatchNack(m) => self.on_match_nack(*m, fx),
            FromMatchmaker::GarbageB(m) => self.on_garbage_b(from, &m, fx),
            FromMatchmaker::Stopped(m) => self.on_stopped(*m, fx),
            // Never asked for: the caller knows which configuration it wants.
            FromMatchmaker::NewestB(_) => {}
        }
        self.check_invariants();
    }

    /// Takes one message of an acceptor.
    pub fn on_acceptor(&mut self, from: NodeId, message: FromAcceptor, fx: &mut Fx) {
        match message {
            FromAcceptor::Phase1B(m) => self.on_phase1b(from, *m, fx),
            FromAcceptor::Phase2B(m) => self.on_phase2b(from, &m, fx),
            FromAcceptor::Nack(m) => self.give_way(m.promised, fx),
            // Only a log has reads, archives and a leader to look after.
            FromAcceptor::ReadB(_) | FromAcceptor::PersistedB(_) | FromAcceptor::ProbeB(_) => {}
        }
        self.check_invariants();
    }

    /// Takes one timer.
    pub fn on_timer(&mut self, timer: SingleTimer, fx: &mut Fx) {
        match timer {
            SingleTimer::Resend => self.ask(fx),
            SingleTimer::Retry if self.phase == Phase::Beaten => self.start_matchmaking(fx),
            SingleTimer::Retry => {}
        }
        self.check_invariants();
    }

    /// Registers the configuration of a round above all that was heard of.
    fn start_matchmaking(&mut self, fx: &mut Fx) {
        let used = Round::first_above(self.seen.max(self.used), self.node);
        assert!(used > self.used, "{used} was used before: {}", self.used);
        fx.record(SingleRecord { used });
        self.restore(SingleRecord { used });
        self.phase = Phase::Matchmaking { answers: BTreeMap::new() };
        self.collection = Collection::NotYet;
        self.ask(fx);
    }

    /// Counts a matchmaker. f + 1 of them know every configuration that may have chosen something:
    /// the union of their histories, from the highest of their watermarks on.
    fn on_match_b(&mut self, from: NodeId, m: MatchB, fx: &mut Fx) {
        let Phase::Matchmaking { answers } = &mut self.phase else { return };
        let is_answer = m.epoch == self.epoch && m.round == self.used;
        if is_answer && self.matchmakers.contains(&from) {
            answers.insert(from, m);
        }
        if answers.len() <= self.matchmakers.len() / 2 {
            return;
        }
        let watermark = answers.values().map(|m| m.watermark).max().unwrap_or(Round::ZERO);
        let mut history = BTreeMap::new();
        for (round, c) in answers.values().flat_map(|m| m.history.range(watermark..)) {
            if history.insert(*round, c.clone()).is_some_and(|known| known != *c) {
                let detail = format!("{round} has two configurations");
                return fx.violation("A4 one configuration per round", detail);
            }
        }
        self.phase = Phase::Phase1 { history, promises: BTreeSet::new(), highest: None };
        self.ask(fx);
        self.finish_phase1(fx);
    }

    /// Counts a promise and keeps the vote of the highest round.
    fn on_phase1b(&mut self, from: NodeId, m: Phase1B, fx: &mut Fx) {
        let Phase::Phase1 { promises, highest, .. } = &mut self.phase else { return };
        if m.round != self.used || m.first != SLOT {
            return;
        }
        if m.persisted_watermark > SLOT {
            return fx.violation("decree acceptors", format!("{from} has dropped its votes"));
        }
        for vote in m.votes.into_iter().filter(|vote| vote.slot == SLOT) {
            match highest {
                Some((round, value)) if *round == vote.round && *value != vote.value => {
                    let detail = format!("{round} has two values");
                    return fx.violation("A3 one value per round", detail);
                }
                Some((round, _)) if *round >= vote.round => {}
                Some(_) | None => *highest = Some((vote.round, vote.value)),
            }
        }
        promises.insert(from);
        self.finish_phase1(fx);
    }

    /// Ends Phase 1 once a Phase 1 quorum of *each* earlier configuration has promised. A quorum of
    /// their union would not do. If there is no earlier configuration it ends at once.
    ///
    /// *Scenario 2* of garbage collection: without a vote nothing was or will be chosen below.
    fn finish_phase1(&mut self, fx: &mut Fx) {
        let Phase::Phase1 { history, promises, highest } = &mut self.phase else { return };
        let mut earlier = history.values();
        if !earlier.all(|earlier| earlier.is_phase1(earlier.members_among(&*promises))) {
            return;
        }
        match (highest.take(), &mut self.proposal) {
            (Some((_, met)), Some(proposal)) => proposal.value = met,
            _ => self.collection = Collection::Asking(BTreeSet::new()),
        }
        self.phase = Phase::Phase2 { votes: BTreeSet::new() };
        self.ask(fx);
    }

    /// Counts a vote; a Phase 2 quorum makes the value chosen.
    ///
    /// *Scenario 1* of garbage collection: a later Phase 1 meets this quorum and looks no further.
    fn on_phase2b(&mut self, from: NodeId, m: &Phase2B, fx: &mut Fx) {
        let Phase::Phase2 { votes } = &mut self.phase else { return };
        let Some(Proposal { configuration, .. }) = &self.proposal else { return };
        // A reply from below a persisted watermark would be no vote.
        if m.round != self.used || m.slot != SLOT || m.persisted_watermark > SLOT {
            return;
        }
        votes.insert(from);
        if !configuration.is_phase2(configuration.members_among(&*votes)) {
            return;
        }
        self.phase = Phase::Chosen;
        match self.collection {
            Collection::NotYet => {
                self.collection = Collection::Asking(BTreeSet::new());
                self.ask(fx);
            }
            Collection::Asking(_) => {}
            Collection::Done => fx.cancel_timer(SingleTimer::Resend),
        }
    }

    /// Counts a matchmaker that has forgotten all rounds below the present one.
    fn on_garbage_b(&mut self, from: NodeId, m: &GarbageB, fx: &mut Fx) {
        let Collection::Asking(answers) = &mut self.collection else { return };
        let is_answer = m.epoch == self.epoch && m.watermark >= self.used;
        if is_answer && self.matchmakers.contains(&from) {
            answers.insert(from);
        }
        if answers.len() > self.matchmakers.len() / 2 {
            self.collection = Collection::Done;
            if self.phase == Phase::Chosen {
                fx.cancel_timer(SingleTimer::Resend);
            }
        }
    }

    /// Asks the next generation of matchmakers what a majority of this one has not answered: the same
    /// round, with the same configuration.
    fn on_stopped(&mut self, m: Stopped, fx: &mut Fx) {
        let Some(Successor { generation, .. }) = m.successor else { return };
        if generation.epoch <= self.epoch {
            return;
        }
        (self.epoch, self.matchmakers) = (generation.epoch, generation.members);
        if let Phase::Matchmaking { answers } = &mut self.phase {
            answers.clear();
        }
        if let Collection::Asking(answers) = &mut self.collection {
            answers.clear();
        }
        if self.phase != Phase::Chosen || self.collection != Collection::Done {
            self.ask(fx);
        }
    }

    /// Takes a refusal: waits a while before a higher round. One of its own is stale by definition: this proposer
    /// knows what it did since.
    fn give_way(&mut self, round: Round, fx: &mut Fx) {
        if round.owner == self.node {
            return;
        }
        self.seen = self.seen.max(round);
        if round > self.used {
            self.leave_round(fx);
        }
    }

    /// Gives way to a higher round. A configuration of an earlier version than others have registered is
    /// refused; here versions mean nothing else, so the next round takes the later one.
    fn on_match_nack(&mut self, m: MatchNack, fx: &mut Fx) {
        let newest = m.newest.map_or(0, |(_, newest)| newest.version());
        if let Some(Proposal { configuration, .. }) = &mut self.proposal
            && m.round == self.used
            && newest > configuration.version()
        {
            *configuration = configuration.clone().with_version(newest);
            self.leave_round(fx);
        }
        self.give_way(m.highest, fx);
    }

    /// Tries again in a higher round, after a while.
    fn leave_round(&mut self, fx: &mut Fx) {
        if !matches!(self.phase, Phase::Idle | Phase::Chosen | Phase::Beaten) {
            self.phase = Phase::Beaten;
            self.collection = Collection::NotYet;
            let factor = 1 << self.defeat_count.min(BACKOFF_DOUBLINGS_MAX);
            self.defeat_count = self.defeat_count.saturating_add(1);
            fx.cancel_timer(SingleTimer::Resend);
            fx.set_timer(SingleTimer::Retry, BACKOFF.start * factor..BACKOFF.end * factor);
        }
    }

    /// Asks for what the present phase waits for, the first time and again until it is answered.
    fn ask(&mut self, fx: &mut Fx) {
        let Some(Proposal { value, configuration }) = &self.proposal else { return };
        let (epoch, round) = (self.epoch, self.used);
        match &self.phase {
            Phase::Matchmaking { answers } => {
                let m = MatchA { epoch, round, configuration: configuration.clone() };
                let silent = self.matchmakers.iter().filter(|node| !answers.contains_key(node));
                fx.broadcast(silent, ToMatchmaker::from(m));
            }
            Phase::Phase1 { history, promises, .. } => {
                let members: BTreeSet<NodeId> =
                    history.values().flat_map(|earlier| earlier.members()).copied().collect();
                let m = ToAcceptor::Phase1A(Phase1A { round, first: SLOT });
                fx.broadcast(members.difference(promises), m);
            }
            Phase::Phase2 { votes } => {
                let m = ToAcceptor::Phase2A(Phase2A { round, slot: SLOT, value: value.clone() });
                let silent = configuration.members().iter().filter(|node| !votes.contains(node));
                fx.broadcast(silent, m);
            }
            Phase::Chosen => {}
            Phase::Idle | Phase::Beaten => return,
        }
        if let Collection::Asking(answers) = &self.collection {
            let m = ToMatchmaker::GarbageA(GarbageA { epoch, round });
            fx.broadcast(self.matchmakers.difference(answers), m);
        }
        fx.set_timer(SingleTimer::Resend, RESEND);
    }

    fn check_invariants(&self) {
        assert!(self.used <= self.seen, "{} is above {}", self.used, self.seen);
        assert!(self.proposal.is_some() || self.phase == Phase::Idle, "wants nothing, yet works");
        let has_proof = matches!(self.phase, Phase::Phase2 { .. } | Phase::Chosen);
        assert!(has_proof || self.collection == Collection::NotYet, "collects without proof");
    }
}

#[cfg(test)]
mod tests;
