//! What happened in a run, for a reader.

use std::collections::BTreeMap;
use std::fmt;

use matchmaker::message::{Message as ConsensusMessage, ToMatchmaker};
use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::round::Round;

use crate::hosted::{Hosted, Said};
use crate::plan::{Places, ProtocolName};
use crate::properties::Failure;
use crate::world::Envelope;

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
    pub said: Said,
    /// Whether it is one of the many that keep a quiet cluster alive.
    pub is_dull: bool,
    /// The configuration that it names for a round, if it does.
    pub named: Option<(Round, Configuration)>,
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
    Record(NodeId, String),
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
    /// What ran.
    pub protocol: ProtocolName,
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

    pub(crate) fn finish(self, protocol: ProtocolName, places: Places, end: u64) -> Trace {
        let Self { messages, steps, failure, .. } = self;
        Trace { protocol, places, messages, steps, end, failure }
    }

    /// Returns the number of the message.
    pub(crate) fn message<A: Hosted>(
        &mut self,
        at: u64,
        sent: &Envelope<A::Message>,
        delays: [Option<u64>; 2],
    ) -> u64 {
        let number = self.messages.len();
        self.messages.push(Sent {
            at,
            from: sent.from,
            to: sent.to,
            said: A::said(&sent.message),
            is_dull: A::is_dull(&sent.message),
            named: match A::consensus(&sent.message) {
                Some(ConsensusMessage::Matchmaker(ToMatchmaker::MatchA(m))) => {
                    Some((m.round, m.configuration.clone()))
                }
                _ => None,
            },
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

    pub(crate) fn record(&mut self, at: u64, node: NodeId, record: &impl fmt::Debug) {
        self.steps.push((at, Step::Record(node, format!("{record:?}"))));
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

    pub(crate) fn state(&mut self, at: u64, node: NodeId, actor: &impl Hosted) {
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
fn describe(actor: &impl Hosted) -> String {
    const FACTS_MAX: usize = 12;
    let mut lines: Vec<String> = actor.doing().into_iter().collect();
    let facts = actor.checkpoint();
    let hidden = facts.len().saturating_sub(FACTS_MAX);
    // The last facts are the newest.
    lines.extend(facts.iter().skip(hidden).map(|fact| shortened(&format!("{fact:?}"), 120)));
    if hidden > 0 {
        lines.push(format!("and {hidden} older facts"));
    }
    lines.join("\n")
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
                if sent.is_dull {
                    return Ok(());
                }
                let (from, to) = (name(sent.from), name(sent.to));
                write!(
                    f,
                    "{:>10.3} ms {from:>13} -> {to:<13} {}",
                    ms(at),
                    shortened(&sent.said.text, SHOWN)
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
                let name = name(*node);
                writeln!(
                    f,
                    "{:>10.3} ms {name:>13} has durable {}",
                    ms(at),
                    shortened(record, SHOWN)
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
