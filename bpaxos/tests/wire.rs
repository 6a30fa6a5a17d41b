//! The encoding of all that travels and of all that is on disk, byte by byte.
//!
//! `wire.golden` holds the bytes of one value of each variant. They must never change: nodes of two
//! versions talk to each other, and a new version reads the disk of an old one. Variants are added at
//! the end, together with a line in that file.

#[path = "../../paxos/tests/golden/mod.rs"]
mod golden;

use bpaxos::column::InColumn;
use bpaxos::command::{Command, Content, Proposal};
use bpaxos::dependency_node::DependencyRecord;
use bpaxos::message::*;
use bpaxos::node::NodeRecord;
use bpaxos::proposer::ProposerRecord;
use bpaxos::snapshot::{Header, Part, SessionPart};
use bpaxos::vertex::{Column, SlotSet, Vertex, VertexSet};
use golden::Golden;
use matchmaker::leader::LeaderRecord;
use matchmaker::matchmaker::MatchmakerRecord;
use matchmaker::message::{Epoch, Generation};
use matchmaker::reconfigurer::ReconfigurerRecord;
use paxos::acceptor::AcceptorRecord;
use paxos::actor::{Incarnation, NodeId, Seat};
use paxos::archive::ArchiveRecord;
use paxos::command::{SessionId, Value};
use paxos::message::{
    FromAcceptor, Invoke, Keep, Kept, Nack, Operation, Outcome, Phase1A, Phase2A, RestoreA, Return,
    SnapshotA, SnapshotB, ToAcceptor,
};
use paxos::round::Round;
use paxos::session::SessionRecord;
use paxos::slot::Slot;
use paxos::snapshot::Chunk;
use paxos::state_machine::Footprint;
use paxos::wire::{self, Payload};

const EPOCH: Epoch = Epoch(9);

fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(0xa0 + u64::from(seat)))
}

fn column() -> Column {
    Column(node(1))
}

fn vertex() -> Vertex {
    Vertex { column: column(), slot: Slot(5) }
}

fn payload() -> Payload {
    Payload::new(&b"payload"[..])
}

fn round() -> Round {
    Round { number: 1, owner: node(2), step: 3 }
}

fn session() -> SessionId {
    SessionId { node: node(3), life: 4 }
}

fn command() -> Command {
    Command { session: session(), number: 6, acknowledged: 5, payload: payload() }
}

fn dependencies() -> VertexSet {
    let mut set: VertexSet = [vertex()].into_iter().collect();
    set.fill(column(), Slot(3));
    set
}

fn generation() -> Generation {
    Generation { epoch: EPOCH, members: [node(1), node(2)].into() }
}

fn successor() -> Successor {
    let previous = [node(2), node(3)].into();
    Successor { generation: generation(), previous, base: dependencies() }
}

fn in_column<T>(inner: T) -> InColumn<T> {
    InColumn { column: column(), inner }
}

fn to_dependency_node() -> Golden<ToDependencyNode> {
    let footprint = Footprint::Keys { reads: [payload()].into(), writes: [].into() };
    let m = DependencyA { epoch: EPOCH, vertex: vertex(), chosen: Slot(4), footprint };
    let decree = ToAcceptor::Phase1A(Phase1A { round: round(), first: Slot::ZERO });
    let values = vec![
        ("DependencyA", ToDependencyNode::DependencyA(m)),
        ("ReachA", ToDependencyNode::ReachA(ReachA { epoch: EPOCH })),
        ("FreezeA", ToDependencyNode::FreezeA(FreezeA { epoch: EPOCH })),
        ("DecreeA", ToDependencyNode::DecreeA(DecreeA { epoch: EPOCH, message: decree })),
        ("BeginA", ToDependencyNode::BeginA(BeginA { successor: successor() })),
    ];
    Golden { prefix: "ToDependencyNode", values }
}

