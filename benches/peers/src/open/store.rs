//! What openraft leaves to its user: a log, and a machine that counts. Both in memory.

use std::cell::RefCell;
use std::fmt::Debug;
use std::io::Cursor;
use std::ops::{Bound, RangeBounds};
use std::rc::Rc;

use openraft::storage::{LogFlushed, LogState, RaftLogStorage, RaftStateMachine, Snapshot};
use openraft::{
    EmptyNode, Entry, EntryPayload, LogId, RaftLogReader, RaftSnapshotBuilder, SnapshotMeta,
    StorageError, StoredMembership, Vote,
};

use super::Types;

type Outcome<O> = Result<O, StorageError<u64>>;

/// The log of one replica. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Log(Rc<RefCell<Kept>>);

#[derive(Default)]
struct Kept {
    /// From index zero on: nothing is ever purged, since there are no snapshots.
    entries: Vec<Entry<Types>>,
    vote: Option<Vote<u64>>,
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug>(
        &mut self,
        range: R,
    ) -> Outcome<Vec<Entry<Types>>> {
        let kept = self.0.borrow();
        let from = match range.start_bound() {
            Bound::Included(index) => *index as usize,
            Bound::Excluded(index) => *index as usize + 1,
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(index) => *index as usize + 1,
            Bound::Excluded(index) => *index as usize,
            Bound::Unbounded => kept.entries.len(),
        };
        let to = to.min(kept.entries.len());
        Ok(kept.entries[from.min(to)..to].to_vec())
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Outcome<LogState<Types>> {
        let last_log_id = self.0.borrow().entries.last().map(|entry| entry.log_id);
        Ok(LogState { last_purged_log_id: None, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Outcome<()> {
        self.0.borrow_mut().vote = Some(*vote);
        Ok(())
    }

    async fn read_vote(&mut self) -> Outcome<Option<Vote<u64>>> {
        Ok(self.0.borrow().vote)
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> Outcome<()>
    where
        I: IntoIterator<Item = Entry<Types>>,
    {
        self.0.borrow_mut().entries.extend(entries);
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId<u64>) -> Outcome<()> {
        self.0.borrow_mut().entries.truncate(log_id.index as usize);
        Ok(())
    }

    async fn purge(&mut self, _log_id: LogId<u64>) -> Outcome<()> {
        Ok(())
    }
}

/// A machine that counts commands. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Machine(Rc<RefCell<Counted>>);

#[derive(Clone, Default)]
struct Counted {
    count: u64,
    last: Option<LogId<u64>>,
    membership: StoredMembership<u64, EmptyNode>,
}

impl Machine {
    /// Commands that it has applied.
    pub(super) fn applied_count(&self) -> usize {
        self.0.borrow().count as usize
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = Self;

    async fn applied_state(
        &mut self,
    ) -> Outcome<(Option<LogId<u64>>, StoredMembership<u64, EmptyNode>)> {
        let counted = self.0.borrow();
        Ok((counted.last, counted.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Outcome<Vec<()>>
    where
        I: IntoIterator<Item = Entry<Types>>,
    {
        let mut counted = self.0.borrow_mut();
        let mut replies = Vec::new();
        for entry in entries {
            counted.last = Some(entry.log_id);
            match entry.payload {
                EntryPayload::Blank => {}
                EntryPayload::Normal(command) => {
                    assert!(!command.is_empty());
                    counted.count += 1;
                }
                EntryPayload::Membership(members) => {
                    counted.membership = StoredMembership::new(Some(entry.log_id), members);
                }
            }
            replies.push(());
        }
        Ok(replies)
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Outcome<Box<Cursor<Vec<u8>>>> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<u64, EmptyNode>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Outcome<()> {
        let bytes = snapshot.into_inner();
        let count = bytes.try_into().map_or(0, u64::from_le_bytes);
        let (last, membership) = (meta.last_log_id, meta.last_membership.clone());
        *self.0.borrow_mut() = Counted { count, last, membership };
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Outcome<Option<Snapshot<Types>>> {
        Ok(None)
    }
}

impl RaftSnapshotBuilder<Types> for Machine {
    async fn build_snapshot(&mut self) -> Outcome<Snapshot<Types>> {
        let Counted { count, last, membership } = self.0.borrow().clone();
        let meta = SnapshotMeta {
            last_log_id: last,
            last_membership: membership,
            snapshot_id: count.to_string(),
        };
        Ok(Snapshot { meta, snapshot: Box::new(Cursor::new(count.to_le_bytes().to_vec())) })
    }
}
