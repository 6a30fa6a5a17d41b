mod pauses;

use super::*;
use crate::actor::TimerChange;
use crate::actor::{Incarnation, Seat};
use crate::command::{SessionId, Submission};
use crate::history::HistoryMark;
use crate::message::{Cut, Kept, Quarantine, SnapshotWanted};
use crate::snapshot::Chunk;
use crate::state_machine::ForeignChunk;
use bytes::Bytes;

/// All commands, byte by byte, and what of them is to be read into a snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
struct Journal(Vec<u8>, Option<Bytes>);

impl StateMachine for Journal {
    fn apply(&mut self, _: Position, command: &[u8]) -> Bytes {
        self.0.extend_from_slice(command);
        Bytes::copy_from_slice(&self.0)
    }

    fn query(&self, query: &[u8]) -> Option<Bytes> {
        (query != b"through the log").then(|| Bytes::copy_from_slice(&self.0))
    }

    fn empty(&self) -> Self {
        Self::default()
    }

    fn start_snapshot(&mut self) {
        self.1 = Some(Bytes::copy_from_slice(&self.0));
    }

    fn next_chunk(&mut self, bytes_max: usize) -> Option<Bytes> {
        let rest = self.1.as_mut().filter(|rest| !rest.is_empty())?;
        Some(rest.split_to(bytes_max.min(rest.len())))
    }

    fn stop_snapshot(&mut self) {
        self.1 = None;
    }

    fn install_chunk(&mut self, chunk: &Bytes) -> Result<(), ForeignChunk> {
        if chunk.contains(&b'!') {
            return Err(ForeignChunk("an exclamation mark".into()));
        }
        self.0.extend_from_slice(chunk);
        Ok(())
    }
}

fn node(seat: u32) -> NodeId {
    NodeId::new(Seat(seat), Incarnation(1))
}

fn replica() -> Replica<Journal> {
    let surroundings =
        Surroundings { archive: node(1), session: node(2), peers: vec![node(3), node(4)] };
    let options = SnapshotOptions {
        chunk_bytes: 2,
        window: 2,
        tail_bytes: 0,
        compare_slots: 2,
        bytes_per_second: 0,
    };
    Replica::new(surroundings, Journal::default(), options)
}

fn value(session: u32, first: u64, text: &'static str) -> Value {
    let session = SessionId { node: node(session), life: 1 };
    let commands = vec![Payload::new(text.as_bytes())];
    Value::batch(&vec![Submission { session, first, acknowledged: 0, commands }])
}

fn step(replica: &mut Replica<Journal>, message: impl Into<ToReplica>) -> Fx {
    let mut fx = Fx::new();
    replica.on_message(node(9), message.into(), &mut fx);
    fx
}

fn chosen_watermark(slot: u64) -> ChosenWatermark {
    ChosenWatermark { watermark: Slot(slot), archives: [node(3), node(4)].into() }
}

fn chosen(slot: u64, value: Value) -> Chosen {
    Chosen { slot: Slot(slot), value }
}

fn executed(first: u64, text: &'static str) -> (NodeId, FromReplica) {
    let session = SessionId { node: node(2), life: 1 };
    let replies = vec![Payload::new(text.as_bytes())];
    (node(2), FromReplica::Executed(Executed { session, first, replies }))
}

fn stored(slot: u64, value: Value) -> (NodeId, FromReplica) {
    (node(1), FromReplica::Store(Store { slot: Slot(slot), value }))
}

#[test]
fn values_are_executed_in_slot_order_and_only_the_own_session_is_answered() {
    let mut replica = replica();
    let (a, b) = (value(2, 0, "a"), value(7, 0, "b"));
    let fx = step(&mut replica, chosen(1, b.clone()));
    assert!(fx.sends.is_empty());
    let fx = step(&mut replica, chosen(0, a.clone()));
    assert_eq!(fx.sends, vec![executed(0, "a"), stored(0, a), stored(1, b)]);
    assert_eq!(replica.machine().0, b"ab");
}

#[test]
fn a_read_waits_for_what_the_leader_knew() {
    let mut replica = replica();
    let query = Payload::new(&b"all"[..]);
    let fx = step(&mut replica, Query { token: 5, watermark: Slot(1), query });
    assert!(fx.is_empty());
    let fx = step(&mut replica, chosen(0, value(7, 0, "a")));
    let answer = Some(Payload::new(&b"a"[..]));
    let answered = (node(2), FromReplica::Answered(Answered { token: 5, answer }));
    assert_eq!(fx.sends.last(), Some(&answered));
}