fn to_registry() -> Golden<ToRegistry> {
    let values = vec![
        ("OpenA", ToRegistry::OpenA(OpenA { generation: generation() })),
        ("ColumnsA", ToRegistry::ColumnsA(ColumnsA)),
    ];
    Golden { prefix: "ToRegistry", values }
}

fn outcome() -> Golden<MatchmakersOutcome> {
    let values = vec![
        ("Moved", MatchmakersOutcome::Moved { unaware: [node(1)].into() }),
        ("Unreachable", MatchmakersOutcome::Unreachable { silent: [node(2)].into() }),
        ("Stuck", MatchmakersOutcome::Stuck { column: column() }),
    ];
    Golden { prefix: "MatchmakersOutcome", values }
}

fn to_proposer() -> Golden<ToProposer> {
    let moved = MatchmakersA { token: 7, members: generation().members };
    let m = DependencyB { epoch: EPOCH, vertex: vertex(), dependencies: dependencies() };
    let values = vec![
        ("Request", ToProposer::Request(Request { command: command() })),
        ("DependencyB", ToProposer::DependencyB(m)),
        ("Recover", ToProposer::Recover(Recover { vertex: vertex() })),
        ("ServiceA", ToProposer::ServiceA(ServiceA { token: 7, members: generation().members })),
        ("Service", ToProposer::Service(from_dependency_node().values.remove(0).1)),
        ("TakeSnapshot", ToProposer::TakeSnapshot(TakeSnapshot)),
        ("MatchmakersA", ToProposer::MatchmakersA(moved)),
        ("ColumnsB", ToProposer::ColumnsB(ColumnsB { columns: [(column(), generation())].into() })),
        ("StatusA", ToProposer::StatusA(StatusA { token: 7 })),
    ];
    Golden { prefix: "ToProposer", values }
}

fn from_dependency_node() -> Golden<FromDependencyNode> {
    let epoch = EPOCH;
    let decree = FromAcceptor::Nack(Nack { round: round(), promised: round() });
    let frozen = FreezeB { epoch, received: dependencies() };
    let values = vec![
        ("ReachB", FromDependencyNode::ReachB(ReachB { epoch })),
        ("FreezeB", FromDependencyNode::FreezeB(frozen)),
        ("DecreeB", FromDependencyNode::DecreeB(DecreeB { epoch, message: decree })),
        ("BeginB", FromDependencyNode::BeginB(BeginB { epoch })),
        ("Succeeded", FromDependencyNode::Succeeded(Succeeded { successor: successor() })),
        ("Frozen", FromDependencyNode::Frozen(Frozen { epoch })),
        ("Behind", FromDependencyNode::Behind(Behind { epoch })),
    ];
    Golden { prefix: "FromDependencyNode", values }
}

fn to_session() -> Golden<ToSession> {
    let invoke = Invoke { token: 7, operation: Operation::Read(payload()) };
    let executed = Executed { session: session(), number: 6, reply: payload() };
    let values =
        vec![("Invoke", ToSession::Invoke(invoke)), ("Executed", ToSession::Executed(executed))];
    Golden { prefix: "ToSession", values }
}

fn to_application() -> Golden<ToApplication> {
    let m = Return { token: 7, outcome: Outcome::NeedsLog };
    let service = ServiceB { token: 7, generation: generation() };
    let moved = MatchmakersB { token: 7, outcome: outcome().values.remove(0).1 };
    let (requests_count, collecting_count) = (1, 2);
    let proposer = ProposerB { token: 7, service: generation(), requests_count, collecting_count };
    let missing = vec![vertex()];
    let replica = ReplicaB { token: 7, executed_count: 1, waiting_count: 2, missing };
    let values = vec![
        ("Return", ToApplication::Return(m)),
        ("ServiceB", ToApplication::ServiceB(service)),
        ("MatchmakersB", ToApplication::MatchmakersB(moved)),
        ("ProposerB", ToApplication::ProposerB(proposer)),
        ("ReplicaB", ToApplication::ReplicaB(replica)),
    ];
    Golden { prefix: "ToApplication", values }
}

