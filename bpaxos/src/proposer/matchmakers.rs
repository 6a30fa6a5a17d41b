//! The matchmakers of columns: opening its own column, and replacing those of all columns.
//!
//! ```text
//!          MatchmakersA          a majority of each generation       Finished, and none is left
//!   Idle ──────────────► Listing ─────────────────────────────► Moving ─────────────┐
//!    ▲                      ▲  │ nothing to move, or overtaken                      │
//!    │                      └──┼────────────────────────────────────────────────────┘
//!    └─────────────────────────┘
//! ```
//!
//! Each column's matchmakers are replaced by themselves, by the driver of `matchmaker`: any proposer can
//! drive those of any column. So there is no state of all columns that could be half moved in an unsafe
//! way: some have moved and some have not, until all have. Columns are listed again at the end, because
//! some may have been opened meanwhile.
//!
//! *Why none is missed*: a round is registered by a majority of the matchmakers of its column, and a
//! majority of them is asked. An operator must not add proposers that name the old matchmakers meanwhile.
//!
//! Where another proposer moves a column to others meanwhile, this one gives up: two that go on would undo
//! each other's work for ever. The operator asks again.
//!
//! *Paper*: Matchmaker Paxos, section 5.
//!
//! *Durable*: which matchmakers its column began with, before it is opened; rounds of decrees.

use std::collections::{BTreeMap, BTreeSet};

use matchmaker::message::{
    FromMatchmaker, Generation, HandoverA, HandoverB, HandoverProgress, Message as ColumnMessage,
    ToProposer as ToLeader, ToReconfigurer,
};
use matchmaker::reconfigurer::{Reconfigurer, ReconfigurerRecord, ReconfigurerTimer};
use paxos::actor::{Effects, NodeId};
use paxos::configuration::Configuration;
use paxos::quorum::QuorumSystem;
use paxos::state_machine::Conflicts;

use super::{Fx, Proposer, ProposerRecord, ProposerTimer};
use crate::column::nest_in;
use crate::message::{
    ColumnsA, ColumnsB, MatchmakersA, MatchmakersB, MatchmakersOutcome, OpenA, ToApplication,
    ToRegistry,
};
use crate::vertex::Column;

/// Periods of `resend` after which the handover of a column is given up as stuck.
const PATIENCE_MAX: u32 = 128;

/// What an operator wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Wish {
    requester: NodeId,
    token: u64,
    members: BTreeSet<NodeId>,
    /// Proposers that have not confirmed that they know.
    unaware: BTreeSet<NodeId>,
    /// Columns that were handed over.
    moved: BTreeSet<Column>,
}

/// How far the replacement is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Phase {
    /// None is under way.
    #[default]
    Idle,
    /// Asks which columns there are.
    Listing { wish: Wish, answered: BTreeSet<NodeId>, listed: BTreeSet<Column> },
    /// Replaces those of one column, then those of the rest.
    Moving { wish: Wish, column: Column, rest: Vec<Column>, period_count: u32 },
}

/// What a proposer knows of the replacement of matchmakers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Moving {
    phase: Phase,
    /// Names the last handover that was begun.
    token: u64,
}

impl<S: Conflicts> Proposer<S> {
    /// Opens its own column at matchmakers that may not know of it: all of them, or one.
    pub(super) fn open(&mut self, at: Option<NodeId>, fx: &mut Fx) {
        let generation = self.opened.clone().unwrap_or_else(|| {
            let (epoch, members) = (self.deployment.epoch, self.deployment.matchmakers.clone());
            Generation { epoch, members }
        });
        if self.opened.is_none() {
            fx.record(ProposerRecord::Opened(generation.clone()));
            self.opened = Some(generation.clone());
        }
        let to = generation.members.clone();
        let to = to.iter().filter(|node| at.is_none_or(|at| at == **node));
        fx.broadcast(to, ToRegistry::OpenA(OpenA { generation }));
    }

