//! Executing the graph of BPaxos: long chains that come from the wrong end, and large cycles.

use bpaxos::graph::Graph;
use bpaxos::vertex::{Column, Vertex, VertexSet};
use divan::Bencher;
use divan::counter::ItemsCount;
use paxos::actor::{Incarnation, NodeId, Seat};
use paxos::slot::Slot;

fn vertex(column: u32, slot: u64) -> Vertex {
    Vertex { column: Column(NodeId::new(Seat(column), Incarnation(1))), slot: Slot(slot) }
}

fn set(vertices: impl IntoIterator<Item = Vertex>) -> VertexSet {
    let mut set = VertexSet::new();
    vertices.into_iter().for_each(|vertex| {
        set.insert(vertex);
    });
    set
}

/// Commits all, and counts what was executed.
fn commit(vertices: Vec<(Vertex, VertexSet)>) -> usize {
    let mut graph = Graph::default();
    let executed =
        vertices.into_iter().flat_map(|(vertex, dependencies)| graph.commit(vertex, dependencies));
    executed.map(|component| component.vertices.len()).sum()
}

/// Each vertex depends on the one before, and they are learned in order.
#[divan::bench(args = [1_000, 100_000])]
fn chain_in_order(bencher: Bencher<'_, '_>, length: u64) {
    run(bencher, length, || chain(length).collect());
}

/// The same, learned from the last to the first: nothing is executed before the end.
#[divan::bench(args = [1_000, 100_000], sample_count = 10)]
fn chain_backwards(bencher: Bencher<'_, '_>, length: u64) {
    run(bencher, length, || {
        let mut chain: Vec<_> = chain(length).collect();
        chain.reverse();
        chain
    });
}

/// Two columns of which each vertex depends on one of the other: cycles over all of them.
#[divan::bench(args = [10, 1_000], sample_count = 20)]
fn cycle(bencher: Bencher<'_, '_>, length: u64) {
    run(bencher, length, || {
        let next = |number: u64| (number + 1) % length;
        let place = |number: u64| vertex((number % 2) as u32, number / 2);
        (0..length).map(|number| (place(number), set([place(next(number))]))).collect()
    });
}

fn chain(length: u64) -> impl Iterator<Item = (Vertex, VertexSet)> {
    (0..length).map(|slot| (vertex(0, slot), set(slot.checked_sub(1).map(|slot| vertex(0, slot)))))
}

fn run(bencher: Bencher<'_, '_>, length: u64, input: impl FnMut() -> Vec<(Vertex, VertexSet)>) {
    bencher.counter(ItemsCount::new(length)).with_inputs(input).bench_local_values(|vertices| {
        assert_eq!(commit(vertices) as u64, length, "all are executed");
    });
}
