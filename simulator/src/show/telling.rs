//! From the trace of a run to its story.

use std::collections::BTreeMap;

use paxos::actor::NodeId;
use paxos::configuration::Configuration;
use paxos::round::Round;

use super::{
    Band, BandKind, Failure, Mark, MarkKind, Message, NodeIndex, Place, ProcessIndex, State, Story,
};
use crate::plan::{OPERATOR, Places, Role};
use crate::trace::{Kind, Step, Trace};

/// Who is where in the story, and what is still going on.
struct Teller<'a> {
    trace: &'a Trace,
    story: Story,
    processes: Vec<ProcessIndex>,
    nodes: BTreeMap<NodeId, NodeIndex>,
    /// Since when each process is down.
    down: BTreeMap<usize, u64>,
    /// Since when each process leads, and in which round.
    leads: BTreeMap<usize, (u64, Round)>,
    /// The configuration of each round that was asked for.
    configurations: BTreeMap<Round, Configuration>,
    /// Since when the highest round is led in.
    current: Option<(u64, Round)>,
    /// What the last fault was, and when.
    fault: (u64, String),
}

impl Story {
    /// The story of `trace` up to the end of `window` (in microseconds). Messages, records and states
    /// before it are left out; what happened to processes, leaders and configurations is told from the
    /// start.
    pub fn of(
        trace: &Trace,
        seed: u64,
        title: impl Into<String>,
        window: &std::ops::Range<u64>,
    ) -> Self {
        let mut story = Self::new(seed, trace.protocol.to_string(), title);
        story.end_us = trace.end.min(window.end);
        let (processes, nodes) = cast(&mut story, &trace.places);
        let mut teller = Teller {
            trace,
            story,
            processes,
            nodes,
            down: BTreeMap::new(),
            leads: BTreeMap::new(),
            configurations: BTreeMap::new(),
            current: None,
            fault: (0, String::new()),
        };
        teller.tell(window);
        teller.story
    }
}

/// Every process with its actors and its application, and the operator.
fn cast(story: &mut Story, places: &Places) -> (Vec<ProcessIndex>, BTreeMap<NodeId, NodeIndex>) {
    let mut nodes = BTreeMap::new();
    let operator = story.process("operator");
    nodes.insert(OPERATOR, story.node(operator, "operator", "operator"));
    let processes: Vec<ProcessIndex> =
        (0..places.process_count()).map(|process| story.process(format!("p{process}"))).collect();
    for (at, role) in places.all() {
        let index = story.node(processes[at.process], places.name(places.node(at)), role.name());
        nodes.extend(places.all_lives(at).map(|node| (node, index)));
    }
    for (index, process) in processes.iter().enumerate() {
        if places.in_process(index, Role::Session).is_some() {
            let node = places.application(index);
            nodes.insert(node, story.node(*process, places.name(node), "application"));
        }
    }
    (processes, nodes)
}

/// Whether a step is one of many, and tells nothing that the story needs elsewhere.
fn is_detail(step: &Step) -> bool {
    match step {
        Step::Message(_) | Step::Record(..) | Step::State(..) => true,
        Step::Note(_, kind, _) => matches!(kind, Kind::Call | Kind::Return),
        Step::Lead(..) | Step::Cut { .. } | Step::Paused(..) | Step::SlowDisk(..) => false,
    }
}

/// A window of a run with so many messages, records and states at most: the last before the failure, or
/// the first if there is none.
pub fn opens_at_once(trace: &Trace, details_max: usize) -> std::ops::Range<u64> {
    let details = || trace.steps.iter().filter(|(_, step)| is_detail(step)).map(|(at, _)| *at);
    match &trace.failure {
        Some(_) => details().rev().nth(details_max).map_or(0, |at| at + 1)..u64::MAX,
        None => 0..details().nth(details_max).unwrap_or(u64::MAX),
    }
}