fn chunk() -> Chunk {
    Chunk { slot: Slot(2), number: 1, digest: 9, is_last: false, bytes: payload() }
}

fn to_replica() -> Golden<ToReplica> {
    let contents = ContentsB { snapshot: Slot(2), vertices: dependencies() };
    let covered = Covered { first: vertex(), base: Slot(6), snapshot: Slot(2), replica: node(5) };
    let ask = SnapshotA { executed_watermark: Slot(1), slot: Some(Slot(2)), next: 1 };
    let wanted = SnapshotWanted { vertices: dependencies() };
    let values = vec![
        ("ContentsB", ToReplica::ContentsB(contents)),
        ("Covered", ToReplica::Covered(covered)),
        ("SnapshotWanted", ToReplica::SnapshotWanted(wanted)),
        ("Kept", ToReplica::Kept(Kept { slot: Slot(2), number: 1 })),
        ("SnapshotA", ToReplica::SnapshotA(ask)),
        ("SnapshotB", ToReplica::SnapshotB(SnapshotB { chunk: chunk() })),
        ("StatusA", ToReplica::StatusA(StatusA { token: 7 })),
    ];
    Golden { prefix: "ToReplica", values }
}

fn to_archive() -> Golden<ToArchive> {
    let values = vec![
        ("ContentsA", ToArchive::ContentsA(ContentsA)),
        ("Keep", ToArchive::Keep(Keep { chunk: chunk() })),
        ("RestoreA", ToArchive::RestoreA(RestoreA { number: 1 })),
    ];
    Golden { prefix: "ToArchive", values }
}

fn part() -> Golden<Part> {
    let header = Header { executed: dependencies(), rank: 8 };
    let executed = SlotSet::below(Slot(4));
    let sessions = vec![
        SessionPart::Session { session: session(), executed },
        SessionPart::Reply { number: 6, reply: payload() },
        SessionPart::ReplyPart(payload()),
    ];
    let values = vec![
        ("Header", Part::Header(header)),
        ("Sessions", Part::Sessions(sessions)),
        ("Machine", Part::Machine(payload())),
    ];
    Golden { prefix: "Part", values }
}

fn message() -> Golden<Message> {
    let phase2a = Phase2A { round: round(), slot: Slot(5), value: Value::Batch(payload()) };
    let inner = matchmaker::message::Message::Acceptor(ToAcceptor::Phase2A(phase2a));
    let values = vec![
        ("Column", Message::Column(in_column(inner))),
        ("DependencyNode", to_dependency_node().values.remove(0).1.into()),
        ("Proposer", to_proposer().values.remove(0).1.into()),
        ("Session", to_session().values.remove(0).1.into()),
        ("Application", to_application().values.remove(0).1.into()),
        ("Replica", to_replica().values.remove(0).1.into()),
        ("Archive", to_archive().values.remove(0).1.into()),
        ("Registry", to_registry().values.remove(0).1.into()),
    ];
    Golden { prefix: "Message", values }
}

fn footprint() -> Golden<Footprint> {
    let keys = Footprint::Keys { reads: [].into(), writes: [payload()].into() };
    let values = vec![("Keys", keys), ("Everything", Footprint::Everything)];
    Golden { prefix: "Footprint", values }
}

fn proposal() -> Golden<Proposal> {
    let content = Content::Commands(vec![command()]);
    let proposal = Proposal { content, dependencies: dependencies() };
    let snapshot = Proposal { content: Content::Snapshot, dependencies: dependencies() };
    Golden { prefix: "Proposal", values: vec![("Commands", proposal), ("Snapshot", snapshot)] }
}