#[test]
fn a_gap_is_fetched_from_one_after_the_other() {
    let mut replica = replica();
    step(&mut replica, FetchB { first: Slot(0), values: vec![] });
    let fx = step(&mut replica, chosen_watermark(2));
    assert_eq!(fx.timers.len(), 1);
    let mut asked = Vec::new();
    for _ in 0..3 {
        let mut fx = Fx::new();
        replica.on_timer(ReplicaTimer::Fetch, &mut fx);
        asked.push(fx.sends[0].0);
    }
    asked.sort();
    assert_eq!(asked, vec![node(3), node(4), node(9)]);
    let values = vec![value(2, 0, "a"), value(2, 1, "b")];
    step(&mut replica, FetchB { first: Slot(0), values });
    assert_eq!(replica.executed_watermark(), Slot(2));
}

const ARCHIVE: NodeId = NodeId::new(Seat(1), Incarnation(1));
const PEER: NodeId = NodeId::new(Seat(7), Incarnation(1));

fn step_from(from: NodeId, replica: &mut Replica<Journal>, message: impl Into<ToReplica>) -> Fx {
    let mut fx = Fx::new();
    replica.on_message(from, message.into(), &mut fx);
    fx
}

/// A replica that has executed these commands of its own session and knows of no more.
fn after(texts: &[&'static str]) -> Replica<Journal> {
    let mut replica = replica();
    for (slot, text) in (0..).zip(texts) {
        step(&mut replica, chosen(slot, value(2, slot, text)));
    }
    replica
}

fn kept(fx: &Fx) -> Vec<Chunk> {
    let kept = fx.sends.iter().filter_map(|(_, message)| match message {
        FromReplica::Keep(m) => Some(m.chunk.clone()),
        _ => None,
    });
    kept.collect()
}

fn sent(fx: &Fx) -> Vec<Chunk> {
    let sent = fx.sends.iter().filter_map(|(_, message)| match message {
        FromReplica::SnapshotB(m) => Some(m.chunk.clone()),
        _ => None,
    });
    sent.collect()
}

fn wanted(slot: u64) -> SnapshotWanted {
    SnapshotWanted { watermark: Slot(slot) }
}

fn ask(executed: u64, slot: Option<u64>, next: u64) -> SnapshotA {
    SnapshotA { executed_watermark: Slot(executed), slot: slot.map(Slot), next }
}

fn cut(first: u64, base: u64) -> Cut {
    Cut { first: Slot(first), base: Slot(base), replica: PEER }
}

/// All chunks of the snapshot of a replica.
fn snapshot(replica: &mut Replica<Journal>) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut fx = step_from(node(9), replica, ask(0, None, 0));
    loop {
        chunks.extend(sent(&fx));
        let next = chunks.len() as u64;
        let slot = Some(replica.executed_watermark().0);
        fx = step_from(node(9), replica, ask(0, slot, next));
        if sent(&fx).is_empty() {
            return chunks;
        }
    }
}

#[test]
fn a_snapshot_goes_to_the_archive_chunk_by_chunk_while_commands_are_executed() {
    let mut replica = after(&["abc", "def"]);
    assert!(kept(&step_from(ARCHIVE, &mut replica, wanted(3))).is_empty(), "slot 2 is missing");
    let fx = step(&mut replica, chosen(2, value(2, 2, "g")));
    let mut chunks = kept(&fx);
    assert_eq!(chunks.len(), 2, "as many as the window allows");
    step(&mut replica, chosen(3, value(2, 3, "later")));
    while let Some(Chunk { slot, number, is_last: false, .. }) = chunks.last().cloned() {
        chunks.extend(kept(&step_from(ARCHIVE, &mut replica, Kept { slot, number })));
    }
    assert!(replica.machine().1.is_some());
    let Chunk { slot, number, .. } = chunks[chunks.len() - 1].clone();
    step_from(ARCHIVE, &mut replica, Kept { slot, number });
    assert_eq!(replica.machine().1, None, "the view is given up");
    assert_eq!(slot, Slot(3));

    // After a restart the archive gives the chunks back, and the replica is as it was.
    let mut restarted = self::replica();
    let mut fx = step_from(ARCHIVE, &mut restarted, cut(0, 3));
    for chunk in chunks {
        let number = chunk.number;
        if number > 0 {
            fx = Fx::new();
            restarted.on_timer(ReplicaTimer::Fetch, &mut fx);
        }
        assert_eq!(fx.sends, [(ARCHIVE, FromReplica::RestoreA(RestoreA { number }))]);
        fx = step_from(ARCHIVE, &mut restarted, SnapshotB { chunk });
    }
    assert_eq!(fx.sends, [(ARCHIVE, FromReplica::FetchA(FetchA { first: Slot(3) }))]);
    assert_eq!(restarted.machine().0, b"abcdefg");
    step_from(ARCHIVE, &mut restarted, FetchB { first: Slot(3), values: vec![] });
    // It knows what was executed for whom.
    let fx = step(&mut restarted, chosen(3, value(2, 2, "g")));
    assert_eq!(fx.sends[0], executed(2, "abcdefg"));
    assert_eq!(restarted.machine().0, b"abcdefg");
}

