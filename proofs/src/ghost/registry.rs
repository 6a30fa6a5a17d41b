//! What is true of matchmakers: registrations, collections and handovers.

use std::collections::{BTreeMap, BTreeSet};

use matchmaker::message::{Epoch, Generation, Successor};
use paxos::actor::NodeId;
use paxos::command::Value;
use paxos::round::Round;

use super::Rounds;
use crate::hashed::Hashed;

/// What one matchmaker has written in the generation that it serves in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Book {
    epoch: Epoch,
    log: BTreeSet<Round>,
    watermark: Round,
    is_stopped: bool,
}

impl Book {
    const EMPTY: Self =
        Self { epoch: Epoch(0), log: BTreeSet::new(), watermark: Round::ZERO, is_stopped: false };
}

/// What matchmakers wrote and what they told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Registry {
    /// Those that were founded or chosen.
    pub generations: BTreeMap<Epoch, Hashed<Successor>>,
    books: BTreeMap<NodeId, Book>,
    /// Who answered for a round.
    answers: BTreeMap<(Epoch, Round), BTreeSet<NodeId>>,
    /// Up to where each has told that it forgot.
    forgot: BTreeMap<(Epoch, NodeId), Round>,
    decrees: BTreeMap<(Epoch, Round), Hashed<Value>>,
    /// Those of which an operator was told that they may go.
    pub retired: BTreeSet<NodeId>,
}

impl Registry {
    pub(super) fn new(founding: Generation) -> Self {
        let (epoch, log) = (founding.epoch, BTreeMap::new());
        let (previous, watermark) = ([].into(), Round::ZERO);
        let first = Successor { generation: founding, previous, log, watermark, newest: None };
        Self {
            generations: [(epoch, Hashed::new(first))].into(),
            books: BTreeMap::new(),
            answers: BTreeMap::new(),
            forgot: BTreeMap::new(),
            decrees: BTreeMap::new(),
            retired: BTreeSet::new(),
        }
    }

    fn book(&mut self, node: NodeId) -> &mut Book {
        self.books.entry(node).or_insert(Book::EMPTY)
    }

    fn is_majority(&self, epoch: Epoch, nodes: &BTreeSet<NodeId>) -> bool {
        self.generations.get(&epoch).is_some_and(|successor| {
            let generation = &successor.generation;
            nodes.intersection(&generation.members).count() >= generation.majority()
        })
    }

    /// Rounds for which a majority of one generation has answered.
    pub fn matched(&self) -> impl Iterator<Item = Round> {
        let whole =
            self.answers.iter().filter(|((epoch, _), nodes)| self.is_majority(*epoch, nodes));
        whole.map(|((_, round), _)| *round)
    }

    /// Whether a majority of one generation has answered for the round.
    pub fn is_matched(&self, round: Round) -> bool {
        self.matched().any(|matched| matched == round)
    }

