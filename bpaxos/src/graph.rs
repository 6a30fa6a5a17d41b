//! The graph of committed vertices, and the order in which they are executed.
//!
//! A vertex is *eligible* when it and everything that can be reached from it is committed. Then its
//! strongly connected component is executed: after all components that it depends on, and inside in the
//! order of vertices. What can be reached is fixed by consensus, so all replicas find the same components
//! and the same order between any two that conflict, though they may find them at different times.
//!
//! Each call continues from what has changed. A vertex that cannot be executed *waits* for one that is
//! not committed. It is looked at again when the next one on its way to that one is executed: so it stays
//! where it is if the one that was missing is committed and waits itself, or is executed and the next one is
//! missing. A chain of a hundred thousand vertices costs the same whichever end comes first, and so do columns
//! that come one after the other. The depth-first search keeps its stack on the heap.
//!
//! ```text
//!   a ──► b ──► m           m is missing: a and b wait for m
//!   a ──► b ──► m ──► x     m is committed, x is missing: m waits for x; a and b need no look
//! ```
//!
//! *Paper*: Bipartisan Paxos, the execution of the graph (eligible components in reverse topological
//! order; Tarjan's algorithm).

use std::collections::{BTreeMap, BTreeSet};

use paxos::mutant::{self, Mutant};
use paxos::slot::Slot;

use crate::rank::Ranks;
use crate::vertex::{Vertex, VertexSet};

/// Vertices that are executed together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Component {
    /// The same at every replica, and higher than that of all components that it depends on.
    pub rank: u64,
    /// In the order in which they are executed; at least one.
    pub vertices: Vec<Vertex>,
}

/// The graph of one replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Graph {
    /// Vertices that are executed, or that a snapshot covers. Only grows.
    executed: VertexSet,
    /// What each vertex depends on that is committed and not executed.
    committed: BTreeMap<Vertex, VertexSet>,
    /// For each vertex that waits: one that it depends on, which was missing when it was looked at, or a
    /// later one in the chain of those.
    waits_for: BTreeMap<Vertex, Vertex>,
    /// By a vertex that is not executed: those that depend on it directly, and are looked at again when it
    /// is. Those may have been executed since.
    waiters: BTreeMap<Vertex, BTreeSet<Vertex>>,
    /// Vertices that others wait for and that are not committed.
    missing: BTreeSet<Vertex>,
    /// Of what is executed.
    ranks: Ranks,
    /// Dependencies that were looked at so far.
    look_count: u64,
}

/// A vertex whose dependencies are being looked at.
#[derive(Clone, Debug)]
struct Frame {
    vertex: Vertex,
    /// The next dependency is this one or a later one; the first one if there is none.
    next: Option<Vertex>,
}

/// One depth-first search.
#[derive(Clone, Debug, Default)]
struct Search {
    /// The path from where the search began.
    path: Vec<Frame>,
    /// Vertices whose component is not complete, in the order in which they were found.
    open: Vec<Vertex>,
    /// The place in that order of each vertex on `open`, and the lowest that it can reach.
    places: BTreeMap<Vertex, (usize, usize)>,
}

impl Search {
    fn enter(&mut self, vertex: Vertex) {
        let place = self.open.len();
        self.places.insert(vertex, (place, place));
        self.open.push(vertex);
        self.path.push(Frame { vertex, next: None });
    }

    /// Notes that the vertex at the end of the path reaches `place`.
    fn reach(&mut self, place: usize) {
        if let Some(frame) = self.path.last()
            && let Some((_, lowest)) = self.places.get_mut(&frame.vertex)
        {
            *lowest = (*lowest).min(place);
        }
    }

    /// Leaves the vertex at the end of the path; its component, if it is the first of one.
    fn leave(&mut self) -> Vec<Vertex> {
        let Some(Frame { vertex, .. }) = self.path.pop() else { return Vec::new() };
        let Some((place, lowest)) = self.places.get(&vertex).copied() else { return Vec::new() };
        self.reach(lowest);
        if lowest < place {
            return Vec::new();
        }
        let component = self.open.split_off(place);
        for vertex in &component {
            self.places.remove(vertex);
        }
        component
    }
}

