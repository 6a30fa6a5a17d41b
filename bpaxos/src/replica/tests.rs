mod snapshots;

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use paxos::actor::{Incarnation, Seat, TimerChange};
use paxos::command::SessionId;
use paxos::message::FetchA;
use paxos::state_machine::ForeignChunk;

use super::*;
use crate::message::Recover;

const fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

const fn vertex(seat: u32, slot: u64) -> Vertex {
    Vertex { column: Column(node(seat)), slot: Slot(slot) }
}

const ARCHIVE: NodeId = node(61);
const SESSION: NodeId = node(71);
const OTHER_ARCHIVE: NodeId = node(62);

/// Remembers the commands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Words {
    words: Vec<Bytes>,
    frozen: VecDeque<Bytes>,
}

impl StateMachine for Words {
    fn apply(&mut self, _: Position, command: &[u8]) -> Bytes {
        let command = Bytes::copy_from_slice(command);
        self.words.push(command.clone());
        command
    }

    fn query(&self, _: &[u8]) -> Option<Bytes> {
        None
    }

    fn empty(&self) -> Self {
        Self::default()
    }

    fn start_snapshot(&mut self) {
        self.frozen = self.words.clone().into();
    }

    fn next_chunk(&mut self, _: usize) -> Option<Bytes> {
        self.frozen.pop_front()
    }

    fn stop_snapshot(&mut self) {
        self.frozen.clear();
    }

    fn install_chunk(&mut self, chunk: &Bytes) -> Result<(), ForeignChunk> {
        if chunk.is_empty() {
            return Err(ForeignChunk("no word".into()));
        }
        self.words.push(chunk.clone());
        Ok(())
    }
}

fn replica() -> Replica<Words> {
    let proposers = BTreeSet::from([node(1), node(2)]);
    let surroundings = Surroundings { archive: ARCHIVE, session: SESSION, proposers };
    let options = SnapshotOptions { bytes_per_second: 0, ..SnapshotOptions::default() };
    Replica::new(surroundings, Words::default(), options)
}

fn command(session: NodeId, number: u64) -> Command {
    let session = SessionId { node: session, life: 1 };
    let payload = Payload::new(number.to_string().into_bytes());
    Command { session, number, acknowledged: 0, payload }
}

fn value(command: Command, dependencies: &[Vertex]) -> Value {
    let dependencies = dependencies.iter().copied().collect();
    Proposal { content: Content::Commands(vec![command]), dependencies }.to_value()
}

fn chosen(replica: &mut Replica<Words>, at: Vertex, value: Value) -> Fx {
    let mut fx = Fx::new();
    let m = ToColumnReplica::Chosen(Chosen { slot: at.slot, value });
    replica.on_column(at.column, node(1), m, &mut fx);
    fx
}

fn in_column(at: Vertex, message: ToColumnArchive) -> Message {
    Message::Column(InColumn { column: at.column, inner: ColumnMessage::Archive(message) })
}

fn store(at: Vertex, value: Value) -> (NodeId, Message) {
    (ARCHIVE, in_column(at, ToColumnArchive::Store(Store { slot: at.slot, value })))
}

fn fetch(from: NodeId, at: Vertex) -> (NodeId, Message) {
    (from, in_column(at, ToColumnArchive::FetchA(FetchA { first: at.slot })))
}

fn look(replica: &mut Replica<Words>) -> Vec<(NodeId, Message)> {
    let mut fx = Fx::new();
    replica.on_timer(ReplicaTimer::Look, &mut fx);
    assert!(matches!(fx.timers[..], [TimerChange::Set(ReplicaTimer::Look, _)]), "{:?}", fx.timers);
    fx.sends
}

#[test]
fn the_session_beside_it_is_answered_and_no_other() {
    let mut replica = replica();
    let own = value(command(SESSION, 4), &[]);
    let executed = Executed {
        session: command(SESSION, 4).session,
        number: 4,
        reply: command(SESSION, 4).payload,
    };
    let fx = chosen(&mut replica, vertex(1, 0), own.clone());
    assert_eq!(fx.sends, [store(vertex(1, 0), own), (SESSION, executed.into())]);
    let foreign = value(command(node(72), 5), &[]);
    let fx = chosen(&mut replica, vertex(2, 0), foreign.clone());
    assert_eq!(fx.sends, [store(vertex(2, 0), foreign)]);
    assert_eq!((replica.executed_count(), replica.waiting_count()), (2, 0));
}

