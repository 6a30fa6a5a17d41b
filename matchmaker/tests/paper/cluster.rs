//! A cluster that is held in the hand: every message is delivered, kept back or lost on purpose, and
//! every timer fires on purpose. Nothing is random and nothing takes time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use matchmaker::leader::{Deployment, Leader, LeaderOptions, LeaderRecord, LeaderTimer};
use matchmaker::matchmaker::Matchmaker;
use matchmaker::message::{
    Epoch, FromMatchmaker, Generation, MatchA, MatchB, Message, ReconfigureA, ToApplication,
    ToMatchmaker, ToProposer,
};
use matchmaker::node::{Node, NodeRecord, NodeTimer};
use paxos::acceptor::Acceptor;
use paxos::actor::{Actor, Effects, Incarnation, NodeId, Seat};
use paxos::archive::{Archive, ArchiveRecord};
use paxos::command::{SessionId, Submission, Value};
use paxos::configuration::Configuration;
use paxos::membership::Membership;
use paxos::message::{FromAcceptor, FromSession, Phase1B, Phase2A, Phase2B, Request, ToArchive};
use paxos::message::{ToAcceptor, Vote};
use paxos::quorum::QuorumSystem;
use paxos::replica::{Replica, ReplicaTimer, Surroundings};
use paxos::round::Round;
use paxos::slot::Slot;
use paxos::snapshot::{Part, Sequence, SnapshotOptions};
use paxos::state_machine::{ForeignChunk, Position, StateMachine};
use paxos::wire::{self, Payload};

/// The effects of a leader's step.
pub(crate) type Fx = Effects<Message, LeaderTimer, LeaderRecord>;

pub(crate) const EPOCH: Epoch = Epoch(0);
pub(crate) const ONE: NodeId = node(1);
pub(crate) const TWO: NodeId = node(2);
pub(crate) const MATCHMAKERS: [NodeId; 3] = [node(11), node(12), node(13)];
/// The acceptors of a new cluster.
pub(crate) const A: [NodeId; 3] = [node(21), node(22), node(23)];
pub(crate) const B: [NodeId; 3] = [node(31), node(32), node(33)];
pub(crate) const C: [NodeId; 3] = [node(41), node(42), node(43)];
pub(crate) const REPLICAS: [NodeId; 3] = [node(51), node(52), node(53)];
pub(crate) const ARCHIVES: [NodeId; 3] = [node(61), node(62), node(63)];
pub(crate) const SESSION: NodeId = node(71);
pub(crate) const OPERATOR: NodeId = node(81);

/// A matchmaker of the cluster's first generation.
pub(crate) fn founded() -> Matchmaker {
    Matchmaker::new(Generation { epoch: EPOCH, members: MATCHMAKERS.into() })
}

pub(crate) const fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

/// The round of the first proposer that it reaches by `steps` reconfigurations.
pub(crate) fn round(steps: u64) -> Round {
    Round { number: 1, owner: ONE, step: steps }
}

/// Majorities of `members`.
pub(crate) fn majority(version: u64, members: impl IntoIterator<Item = NodeId>) -> Configuration {
    configuration(version, QuorumSystem::Majority, members)
}

/// `members` under `system`, with everyone else.
pub(crate) fn configuration(
    version: u64,
    system: QuorumSystem,
    members: impl IntoIterator<Item = NodeId>,
) -> Configuration {
    let configuration = Configuration::new(version, system, members);
    configuration.expect("a possible one").with_membership(membership())
}

/// Everyone but acceptors and matchmakers.
fn membership() -> Membership {
    Membership {
        proposers: [ONE, TWO].into(),
        replicas: REPLICAS.into(),
        archives: ARCHIVES.into(),
        sessions: [SESSION].into(),
        ..Membership::default()
    }
}

/// The submission of command `number` of the session.
fn submission(number: u64, text: &'static str) -> Submission {
    let session = SessionId { node: SESSION, life: 1 };
    let commands = vec![Payload::new(text.as_bytes())];
    Submission { session, first: number, acknowledged: 0, commands }
}

/// The session hands over command `number`.
pub(crate) fn request(number: u64, text: &'static str) -> Message {
    let submission = submission(number, text);
    ToProposer::Session(FromSession::Request(Request { attempt: 1, submission })).into()
}

/// What a leader makes of it.
pub(crate) fn batch(number: u64, text: &'static str) -> Value {
    Value::batch(&vec![submission(number, text)])
}

pub(crate) fn phase2a(round: Round, slot: u64, value: Value) -> Message {
    ToAcceptor::Phase2A(Phase2A { round, slot: Slot(slot), value }).into()
}

pub(crate) fn phase2b(round: Round, slot: u64) -> Message {
    let m = Phase2B { round, slot: Slot(slot), persisted_watermark: Slot::ZERO };
    ToProposer::Acceptor(FromAcceptor::Phase2B(m)).into()
}