    /// Takes a message of the log of `column`: it is for the leader or for the driver, or for both.
    pub(super) fn on_log(&mut self, column: Column, from: NodeId, message: ToLeader, fx: &mut Fx) {
        let before = self.leader(column).map(|leader| leader.matchmakers().epoch);
        match message {
            ToLeader::Reconfigurer(m) => self.on_reconfigurer(column, from, m, fx),
            message => {
                if let ToLeader::Matchmaker(FromMatchmaker::Stopped(m)) = &message {
                    self.drive(column, fx, |driver, present, fx| {
                        driver.on_stopped(from, m.as_ref().clone(), present, fx);
                    });
                }
                if column == self.column() && matches!(message, ToLeader::ReconfigureA(_)) {
                    self.want_column(fx);
                }
                self.lead(column, fx, |leader, fx| leader.on_message(from, message, fx));
            }
        }
        let after = self.leader(column).map(|leader| leader.matchmakers().epoch);
        if before.is_some() && after > before {
            self.drive(column, fx, |driver, present, fx| driver.follow(present, fx));
        }
    }

    fn on_reconfigurer(&mut self, column: Column, from: NodeId, m: ToReconfigurer, fx: &mut Fx) {
        let opened = self.opened.as_ref().map(|generation| generation.epoch);
        if let ToReconfigurer::Pending(pending) = &m
            && column == self.column()
            && Some(pending.epoch) == opened
        {
            self.open(Some(from), fx);
        }
        let serving =
            self.drive(column, fx, |driver, present, fx| driver.on_message(from, m, present, fx));
        if let Some(generation) = serving.flatten() {
            self.lead(column, fx, |leader, fx| leader.follow_matchmakers(generation, fx));
        }
    }

    pub(super) fn on_driver_timer(
        &mut self,
        column: Column,
        timer: ReconfigurerTimer,
        fx: &mut Fx,
    ) {
        self.drive(column, fx, |driver, present, fx| driver.on_timer(timer, present, fx));
    }

    /// Takes a step of the driver of `column`.
    fn drive<O>(
        &mut self,
        column: Column,
        fx: &mut Fx,
        step: impl FnOnce(
            &mut Reconfigurer,
            &Generation,
            &mut Effects<ColumnMessage, ReconfigurerTimer, ReconfigurerRecord>,
        ) -> O,
    ) -> Option<O> {
        let held = self.hold(column)?;
        let (driver, leader) = (&mut held.driver, &held.leader);
        driver.learn_proposers(&leader.newest().membership().proposers);
        Some(nest_in(column, fx, |fx| step(driver, leader.matchmakers(), fx)))
    }

    /// Begins to replace the matchmakers of all columns, unless that is under way. The operator asks
    /// again.
    pub(super) fn on_matchmakers_a(&mut self, from: NodeId, m: MatchmakersA, fx: &mut Fx) {
        let is_possible = Configuration::new(0, QuorumSystem::Majority, m.members.clone()).is_ok();
        if self.moving.phase == Phase::Idle && is_possible {
            let (token, members) = (m.token, m.members);
            let (unaware, moved) = (BTreeSet::new(), BTreeSet::new());
            self.start_listing(Wish { requester: from, token, members, unaware, moved }, fx);
        }
    }

    fn start_listing(&mut self, wish: Wish, fx: &mut Fx) {
        let (answered, listed) = (BTreeSet::new(), BTreeSet::new());
        self.moving.phase = Phase::Listing { wish, answered, listed };
        self.ask_for_columns(fx);
        fx.set_timer(ProposerTimer::Matchmakers, self.options.resend.clone());
    }

    /// The matchmakers of each column, as far as this proposer knows.
    fn generations(&self) -> BTreeMap<Column, Generation> {
        let held = self.held.iter();
        held.map(|(column, held)| (*column, held.leader.matchmakers().clone())).collect()
    }

    fn ask_for_columns(&self, fx: &mut Fx) {
        let Phase::Listing { answered, .. } = &self.moving.phase else { return };
        let generations = self.generations();
        let nodes: BTreeSet<&NodeId> =
            generations.values().flat_map(|generation| &generation.members).collect();
        let silent = nodes.into_iter().filter(|node| !answered.contains(node));
        fx.broadcast(silent, ToRegistry::ColumnsA(ColumnsA));
    }

