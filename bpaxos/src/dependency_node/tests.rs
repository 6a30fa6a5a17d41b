use paxos::actor::{Incarnation, Seat};
use paxos::state_machine::Footprint;
use paxos::wire::Payload;

use paxos::round::Round;

use super::*;
use crate::vertex::Vertex;

const fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

const fn vertex(seat: u32, slot: u64) -> Vertex {
    Vertex { column: Column(node(seat)), slot: Slot(slot) }
}

fn fresh() -> DependencyNode {
    let generation = Generation { epoch: Epoch(0), members: [node(9)].into() };
    let options = DependencyOptions { block: 10, ..DependencyOptions::default() };
    DependencyNode::new(node(9), generation, options)
}

fn ask(service: &mut DependencyNode, vertex: Vertex) -> Fx {
    let writes = [Payload::new(&b"key"[..])].into();
    let footprint = Footprint::Keys { reads: [].into(), writes };
    let m = DependencyA { epoch: Epoch(0), vertex, chosen: Slot::ZERO, footprint };
    let mut fx = Fx::new();
    service.on_message(vertex.column.0, ToDependencyNode::DependencyA(m), &mut fx);
    fx
}

fn reply(vertex: Vertex, records: Vec<DependencyRecord>, dependencies: VertexSet) -> Fx {
    let mut fx = Fx::new();
    fx.records = records;
    fx.send(vertex.column.0, DependencyB { epoch: Epoch(0), vertex, dependencies });
    fx
}

fn reserved(seat: u32, watermark: u64) -> DependencyRecord {
    DependencyRecord::Received(Column(node(seat)), Slot(watermark))
}

#[test]
fn a_block_is_durable_before_the_first_reply_in_it() {
    let mut service = fresh();
    let first = ask(&mut service, vertex(1, 0));
    assert_eq!(first, reply(vertex(1, 0), vec![reserved(1, 10)], VertexSet::new()));
    let known: VertexSet = [vertex(1, 0)].into_iter().collect();
    assert_eq!(ask(&mut service, vertex(1, 9)), reply(vertex(1, 9), vec![], known.clone()));
    let other = ask(&mut service, vertex(2, 3)).records;
    assert_eq!(other, [reserved(2, 13)]);
    assert_eq!(ask(&mut service, vertex(1, 10)).records, [reserved(1, 20)]);
}

#[test]
fn after_a_restart_all_that_may_have_been_received_conflicts() {
    let mut service = fresh();
    ask(&mut service, vertex(1, 0));
    let mut restarted = fresh();
    service.checkpoint().into_iter().for_each(|record| restarted.restore(record));
    assert_eq!(restarted.checkpoint(), service.checkpoint());
    restarted.on_start();
    let mut expected = VertexSet::new();
    expected.fill(Column(node(1)), Slot(10));
    let later = ask(&mut restarted, vertex(2, 0));
    assert_eq!(later, reply(vertex(2, 0), vec![reserved(2, 10)], expected.clone()));
    expected.insert(vertex(2, 0));
    expected.remove(vertex(1, 4));
    assert_eq!(ask(&mut restarted, vertex(1, 4)), reply(vertex(1, 4), vec![], expected));
}

#[test]
fn another_epoch_is_not_answered_nor_one_who_asks_for_another_column() {
    let mut service = fresh();
    let m = |epoch| {
        let footprint = Footprint::empty();
        let m = DependencyA {
            epoch: Epoch(epoch),
            vertex: vertex(1, 0),
            chosen: Slot::ZERO,
            footprint,
        };
        ToDependencyNode::DependencyA(m)
    };
    let mut fx = Fx::new();
    service.on_message(node(1), m(1), &mut fx);
    assert_eq!(fx.sends, [(node(1), Behind { epoch: Epoch(1) }.into())]);
    let mut fx = Fx::new();
    service.on_message(node(2), m(0), &mut fx);
    assert!(fx.sends.is_empty() && !fx.violations.is_empty());
}

fn step(service: &mut DependencyNode, message: ToDependencyNode) -> Fx {
    let mut fx = Fx::new();
    service.on_message(node(1), message, &mut fx);
    fx
}

fn successor(members: &[NodeId], base: VertexSet) -> Successor {
    let generation = Generation { epoch: Epoch(1), members: members.iter().copied().collect() };
    Successor { generation, previous: [node(9)].into(), base }
}

/// What is left of `service` after a restart.
fn restarted(service: &DependencyNode) -> DependencyNode {
    let mut again = fresh();
    service.checkpoint().into_iter().for_each(|record| again.restore(record));
    assert_eq!(again.checkpoint(), service.checkpoint());
    again.on_start();
    again
}