#[test]
fn a_replica_that_lags_installs_the_snapshot_of_another_one_and_goes_on() {
    let mut source = after(&["abc", "def", "ghi"]);
    let chunks = snapshot(&mut source);
    let mut replica = after(&["abc"]);
    step(&mut replica, chosen(3, value(2, 3, "j")));
    step(&mut replica, chosen_watermark(4));
    let fx = step_from(node(3), &mut replica, cut(1, 3));
    assert_eq!(fx.sends, [(PEER, FromReplica::SnapshotA(ask(1, None, 0)))]);
    assert!(step_from(node(4), &mut replica, cut(1, 3)).is_empty(), "one is enough");
    let (last, others) = chunks.split_last().unwrap();
    for chunk in others {
        let m = SnapshotB { chunk: chunk.clone() };
        assert!(step_from(node(8), &mut replica, m.clone()).is_empty(), "it was not asked");
        let fx = step_from(PEER, &mut replica, m.clone());
        assert_eq!(kept(&fx), std::slice::from_ref(chunk));
        assert!(step_from(PEER, &mut replica, m).is_empty(), "a repeat");
        let fx = step_from(ARCHIVE, &mut replica, Kept { slot: Slot(3), number: chunk.number });
        let next = ask(1, Some(3), chunk.number + 1);
        assert_eq!(fx.sends, [(PEER, FromReplica::SnapshotA(next))]);
        assert_eq!(replica.machine().0, b"abc", "all or nothing");
    }
    let fx = step_from(PEER, &mut replica, SnapshotB { chunk: last.clone() });
    assert_eq!(replica.machine().0, b"abcdefghij", "what was waiting follows");
    assert_eq!(replica.executed_watermark(), Slot(4));
    let release = ask(1, Some(3), last.number + 1);
    assert!(fx.sends.contains(&(PEER, FromReplica::SnapshotA(release))));
    let archived: Vec<_> = fx.sends.iter().filter(|(to, _)| *to == ARCHIVE).collect();
    assert_eq!(archived[0].1, FromReplica::Keep(Keep { chunk: last.clone() }));
    assert_eq!(archived[1].1, FromReplica::Store(Store { slot: Slot(3), value: value(2, 3, "j") }));
}

#[test]
fn lost_chunks_are_sent_again_and_late_ones_ignored() {
    let mut source = after(&["abcdefgh"]);
    let first = sent(&step_from(PEER, &mut source, ask(0, None, 0)));
    assert_eq!(first.len(), 2);
    let fx = step_from(PEER, &mut source, ask(0, Some(1), 1));
    assert_eq!(sent(&fx).len(), 1, "one was let go of");
    let again = sent(&step_from(PEER, &mut source, ask(0, Some(1), 1)));
    assert_eq!((again.len(), again[0].number), (2, 1));
    assert!(sent(&step_from(node(8), &mut source, ask(0, None, 0))).is_empty(), "one at a time");
    assert!(kept(&step_from(ARCHIVE, &mut source, wanted(1))).is_empty(), "it waits");
    let mut fx = Fx::new();
    source.on_timer(ReplicaTimer::Lease, &mut fx);
    assert_eq!(kept(&fx).len(), 2, "its turn comes when the other one is silent");
    assert!(step_from(PEER, &mut source, ask(0, Some(1), 2)).is_empty());
}

#[test]
fn a_source_that_is_silent_is_asked_again_and_then_another_one_is() {
    let mut source = after(&["abc"]);
    let chunks = snapshot(&mut source);
    let mut replica = replica();
    step(&mut replica, chosen_watermark(1));
    step_from(node(3), &mut replica, cut(0, 1));
    step_from(PEER, &mut replica, SnapshotB { chunk: chunks[0].clone() });
    let mut questions = 0;
    loop {
        let mut fx = Fx::new();
        replica.on_timer(ReplicaTimer::Fetch, &mut fx);
        match fx.sends.as_slice() {
            [(PEER, FromReplica::SnapshotA(m))] => assert_eq!(*m, ask(0, Some(1), 1)),
            _ => break,
        }
        questions += 1;
    }
    assert_eq!(questions, 7);
    assert!(step_from(PEER, &mut replica, SnapshotB { chunk: chunks[1].clone() }).is_empty());
    let mut fx = Fx::new();
    replica.on_timer(ReplicaTimer::Fetch, &mut fx);
    assert!(matches!(fx.sends[0].1, FromReplica::FetchA(_)));
    // From another one it is taken from the start.
    step_from(node(4), &mut replica, cut(0, 1));
    chunks.iter().for_each(|chunk| {
        step_from(PEER, &mut replica, SnapshotB { chunk: chunk.clone() });
    });
    assert_eq!(replica.machine().0, b"abc");
}

