//! What happened in a run, for a reader.

use std::collections::BTreeMap;
use std::fmt;

use matchmaker::message::{Message, ToProposer};
use matchmaker::node::{Node, NodeRecord};
use paxos::actor::{Actor, NodeId};
use paxos::message::{FromAcceptor, FromSession, ToAcceptor, ToReplica, ToSession};
use paxos::round::Round;
use paxos::state_machine::StateMachine;

use crate::plan::Places;
use crate::properties::Failure;
use crate::world::{Envelope, Seated};

/// A kind of note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Kind {
    Start,
    Crash,
    Fault,
    Heal,
    Wish,
    Activation,
    Collection,
    Call,
    Return,
}

/// A message, from when it left.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When it left, in microseconds.
    pub at: u64,
    /// Its sender.
    pub from: NodeId,
    /// Its receiver.
    pub to: NodeId,
    /// What it says.
    pub message: Message,
    /// When it arrives, and when it arrives again; neither if it is lost.
    pub arrives: [Option<u64>; 2],
    /// Whether its receiver was dead when it arrived.
    pub has_vanished: bool,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Step {
    /// A message left; its number.
    Message(usize),
    /// A record became durable.
    Record(NodeId, NodeRecord),
    /// Something else, at a process or everywhere.
    Note(Option<usize>, Kind, String),
    /// A process leads in this round from now on, or leads no more.
    Lead(usize, Option<Round>),
    /// What one process sends to another is lost until then.
    Cut {
        /// Whose messages.
        from: usize,
        /// For whom.
        to: usize,
        /// When that ends.
        until: u64,
    },
    /// A process stands still until then.
    Paused(usize, u64),
    /// The syncs of a process are slow until then.
    SlowDisk(usize, u64),
    /// What an actor knows from now on.
    State(NodeId, String),
}

/// A whole run.
#[derive(Debug)]
pub struct Trace {
    /// Who sits where.
    pub places: Places,
    /// Every message, in the order in which they left.
    pub messages: Vec<Sent>,
    /// What happened and when, in order.
    pub steps: Vec<(u64, Step)>,
    /// When it ended.
    pub end: u64,
    /// The property that was broken, and when.
    pub failure: Option<(u64, Failure)>,
}

/// Writes a trace down while it happens.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    messages: Vec<Sent>,
    steps: Vec<(u64, Step)>,
    states: BTreeMap<NodeId, String>,
    leads: BTreeMap<usize, Round>,
    failure: Option<(u64, Failure)>,
    /// Whether what actors know is written down as well.
    pub(crate) has_states: bool,
}

impl Recorder {
    pub(crate) fn new(has_states: bool) -> Self {
        Self { has_states, ..Self::default() }
    }

    pub(crate) fn finish(self, places: Places, end: u64) -> Trace {
        let Self { messages, steps, failure, .. } = self;
        Trace { places, messages, steps, end, failure }
    }

    /// Returns the number of the message.
    pub(crate) fn message(&mut self, at: u64, sent: &Envelope, delays: [Option<u64>; 2]) -> u64 {
        let number = self.messages.len();
        self.messages.push(Sent {
            at,
            from: sent.from,
            to: sent.to,
            message: sent.message.clone(),
            arrives: delays.map(|delay| delay.map(|delay| at + delay)),
            has_vanished: false,
        });
        self.steps.push((at, Step::Message(number)));
        number as u64
    }

    pub(crate) fn vanished(&mut self, number: u64) {
        if let Some(sent) = self.messages.get_mut(number as usize) {
            sent.has_vanished = true;
        }
    }

    pub(crate) fn record(&mut self, at: u64, node: NodeId, record: &NodeRecord) {
        self.steps.push((at, Step::Record(node, record.clone())));
    }

    pub(crate) fn note(&mut self, at: u64, process: Option<usize>, kind: Kind, text: String) {
        self.steps.push((at, Step::Note(process, kind, text)));
    }

    pub(crate) fn cut(&mut self, at: u64, from: usize, to: usize, until: u64) {
        self.steps.push((at, Step::Cut { from, to, until }));
    }

    pub(crate) fn paused(&mut self, at: u64, process: usize, until: u64) {
        self.steps.push((at, Step::Paused(process, until)));
    }

    pub(crate) fn slow_disk(&mut self, at: u64, process: usize, until: u64) {
        self.steps.push((at, Step::SlowDisk(process, until)));
    }

    pub(crate) fn lead(&mut self, at: u64, process: usize, round: Option<Round>) {
        let before = match round {
            Some(round) => self.leads.insert(process, round),
            None => self.leads.remove(&process),
        };
        if before != round {
            self.steps.push((at, Step::Lead(process, round)));
        }
    }

    pub(crate) fn state<S>(&mut self, at: u64, node: NodeId, actor: &Seated<S>)
    where
        S: StateMachine + Clone + fmt::Debug + Eq + std::hash::Hash,
    {
        let text = describe(actor);
        if self.states.get(&node) != Some(&text) {
            self.states.insert(node, text.clone());
            self.steps.push((at, Step::State(node, text)));
        }
    }

    pub(crate) fn failed(&mut self, at: u64, failure: &Failure) {
        self.failure = Some((at, failure.clone()));
    }
}

