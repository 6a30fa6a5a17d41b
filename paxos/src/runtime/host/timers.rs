//! The armed timers of all actors of a host.

use std::collections::BTreeMap;

use tokio::time::Instant;

/// Timers by deadline and by name. Both maps hold the same timers.
///
/// *Cost*: O(log n) for each change, n = armed timers.
#[derive(Debug)]
pub(super) struct Timers<T> {
    by_deadline: BTreeMap<Deadline, (usize, T)>,
    by_name: BTreeMap<(usize, T), Deadline>,
    /// Tells timers of the same instant apart: they fire in the order in which they were set.
    set_count: u64,
}

type Deadline = (Instant, u64);

impl<T: Clone + Ord> Timers<T> {
    pub(super) fn new() -> Self {
        Self { by_deadline: BTreeMap::new(), by_name: BTreeMap::new(), set_count: 0 }
    }

    /// Arms `timer` of `actor` to fire at `at`, instead of when it was to fire until now.
    pub(super) fn set(&mut self, actor: usize, timer: T, at: Instant) {
        self.set_count += 1;
        let deadline = (at, self.set_count);
        let name = (actor, timer);
        if let Some(replaced) = self.by_name.insert(name.clone(), deadline) {
            self.by_deadline.remove(&replaced);
        }
        self.by_deadline.insert(deadline, name);
    }

    /// Disarms `timer` of `actor`, if it is armed.
    pub(super) fn cancel(&mut self, actor: usize, timer: T) {
        if let Some(deadline) = self.by_name.remove(&(actor, timer)) {
            self.by_deadline.remove(&deadline);
        }
    }

    /// When the first timer fires.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.by_deadline.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the first timer that is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(usize, T)> {
        let entry = self.by_deadline.first_entry().filter(|entry| entry.key().0 <= now)?;
        let name = entry.remove();
        self.by_name.remove(&name);
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_fire_in_order_once() {
        let mut timers = Timers::new();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        timers.set(0, 'a', at(30));
        timers.set(0, 'b', at(10));
        timers.set(1, 'a', at(10));
        timers.set(0, 'c', at(20));
        timers.set(0, 'a', at(5));
        timers.cancel(0, 'c');
        timers.cancel(0, 'x');
        assert_eq!(timers.next_deadline(), Some(at(5)));
        assert_eq!(timers.pop_due(at(4)), None);
        let fired: Vec<_> = std::iter::from_fn(|| timers.pop_due(at(100))).collect();
        assert_eq!(fired, [(0, 'a'), (0, 'b'), (1, 'a')]);
        assert!(timers.by_name.is_empty());
    }
}