impl Graph {
    /// Vertices that are executed.
    pub fn executed(&self) -> &VertexSet {
        &self.executed
    }

    /// Whether `vertex` is committed, or executed already.
    pub fn has(&self, vertex: Vertex) -> bool {
        self.committed.contains_key(&vertex) || self.executed.contains(vertex)
    }

    /// Vertices that are not committed and keep others from being executed. There may be more behind
    /// them.
    pub fn missing(&self) -> impl Iterator<Item = Vertex> {
        self.missing.iter().copied()
    }

    /// Whether `vertex` is one of those.
    pub fn is_missing(&self, vertex: Vertex) -> bool {
        self.missing.contains(&vertex)
    }

    /// Committed vertices that are not executed.
    pub fn waiting_count(&self) -> usize {
        self.committed.len()
    }

    /// Dependencies that were looked at so far: what execution has cost.
    pub fn look_count(&self) -> u64 {
        self.look_count
    }

    /// Adds a vertex whose value was learned, and returns what can be executed now: components, each
    /// after those that it depends on. They count as executed.
    ///
    /// *Repeat*: nothing happens.
    ///
    /// *Cost*: O(log n) for each dependency that is looked at. Each vertex is looked at once when it is
    /// committed, and once for each that it depends on directly and had to wait for: in most cases the
    /// latest one of a column.
    pub fn commit(&mut self, vertex: Vertex, dependencies: VertexSet) -> Vec<Component> {
        let mut components = Vec::new();
        if self.has(vertex) {
            return components;
        }
        self.committed.insert(vertex, dependencies);
        self.missing.remove(&vertex);
        self.execute_from(vec![vertex], &mut components);
        components
    }

    /// Takes `executed` for executed: a snapshot covers it. Returns what can be executed now.
    ///
    /// Before that the ranks of these vertices must be settled, by [`forget_ranks`](Self::forget_ranks),
    /// unless they hold nothing.
    pub fn absorb(&mut self, executed: &VertexSet) -> Vec<Component> {
        self.executed.union(executed);
        let is_covered = |vertex: &Vertex| executed.contains(*vertex);
        self.committed.retain(|vertex, _| !is_covered(vertex));
        self.waits_for.retain(|vertex, _| !is_covered(vertex));
        self.missing.retain(|vertex| !is_covered(vertex));
        let covered: Vec<Vertex> = self.waiters.keys().copied().filter(is_covered).collect();
        let mut components = Vec::new();
        for vertex in covered {
            let waiters = self.waiters.remove(&vertex).unwrap_or_default();
            self.execute_from(waiters.into_iter().collect(), &mut components);
        }
        components
    }

    /// Forgets the ranks of `executed`, which is all that comes before some vertex that conflicts with
    /// everything, and the component of that, which has the rank `rank`.
    pub fn forget_ranks(&mut self, executed: &VertexSet, rank: u64) {
        self.ranks.forget(executed, rank);
    }

    /// Executed vertices of which it still knows something by themselves.
    pub fn rank_count(&self) -> usize {
        self.ranks.count()
    }

    /// Searches from each of `starts`, and from what waited for vertices that are executed thereby.
    fn execute_from(&mut self, mut starts: Vec<Vertex>, components: &mut Vec<Component>) {
        while let Some(start) = starts.pop() {
            if !self.committed.contains_key(&start) {
                continue;
            }
            let first = components.len();
            self.search(start, components);
            let executed = components[first..].iter().flat_map(|component| &component.vertices);
            for vertex in executed {
                starts.extend(self.waiters.remove(vertex).unwrap_or_default());
            }
        }
    }

    /// Executes `start` and all that it depends on, or has it wait.
    fn search(&mut self, start: Vertex, components: &mut Vec<Component>) {
        let mut search = Search::default();
        self.waits_for.remove(&start);
        search.enter(start);
        while let Some(frame) = search.path.last_mut() {
            if let Some((blocker, missing)) = self.blocker(frame, &search.places) {
                return self.wait(&search, blocker, missing);
            }
            let Some(dependency) = self.next_dependency(frame) else {
                let component = search.leave();
                if !component.is_empty() {
                    components.push(self.execute(component));
                }
                continue;
            };
            if let Some((place, _)) = search.places.get(&dependency) {
                let place = *place;
                search.reach(place);
            } else if let Some(missing) = self.missing_behind(dependency) {
                return self.wait(&search, dependency, missing);
            } else {
                self.waits_for.remove(&dependency);
                search.enter(dependency);
            }
        }
    }