/// The promise of `round`, with the votes in lower rounds.
pub(crate) fn phase1b(round: Round, persisted: u64, votes: &[(u64, Round, Value)]) -> Message {
    let vote = |(slot, round, value): &(u64, Round, Value)| Vote {
        slot: Slot(*slot),
        round: *round,
        value: value.clone(),
    };
    let (votes, persisted_watermark) = (votes.iter().map(vote).collect(), Slot(persisted));
    let m = Phase1B { round, first: Slot::ZERO, persisted_watermark, votes, next: None };
    ToProposer::Acceptor(FromAcceptor::Phase1B(Box::new(m))).into()
}

pub(crate) fn match_a(round: Round, configuration: Configuration) -> Message {
    ToMatchmaker::MatchA(Box::new(MatchA { epoch: EPOCH, round, configuration })).into()
}

pub(crate) fn match_b(
    round: Round,
    watermark: Round,
    history: &[(Round, Configuration)],
) -> Message {
    let history = history.iter().cloned().collect();
    let m = MatchB { epoch: EPOCH, round, watermark, history, newest: None };
    ToProposer::Matchmaker(FromMatchmaker::MatchB(Box::new(m))).into()
}

pub(crate) fn reconfigure(token: u64, members: [NodeId; 3]) -> Message {
    let (system, members) = (QuorumSystem::Majority, members.into());
    ToProposer::ReconfigureA(Box::new(ReconfigureA { token, system, members, change: None })).into()
}

/// A state machine that remembers its commands; those of a snapshot that are not read yet; and whether
/// it answers other than it should.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Log(pub(crate) Vec<Bytes>, Option<VecDeque<Bytes>>, bool);

impl StateMachine for Log {
    fn apply(&mut self, _position: Position, command: &[u8]) -> Bytes {
        let command = Bytes::copy_from_slice(command);
        self.0.push(command.clone());
        if self.2 { Bytes::from_static(b"a lie") } else { command }
    }

    fn query(&self, _query: &[u8]) -> Option<Bytes> {
        self.0.last().cloned()
    }

    fn empty(&self) -> Self {
        Self::default()
    }

    fn start_snapshot(&mut self) {
        self.1 = Some(self.0.clone().into());
    }

    fn next_chunk(&mut self, _bytes_max: usize) -> Option<Bytes> {
        self.1.as_mut()?.pop_front()
    }

    fn stop_snapshot(&mut self) {
        self.1 = None;
    }

    fn install_chunk(&mut self, chunk: &Bytes) -> Result<(), ForeignChunk> {
        self.0.push(chunk.clone());
        Ok(())
    }
}

/// Replicas compare what they executed after every second slot.
fn snapshots() -> SnapshotOptions {
    SnapshotOptions { compare_slots: 2, ..SnapshotOptions::default() }
}

/// The replica at `node`, with that state machine.
fn replica(node: NodeId, machine: Log) -> Node<Log> {
    let place = REPLICAS.iter().position(|other| *other == node).expect("one of the replicas");
    let archive = ARCHIVES[place];
    let peers = ARCHIVES.into_iter().filter(|peer| *peer != archive).collect();
    let surroundings = Surroundings { archive, session: SESSION, peers };
    Node::Replica(Box::new(Replica::new(surroundings, machine, snapshots())))
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Envelope {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) message: Message,
}

impl Envelope {
    /// Whether `nodes` send or receive it.
    pub(crate) fn touches(&self, nodes: &[NodeId]) -> bool {
        nodes.contains(&self.from) || nodes.contains(&self.to)
    }
}

/// All actors of a cluster, what they have on disk, and the messages on their way.
pub(crate) struct World {
    initial: Configuration,
    /// Slots below are in the snapshot that the archives began with.
    first: Slot,
    leaders: BTreeMap<NodeId, Leader>,
    nodes: BTreeMap<NodeId, Node<Log>>,
    disks: BTreeMap<NodeId, Vec<NodeRecord>>,
    pub(crate) network: VecDeque<Envelope>,
    /// All messages that were delivered, in order.
    pub(crate) delivered: Vec<Envelope>,
    /// What operators were told.
    pub(crate) reports: Vec<ToApplication>,
}

impl World {
    /// A new cluster with the acceptors [`A`].
    pub(crate) fn new() -> Self {
        Self::with(majority(1, A))
    }

    pub(crate) fn with(initial: Configuration) -> Self {
        Self::starting(initial, Slot::ZERO, BTreeMap::new())
    }

