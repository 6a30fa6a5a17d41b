//! What actors did, step by step, as data: for whoever compares runs with a model of the protocol.
//!
//! One line of JSON is one step of one actor: what it was told, what it wrote down, what it said, and the
//! round that it leads in. A step is told once everything that it and earlier steps of the same actor wrote
//! is durable, so that what a crash undoes never was, and before any other actor can have heard of it. Of
//! messages and records only those are told that matter to matchmaking, to what is chosen and to what is
//! collected; those of reads, sessions, elections and heartbeats are left out, and so are steps without any.
//!
//! Values, configurations and successors of generations are named by numbers. A line of its own tells
//! what a configuration or a successor is, before it is first named.

mod record;
mod said;

use std::collections::BTreeMap;
use std::hash::Hash;

use matchmaker::message::{Message, Successor};
use matchmaker::node::NodeRecord;
use paxos::actor::NodeId;
use paxos::command::Value;
use paxos::configuration::Configuration;
use paxos::quorum::MemberSet;
use paxos::round::Round;
use serde::Serialize;

use record::Wrote;
use said::Said;

/// A step of an actor.
#[derive(Clone, Debug)]
pub struct Taken<M, R> {
    /// Whose.
    pub(crate) node: NodeId,
    /// Whether it is the first one after a start.
    pub(crate) starts: bool,
    /// The message that it was about, if it was about one.
    pub(crate) got: Option<(NodeId, M)>,
    /// What was written down, in order.
    pub(crate) wrote: Vec<R>,
    /// What was said to whom, in order.
    pub(crate) sent: Vec<(NodeId, M)>,
    /// The round that the actor leads in afterwards, if it does.
    pub(crate) leads: Option<Round>,
}

/// A round: number, seat and incarnation of its owner, step. They are ordered like rounds.
type RoundName = (u64, u32, u64, u64);

fn round_name(round: Round) -> RoundName {
    (round.number, round.owner.seat.0, round.owner.incarnation.0, round.step)
}

/// What is told about a step.
#[derive(Serialize)]
struct Line {
    at: u64,
    by: String,
    /// Whether a proposer has started, and knows only what is durable.
    #[serde(skip_serializing_if = "is_false")]
    starts: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    got: Option<(String, Said)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wrote: Vec<Wrote>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sent: Vec<(Vec<String>, Said)>,
    /// Only if that has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    leads: Option<Option<RoundName>>,
}

/// What a configuration is. Quorums are the least ones, by positions in `members`.
#[derive(Serialize)]
struct ConfigurationLine {
    configuration: usize,
    version: u64,
    members: Vec<String>,
    phase1: Vec<Vec<usize>>,
    phase2: Vec<Vec<usize>>,
    archives: Vec<String>,
}

/// What a generation of matchmakers begins with.
#[derive(Serialize)]
struct SuccessorLine {
    successor: usize,
    epoch: u64,
    members: Vec<String>,
    log: Vec<RoundName>,
    watermark: RoundName,
}

/// Names by number, in the order of first mention.
#[derive(Debug)]
struct Numbers<T>(BTreeMap<T, usize>);

impl<T: Ord + Clone + Hash> Numbers<T> {
    /// The number, and whether it is new.
    fn of(&mut self, named: &T) -> (usize, bool) {
        let next = self.0.len();
        match self.0.get(named) {
            Some(number) => (*number, false),
            None => (*self.0.entry(named.clone()).or_insert(next), true),
        }
    }
}