#[test]
fn a_source_that_starts_over_is_followed_and_its_past_is_not() {
    let (mut early, mut late) = (after(&["abcd"]), after(&["abcd", "e"]));
    let (old, new) = (snapshot(&mut early), snapshot(&mut late));
    let mut replica = replica();
    step_from(node(3), &mut replica, cut(0, 1));
    for chunk in [&old[0], &old[1], &new[0], &old[2], &old[0]].into_iter().chain(&new[1..]) {
        step_from(PEER, &mut replica, SnapshotB { chunk: chunk.clone() });
    }
    assert_eq!((&replica.machine().0[..], replica.executed_watermark()), (&b"abcde"[..], Slot(2)));
}

#[test]
fn a_snapshot_that_was_overtaken_is_not_installed() {
    let mut source = after(&["abc"]);
    let chunks = snapshot(&mut source);
    let mut replica = replica();
    step_from(node(3), &mut replica, cut(0, 1));
    step_from(PEER, &mut replica, SnapshotB { chunk: chunks[0].clone() });
    step(&mut replica, chosen(0, value(2, 0, "abc")));
    step(&mut replica, chosen(1, value(2, 1, "d")));
    for chunk in &chunks[1..] {
        let fx = step_from(PEER, &mut replica, SnapshotB { chunk: chunk.clone() });
        assert!(kept(&fx).is_empty());
    }
    assert_eq!((&replica.machine().0[..], replica.executed_watermark()), (&b"abcd"[..], Slot(2)));
}

#[test]
fn a_foreign_chunk_is_reported_and_changes_nothing() {
    let mut source = after(&["a!"]);
    let chunks = snapshot(&mut source);
    let mut replica = replica();
    step_from(node(3), &mut replica, cut(0, 1));
    let outcomes =
        chunks.into_iter().map(|chunk| step_from(PEER, &mut replica, SnapshotB { chunk }));
    let violations: Vec<_> = outcomes.flat_map(|fx| fx.violations).collect();
    assert_eq!((violations.len(), violations[0].invariant), (1, "A22 snapshot truth"));
    assert_eq!(replica.machine(), &Journal::default());
}

#[test]
fn a_replica_that_lags_leaves_its_own_snapshot_for_a_better_one() {
    let mut replica = after(&["abcdefgh"]);
    assert_eq!(kept(&step_from(ARCHIVE, &mut replica, wanted(1))).len(), 2);
    step_from(node(3), &mut replica, cut(1, 9));
    assert_eq!(replica.machine().1, None);
    assert!(kept(&step_from(ARCHIVE, &mut replica, Kept { slot: Slot(1), number: 0 })).is_empty());
    // The other one does not answer; nothing is known to be missing, so its own goes on.
    let mut fx = Fx::new();
    replica.on_timer(ReplicaTimer::Fetch, &mut fx);
    assert!(matches!(fx.timers[..], [TimerChange::Set(ReplicaTimer::Fetch, _)]));
    let mut fx = Fx::new();
    replica.on_timer(ReplicaTimer::Fetch, &mut fx);
    assert_eq!(kept(&fx)[0].number, 0);
}

#[test]
fn a_snapshot_of_another_replica_serves_the_archive_as_well() {
    let mut source = after(&["abc", "d"]);
    let chunks = snapshot(&mut source);
    for is_asked_before in [true, false] {
        let mut replica = after(&["abc"]);
        step(&mut replica, chosen_watermark(2));
        step_from(node(3), &mut replica, cut(1, 2));
        if is_asked_before {
            step_from(ARCHIVE, &mut replica, wanted(1));
        }
        step_from(PEER, &mut replica, SnapshotB { chunk: chunks[0].clone() });
        if !is_asked_before {
            step_from(ARCHIVE, &mut replica, wanted(1));
        }
        for chunk in &chunks[1..] {
            step_from(PEER, &mut replica, SnapshotB { chunk: chunk.clone() });
        }
        assert_eq!(replica.executed_watermark(), Slot(2));
        let mut fx = Fx::new();
        replica.on_timer(ReplicaTimer::Fetch, &mut fx);
        assert_eq!(kept(&fx).is_empty(), is_asked_before, "one that began before does not count");
    }
}