    /// A new cluster whose archives have a snapshot at `first`, of a state machine with one command.
    pub(crate) fn restored(first: Slot, command: &'static str) -> Self {
        let mut sequence = Sequence::new(first);
        let part = wire::encode(&Part::Machine(Payload::new(command.as_bytes())));
        let chunks = [sequence.cut(Payload(part), false), sequence.cut(Payload::default(), true)];
        let records = chunks.map(|chunk| NodeRecord::Archive(ArchiveRecord::Chunk(chunk)));
        let disks = ARCHIVES.map(|archive| (archive, records.to_vec()));
        Self::starting(majority(1, A), first, disks.into())
    }

    fn starting(
        initial: Configuration,
        first: Slot,
        disks: BTreeMap<NodeId, Vec<NodeRecord>>,
    ) -> Self {
        let mut world = Self {
            initial,
            first,
            leaders: BTreeMap::new(),
            nodes: BTreeMap::new(),
            disks,
            network: VecDeque::new(),
            delivered: Vec::new(),
            reports: Vec::new(),
        };
        let others = A.into_iter().chain(B).chain(C).chain(MATCHMAKERS);
        for node in others.chain(REPLICAS).chain(ARCHIVES).chain([ONE, TWO]) {
            world.restart(node);
        }
        world
    }

    /// A new cluster in which the first proposer leads, in its round zero.
    pub(crate) fn led() -> Self {
        let mut world = Self::new();
        world.campaign(ONE);
        world.settle();
        assert_eq!(world.leader(ONE).leads_in(), Some(round(0)));
        world
    }

    fn deployment(&self) -> Deployment {
        let initial = self.initial.clone();
        Deployment { epoch: EPOCH, matchmakers: MATCHMAKERS.into(), initial, first: self.first }
    }

    /// Starts `node` from what it has on disk, if anything.
    pub(crate) fn restart(&mut self, node: NodeId) {
        let records = self.disks.entry(node).or_default().clone();
        if [ONE, TWO].contains(&node) {
            let mut leader = Leader::new(node, self.deployment(), LeaderOptions::default());
            for record in records {
                let NodeRecord::Proposer(record) = record else { panic!("not a leader's") };
                leader.restore(record);
            }
            self.leaders.insert(node, leader);
            return;
        }
        let place = |nodes: &[NodeId]| nodes.iter().position(|other| *other == node);
        let mut actor = if place(&MATCHMAKERS).is_some() {
            Node::Matchmaker(Box::new(founded()))
        } else if let Some(place) = place(&ARCHIVES) {
            Node::Archive(Archive::new(REPLICAS[place], snapshots()))
        } else if place(&REPLICAS).is_some() {
            replica(node, Log::default())
        } else {
            Node::Acceptor(Acceptor::new())
        };
        records.into_iter().for_each(|record| actor.restore(record));
        let mut fx = Effects::new();
        actor.on_start(&mut fx);
        self.nodes.insert(node, actor);
        self.emit(node, fx);
    }

    /// The state machine of the replica at `node` answers other than it should from now on.
    pub(crate) fn derange(&mut self, node: NodeId) {
        self.nodes.insert(node, replica(node, Log(Vec::new(), None, true)));
    }

    /// Switches `nodes` off. Their disks stay.
    pub(crate) fn crash(&mut self, nodes: &[NodeId]) {
        self.leaders.retain(|node, _| !nodes.contains(node));
        self.nodes.retain(|node, _| !nodes.contains(node));
    }

    pub(crate) fn leader(&self, node: NodeId) -> &Leader {
        &self.leaders[&node]
    }

    pub(crate) fn acceptor(&self, node: NodeId) -> &Acceptor {
        let Node::Acceptor(acceptor) = &self.nodes[&node] else { panic!("not an acceptor") };
        acceptor
    }

    pub(crate) fn matchmaker(&self, node: NodeId) -> &Matchmaker {
        let Node::Matchmaker(matchmaker) = &self.nodes[&node] else { panic!("not a matchmaker") };
        matchmaker
    }

    /// The commands that a replica has executed.
    pub(crate) fn executed(&self, node: NodeId) -> Vec<String> {
        let Node::Replica(replica) = &self.nodes[&node] else { panic!("not a replica") };
        let text = |command: &Bytes| String::from_utf8_lossy(command).into_owned();
        replica.machine().0.iter().map(text).collect()
    }

    /// One step of the leader at `to`. Its effects are only returned: [`emit`](Self::emit) them or
    /// they are lost.
    pub(crate) fn step(&mut self, to: NodeId, from: NodeId, message: Message) -> Fx {
        let message = match message {
            Message::Proposer(m) => m,
            Message::Archive(ToArchive::FetchA(m)) => ToProposer::FetchA(m),
            other => panic!("not for a leader: {other:?}"),
        };
        let mut fx = Fx::new();
        self.leaders.get_mut(&to).expect("a leader").on_message(from, message, &mut fx);
        fx
    }