    /// The latest dependency of the vertex of `frame` in some column, if that waits itself, and the vertex that
    /// it waits for. Looked for before all others, and once.
    ///
    /// So vertices of a column wait for each other, and not all of them for the same one that is missing: they
    /// would all be looked at again each time that it is another one.
    fn blocker(
        &mut self,
        frame: &Frame,
        places: &BTreeMap<Vertex, (usize, usize)>,
    ) -> Option<(Vertex, Vertex)> {
        let dependencies = self.committed.get(&frame.vertex).filter(|_| frame.next.is_none())?;
        let latest = dependencies.columns().filter_map(|(column, slots)| {
            Some(Vertex { column, slot: Slot(slots.end().0.checked_sub(1)?) })
        });
        let latest = latest.filter(|vertex| !self.executed.contains(*vertex));
        let latest: Vec<Vertex> = latest.collect();
        self.look_count += latest.len() as u64;
        latest.into_iter().find_map(|vertex| {
            if places.contains_key(&vertex) || self.is_ignored(vertex) {
                return None;
            }
            self.missing_behind(vertex).map(|missing| (vertex, missing))
        })
    }

    /// The next dependency of the vertex of `frame` that is not executed.
    fn next_dependency(&mut self, frame: &mut Frame) -> Option<Vertex> {
        loop {
            self.look_count += 1;
            let dependencies = self.committed.get(&frame.vertex)?;
            let found = dependencies.first_missing(frame.next, &self.executed)?;
            frame.next = Some(Vertex { slot: found.slot.next(), ..found });
            if !self.is_ignored(found) {
                return Some(found);
            }
        }
    }

    /// Whether a dependency is taken for executed that is not: only by a fault.
    fn is_ignored(&self, dependency: Vertex) -> bool {
        let is_waiting = self.waits_for.contains_key(&dependency);
        (mutant::is_on(Mutant::MissingCountsAsExecuted)
            && !self.committed.contains_key(&dependency))
            || (mutant::is_on(Mutant::DirectDependenciesOnly) && is_waiting)
    }

    /// The vertex that `vertex` waits for in the end, if that is not committed.
    fn missing_behind(&mut self, vertex: Vertex) -> Option<Vertex> {
        let mut last = vertex;
        while let Some(next) = self.waits_for.get(&last) {
            last = *next;
        }
        // The next search finds it at once.
        let mut passed = vertex;
        while let Some(next) = self.waits_for.get_mut(&passed) {
            passed = std::mem::replace(next, last);
        }
        let is_known = self.committed.contains_key(&last) || self.executed.contains(last);
        (!is_known).then_some(last)
    }

    /// Gives `search` up: the vertex at the end of its path depends on `blocker`, which is `missing` or waits
    /// for it.
    ///
    /// Each vertex of the path is looked at again when the next one is executed. The other open ones are
    /// executed together with one of the path, which reaches them.
    fn wait(&mut self, search: &Search, blocker: Vertex, missing: Vertex) {
        self.missing.insert(missing);
        for vertex in &search.open {
            self.waits_for.insert(*vertex, missing);
        }
        let path = search.path.iter().map(|frame| frame.vertex);
        for (vertex, next) in path.clone().zip(path.skip(1).chain([blocker])) {
            self.waiters.entry(next).or_default().insert(vertex);
        }
    }

    /// Takes a component for executed; in the order in which it is.
    fn execute(&mut self, mut vertices: Vec<Vertex>) -> Component {
        if !mutant::is_on(Mutant::ComponentByArrival) {
            vertices.sort_unstable();
        }
        let mut rank = 1;
        for vertex in &vertices {
            let dependencies = self.committed.remove(vertex);
            rank = rank.max(dependencies.map_or(1, |needed| self.ranks.after(&needed)));
            self.executed.insert(*vertex);
        }
        for vertex in &vertices {
            self.ranks.insert(vertex.column, vertex.slot, rank);
        }
        Component { rank, vertices }
    }
}

#[cfg(test)]
mod tests;
