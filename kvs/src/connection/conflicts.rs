//! What the commands in flight of one connection touch.
//!
//! Where commands that are in flight together may be executed in any order, a command that conflicts with
//! one of them waits until that one has returned. So each client finds its commands done in its order.

use std::collections::BTreeMap;

use paxos::state_machine::Footprint;
use paxos::wire::Payload;

/// How many commands in flight touch what.
#[derive(Debug, Default)]
pub(super) struct Touched {
    readers: BTreeMap<Payload, usize>,
    writers: BTreeMap<Payload, usize>,
    /// Those that touch the whole key space.
    everything_count: usize,
    /// All of them.
    count: usize,
}

impl Touched {
    /// Whether a command with `footprint` must wait.
    ///
    /// *Cost*: O(k log n), k = keys of the command, n = keys in flight.
    pub(super) fn conflicts_with(&self, footprint: &Footprint) -> bool {
        let Footprint::Keys { reads, writes } = footprint else { return self.count > 0 };
        let is_written = |key| self.writers.contains_key(key);
        self.everything_count > 0
            || reads.iter().any(is_written)
            || writes.iter().any(|key| is_written(key) || self.readers.contains_key(key))
    }

    /// A command is in flight.
    pub(super) fn add(&mut self, footprint: &Footprint) {
        self.count += 1;
        match footprint {
            Footprint::Keys { reads, writes } => {
                reads.iter().for_each(|key| *self.readers.entry(key.clone()).or_default() += 1);
                writes.iter().for_each(|key| *self.writers.entry(key.clone()).or_default() += 1);
            }
            Footprint::Everything => self.everything_count += 1,
        }
    }

    /// It has returned.
    pub(super) fn remove(&mut self, footprint: &Footprint) {
        self.count -= 1;
        match footprint {
            Footprint::Keys { reads, writes } => {
                reads.iter().for_each(|key| take_one(&mut self.readers, key));
                writes.iter().for_each(|key| take_one(&mut self.writers, key));
            }
            Footprint::Everything => self.everything_count -= 1,
        }
    }
}

fn take_one(counts: &mut BTreeMap<Payload, usize>, key: &Payload) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(reads: &[&'static str], writes: &[&'static str]) -> Footprint {
        let set = |keys: &[&'static str]| keys.iter().map(|key| Payload::new(*key)).collect();
        Footprint::Keys { reads: set(reads), writes: set(writes) }
    }

    #[test]
    fn a_command_waits_for_what_it_conflicts_with_and_for_nothing_else() {
        let all = [
            keys(&["a"], &[]),
            keys(&["b"], &["a"]),
            keys(&[], &["b"]),
            keys(&[], &["c"]),
            Footprint::empty(),
            Footprint::Everything,
        ];
        for word in 0..all.len().pow(2) {
            let [one, two] = [&all[word % all.len()], &all[word / all.len()]];
            let mut touched = Touched::default();
            [one, two].into_iter().for_each(|footprint| touched.add(footprint));
            for other in &all {
                let expected = one.conflicts_with(other) || two.conflicts_with(other);
                assert_eq!(touched.conflicts_with(other), expected, "{one:?} {two:?} {other:?}");
            }
            touched.remove(one);
            for other in &all {
                assert_eq!(touched.conflicts_with(other), two.conflicts_with(other));
            }
            touched.remove(two);
            assert!(!all.iter().any(|other| touched.conflicts_with(other)));
        }
    }
}
