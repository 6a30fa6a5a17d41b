use std::collections::BTreeMap;

use paxos::actor::{Incarnation, NodeId, Seat};
use paxos::slot::Slot;

use super::*;
use crate::vertex::Column;

/// Vertices of three columns, so that neighbours are not in the same one.
fn vertex(number: u64) -> Vertex {
    let seat = Seat(u32::try_from(number % 3).expect("small"));
    Vertex { column: Column(NodeId::new(seat, Incarnation(1))), slot: Slot(number / 3) }
}

fn set(numbers: impl IntoIterator<Item = u64>) -> VertexSet {
    numbers.into_iter().map(vertex).collect()
}

/// The graph by definition: what is reachable, by trying everything.
struct Oracle {
    edges: Vec<Vec<bool>>,
}

impl Oracle {
    /// The graph of `count` vertices whose edges are the bits of `bits`, but for loops.
    fn new(count: usize, bits: u64) -> Self {
        let mut next = 0;
        let mut edges = vec![vec![false; count]; count];
        for (from, to) in (0..count).flat_map(|from| (0..count).map(move |to| (from, to))) {
            if from != to {
                edges[from][to] = bits & (1 << next) != 0;
                next += 1;
            }
        }
        Self { edges }
    }

    fn dependencies(&self, from: usize) -> VertexSet {
        let count = self.edges.len();
        set((0..count).filter(|to| self.edges[from][*to]).map(|to| to as u64))
    }

    /// The transitive closure, each vertex reaching itself.
    fn closure(&self) -> Vec<Vec<bool>> {
        let count = self.edges.len();
        let mut reach = self.edges.clone();
        reach.iter_mut().enumerate().for_each(|(vertex, reached)| reached[vertex] = true);
        for (via, from) in (0..count).flat_map(|via| (0..count).map(move |from| (via, from))) {
            for to in 0..count {
                reach[from][to] |= reach[from][via] && reach[via][to];
            }
        }
        reach
    }
}

/// Ranks by definition.
impl Oracle {
    fn rank(&self, reach: &[Vec<bool>], of: usize) -> u64 {
        let count = self.edges.len();
        let behind = (0..count).filter(|other| reach[of][*other] && !reach[*other][of]);
        1 + behind.map(|other| self.rank(reach, other)).max().unwrap_or(0)
    }
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut found = vec![Vec::new()];
    for next in 0..count {
        let longer = found.iter().flat_map(|order: &Vec<usize>| {
            (0..=order.len()).map(move |place| {
                let mut longer = order.clone();
                longer.insert(place, next);
                longer
            })
        });
        found = longer.collect();
    }
    found
}

/// After each commit exactly the eligible vertices are executed, each component at once, in the order of
/// vertices and after all that it depends on.
fn check(count: usize, bits: u64, order: &[usize]) {
    let oracle = Oracle::new(count, bits);
    let reach = oracle.closure();
    let mut graph = Graph::default();
    let mut is_committed = vec![false; count];
    let mut executed: Vec<usize> = Vec::new();
    for arrived in order {
        is_committed[*arrived] = true;
        let numbers: BTreeMap<Vertex, usize> =
            (0..count).map(|number| (vertex(number as u64), number)).collect();
        for component in graph.commit(vertex(*arrived as u64), oracle.dependencies(*arrived)) {
            let rank = component.rank;
            let component: Vec<usize> =
                component.vertices.iter().map(|vertex| numbers[vertex]).collect();
            let first = component[0];
            let mut expected: Vec<usize> =
                (0..count).filter(|other| reach[first][*other] && reach[*other][first]).collect();
            expected.sort_by_key(|number| vertex(*number as u64));
            assert_eq!(component, expected, "a whole component: {bits:b} {order:?}");
            let is_before = |other: &usize| executed.contains(other) || component.contains(other);
            let mut needed = (0..count).filter(|other| reach[first][*other]);
            assert!(needed.all(|other| is_before(&other)), "too early: {bits:b} {order:?}");
            assert_eq!(rank, oracle.rank(&reach, first), "{bits:b} {order:?}");
            executed.extend(component);
        }
        let is_eligible = |from: usize| (0..count).all(|to| !reach[from][to] || is_committed[to]);
        for number in 0..count {
            let is_executed = executed.contains(&number);
            assert_eq!(is_executed, is_eligible(number), "{number}: {bits:b} {order:?}");
        }
        let is_blocked = graph.waiting_count() > 0;
        assert_eq!(graph.missing().next().is_some(), is_blocked, "{bits:b} {order:?}");
    }
    assert_eq!(executed.len(), count);
    assert!(graph.waiters.is_empty() && graph.waits_for.is_empty(), "{graph:?}");
}