impl Teller<'_> {
    fn tell(&mut self, window: &std::ops::Range<u64>) {
        let mut cuts: BTreeMap<(u64, u64), Vec<(usize, usize)>> = BTreeMap::new();
        for (at, step) in &self.trace.steps {
            if let Step::Message(number) = step {
                self.learn_configuration(*number);
            }
            if *at >= window.end {
                break;
            }
            if *at < window.start && is_detail(step) {
                continue;
            }
            match step {
                Step::Message(number) => self.message(*number),
                Step::Record(node, record) => {
                    let place = self.nodes[node].into();
                    self.mark(*at, place, MarkKind::Record, record);
                }
                Step::Note(process, kind, text) => self.note(*at, *process, *kind, text),
                Step::Lead(process, round) => self.lead(*at, *process, *round),
                Step::Cut { from, to, until } => {
                    cuts.entry((*at, *until)).or_default().push((*from, *to));
                    self.cuts_of(*at, *until, &cuts);
                }
                Step::Paused(process, until) => {
                    let place = self.processes[*process].into();
                    self.band((*at, *until), place, BandKind::Paused, "stands still");
                }
                Step::SlowDisk(process, until) => {
                    let place = self.processes[*process].into();
                    self.band((*at, *until), place, BandKind::SlowDisk, "slow disk");
                }
                Step::State(node, text) => {
                    let (node, text) = (self.nodes[node], self.story.text(text));
                    self.story.states.push(State { at_us: *at, node, text });
                }
            }
        }
        self.end();
    }

    /// A message may name the configuration of a round.
    fn learn_configuration(&mut self, number: usize) {
        self.configurations.extend(self.trace.messages[number].named.clone());
    }

    fn message(&mut self, number: usize) {
        let sent = &self.trace.messages[number];
        let (Some(from), Some(to)) = (self.nodes.get(&sent.from), self.nodes.get(&sent.to)) else {
            return;
        };
        let (from, to) = (*from, *to);
        let (kind, text) = (self.story.text(&sent.said.kind), self.story.text(&sent.said.text));
        let [first, second] = sent.arrives;
        let first = first.filter(|_| !sent.has_vanished);
        let message = |arrives_us, is_duplicate| Message {
            sent_us: sent.at,
            arrives_us,
            from,
            to,
            kind,
            text,
            is_duplicate,
        };
        self.story.messages.push(message(first, false));
        if second.is_some() {
            self.story.messages.push(message(second, true));
        }
    }

    fn note(&mut self, at: u64, process: Option<usize>, kind: Kind, text: &str) {
        let place = process.map_or(Place::Cluster, |process| self.processes[process].into());
        let kind = match kind {
            Kind::Start => {
                if let Some((process, since)) = process.and_then(|p| self.down.remove_entry(&p)) {
                    let place = self.processes[process].into();
                    self.band((since, at), place, BandKind::Down, "down");
                }
                MarkKind::Start
            }
            Kind::Crash => {
                self.down.extend(process.map(|process| (process, at)));
                MarkKind::Crash
            }
            Kind::Fault => {
                self.fault = (at, text.to_owned());
                MarkKind::Fault
            }
            Kind::Heal | Kind::Wish => MarkKind::Situation,
            Kind::Activation => MarkKind::Activation,
            Kind::Collection => MarkKind::Collection,
            Kind::Call => MarkKind::Call,
            Kind::Return => MarkKind::Return,
        };
        self.mark(at, place, kind, text);
    }

    fn lead(&mut self, at: u64, process: usize, round: Option<Round>) {
        let proposer = self.trace.places.in_process(process, Role::Proposer);
        let Some(place) = proposer.and_then(|node| self.nodes.get(&node)).map(|n| (*n).into())
        else {
            return;
        };
        if let Some((since, round)) = self.leads.remove(&process) {
            self.band((since, at), place, BandKind::Leader, &round.to_string());
        }
        let Some(round) = round else { return };
        self.leads.insert(process, (at, round));
        self.mark(at, place, MarkKind::Lead, &format!("p{process} leads in {round}"));
        if self.current.is_none_or(|(_, current)| current < round) {
            self.end_configuration(at);
            self.current = Some((at, round));
        }
    }

    /// The configuration of the highest round was in use until now.
    fn end_configuration(&mut self, at: u64) {
        let Some((since, round)) = self.current else { return };
        let Some(configuration) = self.configurations.get(&round).cloned() else { return };
        let label = self.trace.places.show(&configuration);
        self.band((since, at), Place::Cluster, BandKind::Configuration, &label);
        let version = format!("v{}", configuration.version());
        for member in configuration.members() {
            if let Some(node) = self.nodes.get(member) {
                let place = (*node).into();
                self.band((since, at), place, BandKind::Configuration, &version);
            }
        }
    }

    /// Cuts of one fault: shown at the process that all of them concern, or at every sender.
    fn cuts_of(&mut self, at: u64, until: u64, cuts: &BTreeMap<(u64, u64), Vec<(usize, usize)>>) {
        let Some(pairs) = cuts.get(&(at, until)) else { return };
        let label = if self.fault.0 == at { self.fault.1.clone() } else { "cut".into() };
        let is_in_all =
            |process: &usize| pairs.iter().all(|(from, to)| from == process || to == process);
        let (places, label): (Vec<Place>, _) = match (0..self.processes.len()).find(is_in_all) {
            Some(process) => (vec![self.processes[process].into()], label),
            // The mark of the fault says what it is; a word for each process is enough.
            None => {
                let senders = pairs.iter().map(|(from, _)| self.processes[*from].into());
                (senders.collect(), "cut".to_owned())
            }
        };
        self.story.bands.retain(|band| {
            !(band.kind == BandKind::Cut && band.from_us == at && band.to_us == until)
        });
        for place in places {
            let is_new = !self.story.bands.iter().any(|band| {
                band.kind == BandKind::Cut && band.from_us == at && band.place == place
            });
            if is_new {
                self.band((at, until), place, BandKind::Cut, &label);
            }
        }
    }

    fn end(&mut self) {
        let end = self.story.end_us;
        self.end_configuration(end);
        for (process, (since, round)) in std::mem::take(&mut self.leads) {
            let proposer = self.trace.places.in_process(process, Role::Proposer);
            if let Some(node) = proposer.and_then(|node| self.nodes.get(&node)) {
                let place = (*node).into();
                self.band((since, end), place, BandKind::Leader, &round.to_string());
            }
        }
        for (process, since) in std::mem::take(&mut self.down) {
            let place = self.processes[process].into();
            self.band((since, end), place, BandKind::Down, "down");
        }
        self.story.failure = self.trace.failure.as_ref().map(|(at_us, failure)| Failure {
            property: failure.property.to_string(),
            detail: failure.detail.clone(),
            at_us: *at_us,
            node: None,
        });
    }

    fn mark(&mut self, at_us: u64, place: Place, kind: MarkKind, text: &str) {
        let text = self.story.text(text);
        self.story.marks.push(Mark { at_us, place, kind, text });
    }

    fn band(&mut self, (from_us, to_us): (u64, u64), place: Place, kind: BandKind, label: &str) {
        let to_us = to_us.min(self.story.end_us);
        let label = self.story.text(label);
        self.story.bands.push(Band { from_us, to_us, place, kind, label });
    }
}