#[test]
fn chunks_may_come_in_another_order_and_from_the_past() {
    let (mut early, mut late) = (after(&["ab"]), after(&["ab", "cdef"]));
    let (old, new) = (snapshot(&mut early), snapshot(&mut late));
    let mut replica = after(&["ab"]);
    step_from(node(3), &mut replica, cut(1, 2));
    // Of a view that ended before: it is of no use, and no reason to give up.
    assert!(step_from(PEER, &mut replica, SnapshotB { chunk: old[0].clone() }).is_empty());
    let mut order: Vec<Chunk> = new.clone();
    order.chunks_mut(2).for_each(<[Chunk]>::reverse);
    let mut passed_on = Vec::new();
    for chunk in order {
        passed_on.extend(kept(&step_from(PEER, &mut replica, SnapshotB { chunk })));
    }
    assert_eq!(passed_on, new, "in their order");
    assert_eq!((&replica.machine().0[..], replica.executed_watermark()), (&b"abcdef"[..], Slot(2)));
}

fn marks(fx: &Fx) -> Vec<(NodeId, Slot)> {
    let marks = fx.sends.iter().filter_map(|(to, message)| match message {
        FromReplica::Marked(m) => Some((*to, m.mark.slot)),
        _ => None,
    });
    marks.collect()
}

#[test]
fn what_was_executed_is_told_at_certain_slots_once_a_leader_is_known() {
    let mut replica = after(&["a", "b"]);
    step(&mut replica, chosen_watermark(2));
    let mut told = Vec::new();
    for (slot, text) in [(2, "c"), (3, "d"), (4, "e"), (5, "f")] {
        told.extend(marks(&step(&mut replica, chosen(slot, value(2, slot, text)))));
    }
    assert_eq!(told, vec![(node(9), Slot(4)), (node(9), Slot(6))]);
}

#[test]
fn a_digest_goes_with_the_snapshot_and_tells_replies_apart() {
    let mark = |replica: &mut Replica<Journal>| {
        step(replica, chosen_watermark(3));
        let fx = step(replica, chosen(3, value(2, 3, "d")));
        let marked = fx.sends.iter().find_map(|(_, message)| match message {
            FromReplica::Marked(m) => Some(*m),
            _ => None,
        });
        marked.expect("slot 4 is one of those")
    };
    let mut source = after(&["a", "b", "c"]);
    let mut installed = replica();
    step_from(node(3), &mut installed, cut(0, 3));
    for chunk in snapshot(&mut source) {
        step_from(PEER, &mut installed, SnapshotB { chunk });
    }
    let mut other = after(&["a", "b", "c"]);
    other.machine.0.push(b'!');
    let expected = mark(&mut source);
    assert_eq!(mark(&mut installed), expected);
    assert_ne!(mark(&mut other), expected, "its reply was another one");
}

#[test]
fn a_replica_in_quarantine_takes_no_part_and_reminds_every_leader_of_it() {
    let mut replica = after(&["a", "b"]);
    step_from(ARCHIVE, &mut replica, wanted(2));
    assert!(replica.machine().1.is_some());
    let query = Payload::new(&b"all"[..]);
    step(&mut replica, Query { token: 5, watermark: Slot(3), query });
    let fx = step(&mut replica, Quarantine { slot: Slot(2) });
    let mark = HistoryMark { slot: Slot(2), history: replica.history };
    let marked = Marked { mark, quarantined_at: Some(Slot(2)) };
    let quarantined = Quarantined { slot: Slot(2) };
    let told = |leader| {
        let session = (node(2), FromReplica::Quarantined(quarantined));
        vec![(leader, FromReplica::Marked(marked)), session]
    };
    assert_eq!(fx.sends, told(node(9)));
    assert_eq!(replica.machine().1, None, "no snapshot is made of it");

    assert!(step(&mut replica, chosen(2, value(2, 2, "c"))).is_empty());
    assert!(step_from(PEER, &mut replica, ask(0, None, 0)).is_empty());
    assert!(step_from(ARCHIVE, &mut replica, wanted(2)).is_empty());
    let mut fx = Fx::new();
    replica.on_timer(ReplicaTimer::Fetch, &mut fx);
    assert!(fx.is_empty());
    assert_eq!(step_from(PEER, &mut replica, chosen_watermark(9)).sends, told(PEER));
    assert_eq!(replica.executed_watermark(), Slot(2));
}