    /// The end of a turn of the leader at `to`; its effects are only returned.
    pub(crate) fn end_turn(&mut self, to: NodeId) -> Fx {
        let mut fx = Fx::new();
        self.leaders.get_mut(&to).expect("a leader").on_turn_end(&mut fx);
        fx
    }

    /// Fires a timer of the leader at `to`; its effects are only returned.
    pub(crate) fn timer(&mut self, to: NodeId, timer: LeaderTimer) -> Fx {
        let mut fx = Fx::new();
        self.leaders.get_mut(&to).expect("a leader").on_timer(timer, &mut fx);
        fx
    }

    /// Makes the records of a step durable and puts its messages on their way.
    pub(crate) fn emit<M, T, R>(&mut self, from: NodeId, fx: Effects<M, T, R>)
    where
        M: Into<Message>,
        R: Into<NodeRecord>,
    {
        assert_eq!(fx.violations, vec![], "{from} reports a violation");
        self.disks.entry(from).or_default().extend(fx.records.into_iter().map(R::into));
        for (to, message) in fx.sends {
            let message = message.into();
            match message {
                Message::Application(m) => self.reports.push(m),
                message => self.network.push_back(Envelope { from, to, message }),
            }
        }
    }

    /// Fires a timer of the leader at `to` and puts its messages on their way.
    pub(crate) fn fire(&mut self, to: NodeId, timer: LeaderTimer) {
        let fx = self.timer(to, timer);
        self.emit(to, fx);
    }

    /// Has the replica at `node` ask for what it misses.
    pub(crate) fn fetch(&mut self, node: NodeId) {
        let mut fx = Effects::new();
        let replica = self.nodes.get_mut(&node).expect("a replica");
        replica.on_timer(NodeTimer::Replica(ReplicaTimer::Fetch), &mut fx);
        self.emit(node, fx);
    }

    /// Lets the proposer at `node` campaign.
    pub(crate) fn campaign(&mut self, node: NodeId) {
        let mut fx = Fx::new();
        self.leaders.get_mut(&node).expect("a leader").campaign(&mut fx);
        self.emit(node, fx);
    }

    /// Sends a message from outside to the leader at `to`.
    pub(crate) fn post(&mut self, from: NodeId, to: NodeId, message: Message) {
        self.network.push_back(Envelope { from, to, message });
    }

    /// Delivers messages until none is on its way.
    pub(crate) fn settle(&mut self) {
        self.settle_but(|_| false);
    }

    /// Delivers messages until only those are on their way that are `held` back.
    pub(crate) fn settle_but(&mut self, held: impl Fn(&Envelope) -> bool) {
        let mut kept = VecDeque::new();
        while let Some(envelope) = self.network.pop_front() {
            if held(&envelope) {
                kept.push_back(envelope);
            } else {
                self.deliver(envelope);
            }
        }
        self.network = kept;
    }

    /// Loses the messages on their way that are `doomed`.
    pub(crate) fn lose(&mut self, doomed: impl Fn(&Envelope) -> bool) {
        self.network.retain(|envelope| !doomed(envelope));
    }

    /// Delivers one message, as a turn of its own. A node that is switched off receives nothing.
    fn deliver(&mut self, envelope: Envelope) {
        self.delivered.push(envelope.clone());
        let Envelope { from, to, message } = envelope;
        if self.leaders.contains_key(&to) {
            let fx = self.step(to, from, message);
            self.emit(to, fx);
            let fx = self.end_turn(to);
            self.emit(to, fx);
        } else if let Some(node) = self.nodes.get_mut(&to) {
            let mut fx = Effects::new();
            node.on_message(from, message, &mut fx);
            self.emit(to, fx);
        }
    }

    /// Runs the collection of earlier configurations to its end, as its timer does.
    pub(crate) fn collect(&mut self, leader: NodeId) {
        for _ in 0..3 {
            self.fire(leader, LeaderTimer::Garbage);
            self.settle();
        }
    }
}

/// The receivers of the messages that `wanted` picks.
pub(crate) fn receivers(fx: &Fx, wanted: impl Fn(&Message) -> bool) -> BTreeSet<NodeId> {
    fx.sends.iter().filter(|(_, message)| wanted(message)).map(|(to, _)| *to).collect()
}

/// All proposals among the messages of `fx`: to whom, in which round, in which slot.
pub(crate) fn proposals(fx: &Fx) -> Vec<(NodeId, Round, u64)> {
    let proposal = |(to, message): &(NodeId, Message)| match message {
        Message::Acceptor(ToAcceptor::Phase2A(m)) => Some((*to, m.round, m.slot.0)),
        _ => None,
    };
    fx.sends.iter().filter_map(proposal).collect()
}

pub(crate) fn is_garbage_a(message: &Message) -> bool {
    matches!(message, Message::Matchmaker(ToMatchmaker::GarbageA(_)))
}
