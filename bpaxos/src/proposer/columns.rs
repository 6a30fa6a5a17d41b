//! The logs that a proposer leads: its own column, and those that it has taken over.
//!
//! *Paper*: Bipartisan Paxos, recovery. A replica that waits for a vertex asks the owner of the column
//! first, which fills it with nothing if it never used it. Asked twice for the column of another proposer,
//! or by a replica that got no answer, a proposer takes the column over. If the owner was alive it takes
//! its column back when it has commands, and goes on behind all slots that either of them used.

use matchmaker::leader::{Leader, LeaderRecord, LeaderTimer};
use matchmaker::message::Generation;
use matchmaker::reconfigurer::{Reconfigurer, ReconfigurerOptions};
use paxos::actor::Effects;
use paxos::command::Value;
use paxos::slot::Slot;
use paxos::state_machine::Conflicts;

use super::{Fx, Proposer, ProposerTimer};
use crate::column::{COLUMNS_MAX, nest_in};
use crate::message::Recover;
use crate::vertex::{Column, Vertex};

/// How far beyond what was proposed a replica may ask for a vertex to be filled. More than a dependency
/// node that has restarted can name.
const FILL_MAX: u64 = 1 << 16;

/// A column, as one proposer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Held {
    /// Of its log.
    pub(super) leader: Leader,
    /// Replaces the matchmakers of the column.
    pub(super) driver: Reconfigurer,
    /// Exclusive; slots below must hold something, because replicas wait for them.
    wanted: Slot,
}

impl<S: Conflicts> Proposer<S> {
    /// What is known of `column`, from now on. None if there are too many columns.
    pub(super) fn hold(&mut self, column: Column) -> Option<&mut Held> {
        if self.held.len() >= COLUMNS_MAX && !self.held.contains_key(&column) {
            return None;
        }
        let (node, own, opened) = (self.node, self.column(), &self.opened);
        let (deployment, options) = (&self.deployment, &self.options.leader);
        Some(self.held.entry(column).or_insert_with(|| {
            let mut deployment = deployment.clone();
            if let Some(Generation { epoch, members }) = opened.clone().filter(|_| column == own) {
                (deployment.epoch, deployment.matchmakers) = (epoch, members);
            }
            let (resend, patience) = (options.resend.clone(), options.campaign.clone());
            let proposers = deployment.initial.membership().proposers.clone();
            let driver_options = ReconfigurerOptions { resend, patience };
            let driver = Reconfigurer::new(node, proposers, driver_options);
            let leader = Leader::new(node, deployment, options.clone());
            Held { leader, driver, wanted: Slot::ZERO }
        }))
    }

    /// Takes a step of the leader of `column`.
    pub(super) fn lead<O>(
        &mut self,
        column: Column,
        fx: &mut Fx,
        step: impl FnOnce(
            &mut Leader,
            &mut Effects<matchmaker::message::Message, LeaderTimer, LeaderRecord>,
        ) -> O,
    ) -> Option<O> {
        let held = self.hold(column)?;
        Some(nest_in(column, fx, |fx| step(&mut held.leader, fx)))
    }

    /// Tries to lead `column`, unless it does or is at it.
    pub(super) fn campaign(&mut self, column: Column, fx: &mut Fx) {
        if column == self.column() {
            self.open(None, fx);
        }
        self.lead(column, fx, |leader, fx| {
            if !leader.is_active() && leader.is_proposer() {
                leader.campaign(fx);
            }
        });
    }

    /// Sees to it that something is chosen in a vertex, and so in all below it.
    ///
    /// *Repeat*: nothing happens until the column is led here, and nothing after.
    pub(super) fn on_recover(&mut self, m: Recover, fx: &mut Fx) {
        let Vertex { column, slot } = m.vertex;
        let Some(held) = self.hold(column) else { return };
        held.wanted = held.wanted.max(slot.next());
        self.campaign(column, fx);
    }

    /// Fills what is wanted in columns that this proposer leads.
    pub(super) fn fill_wanted(&mut self, fx: &mut Fx) {
        let own = self.column();
        let mut due = Vec::new();
        for (column, held) in &mut self.held {
            let Some(next) = held.leader.next_slot() else { continue };
            let wanted = std::mem::take(&mut held.wanted);
            if wanted <= next || next.until(wanted) > FILL_MAX {
                continue;
            }
            if *column == own {
                self.collection.skip_below(wanted);
                self.collection.need_below(wanted);
            } else {
                held.wanted = wanted;
                due.push((*column, wanted));
            }
        }
        for (column, wanted) in due {
            self.lead(column, fx, |leader, fx| {
                while leader.next_slot().is_some_and(|next| next < wanted) {
                    if leader.propose_needed(Value::Noop, fx).is_none() {
                        return;
                    }
                }
            });
        }
    }

    /// Takes its own column back in a while, if another proposer has it and there is work to do.
    pub(super) fn want_column_back(&mut self, fx: &mut Fx) {
        if self.collection.has_requests() {
            self.want_column(fx);
        }
    }

    /// Tries to lead its own column in a while, unless it does. An operator who asks something of it has to be
    /// heard: nobody leads the column if whoever had taken it over is gone.
    pub(super) fn want_column(&mut self, fx: &mut Fx) {
        let own = self.column();
        let is_active = self.held.get(&own).is_some_and(|held| held.leader.is_active());
        if !is_active && !self.is_campaign_due {
            self.is_campaign_due = true;
            fx.set_timer(ProposerTimer::Campaign, self.options.campaign.clone());
        }
    }

    pub(super) fn on_campaign_timer(&mut self, fx: &mut Fx) {
        self.is_campaign_due = false;
        self.campaign(self.column(), fx);
    }
}