#[test]
fn a_node_that_stops_says_what_it_has_received_and_answers_no_more() {
    let mut service = fresh();
    ask(&mut service, vertex(1, 2));
    let freeze = ToDependencyNode::FreezeA(FreezeA { epoch: Epoch(0) });
    let mut received = VertexSet::new();
    received.fill(Column(node(1)), Slot(3));
    let mut expected = Fx::new();
    expected.record(DependencyRecord::Frozen(Epoch(0)));
    expected.send(node(1), FreezeB { epoch: Epoch(0), received });
    assert_eq!(step(&mut service, freeze.clone()), expected);
    expected.records.clear();
    assert_eq!(step(&mut service, freeze), expected);
    for mut service in [restarted(&service), service] {
        let fx = ask(&mut service, vertex(1, 3));
        assert_eq!(fx.sends, [(node(1), Frozen { epoch: Epoch(0) }.into())]);
        assert!(fx.records.is_empty());
    }
}

#[test]
fn in_a_new_epoch_everything_in_its_base_conflicts() {
    let base: VertexSet = [vertex(1, 0), vertex(1, 1), vertex(2, 0)].into_iter().collect();
    let successor = successor(&[node(9)], base.clone());
    let mut service = fresh();
    let begin = ToDependencyNode::BeginA(BeginA { successor: successor.clone() });
    let fx = step(&mut service, begin.clone());
    assert_eq!(fx.records, [DependencyRecord::Begun(successor)]);
    assert!(step(&mut service, begin).records.is_empty(), "a repeat changes nothing");
    for mut service in [restarted(&service), service] {
        let (chosen, footprint) = (Slot::ZERO, Footprint::empty());
        let m = DependencyA { epoch: Epoch(1), vertex: vertex(2, 1), chosen, footprint };
        let mut fx = Fx::new();
        service.on_message(node(2), ToDependencyNode::DependencyA(m), &mut fx);
        let expected =
            DependencyB { epoch: Epoch(1), vertex: vertex(2, 1), dependencies: base.clone() };
        assert_eq!(fx.sends, [(node(2), expected.into())]);
    }
}

#[test]
fn a_node_that_serves_no_more_sends_proposers_on() {
    let successor = successor(&[node(8)], VertexSet::new());
    let mut service = fresh();
    step(&mut service, ToDependencyNode::BeginA(BeginA { successor: successor.clone() }));
    let fx = ask(&mut service, vertex(1, 0));
    assert_eq!(fx.sends, [(node(1), Succeeded { successor }.into())]);
}

#[test]
fn a_vertex_that_is_asked_for_cannot_be_chosen() {
    let mut service = fresh();
    let (chosen, footprint) = (Slot(3), Footprint::empty());
    let m = DependencyA { epoch: Epoch(0), vertex: vertex(1, 2), chosen, footprint };
    let mut fx = Fx::new();
    service.on_message(node(1), ToDependencyNode::DependencyA(m), &mut fx);
    assert!(fx.sends.is_empty() && fx.violations.len() == 1);
}

/// Of a checkpoint that a crash has cut off, the beginning may be left: it must not begin the epoch again.
#[test]
fn each_beginning_of_a_checkpoint_changes_nothing() {
    let mut service = fresh();
    ask(&mut service, vertex(1, 0));
    let begin = BeginA { successor: successor(&[node(9)], VertexSet::new()) };
    step(&mut service, ToDependencyNode::BeginA(begin));
    let m = DependencyA {
        epoch: Epoch(1),
        vertex: vertex(1, 1),
        chosen: Slot::ZERO,
        footprint: Footprint::empty(),
    };
    step(&mut service, ToDependencyNode::DependencyA(m));
    for _ in 0..2 {
        let checkpoint = service.checkpoint();
        for count in 0..=checkpoint.len() {
            let mut restored = service.clone();
            checkpoint[..count].iter().for_each(|record| restored.restore(record.clone()));
            assert_eq!(restored.checkpoint(), checkpoint);
        }
        step(&mut service, ToDependencyNode::FreezeA(FreezeA { epoch: Epoch(1) }));
        let (first, round) = (Slot::ZERO, Round::first_above(Round::ZERO, node(1)));
        let message = ToAcceptor::Phase1A(paxos::message::Phase1A { round, first });
        step(&mut service, ToDependencyNode::DecreeA(DecreeA { epoch: Epoch(1), message }));
    }
}
