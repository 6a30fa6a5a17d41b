//! Columns: one log for each proposer, and one role of consensus for each column.
//!
//! Each column is a Matchmaker MultiPaxos log of its own: it has its own rounds, leader, acceptors and
//! garbage collection, and moves to other acceptors by itself. So a node that takes part in consensus
//! holds one role of `paxos` or `matchmaker` for each column, and nothing about them is new here.

use std::collections::BTreeMap;
use std::convert::Infallible;

use paxos::actor::{Effects, TimerChange};
use paxos::wire::{Decode, Encode, Frame};

use crate::vertex::Column;

/// Columns of one cluster, at most. One comes into being each time a proposer joins.
pub const COLUMNS_MAX: usize = 4096;

/// Something that concerns one column only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "paxos::wire::bincode", decode_context = "Frame")]
pub struct InColumn<T> {
    /// Which column.
    pub column: Column,
    /// What.
    pub inner: T,
}

impl InColumn<Infallible> {
    /// What there is none of.
    pub fn never<T>(self) -> T {
        match self.inner {}
    }
}

/// The same role for every column. A column that was never heard of begins with a fresh one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Columns<R> {
    fresh: R,
    roles: BTreeMap<Column, R>,
}

impl<R: Clone> Columns<R> {
    /// No columns yet; each begins with `fresh`.
    pub fn new(fresh: R) -> Self {
        Self { fresh, roles: BTreeMap::new() }
    }

    /// The role of `column`, if it was ever heard of.
    pub fn get(&self, column: Column) -> Option<&R> {
        self.roles.get(&column)
    }

    /// The role of `column`. None if it would be one more than [`COLUMNS_MAX`].
    pub fn of(&mut self, column: Column) -> Option<&mut R> {
        if self.roles.len() >= COLUMNS_MAX && !self.roles.contains_key(&column) {
            return None;
        }
        Some(self.roles.entry(column).or_insert_with(|| self.fresh.clone()))
    }

    /// All roles, by column.
    pub fn iter(&self) -> impl Iterator<Item = (Column, &R)> {
        self.roles.iter().map(|(column, role)| (*column, role))
    }

    /// All roles, by column.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Column, &mut R)> {
        self.roles.iter_mut().map(|(column, role)| (*column, role))
    }
}

/// Runs a step of the role of `column`, and adopts its effects as those of the column.
pub fn nest_in<M, T, R, M2, T2, R2, O>(
    column: Column,
    fx: &mut Effects<M, T, R>,
    step: impl FnOnce(&mut Effects<M2, T2, R2>) -> O,
) -> O
where
    matchmaker::message::Message: From<M2>,
    M: From<InColumn<matchmaker::message::Message>>,
    T: From<InColumn<T2>>,
    R: From<InColumn<R2>>,
{
    let mut inner = Effects::default();
    let outcome = step(&mut inner);
    for record in inner.records {
        fx.record(InColumn { column, inner: record });
    }
    for (to, message) in inner.sends {
        fx.send(to, InColumn { column, inner: message.into() });
    }
    for change in inner.timers {
        fx.timers.push(match change {
            TimerChange::Set(timer, delay) => {
                TimerChange::Set(InColumn { column, inner: timer }.into(), delay)
            }
            TimerChange::Cancel(timer) => {
                TimerChange::Cancel(InColumn { column, inner: timer }.into())
            }
        });
    }
    fx.violations.extend(inner.violations);
    outcome
}
