//! The registry: a matchmaker for each column.
//!
//! Each column has matchmakers of its own, though the same node may be one of many: a generation of
//! them, the rounds that are registered, and a handover to the next generation are those of that column
//! alone. So all that is known of matchmakers is true here as well, and nothing has to be kept in step.
//! What is done for all columns at once, it is by the proposer whom an operator asks
//! (`proposer/matchmakers.rs`).
//!
//! A column is *opened* by its proposer, and by nobody else, at the matchmakers that this proposer names,
//! the same ones for ever. Whoever asks for a column that was not opened here gets to hear that: a matchmaker
//! that began one on its own, with no rounds, could make others believe that there have been none.
//!
//! *Paper*: Matchmaker Paxos, section 6 (protocols that use consensus as a black box).
//!
//! *Durable*: that a column is open before anything is answered in it.

use std::collections::BTreeMap;
use std::convert::Infallible;

use matchmaker::matchmaker::{Matchmaker, MatchmakerRecord};
use matchmaker::message::{Generation, ToMatchmaker};
use paxos::actor::{Effects, NodeId};
use paxos::mutant::{self, Mutant};

use crate::column::{COLUMNS_MAX, InColumn, nest_in};
use crate::message::{ColumnsA, ColumnsB, Message, OpenA, ToRegistry};
use crate::vertex::Column;

/// A durable fact of a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RegistryRecord {
    /// The column is open, and these are its first matchmakers.
    Opened(InColumn<Generation>),
    /// Of the matchmaker of a column.
    Column(InColumn<MatchmakerRecord>),
}

impl From<InColumn<MatchmakerRecord>> for RegistryRecord {
    fn from(record: InColumn<MatchmakerRecord>) -> Self {
        Self::Column(record)
    }
}

/// The state of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Registry {
    /// By column: its matchmaker here.
    columns: BTreeMap<Column, Matchmaker>,
    /// The first matchmakers of columns that were opened here.
    opened: BTreeMap<Column, Generation>,
}

type Fx = Effects<Message, InColumn<Infallible>, RegistryRecord>;

impl Registry {
    /// A registry that knows of no column.
    pub fn new() -> Self {
        Self::default()
    }

    /// The matchmaker of `column`, if it knows anything of that.
    pub fn column(&self, column: Column) -> Option<&Matchmaker> {
        self.columns.get(&column)
    }

    /// Folds one durable record.
    pub fn restore(&mut self, record: RegistryRecord) {
        match record {
            RegistryRecord::Opened(InColumn { column, inner: generation }) => {
                self.columns.entry(column).or_insert_with(|| Matchmaker::new(generation.clone()));
                self.opened.insert(column, generation);
            }
            RegistryRecord::Column(InColumn { column, inner }) => {
                self.columns.entry(column).or_insert_with(Matchmaker::pending).restore(inner);
            }
        }
    }

    /// The least list of records with the same fold.
    pub fn checkpoint(&self) -> Vec<RegistryRecord> {
        let opened = self.opened.iter().map(|(column, generation)| {
            RegistryRecord::Opened(InColumn { column: *column, inner: generation.clone() })
        });
        let known = self.columns.iter().flat_map(|(column, matchmaker)| {
            let records = matchmaker.checkpoint().into_iter();
            records.map(|inner| RegistryRecord::Column(InColumn { column: *column, inner }))
        });
        opened.chain(known).collect()
    }

    /// Takes one message.
    pub fn on_message(&mut self, from: NodeId, message: ToRegistry, fx: &mut Fx) {
        match message {
            ToRegistry::OpenA(m) => self.on_open_a(from, m, fx),
            ToRegistry::ColumnsA(ColumnsA) => {
                let known = self.columns.iter();
                let known = known.filter_map(|(column, matchmaker)| {
                    Some((*column, matchmaker.generation()?.clone()))
                });
                fx.send(from, ColumnsB { columns: known.collect() });
            }
        }
    }

    /// Opens the column of the sender.
    ///
    /// *Repeat*: nothing happens.
    fn on_open_a(&mut self, from: NodeId, m: OpenA, fx: &mut Fx) {
        let column = Column(from);
        if self.columns.contains_key(&column) || self.columns.len() >= COLUMNS_MAX {
            return;
        }
        let record = RegistryRecord::Opened(InColumn { column, inner: m.generation });
        fx.record(record.clone());
        self.restore(record);
    }

    /// Takes one message about `column`. Of one that is not open here it says no more than that, until it
    /// is told how a generation of that has begun.
    pub fn on_column(&mut self, column: Column, from: NodeId, message: ToMatchmaker, fx: &mut Fx) {
        if let Some(matchmaker) = self.columns.get_mut(&column) {
            return nest_in(column, fx, |fx| matchmaker.on_message(from, message, fx));
        }
        let mut matchmaker = unknown(from, &message);
        if self.columns.len() >= COLUMNS_MAX {
            return;
        }
        let is_told = nest_in(column, fx, |fx| {
            matchmaker.on_message(from, message, fx);
            !fx.records.is_empty()
        });
        if is_told {
            self.columns.insert(column, matchmaker);
        }
    }
}

/// What a registry is to a column that it knows nothing of, when it gets this message.
fn unknown(from: NodeId, message: &ToMatchmaker) -> Matchmaker {
    let epoch = match message {
        ToMatchmaker::MatchA(m) => Some(m.epoch),
        ToMatchmaker::NewestA(m) => Some(m.epoch),
        ToMatchmaker::GarbageA(_)
        | ToMatchmaker::ReachA(_)
        | ToMatchmaker::StopA(_)
        | ToMatchmaker::DecreeA(_)
        | ToMatchmaker::ActivateA(_)
        | ToMatchmaker::SucceededA(_)
        | ToMatchmaker::OriginA(_) => None,
    };
    match epoch.filter(|_| mutant::is_on(Mutant::AnybodyOpensColumns)) {
        Some(epoch) => Matchmaker::new(Generation { epoch, members: [from].into() }),
        None => Matchmaker::pending(),
    }
}

#[cfg(test)]
mod tests;