fn proposer_record() -> Golden<ProposerRecord> {
    let values = vec![
        ("Reserved", ProposerRecord::Reserved(Slot(5))),
        ("Leader", ProposerRecord::Leader(in_column(LeaderRecord::Used(round())))),
        ("Decreed", ProposerRecord::Decreed(round())),
        ("Service", ProposerRecord::Service(successor())),
        ("Opened", ProposerRecord::Opened(generation())),
        ("Driver", ProposerRecord::Driver(in_column(ReconfigurerRecord { used: round() }))),
    ];
    Golden { prefix: "ProposerRecord", values }
}

fn dependency_record() -> Golden<DependencyRecord> {
    let decree = AcceptorRecord::Promised(round());
    let values = vec![
        ("Received", DependencyRecord::Received(column(), Slot(5))),
        ("Frozen", DependencyRecord::Frozen(EPOCH)),
        ("Decree", DependencyRecord::Decree(decree)),
        ("Begun", DependencyRecord::Begun(successor())),
    ];
    Golden { prefix: "DependencyRecord", values }
}

fn node_record() -> Golden<NodeRecord> {
    let reserved = DependencyRecord::Frozen(EPOCH);
    let archived = ArchiveRecord::Value { slot: Slot(5), value: Value::Noop };
    let values = vec![
        ("Acceptor", NodeRecord::Acceptor(in_column(AcceptorRecord::Promised(round())))),
        ("Matchmaker", NodeRecord::Matchmaker(in_column(MatchmakerRecord::Collected(round())))),
        ("DependencyNode", NodeRecord::DependencyNode(reserved)),
        ("Proposer", NodeRecord::Proposer(ProposerRecord::Reserved(Slot(5)))),
        ("Archive", NodeRecord::Archive(in_column(archived))),
        ("Session", NodeRecord::Session(SessionRecord { life: 4 })),
        ("Snapshot", NodeRecord::Snapshot(chunk())),
        ("Opened", NodeRecord::Opened(in_column(generation()))),
    ];
    Golden { prefix: "NodeRecord", values }
}

#[test]
fn messages_have_their_golden_bytes() {
    to_dependency_node().check();
    to_proposer().check();
    from_dependency_node().check();
    to_session().check();
    to_application().check();
    to_replica().check();
    to_archive().check();
    to_registry().check();
    outcome().check();
    part().check();
    message().check();
    footprint().check();
    proposal().check();
}

#[test]
fn records_have_their_golden_bytes() {
    proposer_record().check();
    dependency_record().check();
    node_record().check();
}

#[test]
fn tags_are_the_positions_of_the_variants_and_all_variants_are_golden() {
    to_dependency_node().check_tags();
    to_proposer().check_tags();
    from_dependency_node().check_tags();
    to_session().check_tags();
    to_application().check_tags();
    to_replica().check_tags();
    to_archive().check_tags();
    to_registry().check_tags();
    outcome().check_tags();
    part().check_tags();
    proposal().check_tags();
    message().check_tags();
    footprint().check_tags();
    proposer_record().check_tags();
    dependency_record().check_tags();
    node_record().check_tags();
}

#[test]
fn the_bytes_of_a_command_are_not_copied_out_of_their_frame() {
    let frame = wire::encode(&proposal().values[0].1);
    let proposal = wire::decode::<Proposal>(&frame).expect("just encoded");
    assert!(frame.as_ptr_range().contains(&proposal.commands()[0].payload.0.as_ptr()));
}

#[test]
fn random_and_damaged_bytes_never_panic() {
    to_dependency_node().check_noise(1);
    to_proposer().check_noise(2);
    from_dependency_node().check_noise(3);
    to_session().check_noise(4);
    to_application().check_noise(5);
    to_replica().check_noise(6);
    to_archive().check_noise(7);
    to_registry().check_noise(8);
    outcome().check_noise(9);
    part().check_noise(10);
    message().check_noise(11);
    footprint().check_noise(12);
    proposal().check_noise(13);
    proposer_record().check_noise(14);
    dependency_record().check_noise(15);
    node_record().check_noise(16);
}
