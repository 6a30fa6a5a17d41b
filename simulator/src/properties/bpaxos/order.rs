//! All replicas execute commands that conflict in the same order.
//!
//! | | |
//! |---|---|
//! | property | B5 order |
//! | paper | Bipartisan Paxos, execution |
//! | module | `bpaxos::graph`, `bpaxos::replica` |
//! | model | - |

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use paxos::state_machine::Footprint;
use paxos::wire::Payload;

use super::{Judge, Place, Property, Verdict, fail};
use crate::workload::Past;

/// The property of this file.
pub(super) const PROPERTY: Property = Property {
    id: "B5",
    name: "order",
    statement: "All replicas execute commands that conflict in the same order.",
    paper: "Bipartisan Paxos, execution",
    module: "`bpaxos::graph`, `bpaxos::replica`",
};

/// The order in which one replica has executed commands, from its last start on.
#[derive(Debug, Default)]
pub(super) struct Executed {
    /// What came with the snapshot that it was installed from.
    pub(super) installed: Past,
    /// Those that were seen.
    pub(super) tokens: HashSet<u64>,
    /// By key, how many commands have written it.
    written: BTreeMap<Payload, usize>,
    /// By key, where the last command that wrote it stood, if that is known.
    pub(super) places: BTreeMap<Payload, Place>,
}

impl Executed {
    /// The order of a replica that begins with a snapshot.
    pub(super) fn after(installed: Past) -> Self {
        Self { installed, ..Self::default() }
    }
}

/// The order that the first replica has shown.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The commands that have written each key.
    writers: BTreeMap<Payload, Vec<u64>>,
    /// After how many writes of each key a command has read it.
    readers: HashMap<u64, BTreeMap<Payload, usize>>,
    /// After how many commands one was executed that touches everything.
    total: HashMap<u64, usize>,
    /// Where each command stood that has written something.
    pub(super) places: HashMap<u64, Place>,
}

impl Judge {
    /// A replica applies a command next.
    pub(super) fn check_order(
        &mut self,
        replica: usize,
        token: u64,
        footprint: &Footprint,
    ) -> Verdict {
        match footprint {
            Footprint::Everything => {
                let count = self.orders[replica].tokens.len();
                let known = *self.order.total.entry(token).or_insert(count);
                self.same(known == count, (replica, token), || format!("as number {count}"))
            }
            Footprint::Keys { reads, writes } => {
                self.check_reads(replica, token, reads)?;
                writes.iter().try_for_each(|key| self.check_write(replica, token, key))
            }
        }
    }

    fn check_reads(&mut self, replica: usize, token: u64, keys: &BTreeSet<Payload>) -> Verdict {
        for key in keys {
            let count = self.orders[replica].written.get(key).copied().unwrap_or_default();
            let reads = self.order.readers.entry(token).or_default();
            let known = *reads.entry(key.clone()).or_insert(count);
            let detail = || format!("after {count} writes of what it reads, others after {known}");
            self.same(known == count, (replica, token), detail)?;
        }
        Ok(())
    }

    fn check_write(&mut self, replica: usize, token: u64, key: &Payload) -> Verdict {
        let count = self.orders[replica].written.entry(key.clone()).or_default();
        let index = *count;
        *count += 1;
        let all = self.order.writers.entry(key.clone()).or_default();
        if index == all.len() {
            all.push(token);
        }
        let known = all[index];
        let detail = || format!("as write {index} of its key, others call {known}");
        self.same(known == token, (replica, token), detail)
    }

    fn same(
        &self,
        is_same: bool,
        (replica, token): (usize, u64),
        detail: impl FnOnce() -> String,
    ) -> Verdict {
        if is_same {
            return Ok(());
        }
        fail(PROPERTY, format!("p{replica} executes call {token} {}", detail()))
    }
}
