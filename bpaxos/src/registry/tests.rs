use matchmaker::message::{
    ActivateA, Epoch, FromMatchmaker, NewestA, NewestB, Pending, Successor, ToProposer,
    ToReconfigurer,
};
use paxos::actor::{Incarnation, Seat};
use paxos::round::Round;

use super::*;

const fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

const OWNER: NodeId = node(1);
const OTHER: NodeId = node(2);

fn generation(epoch: u64) -> Generation {
    Generation { epoch: Epoch(epoch), members: [node(11), node(12), node(13)].into() }
}

fn open(registry: &mut Registry) -> Fx {
    let mut fx = Fx::new();
    let m = OpenA { generation: generation(0) };
    registry.on_message(OWNER, ToRegistry::OpenA(m), &mut fx);
    fx
}

/// What it answers to one that asks for the newest configuration of the column of the owner.
fn ask(registry: &mut Registry, from: NodeId, epoch: u64) -> Fx {
    let mut fx = Fx::new();
    let m = NewestA { epoch: Epoch(epoch) };
    registry.on_column(Column(OWNER), from, ToMatchmaker::NewestA(m), &mut fx);
    fx
}

fn answer(to: NodeId, inner: impl Into<ToProposer>) -> (NodeId, Message) {
    let inner = matchmaker::message::Message::Proposer(inner.into());
    (to, InColumn { column: Column(OWNER), inner }.into())
}

fn pending(to: NodeId, epoch: u64) -> (NodeId, Message) {
    answer(to, ToReconfigurer::Pending(Pending { epoch: Epoch(epoch) }))
}

fn newest(to: NodeId, epoch: u64) -> (NodeId, Message) {
    let m = NewestB { epoch: Epoch(epoch), newest: None, round: None };
    answer(to, FromMatchmaker::NewestB(Box::new(m)))
}

fn columns(registry: &mut Registry) -> BTreeMap<Column, Generation> {
    let mut fx = Fx::new();
    registry.on_message(OTHER, ToRegistry::ColumnsA(ColumnsA), &mut fx);
    match &fx.sends[..] {
        [(OTHER, Message::Proposer(crate::message::ToProposer::ColumnsB(m)))] => m.columns.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_column_is_opened_by_its_owner_and_once() {
    let mut registry = Registry::new();
    assert_eq!(ask(&mut registry, OTHER, 0).sends, [pending(OTHER, 0)]);
    assert_eq!(columns(&mut registry), [].into());
    assert_eq!(registry.column(Column(OWNER)), None);
    let opened = InColumn { column: Column(OWNER), inner: generation(0) };
    assert_eq!(open(&mut registry).records, [RegistryRecord::Opened(opened)]);
    assert_eq!(open(&mut registry), Fx::new());
    assert_eq!(ask(&mut registry, OTHER, 0).sends, [newest(OTHER, 0)]);
    assert_eq!(columns(&mut registry), [(Column(OWNER), generation(0))].into());
}

#[test]
fn a_column_that_was_opened_elsewhere_begins_with_what_is_handed_over() {
    let mut registry = Registry::new();
    let successor = Successor {
        generation: generation(1),
        previous: [node(14)].into(),
        log: BTreeMap::new(),
        watermark: Round::ZERO,
        newest: None,
    };
    let mut fx = Fx::new();
    let m = ToMatchmaker::ActivateA(Box::new(ActivateA { successor: successor.clone() }));
    registry.on_column(Column(OWNER), OTHER, m, &mut fx);
    let inner = MatchmakerRecord::Activated(Box::new(successor));
    let record = RegistryRecord::Column(InColumn { column: Column(OWNER), inner });
    assert_eq!(fx.records, std::slice::from_ref(&record));
    assert_eq!(open(&mut registry), Fx::new(), "it is open");
    assert_eq!(ask(&mut registry, OWNER, 1).sends, [newest(OWNER, 1)]);
    assert_eq!(registry.checkpoint(), [record]);
}

#[test]
fn a_checkpoint_restores_the_durable_state_whatever_was_there_before() {
    let mut registry = Registry::new();
    open(&mut registry);
    let m = ToMatchmaker::StopA(matchmaker::message::StopA { epoch: Epoch(0) });
    for _ in 0..2 {
        let checkpoint = registry.checkpoint();
        let mut fresh = Registry::new();
        checkpoint.iter().for_each(|record| fresh.restore(record.clone()));
        assert_eq!(fresh, registry);
        for count in 0..checkpoint.len() {
            let mut again = registry.clone();
            checkpoint[..count].iter().for_each(|record| again.restore(record.clone()));
            assert_eq!(again, registry);
        }
        registry.on_column(Column(OWNER), OTHER, m.clone(), &mut Fx::new());
    }
}