#[test]
fn the_archive_gets_each_column_in_order_whatever_the_order_of_execution() {
    let mut replica = replica();
    let [early, late] = [0, 1].map(|number| value(command(SESSION, number), &[]));
    let fx = chosen(&mut replica, vertex(1, 1), late.clone());
    assert!(fx.sends.iter().all(|(to, _)| *to == SESSION), "{:?}", fx.sends);
    let fx = chosen(&mut replica, vertex(1, 0), early.clone());
    assert_eq!(fx.sends[..2], [store(vertex(1, 0), early), store(vertex(1, 1), late)]);
    assert_eq!(replica.machine().words, ["1", "0"]);
}

#[test]
fn what_others_wait_for_is_recovered_by_its_owner_first() {
    let mut replica = replica();
    let blocked = value(command(SESSION, 0), &[vertex(2, 3)]);
    let fx = chosen(&mut replica, vertex(1, 0), blocked);
    assert!(matches!(fx.timers[..], [TimerChange::Set(ReplicaTimer::Look, _)]));
    assert_eq!(replica.waiting_count(), 1);
    let fetched = fetch(ARCHIVE, vertex(2, 0));
    assert_eq!(look(&mut replica), std::slice::from_ref(&fetched));
    let recover = |to| (to, Message::from(Recover { vertex: vertex(2, 3) }));
    assert_eq!(look(&mut replica), [recover(node(2)), fetched.clone()]);
    assert_eq!(look(&mut replica), [recover(node(1)), fetched.clone()]);
    assert_eq!(look(&mut replica), [recover(node(2)), fetched]);
    chosen(&mut replica, vertex(2, 3), Value::Noop);
    assert_eq!(replica.machine().words, ["0"]);
}

#[test]
fn a_gap_is_fetched_from_those_that_the_leader_names() {
    let mut replica = replica();
    let m = ChosenWatermark { watermark: Slot(2), archives: [OTHER_ARCHIVE].into() };
    let column = vertex(1, 0).column;
    let mut fx = Fx::new();
    replica.on_column(column, node(1), ToColumnReplica::ChosenWatermark(m), &mut fx);
    assert!(fx.sends.is_empty() && fx.timers.len() == 1);
    assert_eq!(look(&mut replica), [fetch(OTHER_ARCHIVE, vertex(1, 0))]);
    let values = [0, 1].map(|number| value(command(node(72), number), &[]));
    let m = ToColumnReplica::FetchB(FetchB { first: Slot(0), values: values.to_vec() });
    let mut fx = Fx::new();
    replica.on_column(column, OTHER_ARCHIVE, m, &mut fx);
    let [one, two] = values;
    let expected =
        [store(vertex(1, 0), one), store(vertex(1, 1), two), fetch(OTHER_ARCHIVE, vertex(1, 2))];
    assert_eq!(fx.sends, expected);
}

#[test]
fn bytes_that_are_no_proposal_are_reported_and_hold_nothing() {
    let mut replica = replica();
    let garbage = Value::Batch(Payload::new(&b"?"[..]));
    let fx = chosen(&mut replica, vertex(1, 0), garbage.clone());
    assert_eq!(fx.sends, [store(vertex(1, 0), garbage)]);
    assert_eq!(fx.violations.len(), 1);
    assert!(replica.executed().contains(vertex(1, 0)));
}

#[test]
fn an_operator_is_told_what_keeps_others_from_being_executed() {
    let mut replica = replica();
    let (missing, at) = (vertex(2, 4), vertex(1, 0));
    chosen(&mut replica, at, value(command(SESSION, 0), &[missing]));
    chosen(&mut replica, vertex(2, 0), value(command(SESSION, 1), &[]));
    let mut fx = Fx::new();
    replica.on_status_a(node(9), &StatusA { token: 7 }, &mut fx);
    let missing = vec![missing];
    let told = ReplicaB { token: 7, executed_count: 1, waiting_count: 1, missing };
    assert_eq!(fx.sends, [(node(9), told.into())]);
}