    /// Learns of columns. Goes on when a majority of the matchmakers of each has answered.
    pub(super) fn on_columns_b(&mut self, from: NodeId, m: ColumnsB, fx: &mut Fx) {
        let Phase::Listing { answered, listed, .. } = &mut self.moving.phase else { return };
        answered.insert(from);
        listed.extend(m.columns.keys());
        for (column, generation) in m.columns {
            self.lead(column, fx, |leader, fx| leader.follow_matchmakers(generation, fx));
        }
        let generations = self.generations();
        let Phase::Listing { wish, answered, listed } = &self.moving.phase else { return };
        let has_majority = |generation: &Generation| {
            generation.members.intersection(answered).count() >= generation.majority()
        };
        if !generations.values().all(has_majority) {
            return self.ask_for_columns(fx);
        }
        let is_elsewhere = |column: &&Column| {
            let generation = generations.get(column);
            generation.is_some_and(|generation| generation.members != wish.members)
        };
        let rest: Vec<Column> = listed.iter().filter(is_elsewhere).copied().collect();
        let wish = wish.clone();
        if rest.is_empty() {
            let outcome = MatchmakersOutcome::Moved { unaware: wish.unaware.clone() };
            return self.finish_moving(&wish, outcome, fx);
        }
        if let Some(column) = rest.iter().find(|column| wish.moved.contains(column)) {
            let outcome = MatchmakersOutcome::Stuck { column: *column };
            return self.finish_moving(&wish, outcome, fx);
        }
        self.move_next(wish, rest, fx);
    }

    fn move_next(&mut self, wish: Wish, mut rest: Vec<Column>, fx: &mut Fx) {
        let Some(column) = rest.pop() else { return self.start_listing(wish, fx) };
        self.moving.phase = Phase::Moving { wish, column, rest, period_count: 0 };
        self.hand_over(fx);
    }

    /// Begins the handover of the present column, as an operator would.
    fn hand_over(&mut self, fx: &mut Fx) {
        let Phase::Moving { wish, column, .. } = &self.moving.phase else { return };
        let (column, members) = (*column, wish.members.clone());
        self.moving.token += 1;
        let (node, m) = (self.node, HandoverA { token: self.moving.token, members });
        self.drive(column, fx, |driver, present, fx| {
            driver.on_message(node, m.into(), present, fx);
        });
    }

    /// The driver beside says how a handover went on.
    pub(super) fn on_handover_b(&mut self, column: Column, m: HandoverB, fx: &mut Fx) {
        let Phase::Moving { wish, column: present, rest, .. } = &mut self.moving.phase else {
            return;
        };
        if column != *present || m.token != self.moving.token {
            return;
        }
        match m.progress {
            HandoverProgress::Active { .. } => return,
            HandoverProgress::Finished { unaware, .. } => {
                wish.unaware.extend(unaware);
                wish.moved.insert(column);
            }
            HandoverProgress::Superseded { generation } => {
                if generation.members != wish.members {
                    let wish = wish.clone();
                    return self.finish_moving(&wish, MatchmakersOutcome::Stuck { column }, fx);
                }
            }
            // The driver is at something else: asked again with the next period.
            HandoverProgress::Refused { .. } => return,
            HandoverProgress::Unreachable { silent } => {
                let wish = wish.clone();
                let outcome = MatchmakersOutcome::Unreachable { silent };
                return self.finish_moving(&wish, outcome, fx);
            }
        }
        let (wish, rest) = (wish.clone(), std::mem::take(rest));
        self.move_next(wish, rest, fx);
    }

    fn finish_moving(&mut self, wish: &Wish, outcome: MatchmakersOutcome, fx: &mut Fx) {
        let m = MatchmakersB { token: wish.token, outcome };
        fx.send(wish.requester, ToApplication::MatchmakersB(m));
        self.moving.phase = Phase::Idle;
        fx.cancel_timer(ProposerTimer::Matchmakers);
    }

    /// Asks again; or gives up a handover that does not come to its end.
    pub(super) fn on_matchmakers_timer(&mut self, fx: &mut Fx) {
        match &mut self.moving.phase {
            Phase::Idle => return,
            Phase::Listing { .. } => self.ask_for_columns(fx),
            Phase::Moving { wish, column, period_count, .. } => {
                *period_count += 1;
                if *period_count > PATIENCE_MAX {
                    let (wish, outcome) =
                        (wish.clone(), MatchmakersOutcome::Stuck { column: *column });
                    return self.finish_moving(&wish, outcome, fx);
                }
                if !self.held.get(column).is_some_and(|held| held.driver.is_busy()) {
                    self.hand_over(fx);
                }
            }
        }
        fx.set_timer(ProposerTimer::Matchmakers, self.options.resend.clone());
    }
}