/// Writes steps down as lines of JSON.
#[derive(Debug)]
pub(crate) struct Steps {
    text: String,
    values: Numbers<Value>,
    configurations: Numbers<Configuration>,
    successors: Numbers<Successor>,
    leads: BTreeMap<NodeId, Round>,
    /// What each leader has last said to be collected.
    collected: BTreeMap<NodeId, RoundName>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self {
            text: String::new(),
            values: Numbers(BTreeMap::new()),
            configurations: Numbers(BTreeMap::new()),
            successors: Numbers(BTreeMap::new()),
            leads: BTreeMap::new(),
            collected: BTreeMap::new(),
        }
    }

    /// All lines so far.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// Tells of a step, if there is something to tell.
    pub(crate) fn tell(&mut self, at: u64, taken: Taken<Message, NodeRecord>) {
        let Taken { node, starts, got, wrote, sent, leads } = taken;
        let got = got.and_then(|(from, m)| Some((from.to_string(), self.said(&m)?)));
        let got = got.filter(|(_, said)| said.is_heard());
        let wrote: Vec<Wrote> = wrote.iter().filter_map(|record| self.wrote(record)).collect();
        let before = match leads {
            Some(round) => self.leads.insert(node, round),
            None => self.leads.remove(&node),
        };
        let has_changed = before != leads;
        let mut said: Vec<(Vec<String>, Said)> = Vec::new();
        for (to, message) in &sent {
            let Some(message) = self.said(message) else { continue };
            if self.is_repeated(node, &message, has_changed) {
                continue;
            }
            match said.last_mut() {
                Some((receivers, last)) if *last == message => receivers.push(to.to_string()),
                _ => said.push((vec![to.to_string()], message)),
            }
        }
        if !starts && got.is_none() && wrote.is_empty() && said.is_empty() && !has_changed {
            return;
        }
        let leads = has_changed.then(|| leads.map(round_name));
        self.line(&Line { at, by: node.to_string(), starts, got, wrote, sent: said, leads });
    }

    /// Leaders say some things in every heartbeat; they are told once.
    fn is_repeated(&mut self, node: NodeId, said: &Said, has_changed: bool) -> bool {
        match said {
            Said::ChosenWatermark { .. } => !has_changed,
            Said::Collected { below } => self.collected.insert(node, *below) == Some(*below),
            _ => false,
        }
    }

    fn line(&mut self, line: &impl Serialize) {
        let text = serde_json::to_string(line).expect("names and numbers are written");
        self.text.push_str(&text);
        self.text.push('\n');
    }

    fn value(&mut self, value: &Value) -> usize {
        self.values.of(value).0
    }

    fn configuration(&mut self, configuration: &Configuration) -> usize {
        let (number, is_new) = self.configurations.of(configuration);
        if is_new {
            let (system, count) = (configuration.system(), configuration.members().len());
            let line = ConfigurationLine {
                configuration: number,
                version: configuration.version(),
                members: names(configuration.members()),
                phase1: least(count, |set| system.is_phase1(count, set)),
                phase2: least(count, |set| system.is_phase2(count, set)),
                archives: names(&configuration.membership().archives),
            };
            self.line(&line);
        }
        number
    }

    fn successor(&mut self, successor: &Successor) -> usize {
        let (number, is_new) = self.successors.of(successor);
        if is_new {
            let line = SuccessorLine {
                successor: number,
                epoch: successor.generation.epoch.0,
                members: names(&successor.generation.members),
                log: successor.log.keys().map(|round| round_name(*round)).collect(),
                watermark: round_name(successor.watermark),
            };
            self.line(&line);
        }
        number
    }

    /// Tells who the first matchmakers are, and the configuration of the founding.
    pub(crate) fn found(&mut self, deployment: &matchmaker::leader::Deployment) {
        self.configuration(&deployment.initial);
        let successor = Successor {
            generation: matchmaker::message::Generation {
                epoch: deployment.epoch,
                members: deployment.matchmakers.clone(),
            },
            previous: [].into(),
            log: BTreeMap::new(),
            watermark: Round::ZERO,
            newest: None,
        };
        self.successor(&successor);
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(truth: &bool) -> bool {
    !truth
}

fn names<'a>(nodes: impl IntoIterator<Item = &'a NodeId>) -> Vec<String> {
    nodes.into_iter().map(NodeId::to_string).collect()
}

/// The least sets of `count` members that are quorums.
fn least(count: usize, is_quorum: impl Fn(MemberSet) -> bool) -> Vec<Vec<usize>> {
    let positions = |bits: u64| (0..count).filter(move |position| bits & (1 << position) != 0);
    let is_quorum = |bits: u64| {
        let mut set = MemberSet::EMPTY;
        positions(bits).for_each(|position| set.insert(position));
        is_quorum(set)
    };
    let is_least = |bits: u64| {
        is_quorum(bits) && positions(bits).all(|position| !is_quorum(bits & !(1 << position)))
    };
    (1..1u64 << count)
        .filter(|bits| is_least(*bits))
        .map(|bits| positions(bits).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use paxos::quorum::QuorumSystem;

    use super::*;

    #[test]
    fn least_quorums_are_quorums_and_least() {
        let quorums = |system: QuorumSystem, count| {
            [
                least(count, |set| system.is_phase1(count, set)),
                least(count, |set| system.is_phase2(count, set)),
            ]
        };
        let pairs = vec![vec![0, 1], vec![0, 2], vec![1, 2]];
        assert_eq!(quorums(QuorumSystem::Majority, 3), [pairs.clone(), pairs]);
        let grid = QuorumSystem::Grid { columns: 2 };
        let columns = vec![vec![0, 2], vec![1, 2], vec![0, 3], vec![1, 3]];
        assert_eq!(quorums(grid, 4), [columns, vec![vec![0, 1], vec![2, 3]]]);
        assert_eq!(quorums(QuorumSystem::WriteAll, 2), [vec![vec![0], vec![1]], vec![vec![0, 1]]]);
    }
}
