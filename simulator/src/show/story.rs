//! What happened in a run, as plain data.
//!
//! A world fills a story while it runs: first the processes and nodes, which give it the indices
//! that everything else names, then events in any order. Texts are interned, for a run says few
//! things very often. Times are in microseconds since the start of the run.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// A process of the story it was made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ProcessIndex(u32);

/// A node of the story it was made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct NodeIndex(u32);

/// An interned text of the story it was made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Text(u32);

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// What the run was drawn from.
    pub seed: u64,
    /// Which protocol ran.
    pub protocol: String,
    /// One line for the reader.
    pub title: String,
    /// The command that runs it again; empty if there is none.
    pub replay: String,
    /// When the run ended.
    pub end_us: u64,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// Messages, in any order. Their position is their name in the address of the page.
    pub messages: Vec<Message>,
    /// What happened at one time, in any order.
    pub marks: Vec<Mark>,
    /// What lasted, in any order.
    pub bands: Vec<Band>,
    /// What nodes remembered, in any order.
    pub states: Vec<State>,
    processes: Vec<String>,
    nodes: Vec<Node>,
    texts: Texts,
}

/// What a run violated.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The name of the property.
    pub property: String,
    /// How it was violated; may have many lines.
    pub detail: String,
    /// When.
    pub at_us: u64,
    /// At which node, if at one.
    pub node: Option<NodeIndex>,
}

/// A participant: one line of the diagram.
#[derive(Clone, Debug, Serialize)]
struct Node {
    /// As in "p0.proposer".
    name: String,
    /// Where it runs.
    process: ProcessIndex,
    /// What it plays, as in "proposer".
    role: String,
}

/// A message: one arrow of the diagram. Each copy that the network made is a message of its own.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// When it left.
    pub sent_us: u64,
    /// When it was delivered; none if it was lost.
    pub arrives_us: Option<u64>,
    /// The sender.
    pub from: NodeIndex,
    /// The receiver.
    pub to: NodeIndex,
    /// As in "Phase2A".
    pub kind: Text,
    /// Its content.
    pub text: Text,
    /// Whether it is a copy that the network made.
    pub is_duplicate: bool,
}

/// Where something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At one node.
    Node(NodeIndex),
    /// At all nodes of a process.
    Process(ProcessIndex),
    /// Everywhere.
    Cluster,
}

/// Something that happened at one time: a symbol of the diagram.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// When.
    pub at_us: u64,
    /// Where.
    pub place: Place,
    /// What.
    pub kind: MarkKind,
    /// In words.
    pub text: Text,
}

/// What a mark stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// A process stopped without warning.
    Crash,
    /// A process started, or started again.
    Start,
    /// A timer fired.
    Timer,
    /// A record became durable.
    Record,
    /// A fault was injected, or one ended.
    Fault,
    /// A proposer became the leader.
    Lead,
    /// A configuration came into use.
    Activation,
    /// Old configurations were collected.
    Collection,
    /// A peer's message that the protocol makes impossible, or a broken property.
    Violation,
    /// A situation that runs are watched for was met.
    Situation,
    /// An application called.
    Call,
    /// An application was answered.
    Return,
}

/// Something that lasted.
#[derive(Clone, Copy, Debug)]
pub struct Band {
    /// When it began.
    pub from_us: u64,
    /// When it ended, exclusive.
    pub to_us: u64,
    /// Where.
    pub place: Place,
    /// What.
    pub kind: BandKind,
    /// In words. Of a configuration, the first word is its name: bands of one name share a colour.
    pub label: Text,
}

/// What a band stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BandKind {
    /// The process does not run.
    Down,
    /// The process stands still and will go on where it was.
    Paused,
    /// Cut off from others.
    Cut,
    /// The disk is slow.
    SlowDisk,
    /// A proposer leads; the label is its round.
    Leader,
    /// A configuration is in use: for the cluster, with its members in the label; at a node, that
    /// it is a member.
    Configuration,
}

/// What a node remembers from a time on, until its next state.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// From when on.
    pub at_us: u64,
    /// Who.
    pub node: NodeIndex,
    /// What; one fact a line reads best, for changed lines are highlighted.
    pub text: Text,
}

/// The distinct texts of a story.
#[derive(Clone, Debug, Default)]
struct Texts {
    list: Vec<Arc<str>>,
    index: HashMap<Arc<str>, Text>,
}