#[test]
fn every_graph_of_four_vertices_in_every_order_of_arrival() {
    let orders = permutations(4);
    for bits in 0..1 << 12 {
        orders.iter().for_each(|order| check(4, bits, order));
    }
}

#[test]
fn many_graphs_of_seven_vertices() {
    let orders = permutations(7);
    let mut chance: u64 = 1;
    for _ in 0..5_000 {
        chance =
            chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (sparse, dense) = (chance & (chance >> 21) & (chance << 9), chance);
        let bits = if chance & 1 == 0 { sparse } else { dense };
        let order = &orders[(chance >> 33) as usize % orders.len()];
        check(7, bits & ((1 << 42) - 1), order);
    }
}

/// What it costs to execute `count` vertices in the order `order`, with the given dependencies.
fn cost(order: impl Iterator<Item = u64>, dependencies: impl Fn(u64) -> VertexSet) -> u64 {
    let mut graph = Graph::default();
    let mut count = 0;
    for number in order {
        let components = graph.commit(vertex(number), dependencies(number));
        count += components.iter().map(|component| component.vertices.len() as u64).sum::<u64>();
    }
    assert_eq!((graph.waiting_count(), graph.executed().contains(vertex(count - 1))), (0, true));
    graph.look_count()
}

const LENGTH: u64 = 100_000;

#[test]
fn a_long_chain_costs_the_same_from_either_end() {
    let previous = |number: u64| set(number.checked_sub(1));
    assert!(cost(0..LENGTH, previous) <= 2 * LENGTH);
    assert!(cost((0..LENGTH).rev(), previous) <= 4 * LENGTH);
    let headless = (1..LENGTH).chain([0]);
    assert!(cost(headless, previous) <= 5 * LENGTH);
    let evens_first = (0..LENGTH).step_by(2).chain((1..LENGTH).step_by(2));
    assert!(cost(evens_first, previous) <= 5 * LENGTH);
}

/// Compacted dependencies: everything below, of every column.
fn all_below(number: u64) -> VertexSet {
    let mut dependencies = VertexSet::new();
    for column in 0..3 {
        let count = (number + 2).saturating_sub(column) / 3;
        dependencies.fill(vertex(column).column, Slot(count));
    }
    dependencies.remove(vertex(number));
    dependencies
}

#[test]
fn a_long_chain_of_prefixes_costs_no_more() {
    assert!(cost(0..LENGTH, all_below) <= 2 * LENGTH);
    assert!(cost((1..LENGTH).chain([0]), all_below) <= 8 * LENGTH);
}

/// A replica that starts again reads column after column. Each vertex depends on all that came before it, or
/// on all of the other columns.
#[test]
fn columns_that_arrive_one_after_the_other_cost_no_more() {
    const COUNT: u64 = 30_000;
    for columns in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let order = || columns.into_iter().flat_map(|column| (column..COUNT).step_by(3));
        assert!(cost(order(), all_below) <= 20 * COUNT, "{columns:?}");
        let others = |number| {
            let all = all_below(number);
            let mut dependencies = VertexSet::new();
            for (column, slots) in all.columns().filter(|(c, _)| *c != vertex(number).column) {
                dependencies.fill(column, slots.watermark());
            }
            dependencies
        };
        assert!(cost(order(), others) <= 20 * COUNT, "{columns:?}");
    }
}

#[test]
fn large_cycles_cost_as_much_as_chains() {
    const SIZE: u64 = 1000;
    let next = |number: u64| {
        let first = number - number % SIZE;
        set([first + (number + 1) % SIZE])
    };
    assert!(cost(0..100 * SIZE, next) <= 5 * 100 * SIZE);
    assert!(cost((0..100 * SIZE).rev(), next) <= 5 * 100 * SIZE);
}

#[test]
fn a_snapshot_frees_what_waits_for_what_it_covers() {
    let mut graph = Graph::default();
    assert_eq!(graph.commit(vertex(2), set([1])), []);
    assert_eq!(graph.commit(vertex(3), set([0, 2])), []);
    assert_eq!(graph.missing().collect::<Vec<_>>(), [vertex(0), vertex(1)]);
    let executed = graph.absorb(&set([0, 1])).into_iter().map(|component| component.vertices);
    assert_eq!(executed.collect::<Vec<_>>(), [vec![vertex(2)], vec![vertex(3)]]);
    assert_eq!(graph.commit(vertex(1), set([])), []);
    assert_eq!((graph.missing().count(), graph.waiting_count()), (0, 0));
}