    /// What is broken when somebody goes on in a round without that.
    pub(super) fn unmatched(&self) -> &'static str {
        if self.generations.len() > 1 { "H4 unmixed answers" } else { "A7 proposal licence" }
    }

    /// The highest round below which a majority of one generation has told that it forgot all.
    pub fn collected(&self) -> Round {
        let told = self.forgot.iter().filter(|((epoch, _), watermark)| {
            let others =
                self.forgot.iter().filter(|((other, _), w)| other == epoch && w >= watermark);
            self.is_majority(*epoch, &others.map(|((_, node), _)| *node).collect())
        });
        told.map(|(_, watermark)| *watermark).max().unwrap_or(Round::ZERO)
    }

    /// A9: registers upwards only.
    pub(super) fn register(&mut self, node: NodeId, round: Round) -> bool {
        let book = self.book(node);
        let is_above = book.log.last().is_none_or(|last| *last < round);
        let is_kept = round >= book.watermark;
        book.log.insert(round);
        is_above && is_kept
    }

    /// A8: shows all that it has registered from its watermark on, and its watermark.
    pub(super) fn answer(
        &mut self,
        node: NodeId,
        epoch: Epoch,
        round: Round,
        watermark: Round,
        shown: &BTreeSet<Round>,
    ) -> bool {
        self.answers.entry((epoch, round)).or_default().insert(node);
        let book = self.book(node);
        let lower: BTreeSet<Round> = book.log.range(..round).copied().collect();
        *shown == lower && watermark == book.watermark
    }

    pub(super) fn collect(&mut self, node: NodeId, watermark: Round) {
        let book = self.book(node);
        book.watermark = book.watermark.max(watermark);
        book.log = book.log.split_off(&book.watermark);
    }

    /// A9: what it told that it forgot, it did.
    pub(super) fn forget(&mut self, node: NodeId, epoch: Epoch, watermark: Round) -> bool {
        let told = self.forgot.entry((epoch, node)).or_insert(Round::ZERO);
        *told = watermark.max(*told);
        self.book(node).watermark == watermark
    }

    /// H3: it has not stopped in that generation.
    pub(super) fn is_serving(&mut self, node: NodeId, epoch: Epoch) -> bool {
        let book = self.book(node);
        book.epoch == epoch && !book.is_stopped
    }

    pub(super) fn stop(&mut self, node: NodeId, epoch: Epoch) {
        let book = self.book(node);
        book.is_stopped |= book.epoch == epoch;
    }

    /// H1: nothing else succeeds the generation before.
    pub(super) fn is_only(&self, successor: &Hashed<Successor>) -> bool {
        let known = self.generations.get(&successor.generation.epoch);
        known.is_none_or(|known| known == successor)
    }

    /// H2: it has what a majority of the generation before has answered for, and collects what such a
    /// majority has collected.
    pub(super) fn is_heir(&self, successor: &Successor) -> bool {
        let old = Epoch(successor.generation.epoch.0 - 1);
        let answers =
            self.answers.range((old, Round::ZERO)..(successor.generation.epoch, Round::ZERO));
        let mut whole = answers.filter(|(_, nodes)| self.is_majority(old, nodes));
        let has_log = whole.all(|((_, round), _)| {
            *round < successor.watermark || successor.log.contains_key(round)
        });
        let told = self.forgot.iter().filter(|((epoch, _), _)| *epoch == old);
        let above = told.filter(|(_, watermark)| **watermark > successor.watermark);
        has_log && !self.is_majority(old, &above.map(|((_, node), _)| *node).collect())
    }

    pub(super) fn begin(&mut self, node: NodeId, successor: &Hashed<Successor>, is_member: bool) {
        let epoch = successor.generation.epoch;
        self.generations.entry(epoch).or_insert_with(|| successor.clone());
        let log = if is_member { successor.log.keys().copied().collect() } else { [].into() };
        let watermark = if is_member { successor.watermark } else { Round::ZERO };
        self.books.insert(node, Book { epoch, log, watermark, is_stopped: !is_member });
    }

    /// H5: nothing else is proposed in the round of the decree.
    pub(super) fn decree(&mut self, epoch: Epoch, round: Round, value: &Hashed<Value>) -> bool {
        self.decrees.entry((epoch, round)).or_insert_with(|| value.clone()) == value
    }

    /// A11: no majority of the newest generation would have a new leader ask one of the retired.
    pub(super) fn is_without_retired(&self, rounds: &Rounds) -> bool {
        let Some((epoch, newest)) = self.generations.last_key_value() else { return true };
        let books: Vec<&Book> = newest
            .generation
            .members
            .iter()
            .filter_map(|node| {
                let book = self.books.get(node)?;
                (book.epoch == *epoch).then_some(book)
            })
            .collect();
        let majority = newest.generation.majority() as u32;
        self.retired.is_empty()
            || (0..1_u32 << books.len()).filter(|set| set.count_ones() >= majority).all(|set| {
                let heard = books.iter().enumerate();
                let heard = heard.filter(|(place, _)| set & (1 << place) != 0);
                self.is_history_clean(rounds, heard.map(|(_, book)| *book).collect())
            })
    }

    fn is_history_clean(&self, rounds: &Rounds, heard: Vec<&Book>) -> bool {
        let watermark = heard.iter().map(|book| book.watermark).max().unwrap_or(Round::ZERO);
        let history = heard.iter().flat_map(|book| book.log.range(watermark..));
        let history: BTreeSet<&Round> = history.collect();
        let version = |round| rounds.get(round).map(|configuration| configuration.version());
        let floor = history.get(&watermark).and_then(|round| version(round));
        let mut asked = history.into_iter().filter(|round| version(round) >= floor);
        asked.all(|round| {
            let members = rounds.get(round).map(|configuration| configuration.members());
            members.into_iter().flatten().all(|member| !self.retired.contains(member))
        })
    }
}