impl Story {
    /// A story in which nothing happens yet.
    pub fn new(seed: u64, protocol: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            seed,
            protocol: protocol.into(),
            title: title.into(),
            replay: String::new(),
            end_us: 0,
            failure: None,
            messages: Vec::new(),
            marks: Vec::new(),
            bands: Vec::new(),
            states: Vec::new(),
            processes: Vec::new(),
            nodes: Vec::new(),
            texts: Texts::default(),
        }
    }

    /// Adds a process; they are shown in the order in which they are added.
    pub fn process(&mut self, name: impl Into<String>) -> ProcessIndex {
        let index = ProcessIndex(index_of(self.processes.len()));
        self.processes.push(name.into());
        index
    }

    /// Adds a node to `process`; those of a process are shown in the order in which they are added.
    pub fn node(
        &mut self,
        process: ProcessIndex,
        name: impl Into<String>,
        role: impl Into<String>,
    ) -> NodeIndex {
        let index = NodeIndex(index_of(self.nodes.len()));
        self.nodes.push(Node { name: name.into(), process, role: role.into() });
        index
    }

    /// Interns `text`. *Cost*: one look-up; texts that were seen before are not copied.
    pub fn text(&mut self, text: &str) -> Text {
        self.texts.intern(text)
    }
}

impl Texts {
    fn intern(&mut self, text: &str) -> Text {
        if let Some(known) = self.index.get(text) {
            return *known;
        }
        let new = Text(index_of(self.list.len()));
        let shared: Arc<str> = text.into();
        self.list.push(Arc::clone(&shared));
        self.index.insert(shared, new);
        new
    }
}

impl Place {
    /// The node and the process, as the page reads them.
    fn columns(self) -> (Option<NodeIndex>, Option<ProcessIndex>) {
        match self {
            Self::Node(node) => (Some(node), None),
            Self::Process(process) => (None, Some(process)),
            Self::Cluster => (None, None),
        }
    }
}

impl From<NodeIndex> for Place {
    fn from(node: NodeIndex) -> Self {
        Self::Node(node)
    }
}

impl From<ProcessIndex> for Place {
    fn from(process: ProcessIndex) -> Self {
        Self::Process(process)
    }
}

fn index_of(length: usize) -> u32 {
    u32::try_from(length).expect("a story has fewer than 2^32 things of a sort")
}

// What there is much of is written as a row, without the names of its columns.

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.list.iter().map(|text| &**text))
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { sent_us, arrives_us, from, to, kind, text, is_duplicate } = self;
        (sent_us, arrives_us, from, to, kind, text, u8::from(*is_duplicate)).serialize(serializer)
    }
}

impl Serialize for Mark {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (node, process) = self.place.columns();
        (self.at_us, node, process, self.kind, self.text).serialize(serializer)
    }
}

impl Serialize for Band {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (node, process) = self.place.columns();
        (self.from_us, self.to_us, node, process, self.kind, self.label).serialize(serializer)
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.at_us, self.node, self.text).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_kept_once() {
        let mut story = Story::new(1, "", "");
        let a = story.text("Phase2A");
        assert_ne!(story.text("Phase2B"), a);
        assert_eq!(story.text("Phase2A"), a);
        let json = serde_json::to_value(&story).unwrap();
        assert_eq!(json["texts"], serde_json::json!(["Phase2A", "Phase2B"]));
    }

    #[test]
    fn events_are_rows() {
        let mut story = Story::new(1, "", "");
        let process = story.process("p0");
        let (a, b) = (story.node(process, "p0.a", "a"), story.node(process, "p0.b", "b"));
        let text = story.text("Chosen");
        let lost = Message {
            sent_us: 5,
            arrives_us: None,
            from: a,
            to: b,
            kind: text,
            text,
            is_duplicate: false,
        };
        story.messages = vec![lost, Message { arrives_us: Some(9), is_duplicate: true, ..lost }];
        story.marks.push(Mark { at_us: 3, place: b.into(), kind: MarkKind::Lead, text });
        let band = Band {
            from_us: 1,
            to_us: 2,
            place: process.into(),
            kind: BandKind::SlowDisk,
            label: text,
        };
        story.bands = vec![band, Band { place: Place::Cluster, ..band }];
        story.states.push(State { at_us: 4, node: a, text });
        let json = serde_json::to_value(&story).unwrap();
        let rows = serde_json::json!({
            "messages": [[5, null, 0, 1, 0, 0, 0], [5, 9, 0, 1, 0, 0, 1]],
            "marks": [[3, 1, null, "lead", 0]],
            "bands": [[1, 2, null, 0, "slow_disk", 0], [1, 2, null, null, "slow_disk", 0]],
            "states": [[4, 0, 0]],
        });
        for (name, expected) in rows.as_object().unwrap() {
            assert_eq!(&json[name], expected, "{name}");
        }
    }
}