/// What an actor knows, one fact for each line: what it does, and its durable facts.
fn describe<S>(actor: &Seated<S>) -> String
where
    S: StateMachine + Clone + fmt::Debug + Eq + std::hash::Hash,
{
    const FACTS_MAX: usize = 12;
    let mut lines = Vec::new();
    match actor {
        Node::Proposer(proposer) => match proposer.leader().leads_in() {
            Some(round) => lines.push(format!("leads in {round}")),
            None if proposer.leader().is_active() => lines.push("campaigns".into()),
            None => lines.push("follows".into()),
        },
        Node::Replica(replica) => {
            lines.push(format!("executed all slots below {}", replica.executed_watermark()));
        }
        Node::Acceptor(_) | Node::Matchmaker(_) | Node::Archive(_) | Node::Session(_) => {}
    }
    let facts = actor.checkpoint();
    let hidden = facts.len().saturating_sub(FACTS_MAX);
    // The last facts are the newest.
    lines.extend(facts.iter().skip(hidden).map(|fact| shortened(&format!("{fact:?}"), 120)));
    if hidden > 0 {
        lines.push(format!("and {hidden} older facts"));
    }
    lines.join("\n")
}

/// Whether a message is one of the many that keep a quiet cluster alive.
pub fn is_dull(message: &Message) -> bool {
    match message {
        Message::Acceptor(m) => matches!(m, ToAcceptor::ReadA(_) | ToAcceptor::ProbeA(_)),
        Message::Proposer(ToProposer::Acceptor(m)) => {
            matches!(m, FromAcceptor::ReadB(_) | FromAcceptor::ProbeB(_))
        }
        Message::Proposer(m) => {
            matches!(m, ToProposer::Heartbeat(_) | ToProposer::Session(FromSession::ReadIndexA(_)))
        }
        Message::Replica(m) => matches!(m, ToReplica::ChosenWatermark(_)),
        Message::Session(m) => matches!(m, ToSession::Leading(_)),
        Message::Matchmaker(_) | Message::Archive(_) | Message::Application(_) => false,
    }
}

/// The kind of a message and its content, without the names of the receivers around them.
pub fn kind_and_text(message: &Message) -> (String, String) {
    let text = format!("{message:?}");
    let mut inner = text.as_str();
    while let Some((_, rest)) = inner.split_once('(')
        && inner.find('(') < inner.find([' ', '{'])
    {
        inner = rest;
    }
    let kind: String = inner.chars().take_while(|c| c.is_alphanumeric()).collect();
    (kind, inner.trim_end_matches(')').to_owned())
}

/// Characters of a message or a record in a line.
const SHOWN: usize = 230;

/// One line for each step: time, who, what.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in &self.steps {
            self.line(f, *at, step)?;
        }
        if let Some((at, failure)) = &self.failure {
            writeln!(f, "{:>10.3} ms !! {failure}", *at as f64 / 1000.0)?;
        }
        Ok(())
    }
}

impl Trace {
    fn line(&self, f: &mut fmt::Formatter<'_>, at: u64, step: &Step) -> fmt::Result {
        let ms = |at: u64| at as f64 / 1000.0;
        let name = |node: NodeId| self.places.name(node);
        match step {
            Step::Message(number) => {
                let sent = &self.messages[*number];
                if is_dull(&sent.message) {
                    return Ok(());
                }
                let (_, text) = kind_and_text(&sent.message);
                let (from, to) = (name(sent.from), name(sent.to));
                write!(
                    f,
                    "{:>10.3} ms {from:>13} -> {to:<13} {}",
                    ms(at),
                    shortened(&text, SHOWN)
                )?;
                match sent.arrives {
                    [None, None] => f.write_str("  (lost)")?,
                    [None, Some(_)] => f.write_str("  (late)")?,
                    [Some(_), Some(_)] => f.write_str("  (twice)")?,
                    [Some(_), None] => {}
                }
                writeln!(f)
            }
            Step::Record(node, record) => {
                let text = format!("{record:?}");
                let name = name(*node);
                writeln!(
                    f,
                    "{:>10.3} ms {name:>13} has durable {}",
                    ms(at),
                    shortened(&text, SHOWN)
                )
            }
            Step::Note(Some(process), _, text) => {
                writeln!(f, "{:>10.3} ms ** p{process} {text}", ms(at))
            }
            Step::Note(None, _, text) => writeln!(f, "{:>10.3} ms ** {text}", ms(at)),
            Step::Lead(process, Some(round)) => {
                writeln!(f, "{:>10.3} ms ** p{process} leads in {round}", ms(at))
            }
            Step::Lead(process, None) => {
                writeln!(f, "{:>10.3} ms ** p{process} leads no more", ms(at))
            }
            Step::Cut { from, to, until } => {
                let until = ms(*until);
                writeln!(f, "{:>10.3} ms ** p{from} does not reach p{to} until {until} ms", ms(at))
            }
            Step::Paused(process, until) => {
                writeln!(
                    f,
                    "{:>10.3} ms ** p{process} stands still until {} ms",
                    ms(at),
                    ms(*until)
                )
            }
            Step::SlowDisk(process, until) => {
                let until = ms(*until);
                writeln!(
                    f,
                    "{:>10.3} ms ** the disk of p{process} is slow until {until} ms",
                    ms(at)
                )
            }
            Step::State(..) => Ok(()),
        }
    }
}

fn shortened(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use paxos::message::{Nack, ProbeA};

    #[test]
    fn a_message_is_named_by_what_it_says() {
        let message = Message::Acceptor(ToAcceptor::ProbeA(ProbeA { nonce: 3 }));
        let (kind, text) = kind_and_text(&message);
        assert_eq!((kind.as_str(), text.as_str()), ("ProbeA", "ProbeA { nonce: 3 }"));
        let nack = Nack { round: Round::ZERO, promised: Round::ZERO };
        let message = Message::Proposer(ToProposer::Acceptor(FromAcceptor::Nack(nack)));
        assert_eq!(kind_and_text(&message).0, "Nack");
    }
}
